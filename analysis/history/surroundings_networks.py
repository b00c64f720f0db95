"""Networks that are gone, or cut off from abroad: outages and shutdowns.

Rule: a probe that finds its foreign canaries lost and a domestic one alive sees a shutdown;
one that finds its line dead, or says nothing when it always spoke, sees an outage. One probe
alone may have a bad line, an owner on holiday or a filter of its own: what one probe can
tell is limited, so it takes several that were not to fail together. If those of all networks
fall silent at once, abroad too, it is the collecting that stopped, and no event.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from ibis import _  # type: ignore[import-untyped]

from analysis.history.event import Interval, Kind
from analysis.history.spells import Look, binomial, certainty, spells
from analysis.history.surroundings import HOUR, Trouble

USUAL, CUT = 0.02, 0.9  # probes that find what is foreign lost: usually, and in a shutdown
NIGHTS = 3 * 24 * HOUR  # cut off again sooner, and it is the same shutdown
AT_ONCE = 3 * HOUR      # networks that went together
AWAY = 3.5              # nats that one probe's silence can say: e^-3.5 of its time it is away
BROKEN = 5.0            # and those of its faults: its own line has some hours of them a month
FAULT = 3.0             # nats of one hour of fault
TOGETHER = 2.0          # nats for probes that went, or came back, within an hour
PRICE = 9.0             # nats to believe in an outage at all
SURE = 2.2              # and these more, to say so: nine in ten
REGULAR = 5             # days on which a probe must have measured, to have habits
LEAST = 3               # hours without a sign of life
SILENT = 3 * 24         # hours of mere silence: networks are not gone for longer, who measures is
ARRIVING = 12           # hours in which what was measured may still be on its way


@dataclass
class Hours:
    """What one probe, or all that have no habits, said hour by hour: hours since 1970 in which
    it got *through* and in which it found itself *cut* off, each with the first and last look
    that says so; those in which it found its line at *fault*; the *first* and *last* look of
    each hour; and its habits, the *share* of days on which it speaks at each hour of the day."""

    through: dict[int, tuple[float, float]] = field(default_factory=dict)
    cut: dict[int, tuple[float, float]] = field(default_factory=dict)
    fault: set[int] = field(default_factory=set)
    first: dict[int, float] = field(default_factory=dict)
    last: dict[int, float] = field(default_factory=dict)
    share: list[float] = field(default_factory=lambda: [0.0] * 24)
    begin: int = 0

    def alive(self, hour: int) -> tuple[float, ...]:
        """First and last look in *hour* that show the line to be alive; empty if none does."""
        looks = [*self.through.get(hour, ()), *self.cut.get(hour, ())]
        return (min(looks), max(looks)) if looks else ()

    def learn(self) -> None:
        """How often it speaks at each hour of the day, of the days between its first and last."""
        hours = sorted(self.first)
        self.begin = hours[0]
        days = (hours[-1] - hours[0]) // 24 + 1
        counts = [0] * 24
        for hour in hours:
            counts[hour % 24] += 1
        self.share = [(n + 0.5) / (days + 1.0) if n else 0.0 for n in counts]


Networks = Mapping[int, Mapping[str, Hours]]


def network_troubles(rows: Any, country: str) -> list[Trouble]:
    """Shutdowns and outages in *country*."""
    networks = _hours(rows, country)
    elsewhere = _heard(rows)
    found = shutdowns(networks)
    outs = [o for asn in sorted(networks) for o in _outages(asn, networks[asn], elsewhere)]
    outs = [o for o in outs if not any(_within(o, t) for t in found)]
    return found + _nationwide(outs)


def _hours(rows: Any, country: str) -> dict[int, dict[str, Hours]]:
    """Each network's probes; those without habits as one, under the empty name."""
    lost = _.foreign_lost & _.domestic_alive
    through = ~_.foreign_lost & ~_.outcome.isin(["local_fault", "inconclusive"])
    dead = (_.outcome == "local_fault") & ~lost
    counted = (
        rows.filter((_.probe_cc == country) & (_.outcome != "not_measured"))
        .group_by("probe_asn", "probe_id", "hour")
        .agg(
            fault=dead.any(), first=_.measured_at.min(), last=_.measured_at.max(),
            first_cut=_.measured_at.min(where=lost), last_cut=_.measured_at.max(where=lost),
            first_through=_.measured_at.min(where=through),
            last_through=_.measured_at.max(where=through),
        )
    )  # fmt: skip
    said: list[dict[str, Any]] = counted.to_pyarrow().to_pylist()
    days: dict[tuple[int, str], set[int]] = {}
    for row in said:
        days.setdefault((row["probe_asn"], row["probe_id"]), set()).add(row["hour"] // 24)
    networks: dict[int, dict[str, Hours]] = {}
    for row in said:
        who = row["probe_id"] if len(days[row["probe_asn"], row["probe_id"]]) >= REGULAR else ""
        hours = networks.setdefault(row["probe_asn"], {}).setdefault(who, Hours())
        hour = row["hour"]
        hours.first[hour] = min(hours.first.get(hour, math.inf), row["first"])
        hours.last[hour] = max(hours.last.get(hour, -math.inf), row["last"])
        if row["fault"]:
            hours.fault.add(hour)
        for name in ("cut", "through"):
            if row[f"first_{name}"] is not None:
                known: dict[int, tuple[float, float]] = getattr(hours, name)
                first, last = known.get(hour, (math.inf, -math.inf))
                known[hour] = min(first, row[f"first_{name}"]), max(last, row[f"last_{name}"])
    for probes in networks.values():
        for hours in probes.values():
            hours.learn()
    return networks


def _heard(rows: Any) -> dict[int, set[int]]:
    """By hour, the networks anywhere from which something was heard."""
    heard: dict[int, set[int]] = {}
    for row in rows.select("hour", "probe_asn").distinct().to_pyarrow().to_pylist():
        heard.setdefault(row["hour"], set()).add(row["probe_asn"])
    return heard


# -- Shutdowns ---------------------------------------------------------------------------------


def shutdowns(networks: Networks) -> list[Trouble]:
    """What is foreign gone, what is domestic alive: by network, then together."""
    found = []
    for asn in sorted(networks):
        found += _cut_off(asn, networks[asn])
    groups: list[list[Trouble]] = []
    for trouble in sorted(found, key=lambda t: t.times[0]):
        if groups and trouble.times[0][0] - max(t.times[-1][1] for t in groups[-1]) <= NIGHTS:
            groups[-1].append(trouble)
        else:
            groups.append([trouble])
    return [
        _as_one("shutdown", group, "Foreign canaries are lost, domestic ones answer")
        for group in groups
        if sum(t.probes for t in {n.networks: n for n in group}.values()) >= 2
    ]


def _cut_off(asn: int, probes: Mapping[str, Hours]) -> list[Trouble]:
    """The stretches in which *asn* was cut off."""
    hours = sorted({h for p in probes.values() for h in (*p.cut, *p.through)})
    looks = []
    for hour in hours:
        hits = [p.cut[hour] for p in probes.values() if hour in p.cut]
        misses = [
            p.through[hour] for p in probes.values() if hour in p.through and hour not in p.cut
        ]
        looks.append(
            Look(
                binomial(len(hits), len(misses), USUAL, CUT),
                min((first for first, _last in hits), default=None),
                max((last for _first, last in hits), default=None),
                min((first for first, _last in misses), default=None),
                max((last for _first, last in misses), default=None),
            )
        )
    found = []
    for spell in spells(looks):
        inside = set(hours[spell.begin : spell.end + 1])
        met = [name for name, p in probes.items() if inside & p.cut.keys()]
        cuts = [each for p in probes.values() for h, each in p.cut.items() if h in inside]
        found.append(
            Trouble(
                kind="shutdown", networks=(asn,), onset=spell.onset, lift=spell.lift,
                times=((min(cuts)[0], max(last for _first, last in cuts)),), probes=len(met),
                probability=spell.probability, onsets=((asn, spell.onset),),
                hits=sum(len(inside & p.cut.keys()) for p in probes.values()),
                looks=sum(len(inside & (p.cut.keys() | p.through)) for p in probes.values()),
            )
        )  # fmt: skip
    return found


# -- Outages -----------------------------------------------------------------------------------


def _outages(asn: int, probes: Mapping[str, Hours], heard: Mapping[int, set[int]]) -> list[Trouble]:
    """Stretches without a sign of life from *asn*, although several were due to give one."""
    alive = sorted({h for p in probes.values() for h in (*p.through, *p.cut)})
    found = []
    for before, after in zip(alive, [*alive[1:], None], strict=True):
        end = after if after is not None else max(heard) + 1
        if end - before <= (LEAST if after is not None else ARRIVING):
            continue
        dark = range(before + 1, end)
        said = _dark(probes, dark)
        if len(said) < 2 or _collector_silent(asn, dark, heard):
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


def _collector_silent(asn: int, dark: range, heard: Mapping[int, set[int]]) -> bool:
    """Whether in most of *dark* nothing came from anybody else either."""
    others = sum(bool(heard.get(h, set()) - {asn}) for h in dark)
    return 2 * others < len(dark)


def _nationwide(found: Sequence[Trouble]) -> list[Trouble]:
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
    return [g[0] if len(g) == 1 else _as_one("outage", g, "No sign of life") for g in groups]


# -- Several as one ----------------------------------------------------------------------------


def _as_one(kind: Kind, group: Sequence[Trouble], what: str) -> Trouble:
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


def _within(inner: Trouble, outer: Trouble) -> bool:
    """Whether *inner* is of networks and a time in which *outer* was."""
    first, last = inner.times[0][0], inner.times[-1][1]
    return set(inner.networks) <= set(outer.networks) and any(
        a - 3 * HOUR <= last and first <= b + 3 * HOUR for a, b in outer.times
    )


