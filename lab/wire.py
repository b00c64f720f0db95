"""The wires of the country: one process that carries packets from TUN device to TUN device.

A wire takes each packet through its censors, then through the line's own vices
(loss, rate, delay). The censors come first so that what they inject suffers the
same line as everything else. An idle wire without either is a read and a write.

Counters and captures are kept at the household's end of a wire: a packet going
out counts before anything can happen to it, one coming back after everything
has. That is what tcpdump on that end would see.
"""

from __future__ import annotations

import heapq
import itertools
import os
import random
import select
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from lab.world import Censor, Way, Wire

MTU = 1500
# First byte of an IPv6 destination that is no traffic of the country: kernels report
# their groups to the link, no router forwards that, and no switch turns it off.
_MULTICAST = 0xFF
_BURST = 64  # packets taken from one device before the others have their turn
_PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)  # LINKTYPE_RAW

PerWay = float | Mapping[Way, float]


@dataclass(frozen=True, kw_only=True)
class WireSettings:
    """What a wire does to its packets.

    *delay* (seconds, one way), *jitter* (seconds more, at most; packets keep their
    order), *loss* (probability) and *rate* (bytes a second; None is no limit) hold
    for both ways or are given by `Way`. *queue*: bytes that wait for the rate
    before packets are dropped. *censors* are applied in the order given, and what
    one of them sends is shown to those after it only. *prepared* ones are off until
    `Country.switch` turns them on, and come after the others. *capture*: a pcap
    file to write.
    """

    delay: PerWay = 0.0
    jitter: PerWay = 0.0
    loss: PerWay = 0.0
    rate: PerWay | None = None
    queue: int = 128_000
    cut: bool = False
    drop_ipv6: bool = False
    censors: tuple[Censor, ...] = ()
    prepared: Mapping[str, Censor] = field(default_factory=dict)
    on: frozenset[str] = frozenset()
    capture: Path | None = None


class Traffic(NamedTuple):
    """Packets and bytes (of IP) at the household's end of a wire since it was built."""

    packets_out: int
    bytes_out: int
    packets_back: int
    bytes_back: int


class _Lane:
    """One way of one wire: where it ends, how it is, and what is on it."""

    def __init__(self, line: _Line, way: Way, far_end: int, chance: random.Random) -> None:
        self.line = line
        self.way = way
        self.far_end = far_end
        self.chance = chance
        self.packets = 0
        self.bytes = 0
        self.rate_free_at = 0.0
        self.last_arrival = 0.0
        self.delay = self.jitter = self.loss = 0.0
        self.rate: float | None = None

    def adopt(self, settings: WireSettings) -> None:
        self.delay = _each(settings.delay, self.way)
        self.jitter = _each(settings.jitter, self.way)
        self.loss = _each(settings.loss, self.way)
        self.rate = None if settings.rate is None else _each(settings.rate, self.way)

    def count(self, packet: bytes) -> None:
        self.packets += 1
        self.bytes += len(packet)


class _Line:
    """A wire: its two lanes, its censors and its capture."""

    def __init__(self, wire: Wire, near: int, far: int, settings: WireSettings, seed: int) -> None:
        self.lanes = {
            way: _Lane(self, way, end, random.Random(f"{seed} {wire} {way}"))
            for way, end in ((Way.OUT, far), (Way.BACK, near))
        }
        self.capture: int | None = None
        if settings.capture is not None:
            self.capture = os.open(settings.capture, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.write(self.capture, _PCAP_HEADER)
        self.adopt(settings)

    def adopt(self, settings: WireSettings) -> None:
        self.settings = settings
        self.censors = (
            *settings.censors,
            *(censor for name, censor in settings.prepared.items() if name in settings.on),
        )
        for lane in self.lanes.values():
            lane.adopt(settings)
        self.idle = (
            not (self.censors or settings.cut or settings.drop_ipv6)
            and self.capture is None
            and all(
                lane.rate is None and not (lane.delay or lane.jitter or lane.loss)
                for lane in self.lanes.values()
            )
        )

    def record(self, packet: bytes) -> None:
        if self.capture is not None:
            seconds, nanoseconds = divmod(time.time_ns(), 10**9)
            head = struct.pack("<IIII", seconds, nanoseconds // 1000, len(packet), len(packet))
            os.write(self.capture, head + packet)


class Carrier:
    """Carries all wires until told to stop or until the controller is gone.

    *ends*: the open TUN devices of each wire, the household's side first. Commands
    come over *control* as tuples: ``("set", wire, fields, after)``, ``("counters",)``,
    ``("stop",)``; each is answered.
    """

    def __init__(
        self,
        ends: Mapping[Wire, tuple[int, int]],
        settings: Mapping[Wire, WireSettings],
        seed: int,
        control: Connection,
    ) -> None:
        self._control = control
        self._lines: dict[Wire, _Line] = {}
        self._lane_from: dict[int, _Lane] = {}
        self._waiting: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = itertools.count()
        self._running = True
        for wire, (near, far) in ends.items():
            line = _Line(wire, near, far, settings.get(wire, WireSettings()), seed)
            self._lines[wire] = line
            self._lane_from[near] = line.lanes[Way.OUT]
            self._lane_from[far] = line.lanes[Way.BACK]

    def run(self) -> None:
        poll = select.epoll()
        for file in (*self._lane_from, self._control.fileno()):
            poll.register(file, select.EPOLLIN)
        while self._running:
            patience = -1.0
            if self._waiting:
                patience = max(0.0, self._waiting[0][0] - time.monotonic())
            for file, _ in poll.poll(patience):
                lane = self._lane_from.get(file)
                if lane is None:
                    self._obey()
                elif lane.line.idle:
                    _pass_on(file, lane)
                else:
                    self._take(file, lane)
            now = time.monotonic()
            while self._waiting and self._waiting[0][0] <= now:
                _, _, act, arguments = heapq.heappop(self._waiting)
                act(*arguments)

    def _take(self, file: int, lane: _Lane) -> None:
        line, way = lane.line, lane.way
        try:
            for _ in range(_BURST):
                packet = os.read(file, MTU)
                if packet[0] >> 4 == 6 and packet[24] == _MULTICAST:
                    continue
                if way is Way.OUT:
                    lane.count(packet)
                    line.record(packet)
                if not line.settings.cut and not (line.settings.drop_ipv6 and packet[0] >> 4 == 6):
                    self._show(line, way, packet, 0)
        except BlockingIOError:
            return

    def _show(self, line: _Line, way: Way, packet: bytes, stage: int) -> None:
        """Take *packet* past the censors from number *stage* on, and then to the line."""
        for number in range(stage, len(line.censors)):
            now = time.monotonic()
            actions = line.censors[number](packet, way, now)
            if actions is None:
                continue
            for sent, sent_way, after in actions:
                if after > 0:
                    self._later(now + after, self._show, line, sent_way, sent, number + 1)
                else:
                    self._show(line, sent_way, sent, number + 1)
            return
        self._send(line.lanes[way], packet)

    def _send(self, lane: _Lane, packet: bytes) -> None:
        if lane.loss and lane.chance.random() < lane.loss:
            return
        due = now = time.monotonic()
        if lane.rate is not None:
            start = max(now, lane.rate_free_at)
            if (start - now) * lane.rate + len(packet) > lane.line.settings.queue:
                return
            due = lane.rate_free_at = start + len(packet) / lane.rate
        due += lane.delay
        if lane.jitter:
            due += lane.chance.uniform(0.0, lane.jitter)
        due = lane.last_arrival = max(due, lane.last_arrival)
        if due > now:
            self._later(due, self._arrive, lane, packet)
        else:
            self._arrive(lane, packet)

    def _arrive(self, lane: _Lane, packet: bytes) -> None:
        if lane.line.settings.cut:
            return
        if lane.way is Way.BACK:
            lane.count(packet)
            lane.line.record(packet)
        os.write(lane.far_end, packet)

    def _later(self, due: float, act: Callable[..., None], *arguments: object) -> None:
        heapq.heappush(self._waiting, (due, next(self._order), act, arguments))

    def _obey(self) -> None:
        try:
            command, *arguments = self._control.recv()
        except EOFError:  # the controller is gone
            self._running = False
            return
        answer: object = None
        if command == "set":
            wire, fields, after = arguments
            if after > 0:
                self._later(time.monotonic() + after, self._set, wire, fields)
            else:
                self._set(wire, fields)
        elif command == "counters":
            answer = {
                wire: Traffic(
                    *(
                        number
                        for way in (Way.OUT, Way.BACK)
                        for number in (line.lanes[way].packets, line.lanes[way].bytes)
                    )
                )
                for wire, line in self._lines.items()
            }
        elif command == "stop":
            self._running = False
        else:
            raise ValueError(f"no such command: {command!r}")
        self._control.send(answer)

    def _set(self, wire: Wire, fields: Mapping[str, Any]) -> None:
        line = self._lines[wire]
        line.adopt(replace(line.settings, **fields))


def _pass_on(file: int, lane: _Lane) -> None:
    """The idle wire: nothing but reading, writing and counting."""
    read, write, far_end = os.read, os.write, lane.far_end
    packets = size = 0
    try:
        for _ in range(_BURST):
            packet = read(file, MTU)
            if packet[0] >> 4 == 6 and packet[24] == _MULTICAST:
                continue
            size += write(far_end, packet)
            packets += 1
    except BlockingIOError:
        pass  # the device is empty
    lane.packets += packets
    lane.bytes += size


def _each(value: PerWay, way: Way) -> float:
    return value if isinstance(value, int | float) else value.get(way, 0.0)
