"""A resolver that is asked in secret: over HTTPS, TLS or QUIC (RFC 8484, 7858, 9250).

It works if it can be reached, proves by its certificate to be the one that was asked for, and
tells the truth about a name whose address everybody knows. That it then is asked for another
name, where the list names one, is on record and decides nothing: resolvers that filter say so.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial

from probe.endpoint import ANSWER, Try, reach
from probe.evidence import DNSExchange
from probe.failure import Failure, NetworkFailure
from probe.nettest import Context, nettest
from probe.steps.dns import DoH, framed_lookup
from probe.steps.quic import QUICConnection, available
from probe.trace import StepFailed
from probe.wire import dns
from testlists.target import Target

PORTS = {"doh": 443, "dot": 853, "doq": 853}
PART = "resolver"
# The first root server's: the same since 1987, in every zone of the root, and of no interest.
NAME, ADDRESS = "a.root-servers.net", "198.41.0.4"

_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63}){1,3}", re.ASCII | re.IGNORECASE)
Ask = Callable[[str], Awaitable[None]]


def is_resolver(target: Target) -> bool:
    """Whether *target* is a resolver that this machine can speak to."""
    if target.scheme not in PORTS or "." not in target.hostname.replace(":", "."):
        return False
    return target.scheme != "doq" or available()


@nettest("encrypted_dns", version="0.1.0", takes=is_resolver, elsewhere=True)
async def encrypted_dns(ctx: Context, target: Target) -> None:
    """Does this encrypted resolver answer, prove to be itself, and tell the truth?"""
    ways = {"doh": over_https, "dot": over_tls, "doq": over_quic}
    way = partial(ways[target.scheme], target=target)
    await reach(ctx.tools, ctx.trace, target, way, part=PART, ports=(PORTS[target.scheme],))


async def over_https(at: Try, target: Target) -> None:
    async with await at.tcp() as stream:
        tls = await at.tls(stream, alpn=("h2", "http/1.1"))
        url = f"https{target.url.removeprefix('doh')}"
        doh = DoH(tls, url, http2=tls.alpn == "h2")

        async def ask(name: str) -> None:
            await doh.lookup(at.trace, name, "A", heard=_nobody, **at.common)

        await _questions(at, target, ask)


async def over_tls(at: Try, target: Target) -> None:
    async with await at.tcp() as stream:
        tls = await at.tls(stream, alpn=())

        async def ask(name: str) -> None:
            await framed_lookup(
                at.trace, tls, name, "A", resolver=target.url, heard=_nobody, **at.common
            )

        await _questions(at, target, ask)


async def over_quic(at: Try, target: Target) -> None:
    connection = await at.quic(alpn=("doq",))
    try:
        at.learned["operation"] = "answer"
        try:
            await _lookup(at, target, connection)
        except StepFailed:
            pass  # on record, as the other transports leave it
        _judge(at)
    finally:
        await connection.aclose()


async def _lookup(at: Try, target: Target, connection: QUICConnection) -> None:
    """One question on a stream of its own (RFC 9250, 4.2), with the id 0."""
    with at.trace.operation(
        DNSExchange, timeout=ANSWER, hostname=NAME, rdtype="A", engine="doq",
        resolver=target.url, **at.common,
    ) as learned:  # fmt: skip
        asked = dns.query(NAME, "A", 0)
        connection.client.say(len(asked).to_bytes(2) + asked)
        await connection.until(lambda: connection.client.answer is not None)
        said = connection.client.answer or b""
        answer = dns.read(said[2:], to=asked, t=at.trace.now())
        if answer is None or len(said) - 2 != int.from_bytes(said[:2]):
            raise NetworkFailure(Failure.DNS_MISBEHAVING, "not an answer to the question")
        learned["answers"] = (answer.message,)
        if answer.failure is not None:
            learned["failure"] = answer.failure


async def _questions(at: Try, target: Target, ask: Ask) -> None:
    at.learned["operation"] = "answer"
    await ask(NAME)
    _judge(at)
    name = target.attribute("ask")
    if _NAME.fullmatch(name):
        await ask(name)


def _judge(at: Try) -> None:
    """Raises `NetworkFailure` where the last answer is none, or untrue."""
    record = at.trace.records[-1]
    assert isinstance(record, DNSExchange)
    told = record.answers[0].addresses if record.answers else ()
    if record.failure not in (None, Failure.DNS_MISBEHAVING) and not record.answers:
        raise NetworkFailure(record.failure, record.detail)
    if ADDRESS not in told:
        at.learned["operation"] = "truth"  # whoever it is answers, and otherwise
        raise NetworkFailure(
            record.failure or Failure.UNKNOWN, record.detail or f"{NAME} is said to be {told[:1]}"
        )


def _nobody(addresses: tuple[str, ...]) -> None:
    """What is heard is read from the record."""
