"""A server of OpenVPN: does it answer a client's reset?

The column ``proto`` of the list says ``udp`` (the default) or ``tcp``. A server that wants a key
before it says a word (``tls-auth``, ``tls-crypt``) is silent to everybody who has none, and so to
us: it looks down, and is not for this nettest. No user name, key or certificate is used.
"""

from __future__ import annotations

from probe.endpoint import Try, reach
from probe.failure import Failure, NetworkFailure
from probe.nettest import Context, nettest
from probe.wire.openvpn import NotOpenVPN, Reset
from testlists.target import Target

PORT = 1194
PROTOCOLS = ("", "udp", "tcp")


def is_server(target: Target) -> bool:
    named = target.scheme == "openvpn" and "." in target.hostname.replace(":", ".")
    return named and target.attribute("proto") in PROTOCOLS


@nettest("openvpn", version="0.1.0", takes=is_server, elsewhere=True)
async def openvpn(ctx: Context, target: Target) -> None:
    """Does this server of OpenVPN answer who begins to speak to it?"""
    way = over_tcp if target.attribute("proto") == "tcp" else over_udp
    await reach(ctx.tools, ctx.trace, target, way, part="openvpn", ports=(PORT,))


async def over_udp(at: Try) -> None:
    reset = Reset()
    await at.ask_by_datagram(reset.datagram, reset.answered)


async def over_tcp(at: Try) -> None:
    reset = Reset()

    def answered(heard: bytes) -> bool:
        try:
            return reset.answered_by_segment(heard)
        except NotOpenVPN as exc:
            raise NetworkFailure(Failure.UNKNOWN, str(exc)) from exc

    async with await at.tcp() as stream:
        at.learned["operation"] = "handshake"
        await at.ask(stream, reset.segment(), answered)
