"""How small, and how soon it begins: ``python -m bench.memory [--targets 200] [--write]``.

Two fresh environments are made, a plain ``pip install .`` and one with packet capture, and the
``zond run`` of each measures one country of the lab: sites that answer, refuse, are silent, are
slow, and some that are blocked, so that the second pass has something to do. *own* is what no
other process and no file shares (anonymous memory); the rest are pages of libraries, which the
system takes back when it needs them. A run without privileges has no capabilities at all.
``--write`` puts the table into ``docs/performance.md``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.grid import mixed
from bench.pages import put
from bench.watching import Size, Watched, processor, size_in, watch
from lab.stage import Setting, Stage
from lab.trial import HURRY
from lab.world import Place, Wire, World
from lab.worlds.plan import build

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"
AIM, AIM_CAPTURE = 64.0, 96.0  # MB
HELP, FIRST_PACKET = 0.3, 1.0  # seconds
BLOCKED = ("tls_reset", "dns_nxdomain", "tcp_silence", "http_reset")
UNPRIVILEGED = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
TRIES = 5  # of what takes less than a second: the best counts, for the machine is not alone
IMPORTS = """
from probe.lean import import_libraries
import_libraries()
import probe.cli, probe.session, probe.commands.screen
from probe.nettest import discover
discover()
print(open("/proc/self/status").read())
"""


class Start(NamedTuple):
    """Seconds of the clock, and of the processor."""

    wall: float
    cpu: float


def environment(folder: Path, extra: str = "") -> Path:
    """Its ``zond``, after ``pip install .`` into a fresh environment in *folder*."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run(
        [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check",
         f"{ROOT}{extra}"], check=True,
    )  # fmt: skip
    return folder / "bin" / "zond"


def worlds(count: int) -> list[World]:
    blocked = [build(name, seed) for name in BLOCKED for seed in range(2)]
    return [*mixed(count - len(blocked)), *blocked]


def imports(zond: Path) -> Size:
    """What a run has imported before it begins."""
    done = subprocess.run(
        [zond.with_name("python"), "-c", IMPORTS], check=True, capture_output=True, text=True,
        cwd=zond.parent,
    )  # fmt: skip
    return size_in(done.stdout)


def run(zond: Path, stage: Stage, concurrency: int, before: tuple[str, ...] = ()) -> Watched:
    """One whole ``zond run``. Raises RuntimeError where it fails."""
    with tempfile.TemporaryDirectory() as name:
        process = _started(zond, stage, Path(name), concurrency, before)
        ended = watch(process.pid)
        process.returncode = os.waitstatus_to_exitcode(ended.status)
    if process.returncode != 0:
        raise RuntimeError(f"zond run ended with status {process.returncode}")
    return ended


def first_packet(zond: Path, stage: Stage) -> Start:
    """From the start of the process, as a timer starts it, to its first packet on the line."""
    best = Start(float("inf"), float("inf"))
    for _ in range(TRIES):
        with tempfile.TemporaryDirectory() as name:
            quiet = stage.country.counters()[Wire.LINE].bytes_out
            began = time.monotonic()
            process = _started(zond, stage, Path(name), 16)
            while stage.country.counters()[Wire.LINE].bytes_out == quiet:
                time.sleep(0.002)
            wall, cpu = time.monotonic() - began, processor(process.pid)
            process.kill()
            process.wait()
            best = Start(min(best.wall, wall), min(best.cpu, cpu))
        time.sleep(1)  # what the killed one had asked for is answered
    return best


def help_shown(zond: Path) -> Start:
    best = Start(float("inf"), float("inf"))
    for _ in range(TRIES):
        began = time.monotonic()
        process = subprocess.Popen([zond, "--help"], stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall, cpu = time.monotonic() - began, used.ru_utime + used.ru_stime
        best = Start(min(best.wall, wall), min(best.cpu, cpu))
    return best


def _started(
    zond: Path, stage: Stage, folder: Path, concurrency: int, before: tuple[str, ...] = ()
) -> subprocess.Popen[bytes]:
    command: list[str | os.PathLike[str]] = [
        *before, zond, "run", "--yes", "--no-upload", "--list", stage.list_file,
        "--db", folder / "bench.db", "--concurrency", str(concurrency), "--seed", "1",
    ]  # fmt: skip
    return stage.country.command(
        Place.HOME, command, env=stage.environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def table(
    sizes: dict[str, tuple[Size | Watched, float | None]],
    starts: dict[str, tuple[Start, float]],
    targets: int,
) -> str:
    lines = [
        f"`python -m bench.memory --targets {targets} --write`:", "",
        "| | peak memory | own | aim |", "|---|--:|--:|--:|",
    ]  # fmt: skip
    for what, (size, aim) in sizes.items():
        wanted = f"{aim:g} MB" if aim else ""
        lines.append(f"| {what} | {size.peak / 1e6:.0f} MB | {size.own / 1e6:.0f} MB | {wanted} |")
    lines += ["", "| | time | of it processor | aim |", "|---|--:|--:|--:|"]
    for what, (start, limit) in starts.items():
        lines.append(f"| {what} | {start.wall:.2f} s | {start.cpu:.2f} s | {limit:g} s |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--targets", type=int, default=200)
    parser.add_argument("--write", action="store_true", help="put it into docs/performance.md")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain = environment(folder / "plain")
        capturing = environment(folder / "capturing", "[packets]")
        setting = Setting(config=HURRY, icmp_ratelimit=0)
        shown = help_shown(plain)
        with Stage(worlds(given.targets), folder / "stage", setting) as stage:
            first = first_packet(plain, stage)
            sizes: dict[str, tuple[Size | Watched, float | None]] = {
                "a run's imports": (imports(plain), None),
                "run, 16 targets at once": (run(plain, stage, 16), AIM),
                "run, 50 at once": (run(plain, stage, 50), AIM),
                "run, 16 at once, without privileges": (run(plain, stage, 16, UNPRIVILEGED), AIM),
                "run with packet capture, 16 at once": (run(capturing, stage, 16), AIM_CAPTURE),
            }
        starts = {
            "`zond --help`": (shown, HELP),
            "`zond run` to its first packet": (first, FIRST_PACKET),
        }
    text = table(sizes, starts, given.targets)
    print(text)
    if given.write:
        put(PAGE, "memory", text)


if __name__ == "__main__":
    main()
