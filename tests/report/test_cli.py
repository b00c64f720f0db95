"""`zond report` as a command: one file, and one line where it cannot be made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from analysis.report.cli import report
from tests.report import databases


def _run(*arguments: object, status: int = 0, **more: Any) -> Result:
    result = CliRunner().invoke(report, [str(a) for a in arguments], **more)
    assert result.exit_code == status, result.output
    return result


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return databases.history(tmp_path_factory.mktemp("report") / "zond.db")


def test_the_answer_comes_first(db: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    assert _run("--db", db, "--out", out, "--lang", "en").stdout.strip() == str(out)
    text = out.read_text("utf-8")
    before, _, rest = text.partition("1 site of 3 is blocked on Beltelecom (AS6697).")
    assert rest and "<table" not in before
    assert "began between" in rest and "MTS (AS25106)" in rest


def test_a_database_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    said = _run("--db", tmp_path / "no.db", "--out", tmp_path / "r.html", status=2).stderr
    assert "there is no file" in said and "Traceback" not in said
