"""Outages: a network from which nothing gets through any more.

Rule: a probe that finds its line dead, or says nothing when it always spoke, may have a bad
line, or an owner on holiday: what one can tell is limited, so it takes several that were not
to fail together. If those of all networks fall silent at once, abroad too, it is the
collecting that stopped, and no event; if it lasts for long and nobody writes down a fault,
those who measured have gone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from analysis.history.event import Interval
from analysis.history.spells import certainty
from analysis.history.surroundings import HOUR, Trouble, as_one
from analysis.history.surroundings_habits import Hours

AT_ONCE = 3 * HOUR      # networks that went together
AWAY = 3.5              # nats that one probe's silence can say: e^-3.5 of its time it is away
BROKEN = 5.0            # and those of its faults: its own line has some hours of them a month
FAULT = 3.0             # nats of one hour of fault
TOGETHER = 2.0          # nats for probes that went, or came back, within an hour
PRICE = 9.0             # nats to believe in an outage at all
SURE = 2.2              # and these more, to say so: nine in ten
LEAST = 3               # hours without a sign of life
SILENT = 3 * 24         # hours of mere silence: networks are not gone for longer, who measures is
ARRIVING = 12           # hours in which what was measured may still be on its way


def outages(asn: int, probes: Mapping[str, Hours], heard: Mapping[int, int]) -> list[Trouble]:
    """Stretches without a sign of life from *asn*, although several were due to give one."""
    alive = sorted({h for p in probes.values() for h in (*p.through, *p.cut)})
    found = []
    for before, after in zip(alive, [*alive, None][1:], strict=True):
        end = after if after is not None else max(heard) + 1
        if end - before <= (LEAST if after is not None else ARRIVING):
            continue
        dark = range(before + 1, end)
        said = _dark(probes, dark)
        if len(said) < 2 or _collector_silent(probes, dark, heard):
            continue
        faults = [p.first[h] for p in probes.values() for h in p.fault if h in dark]
        odds = sum(said.values()) - PRICE + _moved(probes, before, after)
        if odds < SURE or (not faults and len(dark) > SILENT):
            continue
        trouble = _outage(asn, probes, before, after, dark, faults)
        if trouble is not None:
            found.append(
                msgspec.structs.replace(trouble, probability=certainty(odds), probes=len(said))
            )
    return found


def _outage(
    asn: int, probes: Mapping[str, Hours], before: int, after: int | None, dark: range,
    faults: Sequence[float],
) -> Trouble | None:  # fmt: skip
    """The outage of the hours *dark*, from what was heard in the hours *before* and *after*."""
    missed = [h * HOUR for h in dark if any(p.share[h % 24] >= 0.5 for p in probes.values())]
    due = sorted([*missed, *faults])
    if not due:
        return None
    began = max(p.alive(before)[1] for p in probes.values() if p.alive(before))
    onset = Interval(began, max(began, min([*faults, *(h + HOUR for h in missed)])))
    lift = None
    if after is not None:
        lift = Interval(due[-1], min(p.alive(after)[0] for p in probes.values() if p.alive(after)))
    last = lift.by if lift is not None and lift.by is not None else dark.stop * HOUR
    return Trouble(
        kind="outage", networks=(asn,), onset=onset, lift=lift, times=((began, last),),
        hits=len(faults), looks=len(faults), onsets=((asn, onset),), scope="network",
        reasons=(
            f"Probes that were due on AS{asn} said nothing, or that their line is dead"
            f" ({len(faults)} times).",
        ),
    )  # fmt: skip


def _dark(probes: Mapping[str, Hours], dark: range) -> dict[str, float]:
    """What each probe's silence or faults in *dark* say, in nats; only of those that say much."""
    said = {}
    for name, probe in probes.items():
        silent = broken = 0.0
        for hour in dark[: 24 * 14]:
            if hour in probe.fault:
                broken += FAULT
            elif hour >= probe.begin:
                silent -= math.log(1 - probe.share[hour % 24] + 0.02)
            if broken >= BROKEN:
                break
        odds = max(min(BROKEN, broken), min(AWAY, silent + broken))
        if odds >= 1.0:
            said[name] = odds
    return said


def _moved(probes: Mapping[str, Hours], before: int, after: int | None) -> float:
    """Whether they went within an hour, and came back within one."""
    steady = [p for p in probes.values() if p.share[before % 24] >= 0.5]
    odds = 0.0
    if sum(bool(p.alive(before) or p.alive(before - 1)) for p in steady) >= 2:
        odds += TOGETHER
    if after is not None:
        if sum(bool(p.alive(after) or p.alive(after + 1)) for p in steady) >= 2:
            odds += TOGETHER
    return odds


def _collector_silent(
    probes: Mapping[str, Hours], dark: range, heard: Mapping[int, int]
) -> bool:
    """Whether in most of *dark* nothing came from anybody else either."""
    others = sum(
        heard.get(hour, 0) > any(hour in p.first for p in probes.values()) for hour in dark
    )
    return 2 * others < len(dark)


def nationwide(found: Sequence[Trouble]) -> list[Trouble]:
    """Outages of several networks at the same time, as one."""
    groups: list[list[Trouble]] = []
    for trouble in sorted(found, key=lambda t: t.times[0]):
        for group in reversed(groups):
            first = group[0]
            if abs(first.times[0][0] - trouble.times[0][0]) <= AT_ONCE and (
                abs(first.times[-1][1] - trouble.times[-1][1]) <= AT_ONCE
                or (first.lift is None and trouble.lift is None)
            ):
                group.append(trouble)
                break
        else:
            groups.append([trouble])
    return [g[0] if len(g) == 1 else as_one("outage", g, "No sign of life") for g in groups]
