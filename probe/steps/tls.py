"""TLS handshake over an open stream, driven by hand.

Not ``trio.SSLStream``: it loses the presented chain when a handshake fails, and
with it the difference between silence, an alert and a forged certificate. Nothing
is verified here (see ``probe.steps.certificate``).
"""

from __future__ import annotations

import errno
import hashlib
import socket
import ssl
from collections.abc import Sequence
from typing import Any

import trio

from probe.evidence import TLSHandshake
from probe.failure import NETWORK_ERRORS, Failure, NetworkFailure
from probe.steps.engine import AnyHello, Engine, engine
from probe.trace import Trace
from probe.wire.ja4 import ja4
from probe.wire.tls import (
    client_hello,
    handshake_message,
    looks_like_tls,
    name_in,
    plaintext_alert,
)

TIMEOUT = 10.0
ALPN = ("h2", "http/1.1")
MAX_CHAIN = 10  # certificates kept
MAX_CERTIFICATE = 64 * 1024  # bytes; also what the libraries take at most is of this order
PAUSE = 0.05  # seconds between the two segments of a hello that is split
_CHUNK = 16 * 1024
_MAX_IDLE = 128 * 1024  # bytes that bring no data: one record has 16 KB, a few tickets fit too
_HEAD = 4096  # bytes kept of what came first, to find a plain alert in


class TLSStream(trio.abc.Stream):
    """A TLS connection over *transport*, after `tls_handshake`."""

    def __init__(self, transport: trio.abc.Stream, tls: Engine) -> None:
        self._transport = transport
        self._tls = tls
        self.received = 0
        self.head = b""
        self.segments = 0
        self._unwritable: trio.BrokenResourceError | None = None

    async def handshake(self, hello: bytes, cut: int | None = None) -> None:
        """Send *hello*, the engine's, in two segments if *cut* says where; shake hands."""
        await self._say(hello, cut)
        while True:
            await self._fill()
            try:
                done = self._tls.handshake()
            except ssl.SSLError:
                await self._flush_quietly()
                raise
            await self._flush()
            if done:
                return

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self._tls.write(data)
        await self._flush()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Decrypted bytes; empty at the end, whether or not it was announced (RFC 8446, 6.1)."""
        idle = 0
        while True:
            data = self._tls.read(max_bytes or _CHUNK)
            await self._flush()
            if data is not None:
                await trio.lowlevel.checkpoint()
                return data
            raw = await self._transport.receive_some(_CHUNK)
            if not raw:
                return b""
            idle += len(raw)
            if idle > _MAX_IDLE:
                raise NetworkFailure(Failure.UNKNOWN, "TLS records without data")
            self._tls.feed(bytes(raw))

    async def wait_send_all_might_not_block(self) -> None:
        await self._transport.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._transport.aclose()

    @property
    def alpn(self) -> str | None:
        return self._tls.alpn()

    def chain(self) -> tuple[bytes, ...]:
        """The certificates presented so far, DER, leaf first."""
        return self._tls.chain()[:MAX_CHAIN]

    def facts(self) -> dict[str, Any]:
        cipher = self._tls.cipher()
        chain = self.chain()
        return {
            "version": self._tls.version() if cipher else None,
            "cipher": cipher,
            "alpn": self._tls.alpn(),
            "chain": tuple(der for der in chain if len(der) <= MAX_CERTIFICATE),
            "chain_sha256": tuple(hashlib.sha256(der).hexdigest() for der in chain),
            "received": self.received,
            "segments": self.segments,
        }

    async def _say(self, hello: bytes, cut: int | None) -> None:
        first, rest = hello[:cut], b"" if cut is None else hello[cut:]
        self.segments += _segments(self._transport, len(first))
        await self._transport.send_all(first)
        if not rest:
            return
        await trio.sleep(PAUSE)
        self.segments += _segments(self._transport, len(rest))
        try:
            await self._transport.send_all(rest)
        except trio.BrokenResourceError as exc:
            # Whoever answered the first part may have closed after it: go on to read.
            # EPIPE: it had closed in order before it sent the RST; reading will say so.
            if getattr(exc.__cause__, "errno", None) != errno.EPIPE:
                self._unwritable = exc

    async def _fill(self) -> None:
        raw = await self._transport.receive_some(_CHUNK)
        if not raw and self._unwritable is not None:
            raise self._unwritable  # a kernel tells of a reset once, to whoever asks first
        if not raw:
            raise NetworkFailure(Failure.EOF, "closed during the handshake")
        self.received += len(raw)
        if len(self.head) < _HEAD:
            self.head += raw[: _HEAD - len(self.head)]
        self._tls.feed(bytes(raw))

    async def _flush(self) -> None:
        if unsent := self._tls.unsent():
            await self._transport.send_all(unsent)

    async def _flush_quietly(self) -> None:
        try:
            await self._flush()
        except (OSError, trio.BrokenResourceError):
            return  # the handshake has failed already, and that is what is recorded


def _segments(transport: trio.abc.Stream, size: int) -> int:
    """In how many TCP segments *size* bytes leave that are sent at once."""
    sock = getattr(transport, "socket", None)
    if sock is None:
        return 1
    segment = int(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
    return -(-size // max(1, segment))


async def tls_handshake(
    trace: Trace,
    transport: trio.abc.Stream,
    *,
    ip: str,
    port: int,
    sni: str | None,
    alpn: Sequence[str] = ALPN,
    hello: AnyHello = "browser",
    split: bool = False,
    ech: bytes = b"",
    **facts: Any,
) -> TLSStream:
    """A TLS stream over *transport*, its certificate unjudged. Raises `StepFailed`.

    *hello* and *ech*: see `probe.steps.engine.engine`. With *split* the ClientHello leaves
    in two segments, cut within the name (or in the middle, where there is none to see): a
    filter that does not put segments together misses it. trio sets TCP_NODELAY.
    """
    with trace.operation(
        TLSHandshake,
        timeout=TIMEOUT,
        ip=ip,
        port=port,
        sni=sni,
        alpn_offered=tuple(alpn),
        **facts,
    ) as learned:
        tls = engine(sni, tuple(alpn), hello=hello, ech=ech)
        said = tls.hello()
        learned["hello"] = tls.name
        seen = client_hello(handshake_message(said))
        learned["ja4"] = ja4(seen)
        if ech:
            learned["ech"], learned["outer_sni"] = True, seen.name
        stream = TLSStream(transport, tls)
        try:
            await stream.handshake(said, _middle(said, tls.sni) if split else None)
        except NETWORK_ERRORS as exc:
            learned["alert"] = plaintext_alert(stream.head)
            if isinstance(exc, ssl.SSLError) and not looks_like_tls(stream.head):
                learned["detail"] = f"what came is not TLS: {exc.reason}"
            raise
        finally:
            learned.update(stream.facts())
    return stream


def _middle(hello: bytes, sni: str | None) -> int:
    """Where to cut *hello* so that neither part holds the name."""
    at = name_in(hello, sni) if sni else None
    return sum(at or (0, len(hello))) // 2
