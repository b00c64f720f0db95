from __future__ import annotations

import errno

import pytest
import trio
from trio.testing import MockClock

from probe.evidence import HopProbe
from probe.failure import Failure, NetworkFailure
from probe.hops import HopError
from probe.steps.engine import Hello, spoken
from probe.steps.hop import (
    hop_hello,
    hop_initial,
    hop_query,
    hop_request,
    hop_syn,
    request,
    small_hello,
)
from probe.trace import Trace
from probe.wire.tls import client_hello, handshake_message, name_in
from tests.probe.fakepath import ALERT, SERVER_HELLO, Deed, FakePath

IP = "93.184.216.34"
ROUTERS = ("93.84.4.2", "62.115.40.1", "")
NAME = "site.by"
WORDS = (NAME.encode(), b"\x04site\x02by")


def path(deed: Deed = "reset", hop: int = 0, **more: object) -> FakePath:
    return FakePath(ROUTERS, deed=deed, hop=hop, words=WORDS, **more)  # type: ignore[arg-type]


async def said(network: FakePath, ttl: int, name: str = NAME) -> HopProbe:
    trace = Trace()
    probe = await hop_hello(network, trace, IP, 443, ttl, name)
    assert [probe] == trace.records
    return probe


async def test_a_hello_that_dies_on_its_way_is_expired(autojump_clock: MockClock) -> None:
    probe = await said(path(), 2)
    assert ("tls", 2, NAME, "expired", "62.115.40.1", None) == (
        probe.trigger, probe.ttl, probe.name, probe.answer, probe.router, probe.failure,
    )


async def test_a_silent_router_says_nothing_and_that_is_no_failure(
    autojump_clock: MockClock,
) -> None:
    probe = await said(path(), 3)
    assert ("nothing", "", None) == (probe.answer, probe.router, probe.failure)
    assert 2.0 <= probe.t - probe.t0 < 3.0


@pytest.mark.parametrize(
    ("deed", "answer", "received"),
    [
        ("reset", "reset", b""), ("close", "closed", b""), ("alert", "answered", ALERT),
        ("drop", "nothing", b""),
    ],
)  # fmt: skip
async def test_what_comes_of_a_hello_has_a_name_of_its_own(
    deed: Deed, answer: str, received: bytes, autojump_clock: MockClock
) -> None:
    probe = await said(path(deed, 2), 2)
    assert (answer, received) == (probe.answer, probe.received)


async def test_a_forged_reset_may_come_after_the_routers_word(autojump_clock: MockClock) -> None:
    assert "reset" == (await said(path("reset", 2, late=0.3), 2)).answer
    assert "expired" == (await said(path("reset", 2, late=0.9), 2)).answer


async def test_a_server_that_is_reached_answers(autojump_clock: MockClock) -> None:
    probe = await said(path(), 4)
    assert ("answered", SERVER_HELLO) == (probe.answer, probe.received)


async def test_a_connection_that_cannot_be_made_is_a_failure_and_no_answer(
    autojump_clock: MockClock,
) -> None:
    network = path()
    network.dead_until[IP, 443] = 1e9
    probe = await said(network, 2)
    assert (Failure.TIMEOUT, "nothing") == (probe.failure, probe.answer)


async def test_of_a_page_a_beginning_is_kept(autojump_clock: MockClock) -> None:
    probe = await hop_request(path("page", 2), Trace(), IP, 80, 2, NAME, "/x?y", url="http://u/")
    assert ("http", "answered") == (probe.trigger, probe.answer)
    assert probe.received.startswith(b"HTTP/1.1 200")
    assert "http://u/" == probe.url


async def test_a_syn_names_the_router_and_is_accepted_at_the_end(
    autojump_clock: MockClock,
) -> None:
    trace = Trace()
    seen = [await hop_syn(path(), trace, IP, 443, ttl) for ttl in (1, 2, 3, 4)]
    assert [
        ("expired", "93.84.4.2"), ("expired", "62.115.40.1"), ("nothing", ""), ("accepted", ""),
    ] == [(e.answer, e.router) for e in seen]  # fmt: skip
    assert seen == trace.records


async def test_a_syn_that_is_refused_on_its_way(autojump_clock: MockClock) -> None:
    network = path("refuse", 2, addresses=(IP,))
    assert "refused" == (await hop_syn(network, Trace(), IP, 443, 2)).answer
    assert "expired" == (await hop_syn(network, Trace(), IP, 443, 1)).answer


async def test_a_forged_answer_and_the_routers_word_are_both_kept(
    autojump_clock: MockClock,
) -> None:
    beside = await hop_query(path("forge", 2), Trace(), IP, 2, NAME, "A")
    assert ("answered", "62.115.40.1") == (beside.answer, beside.router)
    instead = await hop_query(path("forge", 2, in_path=True), Trace(), IP, 2, NAME, "A")
    assert ("answered", "") == (instead.answer, instead.router)
    assert beside.received and instead.received


async def test_a_query_without_an_answer_is_sent_once_more(autojump_clock: MockClock) -> None:
    network = path("drop", 2)
    probe = await hop_query(network, Trace(), IP, 2, NAME, "A")
    assert "nothing" == probe.answer
    assert 2 == len(network.seen)


async def test_a_quic_initial_dies_on_its_way_as_well(autojump_clock: MockClock) -> None:
    pytest.importorskip("aioquic")
    network = FakePath(ROUTERS)
    probe = await hop_initial(network, Trace(), IP, 443, 2, NAME)
    assert ("quic", "expired", "62.115.40.1") == (probe.trigger, probe.answer, probe.router)


async def test_a_datagram_that_is_no_quic_is_no_answer(autojump_clock: MockClock) -> None:
    pytest.importorskip("aioquic")

    class Noise(FakePath):
        async def open_udp(self, ip: str, port: int, ttl: int):  # type: ignore[no-untyped-def]
            sock = await super().open_udp(ip, port, ttl)
            for noise in (b"", b"\xc0", b"\xc0\0\0\0\1" + b"\xff" * 60, b"\0" * 1200):
                sock.end.later(0.001, noise)  # type: ignore[attr-defined]
            return sock

    probe = await hop_initial(Noise(ROUTERS), Trace(), IP, 443, 3, NAME)
    assert ("nothing", None) == (probe.answer, probe.failure)


async def test_what_answers_another_question_is_not_an_answer(autojump_clock: MockClock) -> None:
    class Strange(FakePath):
        async def open_udp(self, ip: str, port: int, ttl: int):  # type: ignore[no-untyped-def]
            sock = await super().open_udp(ip, port, ttl)
            sock.end.later(0.001, b"\0" * 40)  # type: ignore[attr-defined]
            return sock

    network = Strange(ROUTERS)
    probe = await hop_query(network, Trace(), IP, 1, NAME, "A")
    assert ("expired", b"") == (probe.answer, probe.received)


async def test_an_unreachable_says_by_whom_and_a_withheld_address_says_why(
    autojump_clock: MockClock,
) -> None:
    class Wall(FakePath):
        error = HopError(errno.EHOSTUNREACH, router="93.84.4.2")

        async def syn(self, ip: str, port: int, ttl: int) -> None:
            await trio.lowlevel.checkpoint()
            raise self.error

    wall = Wall(ROUTERS)
    probe = await hop_syn(wall, Trace(), IP, 443, 2)
    assert ("unreachable", "93.84.4.2") == (probe.answer, probe.router)
    wall.error = HopError(errno.EHOSTUNREACH, expired=True, withheld="not a public address")
    probe = await hop_syn(wall, Trace(), IP, 443, 2)
    assert ("expired", "") == (probe.answer, probe.router)
    assert "not a public address" in probe.detail


async def test_trouble_of_this_machines_own_is_a_failure(autojump_clock: MockClock) -> None:
    class Down(FakePath):
        async def syn(self, ip: str, port: int, ttl: int) -> None:
            await trio.lowlevel.checkpoint()
            raise OSError(errno.ENETDOWN, "down")

    probe = await hop_syn(Down(ROUTERS), Trace(), IP, 443, 2)
    assert (Failure.NETWORK_DOWN, "nothing") == (probe.failure, probe.answer)


@pytest.mark.parametrize("hello", ["python", "browser"])
async def test_the_hello_is_the_one_that_was_asked_for(
    hello: Hello, autojump_clock: MockClock
) -> None:
    network = path("reset", 2)
    probe = await hop_hello(network, Trace(), IP, 443, 2, NAME, hello=hello)
    ((_, flight, _),) = network.seen
    assert name_in(flight, NAME) is not None
    assert client_hello(handshake_message(flight)).extensions
    assert spoken(hello) == probe.hello


def test_a_request_is_one_packet() -> None:
    whole = request("/x?y=1", NAME)
    assert whole.startswith(b"GET /x?y=1 HTTP/1.1\r\nHost: site.by\r\nsec-ch-ua: ")
    bare = request("/" + "x" * 1000, NAME)
    assert len(whole) < 1200 and len(bare) < 1200
    assert bare.endswith(b" HTTP/1.1\r\nHost: site.by\r\n\r\n")
    with pytest.raises(NetworkFailure):
        request("/" + "x" * 1200, NAME)


def test_where_a_hello_would_take_two_packets_it_is_made_smaller() -> None:
    small = small_hello(NAME)
    assert len(small) < 1200
    assert name_in(small, NAME) is not None
    assert client_hello(handshake_message(small)).extensions


async def test_what_is_no_host_name_is_a_failure_and_no_crash(autojump_clock: MockClock) -> None:
    probe = await hop_hello(path(), Trace(), IP, 443, 2, "a" * 64 + ".by")
    assert (Failure.UNKNOWN, "nothing") == (probe.failure, probe.answer)
