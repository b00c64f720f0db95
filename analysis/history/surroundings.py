"""What else befalls networks and targets: outages, shutdowns, dead, attacked and fenced sites.

Rule: what is gone for everybody was not blocked, and what nobody could look at was not
either. These are found of what verdicts say beside blocking (down, refused by the server, a
fault of the line, foreign canaries lost) and of what they do not say (a network falls
silent), with the same sequential reasoning; an accusation that lies wholly inside of one
belongs to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec

from analysis.history.event import Interval, Kind, Scope

HOUR = 3600.0


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """What befell *networks* (all their targets, if *targets* is empty) or *targets*.

    *times*: when it was seen to hold, first and last look of each stretch. *hits* of *looks*
    show it, by at most *probes* at one time.
    """

    kind: Kind
    scope: Scope = "unknown"
    targets: tuple[str, ...] = ()
    networks: tuple[int, ...] = ()
    clean: tuple[int, ...] = ()
    onset: Interval
    lift: Interval | None = None
    hours: tuple[int, ...] = ()
    times: tuple[tuple[float, float], ...] = ()
    probability: float = 1.0
    hits: int = 0
    looks: int = 0
    probes: int = 0
    reasons: tuple[str, ...] = ()
    onsets: tuple[tuple[int, Interval], ...] = ()

    def covers(self, at: float, slack: float = HOUR) -> bool:
        """Whether it was so at *at* (POSIX seconds), or up to *slack* seconds from it."""
        return any(first - slack <= at <= last + slack for first, last in self.times)


def together(found: Iterable[Trouble], slack: float) -> list[list[Trouble]]:
    """*found* by kind, where they begin at the same time and end at the same time."""
    groups: list[list[Trouble]] = []
    for trouble in sorted(found, key=lambda t: (t.times[0], t.targets, t.networks)):
        for group in reversed(groups):
            if any(_alike(trouble, other, slack) for other in group):
                group.append(trouble)
                break
        else:
            groups.append([trouble])
    return groups


def _alike(a: Trouble, b: Trouble, slack: float) -> bool:
    return (
        a.kind == b.kind
        and _near(a.onset, b.onset, slack)
        and (a.lift is None) == (b.lift is None)
        and (a.lift is None or b.lift is None or _near(a.lift, b.lift, slack))
    )


def _near(a: Interval, b: Interval, slack: float) -> bool:
    """Whether both changes are known to within days, and may be no more than *slack* apart."""
    edges = (a.after, a.by, b.after, b.by)
    if a.after is None or b.after is None or a.by is None or b.by is None or None in edges:
        return False
    wide = max(a.by - a.after, b.by - b.after) > 36 * HOUR
    return not wide and max(a.after - b.by, b.after - a.by) <= slack


def span(group: Sequence[Trouble]) -> tuple[Interval, Interval | None]:
    """When *group*, which began and ended together, did so: intervals that hold all of theirs."""
    lifts = [t.lift for t in group]
    onset = _around([t.onset for t in group])
    return onset, None if None in lifts else _around([i for i in lifts if i is not None])


def _around(intervals: Sequence[Interval]) -> Interval:
    after = None if any(i.after is None for i in intervals) else min(
        i.after for i in intervals if i.after is not None
    )
    by = None if any(i.by is None for i in intervals) else max(
        i.by for i in intervals if i.by is not None
    )
    return Interval(after, by, max(i.probability for i in intervals))


def as_one(kind: Kind, group: Sequence[Trouble], what: str) -> Trouble:
    """*group* as one: its stretches, its networks, and the hours of the day if it is nightly."""
    group = sorted(group, key=lambda t: t.times[0])
    times = tuple(sorted(s for t in group for s in t.times))
    stretches: list[list[float]] = []
    for first, last in times:
        if stretches and first - stretches[-1][1] <= 2 * HOUR:
            stretches[-1][1] = max(stretches[-1][1], last)
        else:
            stretches.append([first, last])
    hours: set[int] = set()
    if len(stretches) > 1:
        hours = {h % 24 for a, b in stretches for h in range(int(a // HOUR), int(b // HOUR) + 1)}
    onsets: dict[int, Interval] = {}
    probes: dict[int, int] = {}
    for trouble in group:
        for asn in trouble.networks:
            onsets.setdefault(asn, trouble.onset)
            probes[asn] = max(probes.get(asn, 0), trouble.probes)
    lifts = [t.lift for t in group if t.times[-1][1] >= times[-1][1] - 3 * HOUR]
    lift = None
    if all(lifts):
        lift = max((x for x in lifts if x), key=lambda i: i.by or math.inf)
    doubt = math.prod(
        1 - max(t.probability for t in group if asn in t.networks) for asn in onsets
    )
    stated = f"{what} on {', '.join(f'AS{a}' for a in sorted(onsets))}."
    nightly = (f"{len(stretches)} times, each within the same days.",) if len(stretches) > 1 else ()
    return Trouble(
        kind=kind, networks=tuple(sorted(onsets)), onset=group[0].onset, lift=lift, times=times,
        hours=tuple(sorted(hours)) if len(hours) < 24 else (), probability=1 - doubt,
        hits=sum(t.hits for t in group), looks=sum(t.looks for t in group),
        probes=sum(probes.values()), reasons=(stated, *nightly), onsets=tuple(onsets.items()),
    )  # fmt: skip
