"""Neutral addresses: sites that prove to be themselves, or, where none can, that connect."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trio.testing import MockClock

from probe.ladder.neutral import find_neutral
from probe.steps.certificate import Verifier
from probe.surroundings.resolvers import Resolvers
from probe.tools import Tools
from tests.certificates import cafile, server_context
from tests.fakenet import FakeInternet, Serve, ServerEnd, fake_internet, tls

ONE, TWO, SIX = "151.101.1.69", "93.184.216.34", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
NAMES = ("one.org", "two.org")


async def resets(stream: ServerEnd) -> None:
    await stream.receive_some()
    await stream.reset()


async def neutral(tmp_path: Path, *, ipv6: bool = False, **sites: Serve) -> Sequence[str]:
    async with fake_internet() as net:
        _build(net, sites)
        tools = Tools(
            net=net, resolvers=Resolvers(own=()), verifier=Verifier(cafile(tmp_path)), ipv6=ipv6
        )
        return await find_neutral(tools, NAMES)


def _build(net: FakeInternet, sites: dict[str, Serve]) -> None:
    net.names = {"one.org": (ONE, SIX, "10.0.0.1"), "two.org": (TWO,)}
    for name, serve in sites.items():
        for ip in net.names[f"{name}.org"]:  # type: ignore[union-attr]
            net.tcp[ip, 443] = serve


async def test_a_site_is_taken_that_shows_its_certificate(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    good, bad = tls(server_context("one.org")), tls(server_context("elsewhere.org"))
    assert (ONE,) == await neutral(tmp_path, one=good, two=bad)


async def test_each_family_has_its_address_if_this_machine_has_the_family(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    good = tls(server_context("one.org"))
    assert {ONE, SIX} == set(await neutral(tmp_path, ipv6=True, one=good))


async def test_where_every_handshake_is_cut_off_those_that_connect_are_taken(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    assert (ONE, TWO) == await neutral(tmp_path, one=resets, two=resets)


async def test_beside_a_site_that_proves_itself_one_that_is_cut_off_is_not_taken(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    assert (TWO,) == await neutral(tmp_path, one=resets, two=tls(server_context("two.org")))


async def test_a_site_with_a_certificate_that_is_not_its_own_is_never_taken(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    assert () == await neutral(tmp_path, one=tls(server_context("elsewhere.org")))


async def test_names_that_are_not_resolved_are_left_out(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with fake_internet() as net:
        tools = Tools(net=net, resolvers=Resolvers(own=()), verifier=Verifier(cafile(tmp_path)))
        assert () == await find_neutral(tools, NAMES)
