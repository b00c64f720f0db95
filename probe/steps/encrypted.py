"""Encrypted resolvers: a connection serves one target after another.

The handshake with a resolver says nothing about a target, and costs this machine, the
line and the resolver more than the questions do. So a connection that has served is
kept for a while for the next target, and the evidence of how it was made is repeated
in each measurement that uses it, at its true times: below zero, since they lie before
that measurement began.

What goes wrong on a kept connection may be due to its age alone. Such a question is
put again on a new connection, and only that is on record (`Connection.kept` and
`probe.trace.Trace.forget` are for the caller to do so).
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

import msgspec
import trio

from probe.evidence import AnyEvidence
from probe.net import Network
from probe.steps.certificate import Verifier, check_certificate
from probe.steps.dns import DoH, Heard, framed_lookup
from probe.steps.engine import Hello
from probe.steps.tcp import tcp_connect
from probe.steps.tls import TLSStream, tls_handshake
from probe.trace import StepFailed, Trace
from probe.wire.url import parse

MAX_IDLE = 8.0  # seconds; the public resolvers close after ten and more
MAX_AGE = 60.0  # seconds; what the handshake shows is to be of now
MAX_KEPT = 8  # idle connections to one resolver


class EncryptedResolver(NamedTuple):
    """*name* is a host name for DoT, a URL for DoH."""

    kind: Literal["dot", "doh"]
    name: str
    ip: str

    @property
    def url(self) -> str:
        return self.name if self.kind == "doh" else f"dot://{self.name}"

    @property
    def port(self) -> int:
        return 443 if self.kind == "doh" else 853


class Connection:
    """An open, verified connection to *resolver*, for one question at a time.

    *made* is the evidence of its making, by a trace whose zero was at *zero*. *kept*
    says that it has served another measurement before.
    """

    def __init__(
        self, resolver: EncryptedResolver, stream: TLSStream, made: list[AnyEvidence], zero: float
    ) -> None:
        self.resolver = resolver
        self.kept = False
        self.since = self.used = trio.current_time()
        self._stream = stream
        self._doh: DoH | None = None
        if resolver.kind == "doh":
            self._doh = DoH(stream, resolver.url, http2=stream.alpn == "h2")
        self._made, self._zero = made, zero

    async def ask(
        self, trace: Trace, hostname: str, rdtype: str, *, heard: Heard, **facts: Any
    ) -> bool:
        """One question, on record; whether the connection is good for another."""
        self.used = trio.current_time()
        if self._doh is not None:
            return await self._doh.lookup(trace, hostname, rdtype, heard=heard, **facts)
        return await framed_lookup(
            trace, self._stream, hostname, rdtype, resolver=self.resolver.url, heard=heard, **facts
        )

    def repeat_evidence(self, trace: Trace, *, depth: int, transaction: int) -> None:
        """Put how this connection was made on *trace*, too."""
        earlier = trace.zero - self._zero
        trace.records += [
            msgspec.structs.replace(
                e, vantage=trace.vantage, depth=depth, transaction=transaction,
                t0=round(e.t0 - earlier, 6), t=round(e.t - earlier, 6),
            )
            for e in self._made
        ]  # fmt: skip

    async def close(self) -> None:
        await trio.aclose_forcefully(self._stream)


async def connect(
    net: Network,
    verifier: Verifier,
    trace: Trace,
    resolver: EncryptedResolver,
    *,
    depth: int,
    transaction: int,
    at: float,
    hello: Hello = "browser",
) -> Connection:
    """A new connection, its certificate checked for the time *at*. Raises `StepFailed`.

    Its evidence carries the resolver's own URL, not the target's.
    """
    ip, port = resolver.ip, resolver.port
    doh = resolver.kind == "doh"
    host = parse(resolver.name if doh else f"https://{resolver.name}/").host
    facts: dict[str, Any] = {"url": resolver.url, "depth": depth, "transaction": transaction}
    await net.turn(ip, port)
    stream = await tcp_connect(net, trace, ip, port, **facts)
    try:
        tls = await tls_handshake(
            trace, stream, ip=ip, port=port, sni=host,
            alpn=("h2", "http/1.1") if doh else (), hello=hello, **facts,
        )  # fmt: skip
        good = check_certificate(
            verifier, trace, chain=tls.chain(), hostname=host, at=at, ip=ip, port=port, **facts
        )
        if not good:
            raise StepFailed  # whoever this is, it is not the resolver: ask another
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    made = [e for e in trace.records if e.transaction == transaction]
    return Connection(resolver, tls, made, trace.zero)


class Kept:
    """Connections that wait for their next question, *limit* to a resolver at most.

    A context manager, whose end closes them all.
    """

    def __init__(self, limit: int = MAX_KEPT) -> None:
        self._limit = limit
        self._idle: dict[EncryptedResolver, list[Connection]] = {}

    async def take(self, resolver: EncryptedResolver) -> Connection | None:
        """A connection for the caller alone, who gives it back or closes it."""
        waiting = self._idle.get(resolver, [])
        now = trio.current_time()
        old = [c for c in waiting if now - c.used > MAX_IDLE or now - c.since > MAX_AGE]
        self._idle[resolver] = waiting = [c for c in waiting if c not in old]
        found = waiting.pop() if waiting else None
        for connection in old:
            await connection.close()
        return found

    async def give(self, connection: Connection) -> None:
        waiting = self._idle.setdefault(connection.resolver, [])
        if len(waiting) >= self._limit:
            await connection.close()
            return
        connection.kept = True
        connection.used = trio.current_time()
        waiting.append(connection)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with trio.CancelScope(shield=True):
            for connection in [c for waiting in self._idle.values() for c in waiting]:
                await connection.close()
        self._idle.clear()
