"""Somebody near opens every encrypted connection: a program, a router, a network, a state."""

from __future__ import annotations

from dataclasses import replace

from lab.censors import a_censor
from lab.middlebox import Rewrite
from lab.topology import CONTROL_1_ADDRESSES, CONTROL_2_ADDRESSES, OPERATOR_RESOLVER_ADDRESSES
from lab.world import Truth, Wire, World
from lab.worlds.plan import build, truly
from lab.worlds.whole.situation import CountryWorld, Forger, some

BOX = "93.85.255.2"  # the operator's, where one stands
CONTROLS = (*CONTROL_1_ADDRESSES, *CONTROL_2_ADDRESSES)


def _behind_forger(seed: int, over_tls: Truth) -> tuple[World, ...]:
    """Sites of all kinds where somebody signs for everybody: what is in the clear is as ever."""
    return some(
        seed,
        http_only_site=truly("ok|inconclusive", note="the controls may be kept away, too"),
        http_redirect_beltelecom=None,
        https_only_site=over_tls,
        domestic_site=truly("|".join(over_tls.outcome) + "|ok", note="its page in the clear"),
        tls_reset=over_tls,
        expired_certificate=truly("|".join(over_tls.outcome) + "|down"),
    )


def antivirus(seed: int) -> CountryWorld:
    return CountryWorld(
        name="antivirus",
        note="a program on the machine signs for everybody by a name that is known",
        worlds=_behind_forger(seed, truly("local_fault")),
        # It is an error of our own if we take away what the controls would have said.
        forger=Forger(
            issuer="ESET SSL Filter CA",
            spares=CONTROLS if seed % 2 else (),
        ),
        ipv6=seed % 3 != 0,
        findings=frozenset({"forger"}),
    )


def unknown_program(seed: int) -> CountryWorld:
    return CountryWorld(
        name="unknown_program",
        note="a program on the machine signs for everybody by a name that nobody knows",
        worlds=_behind_forger(seed, truly("local_fault")),
        forger=Forger(issuer="Northwind Traffic Inspection", spares=CONTROLS),
        findings=frozenset({"forger"}),
    )


def _forged_in_the_network(
    name: str, note: str, issuer: str, worlds: tuple[World, ...]
) -> CountryWorld:
    """A box of the operator's to which every encrypted connection but the controls' is led."""
    spared = [
        Rewrite(address=address, port=443, to=address, to_port=443)
        for address in CONTROLS
        if ":" not in address
    ]
    rules = (*spared, Rewrite(address=None, port=443, to=BOX, to_port=443))
    return CountryWorld(
        name=name,
        note=note,
        worlds=worlds,
        forger=Forger(issuer=issuer, addresses=(BOX,)),
        ipv6=False,
        censors={Wire.LINE: (a_censor(*rules),)},
        findings=frozenset({"forger"}),
    )


def network_signs_for_all(seed: int) -> CountryWorld:
    return _forged_in_the_network(
        "network_signs_for_all",
        "a box beyond the household, an employer's or the operator's, signs for everybody",
        "Northwind Traffic Inspection",
        _behind_forger(seed, truly("inconclusive", note="nobody can tell whose it is")),
    )


def _forged_at_the_first_hop(name: str, note: str, seed: int, truth: Truth) -> CountryWorld:
    box = OPERATOR_RESOLVER_ADDRESSES[0]
    spared = [
        Rewrite(address=address, port=443, to=address, to_port=443)
        for address in CONTROLS
        if ":" not in address
    ]
    rules = (*spared, Rewrite(address=None, port=443, to=box, to_port=443))
    return CountryWorld(
        name=name,
        note=note,
        worlds=_behind_forger(seed, truth),
        forger=Forger(issuer="Northwind Traffic Inspection", addresses=(box,)),
        ipv6=False,
        censors={Wire.LINE: (a_censor(*rules),)},
        findings=frozenset({"forger"}),
    )


def router_signs_for_all(seed: int) -> CountryWorld:
    return replace(
        _forged_at_the_first_hop(
            "router_signs_for_all",
            "the household's own router signs for everybody by a name that nobody knows",
            seed,
            truly("local_fault"),
        ),
        private_router=True,
    )


def access_network_signs_for_all(seed: int) -> CountryWorld:
    return _forged_at_the_first_hop(
        "access_network_signs_for_all",
        "the first router signs for everybody, and it is the operator's",
        seed,
        truly("inconclusive"),
    )


def router_resets(seed: int) -> CountryWorld:
    """A parents' filter in the home router, and the operator's censor behind it."""
    worlds = [build("tls_reset", seed + n) for n in range(4)]
    rules = [next(iter(world.censors.values())) for world in worlds]
    at_home = truly("local_fault", note="it is the router at home that resets")
    return CountryWorld(
        name="router_resets",
        note="the household's own router resets some names, the border others",
        worlds=(
            *(
                replace(world, censors={Wire.LINE: rule}, truth=at_home)
                for world, rule in zip(worlds[:2], rules[:2], strict=True)
            ),
            *(
                replace(world, censors={Wire.BORDER_1: rule, Wire.BORDER_2: rule})
                for world, rule in zip(worlds[2:], rules[2:], strict=True)
            ),
            build("plain_site", seed),
        ),
        private_router=True,
    )


def state_signs_for_all(seed: int) -> CountryWorld:
    return _forged_in_the_network(
        "state_signs_for_all",
        "the same, and the name is that of a state's authority",
        "Qaznet Trust Network",
        tuple(
            replace(build("https_only_site", seed + n), truth=truly("blocked", "tls.forged"))
            for n in range(3)
        ),
    )


def some_are_forged(seed: int) -> CountryWorld:
    """The guilty twin: the list is forged, and what nobody blocks is not."""
    return CountryWorld(
        name="some_are_forged",
        note="several sites get certificates of one authority that no store has",
        worlds=(
            *(build("tls_forged", seed + n) for n in range(4)),
            *some(seed, tls_forged_a1=None, https_only_site=None),
        ),
    )
