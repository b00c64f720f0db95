"""The command line: which commands there are, and how each ends.

A command is a module of its own, ``probe/commands/<name>.py``. What a command needs
is imported when it runs: ``zond --help`` must answer at
once on a small device, and a machine that only measures need not have what the other
commands want.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points

import click
from click.shell_completion import CompletionItem

from probe.commands.completion import completion
from probe.commands.consent import consent
from probe.commands.control import control
from probe.commands.doctor import doctor
from probe.commands.encrypt import encrypt
from probe.commands.export import export
from probe.commands.import_ import import_
from probe.commands.lists import lists
from probe.commands.run import run
from probe.commands.schedule import schedule
from probe.commands.tor import tor
from probe.commands.upload import upload
from probe.commands.wipe import wipe
from probe.ending import Problem
from probe.extras import install
from probe.i18n import language_option
from probe.places import USUAL, called_by

# Commands that other packages bring, so that --help need not load them.
ELSEWHERE = {
    "verdicts": "Say what the stored measurements mean.",
    "analyse": "Judge everything, find changes, lay them beside the documented regime.",
    "events": "Say what was blocked, since when, where, and how sure that is.",
    "regime": "Say how measurements agree with what is documented.",
    "explain": "Show the chain from a finding down to packets.",
    "collector": "Take what volunteers measured, and keep it.",
    "dataset": "Make the shared dataset, ask it, publish it.",
    "report": "Write what was found as a page: what is blocked, since when, how sure.",
    "demo": "Measure a whole country on this machine.",
}


class Commands(click.Group):
    """A group that also has the commands of the entry points ``zond.commands``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *(e.name for e in _entries())})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if (command := super().get_command(ctx, name)) is not None:
            return command
        return next((_loaded(entry) for entry in _entries() if entry.name == name), None)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(self._rows(ctx))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found = [CompletionItem(name, help=said) for name, said in self._rows(ctx)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [item for item in found if item.value.startswith(incomplete)] + options

    def _rows(self, ctx: click.Context) -> list[tuple[str, str]]:
        """Names and first sentences, without loading what other packages bring."""
        rows = []
        for name in self.list_commands(ctx):
            command = super().get_command(ctx, name)
            known = ELSEWHERE.get(name, f"See zond {name} --help.")
            rows.append((name, command.get_short_help_str(80) if command else known))
        return rows


def _entries() -> list[EntryPoint]:
    return list(entry_points(group="zond.commands"))


def _loaded(entry: EntryPoint) -> click.Command:
    try:
        command = entry.load()
    except ModuleNotFoundError as exc:
        raise Problem(f"zond {entry.name} needs {exc.name}: {install()}") from exc
    if not isinstance(command, click.Command):
        raise TypeError(f"{entry.value} is no command")
    return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="zond", message="%(prog)s %(version)s")
@language_option
def zond() -> None:
    """Find out what is blocked on this network, how, and how sure that is.

    Example: zond run --url https://example.org/
    """


for command in (
    run, upload, consent, export, import_, control, schedule, lists, doctor, tor, encrypt, wipe,
    completion,
):  # fmt: skip
    zond.add_command(command)


def main() -> None:
    """The command ``zond``, or what it was started as (`probe.places`)."""
    name = os.environ["ZOND_NAME"] = called_by(sys.argv[0])
    if name != USUAL:
        _show_as(name)
    try:
        zond(prog_name=name, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as exc:
        exc.show()
        sys.exit(exc.exit_code)
    except click.UsageError as exc:
        said = " ".join(exc.format_message().split())
        where = exc.ctx.command_path if exc.ctx is not None else name
        click.echo(f"Error: {said} (see {where} --help)", err=True)
        sys.exit(exc.exit_code)
    except click.ClickException as exc:
        exc.show()
        sys.exit(exc.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


def _show_as(name: str) -> None:
    """Let lists of processes show *name* alone, without arguments and Python's path."""
    with suppress(ImportError):  # the extra `neutral`
        from setproctitle import setproctitle

        setproctitle(name)
