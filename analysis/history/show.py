"""Events, hypotheses and findings as a terminal shows them: for who reads, not for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from analysis.explain import Node, utc

if TYPE_CHECKING:
    from analysis.history.event import Event
    from analysis.history.whole import History
    from analysis.regime.query import Result

WIDE = 110  # columns of a terminal from which on the table tells more
COLOURS = {"consistent": "green", "contradicts": "bold red", "cannot_tell": "dim"}


def events(console: Console, found: Sequence[Event]) -> None:
    wide = console.width >= WIDE
    columns = ["event", "what", "targets", "how", "since"] + ["until", "scope", "sure"] * wide
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, no_wrap=name in ("event", "what", "sure"), overflow="fold")
    for event in found:
        more = f" +{len(event.targets) - 2}" if len(event.targets) > 2 else ""
        cells = {
            "event": event.id[:8],
            "what": event.kind,
            "targets": escape(printable(" ".join(event.targets[:2]))) + more,
            "how": " ".join(event.mechanisms),
            "since": utc(event.onset.by),
            "until": utc(event.lift.by) if event.lift else "goes on",
            "scope": f"{event.scope} ({len(event.networks)})",
            "sure": f"{event.probability:.3f}",
        }
        table.add_row(*(cells[name] for name in columns))
    console.print(table if found else "no event")


def hypotheses(console: Console, results: Sequence[Result]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("id", "state", "hypothesis", "because"):
        table.add_column(name, no_wrap=name in ("id", "state"))
    for result in results:
        table.add_row(
            result.id, f"[{COLOURS[result.state]}]{result.state}[/]", escape(result.title),
            escape(result.reason),
        )  # fmt: skip
    console.print(table)
    if results:
        click.echo(results[0].caution, err=True)


def cases(console: Console, results: Sequence[Result]) -> None:
    from analysis.explanation import law_lines

    for result in results:
        console.print(
            f"[bold]{result.id}[/] [{COLOURS[result.state]}]{result.state}[/] "
            f"{escape(result.title)}\n  {escape(result.reason)}"
        )
        for missing in result.missing:
            console.print(f"  missing: {escape(missing)}")
        for case in result.cases:
            console.print(
                escape(printable(f"  {case.state}: {case.unit} {case.detail}".rstrip()))
            )
            for why in case.because:
                console.print(f"    {escape(printable(why))}")
        for line in law_lines(result):
            console.print(f"  {escape(line)}")
        console.print(f"  {escape(result.caution)}\n")


def findings(console: Console, history: History) -> None:
    from analysis.explanation import finding_lines
    from analysis.history.story import story

    for event, finding in zip(history.events, history.findings, strict=True):
        console.print(escape(printable(story(event))), highlight=False)
        console.print(
            f"  [{COLOURS[finding.state]}]{finding.state}[/]: {escape(finding.says)}",
            highlight=False,
        )
        for line in finding_lines(finding):
            console.print(f"    {escape(printable(line))}", highlight=False)
        console.print()


def tree(node: Node, above: Tree | None = None) -> Tree:
    text = escape(printable(node.text))
    here = Tree(text) if above is None else above.add(text)
    for below in node.below:
        tree(below, here)
    return here


def printable(text: str) -> str:
    """*text* without what could move a terminal's cursor; its lines stay."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
