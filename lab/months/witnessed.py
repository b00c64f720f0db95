"""The truth, with how much of it the rows show: nobody can find what nobody measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from lab.months.probes import DAY, HOUR, Probe
from lab.months.rows import Rows
from lab.months.targets import Target
from lab.months.truth import TrueEvent, TruePart

SOON = 2 * DAY  # over which is counted how often it was measured after the onset


def witnessed(
    events: Iterable[TrueEvent], rows: Rows, probes: Sequence[Probe], targets: Sequence[Target],
    begin: float,
) -> tuple[TrueEvent, ...]:  # fmt: skip
    """*events* with what the rows show of them, counted after all noise."""
    names = [t.host for t in targets]
    asns = np.array([p.asn for p in probes])
    telling = _telling(rows)
    return tuple(_one(e, rows, asns, names, telling, begin) for e in events)


def _telling(rows: Rows) -> Any:
    """Rows that still carry their event: neither missed nor drowned in a volunteer's fault."""
    gone = rows.outcome_is("inconclusive") & ~rows.shape_is("inconclusive:shutdown")
    faults = rows.outcome_is("local_fault") & ~rows.shape_is("local_fault:beyond")
    missed = rows.shape_is("ok:https") | rows.shape_is("ok:http")
    return (rows.event >= 0) & ~rows.dropped & ~gone & ~faults & ~missed


def _one(
    event: TrueEvent, rows: Rows, asns: Any, names: list[str], telling: Any, begin: float
) -> TrueEvent:
    # A network's silence is what an outage shows.
    silent = rows.dropped if event.kind in ("outage", "shutdown") else False
    mine = np.flatnonzero((rows.event == event.number) & (telling | silent))
    cells: dict[tuple[str, int], Any] = {}
    parts = {(p.host, p.asn): p for p in event.parts}
    for key, at in _by_cell(mine, rows, asns, names):
        if key in parts:
            cells[key] = at
    counted = tuple(
        _part(part, rows, asns, names, cells.get(key), begin) for key, part in parts.items()
    )
    first = begin + float(rows.t[mine].min()) if mine.size else None
    return msgspec.structs.replace(
        event,
        parts=counted,
        shown=int(mine.size),
        probes=int(np.unique(rows.probe[mine]).size),
        first=first,
        hourly=max((p.hourly for p in counted), default=_hourly(event, rows, names, begin)),
    )


def _by_cell(at: Any, rows: Rows, asns: Any, names: list[str]) -> list[tuple[tuple[str, int], Any]]:
    if not at.size:
        return []
    asn, target = asns[rows.probe[at]], rows.target[at]
    key = asn.astype(np.int64) * len(names) + target
    order = np.argsort(key, kind="stable")
    cuts = np.flatnonzero(np.diff(key[order])) + 1
    groups = np.split(at[order], cuts)
    return [((names[rows.target[g[0]]], int(asns[rows.probe[g[0]]])), g) for g in groups]


def _part(
    part: TruePart, rows: Rows, asns: Any, names: list[str], shown: Any, begin: float
) -> TruePart:
    at = rows.of(names.index(part.host))
    at = at[(asns[rows.probe[at]] == part.asn) & ~rows.dropped[at]]
    t = begin + rows.t[at]
    during = (t >= part.onset) & (t < part.lift)
    soon = during & (t < part.onset + SOON)
    return msgspec.structs.replace(
        part,
        measured=int(during.sum()),
        shown=0 if shown is None else int(shown.size),
        first=None if shown is None else begin + float(rows.t[shown].min()),
        hourly=float(soon.sum()) / (SOON / HOUR),
    )


def _hourly(event: TrueEvent, rows: Rows, names: list[str], begin: float) -> float:
    """Of an event without parts: rows an hour, of its most measured target."""
    targets = [names.index(h) for h in event.targets] or [0]
    soon = 0
    for target in targets[:3]:
        t = begin + rows.t[rows.of(target)]
        soon = max(soon, int(((t >= event.onset) & (t < event.onset + SOON)).sum()))
    return soon / (SOON / HOUR)
