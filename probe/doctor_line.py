"""What only packets can tell: the line, names, families, portals, the time, the servers.

It is what a run does on arrival (`probe.arrival`), told line by line, and one question to
the collector. Which packets that takes, and who gets them, is said before (`packets`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import trio

from probe import environment
from probe.arrival import Arrival, arrive, judge_controls
from probe.asking import Controls
from probe.asn import AddressBook
from probe.canary import Line
from probe.clock import AGREEMENT, MAX_OFF
from probe.config import Config, ConfigError
from probe.control.introduction import Introduction
from probe.control.transport import fetch
from probe.doctor import Finding, fault, ok, unknown, warning
from probe.doctor_machine import address_database
from probe.evidence import CanaryCheck, Run
from probe.failure import NetworkFailure
from probe.net import Network, TrioNetwork
from probe.resolvers import Resolvers
from probe.session import resolvers_of
from probe.steps.certificate import Verifier
from probe.store import Store, StoreError
from probe.way_out import usual_countries
from probe.ways_out import open_way, ways_out

SECONDS = 180.0  # for everything; a dead line is looked at three times
COLLECTOR_SECONDS = 60.0
SHORT = 500  # characters of a server's word


@dataclass
class Looked:
    """What was seen. *routes*: whether this machine has one for IPv4, for IPv6. *collector* is
    how it answered, empty where it was not asked."""

    arrival: Arrival
    introductions: Sequence[Introduction]
    routes: tuple[bool, bool] = (True, True)
    checks: list[CanaryCheck] = field(default_factory=list)
    resolvers: Resolvers = field(default_factory=Resolvers)
    collector: str = ""


def packets(config: Config, *, sharing: bool) -> list[tuple[str, str]]:
    """What `look` sends: to whom, and what. *sharing* was agreed to."""
    resolvers = resolvers_of(config)
    own = ", ".join(resolvers.own) or "the system's resolver"
    sites = (*config.canaries.domestic, *config.canaries.foreign)
    checks = [check.url for check in config.portal_checks]
    controls = [control.url for control in config.all_controls]
    by = f", by {config.proxy}" if config.proxy else ""
    plan = [
        (own, f"the names of the sites below{_whoami(config)}"),
        (", ".join(resolvers.public[:2]), "the same, where that does not answer"),
        ("your router", "a connection to port 53, 80 or 443"),
        (", ".join(sites), "a connection to port 443, and a TLS handshake"),
        (", ".join(checks), "one page each, over plain HTTP"),
        (", ".join(controls), f"one request each{by}"),
    ]
    if sharing and config.upload.collector:
        plan.append((config.upload.collector, "one request, by the ways of [upload]"))
    return [(who, what) for who, what in plan if who]


def look(config: Config, *, sharing: bool) -> list[Finding]:
    """Every line. Raises `TrustStoreError`, `AddressBookError`, `ConfigError`."""
    try:
        return list(judge(config, trio.run(partial(look_around, config, sharing=sharing))))
    except trio.TooSlowError:
        do = "try again; if it stays so, look for what else uses the line"
        return [warning("line", f"looking at it took more than {SECONDS:g} seconds", do)]


async def look_around(
    config: Config, *, sharing: bool, net: Network | None = None
) -> Looked:
    """Arrive as a run does, and ask the collector whether it is there."""
    net = net or TrioNetwork()
    verifier, resolvers = Verifier(None), resolvers_of(config)
    checks: list[CanaryCheck] = []

    async def report(latest: list[CanaryCheck]) -> None:
        await trio.lowlevel.checkpoint()
        checks[:] = latest

    def line_over(families: Sequence[int]) -> Line:
        return Line(
            net, config.canaries, run_id="", report=report, gateways=environment.gateways(),
            resolvers=resolvers.public, families=families or (4,), verifier=verifier,
        )  # fmt: skip

    with AddressBook(address_database(config)) as book, trio.fail_after(SECONDS):
        async with Controls(config) as controls:
            arrival, introductions = await arrive(
                net, controls.client, config.portal_checks, line_over, resolvers.own,
                config.resolvers.whoami,
            )  # fmt: skip
            if arrival.clock.offset:
                await controls.renew(clock_wrong=True)
                introductions = await controls.client.introduce()
            judge_controls(
                arrival, Run(id="", started_at=0.0), introductions, resolvers, book,
                usual=usual_countries(_earlier(config)), vpn_ok=config.vpn_ok,
            )  # fmt: skip
        collector = await _ask_collector(config) if sharing else ""
    routes = await environment.families(net)
    return Looked(arrival, introductions, routes, checks, resolvers, collector)


def judge(config: Config, looked: Looked) -> Iterator[Finding]:
    """The lines of what was seen."""
    facts = looked.arrival.facts
    yield _portal(facts)
    yield _line(looked)
    if looked.arrival.line.lost:
        return  # all else would be said of a line that is not there
    yield _names(looked)
    yield from _families(looked.routes, facts)
    yield _certificates(looked.arrival)
    yield _vpn(config, facts)
    yield _clock(facts.get("clock_offset"), looked.arrival)
    yield _controls(config, looked.introductions)
    yield _place(facts)
    if looked.collector:
        yield _collector(looked.collector)


def _line(looked: Looked) -> Finding:
    alive = looked.arrival.line.alive
    if looked.arrival.line.lost:
        said = "none of the sites answers that always should"
        do = "is the cable in, is the bill paid, does a browser open anything?"
        return fault("line", said, do, stops=True)
    if alive.get("foreign") is False:
        said = "sites at home answer, and none abroad: the network is cut at the border"
        return warning("line", said, "nothing is wrong with this machine; runs say so and go on")
    if alive.get("domestic") is False:
        return warning("line", "sites abroad answer, and none at home", "is this a line abroad?")
    return ok("line", "sites at home and abroad answer")


def _names(looked: Looked) -> Finding:
    asked = {check.name: check.resolver_failure for check in looked.checks if check.ring != "home"}
    failed = {name: why for name, why in asked.items() if why is not None}
    own = ", ".join(looked.resolvers.own) or "the system's resolver"
    if asked and len(failed) == len(asked):
        why = next(iter(failed.values()))
        do = "restart the router, or set another resolver; other ways to resolve are measured"
        return fault("dns", f"{own} resolves nothing: {why}", do)
    if failed:
        names = ", ".join(failed)
        said = f"{own} does not resolve {names}"
        do = "look whether a browser opens it; if all else works, that is a finding of a run"
        return warning("dns", said, do)
    return ok("dns", f"{own} resolves")


def _families(routes: tuple[bool, bool], facts: dict[str, Any]) -> Iterator[Finding]:
    for version, routed in zip((4, 6), routes, strict=True):
        name, works = f"ipv{version}", facts[f"ipv{version}"]
        if works:
            yield ok(name, "works")
        elif routed:
            do = "restart the router; until then only the other family is measured"
            yield warning(name, "there is a route, and nothing answers by it", do)
        elif version == 4:
            do = "this network is IPv6 alone: what has only IPv4 is not measured"
            yield warning(name, "this line has none", do)
        else:
            yield ok(name, "this line has none, and it is not measured")


def _portal(facts: dict[str, Any]) -> Finding:
    match facts["captive_portal"]:
        case True:
            said = "a login page answers in place of the sites"
            return fault("portal", said, "open a browser and log in", stops=True)
        case None:
            return unknown("portal", "no page answered by which it shows")
        case _:
            return ok("portal", "no login page stands in between")


def _certificates(arrival: Arrival) -> Finding:
    if "forger_at" not in arrival.facts:
        return ok("certificates", "nobody signs for every site")
    said = next(note for note in arrival.notes if note.startswith("every certificate"))
    do = "if an antivirus or a filter of yours does it, turn that off"
    return fault("certificates", said.partition(":")[0], do)


def _vpn(config: Config, facts: dict[str, Any]) -> Finding:
    if facts["vpn"] and not config.vpn_ok:
        said = "a VPN is on: the network at its other end would be measured"
        return fault("vpn", said, "turn it off, or measure that one: --vpn-ok", stops=True)
    if facts["vpn"]:
        return ok("vpn", "a VPN is on, as you said")
    if facts["way_out"] == "tunnel":
        do = "if that is a VPN turn it off, or the network at its other end is measured"
        return warning("vpn", "packets leave by a tunnel", do)
    if not facts["way_out"]:
        return unknown("vpn", "this system does not tell by which way packets leave")
    if facts["vpn"] is None:
        said = "this machine is not where it usually is"
        return warning("vpn", said, "a VPN in the router? Else it is a journey, and nothing wrong")
    return ok("vpn", "none is on")


def _clock(offset: float | None, arrival: Arrival) -> Finding:
    if arrival.stop == "wrong_clock":
        said = "it is wrong, and no two servers agree on the time"
        return fault("clock", said, "set it: timedatectl set-ntp true", stops=True)
    if offset is None:
        return unknown("clock", "no two servers agree on the time")
    said = f"{abs(offset):,.0f} seconds {'behind' if offset > 0 else 'ahead'}"
    if abs(offset) > MAX_OFF:
        do = "set it: timedatectl set-ntp true; until then runs go by the servers' time"
        return fault("clock", said, do)
    if abs(offset) > AGREEMENT:
        return warning("clock", said, "set it: timedatectl set-ntp true")
    return ok("clock", "right to the minute")


def _controls(config: Config, introductions: Sequence[Introduction]) -> Finding:
    if not config.all_controls:
        do = "--control URL, or ooni_helpers = true for OONI's public ones"
        return warning("controls", "none is set: less can be said of what is measured", do)
    silent = [i for i in introductions if i.failure is not None]
    said = "; ".join(f"{i.control}: {i.failure}" for i in silent)
    if len(silent) == len(introductions):
        do = "are they blocked here? Another way to them: proxy = \"socks5h://127.0.0.1:9050\""
        return fault("controls", f"none answers ({said})", do)
    if silent:
        do = "runs go on with the others; what one control says is never called a block"
        return warning("controls", f"{len(introductions) - len(silent)} answer; {said}", do)
    if len(introductions) == 1:
        do = "a second one: what one control says is never enough to call silence a block"
        return warning("controls", "one answers", do)
    return ok("controls", f"{len(introductions)} answer")


def _place(facts: dict[str, Any]) -> Finding:
    if asn := facts.get("probe_asn"):
        return ok("place", f"AS{asn} {facts['probe_network']} ({facts['probe_cc']})")
    do = "two controls tell: without them measurements are of an unknown network"
    return warning("place", "nobody told whose network this is", do)


def _collector(answer: str) -> Finding:
    if answer == "ok":
        return ok("collector", "it answers, and can store")
    do = "what is measured waits on this machine; or another way: [upload] ways"
    return fault("collector", answer, do)


async def _ask_collector(config: Config) -> str:
    """``ok``, or why not; empty where none is set. By the user's ways alone."""
    if not (url := config.upload.collector):
        return ""
    try:
        ways = ways_out(config.upload, config.proxy)
    except ConfigError as exc:
        return str(exc)
    troubles = [] if ways else ["batches go by a carried file"]
    for way in ways:
        with trio.move_on_after(COLLECTOR_SECONDS) as scope:
            try:
                async with open_way(way, url) as client:
                    reply = await fetch(client, "GET", f"{url.rstrip('/')}/health")
            except NetworkFailure as exc:
                troubles.append(f"{way.name}: {exc}"[:SHORT])
                continue
            if reply.status == 200:
                return "ok"
            troubles.append(f"{way.name}: status {reply.status}")
        if scope.cancelled_caught:
            troubles.append(f"{way.name}: no answer in {COLLECTOR_SECONDS:g} s")
    return "; ".join(troubles)


def _earlier(config: Config) -> list[Run]:
    """The runs of this machine, by which it knows where it usually is."""
    try:
        with Store(config.database) as store:
            return [run for run in store.runs() if not run.imported]
    except StoreError:
        return []  # there are none yet, or the line about the database says why


def _whoami(config: Config) -> str:
    return f", and {config.resolvers.whoami}" if config.resolvers.whoami else ""
