"""A proxy works if it carries; Debian's own are in tests/lab/test_around.py."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio

from probe.evidence import Reach
from probe.failure import Failure
from tests.around.conftest import Around, port_of
from tests.certificates import authority

PROXY = "93.184.216.90"
Server = Callable[[trio.SocketStream], Awaitable[None]]


async def site(stream: trio.abc.Stream, name: str) -> None:
    """The harmless site, at the end of a proxy."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority("good").issue_cert(name).configure_cert(context)
    inside = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
    try:
        await inside.do_handshake()
        await inside.receive_some(1)
    except trio.BrokenResourceError:
        return


def socks(
    method: int = 0, reply: bytes = bytes.fromhex("05000001000000000000"),
    name: str = "www.debian.org",
) -> Server:  # fmt: skip
    async def serve(stream: trio.SocketStream) -> None:
        assert bytes.fromhex("050100") == await stream.receive_some(3)
        await stream.send_all(bytes([5, method]))
        if method:
            return
        asked = await stream.receive_some(100)
        assert bytes.fromhex("05010003") + b"\x0ewww.debian.org\x01\xbb" == asked
        for byte in reply:  # however it is cut
            await stream.send_all(bytes([byte]))
        if not reply[1]:
            await site(stream, name)

    return serve


def http(said: bytes, name: str = "www.debian.org") -> Server:
    async def serve(stream: trio.SocketStream) -> None:
        asked = bytes(await stream.receive_some(1000))
        assert asked.startswith(b"CONNECT www.debian.org:443 HTTP/1.1\r\n")
        await stream.send_all(said)
        if b" 200 " in said:
            await site(stream, name)

    return serve


async def tries(around: Around, url: str, server: Server) -> list[Reach]:
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, server, 0, host="127.0.0.1"))
        around.net.ports[PROXY, 1080] = around.net.ports[PROXY, 8080] = port_of(listener)
        found = await around.reached("proxy", url)
        nursery.cancel_scope.cancel()
    return found


SOCKS, HTTP = f"socks5://{PROXY}", f"http-proxy://{PROXY}"
OK = b"HTTP/1.1 200 OK\r\n\r\n"
WORKS = {
    "socks": (SOCKS, socks()),
    "socks by name": (SOCKS, socks(reply=bytes.fromhex("0500000302") + b"ab\0\0")),
    "socks that wants a password": (SOCKS, socks(method=0xFF)),
    "http": (HTTP, http(OK)),
    "http after a while": (HTTP, http(b"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")),
    "http with a header": (HTTP, http(b"HTTP/1.0 200 OK\r\nProxy-agent: tinyproxy\r\n\r\n")),
    "http that wants a password": (HTTP, http(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")),
}
FAILS = {
    "refused by the proxy": (SOCKS, socks(reply=bytes.fromhex("05020001000000000000")), "answer"),
    "no socks": (SOCKS, socks(method=77), "handshake"),
    "forbidden": (HTTP, http(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"), "answer"),
    "no http": (HTTP, http(b"220 mail ESMTP\r\n\r\n"), "answer"),
}


@pytest.mark.parametrize("name", WORKS)
async def test_it_carries_or_asks_who_we_are(around: Around, name: str) -> None:
    url, server = WORKS[name]
    assert [("", None)] == [(e.operation, e.failure) for e in await tries(around, url, server)]


@pytest.mark.parametrize("name", FAILS)
async def test_it_answers_and_carries_nothing(around: Around, name: str) -> None:
    url, server, at = FAILS[name]
    found = await tries(around, url, server)
    assert [(at, Failure.UNKNOWN)] * 2 == [(e.operation, e.failure) for e in found]


async def test_one_that_leads_elsewhere_does_not_work(around: Around) -> None:
    found = await tries(around, SOCKS, socks(name="else.example"))
    assert [("certificate", Failure.TLS_INVALID_HOSTNAME)] * 2 == [
        (e.operation, e.failure) for e in found
    ]
