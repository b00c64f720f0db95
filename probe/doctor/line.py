"""What only packets can tell: the line, names, families, portals, the time, the servers.

It is what a run does on arrival (`probe.surroundings.arrival`), told line by line, and one
question to the collector. Which packets that takes, and who gets them, is said before (`packets`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import trio

from probe.asking import Controls
from probe.asn import AddressBook
from probe.config import Config, ConfigError, Upload
from probe.control.introduction import Introduction
from probe.control.transport import fetch
from probe.doctor.finding import Finding, fault, ok, unknown, warning
from probe.doctor.machine import turn_it_off
from probe.doctor.stored import address_database
from probe.evidence import CanaryCheck, Run
from probe.failure import Failure, NetworkFailure
from probe.i18n import _
from probe.net import Network, TrioNetwork
from probe.session import resolvers_of
from probe.steps.certificate import Verifier
from probe.store import Store, StoreError
from probe.surroundings import environment
from probe.surroundings.arrival import Arrival, arrive, judge_controls
from probe.surroundings.canary import Line
from probe.surroundings.clock import AGREEMENT, MAX_OFF
from probe.surroundings.resolvers import Resolvers
from probe.surroundings.way_out import usual_countries
from probe.upload.ways_out import open_way, ways_out

SECONDS = 180.0  # for everything; a dead line is looked at three times
COLLECTOR_SECONDS = 60.0
TOR = Upload().tor
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
    own = ", ".join(resolvers.own) or _("the system's resolver")
    sites = (*config.canaries.domestic, *config.canaries.foreign)
    checks = [check.url for check in config.portal_checks]
    controls = [control.url for control in config.all_controls]
    names = ", ".join(filter(None, (_("the names of the sites below"), config.resolvers.whoami)))
    by = config.proxy or _("straight")
    plan = [
        (own, names),
        (", ".join(resolvers.public[:2]), _("the same, where that does not answer")),
        (_("your router"), _("a connection to port 53, 80 or 443")),
        (", ".join(sites), _("a connection to port 443, and a TLS handshake")),
        (", ".join(checks), _("one page each, over plain HTTP")),
        (", ".join(controls), _("one request each, by: {way}", way=by)),
    ]
    if sharing and config.upload.collector:
        plan.append((config.upload.collector, _("one request, by the ways of [upload]")))
    return [(who, what) for who, what in plan if who]


def look(config: Config, *, sharing: bool) -> list[Finding]:
    """Every line. Raises `TrustStoreError`, `AddressBookError`, `ConfigError`."""
    try:
        return list(judge(config, trio.run(partial(look_around, config, sharing=sharing))))
    except trio.TooSlowError:
        said = _("looking at it took more than {seconds} seconds", seconds=f"{SECONDS:g}")
        do = _("try again; if it stays so, look for what else uses the line")
        return [warning("line", said, do)]


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
        collector = await ask_collector(config) if sharing else ""
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
        said = _("none of the sites answers that always should")
        do = _("is the cable in, is the bill paid, does a browser open anything?")
        return fault("line", said, do, stops=True)
    if alive.get("foreign") is False:
        said = _("sites at home answer, and none abroad: the country may be cut off")
        do = _("nothing is wrong with this machine; runs say so and go on")
        return warning("line", said, do)
    if alive.get("domestic") is False:
        do = _("is this a line in another country?")
        return warning("line", _("sites abroad answer, and none at home"), do)
    return ok("line", _("sites at home and abroad answer"))


def _names(looked: Looked) -> Finding:
    asked = {check.name: check.resolver_failure for check in looked.checks if check.ring != "home"}
    failed = {name: why for name, why in asked.items() if why is not None}
    own = ", ".join(looked.resolvers.own) or _("the system's resolver")
    if asked and len(failed) == len(asked):
        why = next(iter(failed.values()))
        said = _("{resolver} resolves nothing: {why}", resolver=own, why=why)
        do = _("restart the router, or set another resolver")
        return fault("dns", said, do)
    if failed:
        said = _("{resolver} does not resolve {names}", resolver=own, names=", ".join(failed))
        do = _("does a browser open it? If all else works, that is a finding of a run")
        return warning("dns", said, do)
    return ok("dns", _("{resolver} resolves", resolver=own))


def _families(routes: tuple[bool, bool], facts: dict[str, Any]) -> Iterator[Finding]:
    for version, routed in zip((4, 6), routes, strict=True):
        name, works = f"ipv{version}", facts[f"ipv{version}"]
        if works:
            yield ok(name, _("works"))
        elif routed:
            do = _("restart the router; until then it is not measured")
            yield warning(name, _("there is a route, and nothing answers by it"), do)
        elif version == 4:
            do = _("on such a line sites that have only IPv4 are not measured")
            yield warning(name, _("this line has none"), do)
        else:
            yield ok(name, _("this line has none, and it is not measured"))


def _portal(facts: dict[str, Any]) -> Finding:
    match facts["captive_portal"]:
        case True:
            said = _("a login page answers in place of the sites")
            return fault("portal", said, _("open a browser and log in"), stops=True)
        case None:
            return unknown("portal", _("no page answered by which it shows"))
    return ok("portal", _("no login page stands in between"))


def _certificates(arrival: Arrival) -> Finding:
    if "forger_at" not in arrival.facts:
        return ok("certificates", _("nobody signs for every site"))
    said = _("somebody opens what is encrypted: every certificate here is signed by the same")
    do = _("if an antivirus or a filter of yours does it, turn that off")
    return fault("certificates", said, do)


def _vpn(config: Config, facts: dict[str, Any]) -> Finding:
    if facts["vpn"] and not config.vpn_ok:
        said = _("a VPN is on: the network at its other end would be measured")
        do = _("turn it off, or measure that one: --vpn-ok")
        return fault("vpn", said, do, stops=True)
    if facts["vpn"]:
        return ok("vpn", _("a VPN is on, as you said"))
    if facts["way_out"] == "tunnel":
        return warning("vpn", _("packets leave by a tunnel"), turn_it_off())
    if not facts["way_out"]:
        return unknown("vpn", _("this system does not tell by which way packets leave"))
    if facts["vpn"] is None:
        said = _("this machine is not where it usually is")
        do = _("a VPN in the router? Else it is a journey, and nothing is wrong")
        return warning("vpn", said, do)
    return ok("vpn", _("none is on"))


def _clock(offset: float | None, arrival: Arrival) -> Finding:
    if arrival.stop == "wrong_clock":
        said = _("it is wrong, and no two servers agree on the time")
        return fault("clock", said, _("set it: timedatectl set-ntp true"), stops=True)
    if offset is None:
        return unknown("clock", _("no two servers agree on the time"))
    seconds = f"{abs(offset):,.0f}"
    if offset > 0:
        said = _("behind by seconds: {seconds}", seconds=seconds)
    else:
        said = _("ahead by seconds: {seconds}", seconds=seconds)
    if abs(offset) > MAX_OFF:
        return fault("clock", said, _("set it: timedatectl set-ntp true"))
    if abs(offset) > AGREEMENT:
        return warning("clock", said, _("set it: timedatectl set-ntp true"))
    return ok("clock", _("right to the minute"))


def _controls(config: Config, introductions: Sequence[Introduction]) -> Finding:
    if not config.all_controls:
        do = _("--control URL, or ooni_helpers = true for OONI's public ones")
        return warning("controls", _("none is set: less can be said of what is measured"), do)
    silent = [i for i in introductions if i.failure is not None]
    why = "; ".join(f"{i.control}: {i.failure}" for i in silent)
    answering = len(introductions) - len(silent)
    if not answering:
        do = _("are they blocked here? Another way to them: proxy = {way}", way=TOR)
        return fault("controls", _("none answers ({why})", why=why), do)
    if silent:
        said = _("answering: {count}; {why}", count=answering, why=why)
        return warning("controls", said, _("runs go on with the others, and say less"))
    if answering == 1:
        do = _("set a second one: by one alone no silence is called a block")
        return warning("controls", _("one answers"), do)
    return ok("controls", _("answering: {count}", count=answering))


def _place(facts: dict[str, Any]) -> Finding:
    if asn := facts.get("probe_asn"):
        return ok("place", f"AS{asn} {facts['probe_network']} ({facts['probe_cc']})")
    do = _("two controls tell: without them measurements are of an unknown network")
    return warning("place", _("nobody told whose network this is"), do)


def _collector(answer: str) -> Finding:
    if answer == "ok":
        return ok("collector", _("it answers, and can store"))
    do = _("what is measured waits on this machine; another way to it: [upload] ways")
    return fault("collector", answer, do)


async def ask_collector(config: Config) -> str:
    """``ok``, or why not; empty where none is set. By the user's ways alone."""
    if not (url := config.upload.collector):
        return ""
    try:
        ways = ways_out(config.upload, config.proxy)
    except ConfigError as exc:
        return str(exc)
    troubles = [] if ways else [_("batches go by a carried file")]
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
            troubles.append(f"{way.name}: HTTP {reply.status}")
        if scope.cancelled_caught:
            troubles.append(f"{way.name}: {Failure.TIMEOUT}")
    return "; ".join(troubles)


def _earlier(config: Config) -> list[Run]:
    """The runs of this machine, by which it knows where it usually is."""
    try:
        with Store(config.database) as store:
            return [run for run in store.runs() if not run.imported]
    except StoreError:
        return []  # there are none yet, or the line about the database says why
