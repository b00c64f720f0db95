"""Lines in the user's crontab: every quarter of an hour, since cron knows no catching up.

What systemd does for its units is done by the turn itself: moments (`probe.schedule.slots`),
low priority and a limit of time. The other lines of the crontab are left as they are.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time

import msgspec

from probe.ending import Problem
from probe.schedule import diary
from probe.schedule.plan import Installed, Plan, read, written
from probe.schedule.slots import TICK, Slots

MARK = "# schedule: "
PATIENCE = 90  # seconds that a run has to end in order
_TIMEOUT = 30.0


def lines(plan: Plan) -> list[str]:
    """What is added to the crontab. A per cent sign is cron's line break, unless escaped."""
    first = plan.start % TICK
    minutes = ",".join(str(m) for m in range(first, 60, TICK))
    words = [*plan.now, "--cron", plan.name, "--", *plan.arguments]
    command = shlex.join(words).replace("%", r"\%")
    return [MARK + written(plan), f"{minutes} * * * * {command} >/dev/null 2>&1"]


def runs_here() -> bool:
    """Whether this user can have a crontab. That the daemon runs, cron tells nobody."""
    return shutil.which("crontab") is not None


def slots(plan: Plan) -> Slots:
    """When its turns are."""
    return Slots(plan.every, plan.start, written(plan))


def install(plan: Plan) -> None:
    """Add its lines to the crontab, in place of those of the same name. Raises `Problem`."""
    _write([*_without(plan.name, _crontab()), *lines(plan)])


def found() -> list[Installed]:
    """The schedules in the crontab. Raises `Problem`."""
    schedules = []
    for line in _crontab():
        if (plan := _plan_in(line)) is not None:
            last = diary.last_turn(plan.data)
            next_at = slots(plan).next(time.time(), last)
            schedules.append(Installed(by="cron", plan=plan, next_at=next_at))
    return schedules


def remove(schedule: Installed) -> None:
    """Take its lines out of the crontab; an empty crontab goes. Raises `Problem`."""
    kept = _without(schedule.plan.name, _crontab())
    if any(line.strip() for line in kept):
        _write(kept)
    elif (done := _run(["crontab", "-r"])).returncode != 0:
        raise Problem(f"crontab -r: {done.stderr.strip()}")


def gently(plan: Plan, command: list[str]) -> list[str]:
    """*command* within what cron does not limit: its time, and its share of disk and CPU."""
    os.nice(10)
    if ionice := shutil.which("ionice"):
        command = [ionice, "-c", "3", *command]
    if timeout := shutil.which("timeout"):
        command = [timeout, "-s", "TERM", "-k", str(PATIENCE), str(plan.seconds), *command]
    return command


def _without(name: str, crontab: list[str]) -> list[str]:
    """*crontab* but for the lines of the schedule *name*: the marked one and that below it."""
    kept: list[str] = []
    skip = False
    for line in crontab:
        plan = _plan_in(line)
        if plan is not None and plan.name == name:
            skip = True
            continue
        if not skip:
            kept.append(line)
        skip = False
    return kept


def _plan_in(line: str) -> Plan | None:
    if not line.startswith(MARK):
        return None
    try:
        return read(line.removeprefix(MARK))
    except msgspec.DecodeError:
        return None


def _crontab() -> list[str]:
    if not runs_here():
        return []
    done = _run(["crontab", "-l"])
    if done.returncode != 0 and "no crontab" not in done.stderr:
        raise Problem(f"crontab -l: {done.stderr.strip()}")  # never write over what is not known
    return done.stdout.splitlines() if done.returncode == 0 else []


def _write(crontab: list[str]) -> None:
    done = _run(["crontab", "-"], "\n".join(crontab) + "\n")
    if done.returncode != 0:
        raise Problem(f"crontab: {done.stderr.strip()}")


def _run(command: list[str], text: str = "") -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - no shell, and the words are ours
            command, input=text, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return subprocess.CompletedProcess(command, 1, "", str(exc))
