"""A server of WireGuard: does it answer a handshake?

It answers only who knows its public key, which the list has in the column ``public_key``, and
whose own it has been told. So there are two kinds of servers that can be measured: one that
answers anybody (``zond control helpers --wireguard``), and one whose owner made a peer for
measuring, that may go nowhere, and gives its key away in the column ``client_key``. To all others
it would look down, and they are not for this nettest. Nobody's own key is used.
"""

from __future__ import annotations

from functools import partial

from probe.endpoint import Try, reach
from probe.nettest import Context, nettest
from probe.wire.wireguard import BadKey, Initiation, read_key
from testlists.target import Target

PORT = 51820


def is_server(target: Target) -> bool:
    named = target.scheme == "wireguard" and "." in target.hostname.replace(":", ".")
    return named and keys(target) is not None


def keys(target: Target) -> tuple[bytes, bytes] | None:
    """The server's public key and the client's private one, empty where none is needed."""
    client = target.attribute("client_key")
    try:
        public, private = read_key(target.attribute("public_key")), b""
        if client:
            private = read_key(client)
        Initiation(public, now=0.0)
    except BadKey:
        return None
    return public, private


@nettest("wireguard", version="0.1.0", takes=is_server, elsewhere=True)
async def wireguard(ctx: Context, target: Target) -> None:
    """Does this server of WireGuard answer who begins to speak to it?"""
    way = partial(over_udp, target=target)
    await reach(ctx.tools, ctx.trace, target, way, part="wireguard", ports=(PORT,))


async def over_udp(at: Try, target: Target) -> None:
    found = keys(target)
    assert found is not None  # it was taken
    public, private = found
    sent: list[Initiation] = []

    def question() -> bytes:
        sent.append(Initiation(public, now=at.now, private_key=private))
        return sent[-1].message

    def answered(datagram: bytes) -> bool:
        if any(initiation.busy(datagram) for initiation in sent):
            at.learned["detail"] = "it is under load"
            return True
        return any(initiation.answered(datagram) for initiation in sent)

    await at.ask_by_datagram(question, answered)
