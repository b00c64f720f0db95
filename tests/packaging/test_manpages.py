"""The manual pages are those that the commands of today would give, and man can read them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "man"


def test_the_pages_are_current(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "scripts/manpages", "--out", tmp_path], check=True)
    made = {page.name: page.read_text() for page in tmp_path.iterdir()}
    kept = {page.name: page.read_text() for page in PAGES.iterdir()}
    differ = sorted(name for name in {*made, *kept} if made.get(name) != kept.get(name))
    assert [] == differ, "run scripts/manpages"


def test_no_line_of_a_page_is_taken_for_a_request_of_groff() -> None:
    known = (".TH", ".SH", ".PP", ".TP", ".B")
    wrong = {
        (page.name, line)
        for page in PAGES.iterdir()
        for line in page.read_text().splitlines()
        if line[:1] in {".", "'"} and line.split()[0] not in known
    }
    assert set() == wrong
