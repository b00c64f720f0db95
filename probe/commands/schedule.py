"""``zond schedule``: runs by a timer or by cron, what became of them, and their end.

Nothing is installed before somebody has agreed to measuring; a turn runs by what is recorded
then, so that whoever withdraws it has ended the runs as well.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from probe import places
from probe.ending import BAD_ARGUMENTS, DONE, NO_CONSENT, NOTHING_MEASURED, Problem

if TYPE_CHECKING:
    from probe.schedule.plan import Plan

MEMORY = 256  # MB


@click.group()
def schedule() -> None:
    """Measure again and again without anybody there, by a systemd timer or by cron."""


@schedule.command()
@click.option("--every", type=click.Choice(["1", "2", "3", "4", "6", "8", "12", "24"]),
              default="24", show_default=True, help="Hours between runs.")
@click.option("--by", type=click.Choice(["systemd", "cron"]), help="What starts the runs.")
@click.option("--system", is_flag=True, help="A unit of the system: runs with nobody logged in.")
@click.option("--as", "account", metavar="USER", help="Whose unit of the system it is.")
@click.option("--name", default=places.name, help="What the unit is called.")
@click.option("--minutes", type=click.IntRange(1, 1440), default=180, show_default=True,
              help="A run is ended after that.")
@click.option("--memory", type=click.IntRange(96), default=MEMORY, show_default=True,
              help="Megabytes that a unit may have.")
@click.option("--min-battery", type=click.IntRange(0, 100), default=30, show_default=True,
              help="No run on a battery with less per cent than that.")
@click.option("--metered", is_flag=True, help="Also on lines that cost by the byte.")
@click.option("--dry-run", is_flag=True, help="Show what would be written; change nothing.")
@click.argument("run_arguments", nargs=-1, metavar="[-- ARGUMENTS OF zond run]")
def install(run_arguments: tuple[str, ...], **given: Any) -> None:
    """Have ``zond run`` started again and again from now on.

    Example: zond schedule install --every 6 -- --list my.csv
    """  # fmt: skip
    from probe.schedule import cron, systemd
    from probe.schedule.making import agreed, hand_over_consent, plan_of
    from probe.schedule.plan import is_name
    from probe.schedule.standing import installed
    from probe.schedule.telling import in_words

    if not hasattr(os, "geteuid"):
        raise Problem("this system has no timer that zond knows; zond schedule keep stays instead")
    if not is_name(given["name"]):
        raise Problem("--name: letters, digits, - and _ only", BAD_ARGUMENTS)
    system = given["system"] or given["account"] is not None
    by = _by(given["by"], system=system, only_shown=given["dry_run"])
    system = system or (by == "systemd" and os.geteuid() == 0)
    plan = plan_of(given, run_arguments, system=system)
    if not agreed(plan):
        raise Problem(
            "nobody has agreed to measuring from here: start zond run once, or see"
            f" zond consent --help (looked for in {plan.folder})", NO_CONSENT,
        )  # fmt: skip
    if given["dry_run"]:
        return _show(plan, by, system=system)
    try:
        if by == "cron":
            cron.install(plan)
        else:
            if system and not plan.user:
                hand_over_consent(plan)
            files = systemd.install(plan, system=system)
            click.echo("written: " + ", ".join(map(str, files)), err=True)
    except OSError as exc:
        hint = "; as root, or without --system" if isinstance(exc, PermissionError) else ""
        raise Problem(f"{exc.filename or plan.name}: {exc.strerror or exc}{hint}") from exc
    for each in installed():
        if each.plan == plan:
            click.echo(in_words(each), err=True)
    if by == "systemd" and not system and systemd.lingers() is False:
        click.echo(
            "it runs only while you are logged in; `loginctl enable-linger` changes that", err=True
        )
    if any(n.startswith("ZOND_") and n != "ZOND_NAME" for n in os.environ):  # that one is ours
        click.echo("ZOND_… variables do not reach the runs: what they say goes into zond.toml",
                   err=True)  # fmt: skip
    click.echo("how it goes: zond schedule status; its end: zond schedule remove", err=True)


@schedule.command()
@click.option("--json", "as_json", is_flag=True, help="As a line of JSON.")
def status(as_json: bool) -> None:
    """Show the last runs, and the next.

    Example: zond schedule status
    """
    from probe.schedule.standing import installed
    from probe.schedule.telling import as_data, in_words, local_time, turns

    found = installed()
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(list(map(as_data, found))))
        return
    if not found:
        click.echo("nothing is scheduled: zond schedule install")
    for each in found:
        click.echo(in_words(each))
        for at, what in turns(each.plan):
            click.echo(f"  {local_time(at)}  {what}")


@schedule.command()
@click.option("--name", help="Only the one with this name.")
def remove(name: str | None) -> None:
    """Take away what ``zond schedule install`` has put there. Measurements stay.

    Example: zond schedule remove
    """
    from probe.schedule import standing

    wanted = [each for each in standing.installed() if name in (None, each.plan.name)]
    if not wanted:
        click.echo("nothing is scheduled", err=True)
        return
    if problems := standing.remove(wanted):
        raise Problem("; ".join(problems))
    click.echo("removed; what was measured is still there (zond wipe removes it)", err=True)


@schedule.command()
@click.option("--every", type=click.Choice(["1", "2", "3", "4", "6", "8", "12", "24"]),
              default="24", show_default=True, help="Hours between runs.")
@click.option("--minutes", type=click.IntRange(1, 1440), default=180, show_default=True,
              help="A run is ended after that.")
@click.option("--metered", is_flag=True, help="Also on lines that cost by the byte.")
@click.argument("run_arguments", nargs=-1, metavar="[-- ARGUMENTS OF zond run]")
def keep(every: str, minutes: int, metered: bool, run_arguments: tuple[str, ...]) -> None:
    """Stay, and start the runs: in a container, or where there is no other timer.

    Example: zond schedule keep --every 6
    """  # fmt: skip
    from probe.consent import agreement
    from probe.places import data_directory
    from probe.schedule import keeping
    from probe.schedule.making import arguments_of, program
    from probe.schedule.slots import Slots

    arguments, _ = arguments_of(run_arguments)
    folder = data_directory()
    if not agreement.recorded(folder):
        raise Problem(f"nobody has agreed to measuring (looked for in {folder})", NO_CONSENT)
    options = ["--metered"] if metered else []
    command = [*program(), "schedule", "now", *options, "--", *arguments]
    slots = Slots(int(every), secrets.randbelow(int(every) * 60), secrets.token_hex(8))
    click.echo(f"runs every {every} h from now on", err=True)
    try:
        keeping.keep(command, slots, folder, minutes * 60)
    except keeping.Ended as exc:
        sys.exit(128 + exc.number)


@schedule.command()
@click.option("--hours", type=click.FloatRange(min=0), default=50, show_default=True,
              help="It is ill if no turn came for so long.")
def check(hours: float) -> None:
    """Say whether turns come: the health check of a container.

    Example: zond schedule check --hours 3
    """  # fmt: skip
    from probe.places import data_directory
    from probe.schedule.keeping import latest
    from probe.schedule.telling import local_time

    at = latest(data_directory())
    if at is None:
        raise Problem("no turn yet")
    if time.time() - at > hours * 3600:
        raise Problem(f"no turn since {local_time(at)}")
    click.echo(f"the last turn was at {local_time(at)}")


@schedule.command(hidden=True)
@click.option("--min-battery", type=click.IntRange(0, 100), default=0)
@click.option("--metered", "also_metered", is_flag=True)
@click.option("--cron", "name", help="The name of the schedule in the crontab.")
@click.option("--wait", type=click.FloatRange(0, 3600), default=120, help="Seconds for a network.")
@click.argument("run_arguments", nargs=-1)
def now(
    min_battery: int, also_metered: bool, name: str | None, wait: float,
    run_arguments: tuple[str, ...],
) -> None:  # fmt: skip
    """One turn: what the timer starts. A run, unless now is no good moment for one."""
    from probe.consent import agreement
    from probe.places import data_directory
    from probe.schedule import cron, diary, surroundings
    from probe.schedule.making import program

    folder = data_directory()
    command = [*program(), "run", *run_arguments]
    slots = None
    try:
        if name is not None:
            plan = next((i.plan for i in cron.found() if i.plan.name == name), None)
            if plan is None:
                raise Problem(f"no schedule {name!r} in the crontab", BAD_ARGUMENTS)
            slots = cron.slots(plan)
            if not slots.due(time.time(), diary.last_turn(folder)):
                return
            command = cron.gently(plan, command)
        if not agreement.recorded(folder):
            return _leave_out(folder, "nobody agrees to measuring any more", NO_CONSENT)
        power = surroundings.power()
        if power.low(min_battery):
            return _leave_out(folder, f"on battery, {power.percent} % left")
        if lacks := surroundings.wait_for_network(wait, lambda: surroundings.lacking(folder)):
            return _leave_out(folder, lacks, NOTHING_MEASURED)
        if not also_metered and surroundings.metered() == "yes":
            return _leave_out(folder, "this line costs by the byte")
        diary.note(folder, "began")
    except OSError as exc:
        raise Problem(f"{exc.filename or folder}: {exc.strerror or exc}") from exc
    if os.name == "nt":  # where the new program would not take this one's place
        sys.exit(subprocess.call(command))  # noqa: S603 - our own program
    # In its place: a small device has no memory for one that waits beside it.
    os.execvp(command[0], command)  # noqa: S606 - no shell


def _leave_out(folder: Path, why: str, status: int = DONE) -> None:
    from probe.schedule import diary

    latest = diary.entries(folder)[-1:]
    if not latest or (latest[0].what, latest[0].why) != ("left out", why):
        diary.note(folder, "left out", why)  # once, and not every quarter of an hour
    click.echo(f"no run now: {why}", err=True)
    sys.exit(status)


def _by(wanted: str | None, *, system: bool, only_shown: bool) -> str:
    """What starts the runs: systemd where it runs, else cron."""
    from probe.schedule import cron, systemd

    system = system or os.geteuid() == 0
    if wanted is not None and only_shown:
        return wanted
    if wanted != "cron" and systemd.runs_here(system=system):
        return "systemd"
    if wanted != "systemd" and cron.runs_here():
        return "cron"
    raise Problem(f"{wanted or 'neither systemd nor cron'} is not there to start runs")


def _show(plan: Plan, by: str, *, system: bool) -> None:
    from probe.schedule import cron, systemd

    if by == "cron":
        click.echo("\n".join(["# added to the crontab", *cron.lines(plan)]))
        return
    place = systemd.folder(system=system)
    click.echo(f"# {place / plan.name}.service\n{systemd.service(plan, system=system)}")
    click.echo(f"# {place / plan.name}.timer\n{systemd.timer(plan)}")
