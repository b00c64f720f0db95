"""A SOCKS5 or HTTP proxy: does it answer in its protocol, and carry a connection?

It is asked for a site that nobody minds, and works if that site proves by its certificate to be
at the other end. One that wants to know who we are has answered, and that is all there is to
know: no user name or password is kept for any.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import h11
import trio
from socksio import ProtocolError, socks5

from probe.endpoint import Try, reach
from probe.failure import Failure, NetworkFailure
from probe.nettest import Context, nettest
from testlists.target import Target

PORTS = {"socks5": 1080, "http-proxy": 8080}
HARMLESS, PORT = "www.debian.org", 443


def is_proxy(target: Target) -> bool:
    return target.scheme in PORTS and "." in target.hostname.replace(":", ".")


@nettest("proxy", version="0.1.0", takes=is_proxy, elsewhere=True)
async def proxy(ctx: Context, target: Target) -> None:
    """Does this proxy answer in its protocol, and carry a connection to a harmless site?"""
    way = through_socks if target.scheme == "socks5" else through_http
    await reach(
        ctx.tools, ctx.trace, target, way,
        part=target.scheme.replace("-", "_"), ports=(PORTS[target.scheme],),
    )  # fmt: skip


async def through_socks(at: Try) -> None:
    """RFC 1928, without authentication; the proxy looks the name up."""
    async with await at.tcp() as stream:
        speaker = socks5.SOCKS5Connection()
        speaker.send(socks5.SOCKS5AuthMethodsRequest([socks5.SOCKS5AuthMethod.NO_AUTH_REQUIRED]))
        at.learned["operation"] = "handshake"
        heard = await at.ask(stream, speaker.data_to_send(), lambda said: len(said) >= 2)
        chosen = _read(speaker, heard[:2])
        if chosen.method != socks5.SOCKS5AuthMethod.NO_AUTH_REQUIRED:
            at.learned["detail"] = "it wants to know who asks"
            return
        speaker.send(
            socks5.SOCKS5CommandRequest.from_address(
                socks5.SOCKS5Command.CONNECT, (HARMLESS, PORT)
            )
        )
        at.learned["operation"] = "answer"
        reply = _read(speaker, await at.ask(stream, speaker.data_to_send(), _whole_reply))
        if reply.reply_code != socks5.SOCKS5ReplyCode.SUCCEEDED:
            raise NetworkFailure(Failure.UNKNOWN, f"SOCKS reply {reply.reply_code.name}")
        await _site(at, stream)


async def through_http(at: Try) -> None:
    """CONNECT (RFC 9110, 9.3.6)."""
    async with await at.tcp() as stream:
        speaker = h11.Connection(h11.CLIENT)
        where = f"{HARMLESS}:{PORT}"
        asked = speaker.send(
            h11.Request(method="CONNECT", target=where, headers=[("host", where)])
        )
        asked = (asked or b"") + (speaker.send(h11.EndOfMessage()) or b"")
        at.learned["operation"] = "answer"
        heard = 0
        status: list[int] = []

        def answered(said: bytes) -> bool:
            nonlocal heard
            fresh, heard = said[heard:], len(said)
            try:
                if fresh:
                    speaker.receive_data(fresh)
                event = speaker.next_event()
                while isinstance(event, h11.InformationalResponse):
                    event = speaker.next_event()
            except h11.RemoteProtocolError as exc:
                raise NetworkFailure(Failure.UNKNOWN, f"no proxy of HTTP: {exc}") from exc
            if isinstance(event, h11.Response):
                status.append(event.status_code)
            return bool(status)

        await at.ask(stream, asked, answered)
        if status[0] == 407:
            at.learned["detail"] = "it wants to know who asks"
            return
        if not 200 <= status[0] < 300:
            raise NetworkFailure(Failure.UNKNOWN, f"HTTP status {status[0]}")
        await _site(at, stream)


async def _site(at: Try, stream: trio.abc.Stream) -> None:
    """That the other end of *stream* is the harmless site."""
    await replace(at, host=HARMLESS).tls(stream, alpn=("h2", "http/1.1"))


def _whole_reply(said: bytes) -> bool:
    """Whether *said* is a whole SOCKS5 reply (RFC 1928, 6)."""
    if len(said) < 5:
        return False
    size = {1: 4, 3: 1 + said[4], 4: 16}.get(said[3])
    if size is None:
        raise NetworkFailure(Failure.UNKNOWN, "no reply of SOCKS5")
    return len(said) >= 4 + size + 2


def _read(speaker: socks5.SOCKS5Connection, data: bytes) -> Any:
    """The reply in *data*, as socksio's type for this moment of the exchange."""
    try:
        return speaker.receive_data(data)
    except (ProtocolError, ValueError) as exc:
        raise NetworkFailure(Failure.UNKNOWN, f"no proxy of SOCKS5: {exc}") from exc
