"""What the tests of the control play with: a real server on loopback, and hostile ones."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import httpx2
import trio
import trustme

from probe.control.limits import Limits
from probe.control.protocol import Control
from probe.control.server import make_app
from probe.evidence import (
    AnyEvidence,
    CertificateCheck,
    ControlQuery,
    DNSAnswer,
    DNSExchange,
    HTTPExchange,
    TCPConnect,
    TLSHandshake,
)
from probe.net import Datagrams
from probe.nettest import Elsewhere, Nettest
from probe.serving.clients import Clients
from probe.serving.listen import Listener
from probe.steps.certificate import Verifier
from probe.surroundings.resolvers import Resolvers
from probe.tools import Tools
from probe.trace import Trace
from probe.visit import Known

URL = "https://news.example/"
ADDRESS = "93.184.216.34"
OTHER = "93.184.216.35"


class NoNetwork:
    """Nothing can be reached."""

    async def turn(self, ip: str, port: int) -> None:
        await trio.lowlevel.checkpoint()

    async def connect_tcp(self, ip: str, port: int) -> trio.abc.Stream:
        raise AssertionError("this test connects to nobody")

    async def open_udp(self, ip: str, port: int) -> Datagrams:
        raise AssertionError("this test asks nobody")

    async def system_lookup(self, hostname: str) -> tuple[str, ...]:
        raise AssertionError("a control does not ask the system")


def tools() -> Tools:
    return Tools(
        net=NoNetwork(),
        resolvers=Resolvers(system=False),
        verifier=cast(Verifier, None),  # the fake visits here verify nothing
        ipv4=True,
        ipv6=True,
    )


def good_site(url: str = URL, told: Sequence[str] = ()) -> list[AnyEvidence]:
    """What a visit to a healthy https site leaves, as a control sees it."""
    host = url.split("/")[2]
    records: list[AnyEvidence] = [
        DNSExchange(
            url=url,
            hostname=host,
            rdtype="A",
            engine="dot",
            resolver="dot://dns.google",
            answers=(DNSAnswer(addresses=(ADDRESS,), raw=b"as it came"),),
        ),
        TCPConnect(url="dot://dns.google", ip="8.8.8.8", port=853, transaction=1),
    ]
    for number, ip in enumerate(dict.fromkeys((ADDRESS, *told)), 2):
        facts: dict[str, Any] = {"url": url, "ip": ip, "port": 443, "transaction": number}
        records.append(TCPConnect(**facts))
        records.append(TLSHandshake(sni=host, chain=(b"leaf", b"root"), **facts))
        records.append(CertificateCheck(hostname=host, checked_at=1.0, **facts))
    records.append(
        HTTPExchange(
            url=url,
            ip=ADDRESS,
            port=443,
            tls=True,
            status=200,
            headers=(("Content-Type", "text/html"), ("Server", "nginx")),
            body_length=5,
            title="News",
            body=b"hello",
            transaction=2,
        )
    )
    return records


class FakeVisit:
    """Finds `good_site`, or what *find* does; counts how often it was sent, and where."""

    def __init__(self, find: Callable[[Trace, str], Awaitable[None]] | None = None) -> None:
        self.urls: list[str] = []
        self.told: list[list[str]] = []
        self._find = find

    async def __call__(
        self,
        tools: Tools,
        trace: Trace,
        url: str,
        *,
        known: Known | None = None,
        twin: bool = False,
    ) -> None:
        self.urls.append(url)
        assert known is not None
        told = list(await known(url, 0, ()))
        self.told.append(told)
        if self._find is not None:
            await self._find(trace, url)
        else:
            trace.records.extend(good_site(url, told))


@asynccontextmanager
async def control_server(
    visit: FakeVisit | None = None,
    *,
    certificate: trustme.LeafCert | None = None,
    folder: Path | None = None,
    works_with: Tools | None = None,
    nettests: Sequence[Nettest] = (),
    **limits: Any,
) -> AsyncIterator[tuple[str, Listener]]:
    """A real server on loopback that visits with *visit*: its URL and its listener.

    *limits* are those of `Limits`. With *certificate*, over TLS; *folder* holds its files.
    """
    chosen = Limits(**{"refusal_seconds": 0.0} | limits)
    clients = Clients(window=chosen.window)
    files: dict[str, str] = {}
    if certificate is not None and folder is not None:
        files = {"tls_cert": str(folder / "cert.pem"), "tls_key": str(folder / "key.pem")}
        certificate.cert_chain_pems[0].write_to_path(files["tls_cert"])
        certificate.private_key_pem.write_to_path(files["tls_key"])
    listener = Listener("127.0.0.1:0", limits=chosen, clients=clients, **files)
    app = make_app(
        works_with or tools(), limits=chosen, clients=clients, visit=visit or FakeVisit(),
        asn=lambda ip: 64496, errands=[Elsewhere(test) for test in nettests if test.elsewhere],
    )  # fmt: skip
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(listener.serve, cast(Any, app), stop=stop))
        try:
            yield listener.url, listener
        finally:
            nursery.cancel_scope.cancel()


Handler = Callable[[trio.SocketStream], Awaitable[None]]


@asynccontextmanager
async def stranger(handler: Handler) -> AsyncIterator[str]:
    """Something else on loopback that treats every connection with *handler*."""

    async def treat(stream: trio.SocketStream) -> None:
        async with stream:
            try:
                await handler(stream)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return  # the client left

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, treat, listeners)
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            nursery.cancel_scope.cancel()


async def request(stream: trio.SocketStream) -> bytes:
    """A whole request, so that closing afterwards does not reset; empty if none comes."""
    heard = b""
    while b"\r\n\r\n" not in heard:
        if not (chunk := await stream.receive_some()):
            return b""
        heard += chunk
    head, _, body = heard.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head.lower())
    while length is not None and len(body) < int(length[1]):
        body += await stream.receive_some()
    return head + b"\r\n\r\n" + body


def saying(response: bytes) -> Handler:
    """Answers *response* to a request, whatever it was."""

    async def handler(stream: trio.SocketStream) -> None:
        if await request(stream):
            await stream.send_all(response)

    return handler


def http(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


def controls(*urls: str) -> list[Control]:
    return [Control(f"control-{number}", url) for number, url in enumerate(urls, 1)]


def queries(trace: Trace) -> list[ControlQuery]:
    return [record for record in trace.records if isinstance(record, ControlQuery)]


def findings(trace: Trace) -> list[AnyEvidence]:
    return [record for record in trace.records if not isinstance(record, ControlQuery)]


def patient() -> httpx2.AsyncClient:
    """Who asks a server on loopback, on a machine that has other things to do."""
    return httpx2.AsyncClient(timeout=60)


async def until(condition: Callable[[], bool], *, seconds: float = 60.0) -> None:
    """Wait for what a server does by itself; it has nothing that would tell a test."""
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - see above
            await trio.sleep(0.01)
