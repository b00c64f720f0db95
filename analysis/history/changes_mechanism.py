"""One block, one mechanism after another: where within an episode the mechanism shifts.

Rule: an episode is of one class (a layer), and its mechanism may change while it lasts: a
silence that becomes a reset, a redirect that becomes a page. It is cut where two shares of
mechanisms are likelier than one by more than the price of a cut, and each stretch is a part of
its own, the lift of one being the onset of the next: how a target is blocked is what tells who
blocks it, so a shift is dated like an onset. Between classes no cut is needed: they are
series of their own, of which one begins as the other ends.
"""

from __future__ import annotations

from itertools import pairwise

import msgspec
import numpy as np

from analysis.history.changes_series import Floats, Ints, Series
from analysis.history.event import Interval

CUT = 12.0    # log likelihood ratio that a shift takes, as an onset does
MOST = 8      # stretches of one episode
SMOOTH = 0.05  # of a mechanism that is met now and then beside another


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """Looks from *first* until before *end*. *onset*, *lift*: of the shift, None at the ends
    of the episode; *told*, *lift_told*: when the shift was clear, POSIX seconds."""

    mechanism: str
    first: int
    end: int
    onset: Interval | None = None
    lift: Interval | None = None
    told: float | None = None
    lift_told: float | None = None


def stretches(s: Series, first: int, end: int) -> list[Stretch]:
    """The looks from *first* until before *end*, cut where the mechanism shifts."""
    hit = np.flatnonzero(s.for_[first:end] > 0) + first
    number, weight = s.mechanism[hit], s.for_[hit]
    cuts = sorted(_cuts(number, weight, len(s.mechanisms), MOST))
    bounds = [0, *cuts, len(hit)]
    found: list[Stretch] = []
    for low, high in pairwise(bounds):
        counted = np.bincount(number[low:high], weights=weight[low:high])
        shift = _shift(s, hit, low) if low else None
        told = float(s.at[hit[min(low + 3, len(hit) - 1)]]) if low else None
        if found:
            found[-1] = msgspec.structs.replace(found[-1], lift=shift, lift_told=told)
        found.append(
            Stretch(
                mechanism=s.mechanisms[int(counted.argmax())],
                first=int(hit[low]) if low else first,
                end=int(hit[high]) if high < len(hit) else end,
                onset=shift,
                told=told,
            )
        )
    return found


def _shift(s: Series, hit: Ints, at: int) -> Interval:
    return Interval(after=float(s.at[hit[at - 1]]), by=float(s.at[hit[at]]), probability=0.95)


def _cuts(number: Ints, weight: Floats, kinds: int, most: int) -> list[int]:
    """Where to cut, the best first; each side is then looked at for itself."""
    n = len(number)
    if n < 4 or most < 2 or len(np.unique(number)) < 2:
        return []
    each = np.zeros((n + 1, kinds))
    each[np.arange(1, n + 1), number] = weight
    head = np.cumsum(each, axis=0)
    gain = _likely(head[1:-1]) + _likely(head[-1] - head[1:-1]) - _likely(head[-1:])
    at = int(gain.argmax())
    first, second = head[at + 1].argmax(), (head[-1] - head[at + 1]).argmax()
    if gain[at] < CUT or first == second:
        return []
    cut = at + 1
    left = _cuts(number[:cut], weight[:cut], kinds, most // 2)
    right = _cuts(number[cut:], weight[cut:], kinds, most // 2)
    return [*left, cut, *(cut + r for r in right)]


def _likely(counts: Floats) -> Floats:
    """Log likelihood of categories at their own shares, each row for itself."""
    smooth = counts + SMOOTH
    shares = smooth / smooth.sum(axis=-1, keepdims=True)
    result: Floats = (counts * np.log(shares)).sum(axis=-1)
    return result
