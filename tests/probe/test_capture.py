"""What is kept of what a tap sees: ours, of this test, bounded, without our address."""

from __future__ import annotations

import builtins
import errno
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any, Literal

import msgspec
import pytest
import trio
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Packet as Layer
from trio.testing import MockClock, wait_all_tasks_blocked

from probe import capture, following
from probe.capture import Captures, capturing
from probe.evidence import PacketCapture, PacketFacts
from probe.net import Filter, Frame
from probe.trace import Trace
from probe.wire import packet

HOME, SITE, OTHER, ROUTER = "198.18.7.9", "93.184.215.14", "151.101.1.69", "203.0.113.77"
OURS, THEIRS = 43100, 43200  # local ports: ours, and another program's
FIRST, SERVERS_FIRST = 4_294_967_000, 77  # initial sequence numbers; ours is about to wrap


class FakeTap:
    """Sees what a test says went by."""

    def __init__(self) -> None:
        self.sent, self._received = trio.open_memory_channel[Frame](10_000)
        self.watching: list[Filter] = []
        self.closed = False
        self.broken = False

    def watch(self, filter: Filter) -> None:
        self.watching.append(filter)

    async def receive(self) -> Frame:
        frame = await self._received.receive()
        if self.broken:
            raise OSError(errno.ENETDOWN, "Network is down")
        return frame

    def close(self) -> None:
        self.closed = True

    async def out(self, layer: Layer, interface: str = "eth0", source: str = HOME) -> None:
        await self._pass(IP(src=source, dst=SITE) / layer, True, interface)

    async def back(
        self, layer: Layer, interface: str = "eth0", source: str = SITE, ttl: int = 57
    ) -> None:
        await self._pass(IP(src=source, dst=HOME, ttl=ttl, id=5) / layer, False, interface)

    async def _pass(self, layers: Layer, outgoing: bool, interface: str) -> None:
        self.sent.send_nowait(Frame(bytes(layers)[:256], outgoing, interface, 0.0))
        await wait_all_tasks_blocked()


def out(flags: str, seq: int = 0, ack: int = 0, payload: bytes = b"", port: int = OURS) -> Layer:
    return TCP(
        sport=port, dport=443, flags=flags, seq=(FIRST + seq) % 2**32,
        ack=SERVERS_FIRST + ack if "A" in flags else 0,
    ) / payload  # fmt: skip


def back(flags: str, seq: int = 0, ack: int = 0, payload: bytes = b"", port: int = OURS) -> Layer:
    return TCP(
        sport=443, dport=port, flags=flags, seq=SERVERS_FIRST + seq,
        ack=(FIRST + ack) % 2**32 if "A" in flags else 0, window=502,
    ) / payload  # fmt: skip


def ours(protocol: Literal["tcp", "udp"], port: int) -> bool:
    return port == OURS


async def shake_hands(tap: FakeTap, port: int = OURS) -> None:
    await tap.out(out("S", port=port))
    await tap.back(back("SA", ack=1, port=port))
    await tap.out(out("A", 1, 1, port=port))


def captured(trace: Trace) -> PacketCapture:
    (record,) = trace.records
    assert isinstance(record, PacketCapture)
    assert len(record.packets) == len(record.raw)
    return record


def told(packets: tuple[PacketFacts, ...]) -> list[tuple[Any, ...]]:
    return [(p.way, p.flags, p.seq, p.ack, p.payload) for p in packets]


@pytest.fixture
def tap() -> FakeTap:
    return FakeTap()


async def test_a_connection_is_on_record_with_its_reset(
    tap: FakeTap, autojump_clock: MockClock
) -> None:
    trace = Trace()
    trace.step = "again"
    async with capturing(lambda: tap, owner=ours) as captures:
        async with captures.following(trace, SITE, 443, url="https://news.example/"):
            await shake_hands(tap)
            await tap.out(out("PA", 1, 1, b"h" * 400))
            await tap.back(back("R", 1), ttl=60)
    record = captured(trace)
    assert ("captured", SITE, 443, "again", "https://news.example/") == (
        record.status, record.ip, record.port, record.step, record.url
    )
    assert [
        ("out", "S", 0, None, 0), ("back", "SA", 0, 1, 0), ("out", "A", 1, 1, 0),
        ("out", "PA", 1, 1, 400), ("back", "R", 1, None, 0),
    ] == told(record.packets)  # fmt: skip
    assert ["", SITE] == sorted({p.source for p in record.packets})
    assert (60, 5, 502) == (
        record.packets[-1].ttl, record.packets[-1].ip_id, record.packets[-1].window
    )
    assert max(map(len, record.raw)) <= following.KEPT


async def test_numbers_that_are_zero_on_the_wire_are_told_so(
    tap: FakeTap, autojump_clock: MockClock
) -> None:
    trace = Trace()
    async with capturing(lambda: tap, owner=ours) as captures:
        async with captures.following(trace, SITE, 443):
            await tap.out(out("S"))
            await tap.back(TCP(sport=443, dport=OURS, flags="R", seq=0, ack=0))
    refusal = captured(trace).packets[-1]
    assert (True, True, None) == (refusal.seq_zero, refusal.ack_zero, refusal.seq)


async def test_an_error_of_a_router_is_about_the_packet_that_it_quotes(
    tap: FakeTap, autojump_clock: MockClock
) -> None:
    trace = Trace()
    async with capturing(lambda: tap, owner=ours) as captures:
        async with captures.following(trace, SITE, 443):
            await shake_hands(tap)
            hello = out("PA", 1, 1, b"h" * 300)
            await tap.out(hello)
            quote = bytes(IP(src=HOME, dst=SITE) / hello)[:60]
            await tap.back(ICMP(type=11, code=0) / quote, source=ROUTER)
    error = captured(trace).packets[-1]
    assert ("back", "icmp", ROUTER, 11, 0) == (
        error.way, error.protocol, error.source, error.icmp_type, error.icmp_code
    )
    assert ("PA", 1, 300, OURS, 443) == (
        error.quoted, error.seq, error.payload, error.sport, error.dport
    )


# Only ours


@pytest.mark.parametrize("made_up", ["0.0.0.0", "203.0.113.0"])
async def test_what_an_error_quotes_names_no_address_of_ours(
    tap: FakeTap, autojump_clock: MockClock, made_up: str
) -> None:
    """Zeros would be looked for, found, and replaced by zeros, for ever."""
    trace = Trace()
    async with capturing(lambda: tap, owner=ours) as captures:
        async with captures.following(trace, SITE, 443):
            await shake_hands(tap)
            quote = bytes(IP(src=made_up, dst=SITE) / out("PA", 1, 1, b"h" * 300))[:60]
            await tap.back(ICMP(type=11, code=0) / quote, source=ROUTER)
    record = captured(trace)
    assert "icmp" == record.packets[-1].protocol
    assert made_up == IP(record.raw[-1][28:]).src
    assert ip_address(HOME).packed not in b"".join(record.raw)


async def test_packets_of_other_programs_are_not_kept(
    tap: FakeTap, autojump_clock: MockClock
) -> None:
    trace = Trace()
    async with capturing(lambda: tap, owner=ours) as captures:
        async with captures.following(trace, SITE, 443):
            await shake_hands(tap, THEIRS)
            await shake_hands(tap)
            await tap.back(back("R", 1, port=THEIRS))
            quote = bytes(IP(src=HOME, dst=SITE) / out("S", port=THEIRS))
            await tap.back(ICMP(type=11) / quote, source=ROUTER)
    assert {OURS} == {p.sport if p.way == "out" else p.dport for p in captured(trace).packets}
    assert 3 == len(captured(trace).packets)


async def test_a_port_that_becomes_ours_is_ours_from_then_on(
    tap: FakeTap, autojump_clock: MockClock
) -> None:
    trace, mine = Trace(), [False]
    async with capturing(lambda: tap, owner=lambda protocol, port: mine[0]) as captures:
        async with captures.following(trace, SITE, 443):
            await shake_hands(tap)
            mine[0] = True
            await shake_hands(tap)
    assert 3 == len(captured(trace).packets)


async def test_other_addresses_ports_and_interfaces_are_not_this_test(
    tap: FakeTap, autojump_clock: MockClock
) -> None:
    trace = Trace()
    async with capturing(lambda: tap, owner=ours) as captures:
        async with captures.following(trace, SITE, 443):
            await shake_hands(tap)
            await tap.back(back("R", 1), source=OTHER)
            await tap.back(TCP(sport=80, dport=OURS, flags="R"))
            await tap.back(back("R", 1), interface="bridge0")
            await tap.out(out("R", 1), interface="bridge0")
            await tap.back(UDP(sport=53, dport=OURS) / b"abc")
    assert ["S", "SA", "A"] == [p.flags for p in captured(trace).packets]


async def test_two_tests_of_one_place_get_the_connection_that_each_made(
    tap: FakeTap, autojump_clock: MockClock
) -> None:
    first, second = Trace(), Trace()
    async with capturing(lambda: tap, owner=lambda protocol, port: True) as captures:
        async with captures.following(first, SITE, 443):
            await tap.out(out("S", port=1001))
            async with captures.following(second, SITE, 443):
                await tap.out(out("S", port=1002))
                await tap.back(back("SA", ack=1, port=1001))
                await tap.back(back("RA", ack=1, port=1002))
    assert ["S", "SA"] == [p.flags for p in captured(first).packets]
    assert ["S", "RA"] == [p.flags for p in captured(second).packets]


async def test_two_tests_at_once_get_their_own(tap: FakeTap, autojump_clock: MockClock) -> None:
    first, second = Trace(), Trace()
    async with capturing(lambda: tap, owner=ours) as captures:
        async with captures.following(first, SITE, 443), captures.following(second, SITE, 80):
            await shake_hands(tap)
    assert 3 == len(captured(first).packets)
    assert () == captured(second).packets


async def test_the_filter_is_set_to_those_who_are_followed_and_to_nobody_afterwards(
    tap: FakeTap, autojump_clock: MockClock
) -> None:
    async with capturing(lambda: tap, owner=ours) as captures:
        async with captures.following(Trace(), SITE, 443):
            assert 1 == len(tap.watching)
        assert len(tap.watching[1]) < len(tap.watching[0])
        assert not tap.closed
    assert tap.closed


async def test_our_address_is_nowhere_in_what_is_kept(
    tap: FakeTap, autojump_clock: MockClock
) -> None:
    trace, outside = Trace(), "198.51.100.200"
    async with capturing(lambda: tap, owner=ours, own=[outside]) as captures:
        async with captures.following(trace, SITE, 443):
            await shake_hands(tap)
            page = f"You are {outside}, or {HOME}".encode()
            await tap.back(back("PA", 1, 1, page))
            quote = bytes(IP(src=HOME, dst=SITE) / out("A", 1, 1))
            await tap.back(ICMP(type=3, code=13) / quote, source=ROUTER)
    record = captured(trace)
    assert 5 == len(record.packets)
    kept = b"".join(record.raw) + msgspec.json.encode(record.packets)
    for address in (HOME, outside):
        assert address.encode() not in kept
        assert bytes(map(int, address.split("."))) not in kept


# Bounds


async def test_a_long_transfer_leaves_its_beginning_and_its_end(
    tap: FakeTap, autojump_clock: MockClock
) -> None:
    trace = Trace()
    async with capturing(lambda: tap, owner=ours) as captures:
        async with captures.following(trace, SITE, 443):
            await shake_hands(tap)
            for number in range(100):
                await tap.back(back("PA", 1 + 10 * number, 1, b"d" * 10))
            await tap.back(back("R", 1001))
    record = captured(trace)
    plain = ["A", *["PA"] * (following.MAX_PLAIN - 1)]
    assert ["S", "SA", *plain, "R"] == [p.flags for p in record.packets]
    assert 100 + 4 == len(record.packets) + record.dropped


async def test_a_flood_is_cut_off(tap: FakeTap, autojump_clock: MockClock) -> None:
    trace = Trace()
    async with capturing(lambda: tap, owner=ours) as captures:
        async with captures.following(trace, SITE, 443):
            await shake_hands(tap)
            flood = Frame(bytes(IP(src=SITE, dst=HOME) / back("R", 1)), False, "eth0", 0.0)
            for _ in range(2 * capture.MAX_READ):
                tap.sent.send_nowait(flood)
            await wait_all_tasks_blocked()
            await trio.sleep(1)
            await tap.back(back("R", 1))
    record = captured(trace)
    assert following.MAX_PACKETS == len(record.packets)
    assert 2 * capture.MAX_READ + 4 == len(record.packets) + record.dropped


async def test_somebody_elses_download_from_there_is_not_read_through(
    tap: FakeTap, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[bytes] = []
    monkeypatch.setattr(packet, "read", read.append)
    async with capturing(lambda: tap, owner=ours) as captures:
        async with captures.following(Trace(), SITE, 443):
            data = Frame(bytes(IP(src=SITE, dst=HOME) / back("PA", 1)), False, "eth0", 0.0)
            for _ in range(2 * capture.MAX_READ):
                tap.sent.send_nowait(data)
            await wait_all_tasks_blocked()
    assert capture.MAX_READ == len(read)


async def test_the_owner_of_a_port_is_not_asked_for_ever(
    tap: FakeTap, autojump_clock: MockClock
) -> None:
    asked = []

    def owner(protocol: str, port: int) -> bool:
        asked.append(port)
        return False

    async with capturing(lambda: tap, owner=owner) as captures:
        async with captures.following(Trace(), SITE, 443):
            for port in range(1000, 1000 + 2 * following.MAX_LOOKUPS):
                await tap.out(out("S", port=port))
    assert following.MAX_LOOKUPS == len(asked)


async def test_what_cannot_be_read_is_passed_over(
    tap: FakeTap, autojump_clock: MockClock
) -> None:
    trace = Trace()
    async with capturing(lambda: tap, owner=ours) as captures:
        async with captures.following(trace, SITE, 443):
            for data in (b"", b"\x45", b"\xff" * 100, bytes(200)):
                tap.sent.send_nowait(Frame(data, True, "eth0", 0.0))
            await shake_hands(tap)
    assert 3 == len(captured(trace).packets)


# For how long


async def test_it_waits_for_a_second_answer_as_long_as_the_way_there_is(
    tap: FakeTap, autojump_clock: MockClock
) -> None:
    trace = Trace()
    async with capturing(lambda: tap, owner=ours) as captures:
        async with captures.following(trace, SITE, 443):
            await tap.out(out("S"))
            await trio.sleep(0.3)
            await tap.back(back("SA", ack=1))
            ended = trace.now()
    assert pytest.approx(0.3 * 2 + following.WAIT, abs=0.01) == trace.now() - ended
    assert pytest.approx(0.3, abs=0.01) == captured(trace).packets[1].t


async def test_it_does_not_wait_where_nobody_answered(
    tap: FakeTap, autojump_clock: MockClock
) -> None:
    trace = Trace()
    async with capturing(lambda: tap, owner=ours) as captures:
        async with captures.following(trace, SITE, 443):
            await tap.out(out("S"))
            ended = trace.now()
    assert trace.now() == pytest.approx(ended, abs=0.01)


async def test_it_waits_for_the_answer_of_a_server_in_whose_place_a_syn_was_refused(
    tap: FakeTap, autojump_clock: MockClock
) -> None:
    trace = Trace()
    async with capturing(lambda: tap, owner=ours) as captures:
        async with captures.following(trace, SITE, 443):
            await tap.out(out("S"))
            await tap.back(back("RA", 0, 1))
            ended = trace.now()
    assert pytest.approx(following.REFUSED_WAIT, abs=0.01) == trace.now() - ended


async def test_a_distant_server_is_not_waited_for_without_end(
    tap: FakeTap, autojump_clock: MockClock
) -> None:
    trace = Trace()
    async with capturing(lambda: tap, owner=ours) as captures:
        async with captures.following(trace, SITE, 443):
            await tap.out(out("S"))
            await trio.sleep(9)
            await tap.back(back("SA", ack=1))
            ended = trace.now()
    assert pytest.approx(following.MAX_WAIT, abs=0.01) == trace.now() - ended


# Where it may not be


def refuse() -> FakeTap:
    raise PermissionError(errno.EPERM, "Operation not permitted")


async def test_where_the_system_refuses_the_record_says_so_once(
    autojump_clock: MockClock,
) -> None:
    trace = Trace()
    async with capturing(refuse, owner=ours) as captures:
        for _ in range(3):
            async with captures.following(trace, SITE, 443, transaction=7):
                await trio.sleep(1)
    record = captured(trace)
    assert ("not_captured", (), 7) == (record.status, record.packets, record.transaction)
    assert "Operation not permitted" in record.detail
    assert 3 == trace.now()  # nothing is waited for


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ModuleNotFoundError("No module named 'scapy'", name="scapy"), "pip install '.[packets]'"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
    ],
    ids=["it is missing", "no file is left"],
)
async def test_where_scapy_cannot_be_loaded_the_record_says_why(
    tap: FakeTap, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch,
    error: Exception, said: str,
) -> None:  # fmt: skip
    def load() -> None:
        raise error

    monkeypatch.setattr(capture, "_codec", load)
    trace = Trace()
    async with capturing(lambda: tap, owner=ours) as captures:
        async with captures.following(trace, SITE, 443):
            pass
    assert said in captured(trace).detail
    assert tap.closed


async def test_who_may_not_capture_does_not_load_scapy(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with no_more_imports(monkeypatch, "probe.wire"):
        async with capturing(refuse, owner=ours) as captures:
            async with captures.following(Trace(), SITE, 443):
                pass


@contextmanager
def no_more_imports(monkeypatch: pytest.MonkeyPatch, forbidden: str) -> Iterator[None]:
    real = builtins.__import__

    def guarded(name: str, *args: Any, **kwargs: Any) -> Any:
        assert name != forbidden
        return real(name, *args, **kwargs)

    with monkeypatch.context() as context:
        context.setattr(builtins, "__import__", guarded)
        yield


async def test_a_tap_that_breaks_costs_the_packets_and_nothing_else(
    tap: FakeTap, autojump_clock: MockClock
) -> None:
    during, after = Trace(), Trace()
    async with capturing(lambda: tap, owner=ours) as captures:
        async with captures.following(during, SITE, 443):
            tap.broken = True
            await tap.out(out("S"))
        async with captures.following(after, SITE, 443):
            pass
    for trace in (during, after):
        assert ("not_captured", True) == (
            captured(trace).status, "Network is down" in captured(trace).detail
        )


async def test_a_test_that_fails_leaves_no_capture_and_no_follower(
    tap: FakeTap, autojump_clock: MockClock
) -> None:
    trace = Trace()
    async with capturing(lambda: tap, owner=ours) as captures:
        with pytest.raises(KeyError):
            async with captures.following(trace, SITE, 443):
                raise KeyError
        assert 2 == len(tap.watching)
    assert [] == trace.records


async def test_captures_of_nothing_need_nothing(autojump_clock: MockClock) -> None:
    trace = Trace()
    async with Captures().following(trace, SITE, 443):
        pass
    assert "not asked for" == captured(trace).detail
