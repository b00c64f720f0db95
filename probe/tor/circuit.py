"""A tunnel to a relay's own directory: one hop, one stream, bytes in and bytes out.

This is how ``tor`` itself asks relays for documents where directory ports are closed or blocked
(tor-spec: CREATE_FAST, "Relay cells", BEGIN_DIR, "Flow control" with authenticated SENDME).
The link below is TLS to a relay that has proved who it is; nothing here is anonymous, and
nothing need be.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from probe.tor.cells import CELL_BODY, BadLink, Cell, cell

CREATE_FAST, CREATED_FAST, RELAY, DESTROY, PADDING = 5, 6, 3, 4, 0
BEGIN_DIR, CONNECTED, DATA, END, SENDME = 13, 4, 2, 3, 5
CIRCUIT = 0x80000001  # the highest bit: who opened the link chooses (tor-spec, "Circuit IDs")
STREAM = 1
MAX_DATA = CELL_BODY - 11
_CIRCUIT_WINDOW, _STREAM_WINDOW = 100, 50  # DATA cells for which the relay wants a SENDME
_SEED = 20


class Relayed(NamedTuple):
    """What a relay cell carries."""

    command: int
    stream: int
    data: bytes


class _Side:
    """One direction: its key stream, and the digest of all that went that way."""

    def __init__(self, seed: bytes, key: bytes) -> None:
        self._digest = hashlib.sha1(seed, usedforsecurity=False)
        self._stream = Cipher(AES(key), CTR(bytes(16))).encryptor()

    def crypt(self, body: bytes) -> bytes:
        return self._stream.update(body)

    def count(self, body: bytes) -> bytes:
        """The digest with *body*, whose own digest field is zero."""
        self._digest.update(body)
        return self._digest.digest()


class Tunnel:
    """The client's side of a directory stream, above a link that is open.

    Send `begin`; `receive` each cell, and send what it returns with the bytes that arrived.
    """

    def __init__(self) -> None:
        self._seed = secrets.token_bytes(_SEED)
        self._forth: _Side | None = None
        self._back: _Side | None = None
        self._received = 0
        self.open = self.ended = False

    def begin(self) -> bytes:
        return cell(CIRCUIT, CREATE_FAST, self._seed)

    def receive(self, came: Cell) -> tuple[bytes, bytes]:
        """What is to be sent now, and what the stream brought. Raises `BadLink`."""
        if came.command == CREATED_FAST and self._back is None and came.circuit == CIRCUIT:
            self._keys(came.body)
            return self.say(BEGIN_DIR, b""), b""
        if came.command == DESTROY:
            raise BadLink("the relay closed the circuit")
        if came.command != RELAY or came.circuit != CIRCUIT:
            return b"", b""  # padding, and what is for later versions
        return self._relayed(self._read(came.body))

    def say(self, command: int, data: bytes, stream: int = STREAM) -> bytes:
        """A relay cell to be sent."""
        assert self._forth is not None and len(data) <= MAX_DATA
        head = struct.pack("!BHH", command, 0, stream)
        rest = struct.pack("!H", len(data)) + data
        plain = (head + bytes(4) + rest).ljust(CELL_BODY, b"\0")
        digest = self._forth.count(plain)[:4]
        return cell(CIRCUIT, RELAY, self._forth.crypt(plain[:5] + digest + plain[9:]))

    def _keys(self, body: bytes) -> None:
        """KDF-TOR of both seeds; the relay shows that it has the same."""
        k0 = self._seed + body[:_SEED]
        stretched = b"".join(
            hashlib.sha1(k0 + bytes([i]), usedforsecurity=False).digest() for i in range(5)
        )
        if not hmac.compare_digest(stretched[:20], body[_SEED : 2 * _SEED]):
            raise BadLink("the relay made other keys of the same seeds")
        self._forth = _Side(stretched[20:40], stretched[60:76])
        self._back = _Side(stretched[40:60], stretched[76:92])

    def _read(self, body: bytes) -> Relayed:
        if self._back is None:
            raise BadLink("a relay cell before there is a circuit")
        plain = self._back.crypt(body)
        command, recognized, stream = struct.unpack_from("!BHH", plain)
        (size,) = struct.unpack_from("!H", plain, 9)
        self._digest = self._back.count(plain[:5] + bytes(4) + plain[9:])
        if recognized or size > MAX_DATA or not hmac.compare_digest(self._digest[:4], plain[5:9]):
            raise BadLink("a relay cell that was not meant for us")
        return Relayed(command, stream, plain[11 : 11 + size])

    def _relayed(self, said: Relayed) -> tuple[bytes, bytes]:
        if said.command == CONNECTED:
            self.open = True
        elif said.command == END:
            self.ended = True
        elif said.command == DATA and said.stream == STREAM:
            self._received += 1
            return self._credit(), said.data
        return b"", b""

    def _credit(self) -> bytes:
        """What lets the relay go on sending."""
        credit = b""
        if self._received % _CIRCUIT_WINDOW == 0:
            credit += self.say(SENDME, struct.pack("!BH", 1, 20) + self._digest, stream=0)
        if self._received % _STREAM_WINDOW == 0:
            credit += self.say(SENDME, b"")
        return credit
