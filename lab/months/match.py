"""Which event that was found is which one that happened.

A found event belongs to the true one with which it shares the most: seconds in which both go
on, summed over the networks and targets that both have. To one only: an event that is said to
last for months is not the finding of ten that happened meanwhile. One that shares nothing with
any is false; so is an accusation (blocking, throttling) of what was none, and such an event
is not found by it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.history.event import Event, Interval, Part
from lab.months.truth import TrueEvent

SLACK = 3 * 3600.0  # seconds by which a found one may miss and still mean it
ACCUSING = ("blocking", "throttling")
OF_NETWORKS = ("shutdown", "outage")


@dataclass(frozen=True)
class Matched:
    """*found*: by the number of the true event, the one that shares most first. *misnamed*:
    those that share a true event's cells and time, and say it is (or is no) interference where it
    is not (or is). *false*: those that share nothing."""

    found: dict[int, list[Event]]
    misnamed: list[tuple[TrueEvent, Event]]
    false: list[Event]


def match(truth: Sequence[TrueEvent], found: Sequence[Event], end: float) -> Matched:
    """The pairs; *end* of the data, POSIX seconds."""
    index: dict[str, list[TrueEvent]] = defaultdict(list)
    for event in truth:
        for host in event.targets or ("",):
            index[host].append(event)
    of_networks = [e for e in truth if e.kind in OF_NETWORKS]
    by_event: dict[int, list[tuple[float, Event]]] = defaultdict(list)
    matched = Matched(found={}, misnamed=[], false=[])
    for one in found:
        hosts = {part.host for part in one.parts} | set(one.targets)
        near = {e.number: e for host in hosts for e in index[host]}
        near |= {e.number: e for e in of_networks}
        weights = [(shared(e, one, end), -e.number) for e in near.values()]
        weight, number = max(weights, default=(0.0, 0))
        if weight <= 0:
            matched.false.append(one)
            continue
        event = near[-number]
        if (event.kind in ACCUSING) != (one.kind in ACCUSING):
            matched.misnamed.append((event, one))
        else:
            by_event[event.number].append((weight, one))
    for number, ones in by_event.items():
        matched.found[number] = [one for _, one in sorted(ones, key=lambda w: -w[0])]
    return matched


def shared(event: TrueEvent, one: Event, end: float) -> float:
    """Seconds of networks and targets that both have."""
    if event.kind in OF_NETWORKS:
        networks = set(event.networks) & _networks(one)
        both = _overlap(event.onset, event.lift, one.onset, one.lift, end)
        if one.kind in OF_NETWORKS:
            return both * len(networks)
        hosts = set(event.targets) & set(one.targets) if event.targets else set(one.targets)
        # An accusation of one site inside a cut is about the cut; of months, it is not.
        inside = event.onset - SLACK <= _begin(one.onset) <= event.lift + SLACK
        return both * len(networks) * len(hosts) if inside else 0.0
    if not event.parts or not one.parts:
        hosts = set(event.targets) & ({p.host for p in one.parts} | set(one.targets))
        return _overlap(event.onset, event.lift, one.onset, one.lift, end) * len(hosts)
    total = 0.0
    parts = {(p.host, p.asn): p for p in event.parts}
    for part in one.parts:
        true = parts.get((part.host, part.probe_asn))
        if true is not None:
            total += _overlap(true.onset, true.lift, part.onset, part.lift, end)
    return total


def _networks(one: Event) -> set[int]:
    return set(one.networks) | {part.probe_asn for part in one.parts}


def _begin(onset: Interval) -> float:
    return onset.by if onset.by is not None else onset.after or 0.0


def _overlap(
    start: float, stop: float, onset: Interval, lift: Interval | None, end: float
) -> float:
    last = end
    if lift is not None:
        last = lift.by if lift.by is not None else lift.after or end
    first = max(start, _begin(onset)) - SLACK
    return max(0.0, min(stop, last, end) + SLACK - first - SLACK)


def parts_of(found: Sequence[Event]) -> dict[tuple[str, int], list[Part]]:
    """The parts of *found* by host and network, by onset."""
    parts: dict[tuple[str, int], list[Part]] = defaultdict(list)
    for one in found:
        for part in one.parts:
            parts[part.host, part.probe_asn].append(part)
    for each in parts.values():
        each.sort(key=lambda p: _begin(p.onset))
    return parts
