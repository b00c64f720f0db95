"""Spells: when a series of looks is in another state than usual, from when until when.

Rule: each look adds its log likelihood ratio of "in it" against "as usual"; entering and
leaving a spell have a price, which keeps single odd looks from being one. The cheapest way
through the two states (Viterbi 1967) is what Page's cumulative sum (Biometrika 1954) gives
with a restart, and tells the end as well as the beginning. Time without looks adds nothing:
silence neither begins a spell nor ends it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from analysis.history.event import Interval

ENTER = math.log(2000)  # one look in two thousand begins a spell
LEAVE = math.log(50)    # and one in fifty ends it
HOLDS = 0.95            # probability that an interval is to reach
RAGGED = 6 * 3600.0     # a change may be ragged at its edges: hits so near it belong to it


class Look(NamedTuple):
    """Some measurements close in time, and their log likelihood ratio (*odds*, in nats) of being
    in a spell. Times (POSIX seconds) of the first and last of them that show it (a *hit*) and
    of those that do not (a *miss*); None where there is none."""

    odds: float
    first_hit: float | None = None
    last_hit: float | None = None
    first_miss: float | None = None
    last_miss: float | None = None


class Spell(NamedTuple):
    """*begin* and *end*: indices of the first and the last look in it. *lift* is None where
    no look after it is as usual. *odds*: of it all, the price paid."""

    begin: int
    end: int
    onset: Interval
    lift: Interval | None
    odds: float

    @property
    def probability(self) -> float:
        """That it is one."""
        return certainty(self.odds)


def certainty(odds: float) -> float:
    """The probability of log *odds*."""
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, odds))))


def binomial(hits: int, misses: int, usual: float, spell: float) -> float:
    """Log likelihood ratio of *hits* and *misses*, at the rates *usual* and *spell* of hits."""
    return hits * math.log(spell / usual) + misses * math.log((1 - spell) / (1 - usual))


def spells(looks: Sequence[Look], enter: float = ENTER, leave: float = LEAVE) -> list[Spell]:
    """All spells in *looks*, which are in order of time."""
    inside = _path([look.odds for look in looks], enter, leave)
    found = []
    begin = None
    for i in range(len(looks) + 1):
        now = i < len(looks) and inside[i]
        if now and begin is None:
            begin = i
        elif not now and begin is not None:
            found.append(_spell(looks, begin, i - 1, enter, leave))
            begin = None
    return found


def _path(odds: Sequence[float], enter: float, leave: float) -> list[bool]:
    """Which of the looks are in a spell, on the way of the greatest sum."""
    out, in_ = 0.0, -enter
    came: list[tuple[bool, bool]] = []  # for each look: was it inside before, if out, if in
    for i, gain in enumerate(odds):
        first = i == 0
        from_in = not first and in_ - leave > out
        stayed = first or in_ >= out - enter
        out, in_ = (
            (in_ - leave if from_in else out),
            (in_ if stayed else out - enter) + gain,
        )
        came.append((from_in, stayed))
    state = in_ > out
    path = []
    for from_in, stayed in reversed(came):
        path.append(state)
        state = stayed if state else from_in
    return path[::-1]


def _spell(looks: Sequence[Look], begin: int, end: int, enter: float, leave: float) -> Spell:
    odds = sum(look.odds for look in looks[begin : end + 1]) - enter
    low, high, held = _change(looks, begin, 0, end, 1)
    by = _first(look.first_hit for look in looks[high:])
    low = _ragged([look.last_hit for look in looks[:low]], by)
    onset = Interval(_first(look.last_miss for look in reversed(looks[:low])), by, held)
    lift = None
    if end + 1 < len(looks):
        odds -= leave
        low, high, held = _change(looks, end + 1, begin + 1, len(looks) - 1, -1)
        after = _first(look.last_hit for look in reversed(looks[:low]))
        behind = [look.first_hit for look in reversed(looks[high:])]
        high = len(looks) - _ragged(behind, after)
        lift = Interval(after, _first(look.first_miss for look in looks[high:]), held)
    return Spell(begin, end, onset, lift, odds)


def _first(times: Iterable[float | None]) -> float | None:
    return next((time for time in times if time is not None), None)


def _ragged(hits: Sequence[float | None], edge: float | None) -> int:
    """How many looks there are before the first whose hit is near the *edge*."""
    for i in range(len(hits)):
        hit = hits[i]
        if hit is not None and edge is not None and abs(hit - edge) <= RAGGED:
            return i
    return len(hits)


def _change(
    looks: Sequence[Look], at: int, low: int, high: int, sign: int
) -> tuple[int, int, float]:
    """The change before look *at*: first and last of the fewest neighbouring positions, of those
    from *low* to *high*, that hold it with `HOLDS`, and how surely they do. *sign* is 1 where
    the spell comes after the change."""
    weight = {at: 0.0}
    total = 0.0
    for i in range(at - 1, low - 1, -1):
        total += sign * looks[i].odds
        if total < -20:
            break
        weight[i] = total
    total = 0.0
    for i in range(at, high):
        total -= sign * looks[i].odds
        if total < -20:
            break
        weight[i + 1] = total
    top = max(weight.values())
    share = {i: math.exp(w - top) for i, w in weight.items()}
    whole = sum(share.values())
    first = last = at
    held = share[at]
    while held < HOLDS * whole:
        before, behind = share.get(first - 1, 0.0), share.get(last + 1, 0.0)
        if before == behind == 0.0:
            break
        if before >= behind:
            first, held = first - 1, held + before
        else:
            last, held = last + 1, held + behind
    return first, last, min(1.0, held / whole)
