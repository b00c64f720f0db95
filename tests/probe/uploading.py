"""A small collector, a SOCKS proxy and a database to upload from, for tests on loopback."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec
import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from probe.evidence import CanaryCheck, HTTPExchange, Measurement, Run
from probe.formats import batch
from probe.formats.batch import Batch, CollectorSecret
from probe.serving.clients import Clients
from probe.serving.limits import ConnectionLimits
from probe.serving.listen import Listener
from probe.store import Store


class PlainScrubber:
    """Lets everything through, but what *staying* names."""

    def __init__(self, staying: Callable[[Measurement], bool] = lambda m: False) -> None:
        self._staying = staying

    def run(self, run: Run, /) -> bytes:
        return _line("run", run)

    def canary(self, check: CanaryCheck, /) -> bytes:
        return _line("canary", check)

    def measurement(self, measurement: Measurement, /) -> bytes | None:
        return None if self._staying(measurement) else _line("measurement", measurement)


def _line(kind: str, record: msgspec.Struct) -> bytes:
    return b'{"kind":"%s",' % kind.encode() + msgspec.json.encode(record)[1:]


def a_run(id: str = "r1", **facts: Any) -> Run:
    return Run(**{
        "id": id, "started_at": time.time(), "probe_asn": 6697, "probe_cc": "BY", "ended": "done",
        **facts,
    })  # fmt: skip


def some(run_id: str, *numbers: int, size: int = 100) -> list[Measurement]:
    return [
        Measurement(
            id=f"{run_id}-{n}", run_id=run_id, nettest="web_connectivity", nettest_version="1",
            url=f"https://site{n}.example/", started_at=float(n),
            evidence=(HTTPExchange(ip="198.51.100.7", port=443, title="x" * size),),
        )
        for n in numbers
    ]  # fmt: skip


def fill(path: Path, *runs: Run, count: int = 5, canaries: int = 2, size: int = 100) -> None:
    with Store(path, write=True) as store:
        for run in runs:
            store.begin_run(run, [])
            store.append(some(run.id, *range(count), size=size))
            store.append_canaries([
                CanaryCheck(run_id=run.id, ring="foreign", name="a.example", at=float(n))
                for n in range(canaries)
            ])  # fmt: skip


def trusted(folder: Path) -> tuple[str, str, str]:
    """Files of a certificate for the loopback, its key, and the roots that it is good by."""
    import trustme

    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    chain, key, roots = (folder / name for name in ("chain.pem", "key.pem", "roots.pem"))
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    authority.cert_pem.write_to_path(str(roots))
    return str(chain), str(key), str(roots)


class SmallCollector:
    """Keeps batches in memory. *tricks* are played on the next requests, in order.

    ``busy``, ``broken`` (a 500), ``garbled`` (a refusal), ``forged`` (200 and a wrong
    receipt), ``forgotten`` (stored, and the answer lost), ``portal`` (200 and a page),
    ``deep`` (200 and JSON without end), ``endless``, ``painting`` (on a terminal),
    ``aside`` (stored, and two documents not read), ``odd`` (the same in words of another time).
    """

    def __init__(self, *tricks: str) -> None:
        self.secret = CollectorSecret()
        self.batches: dict[str, Batch] = {}
        self.arrivals: list[str] = []
        self.bodies: list[bytes] = []
        self.peers: list[tuple[int, int]] = []  # the batch's ASN and the client's port
        self.tricks = list(tricks)
        self.url = ""

    def measurements(self) -> list[str]:
        """The ids of all measurements that are in the dataset."""
        found = [
            msgspec.json.decode(document)
            for kept in self.batches.values()
            for document in kept.documents
        ]
        return [document["id"] for document in found if document["kind"] == "measurement"]

    async def _put(self, request: Request) -> Response:
        name = request.path_params["sha256"]
        body = await request.body()
        self.arrivals.append(name)
        self.bodies.append(body)
        trick = self.tricks.pop(0) if self.tricks else ""
        if trick == "busy":
            return _said(503, {"reason": "busy"})
        if trick == "broken":
            return Response("Internal Server Error", 500)
        if trick == "garbled":
            return _said(400, {"reason": "changed on the way"})
        if trick == "deep":
            return Response(b'{"a":' + b"[" * 50_000, 200)
        if trick == "endless":
            return Response(b" " * 2_000_000, 200)
        if trick == "painting":
            return _said(400, {"reason": "\x1b[2J\x1b]0;owned\x07 gone"})
        if trick == "portal":
            return Response("<html>Pay here</html>", 200)
        if trick == "forged":
            return _said(200, {"sha256": name, "receipt": "00" * 32, "stored": "now"})
        kept = batch.unpack(self.secret.open(body) if batch.is_sealed(body) else body)
        assert kept.sha256 == name
        self.batches[name] = kept
        assert request.client is not None
        self.peers.append((kept.header.probe_asn, request.client.port))
        if trick == "forgotten":
            return Response("Bad Gateway", 502)
        receipt = batch.receipt(kept.header, name)
        asides = {
            "aside": [{"line": 1, "reason": "nested \x1b[2J"}, {"line": 2, "reason": "too deep"}],
            "odd": {"lines": 2},
        }
        more = {"set_aside": asides[trick]} if trick in asides else {}
        return _said(200, {"sha256": name, "receipt": receipt, "stored": "now", **more})


def _said(status: int, body: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")


@asynccontextmanager
async def collecting(
    *tricks: str, tls: tuple[str, str] | None = None
) -> AsyncIterator[SmallCollector]:
    """A `SmallCollector` at a port of the loopback; *tls*: files of its certificate and key."""
    small = SmallCollector(*tricks)
    app = Starlette(
        routes=[Route("/v1/batches/{sha256}", small._put, methods=["PUT"])],
    )
    limits = ConnectionLimits(question_bytes=16 * 2**20, shutdown_seconds=0.1)
    cert, key = tls or (None, None)
    listener = Listener(
        "127.0.0.1:0", limits=limits, clients=Clients(window=600), tls_cert=cert, tls_key=key
    )
    small.url = listener.url
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(listener.serve, cast(Any, app), stop=stop))
        try:
            yield small
        finally:
            stop.set()


class Socks:
    """A SOCKS 5 proxy (RFC 1928, 1929). *users*: the names that clients gave; *asked*: for
    where. *cut_after*: bytes of a connection's upload after which it is broken, if any."""

    def __init__(self) -> None:
        self.users: list[str] = []
        self.asked: list[str] = []
        self.cut_after: list[int] = []
        self.url = ""

    async def serve(self, stream: trio.SocketStream) -> None:
        try:
            await self._serve(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            return  # either end has gone

    async def _serve(self, stream: trio.SocketStream) -> None:
        async with stream:
            offered = await stream.receive_some(300)
            if 2 in offered[2:]:
                await stream.send_all(b"\x05\x02")
                told = await stream.receive_some(600)
                self.users.append(told[2 : 2 + told[1]].decode())
                await stream.send_all(b"\x01\x00")
            else:
                await stream.send_all(b"\x05\x00")
            request = await stream.receive_some(300)
            if request[3] == 3:
                host = request[5 : 5 + request[4]].decode()
            else:
                host = socket.inet_ntoa(request[4:8])
            port = int.from_bytes(request[-2:], "big")
            self.asked.append(host)
            async with await trio.open_tcp_stream(host, port) as other:
                await stream.send_all(b"\x05\x00\x00\x01" + bytes(6))
                cut = self.cut_after.pop(0) if self.cut_after else None
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_pass, stream, other, cut, nursery.cancel_scope)
                    nursery.start_soon(_pass, other, stream, None, nursery.cancel_scope)


async def _pass(
    source: trio.SocketStream, sink: trio.SocketStream, cut: int | None, scope: trio.CancelScope
) -> None:
    passed = 0
    async for data in source:
        if cut is not None and passed + len(data) > cut:
            await sink.send_all(data[: cut - passed])
            break
        passed += len(data)
        await sink.send_all(data)
    scope.cancel()


@asynccontextmanager
async def socks() -> AsyncIterator[Socks]:
    proxy = Socks()
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(
            partial(trio.serve_tcp, proxy.serve, 0, host="127.0.0.1")
        )
        port = listeners[0].socket.getsockname()[1]
        proxy.url = f"socks5h://127.0.0.1:{port}"
        yield proxy
        nursery.cancel_scope.cancel()
