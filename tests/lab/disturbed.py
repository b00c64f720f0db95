"""A run to which something happens on its way: real `zond run` in a country without censors."""

from __future__ import annotations

import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.stage import Stage, verdicts
from probe.evidence import Measurement, Run
from probe.store import Store

PATIENCE = 300.0  # seconds for a run; one that takes longer is stuck


@dataclass(frozen=True)
class Disturbed:
    """How it ended: *announced* counts the lines of ``--json``, *outcomes* the verdicts."""

    status: int
    said: str
    announced: int
    runs: tuple[Run, ...]
    measurements: tuple[Measurement, ...]
    outcomes: Counter[str]


def run(
    stage: Stage,
    db: Path,
    happens: Callable[[subprocess.Popen[str]], None] = lambda process: None,
    *arguments: str,
    after: int = 3,
    before: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> Disturbed:
    """A run to which *happens* what is called when *after* targets are announced.

    Whatever happens: all that was announced is stored, nobody is accused, nothing is a bug.
    """
    process = stage.start_run(
        db, "--json", "--seed", "1", "--concurrency", "2", *arguments, before=before, env=env
    )
    assert process.stdout is not None
    announced = 0
    stuck = threading.Event()

    def end() -> None:
        stuck.set()
        process.kill()

    timer = threading.Timer(PATIENCE, end)
    timer.start()
    try:
        for line in process.stdout:
            announced += line.endswith("\n")
            if announced == after:
                happens(process)
        _, said = process.communicate()
    finally:
        timer.cancel()
    assert not stuck.is_set(), f"after {announced} targets and {PATIENCE:g} s it still ran: {said}"
    assert "Traceback" not in said, said
    ended = look(db, process.returncode, said, announced)
    assert announced <= len(ended.measurements), said
    return ended


def look(db: Path, status: int = 0, said: str = "", announced: int = 0) -> Disturbed:
    """What is in *db*, in which nobody is accused."""
    with Store(db) as store:
        runs, measurements = tuple(store.runs()), tuple(store.measurements())
    found = verdicts(db)
    accused = {url: line for url, line in found.items() if line["outcome"] == "blocked"}
    assert {} == accused, said
    return Disturbed(
        status, said, announced, runs, measurements,
        Counter(str(line["outcome"]) for line in found.values()),
    )  # fmt: skip
