"""``zond analyse``, ``events``, ``regime``, ``explain``: what many measurements say together.

Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console

from analysis.ending import explained
from analysis.history import show
from probe.places import database
from probe.store import Store

if TYPE_CHECKING:
    from analysis.history.event import Event
    from analysis.history.whole import History
    from analysis.regime.findings import EventFindings
    from analysis.regime.query import Result

COUNTRY = "belarus"
IN_PART = 5
EVENTS, FINDINGS, HYPOTHESES = "events.jsonl", "findings.jsonl", "hypotheses.jsonl"

Command = Callable[..., Any]


def _source(command: Command) -> Command:
    """The options that say what is read."""
    options = (
        click.option(
            "--db", default=database, envvar="ZOND_DB", metavar="FILE",
            type=click.Path(path_type=Path), help="The database that 'zond run' wrote.",
        ),
        click.option(
            "--dataset", metavar="DIR",
            type=click.Path(path_type=Path, exists=True, file_okay=False),
            help="A dataset that 'zond analyse' or 'zond dataset build' wrote, in its place.",
        ),
        click.option(
            "--country", default=COUNTRY, show_default=True, metavar="NAME|DIR",
            help="Whose regime: one that comes with zond, or a folder of data.",
        ),
        click.option(
            "--without-marked", is_flag=True,
            help="Without what a collector marked; it has the weight of one probe otherwise.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@_source
@click.option(
    "--out", metavar="DIR", type=click.Path(path_type=Path, file_okay=False),
    help="Keep tables, events and findings there; what has not changed is not done again.",
)
@click.option("--json", "as_json", is_flag=True, help="The summary as a line of JSON.")
def analyse(
    db: Path, dataset: Path | None, country: str, without_marked: bool, out: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Judge everything, find what changed, and lay it beside the documented regime.

    Example: zond analyse --db zond.db --out analysis
    """
    from analysis.dataset.building import build
    from analysis.regime.query import hypotheses

    with explained():
        source = dataset or _existing(db)
        if out is not None and dataset is None:
            with Console(stderr=True).status("deriving and judging"):
                built = build(source, out)
            click.echo(
                f"{built.observations} observations: {built.derived} parts derived,"
                f" {built.kept} as they were, {built.judged} judged", err=True,
            )  # fmt: skip
            for problem in built.problems:
                click.echo(f"left out: {problem}", err=True)
        history = _history(db, dataset or out, country, without_marked)
        known = len(hypotheses(_country(country)))
        with Console(stderr=True).status("looking for changes"):
            events, findings = history.events, history.findings
        with Console(stderr=True).status(f"asking {known} hypotheses"):
            results = history.hypotheses()
        if out is not None:
            _write(out / EVENTS, events)
            _write(out / FINDINGS, findings)
            _write(out / HYPOTHESES, results)
    if as_json:
        click.echo(msgspec.json.encode(_summary(history, events, results)))
        return
    console = Console()
    show.events(console, events)
    console.print()
    show.hypotheses(console, results)
    click.echo("more: zond events, zond regime, zond explain EVENT|URL", err=True)


@click.command()
@_source
@click.option(
    "--format", "form", default="story", show_default=True,
    type=click.Choice(["story", "table", "jsonl"]),
    help="Sentences or a table for people, or a line of JSON an event.",
)
@click.option("--host", help="Only events of this host.")
def events(
    db: Path, dataset: Path | None, country: str, without_marked: bool, form: str,
    host: str | None,
) -> None:  # fmt: skip
    """What was blocked, since when and until when, on whose network, and how sure that is.

    Example: zond events --db zond.db --format table
    """
    from analysis.history.story import encode, story

    with explained():
        history = _history(db, dataset, country, without_marked)
        found = [e for e in history.events if host is None or host in e.targets]
    if form == "jsonl":
        for event in found:
            click.echo(encode(event))
    elif form == "table":
        show.events(Console(), found)
    else:
        for event in found:
            click.echo(show.printable(story(event)) + "\n")
    if not found:
        click.echo(
            "no event: too little was measured over time, or nothing changed", err=True
        )


@click.group(invoke_without_command=True)
@_source
@click.option(
    "--format", "form", default="table", show_default=True,
    type=click.Choice(["table", "jsonl"]), help="For people, or a line of JSON each.",
)
@click.option("--events", "of_events", is_flag=True, help="What the documents say of each event.")
@click.option(
    "--hypothesis", "ids", multiple=True, metavar="ID", help="Only this one, with its cases."
)
@click.pass_context
def regime(
    context: click.Context, db: Path, dataset: Path | None, country: str,
    without_marked: bool, form: str, of_events: bool, ids: Sequence[str],
) -> None:  # fmt: skip
    """How what was measured agrees with what is documented. Never says who did it.

    Example: zond regime --hypothesis H05
    """
    if context.invoked_subcommand is not None:
        return
    with explained():
        history = _history(db, dataset, country, without_marked)
        results: Sequence[EventFindings | Result]
        results = history.findings if of_events else history.hypotheses(ids)
    if ids and not of_events and len(results) < len(set(ids)):
        unknown = sorted(set(ids) - {r.id for r in results})  # type: ignore[union-attr]
        raise click.BadParameter(f"no hypothesis {', '.join(unknown)}", param_hint="--hypothesis")
    if form == "jsonl":
        for result in results:
            click.echo(msgspec.json.encode(result))
    elif of_events:
        show.findings(Console(), history)
    elif ids:
        show.cases(Console(), results)  # type: ignore[arg-type]
    else:
        show.hypotheses(Console(), results)  # type: ignore[arg-type]


@regime.command("import")
@click.argument("kind")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--db", default=database, envvar="ZOND_DB", metavar="FILE", type=click.Path(path_type=Path),
    help="The database to put it into; made where it is missing.",
)
def import_(kind: str, file: Path, db: Path) -> None:
    """Put outside evidence into the database: a CSV of one KIND, each row with its source.

    Example: zond regime import announcements decisions.csv --db zond.db
    """
    from analysis.regime.outside import KINDS
    from analysis.regime.outside_store import import_file

    if kind not in KINDS:
        raise click.BadParameter(f"{kind!r} is none of {', '.join(KINDS)}", param_hint="KIND")
    with explained():
        done = import_file(kind, file, db)
    for line in done.refused:
        click.echo(f"refused: {line}", err=True)
    click.echo(f"{done.new} rows of {kind} imported, {done.known} known before", err=True)
    sys.exit(IN_PART if done.refused else 0)


@click.command()
@click.argument("what", metavar="EVENT|URL")
@_source
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def explain(
    what: str, db: Path, dataset: Path | None, country: str, without_marked: bool, as_json: bool
) -> None:
    """The chain from a finding down to packets: of an event (its id), or of a URL or host.

    Example: zond explain https://charter97.org/
    """
    from analysis.explanation import of_event, of_target

    with explained():
        history = _history(db, dataset, country, without_marked)
        store = Store(db) if db.exists() else None
        try:
            node = of_target(what, store) if store is not None and _is_target(what) else None
            if node is None:
                node = of_event(what, history, store)
        finally:
            if store is not None:
                store.close()
    if node is None:
        raise click.ClickException(
            f"{what} is neither a target that was measured nor an event: see 'zond verdicts'"
            " and 'zond events'"
        )
    if as_json:
        click.echo(msgspec.json.encode(node))
    else:
        Console(highlight=False).print(show.tree(node))


def _is_target(what: str) -> bool:
    return "." in what or ":" in what


def _existing(db: Path) -> Path:
    if not db.exists():
        raise click.BadParameter(f"there is no file {db}", param_hint="--db")
    return db


def _country(name: str) -> str | Path:
    return Path(name) if Path(name).is_dir() else name


def _history(
    db: Path, dataset: Path | None, country: str, without_marked: bool
) -> History:
    from analysis.history.story import decode
    from analysis.history.whole import History
    from analysis.regime.outside_store import load

    if without_marked and dataset is None:
        raise click.UsageError("--without-marked is of a --dataset: no database has marks")
    source = dataset or _existing(db)
    known = []
    if dataset is not None and (dataset / EVENTS).exists():
        known = [decode(line) for line in (dataset / EVENTS).read_bytes().splitlines()]
    outside, bad = load(db) if db.exists() else ({}, [])
    for line in bad:
        click.echo(f"left out: {line}", err=True)
    return History(
        source, _country(country), outside=outside, known=known,
        marked="none" if without_marked else "one_probe",
    )  # fmt: skip


def _write(path: Path, rows: Iterable[Any]) -> None:
    """A line of JSON for each; the file is whole or as it was."""
    unfinished = path.with_name(f".{path.name}")
    with open(unfinished, "wb") as file:
        for row in rows:
            file.write(msgspec.json.encode(row) + b"\n")
    unfinished.replace(path)


def _summary(
    history: History, found: Sequence[Event], results: Sequence[Result]
) -> dict[str, Any]:
    states: dict[str, list[str]] = {state: [] for state in show.COLOURS}
    for result in results:
        states[result.state].append(result.id)
    return {
        "verdicts": int(history.verdicts.count().to_pyarrow().as_py()),
        "parts": len(history.parts),
        "events": [event.id for event in found],
        "hypotheses": states,
    }
