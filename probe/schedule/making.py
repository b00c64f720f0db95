"""From what the command line asks for to a plan that holds when nobody is there.

A run that a timer starts has no folder it was typed in, no variables of a shell, and perhaps
another user: all that would differ then is settled, or refused, when it is installed.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from probe.config import Config, ConfigError, load
from probe.consent import agreement
from probe.ending import BAD_ARGUMENTS, Problem
from probe.places import config_file, data_directory
from probe.schedule import systemd
from probe.schedule.plan import Plan

PATHS = ("--list", "--config", "--db")  # options of run whose files a timer must find as well


def plan_of(given: dict[str, Any], words: Sequence[str], *, system: bool) -> Plan:
    """The plan of ``zond schedule install`` with the options *given* and *words* for ``zond
    run``; *system*: for a unit of the system. Raises `Problem`."""
    every = int(given["every"])
    user = ""
    folder, settings, command = data_directory(), config_file(), program()
    if system:
        user = given["account"] or os.environ.get("SUDO_USER", "")
        user = "" if user == "root" else user
        data, config = Path(systemd.STATE), Path("/etc")
        number = None
        if user:
            home, number = _account(user)
            data, config = home / ".local/share", home / ".config"
        folder, settings = data / folder.name, config / settings.parent.name / settings.name
        for file in (*command, sys.executable):
            if closed := systemd.closed_to(file, number):
                raise Problem(
                    f"{file} cannot be started by the service: {closed} is closed to its user."
                    " Install zond where everybody may start it", BAD_ARGUMENTS,
                )  # fmt: skip
    arguments, found = arguments_of(words, settings)
    database = found.database if found.db else folder / found.database.name
    return Plan(
        name=given["name"], program=command, arguments=arguments, every=every,
        start=secrets.randbelow(every * 60), seconds=given["minutes"] * 60,
        memory=given["memory"] * 2**20, user=user, folder=str(folder),
        database=str(database.expanduser().absolute()),
        agreed=str(data_directory() / "consent.json") if system and not user else "",
        min_battery=given["min_battery"], metered=given["metered"],
    )  # fmt: skip


def arguments_of(
    words: Sequence[str], usual: Path | None = None
) -> tuple[tuple[str, ...], Config]:
    """The arguments of ``zond run``, understood, with paths that hold from any folder; and the
    settings that the runs will have, by the file *usual* where no other is named."""
    found = []
    before = ""
    for word in words:
        option, equals, value = word.partition("=")
        if before in PATHS and Path(word).exists():
            word = str(Path(word).absolute())
        elif equals and option in PATHS and Path(value).exists():
            word = f"{option}={Path(value).absolute()}"
        before = word
        found.append(word)
    from probe.commands.run import run  # whose options these are

    context = run.make_context("zond run", list(found))
    if context.params["yes"]:
        raise Problem("--yes: a schedule runs by what was agreed to and recorded", BAD_ARGUMENTS)
    flags = {"db": context.params["db"]} if context.params["db"] else {}
    file = context.params["config_path"] or (usual if usual and usual.is_file() else None)
    try:
        # Variables of this shell are not there when a timer starts a run.
        return tuple(found), load(file, {}, flags)
    except ConfigError as exc:
        raise Problem(str(exc), BAD_ARGUMENTS) from exc


def _account(user: str) -> tuple[Path, int]:
    """Home and number of *user*."""
    import pwd

    try:
        found = pwd.getpwnam(user)
    except KeyError as exc:
        raise Problem(f"--as: there is no user {user}", BAD_ARGUMENTS) from exc
    return Path(found.pw_dir), found.pw_uid


def program() -> tuple[str, ...]:
    """How this program is started, wherever it was installed to."""
    started = Path(sys.argv[0]).absolute()
    beside = Path(sys.executable).with_name("zond")
    if os.access(started, os.X_OK):
        return (str(started),)
    # The single file (docs/install.md), started as `python3 zond.pyz`, has no program beside it.
    return (str(beside),) if beside.exists() else (sys.executable, str(started))


def agreed(plan: Plan) -> bool:
    """Whether the one for whom it runs has agreed; root speaks for a user that is made up."""
    return agreement.recorded(data_directory() if plan.agreed else plan.data)


def hand_over_consent(plan: Plan) -> None:
    """Root's latest word where the user that systemd makes up will look for it, who may not
    read root's own files. Raises OSError."""
    plan.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in data_directory().glob("consent*.json"):
        shutil.copyfile(file, plan.data / file.name)
