"""Captured packets without what joins them with a carrier's records.

Our own address was taken out when they were captured. What is left of us is the port: an
operator's NAT writes down which household had which one when. Packets of a connection
share it, so it is numbered anew, alike in headers and bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from probe.evidence import PacketCapture, PacketFacts

FIRST = 49152  # where ports that a system hands out begin (RFC 6335)
_TCP, _UDP = 6, 17
_ERRORS = {1: (3, 11), 58: (1, 2, 3, 4)}  # ICMP messages that quote a packet, by protocol
_ICMP_HEADER = 8


def without_us(
    capture: PacketCapture, packets: Sequence[PacketFacts], raw: Sequence[bytes]
) -> tuple[tuple[PacketFacts, ...], tuple[bytes, ...]]:
    """*packets* and *raw* of *capture* with our ports numbered in the order in which they came."""
    numbers: dict[int, int] = {}

    def ours(port: int) -> int:
        if port in (0, capture.port):
            return port
        return numbers.setdefault(port, FIRST + len(numbers))

    facts = tuple(
        msgspec.structs.replace(p, sport=ours(p.sport), dport=ours(p.dport)) for p in packets
    )
    return facts, tuple(_renumbered(data, capture.port, numbers) for data in raw)


def _renumbered(data: bytes, theirs: int, numbers: dict[int, int]) -> bytes:
    clean = bytearray(data)
    _renumber(clean, 0, theirs, numbers, depth=0)
    return bytes(clean)


def _renumber(
    data: bytearray, at: int, theirs: int, numbers: dict[int, int], *, depth: int
) -> None:
    if len(data) < at + 20:
        return
    version = data[at] >> 4
    if version == 4:
        protocol, start = data[at + 9], at + 4 * (data[at] & 15)
    elif version == 6:
        protocol, start = data[at + 6], at + 40
    else:
        return
    if protocol in (_TCP, _UDP):
        for place in (start, start + 2):
            if len(data) >= place + 2:
                port = int.from_bytes(data[place : place + 2], "big")
                if port != theirs and port in numbers:
                    data[place : place + 2] = numbers[port].to_bytes(2, "big")
    elif depth == 0 and len(data) > start and data[start] in _ERRORS.get(protocol, ()):
        _renumber(data, start + _ICMP_HEADER, theirs, numbers, depth=1)
