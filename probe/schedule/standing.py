"""The schedules that there are, by whatever they were installed, and their end."""

from __future__ import annotations

from collections.abc import Sequence

from probe.ending import Problem
from probe.schedule import cron, diary, systemd
from probe.schedule.plan import Installed


def installed() -> list[Installed]:
    """Every schedule of the system and of this user. Raises `Problem`."""
    try:
        return [*systemd.found(system=True), *systemd.found(system=False), *cron.found()]
    except OSError as exc:
        raise Problem(f"{exc.filename}: {exc.strerror or exc}") from exc


def remove(schedules: Sequence[Installed]) -> list[str]:
    """Take *schedules* away, their diaries too; what could not be, in a line each."""
    problems = []
    for each in schedules:
        try:
            (cron if each.by == "cron" else systemd).remove(each)
            (each.plan.data / diary.FILE).unlink(missing_ok=True)
            for copy in each.plan.data.glob("consent*.json") if each.plan.agreed else ():
                copy.unlink()
        except (OSError, Problem) as exc:
            hint = " (as root?)" if isinstance(exc, PermissionError) else ""
            problems.append(f"the schedule {each.plan.name} ({each.by}) stays: {exc}{hint}")
    return problems
