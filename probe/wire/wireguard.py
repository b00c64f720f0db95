"""The handshake of WireGuard, both sides: bytes, no sockets, no clock.

A server answers who knows its public key and is known to it, and is silent to everybody else
(Donenfeld, "WireGuard: Next Generation Kernel Network Tunnel", NDSS 2017, section 5: Noise
IKpsk2 with X25519, ChaCha20-Poly1305 and BLAKE2s). The names of values are the paper's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterator
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

INITIATION, RESPONSE, COOKIE = 148, 92, 64  # bytes of the messages of types 1, 2, 3
_CONSTRUCTION = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
_IDENTIFIER = b"WireGuard v1 zx2c4 Jason@zx2c4.com"
_NO_KEY = bytes(32)  # where no key is shared beforehand
_TAI64 = 0x4000000000000000 + 10  # seconds of TAI at the beginning of 1970


class BadKey(ValueError):
    """Not a key as WireGuard writes them."""


class BadInitiation(ValueError):
    """Not for this server, or not by the protocol."""


class Initiation:
    """One initiation to the server with *public_key*, made at POSIX time *now*.

    *private_key* is the client's; without, it is one that nobody has seen before.
    """

    def __init__(self, public_key: bytes, *, now: float, private_key: bytes = b"") -> None:
        self._static = _private(private_key or secrets.token_bytes(32))
        self._ephemeral = X25519PrivateKey.generate()
        self._index = secrets.token_bytes(4)
        server = X25519PublicKey.from_public_bytes(public_key)
        e = self._ephemeral.public_key().public_bytes_raw()
        c, h = _beginning(public_key, e)
        try:
            c, k = _kdf(c, self._ephemeral.exchange(server), 2)
            static = _seal(k, self._static.public_key().public_bytes_raw(), h)
            h = _hash(h, static)
            c, k = _kdf(c, self._static.exchange(server), 2)
        except ValueError as exc:
            raise BadKey("a public key of small order") from exc
        timestamp = _seal(k, _tai64n(now), h)
        self._c, self._h = c, _hash(h, timestamp)
        head = b"\x01\0\0\0" + self._index + e + static + timestamp
        self.message = head + _mac1(public_key, head) + bytes(16)

    def answered(self, datagram: bytes) -> bool:
        """Whether *datagram* is the server's response, proved by its key."""
        if len(datagram) != RESPONSE or datagram[:4] != b"\x02\0\0\0":
            return False
        if datagram[8:12] != self._index:
            return False
        e, sealed = datagram[12:44], datagram[44:60]
        theirs = X25519PublicKey.from_public_bytes(e)
        try:
            shared = self._ephemeral.exchange(theirs), self._static.exchange(theirs)
            k, h = _end(self._c, self._h, e, *shared)
            ChaCha20Poly1305(k).decrypt(bytes(12), sealed, h)
        except (InvalidTag, ValueError):
            return False
        return True

    def busy(self, datagram: bytes) -> bool:
        """Whether *datagram* is a cookie: a server under load that has read our initiation."""
        return (
            len(datagram) == COOKIE
            and datagram[:4] == b"\x03\0\0\0"
            and datagram[4:8] == self._index
        )


class Responder:
    """A server that answers whoever knows its public key; nothing ever goes through it."""

    def __init__(self, private_key: bytes) -> None:
        self._static = _private(private_key)
        self.public_key = self._static.public_key().public_bytes_raw()

    def answer(self, datagram: bytes) -> bytes:
        """The response to an initiation. Raises `BadInitiation`."""
        if len(datagram) != INITIATION or datagram[:4] != b"\x01\0\0\0":
            raise BadInitiation("not an initiation")
        if not hmac.compare_digest(_mac1(self.public_key, datagram[:116]), datagram[116:132]):
            raise BadInitiation("not for this key")
        e, static, timestamp = datagram[8:40], datagram[40:88], datagram[88:116]
        c, h = _beginning(self.public_key, e)
        try:
            theirs = X25519PublicKey.from_public_bytes(e)
            c, k = _kdf(c, self._static.exchange(theirs), 2)
            client = X25519PublicKey.from_public_bytes(
                ChaCha20Poly1305(k).decrypt(bytes(12), static, h)
            )
            h = _hash(h, static)
            c, k = _kdf(c, self._static.exchange(client), 2)
            ChaCha20Poly1305(k).decrypt(bytes(12), timestamp, h)
            h = _hash(h, timestamp)
            ephemeral = X25519PrivateKey.generate()
            own = ephemeral.public_key().public_bytes_raw()
            k, h = _end(c, h, own, ephemeral.exchange(theirs), ephemeral.exchange(client))
        except (InvalidTag, ValueError) as exc:
            raise BadInitiation("not by the protocol") from exc
        head = b"\x02\0\0\0" + secrets.token_bytes(4) + datagram[4:8] + own + _seal(k, b"", h)
        client_key = client.public_bytes_raw()
        return head + _mac1(client_key, head) + bytes(16)


class Pair(NamedTuple):
    """A Curve25519 key and its public half, 32 bytes each."""

    private: bytes
    public: bytes


def new_pair() -> Pair:
    """A key and its public half."""
    key = X25519PrivateKey.generate()
    return Pair(key.private_bytes_raw(), key.public_key().public_bytes_raw())


def read_key(text: str) -> bytes:
    """A key as WireGuard writes them: base64 of 32 bytes. Raises `BadKey`."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise BadKey("not a key of WireGuard")
    return key


def write_key(key: bytes) -> str:
    """As WireGuard's own tools write it: base64."""
    return base64.b64encode(key).decode()


def _private(key: bytes) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(key)


def _beginning(public_key: bytes, e: bytes) -> tuple[bytes, bytes]:
    """C and H with the server's key and the client's ephemeral one in them."""
    c = _hash(_CONSTRUCTION)
    h = _hash(_hash(_hash(c, _IDENTIFIER), public_key), e)
    return next(_expanded(c, e)), h


def _end(c: bytes, h: bytes, e: bytes, ee: bytes, se: bytes) -> tuple[bytes, bytes]:
    """The key and the hash that the response's empty content is sealed with."""
    h = _hash(h, e)
    for secret in (e, ee, se):
        c = next(_expanded(c, secret))
    _, t, k = _kdf(c, _NO_KEY, 3)
    return k, _hash(h, t)


def _hash(*parts: bytes) -> bytes:
    return hashlib.blake2s(b"".join(parts)).digest()


def _mac1(public_key: bytes, message: bytes) -> bytes:
    key = _hash(b"mac1----", public_key)
    return hashlib.blake2s(message, key=key, digest_size=16).digest()


def _kdf(key: bytes, secret: bytes, count: int) -> tuple[bytes, ...]:
    made = _expanded(key, secret)
    return tuple(next(made) for _ in range(count))


def _expanded(key: bytes, secret: bytes) -> Iterator[bytes]:
    """HKDF (RFC 5869) by HMAC of BLAKE2s, without an info."""
    extracted, last = hmac.digest(key, secret, "blake2s"), b""
    for number in range(1, 4):
        last = hmac.digest(extracted, last + bytes([number]), "blake2s")
        yield last


def _seal(key: bytes, text: bytes, bound: bytes) -> bytes:
    return ChaCha20Poly1305(key).encrypt(bytes(12), text, bound)


def _tai64n(now: float) -> bytes:
    seconds, part = divmod(now, 1)
    return (_TAI64 + int(seconds)).to_bytes(8) + int(part * 1e9).to_bytes(4)
