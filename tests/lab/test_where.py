"""The hop of the interference, found by an ordinary user with real packets.

Every kind of interference at every wire of the path, most in one country; then routers
that limit their ICMP, routers that say nothing, a line that loses packets.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec
import pytest
import trio

from analysis.observe.location import Location, locate
from lab.censors import (
    AddressDrop,
    AddressRefuse,
    AddressUnreachable,
    DNSDrop,
    DNSInject,
    HTTPDrop,
    HTTPInjectPage,
    HTTPReset,
    QUICClose,
    QUICDrop,
    SNIClose,
    SNIDrop,
    SNIReset,
    a_censor,
    sni_alert,
)
from lab.certificates import Authorities
from lab.country import Country
from lab.middlebox import Rewrite, Rule, merged
from lab.namespace import explain_if_impossible
from lab.serving import run_sites
from lab.sites import Article, Site
from lab.topology import LINKS
from lab.wire import WireSettings
from lab.world import Place, Wire
from probe.config import Ladder
from probe.control.client import ControlClient
from probe.evidence import HopProbe
from probe.failure import Failure
from probe.ladder.climb import Climb, Progress, Tuples, Turns
from probe.ladder.hop_search import FULL
from probe.ladder.rung import REGISTRY, Accused, Layer
from probe.ladder.rungs import where
from probe.net import TrioNetwork
from probe.steps.certificate import Verifier
from probe.surroundings.resolvers import Resolvers
from probe.tools import Tools
from probe.trace import Trace
from probe.wire.url import parse

pytestmark = pytest.mark.lab

WIRES = {
    1: (Wire.LINE,),
    2: (Wire.UPLINK_1, Wire.UPLINK_2),
    3: (Wire.BORDER_1, Wire.BORDER_2),
    4: (Wire.HOSTING,),
}
DNS_WIRES = WIRES | {4: (Wire.TRANSIT,)}
NEUTRAL = ("46.4.9.1", "151.101.9.1", "2a01:4f8:9::1", "2a04:4e42:9::1")  # by both gateways
RESOLVER = "8.8.8.8"
FORGED = ("95.46.44.10",)
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nblocked"
NOBODY = 65534
PATIENCE = 150.0  # seconds for all searches of a scene

OVER_TLS = ("tls", "certificate", "tcp", "quic")
ROUTERS = {wire: link.far_addresses for link in LINKS for wire in (link.wire,)}
Make = Callable[[str, str, Wire], Rule]


@dataclass(frozen=True)
class Kind:
    """A way to interfere: how the plain pass would have failed, and what does it."""

    layer: Layer
    how: str
    rule: Make


KINDS: dict[str, Kind] = {
    "tls-reset": Kind("tls", Failure.CONNECTION_RESET, lambda n, a, w: SNIReset(names=(n,))),
    "tls-close": Kind("tls", Failure.EOF, lambda n, a, w: SNIClose(names=(n,))),
    "tls-alert": Kind("tls", Failure.TLS_FAILED_HANDSHAKE, lambda n, a, w: sni_alert((n,))),
    "tls-drop": Kind("tls", Failure.TIMEOUT, lambda n, a, w: SNIDrop(names=(n,))),
    "http-reset": Kind("http", Failure.CONNECTION_RESET, lambda n, a, w: HTTPReset(names=(n,))),
    "http-drop": Kind("http", Failure.TIMEOUT, lambda n, a, w: HTTPDrop(names=(n,))),
    "page": Kind("page", "", lambda n, a, w: HTTPInjectPage(names=(n,), payload=PAGE)),
    "tcp-drop": Kind("tcp", Failure.TIMEOUT, lambda n, a, w: AddressDrop(addresses=(a,))),
    "tcp-refuse": Kind(
        "tcp", Failure.CONNECTION_REFUSED, lambda n, a, w: AddressRefuse(addresses=(a,))
    ),
    "tcp-unreachable": Kind(
        "tcp", Failure.HOST_UNREACHABLE,
        lambda n, a, w: AddressUnreachable(addresses=(a,), routers=ROUTERS[w], code=1),
    ),
    "led-elsewhere": Kind(
        "certificate", Failure.TLS_INVALID_HOSTNAME,
        lambda n, a, w: Rewrite(
            address=a, port=443, to=NEUTRAL[a.startswith("151.")], to_port=443
        ),
    ),
    "dns-beside": Kind("dns", "", lambda n, a, w: DNSInject(names=(n,), answers=FORGED)),
    "dns-instead": Kind(
        "dns", "", lambda n, a, w: DNSInject(names=(n,), answers=FORGED, drop_original=True)
    ),
    "quic-drop": Kind("quic", Failure.TIMEOUT, lambda n, a, w: QUICDrop(names=(n,))),
    "quic-close": Kind("quic", Failure.EOF, lambda n, a, w: QUICClose(names=(n,))),
    "dns-drop": Kind("dns", Failure.TIMEOUT, lambda n, a, w: DNSDrop(names=(n,))),
}
OVER_IPV6 = ("tls-reset", "tls-drop", "quic-drop", "page", "tcp-drop", "tcp-unreachable")


@dataclass(frozen=True)
class Case:
    """*kind* of interference at *hop*; none at 0. *residual*: seconds."""

    kind: str
    hop: int
    number: int
    ipv6: bool = False
    residual: float = 0.0

    @property
    def host(self) -> str:
        return f"case-{self.number}.example"

    @property
    def ip(self) -> str:
        if self.ipv6:
            return f"{('2a01:4f8:1::', '2a04:4e42:1::')[self.number % 2]}{self.number:x}"
        return f"{('46.4.1.', '151.101.1.')[self.number % 2]}{self.number}"

    @property
    def accused(self) -> Accused:
        kind = KINDS[self.kind]
        scheme = "https" if kind.layer in OVER_TLS else "http"
        url = parse(f"{scheme}://{self.host}/")
        at = (RESOLVER, 53) if kind.layer == "dns" else (self.ip, url.port)
        return Accused(layer=kind.layer, url=url, ip=at[0], port=at[1], how=kind.how)

    def rules(self) -> list[tuple[Wire, Rule]]:
        kind = KINDS[self.kind]
        wires = DNS_WIRES if kind.layer == "dns" else WIRES
        return [(wire, kind.rule(self.host, self.ip, wire)) for wire in wires.get(self.hop, ())]


Seen = dict[Case, list[HopProbe]]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A country, and how fast packets may die in it."""

    cases: Sequence[Case]
    icmp_ratelimit: int | None = 0
    silent: tuple[Place, ...] = ()
    balanced: bool = False
    loss: float = 0.0
    hops_per_second: float = 50.0
    extra: tuple[tuple[Wire, Rule], ...] = ()

    def look(self, folder: Path) -> Seen:
        """Search for every case at once."""
        why = explain_if_impossible()
        if why is not None:
            pytest.skip(why)
        rules: dict[Wire, list[Rule]] = {wire: [] for wire in Wire}
        for wire, rule in [r for case in self.cases for r in case.rules()] + list(self.extra):
            rules[wire].append(rule)
        wires = {
            wire: WireSettings(delay=0.003, loss=self.loss, censors=merged([a_censor(*here)]))
            for wire, here in rules.items()
        }
        addresses = [(case.host, case.ip) for case in self.cases]
        addresses += [(f"neutral-{n}.example", ip) for n, ip in enumerate(NEUTRAL)]
        sites = [
            Site(names=(name,), addresses=(ip,), http=Article(name), https=Article(name), h3="on")
            for name, ip in addresses
        ]
        out = folder / "probes"
        with Country(
            wires, icmp_ratelimit=self.icmp_ratelimit, silent=self.silent, balanced=self.balanced
        ) as country:
            country.start(Place.ABROAD, run_sites, sites, Authorities())
            country.start(Place.HOME, search_as_nobody, out, self).await_ready(PATIENCE)
        found = msgspec.msgpack.decode(out.read_bytes(), type=list[list[HopProbe]])
        return dict(zip(self.cases, found, strict=True))


def search_as_nobody(ready: Callable[[], None], out: Path, scene: Scene) -> None:
    """Says that it is ready twice: when it begins and when all is found."""
    ready()
    with out.open("wb") as file:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        file.write(msgspec.msgpack.encode(trio.run(search, scene)))
    ready()


async def search(scene: Scene) -> list[list[HopProbe]]:
    tools = Tools(
        net=TrioNetwork(), resolvers=Resolvers(own=()), verifier=cast(Verifier, None), ipv6=True
    )
    settings = Ladder(pause=0.02, hops_per_second=scene.hops_per_second)
    tuples, turns = Tuples(), Turns(scene.hops_per_second)
    traces = [Trace() for _ in scene.cases]

    async def climb(case: Case, trace: Trace) -> None:
        accused = case.accused
        going = Climb(
            tools=tools, trace=trace, accused=accused, plain=(), settings=settings,
            controls=cast(ControlClient, None), tuples=tuples, turns=turns,
            neutral=[ip for ip in NEUTRAL if (":" in ip) == (":" in accused.ip)],
            progress=Progress(residual=case.residual),
        )  # fmt: skip
        for rung in REGISTRY.values():
            if rung.run.__module__ == where.__name__ and accused.layer in rung.of:
                trace.step = rung.id
                await rung.run(going, accused)

    async with trio.open_nursery() as nursery:
        for case, trace in zip(scene.cases, traces, strict=True):
            nursery.start_soon(climb, case, trace)
    return [[e for e in trace.records if isinstance(e, HopProbe)] for trace in traces]


def location(probes: Sequence[HopProbe], case: Case) -> Location | None:
    return locate(probes, case.accused.layer, case.accused.how)


def names(probes: Sequence[HopProbe], case: Case) -> list[int]:
    """The TTLs with which the accused name was sent."""
    return [e.ttl for e in probes if e.name == case.host]


def everywhere() -> list[Case]:
    cases = [(kind, hop, False) for kind in KINDS for hop in WIRES]
    # At the fourth there is no router to say so: the site's own place has no link behind it.
    cases = [c for c in cases if c[:2] != ("tcp-unreachable", 4)]
    cases += [(kind, hop, True) for kind in OVER_IPV6 for hop in WIRES]
    cases += [("tls-reset", 0, False), ("tls-drop", 0, False), ("page", 0, True)]
    return [Case(kind, hop, n, ipv6) for n, (kind, hop, ipv6) in enumerate(cases, 1)]


CASES = everywhere()
IDS = [f"{c.kind}-hop{c.hop}{'-ipv6' * c.ipv6}" for c in CASES]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return Scene(cases=CASES).look(tmp_path_factory.mktemp("where"))


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_hop_is_that_of_the_wire(case: Case, seen: Seen) -> None:
    found = location(seen[case], case)
    if case.hop == 0 and KINDS[case.kind].layer != "page":
        assert found is None
    else:
        # A page comes from somewhere in any case: without a censor from the site itself.
        assert found is not None, [(e.ttl, e.name, e.answer) for e in seen[case]]
        assert (case.hop or 4) == found.hop


def test_a_router_is_named_unless_it_is_the_households_neighbour(seen: Seen) -> None:
    routers = {ip for wire, far in ROUTERS.items() if wire is not Wire.LINE for ip in far}
    for case, probes in seen.items():
        # Where no resolver is, the address itself says so.
        assert {e.router for e in probes} <= routers | {case.accused.ip, "", *NEUTRAL}, case
        found = location(probes, case)
        if found is not None and case.accused.layer == "tls":
            assert (case.hop == 1) == found.near == (found.router == ""), case
            assert (case.hop == 4) == (found.router == case.ip), case


def test_a_query_that_goes_on_beside_its_forged_answer_is_seen(seen: Seen) -> None:
    positions = {
        (case.kind, case.hop): found.position
        for case in seen
        if case.kind in ("dns-beside", "dns-instead")
        and (found := location(seen[case], case)) is not None
    }
    assert {"on-path"} == {positions["dns-beside", hop] for hop in (1, 2, 3)}
    assert {"in-path"} == {positions["dns-instead", hop] for hop in (1, 2, 3)}


def test_few_packets_are_needed_and_the_name_goes_no_further_than_the_censor(seen: Seen) -> None:
    for case, probes in seen.items():
        assert len(probes) <= 30, case
        if case.hop and case.accused.layer != "certificate":  # else only the end tells
            ttls = [ttl for ttl in names(probes, case) if ttl < FULL]
            assert not ttls or max(ttls) == case.hop, case


def test_routers_that_limit_their_icmp_are_heard_of_all_the_same(tmp_path: Path) -> None:
    kinds = ("tls-drop", "tcp-drop")
    cases = [Case(kind, 3, n) for n, kind in enumerate(kinds, 1)]
    seen = Scene(cases=cases, icmp_ratelimit=None, hops_per_second=1.0).look(tmp_path)
    assert dict.fromkeys(cases, 3) == {
        case: found.hop for case in cases if (found := location(seen[case], case)) is not None
    }


def test_behind_routers_that_say_nothing_a_hop_has_a_number_or_a_range(tmp_path: Path) -> None:
    answers = [Case(kind, hop, hop) for kind, hop in (("tls-reset", 2), ("page", 3))]
    silent = [Case(kind, hop, 10 + n) for n, (kind, hop) in enumerate(
        [("tls-drop", 2), ("tls-drop", 3), ("tcp-drop", 2), ("tcp-drop", 3)])]  # fmt: skip
    scene = Scene(cases=[*answers, *silent], silent=(Place.GATEWAY_1, Place.GATEWAY_2))
    seen = scene.look(tmp_path)
    # An answer needs no router.
    for case in answers:
        found = location(seen[case], case)
        assert found is not None and case.hop == found.hop
        assert "" == found.router or case.hop == 3
    # Silence at the second hop is that of the router: only from the third on can it be told.
    for case in silent:
        found = location(seen[case], case)
        assert found is not None, case
        assert (None, 1, 3) == (found.hop, found.low, found.high), case
        assert 2 not in names(seen[case], case)


def test_flows_that_take_different_ways_are_several_witnesses(tmp_path: Path) -> None:
    every = [(kind, hop) for kind in ("tls-reset", "tls-drop", "page") for hop in (2, 3)] * 3
    cases = [Case(kind, hop, 2 * n) for n, (kind, hop) in enumerate(every, 1)]
    # And some whom only one of the two ways leads past a censor.
    half = [Case("tls-reset", 0, 2 * n) for n in range(40, 44)]
    rule = SNIReset(names=tuple(case.host for case in half))
    scene = Scene(cases=[*cases, *half], balanced=True, extra=((Wire.UPLINK_1, rule),))
    seen = scene.look(tmp_path)
    routers = {
        e.router for probes in seen.values() for e in probes
        if (e.trigger, e.ttl, e.answer) == ("syn", 2, "expired")
    }  # fmt: skip
    assert {ROUTERS[wire][0] for wire in WIRES[2]} == routers  # by chance one in 2 ** 21
    assert {case: case.hop for case in cases} == {
        case: found.hop for case in cases if (found := location(seen[case], case)) is not None
    }
    for case in half:
        found = location(seen[case], case)
        assert found is None or found.hop in (2, 3, 4), "never nearer than it is"


def test_on_a_line_that_loses_packets_a_hop_on_which_all_agree_is_right(tmp_path: Path) -> None:
    kinds = ("tls-reset", "tls-drop", "page", "tcp-drop", "dns-beside")
    every = [(kind, hop) for kind in kinds for hop in (1, 2, 3)] + [("tls-reset", 0)]
    cases = [Case(kind, hop, n) for n, (kind, hop) in enumerate(every, 1)]
    seen = Scene(cases=cases, loss=0.02).look(tmp_path)  # at each of four wires, each way
    found = {case: location(seen[case], case) for case in cases}
    # Where two of three answers were lost the next hop is named, and the numbers say so. That all
    # three are lost, and nothing says so, happens to one hop in some thousand: never to two here.
    wrong = {
        case: where for case, where in found.items()
        if where is not None and where.met == where.tries
        and not where.low < case.hop <= where.high
    }  # fmt: skip
    assert len(wrong) <= 1, wrong
    assert all(where.low == case.hop for case, where in wrong.items()), wrong
    exact = sum(1 for case, where in found.items() if where is not None and where.hop == case.hop)
    assert exact >= 12


def test_residual_blocking_is_waited_for(tmp_path: Path) -> None:
    case = Case("tls-reset", 0, 1, residual=2.0)
    rule = SNIReset(names=(case.host,), residual=2.0)
    scene = Scene(cases=[case], extra=tuple((wire, rule) for wire in WIRES[2]))
    probes = scene.look(tmp_path)[case]
    met = sorted(e.t0 for e in probes if e.answer == "reset")
    assert 3 == len(met)
    assert all(later - earlier >= 2.0 for earlier, later in itertools.pairwise(met))
    assert {None} == {e.failure for e in probes}
