"""One captured packet: bytes in, headers out, and the bytes again without whose they are.

The only module that imports scapy, which is an extra (``packets``): what
reads packets imports this module late, when there is a packet to read. scapy serves as a
codec and in parts (``layers.inet`` and ``inet6``), never as a network stack. Why it may
stand beside our licence is in docs/design/0004.

A packet may be cut off anywhere, and its bytes are a stranger's: whatever does not fit is
left out of the facts.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from probe.lean import scapy_alone

with scapy_alone():
    from scapy.layers.inet import IP
    from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
    from scapy.packet import Packet as Layer

_ICMP_HEADER = 8  # bytes of an error's (RFC 792, RFC 4443)
# Where, in a header, the checksum is. It covers the addresses, and would give them away.
_SUM_AT = {"IP": 10, "TCP": 16, "UDP": 6, "ICMP": 2}
_TOO_SHORT = {4: 20, 6: 40}

Protocol = Literal["tcp", "udp", "icmp"]


class Packet(NamedTuple):
    """The headers of one packet, numbers as they are on the wire.

    *payload* counts the bytes that follow the transport's header, as the IP header says:
    more than were captured, perhaps. *flags* is None where they were cut off. Of an ICMP
    error, *quoted* is the packet that it is about. *sums*: where its checksums are.
    """

    protocol: Protocol
    source: str
    destination: str
    ttl: int
    ip_id: int | None
    sport: int = 0
    dport: int = 0
    flags: str | None = None
    seq: int = 0
    ack: int = 0
    window: int = 0
    payload: int = 0
    icmp_type: int | None = None
    icmp_code: int | None = None
    quoted: Packet | None = None
    sums: tuple[int, ...] = ()


class _Placed(NamedTuple):
    """A layer and the offset of its header."""

    layer: Layer
    at: int


def read(data: bytes) -> Packet | None:
    """The headers of the IPv4 or IPv6 packet that *data* begins with.

    None for what is neither, is cut off before its ports, is no first fragment, or is
    neither TCP nor UDP nor an ICMP message.
    """
    version = data[0] >> 4 if data else 0
    if len(data) < _TOO_SHORT.get(version, len(data) + 1):
        return None
    try:
        layers = list(_layers(IPv6(data) if version == 6 else IP(data)))
        return _packet(layers, _sums(layers, len(data)))
    except Exception:  # noqa: BLE001  # scapy lets through whatever a field's own code raises
        return None


def without(data: bytes, packet: Packet, own: Iterable[str]) -> bytes:
    """*data*, which was read as *packet*, with zeros for the addresses *own*, wherever they
    are and in whichever form, and for the checksums that cover them."""
    clean = bytearray(data)
    for at in packet.sums:
        clean[at : at + 2] = bytes(2)
    for address in own:
        packed = ipaddress.ip_address(address).packed
        texts = {address, str(ipaddress.ip_address(address))}
        for trace in (packed, *(t.encode() for t in texts), *(t.upper().encode() for t in texts)):
            _blank(clean, trace)
    return bytes(clean)


def _blank(data: bytearray, trace: bytes) -> None:
    # Also a beginning of it that the end of what was captured cuts off, if it is of some length.
    at = data.find(trace)
    while at >= 0:
        data[at : at + len(trace)] = bytes(len(trace))
        at = data.find(trace, at + len(trace))  # behind it: the trace may itself be zeros
    for size in range(len(trace) - 1, len(trace) // 2, -1):
        if data.endswith(trace[:size]):
            data[len(data) - size :] = bytes(size)


def _layers(layer: Layer) -> Iterator[_Placed]:
    at = 0
    while layer.name != "NoPayload":
        yield _Placed(layer, at)
        # scapy keeps no bytes of a layer that it completes afterwards, which ICMP's are.
        at += len(layer.raw_packet_cache or bytes(_ICMP_HEADER))
        layer = layer.payload


def _sums(layers: list[_Placed], size: int) -> tuple[int, ...]:
    found = []
    carries = ""
    for layer, at in layers:
        # A header that is cut off in its options is no TCP to scapy, and has its sum all the same.
        kind = carries if layer.name == "Raw" else _kind(layer)
        if kind in _SUM_AT:
            found.append(at + _SUM_AT[kind])
        carries = {6: "TCP", 17: "UDP"}.get(getattr(layer, "proto", 0), "")
    return tuple(at for at in found if at + 2 <= size)


def _kind(layer: Layer) -> str:
    name = type(layer).__name__.removesuffix("error")
    return "ICMP" if name.startswith("ICMP") else name


def _packet(layers: list[_Placed], sums: tuple[int, ...]) -> Packet | None:
    (ip, start), *inside = layers
    six = isinstance(ip, IPv6)
    end = start + (40 + ip.plen if six else ip.len)
    common = {
        "source": str(ipaddress.ip_address(ip.src)),
        "destination": str(ipaddress.ip_address(ip.dst)),
        "ttl": ip.hlim if six else ip.ttl,
        "ip_id": None if six else ip.id,
        "sums": sums,
    }
    for number, (layer, at) in enumerate(inside):
        kind = _kind(layer)
        if kind == "TCP":
            whole = len(layer.original) >= 20
            header = (layer.dataofs or 5) * 4
            return Packet(
                protocol="tcp", sport=layer.sport, dport=layer.dport, seq=layer.seq,
                ack=layer.ack if whole else 0, window=layer.window if whole else 0,
                flags=str(layer.flags) if whole else None,
                payload=max(0, end - at - header), **common,
            )  # fmt: skip
        if kind == "UDP":
            return Packet(
                protocol="udp", sport=layer.sport, dport=layer.dport,
                payload=max(0, end - at - 8), **common,
            )  # fmt: skip
        if kind == "ICMP":
            rest = inside[number + 1 :]
            quotes = bool(rest) and isinstance(rest[0].layer, IP | IPv6)
            return Packet(
                protocol="icmp", icmp_type=layer.type, icmp_code=layer.code,
                quoted=_packet(rest, ()) if quotes else None,
                payload=max(0, end - at - _ICMP_HEADER), **common,
            )  # fmt: skip
        if isinstance(layer, IPv6ExtHdrFragment) and layer.offset:
            return None
    return None
