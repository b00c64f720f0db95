"""End ``zond run`` at each of its writes to the database, and look at what was kept.

    python bench/syscalls.py [--every 1] [--fault kill|EIO|ENOSPC]… [--write]

The rule: a run is ended right before its n-th system call that changes the database's files
(for every n), or that call fails as a dying disk's and a full disk's do; then the database must
open, hold all that the run has said is measured, and be completed by ``--resume``. Every such
run is the ordinary program under ``strace``, in the lab.

Source: SQLite's own crash and I/O error tests do so with a VFS of theirs
(sqlite.org/testing.html, 3.3 and 3.4).
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.kills import Killing, Listener
from bench.pages import put
from lab.stage import Setting, Stage
from lab.trial import HURRY
from lab.worlds.plan import build

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
WRITING = "pwrite64,write,fdatasync,fsync,ftruncate,unlink,rename,openat"
FAULTS = {"kill": "signal=KILL", "EIO": "error=EIO", "ENOSPC": "error=ENOSPC"}
TARGETS = 4
PATIENCE = 60.0  # seconds


@dataclass
class Tally:
    """Of one kind of fault: how many *tries*, how the runs ended, and each broken promise."""

    tries: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def tracer(db: Path, log: Path, inject: str = "") -> list[str]:
    """``strace`` of the calls that change the files of *db*, with a fault if *inject* says so."""
    paths = [part for suffix in ("", "-wal", "-journal") for part in ("-P", f"{db}{suffix}")]
    fault = ["-e", f"inject={WRITING}:{inject}"] if inject else []
    return ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={WRITING}", *paths, *fault]


def count(stage: Stage, folder: Path) -> int:
    """How many such calls an undisturbed run makes."""
    db, log = folder / "count.db", folder / "count.log"
    done = stage.run(db, "--seed", "1", "--no-follow-up", before=tracer(db, log))
    if done.returncode:
        raise SystemExit(done.stderr)
    return len(log.read_text(encoding="utf-8").splitlines())


def disturb(stage: Stage, folder: Path, calls: Iterable[int], fault: str) -> Tally:
    """A run with the *fault* at each of *calls*, and another one that goes on where it ended."""
    tally = Tally()
    for n in calls:
        db = folder / f"{fault}-{n}.db"
        killing = Killing(stage, db, random.Random(n), TARGETS)
        process = stage.start_run(
            db, "--json", "--seed", "1", "--no-follow-up",
            before=tracer(db, folder / "log", f"{FAULTS[fault]}:when={n}"),
        )  # fmt: skip
        listener = Listener(process)
        tally.statuses[process.wait(PATIENCE)] += 1
        listener.finish()
        killing.look(listener, None)
        if not killing.runs():
            killing.once(kind=None, within=0)  # it ended before there was a run
        killing.complete()
        killing.judge()
        tally.tries += 1
        tally.wrong += [f"{fault} at call {n}: {what}" for what in killing.tally.wrong]
        for left in folder.glob(f"{db.name}*"):
            left.unlink()
    return tally


def table(tallies: dict[str, Tally], calls: int, seconds: float) -> str:
    rows = [
        f"| {fault} | {tally.tries} | "
        + ", ".join(f"{count} × {status}" for status, count in sorted(tally.statuses.items()))
        + f" | {len(tally.wrong)} |"
        for fault, tally in tallies.items()
    ]
    lines = [
        f"`python bench/syscalls.py --write`: a run of {TARGETS} targets makes {calls} such calls;"
        f" {seconds / 60:.0f} minutes.",
        "", "| fault | runs | exit status | broken promises |", "|---|---|---|---|", *rows,
    ]  # fmt: skip
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--every", type=int, default=1, help="only every so-manieth call")
    parser.add_argument("--fault", action="append", choices=list(FAULTS))
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    worlds = [build("plain_site", n) for n in range(TARGETS)]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Stage(worlds, folder, Setting(config=HURRY)) as stage:
            calls = count(stage, folder)
            tallies = {
                fault: disturb(stage, folder, range(1, calls + 1, given.every), fault)
                for fault in given.fault or FAULTS
            }
    text = table(tallies, calls, time.monotonic() - began)
    wrong = [what for tally in tallies.values() for what in tally.wrong]
    print(text, *wrong, sep="\n")
    if given.write:
        put(PAGE, "syscalls", text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
