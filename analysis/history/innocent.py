"""Accusations that the surroundings of a target explain without anybody on the way.

Rule: a rule sees one measurement; here many are seen together. What one probe alone meets
while its neighbours do not is its household's doing, unless other networks agree. What is
met in several countries by the same means is the target's own fault. A target that all
networks lose at one time, with nothing in common but the country, by an unanswered SYN and
no name, refuses the country: no operator blocks so alike. What one network alone cannot
reach for some hours, by no name and no known mark, and then can, is a route that was lost.
What was mostly down was not blocked.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from analysis.history.decisions import Course, begins, ends, last_shown
from analysis.history.event import Part
from analysis.history.looks import Abroad, Said, Seen
from analysis.history.scope import Found, Networks, operator

HOUR = 3600.0
CLEAN_LOOKS = 4           # of another probe beside, that make it the one probe's own doing
COUNTRIES = 2             # abroad, where the same is met
EVERYWHERE = 0.4          # of the looks from abroad: not every resolver or path is alike
FEWEST_ABROAD = 3
ROUTE = 12 * HOUR         # that a lost route may last
OPERATORS = 4             # that all lose a target, for it to be the target's doing
BY_ADDRESS = {"tcp.silence", "tcp.unreachable"}


def lonely(part: Part, seen: Sequence[Seen]) -> bool:
    """Whether one probe alone met it, while others beside it did not; of a name, others that
    ask the same network's resolvers."""
    struck = [s for s in seen if s.struck > 0.2 * (s.struck + s.clean)]
    if len({s.probe for s in struck}) != 1:
        return False
    named = part.mechanism.startswith("dns.")
    asked = {s.resolver for s in struck}
    return any(
        s.probe != struck[0].probe and s.clean >= CLEAN_LOOKS and (not named or s.resolver in asked)
        for s in seen
    )


def own_household(course: Course, seen: Mapping[Part, Sequence[Seen]]) -> bool:
    """Whether a course is of one network, and of one probe there beside clean ones."""
    return len({p.probe_asn for p in course.parts}) == 1 and all(
        lonely(p, seen[p]) for p in course.parts
    )


def mostly_down(seen: Sequence[Seen]) -> bool:
    """Whether more looks found the target down, or refusing, than met anybody on the way."""
    return sum(s.down for s in seen) > sum(s.struck for s in seen)


def met_abroad(parts: Sequence[Part], abroad: Sequence[Abroad], said: Sequence[Said]) -> str:
    """In words, how the same is met in other countries; empty if it is not."""
    if any(s.fingerprints for s in said):
        return ""
    layers = {p.mechanism.partition(".")[0] for p in parts}
    looks: Counter[str] = Counter()
    same: Counter[str] = Counter()
    for look in abroad:
        if look.outcome in ("ok", "blocked", "down", "server_side"):
            looks[look.country] += look.looks
            if look.outcome == "blocked" and look.mechanism.partition(".")[0] in layers:
                same[look.country] += look.looks
    met = sorted(cc for cc, n in same.items() if 2 * n >= looks[cc])
    total, hits = sum(looks.values()), sum(same.values())
    if len(met) < COUNTRIES or hits < FEWEST_ABROAD or hits < EVERYWHERE * total:
        return ""
    return (
        f"Met by the same means in {', '.join(met)}, in {hits} of {total} looks from abroad: the"
        " target's own fault."
    )


def lost_route(parts: Sequence[Part], said: Sequence[Said]) -> str:
    """In words, why these targets were not blocked but out of reach; empty if that is not so."""
    networks = {p.probe_asn for p in parts}
    targets = {p.host for p in parts}
    if len(networks) != 1 or not _by_address(parts, said):
        return ""
    if any(math.isinf(ends(p)) for p in parts):
        return ""
    if max(last_shown(p, ends(p)) for p in parts) - min(begins(p) for p in parts) > ROUTE:
        return ""
    return (
        f"{len(targets)} not reached from AS{next(iter(networks))} alone, for some hours, by no"
        " name: a route that was lost, or addresses that were dropped for a while."
    )


def refuses_all(
    parts: Sequence[Part], said: Sequence[Said], where: Found, networks: Networks
) -> str:
    """In words, why it is the target that drops the country; empty if that is not so."""
    if where.clean or not _by_address(parts, said):
        return ""
    owners = {operator(networks, asn) for asn in where.networks}
    gateways = [set(networks[a].gateways) for a in where.networks if a in networks]
    known = [g for g in gateways if g]
    if len(owners) < OPERATORS or len(known) < 2 or set.intersection(*known):
        return ""
    if not where.at_once:
        return ""
    return (
        f"All {len(owners)} operators that were looked at lost it at the same time, by no name,"
        " behind gateways that have nothing in common: the target, or what is before it, drops"
        " the country. An address dropped at every gateway at once would look the same."
    )


def _by_address(parts: Sequence[Part], said: Sequence[Said]) -> bool:
    """Whether a SYN stays unanswered, and nothing tells that somebody on the way means it."""
    if not {p.mechanism for p in parts} <= BY_ADDRESS:
        return False
    return not any(s.fingerprints or s.located for s in said) and not _named(said)


def _named(said: Sequence[Said]) -> bool:
    """Whether most looks that know what is minded say that it is the name."""
    minded: Counter[str] = Counter()
    for each in said:
        if each.trigger:
            minded[each.trigger] += each.looks
    return 2 * minded["name"] > sum(minded.values())
