"""Captured packets as a pcap file, which tcpdump, Wireshark and the rest of the field read.

The format of draft-ietf-opsawg-pcap, version 2.4, with microseconds; packets begin with their
IP header (LINKTYPE_RAW). They are as they were kept: cut off after their first bytes, with
zeros for the address of who captured them and for the checksums.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from probe.evidence import Measurement, PacketCapture

LINKTYPE_RAW = 101
MAX_PACKET = 65535

HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, MAX_PACKET, LINKTYPE_RAW)


def records(measurement: Measurement) -> Iterator[bytes]:
    """The packets of *measurement*, in the order of their times."""
    seen = (
        (measurement.started_at + facts.t, raw)
        for capture in measurement.evidence
        if isinstance(capture, PacketCapture)
        for facts, raw in zip(capture.packets, capture.raw, strict=False)
        if raw
    )
    yield from (_record(at, raw) for at, raw in sorted(seen))


def _record(at: float, raw: bytes) -> bytes:
    kept = raw[:MAX_PACKET]
    microseconds = max(0, round(at * 1_000_000))
    seconds, rest = divmod(microseconds, 1_000_000)
    whole = max(len(kept), min(MAX_PACKET, _length(raw)))
    return struct.pack("<IIII", seconds & 0xFFFFFFFF, rest, len(kept), whole) + kept


def _length(raw: bytes) -> int:
    """The length of the packet on the wire, as its header says."""
    if raw[0] >> 4 == 6:
        return 40 + int.from_bytes(raw[4:6]) if len(raw) >= 6 else 0
    return int.from_bytes(raw[2:4])
