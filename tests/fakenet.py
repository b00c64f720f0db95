"""A whole Internet in one process: servers on memory streams, resolvers, no sockets.

With ``autojump_clock`` a thirty-second timeout takes no time at all. Whatever a test
does, a connection to an address that is not public fails it: the probe must never be
led home.
"""

from __future__ import annotations

import errno
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import dns.message
import dns.rcode
import dns.rrset
import trio
from trio.testing import memory_stream_pair

from probe.addresses import is_public
from probe.net import Datagram

Reply = tuple[float, bytes | OSError]  # seconds after the query, and what arrives
Resolver = Callable[[bytes], Iterable[Reply]]


def os_error(code: int) -> OSError:
    return OSError(code, os.strerror(code))


class Line:
    """What the two ends of one connection share."""

    def __init__(self) -> None:
        self.reset = False


class ServerEnd(trio.abc.Stream):
    """A server's end: an ordinary stream that can also be reset."""

    def __init__(self, inner: trio.abc.Stream, line: Line) -> None:
        self._inner = inner
        self._line = line

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return bytes(await self._inner.receive_some(max_bytes))

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def reset(self) -> None:
        """RST: what was sent before still arrives."""
        self._line.reset = True
        await self.aclose()


class ClientEnd(trio.abc.Stream):
    """Tells of a reset like a kernel: once, to the first who asks, then an end of file."""

    def __init__(self, inner: trio.abc.Stream, line: Line) -> None:
        self._inner = inner
        self._line = line

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self._tell()
        try:
            await self._inner.send_all(data)
        except trio.BrokenResourceError as exc:
            self._tell()
            raise trio.BrokenResourceError("socket connection broken") from (
                os_error(errno.EPIPE) if exc.__cause__ is None else exc.__cause__
            )

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        data = bytes(await self._inner.receive_some(max_bytes))
        if not data:
            self._tell()
        return data

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _tell(self) -> None:
        if self._line.reset:
            self._line.reset = False
            cause = os_error(errno.ECONNRESET)
            raise trio.BrokenResourceError(f"socket connection broken: {cause}") from cause


Serve = Callable[[ServerEnd], Awaitable[None]]


class FakeDatagrams:
    def __init__(self, nursery: trio.Nursery, resolver: Resolver) -> None:
        self._nursery = nursery
        self._resolver = resolver
        self._arrive, self._arrived = trio.open_memory_channel[bytes | OSError](1000)
        self.sent: list[bytes] = []

    async def send(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self.sent.append(data)
        for delay, what in self._resolver(data):
            self._nursery.start_soon(self._deliver, delay, what)

    async def _deliver(self, delay: float, what: bytes | OSError) -> None:
        await trio.sleep(delay)
        try:
            self._arrive.send_nowait(what)
        except trio.BrokenResourceError:
            return  # the socket is closed: nobody listens any more

    async def receive(self) -> Datagram:
        what = await self._arrived.receive()
        if isinstance(what, OSError):
            raise what
        return Datagram(what, 0.0, 60)

    def close(self) -> None:
        self._arrived.close()


@dataclass
class FakeInternet:
    """*tcp*, *udp* (port 53) and *quic* are who listens where; what is *dark* answers nothing.

    *names* is what the system's resolver knows. *connections* lists who was connected to.
    """

    nursery: trio.Nursery
    latency: float = 0.05
    tcp: dict[tuple[str, int], Serve] = field(default_factory=dict)
    udp: dict[str, Resolver] = field(default_factory=dict)
    names: dict[str, tuple[str, ...] | OSError] = field(default_factory=dict)
    dark: set[str] = field(default_factory=set)
    unreachable: dict[str, int] = field(default_factory=dict)
    connections: list[tuple[str, int]] = field(default_factory=list)
    turns: list[tuple[str, int]] = field(default_factory=list)
    sockets: list[FakeDatagrams] = field(default_factory=list)
    quic: dict[tuple[str, int], Resolver] = field(default_factory=dict)

    async def turn(self, ip: str, port: int) -> None:
        self.turns.append((ip, port))
        await trio.lowlevel.checkpoint()

    async def connect_tcp(self, ip: str, port: int) -> trio.abc.Stream:
        assert is_public(ip), f"connected to {ip}"
        assert 0 < port < 65536
        self.connections.append((ip, port))
        if ip in self.dark:
            await trio.sleep_forever()
        await trio.sleep(self.latency)
        if ip in self.unreachable:
            raise os_error(self.unreachable[ip])
        if (ip, port) not in self.tcp:
            raise os_error(errno.ECONNREFUSED)
        ours, theirs = memory_stream_pair()
        line = Line()
        self.nursery.start_soon(self._serve, self.tcp[ip, port], ServerEnd(theirs, line))
        return ClientEnd(ours, line)

    async def _serve(self, serve: Serve, stream: ServerEnd) -> None:
        try:
            await serve(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client went away: its own record says why
        finally:
            await stream.aclose()

    async def open_udp(self, ip: str, port: int) -> FakeDatagrams:
        assert is_public(ip), f"sent to {ip}"
        await trio.lowlevel.checkpoint()
        server = self.udp.get(ip) if port == 53 else self.quic.get((ip, port))
        sock = FakeDatagrams(self.nursery, server or (lambda query: ()))
        self.sockets.append(sock)
        return sock

    async def system_lookup(self, hostname: str) -> tuple[str, ...]:
        await trio.sleep(self.latency)
        found = self.names.get(hostname, os_error(0))
        if isinstance(found, OSError):
            raise found
        return found


@asynccontextmanager
async def fake_internet() -> AsyncIterator[FakeInternet]:
    """An Internet that is gone at the end of the block, with all its servers."""
    async with trio.open_nursery() as nursery:
        yield FakeInternet(nursery)
        nursery.cancel_scope.cancel()


# Servers


async def silence(stream: ServerEnd) -> None:
    """Accept, and never say a word."""
    await trio.sleep_forever()


def says(
    *pieces: bytes, reset: bool = False, stay: bool = False, first: bytes = b"\r\n\r\n"
) -> Serve:
    """After a request that ends in *first*, say *pieces*; then close, reset or stay silent."""

    async def serve(stream: ServerEnd) -> None:
        if not await heard(stream, first):
            return
        for piece in pieces:
            await stream.send_all(piece)
        if reset:
            await stream.reset()
        if stay:
            await trio.sleep_forever()

    return serve


async def heard(stream: trio.abc.ReceiveStream, end: bytes = b"\r\n\r\n") -> bytes:
    """A request up to *end*; empty where the client went away before."""
    received = b""
    while not received or end not in received:
        piece = await stream.receive_some(65536)
        if not piece:
            return b""
        received += piece
    return received


def tls(context: ssl.SSLContext, serve: Serve | None = None) -> Serve:
    """*serve* inside TLS; without it, a server that shakes hands and says nothing."""

    async def outer(stream: ServerEnd) -> None:
        inside = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        await inside.do_handshake()
        if serve is None:
            await inside.receive_some(1)
        else:
            await serve(inside)  # type: ignore[arg-type]  # all but reset()

    return outer


def response(
    body: bytes = b"", status: int = 200, headers: Sequence[tuple[str, str]] = ()
) -> bytes:
    """A whole HTTP/1.1 response."""
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers)]
    lines.append(f"content-length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@dataclass
class Site:
    """An HTTP/1.1 site: *pages* by path; *requests* as they came. 404 for other paths."""

    pages: dict[str, bytes | Callable[[bytes], bytes]] = field(default_factory=dict)
    requests: list[bytes] = field(default_factory=list)

    async def __call__(self, stream: ServerEnd) -> None:
        request = await heard(stream)
        if not request:
            return
        self.requests.append(request)
        page = self.pages.get(request.split()[1].decode(), response(b"not here", 404))
        await stream.send_all(page(request) if callable(page) else page)


# Resolvers


def dns_answer(
    query: bytes,
    *addresses: str,
    rcode: str = "NOERROR",
    truncated: bool = False,
    id: int | None = None,
    name: str | None = None,
) -> bytes:
    """An answer to *query*: *addresses* that fit its type, or *rcode*."""
    asked = dns.message.from_wire(query)
    answer = dns.message.make_response(asked)
    if id is not None:
        answer.id = id
    answer.set_rcode(dns.rcode.from_text(rcode))
    question = asked.question[0]
    fitting = [ip for ip in addresses if (":" in ip) == (question.rdtype.name == "AAAA")]
    if fitting and question.rdtype.name in ("A", "AAAA"):
        owner = name or question.name
        answer.answer.append(
            dns.rrset.from_text(str(owner), 60, "IN", question.rdtype.name, *fitting)
        )
    if truncated:
        answer.flags |= dns.flags.TC
    return answer.to_wire()


def zone(names: dict[str, Sequence[str]], *, delay: float = 0.02) -> Resolver:
    """A resolver that knows *names* and says NXDOMAIN to others."""

    def resolver(query: bytes) -> Iterable[Reply]:
        name = dns.message.from_wire(query).question[0].name.to_text(omit_final_dot=True)
        if name in names:
            yield delay, dns_answer(query, *names[name])
        else:
            yield delay, dns_answer(query, rcode="NXDOMAIN")

    return resolver


def over_tcp(resolver: Resolver) -> Serve:
    """*resolver* behind a stream, each message framed by its length."""
    async def serve(stream: ServerEnd) -> None:
        received = b""
        while piece := await stream.receive_some():
            received += piece
            while len(received) >= 2 and len(received) >= 2 + int.from_bytes(received[:2]):
                size = int.from_bytes(received[:2])
                query, received = received[2 : 2 + size], received[2 + size :]
                for delay, what in resolver(query):
                    await trio.sleep(delay)
                    assert isinstance(what, bytes)
                    await stream.send_all(len(what).to_bytes(2) + what)

    return serve
