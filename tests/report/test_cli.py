"""`zond report` as a command: the answer first, and one line where it cannot be given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from analysis.report.cli import report


def test_the_answer_comes_first(history_page: Path) -> None:
    text = history_page.read_text("utf-8")
    before, _, rest = text.partition("1 of 3 sites is blocked on Beltelecom (AS6697).")
    assert rest and "<table" not in before
    assert "news.example: began between" in rest and "MTS (AS25106)" in rest


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--db", "no.db", "--out", "r.html"), "there is no file"),
        (("--db", "empty.db", "--out", "r.html"), "empty.db"),
        (("--db", "run.db", "--out", "no/folder/r.html"), "there is no folder"),
        (("--db", "run.db", "--out", "r.html", "--country", "nowhere"), "no regime in nowhere"),
        (("--db", "run.db", "--out", "."), "letter.txt"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...],
    said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("empty.db").touch()
    Path("run.db").symlink_to(run)
    Path("pages").mkdir()
    Path("pages/letter.txt").write_text("mine")
    done = CliRunner().invoke(report, arguments)
    assert done.exit_code in (1, 2)
    assert said in done.stderr and "Traceback" not in done.stderr
    assert not Path("r.html").exists()
    assert "mine" == Path("pages/letter.txt").read_text()


def test_without_the_report_s_libraries_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['jinja2'] = None\n"
        "from probe.cli import main; sys.argv[1:] = ['report', '--out', 'r.html']; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 1 == done.returncode
    assert "pip install '.[all]'" in done.stderr and "Traceback" not in done.stderr
