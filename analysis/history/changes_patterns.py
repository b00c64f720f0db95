"""Blocks that hold for a part: some hours of the day, some addresses, one kind of access.

Rule: what comes and goes is explained in the simplest way that the looks allow. Episodes of one
series that follow each other within days are either as many blocks, or one block with a
share, or one block that holds always and only where a pattern says: at some hours, at some of
the addresses, for mobile access, in a region. The explanations are compared by their likelihood
with a price for each thing that they leave free (as in Schwarz 1978, in the form of a prior:
every hour, weekday, address and moment of change has to be named). A pattern that wins is
applied: only looks where it holds are evidence for or against the block, so that a clean
night is no lift of what holds while there is school.

Hours are the day's, UTC.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from analysis.history.changes_detect import Constants, Episode
from analysis.history.changes_series import Floats, Ints, Series

DAY, HOUR = 86400.0, 3600.0
NEAR = 8 * DAY        # pause within which episodes may be one: what comes weekly is one thing
FEWEST_DAYS = 3       # on which a pattern of hours was met
MOST_HOURS = 20       # of a day, of a block that holds at some of them
PRICE_OF_CHANGE = 6.0  # of a moment of change: one of some hundred looks
PRICE_OF_HOURS = math.log(24 * 23)
PRICE_OF_DAYS = 7 * math.log(2)
PRICE_OF_NAME = math.log(2)  # of an address, a region or a kind that it holds for, or not
WEEKDAY_OF_EPOCH = 3  # 1970-01-01 was a Thursday; Monday is 0

LEAST = 1e-9  # of a share: nothing is impossible

Mask = NDArray[np.bool_]


class Pattern(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """*holds*: for each look of the series, whether the block would be met in it."""

    by: Literal["hours", "ips", "kind", "region"]
    holds: Mask
    hours: tuple[int, ...] = ()


def groups(s: Series, found: Sequence[Episode]) -> Iterator[list[Episode]]:
    """Episodes that follow each other soon, together."""
    together: list[Episode] = []
    for episode in found:
        if together:
            lift = together[-1].lift
            assert lift is not None
            if s.at[episode.onset] - s.at[lift] > NEAR:
                yield together
                together = []
        together.append(episode)
    if together:
        yield together


def simplest(
    s: Series, group: Sequence[Episode], c: Constants, used: Sequence[str] = ()
) -> Pattern | list[Episode]:
    """The best explanation of *group*: a pattern, or episodes, as many or fewer.

    *used*: kinds of pattern that were applied already.
    """
    joined = merged(s, group, c)
    low, high = group[0].onset, group[-1].lift or len(s)
    here = s.only(np.arange(low, high))
    plain = _several(s, joined, c)
    best: tuple[float, Pattern] | None = None
    for price, pattern in _patterns(here, s):
        if pattern.by in used:
            continue
        held = pattern.holds[low:high]
        likely = _bernoulli(here, held) + _clean(here, ~held, c) - price
        if likely > plain and (best is None or likely > best[0]):
            best = likely, pattern
    return best[1] if best else joined


def merged(s: Series, group: Sequence[Episode], c: Constants) -> list[Episode]:
    """Neighbours made one where two are no better an explanation, the best first."""
    found = list(group)
    while len(found) > 1:
        gains = [
            _several(s, [_joined(a, b)], c) - _several(s, [a, b], c)
            for a, b in pairwise(found)
        ]
        at = int(np.argmax(gains))
        if gains[at] < 0:
            return found
        found[at : at + 2] = [_joined(found[at], found[at + 1])]
    return found


def _joined(a: Episode, b: Episode) -> Episode:
    return Episode(onset=a.onset, alarm=a.alarm, lift=b.lift, lift_alarm=b.lift_alarm)


def _several(s: Series, found: Sequence[Episode], c: Constants) -> float:
    """Log likelihood of what lies between the first onset and the last lift, less its price."""
    total = -2 * PRICE_OF_CHANGE * (len(found) - 1)
    for i, episode in enumerate(found):
        end = len(s) if episode.lift is None else episode.lift
        during = slice(episode.onset, end)
        total += _trials(float(s.for_[during].sum()), float(s.against[during].sum()))
        if i + 1 < len(found):
            between = slice(end, found[i + 1].onset)
            total += _misses(float(s.for_[between].sum()), float(s.against[between].sum()), c)
    return total


def _patterns(here: Series, s: Series) -> Iterator[tuple[float, Pattern]]:
    yield from _hours(here, s)
    yield from _named("ips", here, here.ip, here.ips, s.ip)
    yield from _named("kind", here, here.kind, here.kinds, s.kind)
    yield from _named("region", here, here.region, here.regions, s.region)
    yield from _hours_of_some(here, s)


def _hours_of_some(here: Series, s: Series) -> Iterator[tuple[float, Pattern]]:
    """Some hours, and only on that kind of access or in that region where it is mostly met."""
    for number, names, all_ in (
        (here.kind, here.kinds, s.kind), (here.region, here.regions, s.region),
    ):  # fmt: skip
        for_ = np.bincount(number, weights=here.for_, minlength=len(names))
        i = int(for_.argmax())
        if not names[i] or (number == i).all():
            continue
        for price, pattern in _hours(here.only(number == i), s):
            holds = pattern.holds & (all_ == i)
            price += PRICE_OF_NAME * len(names)
            yield price, Pattern(by="hours", holds=holds, hours=pattern.hours)


def _named(
    by: Literal["ips", "kind", "region"], here: Series, number: Ints, names: tuple[str, ...],
    all_: Ints,
) -> Iterator[tuple[float, Pattern]]:  # fmt: skip
    """The names at which it is mostly met, against those at which it is not."""
    for_ = np.bincount(number, weights=here.for_, minlength=len(names))
    against = np.bincount(number, weights=here.against, minlength=len(names))
    met = for_ > against
    unnamed = np.array([name == "" for name in names])
    asked = (for_ + against > 0) & ~unnamed
    if met[asked].any() and not met[asked].all():
        # What has no name may hold or not; what was not asked in this time neither.
        holds = met[all_] & asked[all_]
        yield PRICE_OF_NAME * float(asked.sum()), Pattern(by=by, holds=holds)


def _hours(here: Series, s: Series) -> Iterator[tuple[float, Pattern]]:
    """The stretch of the day, on all days or on some of the week, that fits best."""
    day = (here.at // DAY).astype(np.int64)
    if len(np.unique(day[here.for_ > 0])) < FEWEST_DAYS:
        return
    hour = ((here.at % DAY) // HOUR).astype(np.int64)
    for_ = np.bincount(hour, weights=here.for_, minlength=24).astype(np.float64)
    against = np.bincount(hour, weights=here.against, minlength=24).astype(np.float64)
    begin, length = _stretch(for_, against)
    hours = tuple(sorted((begin + i) % 24 for i in range(length)))
    if length > MOST_HOURS:
        return
    in_stretch = np.zeros(24, dtype=bool)
    in_stretch[list(hours)] = True
    week = (day + WEEKDAY_OF_EPOCH) % 7
    inside = in_stretch[hour]
    met = np.bincount(week[inside], weights=here.for_[inside], minlength=7)
    clean = np.bincount(week[inside], weights=here.against[inside], minlength=7)
    days = (met > clean) | (met + clean == 0)
    all_hour = ((s.at % DAY) // HOUR).astype(np.int64)
    all_week = ((s.at // DAY).astype(np.int64) + WEEKDAY_OF_EPOCH) % 7
    daily = in_stretch[all_hour]
    yield PRICE_OF_HOURS, Pattern(by="hours", holds=daily, hours=hours)
    if not days.all() and days.any():
        weekly = daily & days[all_week]
        price = PRICE_OF_HOURS + PRICE_OF_DAYS
        yield price, Pattern(by="hours", holds=weekly, hours=hours)


def _stretch(for_: Floats, against: Floats) -> tuple[int, int]:
    """Begin and length of the stretch of hours for which one share within and none outside
    are likeliest."""
    best = (-math.inf, 0, 24)
    twice_for = np.concatenate([[0.0], np.cumsum(np.tile(for_, 2))])
    twice_against = np.concatenate([[0.0], np.cumsum(np.tile(against, 2))])
    all_for, all_against = float(for_.sum()), float(against.sum())
    for length in range(1, 25):
        for begin in range(24 if length < 24 else 1):
            inside = float(twice_for[begin + length] - twice_for[begin])
            clean = float(twice_against[begin + length] - twice_against[begin])
            likely = _trials(inside, clean)
            likely += _trials(all_for - inside, all_against - clean)
            if inside > 0 and likely > best[0] + 1e-9:
                if inside / (inside + clean) > all_for / (all_for + all_against) or length == 24:
                    best = (likely, begin, length)
    return best[1], best[2]


def _bernoulli(here: Series, held: Mask) -> float:
    return _trials(float(here.for_[held].sum()), float(here.against[held].sum()))


def _clean(here: Series, outside: Mask, c: Constants) -> float:
    return _misses(float(here.for_[outside].sum()), float(here.against[outside].sum()), c)


def _trials(blocked: float, clean: float) -> float:
    """Log likelihood of independent trials at their own likeliest share."""
    total = blocked + clean
    if total <= 0:
        return 0.0
    q = min(max(blocked / total, LEAST), 1 - LEAST)
    return blocked * math.log(q) + clean * math.log(1 - q)


def _misses(blocked: float, clean: float, c: Constants) -> float:
    return blocked * math.log(c.miss) + clean * math.log(1 - c.miss)
