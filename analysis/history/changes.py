"""Changes: from the verdict table to what began and ended in each series.

`parts` is the whole of it: the engine finds and counts (`changes_looks`), a sequential test
finds episodes (`changes_detect`), a posterior dates their ends (`changes_interval`). What several
parts are together is said in `analysis.history.events`. The method, its constants and their
sources: docs/changes.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from ibis.expr.types import Table  # type: ignore[import-untyped]  # Ibis ships no types

from analysis.history import changes_looks
from analysis.history.changes_detect import Constants, Episode, episodes, error_rate, share
from analysis.history.changes_interval import interval
from analysis.history.changes_looks import Floats, Ints, Series
from analysis.history.event import Interval, Part

CONSTANTS = Constants()
WINDOW = 400      # looks on either side of a change that can move it
EVIDENCE = 12     # measurements that a part names
SHARE = 8.0       # log odds against a block in a series, before anything is seen


def parts(rows: Table, *, until: float | None = None, constants: Constants = CONSTANTS) -> (
    tuple[Part, ...]
):  # fmt: skip
    """What was blocked, in each series of the verdict table *rows* (an Ibis table with the
    columns of `VerdictRow`), by onset, host and network.

    *until*: as if run then, POSIX seconds; later rows are left out.
    """
    found = [
        part
        for series in changes_looks.series(rows, until=until)
        for part in of_series(series, constants)
    ]
    return tuple(sorted(found, key=_order))


def of_series(s: Series, c: Constants = CONSTANTS) -> Iterator[Part]:
    """The parts that one series shows."""
    found = episodes(s, c)
    for i, episode in enumerate(found):
        before = found[i - 1].lift or 0 if i else 0
        after = found[i + 1].onset if i + 1 < len(found) else len(s)
        yield _part(s, episode, before, after, c)


def _part(s: Series, e: Episode, before: int, after: int, c: Constants) -> Part:
    end = len(s) if e.lift is None else e.lift
    during = slice(e.onset, end)
    blocked, clean = float(s.for_[during].sum()), float(s.against[during].sum())
    q = share(blocked, clean, c)
    earlier = slice(before, e.onset)
    alpha = error_rate(
        float(s.for_[earlier].sum()), float((s.for_ + s.against)[earlier].sum()), c
    )
    on = s.for_ * math.log(q) + s.against * math.log(1 - q)
    off = s.for_ * math.log(alpha) + s.against * math.log(1 - alpha)
    hit = np.flatnonzero(s.for_[during] > 0) + e.onset
    weight = np.bincount(s.mechanism[hit], weights=s.for_[hit], minlength=len(s.mechanisms))
    return Part(
        host=s.host,
        mechanism=s.mechanisms[int(weight.argmax())],
        probe_asn=s.probe_asn,
        resolver_asn=s.resolver_asn,
        network_type=_only(s.kinds, s.kind[hit]),
        region=_only(s.regions, s.region[hit]),
        onset=_between(s, max(before, e.onset - WINDOW), min(end, e.onset + WINDOW), off, on),
        lift=None
        if e.lift is None
        else _between(s, max(e.onset, e.lift - WINDOW), min(after, e.lift + WINDOW), on, off),
        blocked=int(s.blocked[during].sum()),
        measured=int(s.seen[during].sum()),
        probes=len(np.unique(s.probe[hit])),
        share=round(float(s.blocked[during].sum() / s.seen[during].sum()), 4),
        ips=tuple(s.ips[i] for i in np.unique(s.ip[hit]) if s.ips[i]),
        probability=_probability(s, during, on - off, len(hit)),
        evidence=tuple(s.evidence[i] for i in hit[:EVIDENCE]),
        alerted_at=float(s.last[e.alarm]),
        lift_alerted_at=None if e.lift_alarm is None else float(s.last[e.lift_alarm]),
    )


def _between(s: Series, low: int, high: int, before: Floats, after: Floats) -> Interval:
    here = slice(low, high)
    return interval(
        s.first[here], s.last[here], before[here], after[here], open_start=low == 0
    )


def _probability(s: Series, during: slice, gain: Floats, hits: int) -> float:
    """That something interfered at all: odds before, times the likelihood ratio of all looks
    of the episode; and after *n* looks not surer than Laplace's rule of succession says."""
    odds = float(gain[during].sum()) - SHARE
    sure = 1 / (1 + math.exp(-max(-40.0, min(40.0, odds))))
    return round(min(sure, (hits + 1) / (hits + 2)), 4)


def _only(names: tuple[str, ...], numbers: Ints) -> str:
    found = np.unique(numbers)
    return names[int(found[0])] if len(found) == 1 else ""


def _order(part: Part) -> tuple[float, str, int, int, str]:
    by = part.onset.by
    return (by if by is not None else math.inf, part.host, part.probe_asn, part.resolver_asn,
            part.mechanism)  # fmt: skip
