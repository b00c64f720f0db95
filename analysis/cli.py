"""``zond verdicts``: what the stored measurements mean, for people and for programs.

Verdicts go to stdout, everything else to stderr.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analysis.observations import Observation
from analysis.observe.over_run import over_run
from analysis.rules import RULES_VERSION, Outcome
from analysis.run_findings import RunFinding, run_findings
from analysis.verdict import Verdict, judge, observations
from probe.evidence import Run
from probe.places import database
from probe.store import Store, StoreError

_COLOURS: dict[Outcome, str] = {
    "blocked": "bold red",
    "down": "yellow",
    "server_side": "magenta",
    "local_fault": "cyan",
    "inconclusive": "blue",
    "not_measured": "dim",
    "ok": "green",
}
_ORDER = tuple(_COLOURS)
_GAP = 2  # columns between two columns of a table
WIDEST = 40  # characters of a file's name
WIDE = 110  # columns of a terminal from which on the table tells more


@click.command()
@click.option(
    "--db", default=database, envvar="ZOND_DB", metavar="FILE", type=click.Path(path_type=Path),
    help="The database that 'zond run' wrote, by default where it writes by default.",
)
@click.option(
    "--run", "which", default="latest", show_default=True, metavar="ID|latest|all",
    help="Which run to judge; the beginning of an id is enough. Where the latest was imported,"
    " so were those before it: all of them.",
)
@click.option(
    "--format", "form", default="table", show_default=True,
    type=click.Choice(["table", "jsonl"]), help="A table for people, or a line of JSON a target.",
)
@click.option(
    "--findings", is_flag=True,
    help="With jsonl: after the targets, lines about whole runs (a shutdown), of kind 'run'.",
)
def verdicts(db: Path, which: str, form: str, findings: bool) -> None:
    """What the stored measurements mean: which sites are blocked here, and how.

    Example: zond verdicts --db zond.db --format jsonl
    """
    try:
        with _opened(db) as store:
            runs = _chosen(store.runs(), which)
            wholes = [over_run(store.measurements(run.id)) for run in runs]
            rows = [
                row
                for run, whole in zip(runs, wholes, strict=True)
                for row in observations(store, run, whole=whole)
            ]
            found = [f for run in runs for f in _of_the_run(store, run)]
    except StoreError as exc:
        raise click.ClickException(str(exc)) from exc
    judged = judge(rows)
    if form == "jsonl":
        for verdict in judged:
            click.echo(msgspec.json.encode(verdict))
        for finding in found if findings else ():
            click.echo(msgspec.json.encode(finding))
    else:
        _print_table(Console(), judged)
        _print_footer(Console(stderr=True), rows, judged)
        _print_doubts(Console(stderr=True), [said for whole in wholes for said in whole.doubts()])
        _print_findings(Console(stderr=True), found)


def _opened(db: Path) -> Store:
    if not db.exists():
        raise click.BadParameter(f"there is no file {db}", param_hint="--db")
    return Store(db)


def _of_the_run(store: Store, run: Run) -> list[RunFinding]:
    return run_findings(run, store.canaries(run.id), lambda: store.measurements(run.id))


def _chosen(runs: Sequence[Run], which: str) -> list[Run]:
    """The runs that *which* names."""
    if which == "all":
        return list(runs)
    if which == "latest":
        # Imported reports are no runs of anybody here: those since the last one belong together.
        imported = list(takewhile(lambda run: run.imported, reversed(runs)))
        return imported[::-1] or list(runs[-1:])
    found = [run for run in runs if run.id.startswith(which)]
    if len(found) != 1:
        known = "no run" if not found else "more than one run"
        raise click.BadParameter(f"{known} has an id that begins with {which!r}",
                                 param_hint="--run")
    return found


def _print_table(console: Console, judged: Sequence[Verdict]) -> None:
    wide = console.width >= WIDE
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    fixed = {
        "outcome": max(map(len, _ORDER)),
        "mechanisms": max([len("mechanisms"), *(len(" ".join(v.mechanisms)) for v in judged)]),
    }
    for name, text in _DIAGNOSIS.items():
        cells = [text(v) for v in judged]
        if any(cells) and (wide or name in _ALWAYS):
            fixed[name] = max(len(name), *map(len, cells))
    if wide:
        fixed["rule"] = max([len("rule"), *(len(v.rules[0]) for v in judged)])
        fixed["known as"] = max([len("known as"), *(len(" ".join(v.fingerprints)) for v in judged)])
    # What names the finding is always whole; the URL gets the rest.
    room = console.width - sum(fixed.values()) - _GAP * len(fixed)
    for name in ("outcome", "target", *list(fixed)[1:]):
        width = fixed.get(name, max(room, 20))
        style = "dim" if name in ("rule", "known as") else ""
        table.add_column(name, no_wrap=True, overflow="ellipsis", width=width, style=style)
    ordered = sorted(judged, key=lambda v: (_ORDER.index(v.outcome), v.mechanisms, v.url))
    last = ""
    for verdict in ordered:
        if last not in ("", verdict.outcome):
            table.add_section()
        last = verdict.outcome
        colour = _COLOURS[verdict.outcome]
        cells = [
            f"[{colour}]{verdict.outcome}[/]",
            escape(_printable(verdict.url)),
            " ".join(verdict.mechanisms),
        ]
        cells += [text(verdict) for name, text in _DIAGNOSIS.items() if name in fixed]
        if wide:
            fingerprints = " ".join(verdict.fingerprints)
            cells += [verdict.rules[0], fingerprints]
        table.add_row(*cells)
    console.print(table)
    counts = Counter(verdict.outcome for verdict in judged)
    summary = "  ".join(
        f"[{_COLOURS[outcome]}]{counts[outcome]} {outcome}[/]"
        for outcome in _ORDER
        if counts[outcome]
    )
    console.print(f"\n{summary or 'nothing was measured'}")


def _hop(verdict: Verdict) -> str:
    at = verdict.location
    if at is None:
        return ""
    return "–".join(map(str, at.hops)) if at.hop is None and at.hops else str(at.hop or "")


def _sure(verdict: Verdict) -> str:
    return "" if verdict.probability is None else f"{verdict.probability:.3f}"


# What the ladder tells, by column; those of _ALWAYS also where there is little room.
_DIAGNOSIS: dict[str, Callable[[Verdict], str]] = {
    "trigger": lambda v: v.trigger or "",
    "hop": _hop,
    "network": lambda v: (v.location.asn if v.location else None) or "",
    "position": lambda v: v.position or "",
    "sure": _sure,
    "document": lambda v: "" if v.file is msgspec.UNSET else _printable(str(v.file)[-WIDEST:]),
}
_ALWAYS = ("trigger", "hop")


def _printable(url: str) -> str:
    """*url* without what could move a terminal's cursor."""
    return "".join(c if c.isprintable() else "?" for c in url)


def _print_footer(
    console: Console, rows: Sequence[Observation], judged: Sequence[Verdict]
) -> None:
    """How far the verdicts can be trusted."""
    measured = [row for row in rows if row.measured]
    # Services are judged without controls, and who asks one by design by rules for that.
    without = sum(1 for row in measured if row.controls == 0 and not row.service)
    alone = sum(1 for row in measured if row.controls == 1 and not row.lone_control)
    told = [f"rules {RULES_VERSION}"]
    if measured:
        most = max(row.controls_asked for row in measured)
        told.append(f"{most} control{'s' if most != 1 else ''} asked")
    if without:
        told.append(
            f"{without} of {len(measured)} targets had no control: most failures stay undecided"
        )
    if alone:
        told.append(f"{alone} of {len(measured)} had one: silence and refusals stay undecided")
    console.print("; ".join(told), style="dim", highlight=False)


def _print_doubts(console: Console, said: Sequence[str]) -> None:
    for line in said:
        console.print(line, style="dim", highlight=False)


def _print_findings(console: Console, found: Sequence[RunFinding]) -> None:
    """What the run shows as a whole; a shutdown is no footnote."""
    for finding in found:
        style = "bold red" if finding.finding == "shutdown" else ""
        when = ""
        if finding.since or finding.until:
            when = f" from {finding.since or 'the start'} to {finding.until or 'the end'}"
        name = finding.finding.replace("_", " ")
        console.print(
            f"{name}{when}: {_printable(finding.note)}", style=style, highlight=False, markup=False
        )
