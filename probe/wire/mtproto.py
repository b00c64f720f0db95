"""What a client of Telegram says first, and what a data centre answers: bytes, no sockets.

A client that has no key yet begins with ``req_pq_multi``, unencrypted; who speaks MTProto
answers ``resPQ`` with the same random number in it. Nobody is logged in for that, and it is
the same for everybody. It goes, as the official programs send it, by the abridged transport
in its obfuscated form (https://core.telegram.org/mtproto/mtproto-transports), which looks
like random bytes.
"""

from __future__ import annotations

import secrets

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

_ABRIDGED = bytes.fromhex("efefefef")
_REQ_PQ_MULTI = bytes.fromhex("f18e7ebe")
RES_PQ = bytes.fromhex("63241605")
NONCE = 16  # bytes
MAX_ANSWER = 1024  # bytes; a resPQ has about a hundred

# Beginnings that other transports, HTTP and TLS have: a connection may not look like them.
_FORBIDDEN = {b"HEAD", b"POST", b"GET ", b"OPTI", b"\xee" * 4, b"\xdd" * 4, b"\x16\x03\x01\x02"}


class NotMTProto(ValueError):
    """What came is no answer of a data centre; the text says why."""


class Greeting:
    """One client's first words at POSIX time *now*, and the reading of the answer to them."""

    def __init__(self, now: float) -> None:
        self._nonce = secrets.token_bytes(NONCE)
        self._message_id = (int(now * 2**32) & ~3) & (2**64 - 1)
        opening = _opening()
        self._out = _cipher(opening[8:40], opening[40:56])
        turned = opening[8:56][::-1]
        self._in = _cipher(turned[:32], turned[32:])
        self._opening = opening[:56] + self._out.update(opening)[56:64]
        self._heard = 0
        self._clear = b""

    def said(self) -> bytes:
        """What to send. Once."""
        body = _REQ_PQ_MULTI + self._nonce
        head = bytes(8) + self._message_id.to_bytes(8, "little")
        message = head + len(body).to_bytes(4, "little") + body
        return self._opening + self._out.update(bytes([len(message) // 4]) + message)

    def answered(self, received: bytes) -> bool:
        """Whether *received*, all that has come so far, holds the whole answer.

        Raises `NotMTProto` for what is none.
        """
        self._clear += self._in.update(received[self._heard :])
        self._heard = len(received)
        clear = self._clear
        if not clear:
            return False
        size, at = clear[0] * 4, 1
        if clear[0] == 0x7F:
            if len(clear) < 4:
                return False
            size, at = int.from_bytes(clear[1:4], "little") * 4, 4
        if size > MAX_ANSWER:
            raise NotMTProto(f"a packet of {size} bytes")
        if len(clear) < at + size:
            return False
        packet = clear[at : at + size]
        if size == 4:
            raise NotMTProto(f"error {int.from_bytes(packet, 'little', signed=True)}")
        if packet[:8] != bytes(8) or packet[20:24] != RES_PQ or packet[24:40] != self._nonce:
            raise NotMTProto("not an answer to our question")
        return True


def _opening() -> bytes:
    """64 random bytes that look like nothing known, with the transport's mark in them."""
    while True:
        made = secrets.token_bytes(56) + _ABRIDGED + secrets.token_bytes(4)
        if made[0] != 0xEF and made[:4] not in _FORBIDDEN and made[4:8] != bytes(4):
            return made


def _cipher(key: bytes, start: bytes) -> CipherContext:
    return Cipher(algorithms.AES(key), modes.CTR(start)).encryptor()
