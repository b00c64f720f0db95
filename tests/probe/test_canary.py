"""When the line is called lost, and which measurements its loss spoils."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from probe.config import Canaries
from probe.evidence import CanaryCheck, Ring
from probe.failure import Failure
from probe.steps.certificate import Verifier
from probe.surroundings.canary import GREETING_EVERY, Line, forger
from tests.certificates import cafile, server_context
from tests.probe.fakeline import FakeLine, Serve

SITES = {
    "www.belta.by": ("178.124.1.1", "2a02:2208::1"),
    "www.mail.by": ("178.124.1.2",),
    "www.wikipedia.org": ("91.198.174.192", "2a02:ec80::1"),
    "www.debian.org": ("130.89.148.77", "2001:67c:2564::1"),
}
DOMESTIC = {"178.124.1.1", "178.124.1.2", "2a02:2208::1"}
FOREIGN = {"91.198.174.192", "130.89.148.77", "2a02:ec80::1", "2001:67c:2564::1"}
GATEWAY = "192.168.1.1"


class World:
    def __init__(self, net: FakeLine) -> None:
        self.net = net
        self.reported: list[CanaryCheck] = []
        self.looks = 0

    async def report(self, checks: list[CanaryCheck]) -> None:
        await trio.lowlevel.checkpoint()
        self.looks += 1
        self.reported += checks

    def line(self, canaries: Canaries | None = None, gateway: str = GATEWAY) -> Line:
        return Line(
            self.net,
            canaries or Canaries(),
            run_id="r1",
            report=self.report,
            gateways=(gateway,) if gateway else (),
            resolvers=("8.8.8.8",),
        )


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    async with trio.open_nursery() as nursery:
        net = FakeLine(nursery, names=dict(SITES))
        net.hosts = {(ip, 443): None for ips in SITES.values() for ip in ips}
        yield World(net)
        nursery.cancel_scope.cancel()


def ring_failures(checks: list[CanaryCheck], ring: Ring) -> set[Failure | None]:
    return {check.failure for check in checks if check.ring == ring}


async def test_a_line_that_answers_is_alive_in_every_ring(autojump_clock: MockClock) -> None:
    async with world() as w:
        line = w.line()
        checks = await line.look()
        assert not line.lost and line.alive == {"home": True, "domestic": True, "foreign": True}
        # the router refuses, which proves it alive; a site without IPv6 says nothing of it
        assert {(c.name, c.family, c.failure) for c in checks} == {
            ("gateway", 4, None),
            ("www.belta.by", 4, None),
            ("www.belta.by", 6, None),
            ("www.mail.by", 4, None),
            ("www.wikipedia.org", 4, None),
            ("www.wikipedia.org", 6, None),
            ("www.debian.org", 4, None),
            ("www.debian.org", 6, None),
        }
        assert w.reported == checks and {c.run_id for c in checks} == {"r1"}


async def test_both_outer_rings_silent_is_a_lost_line(autojump_clock: MockClock) -> None:
    async with world() as w:
        line = w.line()
        w.net.silent = DOMESTIC | FOREIGN
        checks = await line.look()
        assert line.lost
        assert ring_failures(checks, "foreign") == {Failure.TIMEOUT}
        assert ring_failures(checks, "home") == {None}


async def test_the_foreign_ring_alone_is_a_finding_not_a_fault(autojump_clock: MockClock) -> None:
    async with world() as w:
        line = w.line()
        w.net.silent = set(FOREIGN)
        await line.look()
        assert not line.lost and line.alive["domestic"] and not line.alive["foreign"]


async def test_one_canary_that_answers_keeps_the_line(autojump_clock: MockClock) -> None:
    async with world() as w:
        line = w.line()
        w.net.silent = DOMESTIC | FOREIGN - {"130.89.148.77"}
        await line.look()
        assert not line.lost


async def test_a_router_that_never_answers_loses_nothing(autojump_clock: MockClock) -> None:
    async with world() as w:
        line = w.line()
        w.net.silent = {GATEWAY}
        checks = await line.look()
        assert ring_failures(checks, "home") == {Failure.TIMEOUT}
        assert not line.lost


async def test_a_router_that_cannot_be_found_is_named(autojump_clock: MockClock) -> None:
    async with world() as w:
        for port in (53, 80, 443):
            w.net.hosts[GATEWAY, port] = errno.EHOSTUNREACH
        w.net.silent = DOMESTIC | FOREIGN
        checks = await w.line().look()
        assert ring_failures(checks, "home") == {Failure.HOST_UNREACHABLE}


async def test_a_dead_resolver_is_not_a_dead_line(autojump_clock: MockClock) -> None:
    async with world() as w:
        line = w.line()
        await line.look()
        w.net.resolver_works = False
        checks = await line.look()
        assert not line.lost
        sites = [check for check in checks if check.ring != "home"]
        assert {(c.failure, c.resolver_failure) for c in sites} == {(None, Failure.DNS_TEMPORARY)}


async def test_without_any_address_the_canary_fails_as_the_resolver_did(
    autojump_clock: MockClock,
) -> None:
    async with world() as w:
        w.net.resolver_works = False
        checks = await w.line(gateway="").look()
        assert {c.failure for c in checks} == {Failure.DNS_TEMPORARY}


async def test_a_canary_at_a_local_address_is_not_visited(autojump_clock: MockClock) -> None:
    async with world() as w:
        w.net.names["www.belta.by"] = ("192.168.1.7",)
        checks = await w.line().look()
        assert {c.failure for c in checks if c.name == "www.belta.by"} == {Failure.DNS_BOGON}
        assert not [ip for ip, _ in w.net.connected if ip == "192.168.1.7"]


async def test_a_canary_may_be_an_address(autojump_clock: MockClock) -> None:
    async with world() as w:
        line = w.line(Canaries(domestic=("178.124.1.1",), foreign=()))
        checks = await line.look()
        assert {(c.name, c.failure) for c in checks if c.ring == "domestic"} == {
            ("178.124.1.1", None)
        }


async def test_without_canaries_nothing_is_ever_lost(autojump_clock: MockClock) -> None:
    async with world() as w:
        line = w.line(Canaries(domestic=(), foreign=()), gateway="")
        assert await line.look() == []
        assert not line.lost


async def test_ipv6_that_leads_nowhere_is_told(autojump_clock: MockClock) -> None:
    async with world() as w:
        line = w.line()
        w.net.silent = {ip for ip in DOMESTIC | FOREIGN if ":" in ip}
        await line.look()
        assert line.dead_families() == {6}
        assert not line.lost


async def test_a_loss_spoils_what_it_overlaps_and_nothing_else(autojump_clock: MockClock) -> None:
    async with world() as w:
        line = w.line()
        await line.look()
        await trio.sleep(10)
        before = (trio.current_time() - 8, trio.current_time() - 5)
        await line.look()
        await trio.sleep(5)
        during = (trio.current_time() - 1, trio.current_time())
        w.net.silent = DOMESTIC | FOREIGN
        await line.look()
        assert line.held(*before) is True
        assert line.held(*during) is None  # nobody has looked since
        w.net.silent = set()
        await line.look()
        after = (trio.current_time(), trio.current_time() + 1)
        await trio.sleep(2)
        await line.look()
        assert (line.held(*before), line.held(*during), line.held(*after)) == (True, False, True)


async def test_watching_is_closer_while_the_line_is_lost_and_ends_with_patience(
    autojump_clock: MockClock,
) -> None:
    async with world() as w:
        line = w.line(gateway="")
        await line.look()
        start = trio.current_time()
        w.net.silent = DOMESTIC | FOREIGN
        await line.watch(period=10, patience=60, after=trio.lowlevel.checkpoint)
        assert line.lost
        assert 60 <= trio.current_time() - start < 70
        assert 7 <= w.looks <= 9  # a look at a silent line takes 5 s, the pause 2


async def test_who_waits_goes_on_when_the_line_is_back(autojump_clock: MockClock) -> None:
    async with world() as w:
        line = w.line()
        await line.wait_until_back()  # it was never lost
        w.net.silent = DOMESTIC | FOREIGN
        await line.look()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                lambda: line.watch(period=10, patience=1000, after=trio.lowlevel.checkpoint)
            )
            with trio.move_on_after(30) as scope:
                await line.wait_until_back()
            assert scope.cancelled_caught
            w.net.silent = set()
            with trio.fail_after(10):
                await line.wait_until_back()
            nursery.cancel_scope.cancel()
        assert not line.lost


UNKNOWN = Failure.TLS_UNKNOWN_AUTHORITY.value


def tls_server(name: str, signed_by: str = "good") -> Serve:
    """Takes a handshake and hangs up."""

    async def serve(stream: trio.abc.Stream) -> None:
        secure = trio.SSLStream(stream, server_context(name, signed_by=signed_by), server_side=True)
        try:
            await secure.do_handshake()
            await secure.receive_some(1)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    return serve


def greeting_line(
    w: World, folder: Path, signed_by: dict[str, str], families: Sequence[int] = (4,)
) -> Line:
    """A line whose canaries have certificates, by another authority where *signed_by* says so."""
    for name, addresses in SITES.items():
        for ip in addresses:
            w.net.hosts[ip, 443] = tls_server(name, signed_by.get(name, "good"))
    return Line(
        w.net, Canaries(), run_id="r1", report=w.report, families=families,
        verifier=Verifier(cafile(folder)),
    )


async def test_a_greeting_tells_who_signed(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world() as w:
        checks = await greeting_line(w, tmp_path, {"www.mail.by": "evil"}).look(greet=True)
    told = {c.name: (c.failure, c.handshake, c.problems, "evil" in c.issuer) for c in checks}
    assert told["www.belta.by"] == (None, True, (), False)
    assert told["www.mail.by"] == (None, True, (UNKNOWN,), True)


async def test_a_look_says_nothing_but_every_tenth_does(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world() as w:
        line = greeting_line(w, tmp_path, {})
        greeted = [any(c.handshake for c in await line.look()) for _ in range(2 * GREETING_EVERY)]
    assert [n for n, greets in enumerate(greeted, 1) if greets] == [10, 20]


async def test_each_canary_is_greeted_once_at_a_look(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world() as w:
        checks = await greeting_line(w, tmp_path, {}, families=(4, 6)).look(greet=True)
    assert {(c.name, c.family) for c in checks if c.handshake} == {(name, 4) for name in SITES}


async def test_a_greeting_that_fails_leaves_the_canary_alive(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async def mute(stream: trio.abc.Stream) -> None:
        await trio.sleep_forever()

    async with world() as w:
        line = greeting_line(w, tmp_path, {})
        w.net.hosts["178.124.1.2", 443] = mute
        w.net.hosts["130.89.148.77", 443] = None  # hangs up
        checks = {c.name: c for c in await line.look(greet=True)}
    assert not line.lost
    assert (checks["www.mail.by"].failure, checks["www.mail.by"].tls_failure) == (
        None, Failure.TIMEOUT,
    )
    assert checks["www.debian.org"].tls_failure is not None
    assert checks["www.debian.org"].problems == ()


@pytest.mark.parametrize(
    ("evil", "found"),
    [
        (set(SITES), True),
        (set(), False),
        ({"www.wikipedia.org", "www.debian.org"}, False),  # abroad only: as a border may
        ({"www.belta.by", "www.mail.by"}, False),
        (set(SITES) - {"www.mail.by"}, False),
    ],
)
async def test_who_signs_for_all_on_both_sides_of_the_border_is_a_forger(
    autojump_clock: MockClock, tmp_path: Path, evil: set[str], found: bool
) -> None:
    async with world() as w:
        line = greeting_line(w, tmp_path, dict.fromkeys(evil, "evil"))
        assert bool(forger(await line.look(greet=True))) is found


async def test_two_unknown_authorities_are_no_forger(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world() as w:
        signed_by = dict.fromkeys(SITES, "evil") | {"www.mail.by": "another"}
        assert forger(await greeting_line(w, tmp_path, signed_by).look(greet=True)) == ""


async def test_addresses_of_a_ring_are_those_looked_up(autojump_clock: MockClock) -> None:
    async with world() as w:
        line = w.line()
        assert line.addresses("foreign") == ()
        await line.look()
        assert set(line.addresses("foreign")) == FOREIGN
