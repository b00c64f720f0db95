"""The matrix: every way to block that makes sense, at every distance, beside the path and in it.

Makes the world of each cell of `lab.worlds.cells`, by one function for each layer.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable
from typing import Any

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
    QUICClose,
    QUICDrop,
    Slowness,
    SNIClose,
    SNIDrop,
    SNIReset,
    ThrottleAddress,
    ThrottleName,
    a_censor,
)
from lab.certificates import SELF_MADE
from lab.middlebox import Rewrite, Rule
from lab.resolvers import OWN, Kind, Name
from lab.sites import Page, Site
from lab.splice import SNIForge
from lab.topology import HOME_ADDRESSES, LINKS, THROUGH_GATEWAY_1, host_prefix
from lab.world import Censor, Wire, World
from lab.worlds import fixtures
from lab.worlds.cells import HOPS, Cell, cells, truth_of
from lab.worlds.plan import DOMESTIC, Plan, known, world
from lab.worlds.quic import H3_RECORD, site_with_h3

HOUSEHOLD = tuple(host_prefix(address) for address in HOME_ADDRESSES)
RESIDUE = 4.0  # seconds
# Who gets no answer waits for one as long as a handshake may take; only what lasts longer
# than that can be noticed.
RESIDUE_OF_SILENCE = 16.0

_DRAFT_29 = 0xFF00001D  # a version of QUIC that nobody speaks any more
_ROUTERS = {link.wire: link.far_addresses for link in LINKS}
_KIND: dict[str, Kind] = {"forged": "answer", "nxdomain": "nxdomain", "drop": "silence"}


def world_of(plan: Plan, cell: Cell) -> World:
    """The world of *cell*, with names, addresses and pages of *plan*."""
    makers = {
        "dns": _dns, "ip": _ip, "sni": _sni, "host": _host, "quic": _quic, "throttle": _throttle
    }  # fmt: skip
    return makers[cell.layer](plan, cell)


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


def _quic(plan: Plan, cell: Cell) -> World:
    site = site_with_h3(plan)
    named = _named(plan, cell, 443)
    rule: Rule
    match cell.action:
        case "drop":
            rule = QUICDrop(**named)
        case "close":
            rule = QUICClose(**named)
        case _:
            rule = QUICClose(versions=(_DRAFT_29,), **named)
    zone = (known(site, https=H3_RECORD),)
    return plan.world_of(
        truth_of(cell), site, zone=zone, censors=_censors(cell, lambda _: rule)
    )


def _throttle(plan: Plan, cell: Cell) -> World:
    """As in `lab.worlds.throttled`, at every hop."""
    plan.scheme, plan.path = "https", "/"
    trigger, _, how = cell.action.partition("-")
    page = plan.article(paragraphs=60)
    site = plan.site(page, addresses=(plan.address(),))
    slowness = {
        "shaped": Slowness(rate=plan.chance.uniform(6e3, 9e3)),
        "policed": Slowness(rate=16e3, queue=0.3),
        "delayed": Slowness(delay=plan.chance.uniform(0.15, 0.225)),
    }[how]
    rule: Rule
    if trigger == "name":
        rule = ThrottleName(names=(plan.host,), slowness=slowness, **_whose(cell))
    else:
        rule = ThrottleAddress(addresses=site.addresses, slowness=slowness, **_whose(cell))
    return plan.world_of(truth_of(cell), site, censors=_censors(cell, lambda _: rule))


CELLS = {cell.name: cell for cell in cells()}
for _name, _cell in CELLS.items():
    world("matrix", _name)(functools.partial(world_of, cell=_cell))
