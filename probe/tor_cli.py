"""``zond tor``: the user's own bridges, and newer lists of relays.

A bridge's line is read from the terminal or a pipe and never from the command line, whose
arguments other users of the machine and the shell's history see.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from probe.ending import BAD_ARGUMENTS, IN_PART, Problem

if TYPE_CHECKING:
    from probe.tor.keeping import Keeping

CHANNELS = ("default", "email", "moat", "web", "telegram", "private")
MAX_INPUT = 100_000  # characters of lines that are piped in


@click.group()
def tor() -> None:
    """Bridges that you were given, and lists of Tor's relays.

    Example: zond tor bridge add
    """


@tor.group()
def bridge() -> None:
    """Your own bridges: kept sealed, measured by `zond run --list my-bridges`, told to nobody.

    Example: zond tor bridge add --channel email
    """


@bridge.command()
@click.option("--channel", type=click.Choice(CHANNELS), help="How you were given it.")
def add(channel: str | None) -> None:
    """Keep the bridges whose lines you type or pipe in, one in a line.

    Example: zond tor bridge add --channel email < bridges.txt
    """
    from probe.tor.bridges import BadBridges

    kept, refused = 0, 0
    keeping = _keeping()
    for number, line in enumerate(_lines(), 1):
        try:
            with _explained():
                new = keeping.add(line, channel or "")  # type: ignore[arg-type]  # click's
        except BadBridges as exc:
            click.echo(f"line {number}: {exc}", err=True)
            refused += 1
            continue
        click.echo(f"{new.name}  {new.bridge.transport}")
        kept += 1
    if not kept:
        raise Problem("no bridge was added", BAD_ARGUMENTS)
    click.echo(f"{kept} kept; measure them: zond run --list my-bridges", err=True)
    if refused:
        sys.exit(IN_PART)


@bridge.command("list")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each.")
def list_(as_json: bool) -> None:
    """The names of the bridges that are kept. Their addresses are not shown.

    Example: zond tor bridge list
    """
    import json

    with _explained():
        found = _keeping().all()
    for kept in found:
        facts = {"name": kept.name, "transport": kept.bridge.transport, "channel": kept.channel}
        click.echo(json.dumps(facts) if as_json else "  ".join(facts.values()).rstrip())


@bridge.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def remove(names: tuple[str, ...]) -> None:
    """Forget bridges by their names. What was measured of them stays in the database.

    Example: zond tor bridge remove bridge-1f0c…
    """
    keeping = _keeping()
    with _explained():
        unknown = [name for name in names if not keeping.remove(name)]
    if unknown:
        raise Problem(f"no bridge {unknown[0][:60]!r} is kept (zond tor bridge list)")


def _lines() -> list[str]:
    """Lines that say something, from the terminal without an echo, or from a pipe."""
    if sys.stdin.isatty():
        # A line that is typed would stay on the screen, and in what the terminal remembers.
        typed = click.prompt("Bridge line (it is not shown)", hide_input=True, err=True)
        return [str(typed)]
    text = sys.stdin.read(MAX_INPUT + 1)
    if len(text) > MAX_INPUT:
        raise Problem(f"over {MAX_INPUT} characters of bridge lines", BAD_ARGUMENTS)
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


@contextmanager
def _explained() -> Iterator[None]:
    from probe.tor.keeping import KeepingError

    try:
        yield
    except KeepingError as exc:
        raise Problem(str(exc)) from exc


def _keeping() -> Keeping:
    from probe.places import bridges
    from probe.tor.keeping import Keeping

    return Keeping(bridges())
