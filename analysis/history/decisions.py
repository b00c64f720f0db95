"""Which parts are of one decision: of one target over networks, then of several targets.

Rule: a decision is carried out within days, each network in its own hour and by its own
means; so parts of one target belong together if their onsets are near, whatever the
mechanism. A network reads the whole of a list in one go; so targets belong together if they
changed within the same hours on the networks that they share. Onsets are intervals: what
may have been at the same time is not apart, and an onset that nobody saw (the first look
found it blocked) speaks for nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from analysis.history.event import Interval, Part
from analysis.history.looks import THROTTLED

HOUR = 3600.0
DAY = 86400.0
PAUSE = 3 * DAY     # clean for longer, and what comes then is another event
WEEK = 8 * DAY      # to the same hours of next week
BRIEF = 3 * DAY     # a weekend: what lasts no longer, and comes again, has its hours
SPREAD = 3.5 * DAY  # from one network to the next of a decision that spreads
LATE = 14 * DAY     # and to some few that follow late
SAME = 6 * HOUR     # two targets of one list, on one network
SHARP = 3 * DAY     # an onset known to within that can speak for or against another


@dataclass(kw_only=True)
class Course:
    """What happened to one target by one decision: *parts*, by onset. *shown* and *clean*:
    networks where it was and was not seen to happen meanwhile."""

    parts: list[Part]
    shown: frozenset[int] = frozenset()
    clean: frozenset[int] = frozenset()
    onsets: dict[int, Part] = field(init=False)

    def __post_init__(self) -> None:
        self.parts.sort(key=by_onset)
        self.onsets = {}
        for part in self.parts:
            self.onsets.setdefault(part.probe_asn, part)

    @property
    def host(self) -> str:
        return self.parts[0].host

    @property
    def slow(self) -> bool:
        """Whether it is throttling, which is decided apart from blocking."""
        return self.parts[0].mechanism == THROTTLED


def begins(part: Part) -> float:
    """The first look that shows it."""
    return part.onset.by if part.onset.by is not None else math.inf


def ends(part: Part) -> float:
    """The first clean look after it; infinite while it goes on."""
    if part.lift is None or part.lift.by is None:
        return math.inf
    return part.lift.by


def last_shown(part: Part, now: float) -> float:
    """The last look that shows it, at or before *now* (the end of the data)."""
    if part.lift is None:
        return now
    return part.lift.after if part.lift.after is not None else begins(part)


def by_onset(part: Part) -> tuple[float, str, int, str, int]:
    """Key to put parts in order of their first look, always the same order."""
    return begins(part), part.host, part.probe_asn, part.mechanism, part.resolver_asn


def apart(a: Interval, b: Interval) -> float:
    """Seconds that lie at least between two changes; 0 if they can be simultaneous."""
    low_a, high_a = _bounds(a)
    low_b, high_b = _bounds(b)
    return max(0.0, low_a - high_b, low_b - high_a)


def sharp(part: Part) -> bool:
    """Whether the onset is known well enough to speak for a common cause: to within days, or
    where it holds at some hours only, of which the hours speak too, of some weekdays."""
    low, high = _bounds(part.onset)
    return high - low <= (WEEK if part.hours else SHARP)


def courses(parts: Iterable[Part]) -> list[Course]:
    """*parts* by target and decision."""
    targets: dict[tuple[str, bool], list[Part]] = {}
    for part in parts:
        if part.onset.by is not None:
            targets.setdefault((part.host, part.mechanism == THROTTLED), []).append(part)
    return [course for _key, group in sorted(targets.items()) for course in _courses_of(group)]


def _courses_of(parts: list[Part]) -> list[Course]:
    """Waves over networks first, of onsets that are known; then what one wave is to another;
    then each part whose onset is not known, to where it fits best."""
    ordered = sorted(parts, key=by_onset)
    groups: list[list[Part]] = []
    for wave in _waves([p for p in ordered if sharp(p)]):
        follows = [group for group in groups if _follows(wave, group)]
        if follows:
            follows[-1].extend(wave)
        else:
            groups.append(wave)
    for part in [p for p in ordered if not sharp(p)]:
        fits = [(d, -i) for i, group in enumerate(groups) if (d := _fit(part, group)) is not None]
        if fits:
            groups[-min(fits)[1]].append(part)
        else:
            groups.append([part])
    return [Course(parts=group) for group in groups]


def _waves(parts: Sequence[Part]) -> list[list[Part]]:
    """*parts*, which are in order of onset, cut where for long none begins, and where one begins
    again on its network after a long pause."""
    waves: list[list[Part]] = []
    for part in parts:
        wave = waves[-1] if waves else []
        here = [p for p in wave if p.probe_asn == part.probe_asn]
        again = bool(here) and not any(_goes_on(p, part) for p in here)
        if wave and apart(part.onset, wave[-1].onset) <= SPREAD and not again:
            wave.append(part)
        else:
            waves.append([part])
    return waves


def _follows(wave: Sequence[Part], group: Sequence[Part]) -> bool:
    """Whether a later *wave* is of the decision of *group*: by other means on the same networks,
    after a short pause, or on a few networks that come late."""
    here = {p.probe_asn for p in group}
    networks = {p.probe_asn for p in wave}
    again = {
        p.probe_asn for p in wave
        if any(q.probe_asn == p.probe_asn and _goes_on(q, p) for q in group)
    }  # fmt: skip
    if again and 2 * len(again) >= len(networks):
        return True
    late = min(apart(p.onset, q.onset) for p in wave for q in group)
    lasts = any(math.isinf(ends(p)) or ends(p) >= begins(wave[0]) for p in group)
    return not networks & here and lasts and late <= LATE and 2 * len(networks) <= len(here)


def _fit(part: Part, group: Sequence[Part]) -> float | None:
    """How far *part*, whose onset is not known well, is from *group*; None if it is of another
    decision."""
    here = [other for other in group if other.probe_asn == part.probe_asn]
    if here:
        return 0.0 if any(_goes_on(other, part) for other in here) else None
    near = [
        distance for other in group
        if (distance := apart(part.onset, other.onset)) <= SPREAD and _pause(part, other) <= PAUSE
    ]  # fmt: skip
    return min(near, default=None)


def _goes_on(a: Part, b: Part) -> bool:
    """Whether two parts on one network are of one decision: with no long pause between, or
    again within a week at the same hours of the day."""
    pause = _pause(a, b)
    return pause <= PAUSE or (pause <= WEEK and _weekly(a, b))


def _weekly(a: Part, b: Part) -> bool:
    """Whether both hold for some hours: those that they have, or short and at the same time."""
    brief = [ends(p) - begins(p) <= BRIEF for p in (a, b)]
    if a.hours and b.hours:
        return not _hours_differ(a, b)
    if a.hours or b.hours:
        return brief[0] if b.hours else brief[1]
    moved = abs(begins(a) - begins(b)) % DAY
    return all(brief) and a.mechanism == b.mechanism and min(moved, DAY - moved) <= SAME


def _pause(a: Part, b: Part) -> float:
    """How long it was seen clean between the two, one of which is over before the other."""
    first, second = (a, b) if by_onset(a) <= by_onset(b) else (b, a)
    clean = second.onset.after if second.onset.after is not None else begins(second)
    return max(0.0, clean - ends(first))


def decisions(found: Sequence[Course]) -> list[list[Course]]:
    """*found*, together where it was one decision."""
    groups: list[list[Course]] = []
    index: dict[tuple[bool, int, int], set[int]] = {}
    for course in sorted(found, key=lambda c: (begins(c.parts[0]), c.host)):
        near: set[int] = set()
        for key in _keys(course):
            near |= index.get(key, set())
        fits = [
            (score, -i)
            for i in sorted(near)
            if (score := max(agreement(course, other) for other in groups[i])) > 0
        ]
        if fits:
            chosen = -max(fits)[1]
            groups[chosen].append(course)
        else:
            chosen = len(groups)
            groups.append([course])
        for key in _keys(course):
            index.setdefault(key, set()).add(chosen)
    return groups


def agreement(a: Course, b: Course) -> int:
    """Networks on which the two targets changed together, less those on which they did not;
    0 or less if nothing tells that it was one decision."""
    if a.slow != b.slow:
        return 0
    told = against = 0
    for asn, part in a.onsets.items():
        other = b.onsets.get(asn)
        if other is None:
            against += asn in b.clean
        elif apart(part.onset, other.onset) > SAME or _hours_differ(part, other):
            against += 1
        elif sharp(part) and sharp(other):
            told += 1
    against += sum(asn in a.clean for asn in b.onsets if asn not in a.onsets)
    return told - against if told else 0


def _hours_differ(a: Part, b: Part) -> bool:
    """Whether both hold at some hours of the day only, and mostly not at the same."""
    one, two = set(a.hours), set(b.hours)
    return bool(one and two) and 2 * len(one & two) < len(one | two)


def _keys(course: Course) -> set[tuple[bool, int, int]]:
    """Where to look for what began at the same time: networks and days, with the next."""
    keys = set()
    for asn, part in course.onsets.items():
        if sharp(part):
            low, high = _bounds(part.onset)
            for day in range(int((low - SAME) // DAY), int((high + SAME) // DAY) + 1):
                keys.add((course.slow, asn, day))
    return keys


def _bounds(interval: Interval) -> tuple[float, float]:
    low = -math.inf if interval.after is None else interval.after
    return low, math.inf if interval.by is None else interval.by
