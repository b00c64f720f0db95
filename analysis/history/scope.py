"""On whose networks an event is: by which independent probes agree, and who is seen clean.

Rule: a network is shown by two probes, or by one in two sessions or with three targets, also
where it is too little for a change of its own; it is clean if it was
looked at often enough to have met what others meet. Nothing is said of networks where
nobody looked, and nothing national of one network. Where no clean network is known, there is
nothing to tell one network's doing from the nation's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from analysis.history.event import Part, Scope
from analysis.history.looks import Seen
from analysis.history.synchrony import at_once, order_of

MISSED = 0.05           # chance to have looked at a blocked network and met nothing
TARGETS = 3             # that one session met it with, and a network is shown
NATION = 0.6            # of the operators that were looked at; some follow late, or never
ACCESS = {"fixed", "mobile", "both"}  # kinds where the public is a customer


class Network(Protocol):
    """What is documented of a network (as `analysis.regime.model.Network`)."""

    @property
    def operator(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def gateways(self) -> tuple[int, ...]: ...


Networks = Mapping[int, Network]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A scope with what it rests on; fields as of `analysis.history.event.Event`, and whether
    all networks may have changed at once, as far as that is known."""

    scope: Scope
    networks: tuple[int, ...] = ()
    clean: tuple[int, ...] = ()
    resolvers: tuple[int, ...] = ()
    order: tuple[int, ...] = ()
    spread: float | None = None
    at_once: bool = False
    reasons: tuple[str, ...] = ()


@dataclass
class Place:
    """Looks of some probes in one network, one kind of access, one region."""

    asn: int
    network_type: str = ""
    region: str = ""
    struck: int = 0
    clean: int = 0
    probes: int = 0    # that were struck
    sessions: int = 0  # of one of them, at most
    targets: int = 0   # that one of them met it with, at most

    def add(self, seen: Seen) -> None:
        self.struck += seen.struck
        self.clean += seen.clean
        self.probes += seen.struck > 0
        self.sessions = max(self.sessions, seen.sessions)
        self.targets = max(self.targets, seen.targets)

    def shown(self, share: float, probes: int = 1) -> bool:
        """Whether independent looks agree that it happens here, where *share* of all do; looks
        of *probes* at least."""
        enough = self.probes >= 2 or self.sessions >= 2 or self.targets >= TARGETS
        enough = enough and self.probes >= probes
        return enough and self.struck >= 0.3 * share * (self.struck + self.clean)

    def spared(self, share: float) -> bool:
        """Whether it would have been met here, and was not."""
        looks = self.struck + self.clean
        if not looks or self.struck > 0.2 * share * looks:
            return False
        return looks * math.log(max(1e-9, 1 - 0.9 * share)) <= math.log(MISSED)


def places(seen: Iterable[Seen], key: Callable[[Seen], tuple[int, str, str]]) -> list[Place]:
    """*seen* added up by *key*: network, kind of access, region."""
    found: dict[tuple[int, str, str], Place] = {}
    for each in seen:
        at = key(each)
        found.setdefault(at, Place(*at)).add(each)
    return [found[at] for at in sorted(found)]


def by_network(seen: Seen) -> tuple[int, str, str]:
    return seen.asn, "", ""


def scope(
    parts: Sequence[Part], seen: Sequence[Seen], share: float, networks: Networks
) -> Found:
    """The scope of an event of *parts*.

    *seen*: what each probe of the country saw of its targets: on the networks of *parts*
    while the part lasted, on others while the event did. *share*: of its looks that are
    struck where it holds.
    """
    held = {p.probe_asn for p in parts}
    all_places = places(seen, by_network)
    shown = [p.asn for p in all_places if p.shown(share if p.asn in held else 1.0)]
    clean = [p.asn for p in all_places if p.asn not in held and p.spared(share)]
    changed = [asn for asn in shown if asn in held]
    order, spread = order_of(parts, changed)
    found = Found(
        scope="unknown", networks=tuple(shown), clean=tuple(clean), order=order, spread=spread,
        at_once=at_once(parts, changed),
        resolvers=tuple(sorted({p.resolver_asn for p in parts if p.resolver_asn})),
    )  # fmt: skip
    if not shown:
        return _as(found, "unknown", "No network shows it to two probes, or in two sessions.")
    for judge in (_of_resolver, _of_part_of_a_network):
        if (judged := judge(found, parts, seen, share, networks)) is not None:
            return judged
    return _of_networks(found, networks)


def _as(found: Found, scope: Scope, *reasons: str) -> Found:
    return msgspec.structs.replace(found, scope=scope, reasons=(*found.reasons, *reasons))


def _of_resolver(
    found: Found, parts: Sequence[Part], seen: Sequence[Seen], share: float, networks: Networks
) -> Found | None:
    """By the resolver alone: its askers in other networks meet it, others beside them do not."""
    if not all(p.mechanism.startswith("dns.") for p in parts):
        return None
    struck: dict[int, set[int]] = {}
    spared: dict[int, set[int]] = {}
    for asn, _type, _region in {by_network(s) for s in seen}:
        here = [s for s in seen if s.asn == asn and s.resolver]
        for resolver in {s.resolver for s in here}:
            place = Place(asn)
            for each in here:
                if each.resolver == resolver:
                    place.add(each)
            if place.shown(share):
                struck.setdefault(resolver, set()).add(asn)
            elif place.spared(share):
                spared.setdefault(resolver, set()).add(asn)
    owners = {operator(networks, r) for r in struck}
    askers = {asn for asns in struck.values() for asn in asns}
    others = {asn for asns in spared.values() for asn in asns}
    foreign = {a for a in askers if operator(networks, a) not in owners}
    if len(owners) != 1 or not foreign or not askers & others:
        return None
    owner = next(iter(owners))
    return _as(
        msgspec.structs.replace(
            found, resolvers=tuple(sorted(struck)), networks=tuple(sorted(askers))
        ),
        "resolver",
        f"Those who ask the resolvers of {owner} meet it, also from {_names(foreign)}; those"
        f" beside them in {_names(askers & others)} who ask others do not.",
    )


def _of_part_of_a_network(
    found: Found, parts: Sequence[Part], seen: Sequence[Seen], share: float, networks: Networks
) -> Found | None:
    """Mobile access, or some regions, while the rest of the same networks is clean."""
    held = set(found.networks)
    inside = [s for s in seen if s.asn in held]
    kinds = places([s for s in inside if s.network_type], lambda s: (s.asn, s.network_type, ""))
    mobile = {p.asn for p in kinds if p.network_type == "mobile" and p.shown(share)}
    mobile |= {a for a in held if a in networks and networks[a].kind == "mobile"}
    fixed_struck = {p.asn for p in kinds if p.network_type == "fixed" and p.shown(share)}
    fixed_struck |= {a for a in held if a in networks and networks[a].kind == "fixed"}
    fixed_clean = {p.asn for p in kinds if p.network_type == "fixed" and p.spared(share)}
    clean_of_kind = {a for a in found.clean if a in networks and networks[a].kind == "fixed"}
    met = {p.asn for p in kinds if p.network_type == "mobile" and p.shown(share, probes=2)}
    split = bool(fixed_clean & met) or len({operator(networks, a) for a in held}) >= 2
    if mobile >= held and not fixed_struck and (fixed_clean | clean_of_kind) and split:
        return _as(
            found, "mobile",
            f"Mobile access of {_names(mobile)} meets it, fixed access of"
            f" {_names(fixed_clean | clean_of_kind)} does not.",
        )  # fmt: skip
    regions = places([s for s in inside if s.region], lambda s: (s.asn, "", s.region))
    struck = {p.region for p in regions if p.shown(share, probes=2)}
    spared = {p.region for p in regions if p.spared(share)} - struck
    both = {p.asn for p in regions if p.region in struck} & {
        p.asn for p in regions if p.region in spared
    }
    if struck and spared and 2 * len(both) >= len(held):
        return _as(
            found, "regional",
            f"Met in {', '.join(sorted(struck))}; not in {', '.join(sorted(spared))}, on the"
            f" same {_names(both)}.",
        )  # fmt: skip
    return None


def _of_networks(found: Found, networks: Networks) -> Found:
    shown, clean = set(found.networks), set(found.clean)
    owners = {operator(networks, a) for a in shown}
    spared = {operator(networks, a) for a in clean} - owners
    if len(owners) == 1:
        if not clean:
            return _as(
                found, "unknown",
                f"Seen on {_names(shown)}, and nobody looked elsewhere often enough.",
            )  # fmt: skip
        name = next(iter(owners))
        if len(shown) == 1:
            return _as(found, "network", f"On {_names(shown)} alone; {_names(clean)} clean.")
        return _as(found, "operator", f"On {_names(shown)}, all of {name}; {_names(clean)} clean.")
    gateway = _gateway(found, networks)
    if gateway:
        return _as(
            found, "gateway",
            f"On {_names(shown)}, all customers of gateway AS{gateway}, at the same time; clean"
            f" behind others: {_names(a for a in clean if not _behind(networks, a, gateway))}.",
        )  # fmt: skip
    public = {o for o in owners if _kinds(networks, shown, o) & ACCESS}
    public_spared = {o for o in spared if _kinds(networks, clean, o) & ACCESS}
    if not public:
        return _group(found, shown, clean, "none of which serves the public")
    measured = len(public | public_spared)
    if len(public) >= 3 and len(public) >= NATION * measured:
        return _as(
            found, "national",
            f"On {len(public)} of {measured} operators that were looked at, which share neither"
            " owner nor gateway.",
        )  # fmt: skip
    if len(public) == measured:
        return _as(
            found, "unknown",
            f"On all {measured} operators that were looked at, too few to say of the country.",
        )  # fmt: skip
    return _group(found, shown, clean, "neither one owner's nor one gateway's")


def _group(found: Found, shown: set[int], clean: set[int], which: str) -> Found:
    beside = f"; {_names(clean)} clean" if clean else ""
    return _as(found, "group", f"On {_names(shown)}, {which}{beside}.")


def _gateway(found: Found, networks: Networks) -> int:
    """The gateway behind which all struck networks are, all at once, and not all clean ones."""
    if not found.at_once:
        return 0
    gateways = {g for a in found.networks if a in networks for g in networks[a].gateways}
    for gateway in sorted(gateways):
        if not all(_behind(networks, a, gateway) for a in found.networks):
            continue
        if any(a in networks and networks[a].gateways == (gateway,) for a in found.clean):
            continue
        if any(not _behind(networks, a, gateway) for a in found.clean):
            return gateway
    return 0


def _behind(networks: Networks, asn: int, gateway: int) -> bool:
    return asn == gateway or (asn in networks and gateway in networks[asn].gateways)


def operator(networks: Networks, asn: int) -> str:
    """Who runs *asn*; where that is not known, the network is its own operator."""
    return networks[asn].operator if asn in networks else f"AS{asn}"


def _kinds(networks: Networks, asns: Iterable[int], owner: str) -> set[str]:
    """Kinds of the networks of *owner* among *asns*; one that is not known serves the public."""
    return {
        networks[a].kind if a in networks else "fixed"
        for a in asns
        if operator(networks, a) == owner
    }


def _names(asns: Iterable[int]) -> str:
    return ", ".join(f"AS{asn}" for asn in sorted(asns))
