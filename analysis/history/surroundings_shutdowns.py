"""Shutdowns: what is foreign is gone, and what is domestic answers.

Rule: a probe that finds its foreign canaries lost and a domestic one alive sees one; two that
do, on one network or on several, make it an event. Nights in a row are one shutdown, with
its hours.
"""

from __future__ import annotations

from collections.abc import Mapping

from analysis.history.spells import Look, binomial, spells
from analysis.history.surroundings import HOUR, Trouble, as_one
from analysis.history.surroundings_habits import Hours, Networks

USUAL, CUT = 0.02, 0.9  # probes that find what is foreign lost: usually, and in a shutdown
NIGHTS = 3 * 24 * HOUR  # cut off again sooner, and it is the same shutdown


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
        as_one("shutdown", group, "Foreign canaries are lost, domestic ones answer")
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
