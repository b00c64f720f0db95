"""What the lab's censors know about packets: read headers, forge replies, find names.

None of this is shared with the probe: a censor that read packets with the
probe's code would share its mistakes, and the two would agree on what neither
has understood. Addresses are in packed form (4 or 16 bytes); bytes that make no
sense raise ValueError or give None, as each function says, and never more.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

MAX_HELLO = 1 << 14  # bytes; a ClientHello longer than this is nobody's
MAX_HEAD = 1 << 13  # bytes of an HTTP request head

_PORTS = struct.Struct("!HH")
_TCP = struct.Struct("!HHIIBBHHH")
_METHODS = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS ", b"CONNECT ", b"PATCH ")


class Packet(NamedTuple):
    """The headers of one IP packet. *payload* is where the transport's payload begins.

    Fields of another protocol's are 0: a UDP packet has no *seq*.
    """

    raw: bytes
    source: bytes
    destination: bytes
    protocol: int
    ttl: int
    transport: int  # where the TCP, UDP or ICMP header begins
    payload: int
    end: int
    sport: int = 0
    dport: int = 0
    seq: int = 0
    ack: int = 0
    flags: int = 0
    window: int = 0

    @property
    def data(self) -> bytes:
        return self.raw[self.payload : self.end]

    @property
    def length(self) -> int:
        """What the packet takes of the sequence space."""
        return self.end - self.payload + bool(self.flags & SYN) + bool(self.flags & FIN)


def parse(raw: bytes) -> Packet | None:
    """The headers of *raw*, or None for what is no whole IPv4 or IPv6 packet.

    A later fragment and an unknown protocol have no ports.
    """
    if len(raw) < 20:
        return None
    if raw[0] >> 4 == 4:
        start, end = (raw[0] & 15) * 4, int.from_bytes(raw[2:4], "big")
        protocol, ttl, source, destination = raw[9], raw[8], raw[12:16], raw[16:20]
        if (raw[6] & 0x1F) or raw[7]:
            protocol = 0  # not the first fragment: what follows is no transport header
    elif raw[0] >> 4 == 6 and len(raw) >= 40:
        start, end = 40, 40 + int.from_bytes(raw[4:6], "big")
        protocol, ttl, source, destination = raw[6], raw[7], raw[8:24], raw[24:40]
    else:
        return None
    if end > len(raw) or start > end:
        return None
    if protocol == TCP and end - start >= 20:
        sport, dport, seq, ack, offset, flags, window, _, _ = _TCP.unpack_from(raw, start)
        payload = start + (offset >> 4) * 4
        if payload > end:
            return None
        return Packet(
            raw, source, destination, TCP, ttl, start, payload, end,
            sport, dport, seq, ack, flags, window,
        )  # fmt: skip
    if protocol == UDP and end - start >= 8:
        sport, dport = _PORTS.unpack_from(raw, start)
        return Packet(
            raw, source, destination, UDP, ttl, start, start + 8, end, sport, dport
        )  # fmt: skip
    return Packet(raw, source, destination, protocol, ttl, start, start, end)


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071): a sum of 16-bit words is a remainder mod 0xffff."""
    if len(data) & 1:
        data += b"\0"
    number = int.from_bytes(data, "big")
    rest = number % 0xFFFF
    return 0 if number and not rest else 0xFFFF - rest


def _ip(
    source: bytes, destination: bytes, protocol: int, body: bytes, ttl: int, ip_id: int
) -> bytes:
    if len(source) == 16:
        return struct.pack("!IHBB", 6 << 28, len(body), protocol, ttl) + source + destination + body
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), ip_id, 0x4000, ttl, protocol, 0)
    sum_ = checksum(head + source + destination)
    return head[:10] + sum_.to_bytes(2, "big") + source + destination + body


def _summed(source: bytes, destination: bytes, protocol: int, body: bytes, at: int) -> bytes:
    """*body* with its checksum, which covers a pseudo-header, written at offset *at*."""
    body = body[:at] + b"\0\0" + body[at + 2 :]
    pseudo = source + destination + struct.pack("!II", len(body), protocol)
    value = checksum(pseudo + body)
    if protocol == UDP and value == 0:
        value = 0xFFFF  # 0 would say that there is none
    return body[:at] + value.to_bytes(2, "big") + body[at + 2 :]


def tcp(
    source: bytes,
    destination: bytes,
    sport: int,
    dport: int,
    seq: int,
    ack: int,
    flags: int,
    payload: bytes = b"",
    *,
    window: int = 0,
    ttl: int = 60,
    ip_id: int = 0,
) -> bytes:
    body = _TCP.pack(sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 5 << 4, flags, window, 0, 0)
    body = _summed(source, destination, TCP, body + payload, 16)
    return _ip(source, destination, TCP, body, ttl, ip_id)


def udp_reply(query: Packet, payload: bytes, *, ttl: int = 60, ip_id: int = 0) -> bytes:
    """A datagram as if from where *query* was going."""
    body = struct.pack("!HHHH", query.dport, query.sport, 8 + len(payload), 0) + payload
    body = _summed(query.destination, query.source, UDP, body, 6)
    return _ip(query.destination, query.source, UDP, body, ttl, ip_id)


def icmp_error(original: bytes, router: bytes, kind: int, code: int, *, ttl: int = 60) -> bytes:
    """*router* tells the sender of *original* that it goes no further.

    *kind* and *code* are those of ICMP for IPv4 and of ICMPv6 for IPv6.
    """
    if len(router) == 16:
        body = struct.pack("!BBHI", kind, code, 0, 0) + original[:1200]
        body = _summed(router, original[8:24], ICMPV6, body, 2)
        return _ip(router, original[8:24], ICMPV6, body, ttl, 0)
    body = struct.pack("!BBHI", kind, code, 0, 0) + original[:548]
    body = body[:2] + checksum(body).to_bytes(2, "big") + body[4:]
    return _ip(router, original[12:16], ICMP, body, ttl, 0)


def changed(
    packet: Packet,
    *,
    source: bytes | None = None,
    destination: bytes | None = None,
    sport: int | None = None,
    dport: int | None = None,
    seq: int | None = None,
    ack: int | None = None,
    payload: bytes | None = None,
) -> bytes:
    """*packet* (TCP or UDP) with some fields replaced and lengths and checksums made right."""
    source = packet.source if source is None else source
    destination = packet.destination if destination is None else destination
    payload = packet.data if payload is None else payload
    head = bytearray(packet.raw[packet.transport : packet.payload])
    head[0:2] = (packet.sport if sport is None else sport).to_bytes(2, "big")
    head[2:4] = (packet.dport if dport is None else dport).to_bytes(2, "big")
    if packet.protocol == TCP:
        head[4:8] = ((packet.seq if seq is None else seq) & 0xFFFFFFFF).to_bytes(4, "big")
        head[8:12] = ((packet.ack if ack is None else ack) & 0xFFFFFFFF).to_bytes(4, "big")
        at = 16
    else:
        head[4:6] = (len(head) + len(payload)).to_bytes(2, "big")
        at = 6
    body = _summed(source, destination, packet.protocol, bytes(head) + payload, at)
    ip_id = int.from_bytes(packet.raw[4:6], "big") if len(source) == 4 else 0
    return _ip(source, destination, packet.protocol, body, packet.ttl, ip_id)


class Hello(NamedTuple):
    """A TLS ClientHello. *name* is its SNI as it is spelled, None where it sends none.

    *grease*: it offers ciphers that nobody has (RFC 8701), as browsers do and few others.
    """

    name: str | None
    grease: bool = False


def client_hello(stream: bytes) -> Hello | None:
    """The ClientHello at the beginning of *stream*; None: more bytes are needed.

    The handshake message may be cut over several records. Raises ValueError for
    what is not one.
    """
    message = b""
    at = 0
    while True:
        if at < len(stream) and stream[at] != 22:
            raise ValueError("no handshake record")
        if at + 5 > len(stream):
            return None
        size = int.from_bytes(stream[at + 3 : at + 5], "big")
        message += stream[at + 5 : at + 5 + size]
        at += 5 + size
        if message[:1] not in (b"", b"\x01"):
            raise ValueError("no ClientHello")
        if len(message) >= 4:
            wanted = 4 + int.from_bytes(message[1:4], "big")
            if wanted > MAX_HELLO:
                raise ValueError("too long")
            if len(message) >= wanted:
                return Hello(_server_name(message[:wanted]), _has_grease(message))
        if at >= len(stream):
            if len(stream) > 2 * MAX_HELLO:
                raise ValueError("too long")
            return None


def client_hello_at_a_glance(data: bytes) -> Hello | None:
    """The ClientHello whose first bytes *data* is, by a reader who never waits for more.

    None if it is none, or if its name is not wholly there.
    """
    message = data[5:]
    if data[:1] != b"\x16" or message[:1] != b"\x01":
        return None
    try:
        name = _server_name(message, whole=True)
    except (ValueError, struct.error):
        return None
    return Hello(name, _has_grease(message)) if name else None


def _has_grease(hello: bytes) -> bool:
    at = 39 + hello[38]  # header 4, version 2, random 32, session id
    size = int.from_bytes(hello[at : at + 2], "big")
    ciphers = hello[at + 2 : at + 2 + size]
    pairs = zip(ciphers[::2], ciphers[1::2], strict=False)  # the second may be cut off
    return any(high == low and low & 0x0F == 0x0A for high, low in pairs)


def _server_name(hello: bytes, *, whole: bool = False) -> str | None:
    """The name in SNI. With *whole*, None where the name is cut short."""
    at = 38  # header 4, version 2, random 32
    for width in (1, 2, 1):  # session id, cipher suites, compression methods
        if at + width > len(hello):
            raise ValueError("cut short")
        at += width + int.from_bytes(hello[at : at + width], "big")
    end = min(len(hello), at + 2 + int.from_bytes(hello[at : at + 2], "big"))
    at += 2
    while at + 4 <= end:
        kind, size = _PORTS.unpack_from(hello, at)
        if kind == 0 and size >= 5:
            length = int.from_bytes(hello[at + 7 : at + 9], "big")
            name = hello[at + 9 : min(at + 9 + length, end)]
            if whole and len(name) < length:
                return None
            return name.decode("ascii", "replace")
        at += 4 + size
    return None


class Request(NamedTuple):
    """An HTTP/1 request head. *host* is as it is spelled, without a port; "" where absent."""

    method: str
    target: str
    host: str
    head: bytes
    length: int  # of the head with its empty line, and of the body that is announced


def http_request(stream: bytes) -> Request | None:
    """The request at the beginning of *stream*; None: more bytes are needed.

    Raises ValueError for what is not one, or is too long to look at.
    """
    start = stream[:8]
    if not any(start[: len(method)] == method[: len(start)] for method in _METHODS):
        raise ValueError("no request")
    head, ended, _ = stream[:MAX_HEAD].partition(b"\r\n\r\n")
    if not ended:
        if len(stream) >= MAX_HEAD:
            raise ValueError("too long")
        return None
    line, _, rest = head.partition(b"\r\n")
    words = line.decode("latin-1").split(" ")
    if len(words) != 3:
        raise ValueError("no request line")
    fields = {}
    for field in rest.split(b"\r\n"):
        key, _, value = field.partition(b":")
        fields[key.strip().lower()] = value.strip().decode("latin-1")
    announced = fields.get(b"content-length", "")
    body = int(announced) if announced.isascii() and announced.isdigit() else 0
    host = fields.get(b"host", "")
    if not host.startswith("["):
        host = host.partition(":")[0]
    return Request(words[0], words[1], host, head, len(head) + 4 + body)


class Question(NamedTuple):
    """What a DNS query asks: the name as it is spelled, without its last dot, and the type."""

    name: str
    rdtype: int


def dns_question(message: bytes) -> Question | None:
    """The first question of the query *message*, or None if it is no query."""
    if len(message) < 17 or message[2] & 0x80 or int.from_bytes(message[4:6], "big") < 1:
        return None
    labels: list[str] = []
    at = 12
    while at < len(message) and message[at]:
        size = message[at]
        if size > 63 or len(labels) > 127:
            return None
        labels.append(message[at + 1 : at + 1 + size].decode("latin-1"))
        at += 1 + size
    if at + 5 > len(message):
        return None
    return Question(".".join(labels), int.from_bytes(message[at + 1 : at + 3], "big"))
