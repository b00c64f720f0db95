"""What the lab's censors know about QUIC: the name in a client's Initials, and forged answers.

An Initial is encrypted with keys that follow from a connection ID which stands in the
same packet (RFC 9001, 5.2), so whoever looks can read it; it takes several of them,
in any order, where the ClientHello is long. As in `lab.packet`, nothing is shared with
the probe's codec.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from lab.flows import Fate
from lab.packet import MAX_HELLO, client_hello

LONG = 0x80  # the first bit of a long header
SMALLEST = 1200  # bytes of a datagram that opens a connection
MAX_PIECES = 64  # CRYPTO frames of one hello
V1, V2 = 0x00000001, 0x6B3343CF


class _Version(NamedTuple):
    salt: bytes
    labels: tuple[bytes, bytes, bytes]  # of key, IV and header protection
    initial: int  # the packet type of an Initial


# RFC 9001, 5.2; RFC 9369, 3.2 and 3.3
_VERSIONS = {
    V1: _Version(
        bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"),
        (b"quic key", b"quic iv", b"quic hp"), 0,
    ),
    V2: _Version(
        bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"),
        (b"quicv2 key", b"quicv2 iv", b"quicv2 hp"), 1,
    ),
}  # fmt: skip


class Header(NamedTuple):
    """A long header. *payload* is where the packet number begins, *end* the packet's end."""

    version: int
    kind: int
    destination: bytes
    source: bytes
    payload: int
    end: int


class Keys(NamedTuple):
    """What one side's Initials are protected with."""

    key: bytes
    iv: bytes
    mask: bytes  # key of header protection


def is_long(datagram: bytes) -> bool:
    """Whether *datagram* begins with a QUIC long header, of whatever version."""
    return len(datagram) >= 7 and bool(datagram[0] & LONG) and datagram[1:5] != b"\0\0\0\0"


def opening(datagram: bytes) -> Header | None:
    """The header of the Initial that begins *datagram*, which a client may open with.

    None for all else, and for what is too small to be answered (RFC 9000, 14.1).
    """
    header = long_header(datagram)
    if header is None or header.kind != _VERSIONS[header.version].initial:
        return None
    return header if len(datagram) >= SMALLEST else None


def long_header(data: bytes, at: int = 0) -> Header | None:
    """The long header at *at*; None for what is none, or of a version that we do not know."""
    try:
        first, version = struct.unpack_from("!BI", data, at)
        if not first & LONG or version not in _VERSIONS:
            return None
        destination, at_source = _prefixed(data, at + 5)
        source, position = _prefixed(data, at_source)
        kind = (first >> 4) & 3
        if kind == _VERSIONS[version].initial:
            size, position = _varint(data, position)
            position += size  # the token
        length, position = _varint(data, position)
    except (IndexError, struct.error):
        return None
    if length < 20 or position + length > len(data):
        return None
    return Header(version, kind, destination, source, position, position + length)


@lru_cache(maxsize=4096)
def initial_keys(version: int, connection: bytes, *, server: bool = False) -> Keys:
    """The keys that follow from the *connection* ID which the client chose for the server."""
    about = _VERSIONS[version]
    extract = HMAC(about.salt, SHA256())
    extract.update(connection)
    secret = _expand(extract.finalize(), b"server in" if server else b"client in", 32)
    key, iv, mask = (
        _expand(secret, label, size) for label, size in zip(about.labels, (16, 12, 16), strict=True)
    )
    return Keys(key, iv, mask)


def _expand(secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label (RFC 8446, 7.1) without a context."""
    name = b"tls13 " + label
    info = struct.pack("!HB", size, len(name)) + name + b"\0"
    return HKDFExpand(SHA256(), size, info).derive(secret)


def _mask(keys: Keys, sample: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(keys.mask), modes.ECB()).encryptor()  # noqa: S305 - RFC 9001, 5.4.3
    return encryptor.update(sample)


def _nonce(keys: Keys, number: int) -> bytes:
    return (int.from_bytes(keys.iv, "big") ^ number).to_bytes(12, "big")


def opened(data: bytes, at: int, header: Header, keys: Keys) -> bytes | None:
    """The frames of the packet at *at*; None where the keys do not fit."""
    sample = data[header.payload + 4 : header.payload + 20]
    mask = _mask(keys, sample)
    first = data[at] ^ (mask[0] & 0x0F)
    width = (first & 3) + 1
    number = bytes(
        a ^ b for a, b in zip(data[header.payload : header.payload + width], mask[1:], strict=False)
    )
    begins = header.payload + width
    plain_header = bytes((first,)) + data[at + 1 : header.payload] + number
    nonce = _nonce(keys, int.from_bytes(number, "big"))
    try:
        return AESGCM(keys.key).decrypt(nonce, data[begins : header.end], plain_header)
    except InvalidTag:
        return None


@dataclass
class Reader:
    """Puts a client's hello together from its Initials. *name* is None until it is known.

    It is empty for a hello without one. Bytes that make no sense are passed over.
    """

    first: bytes = b""  # the connection ID of the first Initial, which all keys follow from
    name: str | None = None

    def __post_init__(self) -> None:
        self._pieces: dict[int, bytes] = {}

    def take(self, datagram: bytes) -> bool:
        """Read what the client sent; True if the name has become known by it."""
        at = 0
        while self.name is None and (header := long_header(datagram, at)) is not None:
            if header.kind == _VERSIONS[header.version].initial:
                self._initial(datagram, at, header)
            at = header.end
        return self.name is not None

    def _initial(self, datagram: bytes, at: int, header: Header) -> None:
        # After a Retry the keys follow from the connection ID that the server chose.
        for connection in dict.fromkeys((self.first or header.destination, header.destination)):
            frames = opened(datagram, at, header, initial_keys(header.version, connection))
            if frames is not None:
                self.first = connection
                for offset, piece in _crypto(frames):
                    if len(self._pieces) < MAX_PIECES:
                        self._pieces[offset] = piece
                self._read()
                return

    def _read(self) -> None:
        message = b""
        for offset in sorted(self._pieces):
            if offset > len(message) or len(message) > MAX_HELLO:
                return
            message = message[:offset] + self._pieces[offset]
        record = b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message
        try:
            hello = client_hello(record)
        except ValueError:
            return
        if hello is not None:
            self.name = hello.name or ""


@dataclass
class Conversation:
    """What is known of one flow of datagrams. *fate*, once a rule has set it, treats each."""

    reader: Reader = field(default_factory=Reader)
    fate: Fate | None = None


def _crypto(frames: bytes) -> list[tuple[int, bytes]]:
    """The CRYPTO frames (offset, data) among *frames*; up to the first that an Initial has not."""
    found: list[tuple[int, bytes]] = []
    at = 0
    try:
        while at < len(frames):
            kind = frames[at]
            at += 1
            if kind in (0x00, 0x01):  # padding, ping
                continue
            if kind in (0x02, 0x03):  # acknowledgements
                _, at = _varint(frames, at)
                _, at = _varint(frames, at)
                ranges, at = _varint(frames, at)
                for _ in range(1 + 2 * ranges + (3 if kind == 0x03 else 0)):
                    _, at = _varint(frames, at)
            elif kind == 0x06:
                offset, at = _varint(frames, at)
                size, at = _varint(frames, at)
                found.append((offset, frames[at : at + size]))
                at += size
            else:
                break
    except IndexError:
        return found
    return found


def forged_close(client: bytes, first: bytes, code: int, reason: bytes = b"") -> bytes | None:
    """A server's Initial that ends the connection (RFC 9000, 10.2.3).

    *client* is an Initial of its, *first* the connection ID that the keys follow from.
    None for what is no Initial.
    """
    header = long_header(client)
    if header is None:
        return None
    frame = b"\x1c" + _number(code) + b"\x00" + _number(len(reason)) + reason
    frame += bytes(max(0, 24 - len(frame)))  # padding: a sample must fit
    keys = initial_keys(header.version, first, server=True)
    kind = 0xC0 | _VERSIONS[header.version].initial << 4
    head = struct.pack("!BI", kind, header.version)
    head += bytes((len(header.source),)) + header.source
    head += bytes((len(first),)) + first  # as good a connection ID of the server's as any
    head += b"\x00" + _number(1 + len(frame) + 16) + b"\x00"  # no token, length, number 0
    sealed = AESGCM(keys.key).encrypt(_nonce(keys, 0), frame, head)
    mask = _mask(keys, sealed[3:19])
    at = len(head) - 1
    protected = bytes((head[0] ^ (mask[0] & 0x0F),)) + head[1:at] + bytes((mask[1],))
    return protected + sealed


def version_negotiation(client: bytes, *versions: int) -> bytes | None:
    """A packet that says that the server speaks *versions* only (RFC 9000, 17.2.1)."""
    header = long_header(client)
    if header is None:
        return None
    head = bytes((LONG | 0x4A,)) + bytes(4)
    for connection in (header.source, header.destination):
        head += bytes((len(connection),)) + connection
    return head + b"".join(struct.pack("!I", version) for version in versions)


def _prefixed(data: bytes, at: int) -> tuple[bytes, int]:
    size = data[at]
    if size > 20 or at + 1 + size > len(data):
        raise IndexError("no connection ID")
    return data[at + 1 : at + 1 + size], at + 1 + size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer (RFC 9000, 16) and where it ends. Raises IndexError."""
    size = 1 << (data[at] >> 6)
    if at + size > len(data):
        raise IndexError("cut short")
    return int.from_bytes(data[at : at + size], "big") & (1 << (8 * size - 2)) - 1, at + size


def _number(value: int) -> bytes:
    """*value* as a variable-length integer."""
    if value < 1 << 6:
        return bytes((value,))
    if value < 1 << 14:
        return (value | 1 << 14).to_bytes(2, "big")
    return (value | 2 << 30).to_bytes(4, "big")
