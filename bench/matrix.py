"""The matrix of blocks, cell by cell: what the diagnosis says and what is so.

    python -m bench.matrix [--sample N] [--seed S] [--together N] [--only TEXT]
                           [--keep DIR] [--write]

Runs the cells in a few labs, as many together in each as --together says, then each
operator of `lab.worlds.profiles`; prints how many verdicts are right on each axis and
every cell that is not. --write puts that and the tables of all into docs/matrix.md. Real
packets; needs what the lab needs.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from lab.score import Result, axes_table, cells_table, summary
from lab.stage import Setting
from lab.trial import HURRY, try_profile, try_worlds
from lab.worlds.matrix import CELLS
from lab.worlds.plan import build
from lab.worlds.profiles import PROFILES

DOCS = Path(__file__).parent.parent / "docs"
TOGETHER = 110  # cells in one lab: two cores carry them without falling behind
ORDINARY_AT_ONCE = 50
TIMED_AT_ONCE = 4  # targets: more would be slow by themselves, and for the controls as well


def run(names: Sequence[str], seed: int, together: int, keep: Path | None = None) -> list[Result]:
    """The cells *names*, *together* at a time, in their variation *seed*.

    *keep*: where the databases are left, each in a folder of its own.
    """
    results: list[Result] = []
    # What is timed is timed where little else goes on: a machine that is busy is slow for all.
    timed = [name for name in names if CELLS[name].layer == "throttle"]
    others = [name for name in names if name not in timed]
    count = math.ceil(len(others) / together)
    labs = [others[first::count] for first in range(count)]  # dealt: the slow are neighbours
    for lab, group in enumerate([*labs, timed] if timed else labs):
        worlds = [build(name, seed) for name in group]
        setting = Setting(seed=seed, config=HURRY, icmp_ratelimit=0)
        began = time.monotonic()
        with ExitStack() as stack:
            if keep is None:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            else:
                folder = keep / str(lab)
            at_once = TIMED_AT_ONCE if group is timed else ORDINARY_AT_ONCE
            trial = try_worlds(
                worlds, folder, setting, concurrency=at_once, variation=f"seed {seed}"
            )
        if trial.status:
            print(trial.said, file=sys.stderr)
        results += trial.results
        took = time.monotonic() - began
        print(f"{len(worlds)} cells in {took:.0f} s: {summary(trial.results)}", file=sys.stderr)
    order = {name: number for number, name in enumerate(names)}
    return sorted(results, key=lambda r: order[r.world])


def operators(seed: int) -> list[Result]:
    """What each operator of the dossier does, as its customer sees it."""
    results: list[Result] = []
    for name, profile in PROFILES.items():
        with tempfile.TemporaryDirectory() as folder:
            trial = try_profile(profile, Path(folder), seed=seed)
        results += trial.results
        print(f"{name}: {summary(trial.results)}", file=sys.stderr)
    return results


def text(results: Sequence[Result], profiles: Sequence[Result], seed: int) -> str:
    whole = sum(r.all_right for r in results)
    return (
        "# The matrix of blocks\n\n"
        f"Written by `python -m bench.matrix --seed {seed} --write`. Each cell is a world of its"
        " own in the lab, with real packets: what is blocked, how, by a box in the path or"
        " beside it, at which hop; `any-port` where the box reads every port, `residual` where"
        " it punishes for some seconds. Bold is wrong, `?` is not said.\n\n"
        f"**{whole} of {len(results)} cells are right on every axis.** {summary(results)}.\n\n"
        f"{axes_table(results)}\n\n{cells_table(results)}\n\n"
        "## Operators\n\n"
        "What is documented of single operators (`lab/worlds/profiles.py`), each measured by a"
        f" customer of its own in its own network: **{summary(profiles)}**. Fingerprints are those"
        " of `analysis/data/fingerprints.csv`.\n\n"
        f"{axes_table(profiles)}\n\n{cells_table(profiles)}\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sample", type=int, help="so many cells, drawn by the seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--together", type=int, default=TOGETHER)
    parser.add_argument("--only", default="", help="cells with this in their name")
    parser.add_argument("--keep", type=Path, help="leave the databases in this folder")
    parser.add_argument("--write", action="store_true", help="write docs/matrix.md")
    given = parser.parse_args()
    names = [name for name in CELLS if given.only in name]
    if given.sample is not None:
        names = sample(names, given.sample, given.seed)
    results = run(names, given.seed, given.together, given.keep)
    profiles = [] if given.only or given.sample is not None else operators(given.seed)
    print(axes_table(results))
    print(cells_table([r for r in (*results, *profiles) if not r.all_right]))
    if given.write:
        (DOCS / "matrix.md").write_text(text(results, profiles, given.seed))


def sample(names: Sequence[str], count: int, seed: int) -> list[str]:
    """*count* of *names*, the same for the same seed, in their order."""
    drawn = set(random.Random(seed).sample(list(names), min(count, len(names))))
    return [name for name in names if name in drawn]


if __name__ == "__main__":
    main()
