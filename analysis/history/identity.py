"""The name of an event: what it is, not when the analysis was run.

Rule: an id is the hash of the kind, of the first target that showed it and of the day on
which it did. A later run that learns more (an earlier onset, a first target that sorts before
this one, a kind that has become clear) would hash to another; so whoever has the events of
an earlier run hands them in, and each new event takes the id of the one with which it shares
a family of kinds, a target (or, of whole networks, a network), and the time of the onset, of
the whole or of one target on one network, as far as that is known and to within a day. No id
is given twice: if one has become two, the larger keeps it; if two have become one, it has the
older's.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence

import msgspec

from analysis.history.event import Event, Interval

DAY = 86400.0
FAMILIES = {"blocking": "on the way", "throttling": "slowed", "shutdown": "of networks",
            "outage": "of networks"}  # fmt: skip


def family(event: Event) -> str:
    """Kinds that one event may turn into as more is known are of one family."""
    if event.parts and event.kind != "throttling":
        return "on the way"
    return FAMILIES.get(event.kind, "of targets")


def event_id(event: Event) -> str:
    """Sixteen hexadecimal digits for *event*."""
    first = event.parts[0].host if event.parts else min(event.targets, default="")
    if family(event) == "of networks":
        first = ",".join(str(a) for a in event.order[:1] or event.networks[:1])
    day = int((event.onset.by or 0.0) // DAY)
    text = "|".join((family(event), first, str(day)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def named(found: Iterable[Event], known: Sequence[Event] = ()) -> list[Event]:
    """*found* with ids, those of *known* where they are the same; in their order."""
    events = list(found)
    pairs = sorted(
        (-_common(event, old), old.onset.by or math.inf, old.id, i)
        for i, event in enumerate(events)
        for old in known
        if _same(event, old)
    )
    ids: dict[int, str] = {}
    taken: set[str] = set()
    for _common_targets, _began, old_id, i in pairs:
        if i not in ids and old_id not in taken:
            ids[i] = old_id
            taken.add(old_id)
    for i, event in enumerate(events):
        if i not in ids:
            ids[i] = _free(event_id(event), taken)
            taken.add(ids[i])
    return [msgspec.structs.replace(e, id=ids[i]) for i, e in enumerate(events)]


def _same(a: Event, b: Event) -> bool:
    if family(a) != family(b) or not _common(a, b):
        return False
    if _near(a.onset, b.onset):
        return True
    parts = {(p.host, p.probe_asn): p.onset for p in reversed(a.parts)}
    return any(
        _near(parts[p.host, p.probe_asn], p.onset)
        for p in b.parts
        if (p.host, p.probe_asn) in parts
    )


def _common(a: Event, b: Event) -> int:
    """Targets that both are about; of events of whole networks, networks."""
    if family(a) == "of networks":
        return len(set(a.networks) & set(b.networks))
    return len(set(a.targets) & set(b.targets))


def _near(a: Interval, b: Interval) -> bool:
    """Whether the two beginnings can be the same: within a day, as far as they are known."""
    a_low, b_low = (i.after if i.after is not None else -math.inf for i in (a, b))
    a_high, b_high = (i.by if i.by is not None else math.inf for i in (a, b))
    return a_low <= b_high + DAY and b_low <= a_high + DAY


def _free(wanted: str, taken: set[str]) -> str:
    """*wanted*, or if two events of one day share what they are, another one made of it."""
    while wanted in taken:
        wanted = hashlib.sha256(wanted.encode()).hexdigest()[:16]
    return wanted
