"""Rules applied to observations: one verdict for each target.

All rules are asked of all rows in one query. The first outcome rule that fires
decides; every mechanism rule that fires adds its mechanism, where the outcome is one
that mechanisms explain: a site that is down for everybody is not interfered with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache

import duckdb
import msgspec
import pyarrow as pa  # type: ignore[import-untyped]

from analysis.observations import Observation
from analysis.observe.derive import observe, unmeasured
from analysis.observe.line import line_columns
from analysis.observe.over_run import OverRun, forger, over_run
from analysis.observe.services import is_service, service_rows
from analysis.probability import probability
from analysis.question import ASKED, question, schema
from analysis.rules import OUTCOMES, RULES, RULES_VERSION, TRIGGERS, Outcome
from probe.evidence import Run
from probe.store import Store

_WITH_MECHANISMS = ("ok", "blocked")
# Several rules may name one mechanism; a verdict has it once, in the order of the first of them.
MECHANISM_NAMES = tuple(dict.fromkeys(rule.mechanism for rule in RULES if rule.mechanism))


class Location(msgspec.Struct, frozen=True, kw_only=True):
    """Where on the path: hop number, the router's address, its AS (``AS6697``).

    Where only a range is known, *hop* is null and *hops* are the first and the last that
    it may be.
    """

    hop: int | None = None
    hops: tuple[int, int] | None = None
    ip: str | None = None
    asn: str | None = None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What one target's measurement means; the line of ``zond verdicts --format jsonl``.

    *controls* counts those that answered usefully. *rules* are all that fired, the
    one that decided first. *trigger*, *residual* (seconds for which a place stays blocked
    after the name was spoken there; 0 for none), *position* (``in-path``: what we said did
    not get through; ``on-path``: it did, beside the forgery), *location* and *probability*
    are null where nothing was measured that tells them. What *probability* is of:
    `analysis.probability`. Of what was imported, *source* is the software that measured,
    *document* the document's id and *file* the file, and line, that it was in; a line of what
    zond measured leaves them out.
    """

    url: str
    category: str
    measured_at: str | None
    probe_cc: str
    probe_asn: str
    outcome: Outcome
    mechanisms: tuple[str, ...] = ()
    trigger: str | None = None
    residual: float | None = None
    position: str | None = None
    probability: float | None = None
    location: Location | None = None
    fingerprints: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    rules_version: str = RULES_VERSION
    controls: int = 0
    source: str | msgspec.UnsetType = msgspec.UNSET
    document: str | msgspec.UnsetType = msgspec.UNSET
    file: str | msgspec.UnsetType = msgspec.UNSET


def judge(observations: Sequence[Observation]) -> list[Verdict]:
    """One verdict for each observation, in the same order."""
    if not observations:
        return []
    rows = [msgspec.structs.asdict(o) | {"row": i} for i, o in enumerate(observations)]
    engine = _engine()
    engine.register(ASKED, pa.Table.from_pylist(rows, schema=schema().to_pyarrow()))
    try:
        answers = sorted(engine.execute(question()).fetchall())  # by the number of the row
    finally:
        engine.unregister(ASKED)
    return [
        _verdict(o, [rule.id for rule, fired in zip(RULES, answer[1:], strict=True) if fired])
        for o, answer in zip(observations, answers, strict=True)
    ]


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


def _verdict(o: Observation, fired: Sequence[str]) -> Verdict:
    decided = next(rule for rule in OUTCOMES if rule.id in fired)
    assert decided.outcome is not None
    trigger = next((rule for rule in TRIGGERS if rule.id in fired), None)
    named = [rule for rule in RULES if rule.id in fired and rule.mechanism is not None]
    explained = decided.outcome in _WITH_MECHANISMS
    found = {rule.mechanism for rule in named} if explained else set()
    mechanisms = tuple(name for name in MECHANISM_NAMES if name in found)
    # The last rule fires for everything measured: it is named where it decides.
    rules = (decided.id, *(i for i in fired if i not in (decided.id, OUTCOMES[-1].id)))
    return Verdict(
        url=o.url,
        category=o.category,
        measured_at=_utc(o.measured_at) if o.measured else None,
        probe_cc=o.probe_cc,
        probe_asn=f"AS{o.probe_asn}",
        outcome=decided.outcome,
        mechanisms=mechanisms,
        trigger=trigger.trigger if explained and named and trigger is not None else None,
        residual=o.residual if explained and named and o.residual >= 0 else None,
        position=(o.position or o.hop_position or None) if explained and named else None,
        probability=probability(o, decided.outcome, mechanisms, rules),
        location=_location(o) if explained and named else None,
        fingerprints=fingerprints(o),
        rules=rules,
        controls=o.controls,
        source=o.source or msgspec.UNSET,
        document=o.document or msgspec.UNSET,
        file=o.origin or msgspec.UNSET,
    )


def _location(o: Observation) -> Location | None:
    if not o.hop_high:
        return None
    asn = o.hop_asn or (o.probe_asn if o.hop_near else 0)
    known = o.hop_low == o.hop_high
    return Location(
        hop=o.hop_high if known else None,
        hops=None if known else (o.hop_low, o.hop_high),
        ip=o.hop_ip or None,
        asn=f"AS{asn}" if asn else None,
    )


def fingerprints(o: Observation) -> tuple[str, ...]:
    """The ids of all fingerprints that match, sorted."""
    columns = (
        o.fingerprint_redirect, o.fingerprint_page, o.fingerprint_certificate,
        o.fingerprint_dns, o.fingerprint_forged, o.fingerprint_platform, o.fingerprint_symptom,
        o.fingerprint_packet,
    )
    return tuple(sorted({found for column in columns for found in column.split(",") if found}))


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def observations(store: Store, run: Run, *, whole: OverRun | None = None) -> list[Observation]:
    """The rows of *run*: the latest measurement of each target, and what was only planned.

    Measurements are read twice, one in memory at a time: first for what only the whole
    run shows, where it is not given as *whole*, then for the rows. Raises `StoreError`.
    """
    whole = whole or over_run(store.measurements(run.id))
    canaries = store.canaries(run.id)
    signs_for_all, line = forger(canaries), line_columns(whole.line, canaries)
    # What was imported is judged document by document: nobody measured it twice for one row.
    rows: dict[tuple[str, str], Observation] = {
        (target.url, ""): unmeasured(run, target.url, target.category)
        for target in store.planned(run.id)
    }
    for measurement in store.measurements(run.id):
        if is_service(measurement):
            found = service_rows(measurement, run, canaries)
        else:
            found = [
                observe(
                    measurement, run, canaries, unreliable=whole.unreliable,
                    repeated=whole.repeated, forger=signs_for_all,
                    quic_elsewhere=whole.quic.elsewhere(measurement.url),
                    follow_ups=store.follow_ups(measurement.id),
                )
            ]
        for row in found:
            row = msgspec.structs.replace(row, **line)
            known = rows.get((row.url, row.document))
            if known is None or not known.measured or known.measured_at <= row.measured_at:
                rows[row.url, row.document] = row
    return list(rows.values())


def verdicts(store: Store, runs: Iterable[Run]) -> list[Verdict]:
    """The verdicts of *runs*, in one query. Raises `StoreError`."""
    return judge([row for run in runs for row in observations(store, run)])
