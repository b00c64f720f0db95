"""Episodes in one series: sequential likelihood-ratio tests on its looks, in order of time.

Rule: a change is alarmed when the looks since its likeliest beginning are ``exp(threshold)``
times likelier after a change than without one (Page 1954, CUSUM; by Wald 1945 a false alarm is
then rarer than ``exp(-threshold)`` at each fresh start). The test at a time knows only what was
seen until then, so that an analysis of a part of the data alarms as the whole one does.

Each look is a Bernoulli trial: interfered with in a share *q* of the looks while a block
holds (two tests side by side, of a whole block and of one that is met in half the looks), in a
share *alpha* while none does. *alpha* is learnt from the series before the excursion, and never
falls below the rate at which verdicts err: a clean past makes no later look more suspicious.

Looks of one probe are not independent of each other: its antivirus, VPN or broken line stays
with it. So what the loudest probe says is believed only if the others together do not say the
opposite, nor kept saying so while they were there; and a lift is believed from a probe that
saw the block before one that never did.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from analysis.history.changes_series import Floats, Series

CLEARLY = 3.0          # times as many looks show a block as did before it
ERRORS, LOOKS = 3.0, 30.0  # what is assumed of the time before, until more is known
RECORD = 30 * 86400.0  # seconds for which it is remembered who was denied by the others
BESIDE = 3 * 3600.0    # seconds within which two looks are of the same time
DENIED = 0.2           # of a probe's looks: more than chance, and its word alone is not taken


class Constants(msgspec.Struct, frozen=True, kw_only=True):
    """What docs/changes.md gives the reasons of. Thresholds are natural logarithms of
    likelihood ratios, weights are in looks."""

    whole: float = 0.9        # share of looks that meet a block that holds for all
    partial: float = 0.45     # of one that holds for a part: addresses, hours, customers
    least_share: float = 0.3
    most_share: float = 0.97
    error: float = 0.01       # share of looks that show interference where none is
    most_error: float = 0.3
    error_weight: float = 100.0  # looks after which the series' own errors count as much
    miss: float = 0.02        # share of looks that miss it for other reasons, at least
    onset: float = 12.0       # a false alarm in 1,000 weeks of hourly looks: ln(168,000)
    lift: float = 6.0
    stranger: float = 18.0    # a lift that only one probe tells which never saw the block,
    stranger_days: float = 3.0  # and for how long: longer than a tunnel is left on
    lag: int = 16             # looks that are too fresh to be the past


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of looks in the series: the likeliest first of the block, the one that alarmed;
    the likeliest first after its lift, the one that alarmed that. None: it goes on."""

    onset: int
    alarm: int
    lift: int | None = None
    lift_alarm: int | None = None


def episodes(s: Series, c: Constants) -> list[Episode]:
    """What was blocked and lifted in *s*, in the order of time; they do not overlap."""
    found: list[Episode] = []
    start, errors, looks = 0, 0.0, 0.0
    while True:
        onset = _onset(s, start, errors, looks, c)
        if onset is None:
            return found
        e, a = onset
        errors += float(s.for_[start:e].sum())
        looks += float((s.for_ + s.against)[start:e].sum())
        lift = _lift(s, e, a, c)
        if not _stands_out(s, e, lift[0] if lift else len(s), errors, looks):
            # Then it was more of the same: it counts as the series' errors.
            start = a + 1
            errors += float(s.for_[e:start].sum())
            looks += float((s.for_ + s.against)[e:start].sum())
            continue
        if lift is None:
            return [*found, Episode(onset=e, alarm=a)]
        found.append(Episode(onset=e, alarm=a, lift=lift[0], lift_alarm=lift[1]))
        start = lift[0]


def weights(s: Series, q: float | Floats, alpha: float | Floats) -> Floats:
    """Log likelihood ratio of each look: a block met in *q* of them against none."""
    result: Floats = s.for_ * np.log(q / alpha) + s.against * np.log((1 - q) / (1 - alpha))
    return result


def share(blocked: float, clean: float, c: Constants) -> float:
    """Share of looks in which a block shows: posterior mean, a whole one before any look."""
    return min(max((blocked + 1.8) / (blocked + clean + 2), c.least_share), c.most_share)


def error_rate(errors: float, looks: float, c: Constants) -> float:
    """Share of looks that show interference where there is none, learnt from *looks*."""
    rate = (c.error * c.error_weight + errors) / (c.error_weight + looks)
    return min(max(rate, c.error), c.most_error)


def _stands_out(s: Series, onset: int, end: int, errors: float, looks: float) -> bool:
    """Whether clearly more looks show it than before, of which *errors* of *looks* did: what is
    met now and then, and always was, is an error of the site's or of the rules' as well."""
    met, clean = float(s.for_[onset:end].sum()), float(s.against[onset:end].sum())
    usual = min((errors + ERRORS) / (looks + LOOKS), ERRORS / LOOKS)
    return met / (met + clean) >= CLEARLY * usual


def _onset(
    s: Series, start: int, errors: float, looks: float, c: Constants
) -> tuple[int, int] | None:
    n = len(s) - start
    if n <= 0:
        return None
    for_, all_ = s.for_[start:], (s.for_ + s.against)[start:]
    known_errors = errors + _lagged(for_, c.lag)
    known_looks = looks + _lagged(all_, c.lag)
    alpha = (c.error * c.error_weight + known_errors) / (c.error_weight + known_looks)
    alpha = np.clip(alpha, c.error, c.most_error)
    first: tuple[int, int] | None = None
    for q in (c.whole, c.partial):
        gain = for_ * np.log(q / alpha) + (all_ - for_) * np.log((1 - q) / (1 - alpha))
        for e, a in _crossings(gain, s, start, c.onset):
            if first is None or a < first[1]:
                first = (e, a)
            break
    return first


def _crossings(
    gain: Floats, s: Series, start: int, threshold: float
) -> Iterator[tuple[int, int]]:
    """Excursions that reach *threshold* and stand without their loudest probe, in order."""
    total = np.concatenate([[0.0], np.cumsum(gain)])
    lowest = np.minimum.accumulate(total)
    above = np.flatnonzero(total[1:] - lowest[:-1] >= threshold)
    if not len(above):
        return
    # The last time that the sum was at its lowest: the excursion begins after it.
    at_lowest = np.maximum.accumulate(np.where(total <= lowest, np.arange(len(total)), 0))
    begun, summed = -1, 0
    by_probe: dict[int, float] = {}
    hours: set[int] = set()
    for i in above:
        e = int(at_lowest[i])
        if e != begun:
            begun, summed, by_probe, hours = e, e, {}, set()
        for j in range(summed, int(i) + 1):
            k = start + j
            probe = int(s.probe[k])
            by_probe[probe] = by_probe.get(probe, 0.0) + float(gain[j])
            if s.for_[k] > 0:
                hours.add(int(s.at[k] // 3600))
        summed = int(i) + 1
        if len(hours) < 2 or not _stands(by_probe):
            continue
        if len(by_probe) == 1 and _denied(s, int(s.probe[start + e]), start + e):
            continue
        yield start + e, start + int(i)


def _stands(by_probe: dict[int, float]) -> bool:
    """Without the loudest probe the others do not say the opposite."""
    return len(by_probe) == 1 or sum(by_probe.values()) - max(by_probe.values()) >= 0


def _denied(s: Series, probe: int, before: int) -> bool:
    """Whether others kept saying the opposite of what *probe* said, before look *before*, when
    they were there: then it is not believed when they are away."""
    low = int(np.searchsorted(s.at, s.at[before] - RECORD))
    here = slice(low, before)
    number, met, at = s.probe[here], s.met[here], s.at[here]
    turns = np.zeros(len(number), dtype=np.int64)
    turns[1:] = np.where(number[1:] != number[:-1], np.arange(len(number) - 1), -1)
    if len(turns):
        turns[0] = -1
    other = np.maximum.accumulate(turns)  # the last look before it that was another's
    mine = number == probe
    denied = mine & met & (other >= 0)
    denied[denied] = ~met[other[denied]] & (at[denied] - at[other[denied]] <= BESIDE)
    return int(denied.sum()) >= 3 and denied.sum() >= DENIED * mine.sum()


def _lift(s: Series, e: int, a: int, c: Constants) -> tuple[int, int] | None:
    begin = a + 1
    if begin >= len(s):
        return None
    for_, all_ = s.for_[begin:], (s.for_ + s.against)[begin:]
    blocked = float(s.for_[e:begin].sum()) + _lagged(for_, c.lag)
    clean = float(s.against[e:begin].sum()) + _lagged(all_ - for_, c.lag)
    q = np.clip((blocked + 1.8) / (blocked + clean + 2), c.least_share, c.most_share)
    gain = for_ * np.log(c.miss / q) + (all_ - for_) * np.log((1 - c.miss) / (1 - q))
    total = np.concatenate([[0.0], np.cumsum(gain)])
    lowest = np.minimum.accumulate(total)
    score = total[1:] - lowest[:-1]
    at_lowest = np.maximum.accumulate(np.where(total <= lowest, np.arange(len(total)), 0))
    witnesses = {int(p) for p in s.probe[e:begin][s.for_[e:begin] > 0]}
    begun, summed = -1, 0
    by_probe: dict[int, float] = {}
    hours: set[int] = set()
    noted = 0
    for i in np.flatnonzero(score >= c.lift):
        low = int(at_lowest[i])
        if low != begun:
            begun, summed, by_probe, hours = low, low, {}, set()
            for k in range(noted, low):
                if for_[k] > 0:
                    witnesses.add(int(s.probe[begin + k]))
            noted = max(noted, low)
        for j in range(summed, int(i) + 1):
            probe = int(s.probe[begin + j])
            by_probe[probe] = by_probe.get(probe, 0.0) + float(gain[j])
            hours.add(int(s.at[begin + j] // 3600))
        summed = int(i) + 1
        if len(hours) < 2 or not _stands(by_probe):
            continue
        seen_it = any(by_probe.get(p, 0.0) > 0 for p in witnesses)
        days = (s.at[begin + i] - s.at[begin + low]) / 86400
        stranger = score[i] >= c.stranger and days >= c.stranger_days
        if seen_it or len(by_probe) > 1 or stranger:
            return begin + low, begin + int(i)
    return None


def _lagged(values: Floats, lag: int) -> Floats:
    """The sum of all values more than *lag* places before each."""
    total = np.concatenate([np.zeros(lag + 1), np.cumsum(values)])[: len(values)]
    result: Floats = total
    return result

