"""How much a second the analysis reads, judges, counts and shows, each beside its bound.

One run of measurements with two controls in a store: the bound of making rows of it is reading
it, the bound of a report is judging it. A dataset of rows in Parquet: the bound of judging and
of counting is a plain aggregate (`bench/scale.py`). Rates are by second of CPU, so that they
hold on a machine that does other things; the first question to an engine, and imports, are
left out but for the report, which is the command. Large sizes: docs/scale.md, docs/report.md.

    python -m bench.throughput [--targets 500] [--rows 200000] [--write]
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from analysis.verdict import judge, observations
from bench import scale
from bench.collector import measured
from bench.pages import put
from probe.evidence import ControlQuery, Measurement, Run
from probe.store import Store

DOC = Path(__file__).parents[1] / "docs" / "performance.md"
CONTROLS = ("one", "two")


@dataclass(frozen=True)
class Figure:
    """*many* of *what* took *cpu* seconds; *bound* is how many a second there could be."""

    does: str
    many: int
    what: str
    cpu: float
    bound: float
    of: str

    @property
    def rate(self) -> float:
        return self.many / self.cpu

    def line(self) -> str:
        return (
            f"| {self.does} | {self.many:,} {self.what} | {self.rate:,.0f} | {self.bound:,.0f}"
            f" ({self.of}) | {self.rate / self.bound:.0%} |"
        )


def filled(path: Path, targets: int) -> None:
    """A store with one run of so many targets."""
    run = Run(id=os.urandom(16).hex(), started_at=time.time(), probe_asn=6697, probe_cc="BY")
    with Store(path, write=True) as store:
        store.begin_run(run, [])
        store.append([_asked(measured(number, run), number) for number in range(targets)])
        store.update_run(msgspec.structs.replace(run, ended="done", ended_at=time.time()))


def _asked(m: Measurement, number: int) -> Measurement:
    url = f"https://site{number}.example/"
    queries = [ControlQuery(control=name, control_url=f"https://{name}/") for name in CONTROLS]
    evidence = [msgspec.structs.replace(e, url=url) for e in (*m.evidence, *queries)]
    return msgspec.structs.replace(m, url=url, evidence=tuple(evidence))


def spent(do: Callable[[], object]) -> float:
    """Seconds of CPU: the least of three, for the garbage of before is collected in one of them."""
    found = []
    for _ in range(3):
        began = time.process_time()
        do()
        found.append(time.process_time() - began)
    return min(found)


def of_a_run(folder: Path, targets: int) -> Iterator[Figure]:
    database = folder / "run.db"
    filled(database, targets)
    with Store(database) as store:
        (run,) = store.runs()
        reading = targets / spent(lambda: list(store.measurements(run.id)))
        rows = observations(store, run)
        making = spent(lambda: observations(store, run))
    yield Figure("rows of measurements", targets, "measurements", making, reading, "reading them")
    judge(rows)
    judging = spent(lambda: judge(rows))
    yield Figure("verdicts", targets, "targets", judging, targets / making, "making their rows")
    report = _command("report", "--db", database, "--out", folder / "report.html", "--lang", "en")
    verdicts = _command("verdicts", "--db", database, "--format", "jsonl")
    yield Figure("a report, as a command", targets, "targets", report, targets / verdicts,
                 "the command of the verdicts")  # fmt: skip


def _command(*arguments: str | Path) -> float:
    """Seconds of CPU that ``zond`` took, from its start to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    zond = Path(sys.executable).with_name("zond")
    subprocess.run([zond, *arguments], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def of_a_dataset(folder: Path, rows: int) -> Iterator[Figure]:
    steps = ("plain aggregate", "judge", "cells by day")
    found = {s.step: s for s in scale.measure(rows, "duckdb", folder, "1GB", steps)}
    bound = rows / found["plain aggregate"].cpu
    for step, does in (("judge", "rows judged again"), ("cells by day", "verdicts counted")):
        yield Figure(does, rows, "rows", found[step].cpu, bound, "a plain aggregate")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", type=int, default=500)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        figures = [*of_a_run(folder, given.targets), *of_a_dataset(folder, given.rows)]
    text = "\n".join([
        f"`python -m bench.throughput --targets {given.targets} --rows {given.rows} --write`", "",
        "| | of | a second of CPU | bound | reached |", "|---|--:|--:|---|--:|",
        *(figure.line() for figure in figures),
    ])  # fmt: skip
    print(text)
    if given.write:
        put(DOC, "analysis", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
