"""One endpoint of a messenger: Telegram, WhatsApp or Signal.

A data centre of Telegram is asked what a client without a key asks first. Of WhatsApp's own
protocol no more is tried than that a connection comes about, on either of its ports, as OONI
does (ts-018). Everything else is a host that speaks TLS; Signal's prove themselves by an
authority of Signal's own, or by one that the machine trusts.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files

from probe.endpoint import Try, Way, is_address, reach
from probe.failure import Failure, NetworkFailure
from probe.nettest import Context, nettest
from probe.steps.certificate import Verifier
from probe.wire.mtproto import Greeting, NotMTProto
from testlists.target import Target

ALPN = ("h2", "http/1.1")
CENTRE = 443
ENDPOINT = (443, 5222)  # WhatsApp's, as its clients try them
DEFAULT_PARTS = {"telegram": "dc", "whatsapp": "endpoint", "signal": "chat"}


def is_messenger(target: Target) -> bool:
    return target.scheme in DEFAULT_PARTS and "." in target.hostname.replace(":", ".")


@nettest("messenger", version="0.1.0", takes=is_messenger, elsewhere=True)
async def messenger(ctx: Context, target: Target) -> None:
    """Does this server of a messenger answer as its clients need it to?"""
    named = not is_address(target.hostname)
    default = "web" if target.scheme == "telegram" and named else DEFAULT_PARTS[target.scheme]
    part = target.attribute("part") or default
    way: Way = tls
    ports: tuple[int, ...] = (443,)
    if part == "dc":
        way, ports = mtproto, (CENTRE,)
    elif part == "endpoint":
        way, ports = connected, ENDPOINT
    elif target.scheme == "signal":
        way = signal_tls
    await reach(ctx.tools, ctx.trace, target, way, part=part, ports=ports)


async def connected(at: Try) -> None:
    """That there is a connection is all."""
    await (await at.tcp()).aclose()


async def tls(at: Try) -> None:
    async with await at.tcp() as stream:
        await at.tls(stream, alpn=ALPN)


async def signal_tls(at: Try) -> None:
    async with await at.tcp() as stream:
        await at.tls(stream, alpn=ALPN, roots=(signals_own(),))


async def mtproto(at: Try) -> None:
    """The first exchange of every client (`probe.wire.mtproto`)."""
    async with await at.tcp() as stream:
        greeting = Greeting(at.now)

        def answered(heard: bytes) -> bool:
            try:
                return greeting.answered(heard)
            except NotMTProto as exc:
                raise NetworkFailure(Failure.UNKNOWN, str(exc)) from exc

        at.learned["operation"] = "handshake"
        await at.ask(stream, greeting.said(), answered)


@cache
def signals_own() -> Verifier:
    """Signal Messenger's root of 2022, which its clients carry and no browser does."""
    with as_file(files("probe") / "data" / "signal-root.pem") as file:
        return Verifier(file)


