"""TLS handshake over an open stream, driven by hand.

Not ``trio.SSLStream``: it loses the presented chain when a handshake fails, and
with it the difference between silence, an alert and a forged certificate. Nothing
is verified here (see ``probe.steps.certificate``).
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Sequence
from functools import cache
from typing import Any

import trio

from probe.evidence import TLSHandshake
from probe.failure import NETWORK_ERRORS, Failure, NetworkFailure
from probe.trace import Trace
from probe.wire.tls import looks_like_tls, plaintext_alert

TIMEOUT = 10.0
ALPN = ("h2", "http/1.1")
MAX_CHAIN = 10  # certificates kept
MAX_CERTIFICATE = 64 * 1024  # bytes; also what OpenSSL takes at most is of this order
_CHUNK = 16 * 1024
_MAX_IDLE = 128 * 1024  # bytes that bring no data: one record has 16 KB, a few tickets fit too
_HEAD = 4096  # bytes kept of what came first, to find a plain alert in


@cache
def _context(alpn: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


class TLSStream(trio.abc.Stream):
    """A TLS connection over *transport*, after `tls_handshake`."""

    def __init__(
        self, transport: trio.abc.Stream, sni: str | None, alpn: tuple[str, ...]
    ) -> None:
        self._transport = transport
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            self._tls = _context(alpn).wrap_bio(
                self._incoming, self._outgoing, server_hostname=sni
            )
        except UnicodeError as exc:  # a label of over 63 characters raises this, not SSLError
            raise NetworkFailure(Failure.UNKNOWN, f"not a host name: {sni!r}") from exc
        self.received = 0
        self.head = b""

    async def handshake(self) -> None:
        while True:
            try:
                done = self._handshake_step()
            except ssl.SSLError:
                await self._flush_quietly()  # our alert, as any client would send it
                raise
            await self._flush()
            if done:
                return
            await self._fill()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self._tls.write(data)
        await self._flush()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Decrypted bytes; empty at the end, whether or not it was announced (RFC 8446, 6.1)."""
        idle = 0
        while True:
            data = self._read(max_bytes or _CHUNK)
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
            self._incoming.write(raw)

    async def wait_send_all_might_not_block(self) -> None:
        await self._transport.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._transport.aclose()

    @property
    def alpn(self) -> str | None:
        return self._tls.selected_alpn_protocol()

    def chain(self) -> tuple[bytes, ...]:
        """The certificates presented so far, DER, leaf first."""
        if hasattr(self._tls, "get_unverified_chain"):  # public since Python 3.13
            presented = self._tls.get_unverified_chain() or []
            return tuple(bytes(der) for der in presented[:MAX_CHAIN])
        inner = self._tls._sslobj  # type: ignore[attr-defined]
        presented = inner.get_unverified_chain() or []
        return tuple(
            certificate.public_bytes(2)  # _ssl.ENCODING_DER
            for certificate in presented[:MAX_CHAIN]
        )

    def facts(self) -> dict[str, Any]:
        cipher = self._tls.cipher()
        chain = self.chain()
        return {
            "version": self._tls.version() if cipher else None,
            "cipher": cipher[0] if cipher else None,
            "alpn": self._tls.selected_alpn_protocol(),
            "chain": tuple(der for der in chain if len(der) <= MAX_CERTIFICATE),
            "chain_sha256": tuple(hashlib.sha256(der).hexdigest() for der in chain),
            "received": self.received,
        }

    # These two are apart so that nothing is awaited while an SSLWantReadError is
    # handled: it would stand behind every reset and every silence as its context.

    def _handshake_step(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def _read(self, max_bytes: int) -> bytes | None:
        """Decrypted bytes, empty at an announced end, None if more must arrive first."""
        try:
            return self._tls.read(max_bytes)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLZeroReturnError:
            return b""

    async def _fill(self) -> None:
        raw = await self._transport.receive_some(_CHUNK)
        if not raw:
            raise NetworkFailure(Failure.EOF, "closed during the handshake")
        self.received += len(raw)
        if len(self.head) < _HEAD:
            self.head += raw[: _HEAD - len(self.head)]
        self._incoming.write(raw)

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._transport.send_all(self._outgoing.read())

    async def _flush_quietly(self) -> None:
        try:
            await self._flush()
        except (OSError, trio.BrokenResourceError):
            return  # the handshake has failed already, and that is what is recorded


async def tls_handshake(
    trace: Trace,
    transport: trio.abc.Stream,
    *,
    ip: str,
    port: int,
    sni: str | None,
    alpn: Sequence[str] = ALPN,
    **facts: Any,
) -> TLSStream:
    """A TLS stream over *transport*, its certificate unjudged. Raises `StepFailed`."""
    with trace.operation(
        TLSHandshake,
        timeout=TIMEOUT,
        ip=ip,
        port=port,
        sni=sni,
        alpn_offered=tuple(alpn),
        **facts,
    ) as learned:
        stream = TLSStream(transport, sni, tuple(alpn))
        try:
            await stream.handshake()
        except NETWORK_ERRORS as exc:
            learned["alert"] = plaintext_alert(stream.head)
            if isinstance(exc, ssl.SSLError) and not looks_like_tls(stream.head):
                learned["detail"] = f"what came is not TLS: {exc.reason}"
            raise
        finally:
            learned.update(stream.facts())
    return stream
