"""What may stand in a household between the volunteer and the network, and is no censor.

Each function is the whole of a process: `Country.start` runs it in a place, and it says
when it is ready. What it changes in the kernel is gone with the country.
"""

from __future__ import annotations

import signal
import socket
import ssl
from collections.abc import Callable, Iterable

import trio
from pyroute2 import IPRoute  # type: ignore[import-untyped]

from lab.certificates import ORDINARY, Authorities, Certificate
from lab.country import Country
from lab.resolvers import Resolver, Zone, run_resolvers
from lab.serving import GONE, LIFETIME, listen, pieces, speak_http1
from lab.serving_h2 import Visit
from lab.sites import Request, Response
from lab.topology import HOME_ADDRESSES, place_of
from lab.vpn import run_client, run_server
from lab.world import Place, Wire
from lab.worlds.whole.situation import CountryWorld

HTTPS = 443
HOME_ROUTER = "192.168.1.1"
_TABLE, _MAIN = 77, 254
_BEFORE_OTHERS, _EXCEPT = 100, 90  # priorities of rules: the smaller is asked first
_IP_TRANSPARENT = 19  # linux/in.h
_LOOPBACK, _LOCAL, _TCP = 1, 2, 6
_PAGE = b"<html><head><title>Checked</title></head><body><p>This connection is checked.</p></body>"


def furnish(country: Country, world: CountryWorld, zone: Zone, authorities: Authorities) -> None:
    """Put into the household, and where the operator has his box, what *world* describes."""
    if world.private_router:
        country.start(Place.HOME, name_router, HOME_ROUTER)
    if (forger := world.forger) is not None:
        place = place_of(forger.addresses[0]) if forger.addresses else Place.HOME
        assert place is not None
        country.start(
            place, run_forger, authorities, forger.issuer, forger.addresses, forger.spares
        )
    if (resolver := world.resolver) is not None:
        if (there := place_of(resolver.addresses[0])) is None:
            country.start(Place.HOME, run_home_resolver, resolver, zone, authorities)
        else:
            country.start(there, run_resolvers, (resolver,), zone, authorities)
    if world.vpn is not None:
        country.start(Place.ABROAD, run_server, world.vpn)
        country.start(Place.HOME, run_client, world.vpn)


def run_forger(
    ready: Callable[[], None],
    authorities: Authorities,
    issuer: str,
    addresses: tuple[str, ...] = (),
    spares: tuple[str, ...] = (),
) -> None:
    """Who answers in the place of every site, with certificates signed by *issuer*.

    At *addresses*, whereto somebody must lead what is to be read; without any, all that
    this machine sends to port 443 of others ends here, as with an antivirus, except for
    what goes to *spares*.
    """
    if not addresses:
        _take_https(spares)

    async def main() -> None:
        forger = _Forger(authorities, issuer)
        listeners = [listen(address, HTTPS) for address in addresses or ("0.0.0.0", "::")]  # noqa: S104
        if not addresses:
            for listener in listeners:  # it answers from addresses that are not ours
                listener.socket.setsockopt(socket.SOL_IP, _IP_TRANSPARENT, 1)
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, forger, listeners)
            ready()

    trio.run(main)


def name_router(ready: Callable[[], None], address: str) -> None:
    """The machine knows its first router by *address*; it is the same one as before."""
    with IPRoute() as kernel:
        line = kernel.link_lookup(ifname=str(Wire.LINE))[0]
        kernel.route(
            "replace", dst="0.0.0.0/0", oif=line, gateway=address, flags=["onlink"]
        )
    ready()
    signal.pause()


def run_home_resolver(
    ready: Callable[[], None],
    resolver: Resolver,
    zone: Zone,
    authorities: Authorities,
) -> None:
    """A resolver on the household's side of the line, at addresses that are made for it."""
    with IPRoute() as kernel:
        for address in resolver.addresses:
            if not address.startswith("127."):
                kernel.addr("add", index=_LOOPBACK, address=address, prefixlen=32)
    run_resolvers(ready, (resolver,), zone, authorities)


def _take_https(spares: Iterable[str]) -> None:
    """Let the kernel deliver here what is for anybody's port 443."""
    ipv4, ipv6 = HOME_ADDRESSES
    with IPRoute() as kernel:
        for family, everything, own in (
            (socket.AF_INET, "0.0.0.0/0", ipv4), (socket.AF_INET6, "::/0", ipv6),
        ):  # fmt: skip
            if family == socket.AF_INET6 and not kernel.get_addr(family=family, address=own):
                continue  # a household without
            kernel.route(
                "add", family=family, dst=everything, oif=_LOOPBACK, type=_LOCAL, scope="host",
                table=_TABLE, prefsrc=own,
            )  # fmt: skip
            kernel.rule(
                "add", family=family, table=_TABLE, priority=_BEFORE_OTHERS, ip_proto=_TCP,
                dport_range=f"{HTTPS}:{HTTPS}",
            )  # fmt: skip
        for address in spares:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            kernel.rule(
                "add", family=family, dst=address, table=_MAIN, priority=_EXCEPT,
                dst_len=128 if ":" in address else 32,
            )  # fmt: skip


class _Forger:
    """Takes a connection, whatever its name, and answers with the same page."""

    def __init__(self, authorities: Authorities, issuer: str) -> None:
        self._authorities = authorities
        self._forged = Certificate(root=issuer)

    async def __call__(self, stream: trio.SocketStream) -> None:
        try:
            local, peer = stream.socket.getsockname()[0], stream.socket.getpeername()[0]
        except OSError:
            return  # reset before it was looked at
        context = self._authorities.context(ORDINARY, ("localhost",), fresh=True)

        def choose(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            tls.context = self._authorities.context(self._forged, (name or "localhost",))

        context.sni_callback = choose
        visit = Visit("https", peer, local, _page, pieces)
        with trio.move_on_after(LIFETIME):
            try:
                secure = trio.SSLStream(stream, context, server_side=True)
                await secure.do_handshake()
                await speak_http1(secure, visit)
                await secure.aclose()
            except GONE:
                return  # the visitor has left


def _page(request: Request) -> Response:
    return Response(headers=(("Content-Type", "text/html"),), body=_PAGE)
