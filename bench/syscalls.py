"""End ``zond run`` at each of its writes to the database, and look at what was kept.

    python -m bench.syscalls [--all] [--every 1] [--fault kill|torn|EIO|ENOSPC|EROFS]… [--write]

The rule: a run is ended right before its n-th system call that changes the database's files,
or in the midst of a write, or that call fails as a dying disk's does, or it and all after it that
need room as a full disk's do, or all after it as those of one that turned read-only; then the
database must open, hold all that the run has said is measured, and be completed by ``--resume``.
Every such run is the ordinary program in the lab, with `bench/writes.c` preloaded.

Of many writes to one file in a row, as the pages of a transaction are, the first two, one in
the middle and the last two are tried; ``--all`` tries each.

Source: SQLite's own crash and I/O error tests do so with a VFS of theirs
(sqlite.org/testing.html, 3.3 and 3.4).
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.kills import Killing, Listener
from bench.pages import put
from bench.writes import CHANGING, Call, calls, watched
from lab.stage import Setting, Stage
from lab.trial import HURRY
from lab.worlds.plan import build

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
FAULTS = {
    "kill": "killed right before a call", "torn": "killed in the midst of a write",
    "EIO": "a call fails: a dying disk", "ENOSPC": "full from one call on",
    "EROFS": "may only be read from one call on",
}  # fmt: skip
TARGETS = 3
AT_ONCE = 4
PATIENCE = 240.0  # seconds


@dataclass
class Tally:
    """Of one kind of fault: how many *tries*, how the runs ended, and each broken promise."""

    tries: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def undisturbed(stage: Stage, folder: Path) -> list[Call]:
    """The calls of a run that nobody disturbs, those that change something."""
    db, log = folder / "count.db", folder / "count.log"
    done = stage.run(db, "--seed", "1", "--no-follow-up", env=watched(db, log))
    if done.returncode:
        raise SystemExit(done.stderr)
    return [call for call in calls(log) if call.op in CHANGING]


def telling(made: Sequence[Call]) -> list[int]:
    """Numbers, from 1, of calls that are not like those beside them."""
    numbered = enumerate(made, 1)
    found: list[int] = []
    for (op, _), same in itertools.groupby(numbered, key=lambda item: (item[1].op, item[1].fd)):
        row = [number for number, _ in same]
        if op == "W" and len(row) > 5:
            row = [*row[:2], row[len(row) // 2], *row[-2:]]
        found += row
    return found


def disturb(stage: Stage, folder: Path, numbers: Iterable[int], fault: str) -> Tally:
    """A run with the *fault* at each of the calls with these *numbers*, and another one that
    goes on where it ended; several at a time."""
    tally = Tally()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for one in pool.map(partial(_disturb_one, stage, folder, fault), numbers):
            tally.tries += 1
            tally.statuses += one.statuses
            tally.wrong += one.wrong
    return tally


def _disturb_one(stage: Stage, folder: Path, fault: str, number: int) -> Tally:
    db = folder / f"{fault}-{number}.db"
    tally = Tally()
    killing = Killing(stage, db, random.Random(number), TARGETS)
    process = stage.start_run(
        db, "--json", "--seed", "1", "--no-follow-up",
        env=watched(db, fault=fault, at=number),
    )  # fmt: skip
    listener = Listener(process)
    tally.statuses[process.wait(PATIENCE)] += 1
    listener.finish()
    killing.look(listener, None)
    if not killing.runs():
        killing.once(kind=None, within=0)  # it ended before there was a run
    killing.complete()
    killing.judge()
    tally.wrong += [f"{fault} at call {number}: {what}" for what in killing.tally.wrong]
    for left in folder.glob(f"{db.name}*"):
        left.unlink()
    return tally


def table(tallies: dict[str, Tally], made: int, arguments: Sequence[str], seconds: float) -> str:
    rows = [
        f"| {FAULTS[fault]} | {tally.tries} | "
        + ", ".join(f"{count} × {status}" for status, count in sorted(tally.statuses.items()))
        + f" | {len(tally.wrong)} |"
        for fault, tally in tallies.items()
    ]
    command = " ".join(["python -m bench.syscalls", *arguments])
    lines = [
        f"`{command}`: a run of {TARGETS} targets makes {made} such calls;"
        f" {seconds / 60:.0f} minutes.",
        "", "| fault | runs | exit status | broken promises |", "|---|--:|---|--:|", *rows,
    ]  # fmt: skip
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--all", action="store_true", help="also calls like those beside them")
    parser.add_argument("--every", type=int, default=1, help="of those only every so-manieth")
    parser.add_argument("--fault", action="append", choices=list(FAULTS))
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    worlds = [build("plain_site", n) for n in range(TARGETS)]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Stage(worlds, folder, Setting(config=HURRY)) as stage:
            made = undisturbed(stage, folder)
            numbers = list(range(1, len(made) + 1)) if given.all else telling(made)
            tallies = {}
            for fault in given.fault or FAULTS:
                fit = [n for n in numbers if fault != "torn" or made[n - 1].op == "W"]
                tallies[fault] = disturb(stage, folder, fit[:: given.every], fault)
    text = table(tallies, len(made), sys.argv[1:], time.monotonic() - began)
    wrong = [what for tally in tallies.values() for what in tally.wrong]
    print(text, *wrong, sep="\n")
    if given.write:
        put(PAGE, "syscalls", text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
