"""How many questions a second one control answers at 50, 256 and 1,000 clients at once.

Three processes on loopback: a web site, the control with the probe's real visit, and this one,
which asks. Each client has an address of its own, one connection, and one question after
another, as that many volunteers would. *kept*: all ask about one URL, and the cache answers;
*fresh*: another URL each time (a visit each: connect, GET, summary); *TLS*: kept, each question
on a new TLS connection. Sites without TLS and DNS: what is measured is the control.

The bound of each is measured in the same run: for *kept* and *fresh* a bare ASGI application
on the same server, asked the same way; for *TLS* the handshakes that one core can make. A
question that is refused (429, 503) waits as it is told and asks again, four times in all, as a
probe does.

    python -m bench.control [--seconds 4] [--write]
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import ssl
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

import msgspec
import trio
import trustme

from bench.pages import put
from bench.watching import processor, size
from probe.control.limits import Limits
from probe.control.server import make_app
from probe.net import TrioNetwork
from probe.serving.clients import Clients, Uses
from probe.serving.listen import Listener
from probe.steps.certificate import Verifier
from probe.surroundings.resolvers import Resolvers
from probe.tools import Tools

DOC = Path(__file__).parents[1] / "docs" / "performance.md"
NAME = "control.example"
SITE = "93.184.216.34"
PAGE = b"<html><title>A page</title>" + b"<p>some words of a page that is ordinary</p>" * 400
CLIENTS = (50, 256, 1000)
FIRST_CLIENT = int(ip_address("127.1.0.1"))
TRIES = 4  # of one question, as the probe's


class Loopback(TrioNetwork):
    """Where every address is this machine, so that the site may have a public one."""

    async def connect_tcp(self, ip: str, port: int) -> trio.abc.Stream:
        return await super().connect_tcp("127.0.0.1", port)


async def _site(told: Connection) -> None:
    reply = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n" % len(PAGE)

    async def answer(stream: trio.SocketStream) -> None:
        async with stream:
            try:
                if await stream.receive_some():
                    await stream.send_all(reply + PAGE)
            except trio.BrokenResourceError:
                return

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=1024)
    told.send(listener.socket.getsockname()[1])
    await trio.serve_listeners(answer, [listener])


async def _bare(scope: Any, receive: Any, send: Any) -> None:
    """The least that an ASGI application can do."""
    if scope["type"] == "lifespan":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-length", b"2")]})  # fmt: skip
    await send({"type": "http.response.body", "body": b"{}"})


async def _control(folder: Path, told: Connection) -> None:
    many = 10**9
    limits = Limits(
        questions_per_client=many, visits_per_host=Uses(many, many, many), arrivals_per_client=many
    )
    clients = Clients(window=limits.window)
    tools = Tools(
        net=Loopback(),
        resolvers=Resolvers(public=(), dot=(), doh=(), system=False),
        verifier=Verifier(),
    )
    app = make_app(tools, limits=limits, clients=clients, asn=lambda ip: 0)
    open_at = partial(Listener, "127.0.0.1:0", limits=limits, clients=clients)
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    plain, encrypted, bare = open_at(), open_at(tls_cert=cert, tls_key=key), open_at()
    async with trio.open_nursery() as nursery:
        for listener, serves in ((plain, app), (encrypted, app), (bare, _bare)):
            nursery.start_soon(partial(listener.serve, cast(Any, serves), stop=trio.Event()))
        told.send([int(x.url.rpartition(":")[2].strip("/")) for x in (plain, encrypted, bare)])


def _run(main: Callable[..., Any], *args: Any) -> None:
    trio.run(main, *args)


def _started(main: Callable[..., Any], *args: Any) -> tuple[Any, int]:
    """What the process that runs *main* tells first, and its id."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_run, args=(main, *args, there), daemon=True)
    process.start()
    assert process.pid is not None
    return here.recv(), process.pid


@dataclass
class Asked:
    """*took*: seconds of each question that was answered, all tries together."""

    took: list[float] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)
    lost: int = 0  # questions that were refused at each try
    seconds: float = 0.0
    cpu: float = 0.0
    peak: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.took) / self.seconds

    @property
    def each(self) -> float:
        """Milliseconds of CPU for one answer."""
        return self.cpu / max(1, len(self.took)) * 1000

    def late(self, share: float) -> float:
        """Milliseconds by which *share* of the answers had come."""
        took = sorted(self.took)
        return took[min(len(took) - 1, int(len(took) * share))] * 1000


@dataclass(frozen=True, kw_only=True)
class Way:
    """Where to ask; with *trust* each question on a TLS connection of its own."""

    port: int
    trust: ssl.SSLContext | None = None

    async def connect(self, client: int) -> trio.abc.Stream:
        source = str(ip_address(FIRST_CLIENT + client))
        plain = await trio.open_tcp_stream("127.0.0.1", self.port, local_address=source)
        if self.trust is None:
            return plain
        return trio.SSLStream(plain, self.trust, server_hostname=NAME, https_compatible=True)


def _question(url: str) -> bytes:
    body = msgspec.json.encode({"http_request": url, "x_zond": {"version": 1}})
    return b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


async def _reply(stream: trio.abc.Stream) -> tuple[int, float]:
    """The status of one reply, and its Retry-After."""
    heard = b""
    while (end := heard.find(b"\r\n\r\n")) < 0:
        if not (part := await stream.receive_some(65536)):
            raise EOFError
        heard += part
    head = {
        name: value.strip()
        for name, _, value in (line.partition(b":") for line in heard[:end].lower().split(b"\r\n"))
    }
    left = int(head[b"content-length"]) - (len(heard) - end - 4)
    while left > 0:
        if not (part := await stream.receive_some(65536)):
            raise EOFError
        left -= len(part)
    return int(heard[9:12]), float(head.get(b"retry-after", 1))


async def _ask(way: Way, urls: Iterator[str], seconds: float, clients: int) -> Asked:
    asked = Asked()

    async def one(client: int) -> None:
        stream: trio.abc.Stream | None = None
        while trio.current_time() < end:
            began, question = trio.current_time(), _question(next(urls))
            for attempt in range(1, TRIES + 1):
                if stream is None:
                    stream = await way.connect(client)
                await stream.send_all(question)
                status, pause = await _reply(stream)
                if way.trust is not None:
                    await trio.aclose_forcefully(stream)
                    stream = None
                if status == 200:
                    asked.took.append(trio.current_time() - began)
                    break
                if status not in (429, 503):
                    raise RuntimeError(f"status {status}")
                asked.refused[status] += 1
                if attempt == TRIES:
                    asked.lost += 1
                else:
                    await trio.sleep(pause)
        if stream is not None:
            await trio.aclose_forcefully(stream)

    end = trio.current_time() + seconds
    async with trio.open_nursery() as nursery:
        for client in range(clients):
            nursery.start_soon(one, client)
    asked.seconds = trio.current_time() - end + seconds
    return asked


def handshakes(folder: Path, trust: ssl.SSLContext, seconds: float) -> float:
    """TLS handshakes a second, the server's half, by one core that does nothing else."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    spent, count, until = 0.0, 0, time.monotonic() + seconds
    while time.monotonic() < until:
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = context.wrap_bio(up, down, server_side=True)
        client = trust.wrap_bio(down, up, server_hostname=NAME)
        for _ in range(3):
            _step(client)
            began = time.process_time()
            _step(server)
            spent += time.process_time() - began
        count += 1
    return count / spent


def _step(end: ssl.SSLObject) -> None:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return


def certify(folder: Path) -> ssl.SSLContext:
    """Put a certificate and its key into *folder*; who trusts it."""
    authority = trustme.CA()
    certificate = authority.issue_cert(NAME)
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    return trust


def measure(seconds: float, folder: Path) -> str:
    trust = certify(folder)
    port, _ = _started(_site)
    (plain, encrypted, bare), pid = _started(_control, folder)
    at_rest = size(pid).peak / 1e6
    shakes = handshakes(folder, trust, seconds / 4)
    one, numbers = f"http://{SITE}:{port}/", itertools.count()
    fresh = (f"{one}{number}" for number in numbers)
    ways: Sequence[tuple[str, Way, Iterator[str]]] = (
        ("bare", Way(port=bare), itertools.repeat(one)),
        ("kept", Way(port=plain), itertools.repeat(one)),
        ("fresh", Way(port=plain), fresh),
        ("TLS", Way(port=encrypted, trust=trust), itertools.repeat(one)),
    )
    lines = [
        f"`python -m bench.control --seconds {seconds:g} --write`: at rest {at_rest:.0f} MB.", "",
        "| clients at once | | questions a second | bound | median | 99 % | CPU each |"
        " told to wait | never answered | peak memory |",
        "|--:|---|--:|---|--:|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    for clients in CLIENTS:
        found: dict[str, Asked] = {}
        for name, way, urls in ways:
            used = processor(pid)
            asked = found[name] = trio.run(_ask, way, urls, seconds, clients)
            asked.cpu = processor(pid) - used
            asked.peak = size(pid).peak / 1e6
        hello = len(found["bare"].took) / found["bare"].cpu
        bounds = {"kept": f"{hello:,.0f} bare answers", "fresh": f"{hello:,.0f} bare answers",
                  "TLS": f"{shakes:,.0f} handshakes"}  # fmt: skip
        for name, bound in bounds.items():
            asked = found[name]
            lines.append(
                f"| {clients:,} | {name} | {asked.rate:,.0f} | {bound} | {asked.late(0.5):.0f} ms"
                f" | {asked.late(0.99):,.0f} ms | {asked.each:.2f} ms |"
                f" {asked.refused.total()} | {asked.lost} | {asked.peak:.0f} MB |"
            )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = measure(given.seconds, Path(folder))
    print(text)
    if given.write:
        put(DOC, "control", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
