"""What a rung may do: say one thing to one address, at a moment when the answer tells.

The rule: a test must not colour the next one. Some censors, once they have seen a
forbidden name, punish everything between this client and that address and port for a
while (residual blocking), and any two tests of one tuple may disturb each other. So
one climb at a time has an address, a pause lies between two connections to it, and where
residual blocking was found it is waited for, whoever spoke the name.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    suppress,
)
from dataclasses import dataclass, field, replace
from typing import Any

import trio

from probe.capture import Captures
from probe.config import Ladder
from probe.control.client import ControlClient
from probe.evidence import AnyEvidence, CertificateCheck
from probe.failure import Failure
from probe.ladder.rung import Accused
from probe.steps.certificate import check_certificate
from probe.steps.dns import tcp_lookup, udp_lookup
from probe.steps.http import http_fetch
from probe.steps.quic import http3_fetch, quic_handshake
from probe.steps.tcp import tcp_connect, tcp_hold
from probe.steps.tls import TLSStream, tls_handshake
from probe.tools import Tools
from probe.trace import StepFailed, Trace
from probe.wire.url import URL

MARGIN = 1.0  # seconds beyond the end of residual blocking


class BudgetSpent(Exception):
    """The target has had as many connections as one target may have."""


class Tuples:
    """The (address, port) tuples that climbs talk to: since when each is free, and which climb
    has the address. A climb has all ports of one, or two would wait for each other's."""

    def __init__(self) -> None:
        self._locks: dict[str, trio.Lock] = {}
        self._free_at: dict[tuple[str, int], float] = {}
        self._punished: dict[str, float] = {}

    def lock(self, ip: str) -> trio.Lock:
        return self._locks.setdefault(ip, trio.Lock())

    def free_at(self, ip: str, port: int) -> float:
        return max(self._free_at.get((ip, port), -math.inf), self._punished.get(ip, -math.inf))

    def busy_until(self, ip: str, port: int, at: float) -> None:
        self._free_at[ip, port] = max(at, self.free_at(ip, port))

    def punished_until(self, ip: str, at: float) -> None:
        """Residual blocking there may go on until *at*: on all ports, since some censors
        look at the two addresses only."""
        self._punished[ip] = max(at, self._punished.get(ip, -math.inf))


class Turns:
    """Packets that are to die at the same hop, apart in time: routers limit their ICMP."""

    def __init__(self, per_second: float) -> None:
        self._interval = 1.0 / per_second
        self._next: dict[int, float] = {}

    async def turn(self, ttl: int) -> None:
        at = max(trio.current_time(), self._next.get(ttl, -math.inf))
        self._next[ttl] = at + self._interval
        await trio.sleep_until(at)


@dataclass
class Progress:
    """What a climb has found out of itself.

    *residual* is for how many seconds a tuple stays blocked after the accused name (0: not
    at all, as far as is known), *held* are the addresses that no other climb talks to.
    """

    residual: float = 0.0
    connections: int = 0
    held: set[str] = field(default_factory=set)


@dataclass(kw_only=True)
class Climb:
    """One accused, and what its rungs may touch.

    *plain* is the evidence of the plain pass. *neutral* are addresses of sites that have
    nothing to do with the accused, of its family, which answer on ports 80 and 443.
    """

    tools: Tools
    trace: Trace
    accused: Accused
    plain: Sequence[AnyEvidence]
    controls: ControlClient
    settings: Ladder
    neutral: Sequence[str]
    tuples: Tuples
    turns: Turns
    captures: Captures = field(default_factory=Captures)
    progress: Progress = field(default_factory=Progress)

    def serving(self, rung: str) -> Climb:
        """This climb as *rung* has it: several may be climbed at once."""
        return replace(self, trace=self.trace.serving(rung))

    @property
    def harmless(self) -> str:
        return self.settings.harmless

    @property
    def facts(self) -> dict[str, Any]:
        """What every record of this climb has in common, with a fresh transaction."""
        return {
            "url": self.accused.url.text,
            "depth": self.accused.depth,
            "transaction": self.trace.new_transaction(),
        }

    def choose_neutral(self, port: int, count: int) -> list[str]:
        """*count* neutral addresses, those first that nobody is busy with."""

        def busy(ip: str) -> tuple[bool, float]:
            taken = self.tuples.lock(ip).locked()
            return taken, max(trio.current_time(), self.tuples.free_at(ip, port))

        return sorted(self.neutral, key=busy)[:count]

    # When

    @asynccontextmanager
    async def alone(self, ip: str) -> AsyncIterator[None]:
        """No other climb talks to the address meanwhile. May be entered again by this one."""
        held = self.progress.held
        if ip in held:
            yield
            return
        async with self.tuples.lock(ip):
            held.add(ip)
            try:
                yield
            finally:
                held.discard(ip)

    async def ready(self, ip: str, port: int) -> None:
        """Return when a connection there is polite, and coloured by none before it.

        Raises `BudgetSpent`.
        """
        if self.progress.connections >= self.settings.target_connections:
            raise BudgetSpent
        self.progress.connections += 1
        at = max(trio.current_time(), self.tuples.free_at(ip, port))
        self.tuples.busy_until(ip, port, at + self.settings.pause)
        await trio.sleep_until(at)
        await self.tools.net.turn(ip, port)

    def sent(self, ip: str) -> None:
        """The accused name has just gone there: residual blocking may begin."""
        residual = self.progress.residual
        if residual:
            self.tuples.punished_until(ip, trio.current_time() + residual + MARGIN)

    def watching(self, ip: str, port: int) -> AbstractAsyncContextManager[None]:
        """What goes to and comes from there meanwhile goes on record, where it may be seen."""
        return self.captures.following(self.trace, ip, port, **self.facts)

    async def hop_turn(self, ttl: int) -> None:
        """Return when a packet may die at hop *ttl* and be heard of."""
        await self.turns.turn(ttl)

    async def repeat(self, times: int, test: Callable[[], Awaitable[object]]) -> None:
        """*test*, *times* times; without waiting for each to end, if none colours the next."""
        if self.progress.residual:
            for _ in range(times):
                await test()
            return
        async with trio.open_nursery() as nursery:
            for _ in range(times):
                nursery.start_soon(test)

    # What. Each says how it failed, None where it went through; the evidence is on record.

    async def connect(self, ip: str, port: int) -> Failure | None:
        """Connect and close."""
        async with self.alone(ip):
            await self.ready(ip, port)
            facts = self.facts
            with self._recorded():
                stream = await tcp_connect(self.tools.net, self.trace, ip, port, **facts)
                await trio.aclose_forcefully(stream)
        return self._failure(facts)

    async def hold(self, ip: str, port: int) -> Failure | None:
        """Connect and say nothing."""
        async with self.alone(ip):
            await self.ready(ip, port)
            facts = self.facts
            await tcp_hold(self.tools.net, self.trace, ip, port, **facts)
        return self._failure(facts)

    async def hello(
        self, ip: str, port: int, sni: str | None, **options: Any
    ) -> Failure | None:
        """A TLS handshake with *sni*; *options* as for `tls_handshake`.

        The certificate is checked for the accused's host: one that is good for it proves
        that the site itself has answered.
        """
        async with self.alone(ip):
            await self.ready(ip, port)
            facts = self.facts
            with self._recorded():
                await trio.aclose_forcefully(await self._tls(ip, port, sni, facts, options))
            self._spoken(ip, port, sni)
        return self._failure(facts)

    async def request(
        self,
        ip: str,
        port: int,
        host: str,
        *,
        tls: bool = False,
        sni: str | None = None,
        target: str | None = None,
    ) -> Failure | None:
        """GET the accused's path (or *target*) with *host* in the Host header, in the clear or
        over TLS with *sni*."""
        url = self.accused.url
        scheme = "https" if tls else "http"
        at = URL(
            text=url.text, scheme=scheme, host=url.host, port=port, target=target or url.target
        )
        async with self.alone(ip):
            await self.ready(ip, port)
            facts = self.facts
            with self._recorded():
                stream: trio.abc.Stream
                if tls:
                    stream = await self._tls(ip, port, sni, facts, {"alpn": ("http/1.1",)})
                else:
                    stream = await tcp_connect(self.tools.net, self.trace, ip, port, **facts)
                try:
                    about = {k: v for k, v in facts.items() if k != "url"}
                    await http_fetch(
                        self.trace, stream, at, ip=ip, port=port, host=host, **about
                    )
                finally:
                    await trio.aclose_forcefully(stream)
            self._spoken(ip, port, host, sni)
        return self._failure(facts)

    async def quic(
        self, ip: str, port: int, sni: str | None, *, fetch: bool = False
    ) -> Failure | None:
        """A QUIC handshake with *sni*, its certificate checked as by `hello`; with *fetch*, the
        accused's page after it. Not without aioquic (`probe.steps.quic.available`)."""
        url, tools = self.accused.url, self.tools
        async with self.alone(ip):
            await self.ready(ip, port)
            facts = self.facts
            with self._recorded():
                connection = await quic_handshake(
                    tools.net, self.trace, ip=ip, port=port, sni=sni, **facts
                )
                try:
                    good = check_certificate(
                        tools.verifier, self.trace, chain=connection.chain(),
                        hostname=self.accused.host, at=tools.now(),
                        ip=ip, port=port, **facts,
                    )  # fmt: skip
                    if fetch and good:
                        about = {k: v for k, v in facts.items() if k != "url"}
                        await http3_fetch(
                            self.trace, connection, url, ip=ip, port=port, **about
                        )
                finally:
                    await connection.aclose()
            self._spoken(ip, port, sni)
        return self._failure(facts)

    async def speak(self, ip: str, port: int, name: str | None) -> Failure | None:
        """Say *name* as the accused one was said when it failed: in a ClientHello, in the Host
        header, or in both. None: no SNI, or the address as Host."""
        url = self.accused.url
        if self.accused.layer == "quic":
            return await self.quic(ip, port, name)
        if self.accused.layer in ("tls", "certificate"):
            return await self.hello(ip, port, name)
        literal = f"[{ip}]" if ":" in ip else ip
        return await self.request(ip, port, name or literal, tls=url.tls, sni=name)

    async def lookup(
        self, resolver: str, hostname: str, rdtype: str = "A", *, over: str = "udp"
    ) -> Failure | None:
        """Ask *resolver* (or an address where none is) for *hostname*."""
        await self.tools.net.turn(resolver, 53)
        look = tcp_lookup if over == "tcp" else udp_lookup
        facts = self.facts
        await look(
            self.tools.net, self.trace, resolver, hostname, rdtype, heard=lambda found: None,
            own=resolver in self.tools.resolvers.own, **facts,
        )  # fmt: skip
        return self._failure(facts)

    async def _tls(
        self, ip: str, port: int, sni: str | None, facts: dict[str, Any], options: dict[str, Any]
    ) -> TLSStream:
        tools = self.tools
        stream = await tcp_connect(tools.net, self.trace, ip, port, **facts)
        try:
            tls = await tls_handshake(
                self.trace, stream, ip=ip, port=port, sni=sni,
                **({"hello": tools.hello} | options), **facts,
            )
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        check_certificate(
            tools.verifier, self.trace, chain=tls.chain(), hostname=self.accused.host,
            at=tools.now(), ip=ip, port=port, **facts,
        )  # fmt: skip
        return tls

    def _spoken(self, ip: str, port: int, *names: str | None) -> None:
        if any(name and self.accused.host in name.lower() for name in names):
            self.sent(ip)

    def _recorded(self) -> AbstractContextManager[None]:
        """A failed operation ends the test, and is on the record."""
        return suppress(StepFailed)

    def _failure(self, facts: dict[str, Any]) -> Failure | None:
        """How the test with *facts* failed; None if it went through. What is wrong with a
        certificate is none: something has answered."""
        return next(
            (
                e.failure
                for e in self.trace.records
                if e.transaction == facts["transaction"] and not isinstance(e, CertificateCheck)
                and e.failure is not None
            ),
            None,
        )
