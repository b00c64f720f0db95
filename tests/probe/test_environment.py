"""What the probe says of its surroundings, and what it leaves unknown."""

from __future__ import annotations

import errno
import os
import time
from email.utils import formatdate
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from probe.asn import AddressBook
from probe.config import PORTAL_CHECKS
from probe.control.introduction import Introduction
from probe.surroundings.clock import agreed_offset, date_offset
from probe.surroundings.environment import (
    describe_system,
    families,
    gateways,
    home_router,
    look_for_portal,
    nearness,
    own_network,
    resolver_network,
)
from tests.probe.fakeline import FakeLine, Serve, web_server

HOSTS = ("connectivitycheck.gstatic.com", "detectportal.firefox.com", "www.msftconnecttest.com")
ADDRESSES = ("142.250.1.94", "34.107.221.82", "13.107.4.52")
AHEAD = 86400.0


def honest() -> list[Serve | int | None]:
    date = formatdate(time.time() + AHEAD, usegmt=True)
    return [
        web_server(f"HTTP/1.1 204 No Content\nDate: {date}"),
        web_server(f"HTTP/1.1 200 OK\nDate: {date}", b"success\n"),
        web_server(f"HTTP/1.1 200 OK\nDate: {date}", b"Microsoft Connect Test"),
    ]


async def look(
    servers: list[Serve | int | None], **names: tuple[str, ...]
) -> tuple[bool | None, list[float], FakeLine]:
    async with trio.open_nursery() as nursery:
        line = FakeLine(nursery)
        line.names = {h: (ip,) for h, ip in zip(HOSTS, ADDRESSES, strict=True)} | names
        line.hosts = {(ip, 80): s for ip, s in zip(ADDRESSES, servers, strict=True)}
        portal = await look_for_portal(line, PORTAL_CHECKS)
        nursery.cancel_scope.cancel()
    return portal.found, portal.offsets, line


async def test_known_pages_as_known_are_no_portal_and_tell_the_time(
    autojump_clock: MockClock,
) -> None:
    found, offsets, _ = await look(honest())
    assert found is False
    assert len(offsets) == 3 and all(abs(o - AHEAD) < 60 for o in offsets)


async def test_the_same_redirect_from_two_is_a_portal(autojump_clock: MockClock) -> None:
    login = web_server("HTTP/1.1 302 Found\nLocation: http://login.hotel.example/?a")
    assert (await look([login, login, errno.ECONNREFUSED]))[0] is True


async def test_the_same_page_from_all_is_a_portal(autojump_clock: MockClock) -> None:
    login = web_server("HTTP/1.1 200 OK", b"<html>Please pay")
    assert (await look([login, login, login]))[0] is True


async def test_every_name_at_a_local_address_is_a_portal_that_is_not_visited(
    autojump_clock: MockClock,
) -> None:
    found, _, line = await look(honest(), **{h: ("192.168.1.1",) for h in HOSTS[:2]})
    assert found is True
    assert all(ip in ADDRESSES for ip, _ in line.connected)


@pytest.mark.parametrize("answer", [("0.0.0.0",), ("127.0.0.1",), ("::",)])
async def test_an_advertisement_blocker_is_no_portal(
    autojump_clock: MockClock, answer: tuple[str, ...]
) -> None:
    found, _, line = await look(honest(), **{h: answer for h in HOSTS[:2]})
    assert found is False
    assert [ip for ip, _ in line.connected] == [ADDRESSES[2]]


async def test_one_strange_answer_is_no_portal(autojump_clock: MockClock) -> None:
    blocked = web_server("HTTP/1.1 302 Found\nLocation: http://blocked.example/")
    _, ok, also = honest()
    assert (await look([blocked, ok, also]))[0] is False


async def test_different_strange_answers_are_no_portal(autojump_clock: MockClock) -> None:
    one = web_server("HTTP/1.1 302 Found\nLocation: http://a.example/")
    two = web_server("HTTP/1.1 302 Found\nLocation: http://b.example/")
    assert (await look([one, two, errno.ECONNRESET]))[0] is False


async def test_silence_is_no_portal_but_unknown(autojump_clock: MockClock) -> None:
    async def nothing(stream: trio.abc.Stream) -> None:
        await trio.sleep_forever()

    start = trio.current_time()
    assert (await look([nothing, errno.ECONNREFUSED, nothing]))[0] is None
    assert trio.current_time() - start <= 10.5


async def test_families_are_what_there_is_a_route_for() -> None:
    async with trio.open_nursery() as nursery:
        assert await families(FakeLine(nursery)) == (True, True)
        assert await families(FakeLine(nursery, routes=(True, False))) == (True, False)
        assert await families(FakeLine(nursery, routes=(False, False))) == (False, False)


@pytest.mark.parametrize(
    ("samples", "offset"),
    [
        ([], None),
        ([5.0], None),
        ([5.0, 6.0], 5.5),
        ([0.0, -31536000.0], None),
        ([-31536000.0, -31536001.0, 0.0], -31536000.5),
        ([0.0, 1.0, 7200.0, 7201.0], None),
        ([0.0, 59.0, 61.0], 60.0),
    ],
)
def test_the_offset_is_what_a_majority_agrees_on(
    samples: list[float], offset: float | None
) -> None:
    assert agreed_offset(samples) == offset


@pytest.mark.parametrize("header", ["", "yesterday", "Sun, 99 Foo 2026 00:00:00 GMT", "0" * 999])
def test_a_date_that_is_none_tells_nothing(header: str) -> None:
    assert date_offset(header) is None


def seen(*addresses: str) -> Introduction:
    return Introduction(control="c", control_url="https://c/", client_addresses=addresses)


BELTELECOM_V4, BELTELECOM_TOO = "178.124.1.1", "178.124.200.9"


def test_our_network_is_what_two_controls_agree_on() -> None:
    with AddressBook() as book:
        own = own_network([seen(BELTELECOM_V4), seen(BELTELECOM_TOO), seen()], book)
        assert (own.asn, own.cc) == (6697, "BY")


def test_one_control_or_two_that_differ_tell_no_network() -> None:
    with AddressBook() as book:
        for introductions in (
            [],
            [seen(BELTELECOM_V4)],
            [seen(BELTELECOM_V4), seen("8.8.8.8")],
            [seen("192.168.1.1"), seen("192.168.1.1")],
            [seen("rubbish"), seen("rubbish")],
        ):
            assert own_network(introductions, book).asn == 0


def test_a_resolver_at_home_is_unknown() -> None:
    with AddressBook() as book:
        assert resolver_network(("192.168.1.1",), book).asn == 0
        assert resolver_network(("192.168.1.1", "8.8.8.8"), book).asn == 15169


def test_gateways_are_read_from_the_routing_tables(tmp_path: Path) -> None:
    (tmp_path / "route").write_text(
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    )
    zero = "0" * 32
    (tmp_path / "ipv6_route").write_text(
        f"{zero} 00 {zero} 00 fe800000000000000000000000000001 00000400 1 0 00000003 eth0\n"
        f"{zero} 00 {zero} 00 {zero} ffffffff 1 0 00200200 lo\n"
    )
    assert gateways(str(tmp_path)) == ("192.168.1.1", "fe80::1%eth0")


def test_no_routing_table_is_no_gateway(tmp_path: Path) -> None:
    assert gateways(str(tmp_path)) == ()


def test_the_system_is_described_and_the_machine_is_not() -> None:
    assert describe_system().split()[-2] == "Python"
    assert os.uname().release not in describe_system()


@pytest.mark.parametrize(
    ("gateway", "expected"),
    [
        ("0101A8C0", True),  # 192.168.1.1
        ("0100000A", True),  # 10.0.0.1
        ("01004064", False),  # 100.64.0.1: the carrier's
        ("01B47CB2", False),  # 178.124.180.1
    ],
)
def test_a_router_with_a_private_address_is_the_households(
    tmp_path: Path, gateway: str, expected: bool
) -> None:
    (tmp_path / "route").write_text(
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        f"eth0\t00000000\t{gateway}\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
    )
    assert home_router(str(tmp_path)) is expected


def test_without_a_route_nobody_knows_whose_the_router_is(tmp_path: Path) -> None:
    assert home_router(str(tmp_path)) is None


async def test_how_near_somebody_is_stays_unknown_where_no_kernel_tells(
    autojump_clock: MockClock,
) -> None:
    async with trio.open_nursery() as nursery:
        line = FakeLine(nursery, hosts={("91.198.174.192", 443): None})
        assert await nearness(line, (), None) == ""
        assert await nearness(line, ("91.198.174.192",), None) == ""
        assert await nearness(line, ("130.89.148.77",), None) == ""  # refuses
