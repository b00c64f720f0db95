"""A thousand targets, a tenth of them silent: how long, how much memory, CPU and traffic?

    python -m bench.full_list [--targets 1000] [--rtt 50] [--concurrency 50] [--profile] …

Prints a table in Markdown with each figure next to the bound it could reach: no run can be
shorter than its longest single target, and the peer's model is one target after another.
Real packets through the lab; needs what the lab needs. With --profile the run is slower, and
whose code it spent its CPU in is printed instead. --write puts it into docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import probe
from bench import where
from bench.pages import put
from bench.watching import watch
from lab.stage import DELAYS, Setting, Stage, verdicts
from lab.world import Wire, World
from lab.worlds.plan import MAX_SEED, build
from probe.store import Store

ROOT = Path(probe.__file__).parents[1]
ANSWERING = ("plain_site", "https_only_site", "redirect_to_www")
OONI_SECONDS = 5.0  # a URL, by its own estimate (nettests/run.go, 2026-08)
BARE_CPU = 1.05  # ms for DNS, TCP, TLS 1.3, page and JSON, with nothing around it


@dataclass(frozen=True)
class Figures:
    targets: int
    wall: float
    cpu: float
    memory: int
    private: int
    out: int
    back: int
    database: int
    longest: float
    total: float
    outcomes: Counter[str]
    status: int


def silent_and_answering(count: int) -> list[World]:
    """*count* targets of which every tenth has an address that never answers, for nobody."""
    worlds, dead, alive = [], 0, 0
    for n in range(count):
        if n % 10 == 0:
            worlds.append(build("site_silent", dead))
            dead += 1
        else:
            # A world has so many variations and no more.
            worlds.append(build(ANSWERING[alive // MAX_SEED], alive % MAX_SEED))
            alive += 1
    return worlds


def measure(
    targets: int, rtt: float, concurrency: int, rate: float, *, profile: Path | None = None
) -> Figures:
    """*profile*: where to write what the profiler saw."""
    profiled = [sys.executable, "-m", "cProfile", "-o", str(profile)] if profile else []
    # The way to a foreign site: line, uplink, border, hosting.
    way = sum(DELAYS[w] for w in (Wire.LINE, Wire.UPLINK_1, Wire.BORDER_1, Wire.HOSTING))
    setting = Setting(distance=rtt / 2000 / way)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        db = folder / "bench.db"
        with Stage(silent_and_answering(targets), folder, setting) as stage:
            before = stage.country.counters()[Wire.LINE]
            began = time.monotonic()
            process = stage.zond(
                "run", "--yes", "--no-upload", "--list", stage.list_file, "--db", db,
                "--concurrency", str(concurrency), "--seed", "1",
                env={"ZOND_LIMITS__CONNECTIONS_PER_SECOND": str(rate)}, before=profiled,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            ended = watch(process.pid)
            process.returncode = os.waitstatus_to_exitcode(ended.status)
            wall = time.monotonic() - began
            after = stage.country.counters()[Wire.LINE]
            outcomes = Counter(v["outcome"] for v in verdicts(db).values())
            with Store(db) as store:
                runtimes = [m.runtime for m in store.measurements()]
            return Figures(
                targets, wall, ended.used.ru_utime + ended.used.ru_stime,
                ended.peak, ended.own,
                after.bytes_out - before.bytes_out, after.bytes_back - before.bytes_back,
                db.stat().st_size, max(runtimes), sum(runtimes), outcomes, process.returncode,
            )  # fmt: skip


def table(f: Figures, rtt: float, concurrency: int, rate: float) -> str:
    each = 1000 / f.targets
    rows = [
        ("wall time", f"{f.wall:.1f} s", f"longest target {f.longest:.1f} s"),
        ("against one after another", f"{f.total / f.wall:.1f} ×",
         f"sum of all targets {f.total:.0f} s"),
        ("against the peer's 5 s a URL", f"{f.targets * OONI_SECONDS / f.wall:.0f} ×",
         f"{f.targets * OONI_SECONDS:.0f} s"),
        ("CPU a target", f"{f.cpu * each:.1f} ms", f"bare measurement {BARE_CPU} ms"),
        ("peak memory", f"{f.memory / 1e6:.0f} MB", "aim 64 MB"),
        ("of it the process's own", f"{f.private / 1e6:.0f} MB",
         "the rest is files: libraries and the address table"),
        ("sent", f"{f.out / f.targets / 1e3:.1f} kB a target", ""),
        ("received", f"{f.back / f.targets / 1e3:.1f} kB a target", ""),
        ("database", f"{f.database / f.targets / 1e3:.1f} kB a target", ""),
    ]  # fmt: skip
    lines = [
        f"{f.targets} targets, every tenth silent; {rtt:g} ms round trip, {concurrency} at once,"
        f" at most {rate:g} connections a second. Exit status {f.status}; verdicts:"
        f" {', '.join(f'{n} {o}' for o, n in f.outcomes.most_common())}.",
        "", "| | measured | bound or aim |", "|---|---|---|",
    ]  # fmt: skip
    return "\n".join(lines + [f"| {a} | {b} | {c} |" for a, b, c in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--targets", type=int, default=1000)
    parser.add_argument("--rtt", type=float, default=50.0, help="milliseconds")
    parser.add_argument("--concurrency", type=int, default=50)
    parser.add_argument("--rate", type=float, default=60.0, help="connections a second")
    parser.add_argument("--profile", action="store_true", help="whose code takes the CPU?")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    given = parser.parse_args()
    if given.profile:
        with tempfile.TemporaryDirectory() as name:
            seen = Path(name, "profile")
            measure(given.targets, given.rtt, given.concurrency, given.rate, profile=seen)
            text = where.table(where.shares(seen, ours=ROOT), given.targets)
    else:
        figures = measure(given.targets, given.rtt, given.concurrency, given.rate)
        found = table(figures, given.rtt, given.concurrency, given.rate)
        text = f"`python -m bench.full_list --targets {given.targets} --write`\n\n{found}"
    print(text)
    if given.write:
        place = "where" if given.profile else "full_list"
        put(ROOT / "docs" / "performance.md", place, text)


if __name__ == "__main__":
    main()
