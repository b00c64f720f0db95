"""A report, made by the command as a user would, or of facts that were gathered before."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from analysis.report.cli import report
from analysis.report.gather import Facts
from analysis.report.tell import Teller
from analysis.report.words import Words
from analysis.report.writing import Writer, take


def made(db: Path, out: Path, *more: str) -> Path:
    """The first page of the report of *db*, by the command."""
    arguments = ["--db", str(db), "--out", str(out), "--lang", "en", *more]
    done = CliRunner().invoke(report, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return Path(done.stdout.strip())


def written(
    facts: Facts, out: Path, folder: Path | None = None, *, language: str = "en",
    days_only: bool = False,
) -> Path:  # fmt: skip
    """The first page of the report of *facts*."""
    if folder is not None:
        take(folder)
    tell = Teller(Words(language, days_only=days_only), facts.regime, facts.events)
    return Writer(facts, tell, out, folder).write()[0]
