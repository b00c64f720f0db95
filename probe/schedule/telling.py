"""What there is to say of a schedule: when it runs, and what became of its last turns."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec

from probe.schedule import diary
from probe.schedule.plan import Installed, Plan
from probe.store import Store, StoreError

TURNS = 10  # told of


def in_words(installed: Installed) -> str:
    """When it runs, in a line."""
    plan = installed.plan
    whose = f", as {plan.user}" if plan.user else ""
    words = f"{plan.name}: every {plan.every} h by {installed.by}{whose}"
    if installed.running:
        words += "; running now"
    if installed.next_at is not None:
        words += f"; next {local_time(installed.next_at)}"
    return words + (f"; {installed.trouble}" if installed.trouble else "")


def as_data(installed: Installed) -> dict[str, Any]:
    """The same for programs, with its last turns."""
    of_each = [{"at": at, "what": what} for at, what in turns(installed.plan)]
    return {**msgspec.to_builtins(installed), "turns": of_each}


def turns(plan: Plan) -> list[tuple[float, str]]:
    """The last turns: when, and what came of each, by the diary and by the database."""
    entries = diary.entries(plan.data)
    runs = _runs(Path(plan.database))
    what_came = []
    ends = [*(entry.at for entry in entries[1:]), float("inf")]
    for entry, until in zip(entries, ends, strict=False):
        if entry.what == "left out":
            what_came.append((entry.at, f"left out: {entry.why}"))
            continue
        of_turn = [what for at, what in runs if entry.at - 1 <= at < until]
        what_came.append((entry.at, of_turn[0] if of_turn else "began, and no run came of it"))
    return what_came[-TURNS:]


def local_time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def _runs(database: Path) -> list[tuple[float, str]]:
    """When the runs began by this machine's clock, and how they ended."""
    try:
        with Store(database) as store:
            sizes = store.sizes()
            return [
                (
                    run.started_at - (run.clock_offset or 0.0),
                    f"{run.ended or 'not ended (it runs, or was killed)'},"
                    f" {sizes.get(run.id, (0, 0))[0]} measured",
                )
                for run in store.runs()
                if not run.imported
            ]
    except (OSError, StoreError):
        return []  # there is none yet, or another's
