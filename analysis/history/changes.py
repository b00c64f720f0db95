"""Changes: from the verdict table to what began and ended in each series.

`parts` is the whole of it: the engine finds and counts (`changes_looks`), a sequential test
finds episodes (`changes_detect`), what comes and goes is explained (`changes_patterns`), a
posterior dates the ends (`changes_interval`). What several parts are together is said in
`analysis.history.events`. The method, its constants and their sources: docs/changes.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec
import numpy as np
from ibis.expr.types import Table  # type: ignore[import-untyped]  # Ibis ships no types

from analysis.history import changes_looks, changes_patterns
from analysis.history.changes_detect import Constants, Episode, episodes, error_rate, share
from analysis.history.changes_interval import interval
from analysis.history.changes_mechanism import Stretch, stretches
from analysis.history.changes_patterns import Pattern
from analysis.history.changes_series import Floats, Ints, Series
from analysis.history.changes_strata import strata
from analysis.history.event import Interval, Part

CONSTANTS = Constants()
WINDOW = 400      # looks on either side of a change that can move it
EVIDENCE = 12     # measurements that a part names
DAY = 86400.0
DOUBT = 8.0       # log odds against a block in a series, before anything is seen


class Explained(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """An episode of *s*, which are the looks where its pattern holds. *before*, *after*:
    numbers of looks between which nothing else was found. *counted*: looks that its share is
    of. *alerted*: when it was first told, POSIX seconds."""

    s: Series
    counted: Series
    episode: Episode
    before: int
    after: int
    alerted: float
    hours: tuple[int, ...] = ()
    some_ips: bool = False


def parts(
    rows: Table, *, until: float | None = None, constants: Constants = CONSTANTS
) -> tuple[Part, ...]:
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
    whole = list(_explained(s, s, c, ()))
    for explained in whole:
        yield from _parts(explained, c)
    known = [(float(e.s.at[e.episode.onset]), _end(e)) for e in whole]
    for stratum, clear in strata(s, known, c):
        for explained in _explained(stratum, stratum, c, ("kind", "region")):
            told = max(explained.alerted, _first_told(explained, clear))
            yield from _parts(msgspec.structs.replace(explained, alerted=told), c)


def _explained(
    s: Series, counted: Series, c: Constants, used: tuple[str, ...],
    hours: tuple[int, ...] = (), some_ips: bool = False,
) -> Iterator[Explained]:  # fmt: skip
    """The episodes of *s*, each in the simplest way that explains it and its neighbours."""
    together = list(changes_patterns.groups(s, episodes(s, c)))
    for i, group in enumerate(together):
        before = (together[i - 1][-1].lift or 0) if i else 0
        after = together[i + 1][0].onset if i + 1 < len(together) else len(s)
        told = [float(s.at[e.alarm]) for e in group]
        simplest = changes_patterns.simplest(s, group, c, used)
        if isinstance(simplest, Pattern):
            within = list(
                _within(s, counted, simplest, slice(before, after), c, used, hours, some_ips)
            )
            if within:
                for found in within:
                    yield msgspec.structs.replace(found, alerted=_first_told(found, told))
                continue
            simplest = changes_patterns.merged(s, group, c)
        for j, e in enumerate(simplest):
            yield Explained(
                s=s, counted=counted, episode=e,
                before=(simplest[j - 1].lift or 0) if j else before,
                after=simplest[j + 1].onset if j + 1 < len(simplest) else after,
                alerted=float(s.at[e.alarm]), hours=hours, some_ips=some_ips,
            )  # fmt: skip


def _within(
    s: Series, counted: Series, pattern: Pattern, here: slice, c: Constants,
    used: tuple[str, ...], hours: tuple[int, ...], some_ips: bool,
) -> Iterator[Explained]:  # fmt: skip
    """The episodes where *pattern* holds, between two others."""
    at = np.arange(len(s))
    picked = s.only(at[pattern.holds & (at >= here.start) & (at < here.stop)])
    base = s.only(at[here]) if pattern.by == "ips" else picked
    yield from _explained(
        picked, base, c, (*used, pattern.by), pattern.hours or hours,
        some_ips or pattern.by == "ips",
    )  # fmt: skip


def _first_told(e: Explained, told: list[float]) -> float:
    """Who does not know the pattern yet is told by the first episode after the onset."""
    onset = float(e.s.at[e.episode.onset])
    return min((t for t in told if t >= onset), default=e.alerted)


def _end(e: Explained) -> float:
    lift = e.episode.lift
    return math.inf if lift is None else float(e.s.at[lift])


def _parts(e: Explained, c: Constants) -> Iterator[Part]:
    end = len(e.s) if e.episode.lift is None else e.episode.lift
    yield from (_part(e, stretch, c) for stretch in stretches(e.s, e.episode.onset, end))


def _part(e: Explained, stretch: Stretch, c: Constants) -> Part:
    s, episode = e.s, e.episode
    end = len(s) if episode.lift is None else episode.lift
    during = slice(stretch.first, stretch.end)
    blocked, clean = float(s.for_[during].sum()), float(s.against[during].sum())
    q = share(blocked, clean, c)
    earlier = slice(e.before, episode.onset)
    alpha = error_rate(
        float(s.for_[earlier].sum()), float((s.for_ + s.against)[earlier].sum()), c
    )
    on = s.for_ * math.log(q) + s.against * math.log(1 - q)
    off = s.for_ * math.log(alpha) + s.against * math.log(1 - alpha)
    hit = np.flatnonzero(s.for_[during] > 0) + during.start
    low = max(e.before, episode.onset - WINDOW)
    onset = stretch.onset or _between(s, low, min(end, episode.onset + WINDOW), off, on)
    lift, told = stretch.lift, stretch.lift_told
    if lift is None and episode.lift is not None and episode.lift_alarm is not None:
        low, high = max(episode.onset, episode.lift - WINDOW), min(e.after, episode.lift + WINDOW)
        lift, told = _between(s, low, high, on, off), float(s.at[episode.lift_alarm])
    counted = e.counted
    inside = (counted.at >= s.at[during.start]) & (counted.at <= s.at[during.stop - 1])
    measured = int(inside.sum())
    return Part(
        host=s.host,
        mechanism=stretch.mechanism,
        probe_asn=s.probe_asn,
        resolver_asn=s.resolver_asn,
        network_type=_only(s.kinds, s.kind[hit]),
        region=_only(s.regions, s.region[hit]),
        onset=onset,
        lift=lift,
        blocked=int(s.met[during].sum()),
        measured=measured,
        probes=len(np.unique(s.probe[hit])),
        share=round(int(counted.met[inside].sum()) / measured, 4),
        hours=e.hours,
        ips=tuple(s.ips[i] for i in np.unique(s.ip[hit]) if s.ips[i]) if e.some_ips else (),
        probability=_probability(on[during] - off[during], s.at[hit]),
        evidence=tuple(s.evidence[i] for i in hit[:EVIDENCE]),
        alerted_at=stretch.told if stretch.told is not None else e.alerted,
        lift_alerted_at=told,
    )


def _between(s: Series, low: int, high: int, before: Floats, after: Floats) -> Interval:
    here = slice(low, high)
    return interval(
        s.at[here], before[here], after[here], open_start=low == 0
    )


def _probability(gain: Floats, met: Floats) -> float:
    """That something interfered at all: odds before, times the likelihood ratio of all looks
    of the episode. And after *n* days on which it was met not surer than Laplace's rule of
    succession says: errors come in spells too, of hours and of a whole network."""
    odds = float(gain.sum()) - DOUBT
    sure = 1 / (1 + math.exp(-max(-40.0, min(40.0, odds))))
    days = len(np.unique(met // DAY))
    return round(min(sure, (days + 1) / (days + 2)), 4)


def _only(names: tuple[str, ...], numbers: Ints) -> str:
    found = np.unique(numbers)
    return names[int(found[0])] if len(found) == 1 else ""


def _order(part: Part) -> tuple[float, str, int, int, str]:
    by = part.onset.by
    return (by if by is not None else math.inf, part.host, part.probe_asn, part.resolver_asn,
            part.mechanism)  # fmt: skip
