"""What servers that mean harm cost a run: ``python -m bench.hostile [--step N] [--write]``.

Every server of `lab.hostile` in one country, measured by one ordinary ``zond run`` under a limit
of its address space, with two ordinary controls, which meet the same servers. ``--write`` puts
the table into ``docs/reliability.md``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.pages import put
from bench.watching import watch
from lab.score import Result
from lab.stage import Setting, Stage
from lab.trial import HURRY
from lab.worlds.hostile import worlds
from probe.store import Store

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
ADDRESS_SPACE = 600 * 2**20  # bytes; the bombs unpack to 512 MB each


class Figures(NamedTuple):
    """*memory* and *private* in bytes, *longest* (a target's) and *wall* in seconds."""

    targets: int
    measured: int
    wall: float
    longest: float
    memory: int
    private: int
    database: int
    largest: int
    status: int
    outcomes: Counter[str]
    wrong: list[Result]


def measure(step: int, *, concurrency: int = 50) -> Figures:
    """One run over all of them."""
    described = worlds(step)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        db = folder / "bench.db"
        with Stage(described, folder, Setting(config=HURRY, icmp_ratelimit=0)) as stage:
            began = time.monotonic()
            process = stage.zond(
                "run", "--yes", "--no-upload", "--list", stage.list_file, "--db", db,
                "--no-follow-up", "--concurrency", str(concurrency), "--seed", "1",
                before=("prlimit", f"--as={ADDRESS_SPACE}"),
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )  # fmt: skip
            ended = watch(process.pid)
            process.returncode = os.waitstatus_to_exitcode(ended.status)
            wall = time.monotonic() - began
            results = stage.results(db)
        with Store(db) as store:
            measurements = list(store.measurements())
        if process.stderr is not None:
            said = process.stderr.read().decode()
            if "Traceback" in said:
                raise RuntimeError(said)
        wrong = [r for r in results if r.outcome not in r.truth.outcome]
        return Figures(
            targets=len(described), measured=len(measurements), wall=wall,
            longest=max(m.runtime for m in measurements), memory=ended.peak,
            private=ended.own, database=db.stat().st_size,
            largest=max(len(e.body or b"") for m in measurements for e in m.evidence
                        if hasattr(e, "body")),
            status=process.returncode, outcomes=Counter(str(r.outcome) for r in results),
            wrong=wrong,
        )  # fmt: skip


def table(f: Figures, step: int) -> str:
    found = ", ".join(f"{count} {outcome}" for outcome, count in f.outcomes.most_common())
    rows = [
        ("measured", f"{f.measured} of {f.targets}", "all"),
        ("verdicts", found, "none accused, but for spoiled DNS"),
        ("wrong", ", ".join(r.world for r in f.wrong) or "none", "none"),
        ("longest target", f"{f.longest:.1f} s", "its deadline, 120 s"),
        ("wall time", f"{f.wall:.0f} s", ""),
        ("peak memory", f"{f.memory / 1e6:.0f} MB", f"limit {ADDRESS_SPACE / 1e6:.0f} MB"),
        ("of it the process's own", f"{f.private / 1e6:.0f} MB", ""),
        ("database", f"{f.database / 1e6:.1f} MB", f"{f.database / f.targets / 1e3:.0f} kB each"),
        ("largest body kept", f"{f.largest / 1024:.0f} KiB", "512 KiB"),
    ]
    lines = [
        f"`python -m bench.hostile --step {step} --write`: {f.targets} servers, exit status"
        f" {f.status}.", "", "| | measured | bound |", "|---|---|---|",
        *(f"| {what} | {value} | {bound} |" for what, value, bound in rows),
    ]  # fmt: skip
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--step", type=int, default=40, help="cut at every so many bytes")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    figures = measure(given.step)
    text = table(figures, given.step)
    print(text)
    if given.write:
        put(PAGE, "hostile", text)
    return 1 if figures.wrong or figures.measured < figures.targets else 0


if __name__ == "__main__":
    sys.exit(main())
