"""A visit: one URL measured as a browser would go there, every operation on record.

Resolve by every way at once; connect as soon as one answer is there; measure every
public address that anybody knows; fetch the page on the user's path; follow
redirects, each measured like a first hop. The nettest runs it on the probe and the
control server runs it elsewhere: the test and its control are the same code.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import trio

from probe.addresses import is_public
from probe.alternative import measure_alternatives
from probe.evidence import HTTPExchange, TCPConnect, TLSHandshake
from probe.failure import Failure
from probe.gate import Gate
from probe.resolve import Resolution, resolve
from probe.steps.certificate import check_certificate
from probe.steps.http import http_fetch
from probe.steps.tcp import tcp_connect, tcp_hold
from probe.steps.tls import TLSStream, tls_handshake
from probe.tools import Tools
from probe.trace import StepFailed, Trace
from probe.wire.cookies import Cookies
from probe.wire.url import URL, parse

MAX_REDIRECTS = 20  # as browsers do
MAX_ADDRESSES = 10  # measured for one host of our own resolvers', as many of others'
MAX_HOPS = 2 * (MAX_REDIRECTS + 1)  # URLs in one visit: the longest chain, and its twin's

# Tells what others know of a URL: given the URL, its depth and the addresses of its
# host known here, answers with the addresses that they know.
Known = Callable[[str, int, Sequence[str]], Awaitable[Sequence[str]]]


async def visit(
    tools: Tools,
    trace: Trace,
    url: str,
    *,
    known: Known | None = None,
    twin: bool = False,
    max_redirects: int = MAX_REDIRECTS,
) -> None:
    """Measure *url* and where it leads; everything is left on *trace*.

    With *twin*, the same name over the other scheme is measured beside it, if both
    are on their default ports. Raises `probe.wire.url.BadURL` for what is no URL.
    """
    first = parse(url)
    async with trio.open_nursery() as nursery:
        twin = twin and first.default_port
        going = _Visit(tools, trace, nursery, known, max_redirects, twin)
        going.start(first, 0)
        if twin:
            going.start(first.with_scheme("http" if first.tls else "https"), 0)
    await measure_alternatives(tools, trace)


@dataclass
class _Visit:
    """The state of one visit. Its nursery is the visit's own and ends with it."""

    tools: Tools
    trace: Trace
    nursery: trio.Nursery
    known: Known | None
    max_redirects: int
    twin: bool
    urls: dict[str, str] = field(default_factory=dict)  # visited, with the cookies brought along
    hops: int = 0
    hosts: dict[str, Resolution] = field(default_factory=dict)
    cookies: Cookies = field(default_factory=Cookies)

    def start(self, url: URL, depth: int) -> None:
        if self.hops >= MAX_HOPS:
            return
        self.hops += 1
        self.urls[url.text] = self.cookies.header(url.text)
        self.nursery.start_soon(self._hop, url, depth)

    async def _hop(self, url: URL, depth: int) -> None:
        gate = Gate()
        # At depth 0 the twin does it.
        look_at_443 = not url.tls and url.default_port and not (self.twin and depth == 0)
        async with trio.open_nursery() as nursery:
            tried: set[str] = set()
            room = {True: MAX_ADDRESSES, False: MAX_ADDRESSES}  # others' must not use up ours

            def offer(found: Sequence[str], *, own: bool) -> None:
                """New addresses of the host: measure those not yet tried."""
                for ip in found:
                    if not self.tools.usable(ip):
                        continue
                    if ip not in tried and not room[own]:
                        continue
                    gate.learn(ip, own=own)
                    if ip in tried:
                        continue
                    tried.add(ip)
                    room[own] -= 1
                    nursery.start_soon(self._endpoint, url, depth, ip, url.port, gate)
                    if look_at_443:
                        nursery.start_soon(self._endpoint, url, depth, ip, 443, None)

            await self._addresses(url, depth, offer)
            gate.complete()

    async def _addresses(
        self, url: URL, depth: int, offer: Callable[..., None]
    ) -> None:
        """Ask everybody for the host's addresses, and the controls about the URL."""
        literal = url.ip_literal
        if literal is not None:
            if not is_public(literal):
                # A captive portal or the home router, whose URL may hold the user's
                # MAC address: nobody outside is to be asked about it.
                return
            offer([literal], own=True)
            mine: Sequence[str] = [literal]
        else:
            resolution = self.hosts.get(url.host)
            if resolution is None:
                resolution = self.hosts[url.host] = Resolution()
                self.nursery.start_soon(
                    resolve, self.tools, self.trace, url, depth, resolution
                )
            async for found, own in resolution.follow():
                offer(found, own=own)
            mine = [ip for ip in resolution.addresses if is_public(ip)]
        if self.known is not None:
            offer(await self.known(url.text, depth, mine), own=False)

    async def _endpoint(
        self, url: URL, depth: int, ip: str, port: int, gate: Gate | None
    ) -> None:
        """One address and port: connect, handshake, and fetch if it is this one's turn.

        Without a *gate* there is no fetch: the look at 443 beside an http:// URL.
        """
        facts: dict[str, Any] = {
            "url": url.text, "depth": depth, "transaction": self.trace.new_transaction(),
        }
        try:
            stream = await self._connect(url, ip, port, facts)
            try:
                if gate is None:
                    return
                async with gate.turn(ip) as turn:
                    if not turn.granted:
                        return
                    if turn.stale:  # the server may have closed it meanwhile, as it may
                        await stream.aclose()
                        facts["transaction"] = self.trace.new_transaction()
                        stream = await self._connect(url, ip, port, facts)
                    exchange = await self._fetch(stream, url, ip, port, facts)
                    turn.done = True
            finally:
                await trio.aclose_forcefully(stream)
        except StepFailed:
            await self._held_if_reset(ip, port, facts)
            return
        self._follow(exchange, depth)

    async def _connect(
        self, url: URL, ip: str, port: int, facts: dict[str, Any]
    ) -> trio.abc.Stream:
        tools = self.tools
        await tools.net.turn(ip, port)
        stream = await tcp_connect(tools.net, self.trace, ip, port, **facts)
        if not (url.tls or (port == 443 and url.default_port)):
            return stream
        sni = None if url.ip_literal else url.host
        try:
            tls = await tls_handshake(
                self.trace, stream, ip=ip, port=port, sni=sni, hello=tools.hello, **facts
            )
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        check_certificate(
            tools.verifier, self.trace, chain=tls.chain(), hostname=url.host,
            at=tools.now(), ip=ip, port=port, **facts,
        )
        return tls

    async def _fetch(
        self, stream: trio.abc.Stream, url: URL, ip: str, port: int, facts: dict[str, Any]
    ) -> HTTPExchange:
        http2 = isinstance(stream, TLSStream) and stream.alpn == "h2"
        exchange = await http_fetch(
            self.trace, stream, url, ip=ip, port=port, http2=http2,
            cookies=self.cookies.header(url.text),
            depth=facts["depth"], transaction=facts["transaction"],
        )
        self.cookies.take(url.text, exchange.headers)
        return exchange

    async def _held_if_reset(self, ip: str, port: int, facts: dict[str, Any]) -> None:
        """After a reset with nothing received: was it what we said, or that we came at all?"""
        mine = [e for e in self.trace.records if e.transaction == facts["transaction"]]
        match mine:
            case [TCPConnect(), TLSHandshake(failure=Failure.CONNECTION_RESET, received=0)]:
                pass
            case [TCPConnect(), HTTPExchange(failure=Failure.CONNECTION_RESET, status=None)]:
                pass
            case _:
                return
        await self.tools.net.turn(ip, port)
        await tcp_hold(
            self.tools.net, self.trace, ip, port,
            **(facts | {"transaction": self.trace.new_transaction()}),
        )

    def _follow(self, exchange: HTTPExchange, depth: int) -> None:
        location = exchange.location
        if location is None:
            return
        if location in self.urls:
            if not self._returns(exchange):
                return  # measured already: another chain of this visit came by
            if self.urls[location] == self.cookies.header(location):
                self._end_of_chain(exchange, depth, "redirect loop")
                return
        if depth >= self.max_redirects:
            self._end_of_chain(exchange, depth, "too many redirects")
        else:
            self.start(parse(location), depth + 1)

    def _returns(self, exchange: HTTPExchange) -> bool:
        """Whether the chain that *exchange* ends leads back into itself."""
        came_from: dict[str, list[str]] = {}
        for e in self.trace.records:
            if isinstance(e, HTTPExchange) and e.location:
                came_from.setdefault(e.location, []).append(e.url)
        seen, queue = set(), [exchange.url]
        while queue:
            at = queue.pop()
            if at == exchange.location:
                return True
            if at not in seen:
                seen.add(at)
                queue += came_from.get(at, [])
        return False

    def _end_of_chain(self, exchange: HTTPExchange, depth: int, why: str) -> None:
        now = round(self.trace.now(), 6)
        self.trace.records.append(
            HTTPExchange(
                vantage=self.trace.vantage, url=exchange.location or "", depth=depth + 1,
                t0=now, t=now, failure=Failure.UNKNOWN, detail=why,
                ip=exchange.ip, port=exchange.port, tls=exchange.tls,
            )
        )

