"""Real sockets and real servers, on loopback only, under public addresses.

For what memory streams cannot show: hypercorn's HTTP/1.1 and HTTP/2, real DoT and DoH,
and what a visit costs. The door leads every public address that is known here to a
port of this machine, and every other to a refusal.
"""

from __future__ import annotations

import errno
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import hypercorn.trio
import trio
from hypercorn.config import Config

from probe.net import Datagrams, TrioNetwork
from tests.certificates import authority
from tests.fakenet import Resolver, ServerEnd, os_error, over_tcp

PAGE = b"<title>Real</title>" + b"<p>some words that a page may hold, and more of them</p>" * 500


@dataclass
class LoopbackNetwork:
    """*ports* leads from (public address, port) to a port on 127.0.0.1."""

    ports: dict[tuple[str, int], int] = field(default_factory=dict)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    network: TrioNetwork = field(default_factory=TrioNetwork)

    async def turn(self, ip: str, port: int) -> None:
        await self.network.turn(ip, port)

    def _port(self, ip: str, port: int) -> int:
        if (ip, port) not in self.ports:
            raise os_error(errno.ECONNREFUSED)
        return self.ports[ip, port]

    async def connect_tcp(self, ip: str, port: int) -> trio.abc.Stream:
        return await self.network.connect_tcp("127.0.0.1", self._port(ip, port))

    async def open_udp(self, ip: str, port: int) -> Datagrams:
        return await self.network.open_udp("127.0.0.1", self._port(ip, port))

    async def system_lookup(self, hostname: str) -> tuple[str, ...]:
        await self.network.system_lookup("127.0.0.1")  # the thread that it costs
        return self.names[hostname]


async def app(scope: Any, receive: Any, send: Any, *, resolver: Resolver) -> None:
    """A site, and a resolver under /dns-query."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    status, headers, said = 200, [(b"content-type", b"text/html")], PAGE
    if scope["path"] == "/dns-query":
        headers = [(b"content-type", b"application/dns-message")]
        said = next(what for _, what in resolver(body) if isinstance(what, bytes))
    elif scope["path"] == "/moved":
        status, headers = 302, [(b"location", b"/")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": said})


async def serve_web(
    nursery: trio.Nursery, resolver: Resolver, *, folder: Path | None, alpn: list[str]
) -> int:
    """hypercorn on a free port, with TLS if *folder* (for its key) is given; the port."""
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.alpn_protocols = alpn
    config.errorlog = None
    config.graceful_timeout = 0.1
    if folder is not None:
        leaf = authority("good").issue_cert("site.by", "dns.by")
        for name, blob in (("cert", leaf.cert_chain_pems[0]), ("key", leaf.private_key_pem)):
            blob.write_to_path(folder / f"{name}.pem")
        config.certfile, config.keyfile = str(folder / "cert.pem"), str(folder / "key.pem")
    binds = await nursery.start(
        partial(hypercorn.trio.serve, partial(app, resolver=resolver), config)
    )
    return int(binds[0].rpartition(":")[2])


async def serve_dot(nursery: trio.Nursery, resolver: Resolver, context: ssl.SSLContext) -> int:
    handler: Callable[[ServerEnd], Awaitable[None]] = over_tcp(resolver)

    async def one(stream: trio.SocketStream) -> None:
        inside = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        try:
            await handler(inside)  # type: ignore[arg-type]
        except trio.BrokenResourceError:
            return  # the client went away

    (listener,) = await nursery.start(partial(trio.serve_tcp, one, 0, host="127.0.0.1"))
    return int(listener.socket.getsockname()[1])


async def serve_udp(nursery: trio.Nursery, resolver: Resolver) -> int:
    sock = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
    await sock.bind(("127.0.0.1", 0))

    async def answer() -> None:
        with sock:
            while True:
                data, sender = await sock.recvfrom(4096)
                for _, what in resolver(data):
                    assert isinstance(what, bytes)
                    await sock.sendto(what, sender)

    nursery.start_soon(answer)
    return int(sock.getsockname()[1])


SITE, RESOLVER, PUBLIC = "93.184.216.34", "93.184.216.53", "93.184.217.53"


@asynccontextmanager
async def country(folder: Path, resolver: Resolver) -> AsyncIterator[dict[tuple[str, int], int]]:
    """Where everything listens: a site (http, https), resolvers (UDP, DoT, DoH)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority("good").issue_cert("dns.by").configure_cert(context)
    async with trio.open_nursery() as nursery:
        udp = await serve_udp(nursery, resolver)
        https = await serve_web(nursery, resolver, folder=folder, alpn=["h2", "http/1.1"])
        yield {
            (SITE, 80): await serve_web(nursery, resolver, folder=None, alpn=[]),
            (SITE, 443): https,
            (SITE, 8443): await serve_web(nursery, resolver, folder=folder, alpn=["http/1.1"]),
            (RESOLVER, 53): udp,
            (PUBLIC, 53): udp,
            (PUBLIC, 443): https,
            (PUBLIC, 853): await serve_dot(nursery, resolver, context),
        }
        nursery.cancel_scope.cancel()
