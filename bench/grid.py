"""The whole list at several distances and many at once: how fast, how small, how right.

    python -m bench.grid [--targets 2200] [--rtt 5]… [--concurrency 16]… [--kept FILE] [--write]

Of the targets, 80 % answer (with https, with http too, over a redirect), 8 % refuse, 8 % are
silent, 4 % are slow; all for everybody. Each cell is one ordinary ``zond run`` in the lab, without
a volunteer's pace, so that the machine is the limit and not politeness. A sample of the targets
is also measured one after another. Next to each figure stands what bounds it: no run ends
before its longest target, and none needs less CPU than its TLS handshakes, which are made in
memory beside it. Cells that FILE holds are not measured again, so that a grid can be interrupted.
"""

from __future__ import annotations

import argparse
import itertools
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.full_list import OONI_SECONDS
from bench.pages import put
from bench.watching import watch
from lab.stage import DELAYS, Setting, Stage
from lab.trial import HURRY
from lab.world import Wire, World
from lab.worlds.plan import build
from probe.evidence import TLSHandshake
from probe.store import Store
from tests.certificates import authority, server_context

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
MIX = {
    "plain_site": 5, "https_only_site": 5, "http_only_site": 5, "redirect_to_www": 5,
    "site_refuses": 2, "site_silent": 2, "slow_site": 1,
}  # fmt: skip
HANDSHAKES = 200  # made in memory for the bound


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """*rtt* in ms; *wall*, *longest*, *total* (of all targets), *cpu* and *handshake* (one, on this
    core) in seconds; *memory*, *private*, *database*, *out*, *back* in bytes; *wrong*: verdicts
    unlike the truth."""

    rtt: float
    concurrency: int
    targets: int
    handshake: float
    wall: float
    longest: float
    total: float
    cpu: float
    handshakes: int
    memory: int
    private: int
    files: int
    out: int
    back: int
    database: int
    wrong: int


def mixed(count: int) -> list[World]:
    """*count* worlds in the proportions of `MIX`, each a variation of its own.

    Raises ValueError for more than there are variations.
    """
    order = itertools.cycle([name for name, share in MIX.items() for _ in range(share)])
    dealt: Counter[str] = Counter()
    worlds = []
    for name in itertools.islice(order, count):
        worlds.append(build(name, dealt[name]))
        dealt[name] += 1
    return worlds


def handshake() -> float:
    """CPU seconds of a client's part in one TLS 1.3 handshake, its certificate verified."""
    server = server_context("site.by")
    client = ssl.create_default_context()
    authority("good").configure_trust(client)
    spent = 0.0
    for _ in range(HANDSHAKES):
        there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        ours = client.wrap_bio(back, there, server_hostname="site.by")
        theirs = server.wrap_bio(there, back, server_side=True)
        done = False
        while not done:
            began = time.thread_time()
            with suppress(ssl.SSLWantReadError):
                ours.do_handshake()
                done = True
            spent += time.thread_time() - began
            with suppress(ssl.SSLWantReadError):
                theirs.do_handshake()
    return spent / HANDSHAKES


def cell(worlds: list[World], rtt: float, concurrency: int) -> Cell:
    """One run."""
    way = sum(DELAYS[w] for w in (Wire.LINE, Wire.UPLINK_1, Wire.BORDER_1, Wire.HOSTING))
    setting = Setting(distance=rtt / 2000 / way, config=HURRY, icmp_ratelimit=0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        db = folder / "bench.db"
        with Stage(worlds, folder, setting) as stage:
            before = stage.country.counters()[Wire.LINE]
            began = time.monotonic()
            process = stage.zond(
                "run", "--yes", "--no-upload", "--no-follow-up", "--list", stage.list_file,
                "--db", db, "--concurrency", str(concurrency), "--seed", "1",
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            ended = watch(process.pid)
            process.returncode = os.waitstatus_to_exitcode(ended.status)
            wall = time.monotonic() - began
            after = stage.country.counters()[Wire.LINE]
            results = stage.results(db)
        with Store(db) as store:
            runtimes, handshakes = [], 0
            for m in store.measurements():
                runtimes.append(m.runtime)
                handshakes += sum(isinstance(e, TLSHandshake) for e in m.evidence
                                  if e.vantage == "probe")  # fmt: skip
        return Cell(
            rtt=rtt, concurrency=concurrency, targets=len(worlds), handshake=handshake(), wall=wall,
            longest=max(runtimes), total=sum(runtimes),
            cpu=ended.used.ru_utime + ended.used.ru_stime, handshakes=handshakes,
            memory=ended.peak, private=ended.own, files=ended.files,
            out=after.bytes_out - before.bytes_out, back=after.bytes_back - before.bytes_back,
            database=db.stat().st_size,
            wrong=sum(r.outcome not in r.truth.outcome for r in results),
        )  # fmt: skip


def table(cells: list[Cell]) -> str:
    head = (
        "| round trip | at once | targets | wall | longest target | against one after another |"
        " against 5 s a URL | CPU a target | of it handshakes, at least | peak memory | own |"
        " files | sent, received, stored a target | wrong |"
    )
    rows = [
        f"| {c.rtt:g} ms | {c.concurrency} | {c.targets} | {c.wall:.1f} s | {c.longest:.1f} s |"
        f" {c.total / c.wall:.0f} × | {c.targets * OONI_SECONDS / c.wall:.0f} × |"
        f" {1000 * c.cpu / c.targets:.1f} ms |"
        f" {1000 * c.handshake * c.handshakes / c.targets:.1f} ms | {c.memory / 1e6:.0f} MB |"
        f" {c.private / 1e6:.0f} MB | {c.files} | {c.out / c.targets / 1e3:.1f},"
        f" {c.back / c.targets / 1e3:.1f}, {c.database / c.targets / 1e3:.1f} kB | {c.wrong} |"
        for c in cells
    ]
    rule = "|--:" * head.count(" |") + "|"
    return "\n".join([head, rule, *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--targets", type=int, default=2200)
    parser.add_argument("--rtt", type=float, action="append", help="milliseconds; 5, 50, 200")
    parser.add_argument("--concurrency", type=int, action="append", help="1, 16, 64, 256")
    parser.add_argument("--sample", type=int, default=10, help="one of so many, one at a time")
    parser.add_argument("--kept", type=Path, help="file of cells, a line of JSON each")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    worlds = mixed(given.targets)
    kept = given.kept.read_bytes().splitlines() if given.kept and given.kept.exists() else []
    cells = [msgspec.json.decode(line, type=Cell) for line in kept]
    for rtt in given.rtt or (5.0, 50.0, 200.0):
        for concurrency in given.concurrency or (1, 16, 64, 256):
            if any((c.rtt, c.concurrency) == (rtt, concurrency) for c in cells):
                continue
            # Of its beginning each kind has its share: the kinds come in turn.
            some = worlds[: given.targets // given.sample] if concurrency == 1 else worlds
            cells.append(cell(some, rtt, concurrency))
            print(table(cells[-1:]).splitlines()[-1], flush=True)
            if given.kept:
                with given.kept.open("ab") as file:
                    file.write(msgspec.json.encode(cells[-1]) + b"\n")
    cells.sort(key=lambda c: (c.rtt, c.concurrency))
    if given.write:
        asked = f"--targets {given.targets} --sample {given.sample} --write"
        put(PAGE, "grid", f"`python -m bench.grid {asked}`:\n\n{table(cells)}")


if __name__ == "__main__":
    main()
