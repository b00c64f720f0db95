"""Simulated histories of a country: who measured what, when, and what was known from outside.

Rule: a history is rows of the tables that the analysis itself would have, put there by
builders in the words of the field, never the result of a query. A researcher should be able
to read a story and say whether the hypothesis holds in it. Changes (`without`, `turned`)
take one thing away from a history, or turn its value, and leave the rest alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec

from analysis.history.event import Event, Interval, Kind, Part
from analysis.history.table import TestRow, VerdictRow
from analysis.regime import read
from analysis.regime.documents import CalendarEntry
from analysis.regime.outside import KINDS

HOUR, DAY = 3600.0, 86400.0

BELTELECOM, NTEC, BASNET, UNIBEL, BSU = 6697, 60280, 21274, 5498, 13171
MTS, A1, ATLANT, LIFE, DELOVAYA, COSMOS = 25106, 42772, 20852, 44087, 12406, 31143
GARANT, IPTELECOM, FLYNET, HOSTER, BANK, GLOBALONE = 50334, 21305, 49711, 35594, 38980, 28849
ABROAD, RUSSIA = 24940, 12389

_ids = count(1)


def at(text: str) -> float:
    """POSIX seconds of an ISO date, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def iso(moment: float) -> str:
    """POSIX seconds as a date of the outside tables, to the minute."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M+00:00")


@dataclass(frozen=True)
class History:
    """The tables of one simulated history."""

    verdicts: tuple[VerdictRow, ...] = ()
    tests: tuple[TestRow, ...] = ()
    events: tuple[Event, ...] = ()
    outside: Mapping[str, tuple[msgspec.Struct, ...]] = field(default_factory=dict)

    def __add__(self, other: History) -> History:
        tables = {
            name: self.outside.get(name, ()) + other.outside.get(name, ())
            for name in {**self.outside, **other.outside}
        }
        return History(
            self.verdicts + other.verdicts, self.tests + other.tests,
            self.events + other.events, tables,
        )  # fmt: skip


Change = Callable[[History], History]
Test = Callable[[Any], bool]


def all_of(parts: Iterable[History]) -> History:
    """The histories together."""
    whole = History()
    for part in parts:
        whole = whole + part
    return whole


def saw(
    host: str, when: float, asn: int, outcome: str = "ok", mechanism: str = "", *,
    cc: str = "BY", url: str = "", probes: int = 1, controls: int = 2, **more: Any,
) -> History:  # fmt: skip
    """*probes* of *asn* measured *host* then; `mechanism` may be several, by commas."""
    rows = []
    for probe in range(probes):
        number = next(_ids)
        values: dict[str, Any] = {
            "measurement_id": f"m{number:06}", "run_id": f"r{asn}-{probe}-{int(when)}",
            "url": url or f"https://{host}/", "host": host, "measured_at": when,
            "day": int(when // DAY), "hour": int(when // HOUR), "probe_id": f"p{asn}-{probe}",
            "probe_cc": cc, "probe_asn": asn, "outcome": outcome, "mechanisms": mechanism,
            "mechanism": mechanism.split(",")[0], "controls": controls, "domestic_alive": True,
        }  # fmt: skip
        rows.append(VerdictRow(**(values | more)))
    return History(verdicts=tuple(rows))


def tried(
    test: str, result: str, when: float, asn: int, host: str = "", *, cc: str = "BY",
    ip: str = "", port: int = 0, value: float = -1.0, url: str = "", of: str = "",
) -> History:  # fmt: skip
    """One thing was tried beside; *of* is the measurement it belongs to."""
    row = TestRow(
        measurement_id=of or f"m{next(_ids):06}", measured_at=when, probe_cc=cc, probe_asn=asn,
        url=url or (f"https://{host}/" if host else ""), host=host, ip=ip, port=port, test=test,
        result=result, value=value,
    )  # fmt: skip
    return History(tests=(row,))


def part(
    host: str, asn: int, onset: tuple[float | None, float | None],
    lift: tuple[float | None, float | None] | None = None, mechanism: str = "tcp.silence",
    **more: Any,
) -> Part:  # fmt: skip
    """What one network's series showed."""
    values: dict[str, Any] = {"blocked": 10, "measured": 12, "probes": 2}
    return Part(
        host=host, mechanism=mechanism, probe_asn=asn, onset=Interval(*onset),
        lift=Interval(*lift) if lift else None, **(values | more),
    )  # fmt: skip


def event(name: str, kind: Kind, parts: Iterable[Part], **more: Any) -> History:
    """One event, of *parts*; its own bounds are theirs."""
    kept = tuple(parts)
    first = min(kept, key=lambda p: p.onset.by or 0.0)
    lifts = [p.lift for p in kept]
    last = max((i for i in lifts if i), key=lambda i: i.by or 0.0, default=None)
    values: dict[str, Any] = {
        "targets": tuple(dict.fromkeys(p.host for p in kept)),
        "networks": tuple(dict.fromkeys(p.probe_asn for p in kept)),
        "mechanisms": tuple(dict.fromkeys(p.mechanism for p in kept)),
        "onset": first.onset, "lift": last if None not in lifts else None,
        "blocked": sum(p.blocked for p in kept), "measured": sum(p.measured for p in kept),
        "probes": sum(p.probes for p in kept), "parts": kept,
    }  # fmt: skip
    return History(events=(Event(id=name, kind=kind, **(values | more)),))


def known(kind: str, **row: Any) -> History:
    """One row of what is known from outside; a number where a date belongs is POSIX seconds."""
    of = KINDS[kind]
    return History(outside={kind: (of(**({"source": "told"} | _dated(of, row))),)})


def date(start: float | str, end: float | str, kind: str = "election", **row: Any) -> History:
    """One entry of the political calendar."""
    values = {"id": f"C{next(_ids)}", "start": start, "end": end, "kind": kind, "what": "told",
              "sources": ("told",)} | row  # fmt: skip
    return History(outside={"calendar": (CalendarEntry(**_dated(CalendarEntry, values)),)})


def _dated(of: type[msgspec.Struct], row: Mapping[str, Any]) -> dict[str, Any]:
    dates = read.dates(of)
    return {k: iso(v) if k in dates and isinstance(v, float) else v for k, v in row.items()}


def without(table: str, test: Test | None = None) -> Change:
    """Take away the rows of *table* for which *test* holds (all, without one)."""
    return _change(table, lambda row: None if test is None or test(row) else row)


def turned(table: str, test: Test | None = None, /, **values: Any) -> Change:
    """Set *values* in the rows of *table* for which *test* holds; a value may be a function
    of the row."""

    def turn(row: Any) -> Any:
        if test is not None and not test(row):
            return row
        new = {k: v(row) if callable(v) else v for k, v in values.items()}
        return msgspec.structs.replace(row, **new)

    return _change(table, turn)


def parts_turned(turn: Callable[[Part], Part | None]) -> Change:
    """Put each part of each event through *turn*; None takes it away, an event without
    parts goes as well. The events' own bounds stay as they are."""

    def of(found: Event) -> Event | None:
        kept = tuple(p for p in (turn(old) for old in found.parts) if p)
        networks = tuple(dict.fromkeys(p.probe_asn for p in kept))
        return msgspec.structs.replace(found, parts=kept, networks=networks) if kept else None

    return _change("events", of)


def all_of_changes(*changes: Change) -> Change:
    """One change after another."""

    def change(history: History) -> History:
        for one in changes:
            history = one(history)
        return history

    return change


def _change(table: str, turn: Callable[[Any], Any]) -> Change:
    def change(history: History) -> History:
        own = table in ("verdicts", "tests", "events")
        rows = getattr(history, table) if own else history.outside.get(table, ())
        kept: Any = tuple(row for row in map(turn, rows) if row is not None)
        changed: dict[str, Any] = {table: kept} if own else {
            "outside": {**history.outside, table: kept}
        }  # fmt: skip
        return replace(history, **changed)

    return change


@dataclass(frozen=True)
class Story:
    """A hypothesis told: a history in which it is true, and what becomes of that history.

    *false*: histories that it should be contradicted by. *undecidable*: histories that say
    nothing, with a word of what is then said to be missing. *fields*: for each thing that its
    `evidence_needed` names, changes of the true history that alter exactly that; each must
    change the state. *confounded*: for each confounder, a history in which it alone is there.
    """

    id: str
    true: History
    false: Mapping[str, History]
    undecidable: Mapping[str, tuple[History, str]]
    fields: Mapping[str, tuple[Change, ...]]
    confounded: Mapping[str, History]
