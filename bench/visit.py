"""What one visit costs the processor of the probe, and what dominates it.

Everything real but the distance: sites and resolvers run in a process of their own on
loopback, and only the probe's process is counted. Run it as::

    python -m bench.visit [--visits 200] [--at-once 20] [--hello browser] [--profile] [--write]

Each visit goes to https://site.by/ with its http twin, the system's resolver, an own
and a public one over UDP and one over DoH: 12 operations of DNS, three handshakes, two
pages of 28 KB.
"""

from __future__ import annotations

import argparse
import cProfile
import multiprocessing
import os
import pstats
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import trio

from bench.full_list import BARE_CPU
from bench.pages import put
from probe.evidence import AnyEvidence, HTTPExchange
from probe.steps.certificate import Verifier
from probe.steps.encrypted import Kept
from probe.surroundings.resolvers import Resolvers
from probe.tools import Tools
from probe.trace import Trace
from probe.visit import visit
from tests.certificates import cafile
from tests.fakenet import zone
from tests.loopback import PUBLIC, RESOLVER, SITE, LoopbackNetwork, country

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"


def serve(folder: Path, said: Connection) -> None:
    """Run the servers and send where they listen; until the process is ended."""

    async def run() -> None:
        cafile(folder)
        async with country(folder, zone({"site.by": [SITE]})) as ports:
            said.send(ports)
            await trio.sleep_forever()

    trio.run(run)


async def visits(tools: Tools, count: int, at_once: int) -> list[Trace]:
    traces: list[Trace] = []
    limit = trio.CapacityLimiter(at_once)

    async def one() -> None:
        async with limit:
            trace = Trace()
            await visit(tools, trace, "https://site.by/", twin=True)
            traces.append(trace)

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(one)
    return traces


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--visits", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument("--hello", choices=("browser", "python"), default="browser")
    parser.add_argument("--profile", action="store_true", help="print the 30 dearest functions")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    options = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours, theirs = spawn.Pipe()
        servers = spawn.Process(target=serve, args=(folder, theirs), daemon=True)
        servers.start()
        net = LoopbackNetwork(ours.recv(), {"site.by": (SITE,)})
        tools = Tools(
            net=net,
            resolvers=Resolvers(
                own=(RESOLVER,), public=(PUBLIC,), dot=(),
                doh=(("https://dns.by/dns-query", PUBLIC),),
            ),
            verifier=Verifier(folder / "authorities.pem"),
            kept=Kept(),
            hello=options.hello,
        )
        trio.run(visits, tools, 5, 5)  # what is built once is not a visit's
        profile = cProfile.Profile()
        if options.profile:
            profile.enable()
        before, wall = os.times(), time.perf_counter()
        traces = trio.run(visits, tools, options.visits, options.at_once)
        after, wall = os.times(), time.perf_counter() - wall
        profile.disable()
        servers.terminate()
        servers.join()
    text = report(traces, after.user - before.user, after.system - before.system, wall)
    print(text)
    if options.write:
        put(PAGE, "visit", f"`python -m bench.visit --visits {options.visits} --write`\n\n{text}")
    if options.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(30)


def report(traces: list[Trace], user: float, system: float, wall: float) -> str:
    """A table in Markdown. Raises RuntimeError where a page is missing: that would be cheaper."""
    records: list[AnyEvidence] = [e for trace in traces for e in trace.records]
    pages = sum(isinstance(e, HTTPExchange) and e.status == 200 for e in records)
    if pages != 2 * len(traces):
        raise RuntimeError(f"{pages} pages of {2 * len(traces)}")
    rows = [
        ("CPU a visit", f"{1000 * (user + system) / len(traces):.2f} ms", f"{BARE_CPU} ms, bare"),
        ("of it in the kernel", f"{1000 * system / len(traces):.2f} ms", ""),
        ("visits a second", f"{len(traces) / wall:.0f}", ""),
        ("records a visit", f"{len(records) / len(traces):.0f}", ""),
        ("JSON a visit", f"{len(msgspec.json.encode(records)) / len(traces) / 1e3:.1f} kB", ""),
    ]
    lines = ["| | measured | bound |", "|---|--:|--:|"]
    return "\n".join(lines + [f"| {a} | {b} | {c} |" for a, b, c in rows])


if __name__ == "__main__":
    main()
