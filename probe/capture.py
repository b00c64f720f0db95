"""The packets of what is tried, as they went over the wire, where this process may see them.

One tap for the whole second pass, none in the plain one. Who tries something opens
`Captures.following` around it, and one `PacketCapture` goes on record beside the
evidence of the test itself. It is an addition: where the process may not capture, or
scapy is not there, the record says so and nothing else changes.

What is kept is ours and nothing else: packets between this process's own sockets and the
address that is tried, and ICMP errors about them. The kernel's filter keeps the packets of
other machines away, the owner of the port those of other programs. This machine's own
address is taken out before anything is kept. All is bounded, since what arrives is not ours.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

import trio

from probe import sockets
from probe.evidence import PacketCapture, PacketFacts
from probe.net import Frame, Tap, open_capture
from probe.trace import Trace
from probe.wire import bpf

if TYPE_CHECKING:
    from types import ModuleType

    from probe.wire.packet import Packet

KEPT = 200  # bytes of each packet
MAX_PACKETS = 64  # of one following
MAX_PLAIN = 24  # of them, what only carries data; the rest is for what opens, ends or reports
MAX_READ = 1024  # packets looked at in one following, ours or not
MAX_LOOKUPS = 64  # of who has a port, in one following

# The true answer may come after the forged one, when the test has long ended.
WAIT = 0.2  # seconds, beyond
ROUND_TRIPS = 2.0  # to the server, and
MAX_WAIT = 1.5  # at most
REFUSED_WAIT = 1.0  # where a SYN was refused: the server's distance is not known

log = logging.getLogger(__name__)

Owner = Callable[[Literal["tcp", "udp"], int], bool]


@asynccontextmanager
async def capturing(
    open_tap: Callable[[], Tap] = open_capture,
    *,
    owner: Owner = sockets.is_ours,
    own: Iterable[str] = (),
) -> AsyncIterator[Captures]:
    """Captures for as long as the block lasts; of nothing, where it may not be.

    *owner* says whether this process has a local port. *own*: addresses of the user that
    packets may mention beside the one they come to, such as the one before a NAT.
    """
    try:
        tap = open_tap()  # first: who may not capture need not load scapy
    except OSError as exc:
        yield Captures(why=f"the system does not let this process: {exc.strerror or exc}")
        return
    try:
        codec = await trio.to_thread.run_sync(_codec)
    except ImportError as exc:
        tap.close()
        yield Captures(why=f"{exc.name} is not installed: pip install 'zond[packets]'")
        return
    captures = Captures(tap, codec, owner=owner, own=own)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(captures.read)
            yield captures
            nursery.cancel_scope.cancel()
    finally:
        tap.close()


def _codec() -> ModuleType:
    from probe.wire import packet

    return packet


class Captures:
    """Hands what a tap sees to those who follow it, by the address it is to or from.

    Without a *tap*, *why* says why there is none.
    """

    def __init__(
        self,
        tap: Tap | None = None,
        codec: ModuleType | None = None,
        *,
        owner: Owner = sockets.is_ours,
        own: Iterable[str] = (),
        why: str = "not asked for",
    ) -> None:
        self._tap, self._codec, self._owner, self._why = tap, codec, owner, why
        self._own = frozenset(own)
        self._following: list[_Following] = []

    @asynccontextmanager
    async def following(
        self, trace: Trace, ip: str, port: int, **facts: Any
    ) -> AsyncIterator[None]:
        """Put on record what goes to and comes from *port* of *ip* during the block.

        And for a moment after it: up to `MAX_WAIT` seconds, if the server has answered at
        all. *facts* go into the record (the transaction of the test, its URL). Where
        nothing can be captured a trace gets one record that says so. A block that raises
        leaves none.
        """
        if self._tap is None or len(self._following) >= bpf.MAX_ADDRESSES:
            yield
            why = self._why if self._tap is None else "too many at once"
            _not_captured(trace, ip, port, why, facts)
            return
        mine = _Following(ip, port, trace, self._owner, self._own)
        t0 = trace.now()
        self._follow(mine, True)
        try:
            yield
            await trio.sleep(mine.patience())
        finally:
            self._follow(mine, False)
        if self._tap is None:
            _not_captured(trace, ip, port, self._why, facts)
        else:
            trace.append(PacketCapture, t0, {"ip": ip, "port": port, **mine.found(), **facts})

    async def read(self) -> None:
        """Read packets until cancelled, or until the system takes the tap away."""
        assert self._tap is not None and self._codec is not None
        try:
            while True:
                frame = await self._tap.receive()
                at = trio.current_time() - frame.age
                packet = self._codec.read(frame.data)
                if packet is not None:
                    for following in self._following:
                        following.take(frame, at, packet, self._codec.without)
        except OSError as exc:
            log.warning("packets are no longer captured: %s", exc)
            self._tap, self._why = None, str(exc)

    def _follow(self, following: _Following, on: bool) -> None:
        if on:
            self._following.append(following)
        else:
            self._following.remove(following)
        if self._tap is not None:
            watched = {f.ip for f in self._following}
            self._tap.watch(bpf.packets_of(watched, keep=KEPT))


def _not_captured(trace: Trace, ip: str, port: int, why: str, facts: dict[str, Any]) -> None:
    if not any(isinstance(record, PacketCapture) for record in trace.records):
        said = {"ip": ip, "port": port, "status": "not_captured", "detail": why}
        trace.append(PacketCapture, trace.now(), {**said, **facts})


class _Connection:
    """What relative numbers are relative to; None until it was seen."""

    def __init__(self) -> None:
        self.ours: int | None = None
        self.theirs: int | None = None


class _Following:
    """What one test is given of the tap."""

    def __init__(
        self, ip: str, port: int, trace: Trace, owner: Owner, own: frozenset[str]
    ) -> None:
        self.ip, self.port, self._trace, self._owner = ip, port, trace, owner
        self._own = set(own)
        self._interface = ""  # the one our first packet left by; bridges show packets twice
        self._ours: dict[int, bool] = {}
        self._connections: dict[int, _Connection] = {}
        self._facts: list[PacketFacts] = []
        self._raw: list[bytes] = []
        self._dropped = self._looked_at = self._lookups = 0
        self._asked_at: float | None = None
        self._round_trip: float | None = None
        self._refused = False

    def take(
        self, frame: Frame, at: float, packet: Packet,
        without: Callable[[bytes, Packet, set[str]], bytes],
    ) -> None:
        """Keep *packet*, seen *at* (trio's time), if it is of this test and within bounds."""
        about = packet if packet.quoted is None else packet.quoted
        out = frame.outgoing or packet.quoted is not None
        theirs, remote, local, port = (
            (about.destination, about.dport, about.source, about.sport)
            if out
            else (about.source, about.sport, about.destination, about.dport)
        )
        if (theirs, remote) != (self.ip, self.port) or self._looked_at >= MAX_READ:
            return
        self._looked_at += 1
        if frame.outgoing and packet.protocol != "icmp":
            self._left(frame.interface, packet)
        if frame.interface != self._interface or not self._ours.get(port):
            return
        self._own.add(local)
        facts = self._described(packet, about, port, at - self._trace.zero)
        self._time(facts)
        remarkable = set(facts.flags) & set("SFR") or packet.protocol == "icmp"
        if len(self._facts) >= (MAX_PACKETS if remarkable else MAX_PLAIN):
            self._dropped += 1
            return
        self._facts.append(facts)
        self._raw.append(without(frame.data[:KEPT], packet, self._own))

    def patience(self) -> float:
        """For how long (seconds) another answer may still come."""
        if self._round_trip is None:
            return REFUSED_WAIT if self._refused else 0.0
        return min(MAX_WAIT, WAIT + ROUND_TRIPS * self._round_trip)

    def found(self) -> dict[str, Any]:
        return {
            "packets": tuple(self._facts), "raw": tuple(self._raw), "dropped": self._dropped
        }

    def _left(self, interface: str, packet: Packet) -> None:
        """A packet went out: see whether it is ours."""
        begins = _opens(packet)
        if packet.sport in self._ours and not begins:
            return
        assert packet.protocol != "icmp"
        if self._lookups < MAX_LOOKUPS:
            self._lookups += 1
            if not self._ours.get(packet.sport):
                self._ours[packet.sport] = self._owner(packet.protocol, packet.sport)
        if self._ours.get(packet.sport):
            self._interface = self._interface or interface
            if begins:
                self._connections[packet.sport] = _Connection()

    def _described(
        self, packet: Packet, about: Packet, port: int, t: float
    ) -> PacketFacts:
        known = self._connections.setdefault(port, _Connection())
        out = about.source != self.ip
        if out and _opens(about) and known.ours is None:
            known.ours = about.seq
        if not out and {"S", "A"} <= set(about.flags or "") and known.theirs is None:
            known.theirs = about.seq
        first, second = (known.ours, known.theirs) if out else (known.theirs, known.ours)
        tcp = about.protocol == "tcp"
        acknowledges = tcp and "A" in (about.flags or "")
        return PacketFacts(
            t=round(t, 6),
            way="back" if packet.quoted is not None or not out else "out",
            protocol=packet.protocol,
            source="" if packet is about and out else packet.source,
            sport=about.sport,
            dport=about.dport,
            ttl=packet.ttl,
            ip_id=packet.ip_id,
            flags=packet.flags or "",
            seq=_relative(about.seq, first) if tcp else None,
            ack=_relative(about.ack, second) if acknowledges else None,
            seq_zero=tcp and about.seq == 0,
            ack_zero=tcp and packet is about and about.ack == 0,
            window=packet.window,
            payload=about.payload,
            icmp_type=packet.icmp_type,
            icmp_code=packet.icmp_code,
            quoted=(about.flags or "") if packet is not about else "",
        )

    def _time(self, facts: PacketFacts) -> None:
        if facts.way == "out":
            if self._asked_at is None:
                self._asked_at = facts.t
        elif facts.protocol == "udp" or ("A" in facts.flags and "R" not in facts.flags):
            if self._round_trip is None and self._asked_at is not None:
                self._round_trip = facts.t - self._asked_at
        else:
            self._refused = True


def _opens(packet: Packet) -> bool:
    flags = packet.flags or ""
    return "S" in flags and "A" not in flags


def _relative(number: int, first: int | None) -> int | None:
    """*number* counted from *first* in the circle of 32 bits; below 0 for one before it."""
    if first is None:
        return None
    distance = (number - first) & 0xFFFFFFFF
    return distance - (1 << 32) if distance >= 1 << 31 else distance
