"""The carrier, with sockets in the place of TUN devices: no privilege needed.

Its clock stands still until a test moves it, so that nothing here depends on how busy the
machine is.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any

import pytest

from lab import wire as wires
from lab.wire import Carrier, Traffic, WireSettings
from lab.world import Action, Way, Wire

SECONDS = 60.0  # for something to arrive that must


class Clock:
    """What the carrier has for the module ``time``."""

    time_ns = staticmethod(time.time_ns)

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class Rig:
    """One wire between two sockets: what `near` sends, `far` receives."""

    def __init__(self, settings: WireSettings, seed: int, clock: Clock) -> None:
        self.clock = clock
        self.near, device_near = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.far, device_far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.devices = (device_near, device_far)
        for ours in (self.near, self.far):
            ours.settimeout(SECONDS)
        for device in self.devices:
            device.setblocking(False)
        self.control, control = Pipe()
        self.carrier = Carrier(
            {Wire.LINE: (device_near.fileno(), device_far.fileno())},
            {Wire.LINE: settings},
            seed,
            control,
        )
        self.thread = threading.Thread(target=self.carrier.run, daemon=True)
        self.thread.start()

    def ask(self, *command: Any) -> Any:
        self.control.send(command)
        return self.control.recv()

    def set(self, after: float = 0.0, **fields: Any) -> None:
        self.ask("set", Wire.LINE, fields, after)

    def traffic(self) -> Traffic:
        traffic: Traffic = self.ask("counters")[Wire.LINE]
        return traffic

    def settle(self) -> None:
        """Have the carrier do all that it has to do by now: a round of it ends in between."""
        self.traffic()
        self.traffic()

    def wait(self, seconds: float) -> None:
        """Have taken what was sent, move the clock, and have done what was due by then."""
        self.settle()
        self.clock.now += seconds
        self.settle()

    def silent(self, end: socket.socket) -> bool:
        """Whether nothing has come out at *end* by now."""
        self.settle()
        return not select.select([end], [], [], 0)[0]

    def taken(self, packets: int) -> Traffic:
        """The traffic once that many packets have gone in."""
        while (traffic := self.traffic()).packets_out < packets:
            time.sleep(0)
        return traffic

    def heard(self) -> list[bytes]:
        """All that came out at the far end by the time that a packet sent now does."""
        self.wait(1.0)
        self.set(delay=0.0, loss=0.0, rate=None, cut=False, on=frozenset())
        self.near.send(packet("last"))
        found = []
        while (arrived := self.far.recv(2048)) != packet("last"):
            found.append(arrived)
        return found


@contextmanager
def wire(seed: int = 0, **settings: Any) -> Iterator[Rig]:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wires, "time", clock)
        rig = Rig(WireSettings(**settings), seed, clock)
        try:
            yield rig
            rig.ask("stop")
        finally:
            rig.control.close()  # ends the carrier too
            rig.thread.join(SECONDS)
            for each in (rig.near, rig.far, *rig.devices):
                each.close()


def packet(text: str, version: int = 4) -> bytes:
    return bytes([version << 4]) + bytes(39) + text.encode()


def test_an_idle_wire_passes_both_ways_and_counts() -> None:
    with wire() as rig:
        rig.near.send(packet("out"))
        assert packet("out") == rig.far.recv(2048)
        rig.far.send(packet("back"))
        rig.far.send(packet("again"))
        assert [packet("back"), packet("again")] == [rig.near.recv(2048), rig.near.recv(2048)]
        assert Traffic(1, 43, 2, 44 + 45) == rig.traffic()


@pytest.mark.parametrize("way", list(Way))
def test_delay_holds_for_the_way_it_is_given_for(way: Way) -> None:
    with wire(delay={way: 0.03}) as rig:
        there, here = (rig.near, rig.far) if way is Way.OUT else (rig.far, rig.near)
        here.send(packet("x"))
        assert packet("x") == there.recv(2048)
        there.send(packet("y"))
        rig.wait(0.0299)
        assert rig.silent(here)
        rig.wait(0.0002)
        assert packet("y") == here.recv(2048)


def test_jitter_keeps_the_order() -> None:
    with wire(jitter=0.01) as rig:
        sent = [packet(f"{number}") for number in range(30)]
        for each in sent:
            rig.near.send(each)
        rig.taken(30)
        for _ in range(20):
            rig.wait(0.001)
        assert sent == [rig.far.recv(2048) for _ in sent]


def test_total_loss_is_silence() -> None:
    with wire(loss=1.0) as rig:
        rig.near.send(packet("lost"))
        rig.taken(1)
        assert [] == rig.heard()


def test_the_seed_decides_which_packets_are_lost() -> None:
    def survivors(seed: int) -> list[bytes]:
        with wire(seed=seed, loss=0.5) as rig:
            for number in range(40):
                rig.near.send(packet(f"{number}"))
            rig.taken(40)
            return rig.heard()

    first = survivors(1)
    assert 5 < len(first) < 35
    assert first == survivors(1)
    assert first != survivors(2)


def test_a_rate_spreads_packets_in_time() -> None:
    with wire(rate=100_000.0) as rig:
        big = packet("x" * 960)  # 1,000 bytes: 10 ms each
        for _ in range(6):
            rig.near.send(big)
        rig.taken(6)
        rig.wait(0.005)
        for _ in range(6):
            assert rig.silent(rig.far)
            rig.wait(0.01)
            assert big == rig.far.recv(2048)


def test_what_the_queue_of_a_rate_cannot_hold_is_dropped() -> None:
    with wire(rate=100_000.0, queue=3000) as rig:
        for number in range(20):
            rig.near.send(packet(f"{number:02}" + "x" * 958))
        rig.taken(20)
        assert [packet(f"{number:02}" + "x" * 958) for number in range(3)] == rig.heard()


def test_a_cut_wire_is_silent_until_restored() -> None:
    with wire() as rig:
        rig.set(cut=True)
        rig.near.send(packet("into the void"))
        assert Traffic(1, 53, 0, 0) == rig.taken(1)
        rig.set(cut=False)
        rig.near.send(packet("after"))
        assert packet("after") == rig.far.recv(2048)


def test_what_is_under_way_when_the_wire_is_cut_does_not_arrive() -> None:
    with wire(delay=0.02) as rig:
        rig.near.send(packet("under way"))
        rig.taken(1)
        rig.set(cut=True)
        rig.set(after=0.03, cut=False)
        rig.wait(0.04)
        assert [] == rig.heard()


def test_a_change_can_be_set_for_later() -> None:
    with wire() as rig:
        rig.set(after=0.02, cut=True)
        rig.near.send(packet("before"))
        assert packet("before") == rig.far.recv(2048)
        rig.wait(0.03)
        rig.near.send(packet("cut off"))
        rig.taken(2)
        assert [] == rig.heard()


def test_ipv6_alone_can_vanish() -> None:
    with wire(drop_ipv6=True) as rig:
        rig.near.send(packet("six", version=6))
        rig.near.send(packet("four"))
        assert packet("four") == rig.far.recv(2048)


def test_multicast_of_a_kernel_is_no_traffic() -> None:
    report = bytearray(packet("", version=6))
    report[24] = 0xFF
    with wire(delay=0.001) as rig:
        rig.near.send(report)
        rig.settle()
        assert [] == rig.heard()
        assert 1 == rig.taken(1).packets_out  # the last one of `heard`


def test_censors_act_in_order_and_never_see_their_own_packets() -> None:
    seen: list[tuple[str, bytes]] = []

    def doubler(data: bytes, way: Way, now: float) -> Sequence[Action]:
        seen.append(("doubler", data))
        return [(data, way, 0.0), (packet("forged"), way, 0.0)]

    def watcher(data: bytes, way: Way, now: float) -> None:
        seen.append(("watcher", data))

    with wire(censors=(doubler, watcher)) as rig:
        rig.near.send(packet("true"))
        assert [packet("true"), packet("forged")] == [rig.far.recv(2048), rig.far.recv(2048)]
    assert [
        ("doubler", packet("true")),
        ("watcher", packet("true")),
        ("watcher", packet("forged")),
    ] == seen


def test_an_injected_packet_can_go_the_other_way_and_later() -> None:
    def injector(data: bytes, way: Way, now: float) -> Sequence[Action]:
        return [(packet("reset"), Way.BACK, 0.02)]

    with wire(censors=(injector,)) as rig:
        rig.near.send(packet("hello"))
        rig.taken(1)
        rig.wait(0.0199)
        assert rig.silent(rig.near)
        rig.wait(0.0002)
        assert packet("reset") == rig.near.recv(2048)
        assert Traffic(1, 45, 1, 45) == rig.traffic()


def test_a_prepared_censor_is_off_until_switched_on() -> None:
    def drop(data: bytes, way: Way, now: float) -> Sequence[Action]:
        return []

    with wire(prepared={"drop": drop}) as rig:
        rig.near.send(packet("free"))
        assert packet("free") == rig.far.recv(2048)
        rig.set(on=frozenset({"drop"}))
        rig.near.send(packet("blocked"))
        rig.taken(2)
        assert [] == rig.heard()


def test_a_capture_is_what_the_households_end_sees(tmp_path: Path) -> None:
    def drop_out(data: bytes, way: Way, now: float) -> Sequence[Action] | None:
        return [] if way is Way.OUT else None

    path = tmp_path / "line.pcap"
    with wire(capture=path, censors=(drop_out,)) as rig:
        rig.near.send(packet("sent and dropped"))
        rig.taken(1)
        rig.far.send(packet("received"))
        rig.near.recv(2048)
        rig.set(cut=True)
        rig.far.send(packet("never there"))
    data = path.read_bytes()
    assert (0xA1B2C3D4, 101) == (
        *struct.unpack_from("<I", data),
        *struct.unpack_from("<I", data, 20),
    )
    assert [packet("sent and dropped"), packet("received")] == records(data[24:])


def records(data: bytes) -> list[bytes]:
    found = []
    while data:
        seconds, _, kept, length = struct.unpack_from("<IIII", data)
        assert abs(time.time() - seconds) < 60
        assert kept == length
        found.append(data[16 : 16 + kept])
        data = data[16 + kept :]
    return found
