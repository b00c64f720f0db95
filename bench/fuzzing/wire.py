"""What a line, and whoever is at its other end, sends before any page: TLS, QUIC, packets."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding

from bench.fuzzing.target import target
from lab import quic as censor
from probe import tcpinfo
from probe.evidence import Measurement, PacketCapture
from probe.failure import NetworkFailure
from probe.following import Following
from probe.formats import pcap
from probe.net import Frame
from probe.steps.certificate import Verifier
from probe.wire import icmp, ja4, mtproto, openvpn, packet, tls, wireguard
from probe.wire.quic import QUICClient
from tests.certificates import authority

HOST, HERE = "site.by", "198.18.7.9"


def _extension(kind: int, body: bytes) -> bytes:
    return struct.pack("!HH", kind, len(body)) + body


def hellos() -> Iterator[bytes]:
    name = b"\0\x0a\0\0\x07site.by"
    extensions = (
        _extension(0x0A0A, b"") + _extension(tls.SERVER_NAME, name)
        + _extension(tls.ALPN, b"\0\x0c\x02h2\x08http/1.1")
        + _extension(tls.SUPPORTED_VERSIONS, b"\x04\x03\x04\x03\x03")
        + _extension(tls.SIGNATURE_ALGORITHMS, b"\0\x04\x04\x03\x08\x04")
    )  # fmt: skip
    body = b"\x03\x03" + bytes(32) + b"\0" + b"\0\x04\x13\x01\x13\x02" + b"\x01\0"
    body += len(extensions).to_bytes(2) + extensions
    message = b"\x01" + len(body).to_bytes(3) + body
    yield b"\x16\x03\x01" + len(message).to_bytes(2) + message
    half = len(message) // 2
    yield b"".join(
        b"\x16\x03\x01" + len(part).to_bytes(2) + part for part in (message[:half], message[half:])
    )
    yield b"\x16\x03\x03\0\x02\x02\0\x15\x03\x03\0\x02\x02\x28"


@target("tls_records", "probe.wire.tls", "probe.wire.ja4", seeds=hellos, refuses=(ValueError,))
def tls_records(data: bytes) -> None:
    """Records of TLS: alerts, and a ClientHello."""
    alert = tls.plaintext_alert(data)
    assert alert is None or 0 <= alert <= 255
    tls.looks_like_tls(data)
    tls.name_in(data, HOST)
    for message in (data, tls.handshake_message(data)):
        try:
            hello = tls.client_hello(message)
        except ValueError:
            continue
        assert len(ja4.ja4(hello)) <= 40
        assert hello.name is None or hello.name.isascii()


@cache
def _verifier() -> Verifier:
    return Verifier()


def chains() -> Iterator[bytes]:
    for names in (("site.by",), ("*.by", "93.184.216.34")):
        pem = authority("good").issue_cert(*names).cert_chain_pems[0].bytes()
        yield x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


@target("certificate", "probe.steps.certificate", seeds=chains, most=4096)
def certificate(data: bytes) -> None:
    """Subject, issuer and problems of a chain, whatever its certificates are."""
    facts = _verifier()._check((data, *chains_kept()), HOST, 1_795_000_000.0)
    assert all(isinstance(problem, str) for problem in facts["problems"])
    for text in (facts.get("subject", ""), facts.get("issuer", "")):
        assert len(text) <= 200
        text.encode()


@cache
def chains_kept() -> tuple[bytes, ...]:
    return tuple(chains())[:1]


def _initial(first: bytes, frames: bytes, order: int) -> bytes:
    """A server's Initial with *frames*, as anybody can make it who saw the client's *first*."""
    header = censor.opening(first)
    assert header is not None
    frames += bytes(max(0, 24 - len(frames)))
    keys = censor.initial_keys(header.version, header.destination, server=True)
    head = struct.pack("!BI", 0xC0, header.version)
    head += bytes((len(header.source),)) + header.source
    head += bytes((len(header.destination),)) + header.destination + b"\0"
    head += (1 + len(frames) + 16 | 0x4000).to_bytes(2) + bytes((order,))
    nonce = (int.from_bytes(keys.iv) ^ order).to_bytes(12)
    sealed = AESGCM(keys.key).encrypt(nonce, frames, head)
    mask = censor._mask(keys, sealed[3:19])
    at = len(head) - 1
    return bytes((head[0] ^ (mask[0] & 0x0F),)) + head[1:at] + bytes((head[at] ^ mask[1],)) + sealed


def frames() -> Iterator[bytes]:
    yield b"\x02\0\0\0\0" + b"\x06\0\x20\x02\0\0\x1c\x03\x03" + bytes(26)
    yield b"\x1c\x0a\0\x03bye"
    yield b"\x01\0\x07" + bytes(20)
    yield b"\xff\xff" + b"\x06\x40\x64\x04\x02\0\0\0"


@target("quic_frames", "aioquic.quic", "aioquic.tls", "probe.wire.quic", seeds=frames,
        refuses=(NetworkFailure,), most=1200)  # fmt: skip
def quic_frames(data: bytes) -> None:
    """Frames in a server's Initials, cut in two where a byte 0xFF 0xFF stands."""
    client = QUICClient("93.184.216.34", 443, sni=HOST, alpn=("h3",), now=1.0)
    (first,) = client.to_send(1.0)
    now = 1.1
    for order, payload in enumerate(data.split(b"\xff\xff")[:4]):
        client.receive(_initial(first, payload[:1150], order), now)
        client.to_send(now)
        now += 0.05
    client.receive(data, now)
    for _ in range(3):
        if (timer := client.timer) is not None:
            client.wake(timer)
            client.to_send(timer)
    assert client.facts()["received"] > 0


@target(
    "icmp_error", "probe.wire.icmp", "probe.tcpinfo", most=400,
    seeds=lambda: (
        struct.pack("=IBBBBIIHH4s8x", 113, 2, 11, 0, 0, 0, 0, 2, 0, bytes([10, 0, 0, 1])),
        struct.pack("=IBBBBIIHHI16sI", 113, 3, 3, 0, 0, 0, 0, 10, 0, 0, bytes(16), 0),
    ),
)  # fmt: skip
def icmp_error(data: bytes) -> None:
    """What the kernel tells of ICMP errors and of TCP."""
    icmp.read_error(data)
    tcpinfo.read(data)


def packets() -> Iterator[bytes]:
    def tcp4(flags: int, payload: bytes = b"") -> bytes:
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + len(payload), 7, 0, 54, 6, 0,
                           bytes([93, 184, 215, 14]), bytes([198, 18, 7, 9]))  # fmt: skip
        return head + struct.pack("!HHIIBBHHH", 443, 43100, 5, 8, 0x50, flags, 500, 0, 0) + payload

    reset = tcp4(0x14)
    yield reset
    yield tcp4(0x18, b"HTTP/1.1 302 Found\r\n")
    yield struct.pack("!BBHHHBBH4s4s", 0x45, 0, 56, 1, 0, 60, 1, 0, bytes([203, 0, 113, 77]),
                      bytes([198, 18, 7, 9])) + b"\x0b\0\0\0\0\0\0\0" + reset[:28]  # fmt: skip
    yield b"\x60\0\0\0\0\x14\x06\x36" + bytes(32) + reset[20:]
    yield b"\x60\0\0\0\0\x1c\0\x36" + bytes(32) + b"\x06\0\0\0\0\0\0\0" + reset[20:]


@target("packet", "probe.wire.packet", "probe.following", seeds=packets, most=600)
def any_packet(data: bytes) -> None:
    """Headers of a packet, which may then leave without our address, and as a capture."""
    read = packet.read(data)
    if read is None:
        return
    clean = packet.without(data, read, (HERE, "2001:db8::7"))
    assert len(clean) == len(data) and bytes([198, 18, 7, 9]) not in clean
    following = Following(read.source, read.sport or 1, 0.0, frozenset((HERE,)))
    following.ports.add(read.dport or 1)
    following.take(Frame(data, False, "", 0.0), 0.1, read, packet.without)
    found = PacketCapture(
        status="captured",
        t0=0.0,
        t=1.0,
        vantage="probe",
        url="https://site.by/",
        **following.found(),
    )
    _written(found)


def _written(found: PacketCapture) -> None:
    measurement = Measurement(
        id="00", run_id="00", nettest="web", nettest_version="1", url="https://site.by/",
        started_at=1_795_000_000.0, evidence=(found,),
    )  # fmt: skip
    out = io.BytesIO()
    for record in pcap.records(measurement):
        out.write(record)


SERVER_KEY = bytes(range(32))


@target(
    "greetings", "probe.wire.wireguard", "probe.wire.openvpn", "probe.wire.mtproto", most=4096,
    seeds=lambda: (
        wireguard.Initiation(wireguard.Responder(SERVER_KEY).public_key, now=1.0).message,
        b"\x40" + bytes(8) + b"\0" + bytes(4), b"\x0f" + bytes(60),
    ),
)  # fmt: skip
def greetings(data: bytes) -> None:
    """First words of WireGuard, OpenVPN and MTProto, of servers and (WireGuard) of clients."""
    server = wireguard.Responder(SERVER_KEY)
    client = wireguard.Initiation(server.public_key, now=1.0)
    assert not client.answered(data)
    client.answered(data[:8] + client._index + data[12:])
    client.busy(data)
    openvpn.Reset().answered(data)
    for read, refused in (
        (mtproto.Greeting(1.0).answered, mtproto.NotMTProto),
        (openvpn.Reset().answered_by_segment, openvpn.NotOpenVPN),
        (server.answer, wireguard.BadInitiation),
    ):
        try:
            read(data)
        except refused:
            pass
