"""Arriving on a network: everything that is looked at before the first target, at once.

What is found goes into the run's row as facts, to the user as notes, and decides
whether measuring makes sense at all: behind a captive portal, without a line, or by a
clock that nobody can correct, every finding would be false.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import trio

from probe.asn import AddressBook
from probe.config import PortalCheck
from probe.control.client import ControlClient
from probe.control.introduction import Introduction
from probe.evidence import AddressInfo, Run
from probe.hops import HopNetwork
from probe.i18n import _
from probe.net import Network
from probe.surroundings import environment
from probe.surroundings.canary import Line, forger
from probe.surroundings.clock import MAX_OFF, NOT_BEFORE, Clock, agreed_offset
from probe.surroundings.resolvers import Resolvers
from probe.surroundings.upstream import Upstream, find_upstream, try_upstream
from probe.surroundings.way_out import WayOut, elsewhere, is_vpn, way_out

FIRST_LOOKS = 3  # before a line is called dead; a laptop that just woke up needs a moment
PAUSE = 2.0  # seconds between them


@dataclass
class Arrival:
    """*facts* are fields of `Run`. *stop* is a value of ``Run.ended`` where nothing can be
    measured, else empty. *notes* are sentences for the user."""

    line: Line
    clock: Clock = field(default_factory=Clock)
    facts: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    stop: str = ""
    upstream: Upstream = field(default_factory=Upstream)


async def arrive(
    net: Network,
    controls: ControlClient,
    checks: Sequence[PortalCheck],
    line_over: Callable[[Sequence[int]], Line],
    resolvers: Sequence[str] = (),
    whoami: str = "",
    hops: HopNetwork | None = None,
) -> tuple[Arrival, list[Introduction]]:
    """Look at families, portal, clock, line and controls. *line_over* makes the line's
    canaries for the families that there are; *resolvers* are those that this machine is set to
    use, *whoami* as in `probe.surroundings.upstream`. Without *hops* nothing is sent with
    limited hops."""
    ipv4, ipv6 = await environment.families(net)
    line = line_over([family for family, has in ((4, ipv4), (6, ipv6)) if has])
    introductions: list[Introduction] = []
    portals: list[environment.Portal] = []
    upstreams: list[Upstream] = []

    async def introduce() -> None:
        introductions.extend(await controls.introduce())

    async def look_for_portal() -> None:
        portals.append(await environment.look_for_portal(net, checks))

    async def look_behind_resolver() -> None:
        upstreams.append(await find_upstream(net, resolvers, whoami))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(introduce)
        nursery.start_soon(look_behind_resolver)
        nursery.start_soon(look_for_portal)
        nursery.start_soon(_first_looks, line)

    ours = [ip for i in introductions for ip in i.client_addresses]
    upstream = await try_upstream(net, upstreams[0], whoami, ours)
    found = Arrival(line, upstream=upstream)
    _judge_families(found, ipv4, ipv6)
    told = [i.clock_offset for i in introductions if i.clock_offset is not None]
    _judge_clock(found, agreed_offset([*portals[0].offsets, *told]))
    found.facts["captive_portal"] = portals[0].found
    found.facts["home_router"] = environment.home_router()
    if portals[0].found:
        found.stop = "captive_portal"
        found.notes.append(_("a captive portal answers in place of the sites: log in first"))
    elif line.lost or not (ipv4 or ipv6):
        found.stop = "no_network"
        found.notes.append(
            _("no network: none of the sites answers that always should (zond doctor says more)")
        )
    else:
        await _look_for_forger(net, hops, found)
    return found, introductions


async def _look_for_forger(net: Network, hops: HopNetwork | None, found: Arrival) -> None:
    """Greet the canaries, now that the time is known by which to judge their certificates."""
    issuer = forger(await found.line.look(greet=True))
    if not issuer:
        return
    abroad = found.line.addresses("foreign")
    found.facts["forger_at"] = await environment.nearness(net, abroad, hops)
    named = "".join(c if c.isprintable() else "?" for c in issuer)
    found.notes.append(
        _(
            "every certificate here is signed by {named}: something opens what is encrypted, an"
            " antivirus, an employer's or a parent's filter, or the network. If it is yours, turn"
            " it off: behind it certificates tell nothing",
            named=named,
        )
    )


async def _first_looks(line: Line) -> None:
    for _look in range(FIRST_LOOKS - 1):
        await line.look()
        if not line.lost:
            return
        await trio.sleep(PAUSE)
    await line.look()


def _judge_families(found: Arrival, ipv4: bool, ipv6: bool) -> None:
    """A route that leads nowhere is no family: half of all findings would be about it."""
    dead = set() if found.line.lost else found.line.dead_families()
    if dead:
        name = "IPv6" if 6 in dead else "IPv4"
        found.notes.append(
            _("{name} leads nowhere on this line, and is not measured", name=name)
        )
    found.facts |= {"ipv4": ipv4 and 4 not in dead, "ipv6": ipv6 and 6 not in dead}


def _judge_clock(found: Arrival, offset: float | None) -> None:
    found.facts["clock_offset"] = offset
    if offset is None and time.time() < NOT_BEFORE:
        found.stop = "wrong_clock"
        found.notes.append(
            _("this machine's clock is wrong, and no two servers agree on the time: set it first")
        )
    if offset is not None and abs(offset) > MAX_OFF:
        found.clock = Clock(offset)
        hours = abs(offset) / 3600
        much = _("{days} days", days=f"{hours / 24:.0f}") if hours > 48 else (
            _("{hours} hours", hours=f"{hours:.1f}")
        )  # fmt: skip
        said = (
            _("this machine's clock is behind by {much}; the servers' time is used", much=much)
            if offset > 0
            else _("this machine's clock is ahead by {much}; the servers' time is used", much=much)
        )
        found.notes.append(said)
    found.line.clock = found.clock


def judge_controls(
    found: Arrival,
    before: Run,
    introductions: Sequence[Introduction],
    resolvers: Resolvers,
    book: AddressBook,
    *,
    usual: frozenset[str] = frozenset(),
    vpn_ok: bool = False,
) -> None:
    """Add which controls answer, and whose network this is by their word.

    A run stays on the network on which it began (*before*). *usual*: where this machine is
    as a rule. Behind a VPN nothing is measured, unless *vpn_ok*.
    """
    for introduction in introductions:
        if introduction.failure is not None:
            found.notes.append(
                _(
                    "control {name} does not answer: {why}",
                    name=introduction.control, why=introduction.failure,
                )
            )
    own = environment.own_network(introductions, book)
    _judge_way_out(found, way_out(), own, usual, vpn_ok)
    if before.probe_asn and own.asn and own.asn != before.probe_asn:
        found.stop = found.stop or "interrupted"
        found.notes.append(
            _(
                "this run began in AS{then} and this is AS{now}: start a new run",
                then=before.probe_asn, now=own.asn,
            )
        )
    elif own.asn or not before.probe_asn:
        asked = (found.upstream.address, *resolvers.own)
        resolver = environment.resolver_network(asked, book)
        found.facts |= {
            "probe_asn": own.asn,
            "probe_cc": own.cc,
            "probe_network": own.holder,
            "resolver_asn": resolver.asn,
            "resolver_network": resolver.holder,
            "resolver_cc": resolver.cc,
            "resolver_at": found.upstream.at,
        }


def _judge_way_out(
    found: Arrival, way: WayOut, own: AddressInfo, usual: frozenset[str], vpn_ok: bool
) -> None:
    vpn = is_vpn(way, own, usual)
    found.facts |= {"way_out": way.kind, "vpn": vpn}
    if way.mobile:
        found.facts["home_router"] = None  # whatever its address
    here = f"AS{own.asn} {own.holder} ({own.cc})"
    if vpn and not vpn_ok:
        found.stop = found.stop or "vpn"
        found.notes.append(
            _(
                "a VPN is on ({name}): traffic leaves in {here}, whose network would be"
                " measured. Turn it off, or measure that network with --vpn-ok",
                name=way.name, here=here,
            )
        )
    elif vpn:
        found.notes.append(_("a VPN is on: what is found is about {here}", here=here))
    elif way.kind == "tunnel":
        found.notes.append(
            _(
                "traffic leaves by a tunnel ({name}): if that is a VPN, what is found is about"
                " the network at its other end: {here}",
                name=way.name, here=here if own.asn else "?",
            )
        )
    elif elsewhere(own, usual):
        found.notes.append(
            _(
                "this network is {here}, and this machine is usually in {usual}: what is found is"
                " about this network",
                here=here, usual="/".join(sorted(usual)),
            )
        )
