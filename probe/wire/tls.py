"""TLS records as they came or went, before any library reads them or after one wrote them."""

from __future__ import annotations

from typing import NamedTuple

ALERT = 21  # record type, RFC 8446 section 5.1
HANDSHAKE = 22
CLIENT_HELLO = 1  # handshake type, RFC 8446 section 4

# Extensions, RFC 8446 section 4.2
SERVER_NAME = 0x0000
SIGNATURE_ALGORITHMS = 0x000D
ALPN = 0x0010
SUPPORTED_VERSIONS = 0x002B
ENCRYPTED_CLIENT_HELLO = 0xFE0D  # RFC 9849


class ClientHello(NamedTuple):
    """What a client offers (RFC 8446, 4.1.2), in the order in which it offers it.

    *extensions* are pairs of type and content.
    """

    version: int
    ciphers: tuple[int, ...]
    extensions: tuple[tuple[int, bytes], ...]

    @property
    def name(self) -> str | None:
        """The host name in SNI (RFC 6066, 3), which is the outer one where ECH hides another.

        Raises ValueError if it cannot be read.
        """
        body = self.extension(SERVER_NAME)
        if body is None:
            return None
        inside = _Taker(_Taker(body).block(2))
        inside.some(1)  # the only kind of name there is
        return inside.block(2).decode("ascii")

    def extension(self, kind: int) -> bytes | None:
        """The content of the first extension of that *kind*; None if there is none."""
        return next((body for found, body in self.extensions if found == kind), None)


def handshake_message(records: bytes) -> bytes:
    """The first handshake message, its header included, out of the *records* that carry it.

    It may be cut over several records (RFC 8446, 5.1). Raises ValueError if it is not whole.
    """
    message, at = b"", 0
    while at + 5 <= len(records) and records[at] == HANDSHAKE:
        size = int.from_bytes(records[at + 3 : at + 5])
        message += records[at + 5 : at + 5 + size]
        at += 5 + size
        if len(message) >= 4 and len(message) >= 4 + int.from_bytes(message[1:4]):
            return message[: 4 + int.from_bytes(message[1:4])]
    raise ValueError("no whole handshake message")


def client_hello(message: bytes) -> ClientHello:
    """Read a ClientHello *message* (without records, so QUIC's too). Raises ValueError."""
    take = _Taker(message)
    if take.number(1) != CLIENT_HELLO:
        raise ValueError("no ClientHello")
    take = _Taker(take.block(3))
    version = take.number(2)
    take.some(32)  # random
    take.block(1)  # session id
    ciphers = numbers(take.block(2))
    take.block(1)  # compression methods
    extensions: list[tuple[int, bytes]] = []
    if take.left:
        inside = _Taker(take.block(2))
        while inside.left:
            extensions.append((inside.number(2), inside.block(2)))
    return ClientHello(version, ciphers, tuple(extensions))


def numbers(block: bytes) -> tuple[int, ...]:
    """*block* as numbers of two bytes each. Raises ValueError where one is left over."""
    if len(block) % 2:
        raise ValueError("an odd number of bytes")
    return tuple(int.from_bytes(block[at : at + 2]) for at in range(0, len(block), 2))


def name_in(flight: bytes, name: str) -> tuple[int, int] | None:
    """Where in *flight*, the records of a ClientHello, its SNI *name* begins and ends.

    None if it is not there in one piece. The name is looked for with the lengths that
    stand before it (RFC 6066, 3): chance bytes that spell it are none.
    """
    spelt = name.encode("ascii", "replace")
    size = len(spelt)
    head = b"".join(n.to_bytes(2) for n in (SERVER_NAME, size + 5, size + 3)) + b"\0"
    at = flight.find(head + size.to_bytes(2) + spelt)
    return None if at < 0 else (at + len(head) + 2, at + len(head) + 2 + size)


def plaintext_alert(received: bytes) -> int | None:
    """The number of the first unencrypted alert among the records *received*, or None.

    Alerts that come before the server's keys are in force are plain in every
    version of TLS (RFC 8446, section 6), and those are the ones that middleboxes send.
    """
    at = 0
    while at + 5 <= len(received):
        kind, size = received[at], int.from_bytes(received[at + 3 : at + 5])
        if kind not in (ALERT, HANDSHAKE):
            return None
        if kind == ALERT:
            return received[at + 6] if size == 2 and at + 7 <= len(received) else None
        at += 5 + size
    return None


def looks_like_tls(received: bytes) -> bool:
    """Whether *received* begins like a TLS record (any content type, version 3.x)."""
    return len(received) >= 3 and 20 <= received[0] <= 24 and received[1] == 3


class _Taker:
    """Takes *data* from the front. Raises ValueError where it ends too soon."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def some(self, count: int) -> bytes:
        if count > self.left:
            raise ValueError("cut short")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, width: int) -> int:
        return int.from_bytes(self.some(width))

    def block(self, width: int) -> bytes:
        """Bytes behind their length, which is *width* bytes long."""
        return self.some(self.number(width))
