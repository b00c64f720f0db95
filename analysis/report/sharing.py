"""A report that says less of who made it: for passing on.

Rule: what is left is what a reader elsewhere needs (which sites, on whose network, since which
day, how), and what could lead to a person is taken out before anything is told: the evidence
with its times and addresses, the hour of the day, networks that nobody has described and so may
be small, and of a dataset what fewer than `K` probes saw. It still says that somebody measured
these sites on these days; which the report says itself.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from analysis.dataset.coarse import K
from analysis.history.event import Event, Interval
from analysis.report.gather import Facts, networks_of

DAY = 86400.0
TIMES = ("first", "last", "clear", "since")


def for_sharing(facts: Facts) -> Facts:
    """*facts* without what could lead to who measured; told with `Words.days_only`."""
    table, events = facts.table, facts.events
    if facts.dataset:
        table = table.filter(pc.greater_equal(table["probes"], K))
        events = [event for event in events if event.probes >= K]
    events = [_in_days(event) for event in events]
    nobody = pa.array([""] * table.num_rows)
    coarse = {"hop_ip": nobody, "measurement_id": nobody, "run_id": nobody} | {
        name: pc.multiply(pc.floor(pc.divide(table[name], DAY)), DAY) for name in TIMES
    }
    for name, column in coarse.items():
        table = table.set_column(table.schema.get_field_index(name), name, column)
    kept = {event.id for event in events}
    countries = {n.cc for n in facts.networks}
    networks, hosts = networks_of(table)
    return replace(
        facts, table=table, events=events, store=None, hosts=hosts,
        findings={id: f for id, f in facts.findings.items() if id in kept},
        networks=tuple(n for n in networks if n.cc in countries),
        abroad=tuple(n for n in networks if n.cc not in countries),
        run_findings=[f for f in facts.run_findings if f.finding in _OF_THE_COUNTRY],
    )  # fmt: skip


def _in_days(event: Event) -> Event:
    """*event* with the days of its times; a chart would show the seconds."""
    return msgspec.structs.replace(
        event, onset=_day(event.onset), lift=_day(event.lift) if event.lift else None, evidence=(),
        parts=tuple(
            msgspec.structs.replace(
                part, onset=_day(part.onset), lift=_day(part.lift) if part.lift else None,
                evidence=(), ips=(),
            )
            for part in event.parts
        ),
    )  # fmt: skip


def _day(interval: Interval) -> Interval:
    after, by = (None if at is None else at // DAY * DAY for at in (interval.after, interval.by))
    return Interval(after, by, interval.probability)


_OF_THE_COUNTRY = ("shutdown", "abroad_lost")
