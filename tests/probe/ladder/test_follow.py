"""Up the ladder on a fake Internet: who is met with what, when, and how the climb ends."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import cast

import msgspec
import pytest
import trio
from trio.testing import MockClock

from probe.asn import AddressBook
from probe.config import Ladder
from probe.control.client import ControlClient
from probe.evidence import DNSAnswer, DNSExchange, HTTPExchange, Measurement, TCPConnect
from probe.failure import Failure
from probe.ladder import rung as seam
from probe.ladder.climb import Climb
from probe.ladder.follow import Ladders
from probe.ladder.rung import PHASES, Accused, rung, rungs
from probe.steps.certificate import Verifier
from probe.surroundings.resolvers import Resolvers
from probe.tools import Tools
from probe.wire.url import parse
from tests.certificates import cafile
from tests.fakenet import FakeInternet, ServerEnd, fake_internet, heard, response

IP, NEUTRAL, NAME = "93.184.216.34", "151.101.1.69", "site.by"
URL = f"http://{NAME}/news"
PLAIN = Measurement(
    id="plain", run_id="run", nettest="web_connectivity", nettest_version="1", url=URL
)
ACCUSED = Accused(
    layer="http", url=parse(URL), ip=IP, port=80, how=Failure.CONNECTION_RESET
)


class Censor:
    """Resets who asks for *NAME*, and for *residual* seconds everybody at that address."""

    def __init__(self, residual: float = 0.0) -> None:
        self.residual = residual
        self.until: dict[str, float] = {}
        self.spoken: list[tuple[float, str, str]] = []  # when, where, which Host

    def at(self, net: FakeInternet, ip: str) -> None:
        async def serve(stream: ServerEnd) -> None:
            request = await heard(stream)
            host = request.partition(b"Host: ")[2].partition(b"\r\n")[0].decode()
            if not request:
                return
            now = trio.current_time()
            self.spoken.append((now, ip, host))
            if NAME in host.lower():
                self.until[ip] = now + self.residual
                await stream.reset()
            elif self.until.get(ip, 0.0) > now:
                await stream.reset()
            else:
                await stream.send_all(response(b"hello", 404))

        net.tcp[ip, 80] = serve
        net.tcp[ip, 443] = serve


async def follow(
    tmp_path: Path, net: FakeInternet, accused: Accused = ACCUSED, **settings: float
) -> tuple[Measurement, Ladders]:
    tools = Tools(net=net, resolvers=Resolvers(own=()), verifier=Verifier(cafile(tmp_path)))
    ladders = Ladders(
        tools=tools, controls=cast(ControlClient, None), book=AddressBook(None),
        settings=Ladder(**settings), neutral=[NEUTRAL],  # type: ignore[arg-type]
    )  # fmt: skip
    return await ladders.follow(PLAIN, accused, number=1, of=1), ladders


def steps(found: Measurement) -> list[str]:
    return list(dict.fromkeys(e.step for e in found.evidence))


async def test_what_comes_again_is_looked_at_from_all_sides(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    censor = Censor()
    async with fake_internet() as net:
        censor.at(net, IP)
        censor.at(net, NEUTRAL)
        found, ladders = await follow(tmp_path, net)
    assert "done" == found.comparison["ended"]
    assert 0 == ladders.crashes
    assert ("plain", "diagnosis", URL) == (found.about, found.nettest, found.url)
    assert {"elsewhere", "again", "harmless", "no_name", "other_case"} <= set(steps(found))
    again = [e for e in found.evidence if e.step == "again" and isinstance(e, HTTPExchange)]
    assert [Failure.CONNECTION_RESET] * 4 == [e.failure for e in again]
    harmless = [e for e in found.evidence if e.step == "harmless" and isinstance(e, HTTPExchange)]
    assert [404, 404] == [e.status for e in harmless]


async def test_what_does_not_come_again_ends_the_ladder(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with fake_internet() as net:
        Censor().at(net, NEUTRAL)

        async def fine(stream: ServerEnd) -> None:
            await heard(stream)
            await stream.send_all(response(b"the page"))

        net.tcp[IP, 80] = fine
        found, _ = await follow(tmp_path, net)
    assert "not repeated" == found.comparison["ended"]
    assert {"elsewhere", "again", "harmless"} == set(steps(found))


async def test_residual_blocking_colours_no_test(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Whoever speaks after the name waits until its time is over, by the censor's own clock."""
    censor = Censor(residual=25.0)
    async with fake_internet() as net:
        censor.at(net, IP)
        censor.at(net, NEUTRAL)
        found, _ = await follow(tmp_path, net, target_seconds=3000.0)
    assert "done" == found.comparison["ended"]
    for place in (IP, NEUTRAL):
        ends = -1.0
        for at, ip, host in censor.spoken:
            if ip != place:
                continue
            # The search for the end of it at the neutral address is what has to hit it.
            assert at >= ends or (place == NEUTRAL and NAME not in host), (at, ip, host)
            if NAME in host.lower():
                ends = at + censor.residual


async def test_two_connections_to_one_place_are_apart(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with fake_internet() as net:
        for ip in (IP, NEUTRAL):
            Censor().at(net, ip)
        found, _ = await follow(tmp_path, net, pause=2.0)
    began = sorted(
        e.t0 for e in found.evidence
        if isinstance(e, TCPConnect) and (e.ip, e.port) == (IP, 80)
    )  # fmt: skip
    assert len(began) > 10
    assert all(b - a >= 1.99 for a, b in itertools.pairwise(began))


async def test_a_budget_of_connections_is_kept(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with fake_internet() as net:
        for ip in (IP, NEUTRAL):
            Censor().at(net, ip)
        found, _ = await follow(tmp_path, net, target_connections=12)
        assert len(net.connections) <= 12
    assert ("budget", 12) == (found.comparison["ended"], found.comparison["connections"])


async def test_a_budget_of_time_is_kept_and_nothing_of_it_is_lost(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with fake_internet() as net:
        net.dark = {NEUTRAL}
        Censor().at(net, IP)
        found, _ = await follow(tmp_path, net, target_seconds=15.0)
    assert "time" == found.comparison["ended"]
    assert 15.0 == pytest.approx(found.runtime, abs=0.1)
    assert [Failure.TIMEOUT] == [e.failure for e in found.evidence]


async def test_a_rung_that_crashes_costs_only_itself(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rungs("http")  # found before another is added
    monkeypatch.setattr(seam, "REGISTRY", dict(seam.REGISTRY))

    @rung("broken", of=("http",), phase="trigger")
    async def broken(climb: Climb, accused: Accused) -> None:
        """Does a bug end the ladder?"""
        raise TypeError("a bug")

    async with fake_internet() as net:
        for ip in (IP, NEUTRAL):
            Censor().at(net, ip)
        found, ladders = await follow(tmp_path, net)
    assert 1 == ladders.crashes
    assert "harmless" in steps(found)


async def test_two_accused_of_one_address_wait_for_each_other_and_both_end(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Each climb also tries the other's port."""
    async with fake_internet() as net:
        for ip in (IP, NEUTRAL):
            Censor().at(net, ip)
        tools = Tools(net=net, resolvers=Resolvers(own=()), verifier=Verifier(cafile(tmp_path)))
        ladders = Ladders(
            tools=tools, controls=cast(ControlClient, None), book=AddressBook(None),
            settings=Ladder(), neutral=[NEUTRAL],
        )  # fmt: skip
        other = Accused(
            layer="tcp", url=parse(f"https://{NAME}/"), ip=IP, port=443, how=Failure.TIMEOUT
        )
        ended: list[object] = []

        async def one(accused: Accused) -> None:
            found = await ladders.follow(PLAIN, accused, number=1, of=2)
            ended.append(found.comparison["ended"])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, ACCUSED)
            nursery.start_soon(one, other)
    assert {"done", "not repeated"} == set(ended)


def test_every_rung_asks_one_question_and_has_its_place() -> None:
    layers = ("dns", "tcp", "tls", "certificate", "http", "page", "quic", "slow")
    for layer in layers:
        climbed = rungs(layer)  # type: ignore[arg-type]
        phases = [PHASES.index(r.phase) for r in climbed]
        assert phases == sorted(phases)
        assert all(r.asks.endswith("?") or r.asks.endswith(")") or "," in r.asks for r in climbed)
    assert {r.id for layer in layers for r in rungs(layer)} == set(seam.REGISTRY)  # type: ignore[arg-type]


async def test_the_other_ip_version_is_tried_where_somebody_knows_an_address(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    six = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
    known = DNSExchange(
        vantage="control", url=URL, hostname=NAME, rdtype="AAAA", engine="udp",
        answers=(DNSAnswer(addresses=(six, "10.0.0.1")),),
    )  # fmt: skip
    async with fake_internet() as net:
        for ip in (IP, NEUTRAL, six):
            Censor().at(net, ip)
        tools = Tools(
            net=net, resolvers=Resolvers(own=()), verifier=Verifier(cafile(tmp_path)), ipv6=True
        )
        ladders = Ladders(
            tools=tools, controls=cast(ControlClient, None), book=AddressBook(None),
            settings=Ladder(), neutral=[NEUTRAL],
        )  # fmt: skip
        plain = msgspec.structs.replace(PLAIN, evidence=(known,))
        found = await ladders.follow(plain, ACCUSED, number=1, of=1)
    tried = [e for e in found.evidence if e.step == "other_family" and isinstance(e, HTTPExchange)]
    assert [(six, Failure.CONNECTION_RESET)] == [(e.ip, e.failure) for e in tried]
