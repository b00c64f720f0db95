"""When an event of several parts began and ended.

Rule: it began with the first of its parts and ended with the last, and which of them that
was, intervals only tell in part. What is known to within hours says when at the latest;
each part whose interval reaches further back may have been earlier, the less likely, the
more parts are known not to have been: of *n* parts in no known order each is the first with
a chance of 1/n. So the interval goes back until a twentieth of all chances is left. With that
it holds the truth nine times in ten where networks follow a list in their own time, which a
test simulates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.history.event import Interval, Part

EARLIER = 0.05  # chance that is left, as reckoned so, that it began before the interval


def whole_onset(parts: Sequence[Part]) -> Interval:
    """When the first of *parts* began."""
    return _first([p.onset for p in parts])


def whole_lift(parts: Sequence[Part]) -> Interval | None:
    """When the last of *parts* ended; None while one goes on."""
    turned = []
    for part in parts:
        if part.lift is None or part.lift.by is None:
            return None
        after = None if part.lift.after is None else -part.lift.after
        turned.append(Interval(-part.lift.by, after, part.lift.probability))
    last = _first(turned)
    return Interval(
        None if last.by is None else -last.by, None if last.after is None else -last.after,
        last.probability,
    )  # fmt: skip


def _first(changes: Sequence[Interval]) -> Interval:
    """The interval of the first of *changes*."""
    known = [i for i in changes if i.by is not None]
    first = min(known, key=lambda i: (i.by, math.inf if i.after is None else i.after))
    assert first.by is not None
    if first.after is None:
        return first
    by, low = first.by, first.after
    earlier = [i.after for i in known if i.after is not None and i.after < low]
    if not earlier:
        return first
    chance = 1 / len(known)
    # Each interval holds its change evenly. Back to where too little is left.
    edges = sorted({low, *earlier}, reverse=True)
    for edge, beyond in zip(edges, [*edges[1:], -math.inf], strict=True):
        left = _left(known, edge, chance)
        if left <= EARLIER:
            return Interval(edge, by, first.probability * (1 - left))
        here = _left(known, beyond, chance) if beyond > -math.inf else 0.0
        if here <= EARLIER and beyond > -math.inf:
            at = beyond + (edge - beyond) * (EARLIER - here) / (left - here)
            return Interval(at, by, first.probability * (1 - EARLIER))
    return Interval(edges[-1], by, first.probability)


def _left(changes: Sequence[Interval], at: float, chance: float) -> float:
    """The chance that one of *changes* was the first, and before *at*."""
    total = 0.0
    for change in changes:
        if change.after is not None and change.by is not None and change.after < at:
            total += chance * min(1.0, (at - change.after) / (change.by - change.after))
    return total
