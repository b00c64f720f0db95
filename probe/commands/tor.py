"""``zond tor``: the user's own bridges, and newer lists of relays.

A bridge's line is read from the terminal or a pipe and never from the command line, whose
arguments other users of the machine and the shell's history see.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from probe.ending import BAD_ARGUMENTS, IN_PART, Problem

if TYPE_CHECKING:
    from probe.tor.consensus import Consensus
    from probe.tor.drawing import Drawing
    from probe.tor.keeping import Keeping

CHANNELS = ("default", "email", "moat", "web", "telegram", "private")
_existing = click.Path(path_type=Path, dir_okay=False, exists=True)
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


@tor.command()
@click.option("--relays", default=100, show_default=True, type=click.IntRange(1, 10_000),
              help="How many to draw.")
@click.option("--seed", help="A word that decides which; the month, if you name none.")
@click.option("--from-file", "file", type=_existing, help="A consensus that you have.")
@click.option("--keys", type=_existing, help="The key certificates of authorities (cached-certs).")
@click.option("--first-seen", multiple=True, type=_existing, metavar="FILE",
              help="Onionoo's details, or CollecTor's consensuses: how old relays are.")
@click.option("--authorities", type=_existing, help="A list of authorities of another network.")
@click.option("--any-date", is_flag=True, help="Take a consensus that is not in force now.")
@click.option("--yes", is_flag=True, help="I know the risks of asking Tor's directories.")
@click.option("--json", "as_json", is_flag=True, help="What came of it, as a line of JSON.")
def refresh(**given: Any) -> None:  # fmt: skip
    """Draw a newer list of relays, tor-consensus, from a consensus that the authorities signed.

    It is asked of relays and then of the authorities, as Tor's own client does, and whoever
    watches the line sees that; or it is read from a file, and then nothing is sent. The
    same word draws the same relays from the same consensus: keep the month's, and your
    list is everybody's.

    Example: zond tor refresh --from-file ~/.tor/cached-consensus --keys ~/.tor/cached-certs
    """
    from probe.tor.drawing import Drawing, NotDrawn

    if bool(given["file"]) != bool(given["keys"]):
        raise Problem("--from-file and --keys go together", BAD_ARGUMENTS)
    agreed, as_json = given.pop("yes"), given.pop("as_json")
    try:
        drawing = Drawing(**given)
        consensus = drawing.read() if given["file"] else _fetched(drawing, agreed)
        drawn = drawing.draw(consensus)
    except NotDrawn as exc:
        raise Problem(str(exc)) from exc
    click.echo(json.dumps(drawn.facts) if as_json else drawn.text, err=not as_json)


@tor.command()
@click.argument("files", nargs=-1, required=True, type=_existing, metavar="FILE...")
def known(files: tuple[Path, ...]) -> None:
    """Since when relays are known, by Onionoo's details or consensuses of CollecTor: the table
    that `zond regime import relays` takes, on stdout.

    Example: zond tor known details.json > relays.csv
    """
    from probe.tor import first_seen
    from probe.tor.relay_list import as_known

    try:
        found = first_seen.read(files)
    except first_seen.BadDocument as exc:
        raise Problem(str(exc)) from exc
    if not found:
        raise Problem(f"{files[0]}: no relay in it has a date")
    click.echo(as_known(found.values()), nl=False)


def _fetched(drawing: Drawing, agreed: bool) -> Consensus:
    import trio

    from probe.config import ConfigError, load
    from probe.consent.permission import to_measure
    from probe.net import TrioNetwork

    try:
        config = load(None, os.environ, {})
    except ConfigError as exc:
        raise Problem(str(exc), BAD_ARGUMENTS) from exc
    if config.proxy:
        raise Problem(
            "a proxy is set, and Tor's directories are asked without one: get a consensus by"
            " your proxy, and name it (--from-file, --keys)",
            BAD_ARGUMENTS,
        )
    to_measure(agreed=agreed)
    return trio.run(partial(drawing.fetch, TrioNetwork(), note=partial(click.echo, err=True)))


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
