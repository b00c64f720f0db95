"""Kill ``zond run`` at random moments, go on with ``--resume``, and look at what was kept.

    python -m bench.kills [--kills 200] [--targets 120] [--seed 0] [--write] …

Rule: what the run itself has said is measured (a line of ``--json``) must be in the
database after a kill, and what a target's end and that line lie apart bounds what a kill
can cost. One database serves all kills: when a run in it is complete, the next one begins.
Some more kills meet a database at its birth, each a new one. Real packets through the lab;
needs what the lab needs.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.pages import put
from lab.stage import Setting, Stage
from lab.trial import HURRY
from lab.worlds.plan import build
from probe.evidence import Run
from probe.store import Store

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
BIRTH = 1.0  # seconds after the start within which a new database comes into being
SPREAD = 5.0  # seconds after the start within which a kill comes
PATIENCE = 600.0  # seconds for a run that nobody kills; on a busy machine, many


@dataclass
class Tally:
    """What came of it; times in seconds. Everything in *wrong* is a broken promise.

    *moments*: when each kill came, after the start. *lags*: from the end of each target
    to the line that says it is stored. *lost*: said to be measured and not found.
    """

    kills: int = 0
    births: int = 0
    runs: int = 0
    measured: int = 0
    lost: int = 0
    moments: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Said:
    """A line of ``--json``, and when it was read (wall clock)."""

    id: str
    run_id: str
    url: str
    at: float


class Listener:
    """Reads a run's output as it comes, so that its time is known and no pipe fills."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None and process.stderr is not None
        self.said: list[Said] = []
        self.talk = ""
        self._threads = [
            threading.Thread(target=self._hear, args=(process.stdout,), daemon=True),
            threading.Thread(target=self._hear_talk, args=(process.stderr,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Wait for the end of the output; the process must be ending."""
        for thread in self._threads:
            thread.join()

    def _hear(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                now = time.time()
                if line.endswith("\n"):  # else a kill has cut it: not said
                    said = json.loads(line)
                    self.said.append(Said(said["id"], said["run_id"], said["url"], now))

    def _hear_talk(self, stream: IO[str]) -> None:
        with stream:
            self.talk = stream.read()


class Killing:
    """One database under *stage*, and what is done to it."""

    def __init__(self, stage: Stage, db: Path, chance: random.Random, concurrency: int) -> None:
        self.stage, self.db, self.chance = stage, db, chance
        self.concurrency = concurrency
        self.tally = Tally()
        self.said: dict[str, Said] = {}
        self.planned = {world.url for world in stage.worlds}

    def once(self, *, kind: signal.Signals | None, within: float) -> int | None:
        """Run or go on, end it by *kind* at a random moment (None: let it end), and look.

        The status it ended with, None where it was complete before its end came.
        """
        before = self.unfinished()
        arguments = ["--json", "--seed", str(self.chance.randrange(1000))]
        arguments += ["--concurrency", str(self.concurrency)]
        if before is not None or not self.runs():
            arguments.append("--resume")
        moment = self.chance.uniform(0, within)
        process = self.stage.start_run(self.db, *arguments)
        listener = Listener(process)
        early = False
        try:
            process.wait(PATIENCE if kind is None else moment)
            early = kind is not None
        except subprocess.TimeoutExpired:
            if kind is None:
                self.tally.wrong.append(f"not at its end after {PATIENCE:g} s")
            process.send_signal(kind or signal.SIGKILL)
        status = process.wait(PATIENCE)
        listener.finish()
        if kind is not None and not early:
            self.tally.kills += 1
            self.tally.moments.append(moment)
        self.tally.statuses[status] += 1
        self.look(listener, before)
        return None if early else status

    def complete(self) -> None:
        """Go on until the run is complete, as nobody disturbs it; begin it where it had not begun
        before it was killed, as on a slow machine."""
        while not self.runs() or self.unfinished() is not None:
            status = self.once(kind=None, within=0)
            if status != 0:
                self.tally.wrong.append(f"undisturbed, and ended with {status}")
                return

    def judge(self) -> Tally:
        """Hold the complete database against what was planned and said."""
        self.tally.runs = len(self.runs())
        with Store(self.db) as store:
            for run in store.runs():
                # Every record of it is decoded here, with its evidence and its blobs.
                stored = list(store.measurements(run.id))
                counts = Counter(m.url for m in stored)
                self.tally.measured += len(stored)
                if set(counts) != self.planned:
                    self.tally.wrong.append(f"run {run.id[:8]}: {len(counts)} targets of the plan")
                if twice := [url for url, count in counts.items() if count > 1]:
                    self.tally.wrong.append(f"run {run.id[:8]}: measured again: {twice}")
                if run.ended != "done":
                    self.tally.wrong.append(f"run {run.id[:8]} ended {run.ended!r}")
                ends = {m.id: m.started_at + m.runtime for m in stored}
                self.tally.lags += [
                    said.at - ends[said.id] for said in self.said.values() if said.id in ends
                ]
                # Who was killed between the commit and the line has said nothing.
                if [m.url for m in stored if not m.evidence]:
                    self.tally.wrong.append(f"run {run.id[:8]}: measurements without evidence")
        return self.tally

    def runs(self) -> list[Run]:
        if not self.db.exists() or self._tables() < 2:
            return []  # killed before anything was written
        with Store(self.db, write=True) as store:
            return store.runs()

    def unfinished(self) -> Run | None:
        runs = self.runs()
        return runs[-1] if runs and runs[-1].ended != "done" else None

    def _tables(self) -> int:
        connection = sqlite3.connect(self.db)
        try:
            return int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
        finally:
            connection.close()

    def look(self, listener: Listener, before: Run | None) -> None:
        wrong = self.tally.wrong
        if "Traceback" in listener.talk:
            wrong.append(f"a traceback: {listener.talk[-2000:]}")
        if not self.db.exists():
            if listener.said:
                wrong.append("no database, and measurements were announced")
            return
        connection = sqlite3.connect(self.db)
        try:
            verdict = connection.execute("PRAGMA quick_check").fetchall()
            if verdict != [("ok",)]:
                wrong.append(f"quick_check: {verdict}")
            has_any = connection.execute(
                "SELECT count(*) FROM sqlite_master WHERE name = 'measurements'"
            ).fetchone()[0]
            kept = (
                {row[0] for row in connection.execute("SELECT id FROM measurements")}
                if has_any
                else set()
            )
        finally:
            connection.close()
        for said in listener.said:
            self.said[said.id] = said
            if before is not None and said.run_id != before.id:
                wrong.append(f"{said.url} went to run {said.run_id[:8]}, not {before.id[:8]}")
        missing = [said for said in self.said.values() if said.id not in kept]
        self.tally.lost += len(missing)
        wrong += [f"{said.url} was announced and is not there" for said in missing]


def kill_often(
    stage: Stage, folder: Path, *, kills: int, births: int, seed: int, concurrency: int = 12
) -> Tally:
    """*kills* over one database, and *births* over new ones, each completed afterwards."""
    chance = random.Random(seed)
    killing = Killing(stage, folder / "kills.db", chance, concurrency)
    while killing.tally.kills < kills:
        killing.once(kind=signal.SIGKILL, within=SPREAD)
    killing.complete()
    tally = killing.judge()
    for n in range(births):
        new = Killing(stage, folder / f"birth-{n}.db", chance, concurrency)
        new.once(kind=signal.SIGKILL, within=BIRTH)
        new.runs()  # opens it for writing, as the next run would
        tally.births += 1
        tally.wrong += [f"at birth: {wrong}" for wrong in new.tally.wrong]
    return tally


def table(tally: Tally, targets: int, seconds: float) -> str:
    lags = sorted(tally.lags)
    slowest = f"{lags[-1]:.2f} s" if lags else "none"
    rows = [
        ("kills", f"{tally.kills}, {min(tally.moments):.2f} to {max(tally.moments):.2f} s in"),
        ("kills of a database in its first second", str(tally.births)),
        ("runs completed", f"{tally.runs} of {targets} targets"),
        ("measurements stored, each target once a run", str(tally.measured)),
        ("announced and lost", str(tally.lost)),
        ("end of a target to its being safe, median", f"{lags[len(lags) // 2]:.2f} s"),
        ("the same, longest", slowest),
        ("broken promises", str(len(tally.wrong))),
        ("wall time", f"{seconds:.0f} s"),
    ]
    lines = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]
    return "\n".join(lines + tally.wrong)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--births", type=int, default=20)
    parser.add_argument("--targets", type=int, default=120)
    parser.add_argument("--concurrency", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="into docs/reliability.md")
    given = parser.parse_args()
    worlds = [build("plain_site", n) for n in range(given.targets)]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Stage(worlds, folder, Setting(config=HURRY)) as stage:
            tally = kill_often(
                stage, folder, kills=given.kills, births=given.births, seed=given.seed,
                concurrency=given.concurrency,
            )  # fmt: skip
    found = table(tally, given.targets, time.monotonic() - began)
    print(found)
    if given.write:
        asked = f"--kills {given.kills} --births {given.births} --write"
        put(PAGE, "kills", f"`python -m bench.kills {asked}`:\n\n{found}")
    raise SystemExit(1 if tally.wrong else 0)


if __name__ == "__main__":
    main()
