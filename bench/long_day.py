"""A day of hourly runs in less than one: does anything grow that ought not to?

    python -m bench.long_day [--minutes 60] [--hours 24] [--targets 40] [--write]

A country with two controls, a collector, and a machine that measures a list every hour as its
timer makes it (agreed to once, shared after each run, a database of so many megabytes at most, the
second pass included); beside it one run that lasts all the time, over a list too long for it. The
hours are put into so many minutes. The controls and the collector live through all of them, as
ordinary programs; between the runs the kernel is asked for their memory, files and threads, and
they themselves (a signal to an instrument of this bench's) for their tasks and what their
garbage collector tracks.

The slope is that of a straight line through the second half of the hours: the first fills caches.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.pages import put
from bench.watching import size
from lab.stage import Setting, Stage, first_line
from lab.trial import HURRY
from lab.world import Place, World
from lab.worlds.plan import build
from probe.formats.batch import CollectorSecret
from probe.store import Store
from probe.upload.outbox import Outbox

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
MIX = {
    "plain_site": 6, "https_only_site": 4, "redirect_to_www": 4, "site_refuses": 2, "tls_reset": 2,
    "http_blockpage_listed": 1, "dns_substituted": 1,
}  # fmt: skip
DATABASE = 8  # MB
LONG = {"ZOND_LIMITS__CONNECTIONS_PER_SECOND": "8", "ZOND_BUDGET__DATABASE_BYTES": "2000000000"}
ROWS = 12  # of the table
PATIENCE = 10.0  # seconds for a program to count its tasks
# Read by each Python program before it begins, as `sitecustomize` is.
INSTRUMENT = """
import gc, os, signal, sys

def look(number, frame):
    tasks, trio = 0, sys.modules.get("trio")
    if trio is not None:
        try:
            left = [trio.lowlevel.current_root_task()]
        except RuntimeError:
            left = []
        while left:
            task = left.pop()
            if task is not None:
                tasks += 1
                left += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    path = os.path.join(os.environ["LONG_DAY"], str(os.getpid()))
    with open(path + ".new", "w") as file:
        file.write(f"{tasks} {len(gc.get_objects())}")
    os.replace(path + ".new", path)

if "LONG_DAY" in os.environ:
    signal.signal(signal.SIGUSR2, look)
"""


@dataclass(frozen=True)
class Look:
    """Of one program at one moment; *resident* and *private* memory in bytes."""

    resident: int
    private: int
    files: int
    threads: int
    tasks: int
    objects: int


@dataclass(frozen=True)
class Hour:
    """After so many *hours*: each program by name, *sizes* of what is kept in bytes by name, and
    how the run of that hour ended."""

    hours: float
    looks: Mapping[str, Look]
    sizes: Mapping[str, int]
    status: int
    seconds: float


class Day(Stage):
    """A stage whose programs carry the instrument."""

    def __init__(self, worlds: Sequence[World], folder: Path) -> None:
        super().__init__(worlds, folder, Setting(config=HURRY, icmp_ratelimit=0))
        self.told = folder / "told"
        self.told.mkdir(parents=True)
        (folder / "instrument").mkdir()
        (folder / "instrument" / "sitecustomize.py").write_text(INSTRUMENT)
        self.programs: dict[str, subprocess.Popen[Any]] = {}

    def environment(self, **more: str) -> dict[str, str]:
        paths = [str(self.folder / "instrument"), *filter(None, [os.environ.get("PYTHONPATH")])]
        added = {"PYTHONPATH": os.pathsep.join(paths), "LONG_DAY": str(self.told)}
        return super().environment(**added | more)

    def zond(self, *arguments: str | os.PathLike[str], **given: Any) -> subprocess.Popen[Any]:
        process = super().zond(*arguments, **given)
        if arguments[:2] == ("control", "serve"):
            self.programs[f"control {len(self.programs) + 1}"] = process
        return process

    def look(self, process: subprocess.Popen[Any]) -> Look:
        told = self.told / str(process.pid)
        told.unlink(missing_ok=True)
        process.send_signal(signal.SIGUSR2)
        until = time.monotonic() + PATIENCE
        while not told.exists():
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{process.args!r} does not answer: {process.poll()}")
            time.sleep(0.05)
        tasks, objects = map(int, told.read_text().split())
        here = Path(f"/proc/{process.pid}")
        held = size(process.pid)
        return Look(
            held.resident, held.own,
            len(os.listdir(here / "fd")), len(os.listdir(here / "task")), tasks, objects,
        )  # fmt: skip

    def wait_for(self, *arguments: str | os.PathLike[str], **given: Any) -> int:
        with self.zond(
            *arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **given
        ) as process:
            said = process.communicate()[1]
        if "Traceback" in said or process.returncode not in (0, 5):
            raise RuntimeError(f"zond {arguments[0]}: {process.returncode}: {said}")
        return int(process.returncode)


def worlds(targets: int) -> list[World]:
    names = [name for name, share in MIX.items() for _ in range(share)]
    return [build(names[n % len(names)], n) for n in range(targets)]


def live(hours: int, minutes: float, targets: int, folder: Path) -> list[Hour]:
    """The day, hour by hour; an hour takes its share of *minutes*, and as long as its run."""
    with Day(worlds(targets), folder / "stage") as day:
        collected, db = folder / "collected", folder / "z.db"
        (address, *_), _ = day.country.control_addresses
        secret, key = CollectorSecret(), folder / "secret.key"
        key.write_bytes(secret.raw)
        key.chmod(0o600)
        collector = day.zond(
            "collector", "serve", "--listen", f"{address}:8080", "--data", collected, "--key", key,
            place=Place.CONTROL_1, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert collector.stderr is not None
        if "http://" not in first_line(collector.stderr):
            raise RuntimeError("the collector did not start")
        day.programs["collector"] = collector
        with (day.folder / "zond.toml").open("a") as file:
            file.write(f"[budget]\ndatabase_bytes = {DATABASE}_000_000\nreserve_bytes = 0\n")
            file.write('[upload]\ncollector = "http://control-1.zond.example:8080/"\n')
            file.write(f'key = "{secret.public}"\n')
            file.write("personal = true\n")  # no world's site is on a carried list
        day.wait_for(
            "consent", "--yes", "--tiers", "low,medium,high", "--upload", "yes", "--networks", "any"
        )
        long = folder / "long.csv"
        lines = int(40 * minutes) + 200  # more than it comes to
        long.write_text("".join(f"{w.url}{n}\n" for n in range(lines) for w in day.worlds[:4]))
        day.programs["a run that lasts"] = day.zond(
            "run", "--yes", "--no-upload", "--list", long, "--db", folder / "long.db",
            "--no-follow-up", "--concurrency", "2", stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env=LONG,
        )  # fmt: skip
        began, found = time.monotonic(), []
        for hour in range(hours):
            started = time.monotonic()
            status = day.wait_for("run", "--list", day.list_file, "--db", db)
            seconds = time.monotonic() - started
            # The looks come last, when what the run had open has been closed.
            time.sleep(max(0.0, began + (hour + 1) * minutes * 60 / hours - time.monotonic()))
            found.append(Hour(
                hour + 1, {name: day.look(process) for name, process in day.programs.items()},
                _sizes(db, collected), status, seconds,
            ))  # fmt: skip
            print(_row(found[-1]), flush=True)
        _all_arrived(db)
    return found


def _sizes(db: Path, collected: Path) -> dict[str, int]:
    files = [path for path in collected.rglob("*") if path.is_file()]
    return {
        "database": db.stat().st_size, "collected": sum(path.stat().st_size for path in files),
    }  # fmt: skip


def _all_arrived(db: Path) -> None:
    with Outbox(db) as outbox:
        if waiting := outbox.counts().measurements:
            raise RuntimeError(f"{waiting} measurements were not delivered")
    with Store(db) as store:
        if ended := [run.ended for run in store.runs() if run.ended != "done"]:
            raise RuntimeError(f"runs that ended otherwise: {ended}")


def slope(hours: Sequence[float], values: Sequence[float]) -> float:
    """Growth in 24 hours, by a straight line through the second half."""
    later = slice(len(hours) // 2, None)
    if len(hours[later]) < 2:
        return 0.0
    return statistics.linear_regression(hours[later], values[later]).slope * 24


def _row(hour: Hour) -> str:
    looks = " | ".join(
        f"{x.resident / 1e6:.1f}, {x.private / 1e6:.1f}, {x.files}, {x.threads}, {x.tasks},"
        f" {x.objects / 1000:.0f}"
        for x in hour.looks.values()
    )
    sizes = " | ".join(f"{size / 1e6:.1f}" for size in hour.sizes.values())
    return f"| {hour.hours:g} | {looks} | {sizes} | {hour.seconds:.0f} s |"


def table(found: Sequence[Hour], arguments: Sequence[str], seconds: float) -> str:
    at = [hour.hours for hour in found]
    names = list(found[0].looks)
    head = ["hour", *names, "database MB", "collected MB", "run"]
    growth = []
    for name in names:
        looks = [hour.looks[name] for hour in found]
        grows = [
            slope(at, [value(x) for x in looks])
            for value in (
                lambda x: x.resident / 1e6, lambda x: x.private / 1e6, lambda x: float(x.files),
                lambda x: float(x.threads), lambda x: float(x.tasks), lambda x: x.objects / 1e3,
            )
        ]  # fmt: skip
        growth.append(", ".join(f"{g:+.1f}" for g in grows))
    growth += [
        f"{slope(at, [hour.sizes[name] / 1e6 for hour in found]):+.1f}" for name in found[0].sizes
    ]
    growth.append("")
    every = max(1, -(-len(found) // ROWS))
    shown = [h for n, h in enumerate(found) if n % every == 0 or n == len(found) - 1]
    command = " ".join(["python -m bench.long_day", *arguments])
    lines = [
        f"`{command}`: {len(found)} runs in {seconds / 60:.0f} minutes. Of each program: resident"
        " memory in MB, of it its own, files, threads, tasks, thousands of objects.", "",
        f"| {' | '.join(head)} |", f"|{'--:|' * len(head)}", *map(_row, shown),
        f"| in 24 hours | {' | '.join(growth)} |",
    ]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="that the day takes")
    parser.add_argument("--hours", type=int, default=24, help="of the day")
    parser.add_argument("--targets", type=int, default=40)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        found = live(given.hours, given.minutes, given.targets, Path(name))
    text = table(found, sys.argv[1:], time.monotonic() - began)
    print(text)
    if given.write:
        put(PAGE, "long_day", text)


if __name__ == "__main__":
    main()
