"""How many questions a second one control server answers, and in how much memory.

Three processes on loopback: a web site, the control server with the probe's real visit,
and this one, which asks. *kept* asks about one URL again and again (the cache answers),
*fresh* about another URL each time (a visit each: connect, GET, summary). No TLS, no DNS: what
is measured is the server, not cryptography.

    python bench/control.py [--seconds 5] [--open 50]
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

import httpx2
import trio

from probe.control.limits import Limits
from probe.control.server import make_app
from probe.net import TrioNetwork
from probe.resolvers import Resolvers
from probe.serving.clients import Clients, Uses
from probe.serving.listen import Listener
from probe.steps.certificate import Verifier
from probe.tools import Tools

SITE = "93.184.216.34"
PAGE = b"<html><title>A page</title>" + b"<p>some words of a page that is ordinary</p>" * 400


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

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    told.send(listener.socket.getsockname()[1])
    await trio.serve_listeners(answer, [listener])


async def _control(told: Connection) -> None:
    many = 10**9
    limits = Limits(questions_per_client=many, visits_per_host=Uses(many, many, many))
    clients = Clients(window=limits.window)
    listener = Listener("127.0.0.1:0", limits=limits, clients=clients)
    tools = Tools(
        net=Loopback(),
        resolvers=Resolvers(public=(), dot=(), doh=(), system=False),
        verifier=Verifier(),
    )
    app = make_app(tools, limits=limits, clients=clients, asn=lambda ip: 0)
    told.send(listener.url)
    await listener.serve(cast(Any, app), stop=trio.Event())


def _run(main: Callable[[Connection], Any], told: Connection) -> None:
    trio.run(main, told)


def _started(main: Callable[[Connection], Any]) -> tuple[Any, multiprocessing.process.BaseProcess]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_run, args=(main, there), daemon=True)
    process.start()
    return here.recv(), process


def _memory(pid: int) -> float:
    """Peak resident memory in MB, proc(5)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line) / 1024


def _processor(pid: int) -> float:
    """Seconds of CPU used, proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def _ask(control: str, urls: Iterator[str], seconds: float, at_once: int) -> list[float]:
    took: list[float] = []
    limits = httpx2.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    async with httpx2.AsyncClient(trust_env=False, limits=limits, timeout=60) as http:

        async def one() -> None:
            while trio.current_time() < end:
                began = trio.current_time()
                asked = {"http_request": next(urls), "x_zond": {"version": 1}}
                reply = await http.post(control, json=asked)
                if (
                    reply.status_code != 200
                    or not reply.json()["http_request"]["status_code"] == 200
                ):
                    raise RuntimeError(reply.text)
                took.append(trio.current_time() - began)

        end = trio.current_time() + seconds
        async with trio.open_nursery() as nursery:
            for _ in range(at_once):
                nursery.start_soon(one)
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--open", type=int, default=50, help="questions at once")
    options = parser.parse_args()
    port, _ = _started(_site)
    control, server = _started(_control)
    assert server.pid is not None
    at_rest = _memory(server.pid)
    numbers = itertools.count()
    print(f"{'':8}{'a second':>10}{'median ms':>11}{'p99 ms':>8}{'CPU ms':>8}{'peak MB':>9}")
    print(f"{'at rest':8}{'':10}{'':11}{'':8}{'':8}{at_rest:9.1f}")
    for name, urls in (
        ("kept", itertools.repeat(f"http://{SITE}:{port}/")),
        ("fresh", (f"http://{SITE}:{port}/{number}" for number in numbers)),
    ):
        began, used = time.monotonic(), _processor(server.pid)
        took = sorted(trio.run(_ask, control, urls, options.seconds, options.open))
        rate = len(took) / (time.monotonic() - began)
        cost = (_processor(server.pid) - used) / len(took) * 1000
        middle, late = took[len(took) // 2] * 1000, took[int(len(took) * 0.99)] * 1000
        print(f"{name:8}{rate:10.0f}{middle:11.1f}{late:8.1f}{cost:8.2f}{_memory(server.pid):9.1f}")


if __name__ == "__main__":
    main()
