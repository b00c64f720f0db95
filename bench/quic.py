"""What a QUIC handshake costs the probe: processor, bytes, memory; beside a TLS handshake.

The lab's site runs in a process of its own on loopback, and only the probe's process is
counted. Run it as::

    python -m bench.quic [--count 200]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import trio

from bench.watching import size
from lab.certificates import Authorities
from lab.serving import serve
from lab.sites import Article, Mute, Port, Request, Site
from probe.net import Datagram, Datagrams, TrioNetwork
from probe.steps.http import http_fetch
from probe.steps.quic import http3_fetch, quic_handshake
from probe.steps.tcp import tcp_connect
from probe.steps.tls import tls_handshake
from probe.trace import StepFailed, Trace
from probe.wire.url import parse

NAME, PORT, SILENT = "site.example", 18443, 18444
ADDRESS = f"127.79.{os.getpid() % 250 + 1}.1"
PAGE = Article(NAME, paragraphs=40)
URL = parse(f"https://{NAME}/")


def run_sites(said: Connection) -> None:
    """Serve until the process is ended."""

    def site(port: int, page: Port) -> Site:
        on = "on" if port == PORT else "mute"
        return Site(
            names=(NAME,), addresses=(ADDRESS,), http=None, ports=((port, "https", page),),
            h2=True, h3=on,  # type: ignore[arg-type]
        )  # fmt: skip

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(serve, [site(PORT, PAGE)], Authorities())
            await nursery.start(serve, [site(SILENT, Mute())], Authorities())
            said.send("ready")

    trio.run(main)


@dataclass
class Counted:
    """A socket that counts bytes and datagrams of payload, each way."""

    inner: Datagrams
    into: dict[str, int]

    async def send(self, data: bytes) -> None:
        self.into["out"] = self.into.get("out", 0) + len(data)
        self.into["datagrams"] = self.into.get("datagrams", 0) + 1
        await self.inner.send(data)

    async def receive(self) -> Datagram:
        datagram = await self.inner.receive()
        self.into["back"] = self.into.get("back", 0) + len(datagram.data)
        return datagram

    def close(self) -> None:
        self.inner.close()


@dataclass
class CountingNetwork(TrioNetwork):
    bytes: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

    async def open_udp(self, ip: str, port: int) -> Datagrams:
        return Counted(await super().open_udp(ip, port), self.bytes)


async def over_quic(net: TrioNetwork, fetch: bool, port: int = PORT) -> None:
    trace = Trace()
    connection = await quic_handshake(net, trace, ip=ADDRESS, port=port, sni=NAME)
    if fetch:
        await http3_fetch(trace, connection, URL, ip=ADDRESS, port=port)
    await connection.aclose()


async def over_tls(net: TrioNetwork, fetch: bool) -> None:
    trace = Trace()
    stream = await tcp_connect(net, trace, ADDRESS, PORT)
    tls = await tls_handshake(trace, stream, ip=ADDRESS, port=PORT, sni=NAME)
    if fetch:
        await http_fetch(trace, tls, URL, ip=ADDRESS, port=PORT, http2=True)
    await trio.aclose_forcefully(tls)


async def cost(what: Callable[[], Awaitable[None]], count: int) -> tuple[float, float]:
    """CPU and wall, milliseconds each."""
    await what()
    began, wall = time.process_time(), time.perf_counter()
    for _ in range(count):
        await what()
    return (
        (time.process_time() - began) / count * 1000,
        (time.perf_counter() - wall) / count * 1000,
    )


async def main(count: int) -> None:
    net = CountingNetwork()
    print("| | CPU, ms | wall, ms |\n|---|---|---|")
    ways: dict[str, Callable[[], Awaitable[None]]] = {
        "TCP and TLS handshake": lambda: over_tls(net, False),
        "QUIC handshake": lambda: over_quic(net, False),
        "the same and a page over HTTP/2": lambda: over_tls(net, True),
        "the same and a page over HTTP/3": lambda: over_quic(net, True),
    }
    for name, way in ways.items():
        cpu, wall = await cost(way, count)
        print(f"| {name} | {cpu:.1f} | {wall:.1f} |")
    for name, fetch, port in (
        ("QUIC handshake", False, PORT), ("and a page", True, PORT), ("silence", False, SILENT),
    ):
        net.bytes.clear()
        try:
            await over_quic(net, fetch, port)
        except StepFailed:
            pass  # that is what silence is
        sent = net.bytes
        print(f"{name}: {sent['out']} bytes out in {sent['datagrams']}, {sent.get('back', 0)} back")
    print(f"a page of {len(PAGE(Request()).body)} bytes; imports: {_import_cost()}")


def _import_cost() -> str:
    code = (
        "import time, sys, dns._features\n"
        "dns._features._cache['doq'] = False\n"  # dnspython imports aioquic where it is
        "import probe.session\n"
        "assert 'aioquic.tls' not in sys.modules\n"
        "held = lambda: int(open('/proc/self/statm').read().split()[1]) * 4096 / 1e6\n"
        "before, began = held(), time.process_time()\n"
        "import probe.wire.quic\n"
        "print(f'{held() - before:.0f} MB and {time.process_time() - began:.2f} s more')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    arguments = parser.parse_args()
    hear, said = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(
        target=run_sites, args=(said,), daemon=True
    )
    process.start()
    hear.recv()
    try:
        trio.run(main, arguments.count)
        peak = size().peak / 1e6
        print(f"peak memory {peak:.0f} MB")
    finally:
        process.kill()
