"""Serves described sites: one trio process for all that lives in a namespace.

Each (address, port) is a socket of its own, bound whether or not the address is
configured, so that a port where nothing is described is refused by the kernel and
looks like it. One process holds thousands of them. What visitors send is bounded
and a visitor who breaks off, or breaks the protocol, loses his connection only.
"""

from __future__ import annotations

import math
import resource
import socket
import ssl
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from functools import cache
from http import HTTPStatus
from typing import Literal

import h2.exceptions
import h11
import trio

from lab.certificates import Authorities
from lab.serving_h2 import Visit, speak_h2
from lab.sites import Garbage, Hangup, Mute, Play, Port, Request, Response, Site

IP_FREEBIND, IPV6_FREEBIND = 15, 78  # linux/in.h, linux/in6.h
LIFETIME = 300.0  # seconds; longer than any page takes, and nobody is kept for ever
MAX_BODY = 1 << 20  # of a request
FILLING = bytes((i * 197 + (i >> 8) * 31) & 0xFF for i in range(1 << 16))

GONE = (
    OSError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    h11.RemoteProtocolError,
    h2.exceptions.ProtocolError,
)


@dataclass
class Binding:
    """Everything at one address and port. *context* is None where nothing is encrypted."""

    scheme: Literal["http", "https"]
    default: Port
    number: int
    by_name: dict[str, Port] = field(default_factory=dict)
    sites: list[Site] = field(default_factory=list)
    context: ssl.SSLContext | None = None

    @property
    def h3(self) -> str:
        """What is there of HTTP/3, of the first site that has any."""
        found = (site.h3 for site in self.sites if self.scheme == "https")
        return next(filter(None, found), "")

    def page(self, host: str) -> Port:
        return self.by_name.get(host, self.default)


def bindings(sites: Iterable[Site]) -> dict[tuple[str, int], Binding]:
    """What listens where. Raises ValueError where two sites want a port for two schemes."""
    found: dict[tuple[str, int], Binding] = {}
    for site in sites:
        for number, scheme, port in site.listeners():
            for address in site.addresses:
                binding = found.setdefault((address, number), Binding(scheme, port, number))
                if binding.scheme != scheme:
                    raise ValueError(f"{address}:{number} is wanted for http and for https")
                binding.sites.append(site)
                for name in site.names:
                    binding.by_name.setdefault(name.encode("idna").decode("ascii"), port)
    return found


async def serve(
    sites: Iterable[Site],
    authorities: Authorities,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve *sites* until cancelled; started when all of them listen."""
    served = bindings(sites)
    allow_files(len(served))
    handler = _Handler(served, authorities)
    listeners = [listen(address, port) for address, port in served]
    async with trio.open_nursery() as nursery:
        if listeners:
            await nursery.start(trio.serve_listeners, handler, listeners)
        for (address, port), binding in served.items():
            if binding.h3 in ("on", "mute", "flood"):
                sock = bound_socket(address, port, socket.SOCK_DGRAM)
                nursery.start_soon(handler.serve_quic, sock, binding, address)
        task_status.started()
        await trio.sleep_forever()


def run_sites(ready: Callable[[], None], sites: Iterable[Site], authorities: Authorities) -> None:
    """`serve` as the whole of a process; calls *ready* when all of them listen."""

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(serve, tuple(sites), authorities)
            ready()

    trio.run(main)


def allow_files(sockets: int) -> None:
    """Raise this process's limit of open files so that *sockets* and their visitors fit."""
    wanted = 2 * sockets + 2048
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
        except (ValueError, OSError):  # only root may go beyond the hard limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def bound_socket(address: str, port: int, kind: int) -> socket.socket:
    """A socket of *kind* bound to an address that need not be configured."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, kind)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        sock.bind((address, port))
    except OSError as exc:
        sock.close()
        raise OSError(exc.errno, f"{exc.strerror}: {address} port {port}") from exc
    return sock


def listen(address: str, port: int) -> trio.SocketListener:
    sock = bound_socket(address, port, socket.SOCK_STREAM)
    sock.listen(256)
    return trio.SocketListener(trio.socket.from_stdlib_socket(sock))


class _Handler:
    """What happens to one accepted connection."""

    def __init__(self, served: dict[tuple[str, int], Binding], authorities: Authorities) -> None:
        self._served = served
        self._authorities = authorities

    async def __call__(self, stream: trio.SocketStream) -> None:
        with trio.move_on_after(LIFETIME):
            try:
                await self._serve(stream)
            except GONE:
                return  # the visitor left, or a censor did it for him

    async def _serve(self, stream: trio.SocketStream) -> None:
        local, peer = stream.socket.getsockname(), stream.socket.getpeername()
        binding = self._served[local[0], local[1]]
        match binding.default:
            case Mute():
                await trio.sleep_forever()
            case Hangup() as hangup:
                await _hang_up(stream, hangup)
            case Garbage() as garbage:
                await stream.receive_some(4096)
                await stream.send_all(garbage.data)
            case Play(say, "tcp"):
                await say(stream)
            case _ if binding.scheme == "https":
                secure = trio.SSLStream(stream, self._context(binding), server_side=True)
                await secure.do_handshake()
                if isinstance(binding.default, Play):
                    await binding.default.say(secure)
                    return
                visit = _visit(binding, peer[0], local[0])
                if secure.selected_alpn_protocol() == "h2":
                    await speak_h2(secure, visit)
                else:
                    await speak_http1(secure, visit)
                await secure.aclose()
            case _:
                await speak_http1(stream, _visit(binding, peer[0], local[0]))

    async def serve_quic(self, sock: socket.socket, binding: Binding, address: str) -> None:
        from lab.serving_h3 import serve_h3  # of which a lab without such sites knows nothing

        with sock:
            if binding.h3 == "mute":
                await trio.sleep_forever()
            if binding.h3 == "flood":
                await _flood(sock)
            sites = {
                name.encode("idna").decode("ascii"): site
                for site in reversed(binding.sites)
                for name in site.names
            }

            @cache
            def chain(name: str) -> tuple[bytes, bytes]:
                site = sites.get(name, binding.sites[0])
                return self._authorities.chain(site.certificate, site.names)

            await serve_h3(sock, chain, lambda client: _visit(binding, client, address))

    def _context(self, binding: Binding) -> ssl.SSLContext:
        """Of the name's own certificate, made when somebody first asks for it."""
        if binding.context is None:
            contexts = [self._of_site(site) for site in binding.sites]
            binding.context = contexts[0]
            if any(context is not contexts[0] for context in contexts):
                first = binding.sites[0]
                binding.context = self._authorities.context(
                    first.certificate, first.names, _alpn(first), fresh=True
                )
                names = {
                    name.encode("idna").decode("ascii"): context
                    for site, context in reversed(list(zip(binding.sites, contexts, strict=True)))
                    for name in site.names
                }

                def choose(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
                    if name in names:
                        tls.context = names[name]

                binding.context.sni_callback = choose
        return binding.context

    def _of_site(self, site: Site) -> ssl.SSLContext:
        return self._authorities.context(site.certificate, site.names, _alpn(site))


def _alpn(site: Site) -> tuple[str, ...]:
    if isinstance(site.https, Play):
        return (site.https.over,)
    return ("h2", "http/1.1") if site.h2 else ("http/1.1",)


def _visit(binding: Binding, client: str, local: str) -> Visit:
    def answer(request: Request) -> Response:
        page = binding.page(request.host)
        if page is None or isinstance(page, Garbage | Hangup | Mute | Play):
            return Response(status=421, body=b"no such site here")
        response = page(request)
        if binding.h3:
            offer = ("Alt-Svc", f'h3=":{binding.number}"; ma=86400')
            response = replace(response, headers=(*response.headers, offer))
        return response

    return Visit(binding.scheme, client, local, answer, pieces)


async def _flood(sock: socket.socket) -> None:
    """Answer each datagram with two thousand, which look like QUIC's and are none."""
    udp = trio.socket.from_stdlib_socket(sock)
    while True:
        data, visitor = await udp.recvfrom(4096)
        for number in range(2000):
            noise = data[:6] + FILLING[number : number + 1100]
            await udp.sendto(noise, visitor)


async def _hang_up(stream: trio.SocketStream, hangup: Hangup) -> None:
    if hangup.after_first:
        await stream.receive_some(65536)
    if hangup.hard:
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await stream.aclose()


def pieces(response: Response) -> Iterator[bytes]:
    """The bytes of the body in the pieces in which they are sent, to the cut."""
    left = len(response.body) + response.size if response.cut is None else response.cut
    for piece in _uncut(response):
        if left <= 0:
            return
        yield piece[:left]
        left -= len(piece)


def _uncut(response: Response) -> Iterator[bytes]:
    step = response.piece or len(response.body) or 1
    for at in range(0, len(response.body), step):
        yield response.body[at : at + step]
    for at in range(0, response.size, len(FILLING)):
        yield FILLING[: response.size - at]


async def speak_http1(stream: trio.abc.Stream, visit: Visit) -> None:
    """HTTP/1.1 until either side has had enough."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=65536)
    while True:
        head, body = None, b""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(bytes(await stream.receive_some(65536)))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > MAX_BODY:
                    return
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                break
            else:
                return
        fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        request = visit.request(
            head.method.decode("ascii"),
            head.target.decode("latin-1"),
            fields.get("host", ""),
            body,
        )
        if not await _respond(connection, stream, visit, request):
            return
        connection.start_next_cycle()


async def _respond(
    connection: h11.Connection, stream: trio.abc.Stream, visit: Visit, request: Request
) -> bool:
    """Send the answer; whether the connection can take another request."""
    response = visit.answer(request)
    await wait(response.wait)
    empty = request.method == "HEAD" or response.status in (204, 304)
    headers = [("Date", formatdate(usegmt=True)), *response.headers]
    if response.framing == "length" and response.status != 204:
        headers.append(("Content-Length", str(len(response.body) + response.size)))
    if response.framing == "close":
        headers.append(("Connection", "close"))
        lines = [f"HTTP/1.1 {response.status} {_phrase(response.status)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        unsent = "\r\n".join([*lines, "", ""]).encode("latin-1")
    else:
        unsent = connection.send(
            h11.Response(
                status_code=response.status, headers=headers, reason=_phrase(response.status)
            )
        )
    for piece in () if empty else visit.pieces(response):
        raw = response.framing == "close"
        unsent += piece if raw else connection.send(h11.Data(data=piece)) or b""
        await stream.send_all(unsent)
        unsent = b""
        await trio.sleep(response.pause)
    broken_off = response.framing == "close" or (response.cut is not None and not empty)
    if not broken_off:
        unsent += connection.send(h11.EndOfMessage()) or b""
    if unsent:
        await stream.send_all(unsent)
    if broken_off:
        return False
    return connection.our_state is h11.DONE and connection.their_state is h11.DONE


async def wait(seconds: float) -> None:
    if math.isinf(seconds):
        await trio.sleep_forever()
    await trio.sleep(seconds)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
