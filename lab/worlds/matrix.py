"""The matrix: every way to block that makes sense, at every distance, beside the path and in it.

A `Cell` is one combination; one function makes its world and its truth. So what a cell
expects follows from what its censor does, and nothing is written down twice. The
censor is at the wire that is *hop* hops away from home; at the fourth, which the
controls pass as well, it is about the household alone.
"""

from __future__ import annotations

import functools
import ipaddress
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from lab.censors import (
    AddressDrop,
    AddressRefuse,
    AddressReset,
    AddressUnreachable,
    DNSDrop,
    DNSInject,
    HTTPClose,
    HTTPDrop,
    HTTPInjectPage,
    HTTPReset,
    SNIClose,
    SNIDrop,
    SNIReset,
    a_censor,
)
from lab.certificates import SELF_MADE
from lab.middlebox import Rewrite, Rule
from lab.resolvers import OWN, Kind, Name
from lab.sites import Page, Site
from lab.splice import SNIForge
from lab.topology import HOME_ADDRESSES, LINKS, THROUGH_GATEWAY_1, host_prefix
from lab.world import Censor, Truth, Wire, World
from lab.worlds import fixtures
from lab.worlds.plan import DOMESTIC, Plan, known, truly, world

HOPS: dict[int, tuple[Wire, ...]] = {
    1: (Wire.LINE,),
    2: (Wire.UPLINK_1, Wire.UPLINK_2),
    3: (Wire.BORDER_1, Wire.BORDER_2),
    4: (Wire.HOSTING, Wire.TRANSIT),  # sites and public resolvers
}
HOUSEHOLD = tuple(host_prefix(address) for address in HOME_ADDRESSES)
RESIDUE = 6.0  # seconds
# Who gets no answer waits for one as long as a handshake may take; only what lasts longer
# than that can be noticed.
RESIDUE_OF_SILENCE = 16.0
_ROUTERS = {wire: link.far_addresses for link in LINKS for wire in (link.wire,)}

Layer = Literal["dns", "ip", "sni", "host"]
Position = Literal["in-path", "on-path"]
BOTH: tuple[Position, ...] = ("in-path", "on-path")
IN_PATH: tuple[Position, ...] = ("in-path",)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One combination.

    *port_agnostic*: the censor reads the name, or means the address, on every port;
    else on the port of the layer alone. *residual*: a trigger is punished for some
    seconds; in the path by dropping, beside it by refusing.
    """

    layer: Layer
    action: str
    position: Position
    hop: int
    port_agnostic: bool = False
    residual: bool = False

    @property
    def name(self) -> str:
        more = "-any-port" * self.port_agnostic + "-residual" * self.residual
        return f"matrix/{self.layer}-{self.action}-{self.position}-hop{self.hop}{more}"


# What makes sense: a packet can only be kept back by who is in the path, and an address
# is known before anything has been said.
ACTIONS: dict[Layer, dict[str, tuple[Position, ...]]] = {
    "dns": {"forged": BOTH, "nxdomain": BOTH, "drop": IN_PATH},
    "ip": {
        "drop": IN_PATH, "refuse": BOTH, "reset": BOTH, "unreachable": IN_PATH, "forged": IN_PATH,
    },
    "sni": {
        "drop": IN_PATH, "reset-both-ways": BOTH, "reset-one-way": BOTH, "fin": BOTH,
        "alert": BOTH, "forged": IN_PATH,
    },
    "host": {
        "drop": IN_PATH, "reset-both-ways": BOTH, "reset-one-way": BOTH, "fin": BOTH,
        "redirect": BOTH, "page": BOTH,
    },
}  # fmt: skip
# Which of them are also tried on all ports, and with a residue.
ANY_PORT: dict[Layer, tuple[str, ...]] = {
    "ip": ("drop", "refuse"), "sni": ("drop", "reset-one-way"), "host": ("reset-one-way", "page"),
}  # fmt: skip
RESIDUAL: dict[Layer, tuple[str, ...]] = {
    "sni": ("drop", "reset-one-way"), "host": ("reset-both-ways", "redirect"),
}  # fmt: skip


def cells() -> Iterator[Cell]:
    """All of them, in an order that stays."""
    for layer, actions in ACTIONS.items():
        for (action, positions), hop in itertools.product(actions.items(), HOPS):
            for position in positions:
                make = functools.partial(
                    Cell, layer=layer, action=action, position=position, hop=hop
                )
                yield make()
                if action in ANY_PORT.get(layer, ()):
                    yield make(port_agnostic=True)
                if action in RESIDUAL.get(layer, ()):
                    yield make(residual=True)


_KIND: dict[str, Kind] = {"forged": "answer", "nxdomain": "nxdomain", "drop": "silence"}
_MECHANISM = {
    "dns-drop": ("dns.silence",),
    # Own resolvers behind the injector believe it; in the path it looks like their own lie.
    "dns-forged": ("dns.injected", "dns.injected|dns.substituted"),
    "dns-nxdomain": ("dns.injected", "dns.injected|dns.nxdomain"),
    "ip-drop": ("tcp.silence",), "ip-refuse": ("tcp.refused",), "ip-reset": ("tcp.reset",),
    "ip-unreachable": ("tcp.unreachable",), "ip-forged": ("tls.forged",),
    "sni-drop": ("tls.silence",), "sni-reset-both-ways": ("tls.reset",),
    "sni-reset-one-way": ("tls.reset",), "sni-fin": ("tls.closed",), "sni-alert": ("tls.alert",),
    "sni-forged": ("tls.forged",),
    "host-drop": ("http.silence",), "host-reset-both-ways": ("http.reset",),
    "host-reset-one-way": ("http.reset",), "host-fin": ("http.closed",),
    "host-redirect": ("http.redirect", "http.redirect|http.blockpage"),
    "host-page": ("http.blockpage",),
}  # fmt: skip


def truth_of(cell: Cell) -> Truth:
    """What is so where the censor is as *cell* says."""
    trigger = "name"
    if cell.layer == "ip":
        trigger = "address" if cell.port_agnostic else "address|port"
    return truly(
        "blocked",
        *_MECHANISM[f"{cell.layer}-{cell.action}"],
        trigger=trigger,
        hop=cell.hop,
        position=cell.position,
        residual=cell.residual if cell.layer in ("sni", "host") else None,
    )


def world_of(plan: Plan, cell: Cell) -> World:
    """The world of *cell*, with names, addresses and pages of *plan*."""
    make = {"dns": _dns, "ip": _ip, "sni": _sni, "host": _host}[cell.layer]
    return make(plan, cell)


def _censors(
    cell: Cell, rule: Callable[[Wire], Rule]
) -> dict[Wire, tuple[Callable[[], Censor], ...]]:
    return {wire: (a_censor(rule(wire)),) for wire in HOPS[cell.hop]}


def _common(plan: Plan, cell: Cell) -> dict[str, Any]:
    """Fields that every rule about packets to forge has."""
    return {
        "ttl": plan.chance.choice((64, 128, 255)),
        "drop_original": cell.position == "in-path",
        **_whose(cell),
    }


def _whose(cell: Cell) -> dict[str, Any]:
    return {"clients": HOUSEHOLD} if cell.hop == 4 else {}


def _dns(plan: Plan, cell: Cell) -> World:
    """On the line all queries pass; further out the operator's resolver has believed it already."""
    site = plan.site()
    server = Site(
        names=(plan.name(tld="by"),),
        addresses=(plan.address(*DOMESTIC),),
        http=fixtures.block_page(fixtures.UNLISTED_PAGE),
    )
    names, whose = (plan.host,), _whose(cell)
    rule: Rule
    if cell.action == "drop":
        rule = DNSDrop(names=names, **whose)
    elif cell.action == "nxdomain":
        rule = DNSInject(names=names, rcode="NXDOMAIN", **_common(plan, cell))
    else:
        rule = DNSInject(names=names, answers=server.addresses, **_common(plan, cell))
    zone = [known(site)]
    if cell.hop > 1:
        lie = server.addresses if cell.action == "forged" else ()
        zone.append(Name(name=plan.host, addresses=lie, kind=_KIND[cell.action], at=(OWN,)))
    sites = (site, server) if cell.action == "forged" else (site,)
    return plan.world_of(
        truth_of(cell), *sites, zone=tuple(zone), censors=_censors(cell, lambda _: rule)
    )


def _ip(plan: Plan, cell: Cell) -> World:
    if cell.action == "forged":
        return _forged(plan, cell)
    plan.scheme = "https"
    site = plan.site()
    meant: dict[str, Any] = {
        "addresses": site.addresses, "ports": () if cell.port_agnostic else (443,), **_whose(cell)
    }  # fmt: skip
    forges = _common(plan, cell) | meant

    def rule(wire: Wire) -> Rule:
        match cell.action:
            case "drop":
                return AddressDrop(**meant)
            case "refuse":
                return AddressRefuse(**forges)
            case "reset":
                return AddressReset(**forges)
            case _:
                return AddressUnreachable(routers=_ROUTERS[wire], **meant)

    return plan.world_of(truth_of(cell), site, censors=_censors(cell, rule))


def _forged(plan: Plan, cell: Cell) -> World:
    """Port 443 of the address is led to a server that has a certificate of its own making."""
    plan.scheme = "https"
    true, other = _behind_one_gateway(plan)
    site = plan.site(addresses=(true,))
    forger = Site(
        names=site.names,
        addresses=(other,),
        https=fixtures.block_page(fixtures.UNLISTED_PAGE),
        certificate=SELF_MADE,
    )
    rule = Rewrite(
        address=site.addresses[0], port=443, to=forger.addresses[0], to_port=443, **_whose(cell)
    )
    return plan.world_of(
        truth_of(cell), site, forger, zone=(known(site),), censors=_censors(cell, lambda _: rule)
    )


def _behind_one_gateway(plan: Plan) -> list[str]:
    """Two addresses that are reached over the same gateway."""
    first = ipaddress.ip_network(THROUGH_GATEWAY_1[0])
    sides: dict[bool, list[str]] = {True: [], False: []}
    for _ in range(3):  # of three, two are on one side
        address = plan.address()
        sides[ipaddress.ip_address(address) in first].append(address)
    return max(sides.values(), key=len)[:2]


def _named(plan: Plan, cell: Cell, port: int) -> dict[str, Any]:
    """Fields of a rule about the world's name."""
    punishes_by = "drop" if cell.position == "in-path" else "reset"
    seconds = RESIDUE_OF_SILENCE if cell.action == "drop" else RESIDUE
    residue = {"residual": seconds, "punishes_by": punishes_by}
    return {
        "names": (plan.host,),
        "ports": () if cell.port_agnostic else (port,),
        **(residue if cell.residual else {}),
        **_common(plan, cell),
    }


def _sni(plan: Plan, cell: Cell) -> World:
    plan.scheme = "https"
    named = _named(plan, cell, 443)
    mutes = cell.position == "in-path"
    sites = [plan.site()]
    rule: Rule
    match cell.action:
        case "drop":
            rule = SNIDrop(**named)
        case "reset-both-ways" | "reset-one-way":
            rule = SNIReset(to_server=cell.action == "reset-both-ways", **named)
        case "fin":
            rule = SNIClose(mutes=mutes, **named)
        case "forged":
            rule = SNIForge(to=fixtures.FORGERS, **named)
            sites.append(
                Site(
                    names=(plan.host,),
                    addresses=fixtures.FORGERS,
                    https=fixtures.block_page(fixtures.UNLISTED_PAGE),
                    certificate=SELF_MADE,
                )
            )
        case _:
            alert = bytes((21, 3, 3, 0, 2, 2, plan.chance.choice((40, 49, 112))))
            rule = SNIClose(mutes=mutes, payload=alert, **named)
    zone = (known(sites[0]),)
    return plan.world_of(
        truth_of(cell), *sites, zone=zone, censors=_censors(cell, lambda _: rule)
    )


def _host(plan: Plan, cell: Cell) -> World:
    plan.scheme = "http"
    named = _named(plan, cell, 80)
    mutes = cell.position == "in-path"
    sites = [plan.site()]
    rule: Rule
    match cell.action:
        case "drop":
            rule = HTTPDrop(**named)
        case "reset-both-ways" | "reset-one-way":
            rule = HTTPReset(to_server=cell.action == "reset-both-ways", **named)
        case "fin":
            rule = HTTPClose(mutes=mutes, **named)
        case "redirect":
            server = _blocking(plan)
            sites.append(server)
            head = (
                f"HTTP/1.1 302 Found\r\nLocation: http://{server.names[0]}/stop\r\n"
                "Content-Length: 0\r\nConnection: close\r\n\r\n"
            )
            rule = HTTPInjectPage(mutes=mutes, payload=head.encode(), **named)
        case _:
            page = fixtures.whole_response(fixtures.UNLISTED_PAGE)
            rule = HTTPInjectPage(mutes=mutes, payload=page, **named)
    return plan.world_of(truth_of(cell), *sites, censors=_censors(cell, lambda _: rule))


def _blocking(plan: Plan) -> Site:
    """Where an operator keeps its block page."""
    page: Page = fixtures.block_page(fixtures.UNLISTED_PAGE)
    return Site(names=(plan.name(tld="by"),), addresses=(plan.address(*DOMESTIC),), http=page)


CELLS = {cell.name: cell for cell in cells()}
for _name, _cell in CELLS.items():
    world("matrix", _name)(functools.partial(world_of, cell=_cell))
