"""Turns by a process that stays: in a container, and where there is neither systemd nor cron.

It holds the moments of `probe.schedule.slots` and starts each turn as a program of its own, so
that nothing a run leaves in memory adds up over a year. It may be the first process of a
container, which gets no default action for a signal: it hands SIGTERM on, and waits.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from probe.schedule import diary
from probe.schedule.slots import TICK, Slots

PATIENCE = 90.0  # seconds that a run has to end in order


class Ended(Exception):
    """A signal asked for the end; *number* is its."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def keep(
    command: list[str], slots: Slots, folder: Path, seconds: float,
    *, sleep: Callable[[float], None] = time.sleep, clock: Callable[[], float] = time.time,
) -> None:  # fmt: skip
    """Start *command* when it is due, for *seconds* at most, until a signal: raises `Ended`."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    while True:
        last = diary.last_turn(folder)
        if slots.due(clock(), last):
            _turn(command, seconds)
        # Never long: the clock may be put right meanwhile, or the machine sleep.
        wait = slots.next(clock(), diary.last_turn(folder)) - clock()
        sleep(min(TICK * 60.0, max(60.0, wait)))


def _turn(command: list[str], seconds: float) -> None:
    with subprocess.Popen(command) as process:  # noqa: S603 - our own program
        try:
            process.wait(seconds)
        except (subprocess.TimeoutExpired, Ended) as exc:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
            if isinstance(exc, Ended):
                raise


def _end(number: int, frame: FrameType | None) -> None:
    raise Ended(number)


def latest(folder: Path) -> float | None:
    """When a turn was last had or left out, POSIX seconds; None: never."""
    return max((entry.at for entry in diary.entries(folder)), default=None)
