"""What the parts and looks of one event say together: how much, how sure, by what, when."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from analysis.history.event import Part
from analysis.history.looks import Abroad, Said, Seen

ONE_PROBE = 0.9     # what is shown to one probe alone may be its own household's doing
MOST_EVIDENCE = 50  # ids of measurements that an event carries
SUREST = 0.9999


def merged(seen: Iterable[Seen]) -> list[Seen]:
    """*seen* with one row for each probe in each place, of all windows.

    A session that was met with many targets is one session.
    """
    total: dict[tuple[int, str, str, int, str], list[int]] = {}
    for s in seen:
        at = total.setdefault((s.asn, s.network_type, s.region, s.resolver, s.probe), [0] * 5)
        for i, count in enumerate((s.struck, s.clean, s.down)):
            at[i] += count
        at[3] = max(at[3], s.sessions)
        at[4] += s.targets
    return [Seen(*key, *counts) for key, counts in sorted(total.items())]


def share(seen: Sequence[Seen]) -> float:
    """The part of the looks that show it, where it holds."""
    struck = sum(s.struck for s in seen)
    total = struck + sum(s.clean for s in seen)
    return round(struck / total, 4) if total else 1.0


def hours(parts: Sequence[Part]) -> tuple[int, ...]:
    """The hours of the day in which it holds, where that is not always: those of the parts that
    have some, if they are most of it."""
    timed = sum(p.blocked for p in parts if p.hours)
    if 2 * timed <= sum(p.blocked for p in parts):
        return ()
    held = {h for p in parts for h in p.hours}
    return tuple(sorted(held)) if len(held) < 24 else ()


def probability(parts: Sequence[Part], probes: int) -> float:
    """That something happened: networks are independent witnesses, series of one are not.

    So each network has the word of its surest part, and the doubts of networks multiply; but
    no more of them than there are probes.
    """
    surest: dict[int, float] = {}
    for part in parts:
        surest[part.probe_asn] = max(surest.get(part.probe_asn, 0.0), part.probability)
    witnesses = sorted(surest.values(), reverse=True)[: max(1, probes)]
    sure = 1 - math.prod(1 - p for p in witnesses)
    if probes == 1:
        sure *= ONE_PROBE
    return round(min(sure, SUREST), 4)


def categories(said: Sequence[Said]) -> tuple[str, ...]:
    """Categories of the targets, most looked at first."""
    return _most(said, "category")


def trigger(said: Sequence[Said]) -> str:
    """What most looks say is minded; empty where none says."""
    return next(iter(_most(said, "trigger")), "")


def fingerprints(said: Sequence[Said]) -> tuple[str, ...]:
    """Ids of the known marks that were met, most often first."""
    counts: Counter[str] = Counter()
    for each in said:
        for name in each.fingerprints.split(","):
            if name:
                counts[name] += each.looks
    return tuple(name for name, _n in sorted(counts.items(), key=lambda c: (-c[1], c[0])))


def _most(said: Sequence[Said], field: str) -> tuple[str, ...]:
    counts: Counter[str] = Counter()
    for each in said:
        if name := getattr(each, field):
            counts[name] += each.looks
    return tuple(name for name, _n in sorted(counts.items(), key=lambda c: (-c[1], c[0])))


def from_abroad(abroad: Sequence[Abroad]) -> str:
    """In words, how others fared meanwhile; empty where nobody looked."""
    looks = [a for a in abroad if a.outcome in ("ok", "blocked", "down", "server_side")]
    if not looks:
        return "Nobody looked from abroad meanwhile."
    reached = sum(a.looks for a in looks if a.outcome == "ok")
    return f"Meanwhile {reached} of {sum(a.looks for a in looks)} looks from abroad reached it."


def evidence(parts: Sequence[Part]) -> tuple[str, ...]:
    """Some of the measurements, of each part in turn."""
    found: dict[str, None] = {}
    for i in range(max((len(p.evidence) for p in parts), default=0)):
        for part in parts:
            if i < len(part.evidence):
                found.setdefault(part.evidence[i])
            if len(found) >= MOST_EVIDENCE:
                return tuple(found)
    return tuple(found)
