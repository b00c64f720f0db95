"""What one test is given of the packets that a tap sees, within bounds and without our address."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from probe.evidence import PacketFacts
from probe.net import Frame

if TYPE_CHECKING:
    from probe.wire.packet import Packet

KEPT = 200  # bytes of each packet
MAX_PACKETS = 96  # of one following
MAX_PLAIN = 16  # of one connection that only carry data, and do not open, end or report
MAX_LOOKUPS = 64  # of who has a port, in one following
MAX_OWN = 64  # addresses of ours that its packets tell

# The true answer may come after the forged one, when the test has long ended.
WAIT = 0.2  # seconds, beyond
ROUND_TRIPS = 2.0  # to the server, and
MAX_WAIT = 1.5  # at most
REFUSED_WAIT = 1.0  # where a SYN was refused: the server's distance is not known

Without = Callable[[bytes, "Packet", set[str]], bytes]


class _Connection:
    """What relative numbers are relative to (None until it was seen), and how much data came."""

    def __init__(self) -> None:
        self.ours: int | None = None
        self.theirs: int | None = None
        self.plain = 0


class Following:
    """The packets of one test at *port* of *ip*. *zero* is when its measurement began.

    *ports* are the local ones of its connections, *others* those of other programs, of which
    *lookups* found out. *interface* is what the connections left by: where there are bridges
    and tunnels a packet is seen on several. *dropped* counts what was beyond the bounds.
    """

    def __init__(self, ip: str, port: int, zero: float, own: frozenset[str]) -> None:
        self.ip, self.port = ip, port
        self.ports: set[int] = set()
        self.others: set[int] = set()
        self.interface = ""
        self.lookups = self.dropped = 0
        self._zero = zero
        self._own = set(own)
        self._connections: dict[int, _Connection] = {}
        self._facts: list[PacketFacts] = []
        self._raw: list[bytes] = []
        self._asked_at: float | None = None
        self._round_trip: float | None = None
        self._refused = False

    def take(self, frame: Frame, at: float, packet: Packet, without: Without) -> None:
        """Keep *packet* of one of its *ports*, which passed *at* (trio's time)."""
        about = packet if packet.quoted is None else packet.quoted
        out = about.source != self.ip
        if frame.interface != self.interface:
            return
        self._learn(packet, out)
        connection = self._connection(about, out)
        facts = _described(packet, about, out, at - self._zero, connection)
        self._time(facts)
        remarkable = set(facts.flags) & set("SFR") or packet.protocol == "icmp"
        connection.plain += not remarkable
        too_plain = not remarkable and connection.plain > MAX_PLAIN
        if too_plain or len(self._facts) >= MAX_PACKETS:
            self.dropped += 1
            return
        self._facts.append(facts)
        self._raw.append(without(frame.data[:KEPT], packet, self._own))

    def _learn(self, packet: Packet, out: bool) -> None:
        """Our address is an end of the packet itself: what an error quotes, anybody made up."""
        from_here = out if packet.quoted is None else not out
        if len(self._own) < MAX_OWN:
            self._own.add(packet.source if from_here else packet.destination)

    def patience(self) -> float:
        """For how long (seconds) another answer may still come."""
        if self._round_trip is None:
            return REFUSED_WAIT if self._refused else 0.0
        return min(MAX_WAIT, WAIT + ROUND_TRIPS * self._round_trip)

    def found(self) -> dict[str, Any]:
        """Fields of a `PacketCapture`."""
        return {
            "ip": self.ip, "port": self.port, "packets": tuple(self._facts),
            "raw": tuple(self._raw), "dropped": self.dropped,
        }  # fmt: skip

    def _connection(self, about: Packet, out: bool) -> _Connection:
        port = about.sport if out else about.dport
        known = self._connections.setdefault(port, _Connection())
        if out and opens(about) and known.ours != about.seq:
            known = self._connections[port] = _Connection()
            known.ours = about.seq
        if not out and {"S", "A"} <= set(about.flags or "") and known.theirs is None:
            known.theirs = about.seq
        return known

    def _time(self, facts: PacketFacts) -> None:
        if facts.way == "out":
            if self._asked_at is None:
                self._asked_at = facts.t
        elif facts.protocol == "udp" or ("A" in facts.flags and "R" not in facts.flags):
            if self._round_trip is None and self._asked_at is not None:
                self._round_trip = facts.t - self._asked_at
        else:
            self._refused = True


def _described(
    packet: Packet, about: Packet, out: bool, t: float, known: _Connection
) -> PacketFacts:
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


def opens(packet: Packet) -> bool:
    """Whether *packet* asks for a connection."""
    flags = packet.flags or ""
    return "S" in flags and "A" not in flags


def _relative(number: int, first: int | None) -> int | None:
    """*number* counted from *first* in the circle of 32 bits; below 0 for one before it."""
    if first is None:
        return None
    distance = (number - first) & 0xFFFFFFFF
    return distance - (1 << 32) if distance >= 1 << 31 else distance
