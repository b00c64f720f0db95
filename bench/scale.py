"""How long, and in how much memory, is a large dataset judged again and counted?

    python -m bench.scale [--rows N]… [--engine NAME]… [--step NAME]… [--memory SIZE]
                           [--dir DIR] [--write]

For each number of rows and each engine, each step in a process of its own: a plain aggregate
of the observations (what only reading them costs), judging them by all rules with
probabilities into Parquet, and counting the verdicts in cells, by day and by hour. Seconds are
of the step alone, memory is the most that its process held. --write puts the figures into
bench/data/scale.csv and docs/scale.md. The rows are made in DIR (about 50 bytes each)
and left there.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pyarrow.parquet as pq  # type: ignore[import-untyped]

from bench.watching import size

HERE = Path(__file__).parent
DATA = HERE / "data" / "scale.csv"
REPORT = HERE.parent / "docs" / "scale.md"
BEGIN, END = "<!-- figures: bench/scale.py -->", "<!-- end of figures -->"


@dataclass(frozen=True, kw_only=True)
class Step:
    """*rows* were read and *results* came out in *seconds*, within *memory* (GB, limit
    given to the engine, empty: none), *peak* GB at most."""

    rows: int
    engine: str
    step: str
    seconds: float
    cpu: float
    peak: float
    results: int
    memory: str
    cores: int


def plain(engine, source, target):  # type: ignore[no-untyped-def]
    """Rows and pages by host and day: no rule, no string that is put together."""
    table = engine.read(source)
    day = (table.measured_at / 86400).floor().cast("int64")
    table = table.mutate(day=day, reached=(table.path_end == "page"))
    counted = table.group_by(["host", "day"]).agg(
        rows=table.count(), reached=table.reached.sum()
    )
    engine.write(counted, target)


def judge(engine, source, target):  # type: ignore[no-untyped-def]
    from analysis.dataset.columns import SCHEMA, observed, verdict_rows

    files = sorted(source.rglob("*.parquet"))
    same = set(pq.read_schema(files[0]).names) == set(SCHEMA.names)
    engine.write(verdict_rows(observed(engine, files, same=same)), target)


def cells_by_day(engine, source, target):  # type: ignore[no-untyped-def]
    from analysis.history.cells import cells

    engine.write(cells(engine.read(source), every="day"), target)


def cells_by_hour(engine, source, target):  # type: ignore[no-untyped-def]
    from analysis.history.cells import cells

    engine.write(cells(engine.read(source), every="hour"), target)


STEPS: dict[str, Callable[..., None]] = {
    "plain aggregate": plain, "judge": judge, "cells by day": cells_by_day,
    "cells by hour": cells_by_hour,
}  # fmt: skip
FROM_VERDICTS = ("cells by day", "cells by hour")


def one(step: str, engine: str, source: Path, target: Path, memory: str) -> dict[str, float]:
    """One step, in this process."""
    from analysis import engines

    spill = Path(tempfile.mkdtemp(dir=target.parent))
    started = (
        engines.duckdb(memory=memory, spill=spill) if engine == "duckdb"
        else engines.sail(memory=memory)
    )
    with started as opened:
        # A question first: what an engine loads at its first is not what is measured.
        opened.arrow(opened.read(next(iter(sorted(source.rglob("*.parquet"))))).limit(1))
        wall, cpu = time.perf_counter(), time.process_time()
        STEPS[step](opened, source, target)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    shutil.rmtree(spill, ignore_errors=True)
    return {"seconds": round(wall, 2), "cpu": round(cpu, 2), "peak": round(size().peak / 1e9, 2)}


def measure(
    rows: int, engine: str, folder: Path, memory: str, steps: Sequence[str]
) -> list[Step]:
    from bench import scale_rows

    observations = scale_rows.write(folder, rows)
    made = {step: folder / f"{engine}-{step.replace(' ', '-')}" for step in STEPS}
    found = []
    for step, target in made.items():
        if step not in steps:
            continue
        shutil.rmtree(target, ignore_errors=True)
        source = made["judge"] if step in FROM_VERDICTS else observations
        answer = subprocess.run(
            [sys.executable, __file__, "--one", step, engine, str(source), str(target), memory],
            check=True, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONPATH": str(HERE.parent)},
        )  # fmt: skip
        figures = json.loads(answer.stdout)
        results = sum(pq.read_metadata(p).num_rows for p in target.rglob("*.parquet"))
        found.append(
            Step(rows=rows, engine=engine, step=step, results=results, memory=memory,
                 cores=os.cpu_count() or 1, **figures)
        )  # fmt: skip
        print(found[-1], file=sys.stderr, flush=True)
    for target in made.values():
        shutil.rmtree(target, ignore_errors=True)
    return found


def text(steps: Sequence[Step]) -> str:
    """The figures, as a table of Markdown."""
    lines = [
        "| rows | engine | step | s | CPU s | rows a second | peak GB | rows out |",
        "|---:|---|---|---:|---:|---:|---:|---:|",
    ]
    for s in sorted(steps, key=lambda s: (s.rows, s.engine, list(STEPS).index(s.step))):
        limit = f" ({s.memory} given)" if s.memory else ""
        lines.append(
            f"| {s.rows:,} | {s.engine} | {s.step} | {s.seconds:.1f} | {s.cpu:.1f}"
            f" | {s.rows / s.seconds:,.0f} | {s.peak:.1f}{limit} | {s.results:,} |"
        )
    return "\n".join(lines)


def read() -> list[Step]:
    if not DATA.exists():
        return []
    kinds = {"rows": int, "results": int, "cores": int, "seconds": float, "cpu": float,
             "peak": float}  # fmt: skip
    with DATA.open(newline="") as file:
        return [
            Step(**{k: kinds.get(k, str)(v) for k, v in row.items()})
            for row in csv.DictReader(file)
        ]


def keep(steps: Sequence[Step]) -> None:
    """Put *steps* in the place of those of the same rows, engine and step."""
    known = {(s.rows, s.engine, s.step): s for s in [*read(), *steps]}
    with DATA.open("w", newline="") as file:
        table = csv.DictWriter(file, [f.name for f in fields(Step)], lineterminator="\n")
        table.writeheader()
        table.writerows(asdict(known[key]) for key in sorted(known))
    page = REPORT.read_text()
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    REPORT.write_text(f"{before}{BEGIN}\n\n{text(list(known.values()))}\n\n{END}{after}")


def main(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["--one"]:
        step, engine, source, target, memory = arguments[1:]
        print(json.dumps(one(step, engine, Path(source), Path(target), memory)))
        return 0
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rows", action="append", type=float, help="how many; may be repeated")
    parser.add_argument("--engine", action="append", choices=["duckdb", "sail"])
    parser.add_argument("--step", action="append", choices=list(STEPS), help="only these; cells"
                        " need the judging before them")  # fmt: skip
    parser.add_argument("--memory", default="4GB", help="limit given to the engine; empty: none")
    parser.add_argument("--dir", type=Path, help="where the rows are made, and left")
    parser.add_argument("--write", action="store_true", help="keep the figures, and the report")
    given = parser.parse_args(arguments)
    folder = given.dir or Path(tempfile.mkdtemp())
    found = []
    for rows in given.rows or [5e6]:
        for engine in given.engine or ["duckdb", "sail"]:
            found += measure(int(rows), engine, folder, given.memory, given.step or list(STEPS))
            if given.write:
                keep(found)
    print(text(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
