"""Reaching one endpoint of a service that is no site: its address, each try, and once again.

The rule: a try is one `Reach`, and the records of its steps share its transaction. What
failed is tried once more after a pause. A name is looked up by every way at once, as a site's
is, and tried where this machine's own resolvers say; where that fails, it is tried too where
others say that it is, on record under the step `ELSEWHERE`: a lie of the resolver is known by
that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import trio

from probe.addresses import is_public
from probe.evidence import PROBE, CertificateCheck, DNSExchange, Reach
from probe.failure import Failure, NetworkFailure, classify
from probe.net import Datagrams
from probe.resolve import Resolution, resolve
from probe.steps.certificate import Verifier, check_certificate
from probe.steps.quic import QUICConnection, quic_handshake
from probe.steps.tcp import tcp_connect
from probe.steps.tls import TLSStream, tls_handshake
from probe.tools import Tools
from probe.trace import StepFailed, Trace
from probe.wire.url import URL
from testlists.target import Target

PAUSE = 4.0  # seconds before what failed is tried again
TIMEOUT = 30.0  # seconds for one try; the steps have bounds of their own
ANSWER = 6.0  # seconds until an endpoint has said what it is waited for
RESEND = (1.0, 2.0)  # seconds between sends of a datagram: one that is lost is no silence
MAX_ANSWER = 64 * 1024  # bytes read before an endpoint has said it
KEPT = 64  # bytes of its answer that are kept
ELSEWHERE = "other_address"  # where others say that the name is


@dataclass(kw_only=True)
class Try:
    """One try, for a `Way`: it says what it does next, and leaves what it learns in *learned*."""

    tools: Tools
    trace: Trace
    host: str
    ip: str
    port: int
    common: dict[str, Any]
    learned: dict[str, Any] = field(default_factory=dict)

    @property
    def now(self) -> float:
        """POSIX seconds, by the corrected clock."""
        return self.tools.now()

    async def tcp(self) -> trio.abc.Stream:
        """Connect. Raises `StepFailed`."""
        self.learned["operation"] = "connect"
        return await tcp_connect(self.tools.net, self.trace, self.ip, self.port, **self.common)

    async def tls(
        self, stream: trio.abc.Stream, *, alpn: Sequence[str], roots: Sequence[Verifier] = ()
    ) -> TLSStream:
        """Shake hands over *stream*; the certificate is good by one of *roots*, else by the
        machine's store. Raises `StepFailed`, `NetworkFailure`."""
        self.learned["operation"] = "tls_handshake"
        tls = await tls_handshake(
            self.trace, stream, ip=self.ip, port=self.port, sni=self._sni, alpn=tuple(alpn),
            hello=self.tools.hello, **self.common,
        )  # fmt: skip
        self._certificate(tls.chain(), roots)
        return tls

    async def quic(self, *, alpn: Sequence[str]) -> QUICConnection:
        """A QUIC connection, its certificate good. Raises as `tls`."""
        self.learned["operation"] = "quic_handshake"
        connection = await quic_handshake(
            self.tools.net, self.trace, ip=self.ip, port=self.port, sni=self._sni, alpn=alpn,
            **self.common,
        )  # fmt: skip
        try:
            self._certificate(connection.chain(), ())
        except BaseException:
            await connection.aclose()
            raise
        return connection

    async def ask(
        self, stream: trio.abc.Stream, question: bytes, answered: Callable[[bytes], bool]
    ) -> bytes:
        """Send *question* and read until *answered*, which may raise `NetworkFailure`.

        Raises that, or what the network does."""
        heard = b""
        try:
            with trio.fail_after(ANSWER):
                await stream.send_all(question)
                while not answered(heard):
                    piece = await stream.receive_some(4096)
                    if not piece:
                        raise NetworkFailure(Failure.EOF, "closed before it answered")
                    heard += piece
                    if len(heard) > MAX_ANSWER:
                        raise NetworkFailure(Failure.UNKNOWN, f"over {MAX_ANSWER} bytes")
        finally:
            self.learned["received"] = heard[:KEPT]
        return heard

    async def ask_by_datagram(
        self, question: Callable[[], bytes], answered: Callable[[bytes], bool]
    ) -> bytes:
        """As `ask`, by datagrams, of which one that is no answer counts for nothing.

        *question* is asked for anew for each that is sent: some servers take none twice."""
        self.learned["operation"] = "handshake"
        end = trio.current_time() + ANSWER
        sock = await self.tools.net.open_udp(self.ip, self.port)
        try:
            for pause in (*RESEND, ANSWER):
                await sock.send(question())
                with trio.move_on_at(min(end, trio.current_time() + pause)):
                    return await self._answer(sock, answered)
        finally:
            sock.close()
        raise trio.TooSlowError

    async def _answer(self, sock: Datagrams, answered: Callable[[bytes], bool]) -> bytes:
        while True:
            data = (await sock.receive()).data
            self.learned["received"] = data[:KEPT]
            if answered(data):
                return data

    @property
    def _sni(self) -> str | None:
        return None if is_address(self.host) else self.host

    def _certificate(self, chain: tuple[bytes, ...], roots: Sequence[Verifier]) -> None:
        self.learned["operation"] = "certificate"
        verifiers = [*roots, self.tools.verifier]
        good = (v for v in verifiers if "failure" not in v.check(chain, self.host, self.now))
        check_certificate(
            next(good, self.tools.verifier), self.trace, chain=chain, hostname=self.host,
            at=self.now, ip=self.ip, port=self.port, **self.common,
        )  # fmt: skip
        record = self.trace.records[-1]
        assert isinstance(record, CertificateCheck)
        if record.failure is not None:
            raise NetworkFailure(record.failure, record.detail)


# What is done at an address once it is known; failing is raising.
Way = Callable[[Try], Awaitable[None]]


async def reach(
    tools: Tools, trace: Trace, target: Target, way: Way, *, part: str, ports: Sequence[int]
) -> bool:
    """Whether *target* works by *way*, at the second try at the latest.

    *ports* are those of the service, for a URL that names none; where there are two, the second
    try goes to the second. *part* is as in `Reach`.
    """
    endpoint = _Endpoint(tools, trace, target, way, part, (target.port,) if target.port else ports)
    if await endpoint.once(0):
        return True
    await trio.sleep(PAUSE)
    return await endpoint.once(1)


@dataclass
class _Endpoint:
    tools: Tools
    trace: Trace
    target: Target
    way: Way
    part: str
    ports: Sequence[int | None]
    _asked_at: int = 0  # of the trace's records, those of the last lookup begin there

    async def once(self, number: int) -> bool:
        """One try; whether there is no need for another."""
        port = self.ports[number % len(self.ports)] or 0
        own, others = await self._addresses()
        mine = self._usable(own)
        if not mine and any(map(is_public, own)):
            return True  # over a family of addresses that this machine has not
        if not mine:
            self._unresolved(port, own)
        elif await self._at(mine[number % len(mine)], port):
            return True
        other = next((ip for ip in self._usable(others) if ip not in mine), None)
        if other is not None and self.trace.vantage == PROBE:
            await self._at(other, port, step=ELSEWHERE)
        return False

    async def _addresses(self) -> tuple[list[str], list[str]]:
        """Where the endpoint is by this machine's own resolvers, and by others.

        A control has no resolver of its own: to it, all others' are.
        """
        host = self.target.hostname
        if is_address(host):
            return [host], []
        resolution, own, others = Resolution(), list[str](), list[str]()
        url = URL(self.target.url, "https", host, 443, "/")
        self._asked_at = len(self.trace.records)
        await resolve(self.tools, self.trace, url, 0, resolution)
        async for found, mine in resolution.follow():
            (own if mine else others).extend(found)
        alone = not (self.tools.resolvers.own or self.tools.resolvers.system)
        return (others, []) if alone else (own, others)

    def _usable(self, ips: Sequence[str]) -> list[str]:
        """Those that can be tried, IPv4 first: each machine has it, and it breaks less."""
        return sorted(filter(self.tools.usable, dict.fromkeys(ips)), key=lambda ip: ":" in ip)

    def _unresolved(self, port: int, given: Sequence[str]) -> None:
        """A try that had nowhere to go: *given* are addresses that no server can have."""
        asked = [e for e in self.trace.records[self._asked_at :] if isinstance(e, DNSExchange)]
        own = [e for e in asked if e.own] or asked
        failures = [e.failure for e in own if e.failure is not None]
        failure = Failure.DNS_BOGON if given else (failures or [Failure.DNS_NO_ANSWER])[0]
        self.trace.append(
            Reach, self.trace.now(),
            {
                "service": self.target.scheme, "part": self.part, "port": port,
                "url": self.target.url, "operation": "resolve", "failure": failure,
            },
        )  # fmt: skip

    async def _at(self, ip: str, port: int, step: str = "") -> bool:
        """One try at *ip*; whether it worked."""
        trace, url = self.trace.serving(step), self.target.url
        await self.tools.net.turn(ip, port)
        common = {"transaction": trace.new_transaction(), "url": url}
        try:
            with trace.operation(
                Reach, timeout=TIMEOUT, service=self.target.scheme, part=self.part, ip=ip,
                port=port, **common,
            ) as learned:  # fmt: skip
                attempt = Try(
                    tools=self.tools, trace=trace, host=self.target.hostname, ip=ip, port=port,
                    common=common, learned=learned,
                )  # fmt: skip
                try:
                    await self.way(attempt)
                except StepFailed as exc:
                    assert exc.__cause__ is not None
                    learned["failure"] = classify(exc.__cause__)
                else:
                    learned.pop("operation", None)
        except StepFailed:
            pass  # it is on the record
        record = trace.records[-1]
        assert isinstance(record, Reach)
        return record.failure is None


def is_address(host: str) -> bool:
    """Whether *host* is an IP address and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
