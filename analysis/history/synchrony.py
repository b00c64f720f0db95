"""In what order networks changed, and whether they did at once.

Rule: a switch at one place changes all networks behind it in one moment; a list is followed
by each operator in its own time. Onsets are intervals, so that of both only is said what the
intervals exclude, or what chance would hardly make of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from analysis.history.decisions import by_onset
from analysis.history.event import Interval, Part

HOUR = 3600.0
SYNCHRONOUS = 3 * HOUR  # what one switch does, seen by hourly looks
LAG = 24 * HOUR         # that operators differ by where each follows a list in its own time
CHANCE = 0.05           # that they change at once all the same
SAME_MEANS = 0.5        # chance that operators who each decide use the same means


def order_of(
    parts: Sequence[Part], shown: Sequence[int]
) -> tuple[tuple[int, ...], float | None]:
    """Networks by onset, and the seconds between the first and the last of them.

    The time between is that of the middles, if these tell: some exclude one another, or those
    known to within hours lie within few hours.
    """
    onsets = _tightest({(p.probe_asn, p.onset) for p in parts if p.probe_asn in shown})
    order = dict.fromkeys(p.probe_asn for p in sorted(parts, key=by_onset) if p.probe_asn in onsets)
    known = [(i.after, i.by) for i in onsets.values() if i.after is not None and i.by is not None]
    sharp = [(after, by) for after, by in known if by - after <= 2 * SYNCHRONOUS]
    if len(sharp) < 2:
        return tuple(order), None
    least = max(after for after, _by in known) - min(by for _after, by in known)
    most = max(by for _after, by in sharp) - min(after for after, _by in sharp)
    if least <= 0 and most > 2 * SYNCHRONOUS:
        return tuple(order), None
    middles = [(after + by) / 2 for after, by in (sharp if least <= SYNCHRONOUS else known)]
    return tuple(order), max(middles) - min(middles)


def at_once(parts: Sequence[Part], shown: Sequence[int]) -> bool:
    """Whether all networks changed at once: but for few hours all onsets have a moment in
    common, and they would not by chance if each network followed in its own time (`LAG`).

    Lifts that have one too speak for it, and so does that all use the same means.
    """
    here = [p for p in parts if p.probe_asn in shown]
    chance = _chance(_tightest({(p.probe_asn, p.onset) for p in here}))
    lifts = {(p.probe_asn, p.lift) for p in here if p.lift is not None}
    if all(p.lift is not None for p in here):
        chance *= min(1.0, _chance(_tightest(lifts)))
    if len({p.mechanism for p in here}) == 1:
        chance *= SAME_MEANS
    return chance <= CHANCE


def _chance(changes: Mapping[int, Interval]) -> float:
    """The chance that changes of networks which follow in their own time are seen to have a
    moment in common; more than 1 if they have none."""
    known = [(i.after, i.by) for i in changes.values() if i.after is not None and i.by is not None]
    if len(known) < 2 or max(a for a, _by in known) - min(by for _a, by in known) > SYNCHRONOUS:
        return math.inf
    widths = sorted(max(HOUR, by - after) for after, by in known)
    return math.prod(width / (width + LAG) for width in widths[1:])


def _tightest(changes: Iterable[tuple[int, Interval]]) -> dict[int, Interval]:
    """By network the change that is known best, of the earliest that may be the same."""
    found: dict[int, Interval] = {}
    for asn, change in sorted(changes, key=lambda c: (c[0], c[1].by or 0.0, c[1].after or 0.0)):
        best = found.get(asn)
        if best is None:
            found[asn] = change
        elif (
            best.by is not None and change.after is not None and change.after < best.by
            and (best.after is None or change.after > best.after)
        ):  # fmt: skip
            found[asn] = Interval(change.after, best.by, min(best.probability, change.probability))
    return found
