"""``zond wipe``: everything that zond keeps here is removed, and what stays is named.

What would be lost is said before. It needs no password and no readable database: who has to
hurry must be able to.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from probe.ending import IN_PART, NO_CONSENT, Problem
from probe.i18n import _, language_option, paragraph, plural

if TYPE_CHECKING:
    from probe.config import Config
    from probe.schedule.plan import Installed
    from probe.wipe import Places


@click.command()
@click.option("--db", "databases", multiple=True, help="Another database to remove as well.")
@click.option("--dry-run", is_flag=True, help="Show what would be removed; remove nothing.")
@click.option("--yes", is_flag=True, help="Remove it without asking.")
@language_option
def wipe(databases: Sequence[str], dry_run: bool, yes: bool) -> None:
    """Remove what zond keeps on this machine: database, keys, settings, schedule, what was
    agreed to. A run that goes on is ended first.

    Example: zond wipe
    """
    from probe.consent.questions import somebody_is_here, yes_or_no
    from probe.wipe import remove, stop_runs

    schedules, problems = _schedules()
    config = _config()
    found = _places(config, schedules, databases)
    files = found.files()
    if not files and not schedules:
        click.echo(_("There is nothing of zond's here."), err=True)
        return _say_what_stays(found)
    for path in files:
        click.echo(str(path))
    for each in schedules:
        click.echo(_("the schedule {name} ({by})", name=each.plan.name, by=each.by))
    for database in sorted(found.databases):
        _say_what_was_not_shared(database)
    if dry_run:
        return
    if not yes:
        if not somebody_is_here():
            raise Problem(_("nobody was asked, so nothing was removed (--yes)"), NO_CONSENT)
        if not yes_or_no(_("Remove all of this for ever?"), default=False):
            raise Problem(_("nothing was removed"), NO_CONSENT)
    if schedules:
        from probe.schedule import standing

        problems += standing.remove(schedules)
    stop_runs(found.databases)
    problems += remove(found)
    for problem in problems:
        click.echo(_("not removed: {what}", what=problem), err=True)
    if not problems:
        count = len(files)
        click.echo(plural("{count} file is gone.", "{count} files are gone.", count), err=True)
    _say_what_stays(found)
    if problems:
        sys.exit(IN_PART)


def _config() -> Config | None:
    """The settings, where they can be read: those that cannot are removed all the same."""
    from probe.config import ConfigError, load

    try:
        return load(None, os.environ, {})
    except ConfigError:
        return None


def _schedules() -> tuple[list[Installed], list[str]]:
    from probe.schedule import standing

    mine = {"", getpass.getuser(), os.environ.get("SUDO_USER", "")}
    try:
        return [each for each in standing.installed() if each.plan.user in mine], []
    except Problem as exc:
        return [], [exc.message]


def _places(
    config: Config | None, schedules: Sequence[Installed], databases: Sequence[str]
) -> Places:
    from probe import settings_file
    from probe.wipe import Places, usual_places

    usual = usual_places()
    named = [Path(database).expanduser() for database in databases]
    carried: list[Path] = []
    if config is not None:
        named.append(config.database)
        if config.upload.file:
            carried.append(Path(config.upload.file).expanduser())
    named += [Path(each.plan.database) for each in schedules if each.plan.database]
    folders = [each.plan.data for each in schedules if each.plan.folder]
    return Places(
        databases=usual.databases | {path.absolute() for path in named},
        folders=usual.folders | set(folders),
        settings=usual.settings | {settings_file.in_force().absolute()},
        carried=frozenset(carried),
    )


def _say_what_was_not_shared(database: Path) -> None:
    from probe.store import StoreError
    from probe.upload.outbox import Outbox

    if not database.is_file():
        return
    try:
        with Outbox(database) as outbox:
            counts, waiting = outbox.counts(), outbox.waiting()
    except StoreError:
        said = _("{database} cannot be read: whether all of it was shared is not known")
        click.echo(said.format(database=database), err=True)
        return
    if count := counts.measurements + sum(batch.documents for batch in waiting):
        said = plural(
            "{count} measurement was never shared, and will be lost.",
            "{count} measurements were never shared, and will be lost.", count,
        )  # fmt: skip
        click.echo(said, err=True)


def _say_what_stays(found: Places) -> None:
    """What cannot be removed from here, and who can."""
    click.echo(_("What zond cannot remove:"), err=True)
    for said in (
        _(
            "The history of your shell and of the terminal: look for zond in ~/.bash_history or"
            " ~/.zsh_history."
        ),
        _(
            "The system's log, if runs were scheduled: `journalctl --user-unit zond`; root removes"
            " old entries by `journalctl --vacuum-time`."
        ),
        _(
            "The program itself: `pip uninstall zond`, and the folder it was installed from; or the"
            " single file, and ~/.cache/zond."
        ),
        _("Backups, snapshots and copies that you or the system made."),
        _(
            "Traces on the disk. Files were overwritten once; memory cards, SSDs and file systems"
            " that copy on write keep old data all the same. Only encrypting the whole disk helps."
        ),
        _("Reports and exports that were written elsewhere."),
        _(
            "What was shared, and what your operator has on record: nobody can call that back."
            " With the key gone, nothing new can be linked to it."
        ),
    ):
        click.echo(paragraph(said, bullet="- "), err=True)
    for path in found.strangers():
        click.echo(_("not zond's, left where it is: {path}", path=path), err=True)
