"""JA4, the fingerprint of a ClientHello.

JA4 says what kind of client sent a hello, whatever order its extensions came in: a
browser's is shared by millions, a rare one marks whoever sends it. After FoxIO's
specification of JA4 (technical_details/JA4.md, BSD-3-Clause; the other methods of the
JA4+ family have another licence and are not used here). Checked against the hashes
that two other implementations give for the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Literal

from probe.wire.tls import (
    ALPN,
    SERVER_NAME,
    SIGNATURE_ALGORITHMS,
    SUPPORTED_VERSIONS,
    ClientHello,
    numbers,
)

_VERSIONS = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3"}
_NOTHING = "0" * 12


def ja4(hello: ClientHello, transport: Literal["t", "q"] = "t") -> str:
    """The JA4 of *hello*, sent over TCP (``"t"``) or QUIC (``"q"``).

    Raises ValueError where an extension's content cannot be read.
    """
    ciphers = _real(hello.ciphers)
    extensions = _real(kind for kind, _ in hello.extensions)
    named = "d" if SERVER_NAME in extensions else "i"
    counts = f"{min(len(ciphers), 99):02}{min(len(extensions), 99):02}"
    hashed = [kind for kind in extensions if kind not in (SERVER_NAME, ALPN)]
    algorithms = _real(numbers(_inside(hello.extension(SIGNATURE_ALGORITHMS), 2)))
    offered = _words(sorted(hashed))
    if algorithms:  # these in the order in which they came
        offered += f"_{_words(algorithms)}"
    return "_".join(
        (
            f"{transport}{_version(hello)}{named}{counts}{_alpn(hello)}",
            _hash(_words(sorted(ciphers))) if ciphers else _NOTHING,
            _hash(offered) if hashed else _NOTHING,
        )
    )


def _version(hello: ClientHello) -> str:
    offered = _real(numbers(_inside(hello.extension(SUPPORTED_VERSIONS), 1)))
    return _VERSIONS.get(max(offered) if offered else hello.version, "00")


def _alpn(hello: ClientHello) -> str:
    """First and last character of the first protocol offered."""
    first = _inside(_inside(hello.extension(ALPN), 2), 1)
    if not first:
        return "00"
    ends = bytes((first[0], first[-1]))
    if ends.isalnum():  # of bytes: ASCII only
        return ends.decode("ascii")
    return f"{first[0]:02x}"[0] + f"{first[-1]:02x}"[1]


def _inside(block: bytes | None, width: int) -> bytes:
    """What stands behind the length of *width* bytes at the beginning of *block*."""
    if not block:
        return b""
    size = int.from_bytes(block[:width])
    if width + size > len(block):
        raise ValueError("cut short")
    return block[width : width + size]


def _real(values: Iterable[int]) -> list[int]:
    """*values* without GREASE, which is there to be ignored (RFC 8701)."""
    return [v for v in values if not (v & 0x0F0F == 0x0A0A and v >> 8 == v & 0xFF)]


def _words(values: Iterable[int]) -> str:
    return ",".join(f"{value:04x}" for value in values)


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]
