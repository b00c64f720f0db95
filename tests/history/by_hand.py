"""Rows and parts by hand: an hour as the unit of time, networks as in the table below."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from analysis.history.event import Interval, Part
from analysis.history.table import VerdictRow

BEGIN = 480_000  # hours since 1970, a multiple of 24
H = 3600.0


class Net(msgspec.Struct, frozen=True):
    operator: str
    kind: str = "fixed"
    gateways: tuple[int, ...] = ()


NETWORKS: Mapping[int, Net] = {
    10: Net("ten", "fixed", (10,)),
    11: Net("eleven", "fixed", (10,)),
    12: Net("twelve", "both", (10, 20)),
    20: Net("twenty", "fixed", (20,)),
    21: Net("twenty-one", "mobile", (20,)),
    22: Net("twenty-two", "mobile", (10, 20)),
    23: Net("ten", "fixed", (10,)),
    30: Net("thirty", "academic"),
}


def at(hour: float) -> float:
    """POSIX seconds of the hour *hour* of the history."""
    return (BEGIN + hour) * H


def looks(
    hours: Iterable[float], *, asn: int = 10, probe: str = "a", host: str = "site.example",
    outcome: str = "ok", mechanism: str = "", **more: Any,
) -> list[VerdictRow]:  # fmt: skip
    """One look of *probe* in each of *hours*."""
    return [
        VerdictRow(
            measurement_id=f"{probe}{asn}{host}{hour}{outcome}",
            run_id=f"{probe}{asn}{hour}",
            url=f"https://{host}/",
            host=host,
            measured_at=at(hour),
            day=int(at(hour) // (24 * H)),
            hour=int(at(hour) // H),
            probe_id=f"{probe}{asn}",
            outcome=outcome,
            mechanism=mechanism,
            mechanisms=mechanism,
            **{
                "probe_cc": "BY", "probe_asn": asn, "resolver_asn": asn, "domestic_alive": True,
                **more,
            },
        )
        for hour in hours
    ]  # fmt: skip


def struck(
    hours: Iterable[float], *, asn: int = 10, probe: str = "a", host: str = "site.example",
    mechanism: str = "tls.reset", **more: Any,
) -> list[VerdictRow]:  # fmt: skip
    """Looks that were blocked."""
    return looks(
        hours, asn=asn, probe=probe, host=host, outcome="blocked", mechanism=mechanism, **more
    )


def part(
    begin: float, end: float | None = None, *, asn: int = 10, host: str = "site.example",
    mechanism: str = "tls.reset", step: float = 1.0, **more: Any,
) -> Part:  # fmt: skip
    """A part from the hour *begin* to the hour *end*, looked at every *step* hours."""
    lift = None if end is None else Interval(at(end - step), at(end))
    return Part(
        host=host, mechanism=mechanism, probe_asn=asn, onset=Interval(at(begin - step), at(begin)),
        lift=lift, **{"blocked": 10, "measured": 10, "probes": 2, "probability": 0.95, **more},
    )  # fmt: skip


def watched(
    asns: Iterable[int], begin: int, end: int, *, host: str = "site.example",
    blocked: Mapping[int, tuple[float, float]] = {}, mechanism: str = "tls.reset",
    probes: str = "ab", step: int = 1,
) -> list[VerdictRow]:  # fmt: skip
    """Looks of two probes on each of *asns* from *begin* to *end*; *blocked* on those networks
    in those hours."""
    rows = []
    for asn in asns:
        first, last = blocked.get(asn, (end, end))
        for probe in probes:
            hours = range(begin, end, step)
            hit = [h for h in hours if first <= h < last]
            rows += looks([h for h in hours if h not in hit], asn=asn, probe=probe, host=host)
            rows += struck(hit, asn=asn, probe=probe, host=host, mechanism=mechanism)
    return rows
