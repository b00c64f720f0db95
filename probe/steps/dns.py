"""DNS lookups by every way: the system's resolver, UDP, TCP, TLS (DoT), HTTPS (DoH).

Each tells its first answer to *heard* at once, so that connecting need not wait, and
then goes on listening where more may come: a forged answer arrives first and the true
one after it, which no library's transport stays to see.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import httpcore2
import trio

from probe.evidence import DNSAnswer, DNSExchange
from probe.failure import Failure, NetworkFailure
from probe.net import Datagram, Datagrams, Network
from probe.steps.adapter import Adapter
from probe.trace import StepFailed, Trace
from probe.wire import dns as wire

TIMEOUT = 6.0
RESEND = (1.5, 2.0)  # seconds between sends: UDP loses packets, and one loss is no silence
LINGER = 0.6  # seconds to listen after the first answer, at least
MAX_LINGER = 2.0
MAX_ANSWERS = 8  # datagrams kept for one query
MAX_DATAGRAMS = 100  # read after the first answer, ours or not
MAX_MESSAGE = 65535

Heard = Callable[[tuple[str, ...]], None]


async def system_lookup(
    net: Network, trace: Trace, hostname: str, *, heard: Heard, **facts: Any
) -> None:
    """What applications on this machine are told (getaddrinfo, both families)."""
    try:
        with trace.operation(
            DNSExchange, timeout=TIMEOUT, hostname=hostname, rdtype="ANY", engine="system",
            own=True, **facts,
        ) as learned:
            addresses = await net.system_lookup(hostname)
            answer = DNSAnswer(t=trace.now(), addresses=addresses[: wire.MAX_ADDRESSES])
            learned["answers"] = (answer,)
            heard(answer.addresses)
    except StepFailed:
        heard(())


async def udp_lookup(
    net: Network,
    trace: Trace,
    resolver: str,
    hostname: str,
    rdtype: str,
    *,
    heard: Heard,
    **facts: Any,
) -> None:
    """Ask *resolver* over UDP; record every answer. One cut short is asked again over TCP."""
    asked = wire.query(hostname, rdtype, secrets.randbits(16))
    truncated = False
    try:
        with trace.operation(
            DNSExchange, timeout=TIMEOUT + MAX_LINGER, hostname=hostname, rdtype=rdtype,
            engine="udp", resolver=f"{resolver}:53", **facts,
        ) as learned:
            began = trace.now()
            sock = await net.open_udp(resolver, 53)
            try:
                first = await _first_answer(sock, trace, asked, learned)
                truncated = first.truncated
                learned["answers"] = (first.message,)
                if first.failure is not None:
                    learned["failure"] = first.failure
                if not truncated:
                    heard(first.message.addresses)
                # A forger is nearer than the truth, which comes about one round trip later.
                with trio.move_on_after(min(MAX_LINGER, LINGER + first.message.t - began)):
                    await _more_answers(sock, trace, asked, learned)
            finally:
                sock.close()
    except StepFailed:
        heard(())
        return
    if truncated:
        await tcp_lookup(net, trace, resolver, hostname, rdtype, heard=heard, **facts)


async def _first_answer(
    sock: Datagrams, trace: Trace, asked: bytes, learned: dict[str, Any]
) -> wire.Answer:
    began = trace.now()
    end = trio.current_time() + TIMEOUT
    for times, pause in enumerate((*RESEND, TIMEOUT), 1):
        await sock.send(asked)
        if times > 1:  # then a second answer may be to the second asking
            learned["detail"] = f"asked {times} times"
        with trio.move_on_at(min(end, trio.current_time() + pause)):
            while True:
                answer = _read(await sock.receive(), trace, asked, began)
                if answer is not None:
                    return answer
    raise trio.TooSlowError


async def _more_answers(
    sock: Datagrams, trace: Trace, asked: bytes, learned: dict[str, Any]
) -> None:
    began = trace.now()
    for _ in range(MAX_DATAGRAMS):
        try:
            answer = _read(await sock.receive(), trace, asked, began)
        except OSError:
            return  # an ICMP error after the answer says nothing about the answer
        if answer is not None:
            learned["answers"] += (answer.message,)
            if len(learned["answers"]) == MAX_ANSWERS:
                return


def _read(datagram: Datagram, trace: Trace, asked: bytes, began: float) -> wire.Answer | None:
    # The kernel's stamps are by the calendar clock, which may be set while we wait;
    # nothing arrives before it was asked for.
    arrived = max(began, trace.now() - datagram.age)
    return wire.read(datagram.data, to=asked, t=round(arrived, 6), ip_ttl=datagram.ip_ttl)


async def tcp_lookup(
    net: Network,
    trace: Trace,
    resolver: str,
    hostname: str,
    rdtype: str,
    *,
    heard: Heard,
    **facts: Any,
) -> None:
    """Ask *resolver* over TCP (RFC 7766)."""
    try:
        with trace.operation(
            DNSExchange, timeout=TIMEOUT, hostname=hostname, rdtype=rdtype, engine="tcp",
            resolver=f"{resolver}:53", **facts,
        ) as learned:
            async with await net.connect_tcp(resolver, 53) as stream:
                await _framed_query(trace, stream, hostname, rdtype, learned)
            heard(learned["answers"][0].addresses)
    except StepFailed:
        heard(())


async def framed_lookup(
    trace: Trace,
    stream: trio.abc.Stream,
    hostname: str,
    rdtype: str,
    *,
    resolver: str,
    heard: Heard,
    **facts: Any,
) -> bool:
    """Ask over a stream that is open already: DNS over TLS (RFC 7858).

    Says whether the stream is good for another question.
    """
    try:
        with trace.operation(
            DNSExchange, timeout=TIMEOUT, hostname=hostname, rdtype=rdtype, engine="dot",
            resolver=resolver, **facts,
        ) as learned:
            await _framed_query(trace, stream, hostname, rdtype, learned)
            heard(learned["answers"][0].addresses)
    except StepFailed:
        heard(())
        return False
    return True


async def _framed_query(
    trace: Trace, stream: trio.abc.Stream, hostname: str, rdtype: str, learned: dict[str, Any]
) -> None:
    asked = wire.query(hostname, rdtype, secrets.randbits(16))
    await stream.send_all(len(asked).to_bytes(2) + asked)
    received = b""
    while len(received) < 2 or len(received) < 2 + int.from_bytes(received[:2]):
        piece = await stream.receive_some(4096)
        if not piece:
            raise NetworkFailure(Failure.EOF, "closed before the answer")
        received += piece
    message = received[2 : 2 + int.from_bytes(received[:2])]
    _note(wire.read(message, to=asked, t=trace.now()), learned)


class DoH:
    """DNS over HTTPS (RFC 8484) on one open TLS connection to *url*'s resolver."""

    def __init__(self, stream: trio.abc.Stream, url: str, *, http2: bool) -> None:
        self._url = httpcore2.URL(url)
        self.resolver = url
        self._adapter = Adapter(stream)
        self._connection = self._adapter.connection(self._url.origin, http2=http2)

    async def lookup(
        self, trace: Trace, hostname: str, rdtype: str, *, heard: Heard, **facts: Any
    ) -> bool:
        """Ask; whether the connection is good for another question."""
        try:
            with trace.operation(
                DNSExchange, timeout=TIMEOUT, hostname=hostname, rdtype=rdtype, engine="doh",
                resolver=self.resolver, **facts,
            ) as learned:
                await self._query(trace, hostname, rdtype, learned)
                heard(learned["answers"][0].addresses)
        except StepFailed:
            heard(())
            return False
        return True

    async def _query(
        self, trace: Trace, hostname: str, rdtype: str, learned: dict[str, Any]
    ) -> None:
        asked = wire.query(hostname, rdtype, 0)  # id 0: RFC 8484 section 4.1
        request = httpcore2.Request(
            "POST",
            self._url,
            headers=[
                ("Host", self._url.host.decode()),
                ("content-type", "application/dns-message"),
                ("accept", "application/dns-message"),
                ("content-length", str(len(asked))),
            ],
            content=asked,
        )
        self._adapter.received = 0
        with self._adapter.failures(Failure.DNS_MISBEHAVING):
            response = await self._connection.handle_async_request(request)
            body = b""
            async with aclosing(response.aiter_stream()) as chunks:
                async for chunk in chunks:
                    body += chunk
                    if len(body) > MAX_MESSAGE:
                        raise NetworkFailure(Failure.DNS_MISBEHAVING, "over 64 KB")
            await response.aclose()  # the connection serves the next question
        if response.status != 200:
            raise NetworkFailure(Failure.DNS_MISBEHAVING, f"HTTP status {response.status}")
        _note(wire.read(body, to=asked, t=trace.now()), learned)


def _note(answer: wire.Answer | None, learned: dict[str, Any]) -> None:
    if answer is None:
        raise NetworkFailure(Failure.DNS_MISBEHAVING, "not an answer to the question")
    learned["answers"] = (answer.message,)
    if answer.failure is not None:
        learned["failure"] = answer.failure
