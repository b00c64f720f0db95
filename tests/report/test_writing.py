"""One file within its bounds, a folder behind it, and what is left out for sharing."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.report.gather import Facts
from analysis.report.sharing import for_sharing
from tests.report.making import written


def test_a_folder_has_a_page_for_each_site_of_which_there_is_something_to_tell(
    run_facts: Facts, tmp_path: Path
) -> None:
    pages = tmp_path / "pages"
    first = written(run_facts, tmp_path / "index.html", pages).read_text("utf-8")
    names = sorted(path.name for path in pages.iterdir())
    assert 7 == sum(name.startswith("site-") for name in names)
    assert "sites-0001.html" in names
    assert all(f'href="pages/{name}"' in first for name in names)
    assert 'href="../index.html"' in (pages / names[0]).read_text("utf-8")
    evidence = [name for name in names if "TLS with 93.184" in (pages / name).read_text("utf-8")]
    assert len(evidence) >= 4


def test_of_a_folder_only_pages_that_are_no_longer_wanted_go(
    run_facts: Facts, tmp_path: Path
) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    old = pages / "site-0123456789ab.html"
    old.write_text("of a site that is no longer there")
    written(run_facts, tmp_path / "index.html", pages)
    assert not old.exists()
    assert [] == [p for p in tmp_path.rglob(".*")]


def test_what_has_no_room_is_counted(
    run_facts: Facts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.report.writing.MOST_CELLS", 4)
    monkeypatch.setattr("analysis.report.writing.MOST_TOLD", 2)
    monkeypatch.setattr("analysis.report.writing.MOST_PROVED", 1)
    text = written(run_facts, tmp_path / "r.html").read_text("utf-8")
    assert "5 more sites have no room in this table" in text
    assert "2 more sites are told by" in text
    assert "The evidence is told by <code>zond explain" in text


def test_what_one_person_measured_is_for_his_eyes(
    run_facts: Facts, run_page: Path, tmp_path: Path
) -> None:
    less = written(for_sharing(run_facts), tmp_path / "less.html", days_only=True)
    assert 0 == run_page.stat().st_mode & 0o077
    assert 0o044 == less.stat().st_mode & 0o044


def test_for_sharing_no_time_of_day_no_address_and_no_evidence_is_left(
    run_facts: Facts, run_page: Path, tmp_path: Path
) -> None:
    less = written(for_sharing(run_facts), tmp_path / "less.html", days_only=True)
    text, full = less.read_text("utf-8"), run_page.read_text("utf-8")
    telling = ("93.184.215.14", "T13:", ", 13:", "m-run-", "178.124.1.1", "down to packets")
    assert [] == [word for word in telling if word in text]
    assert [] == [word for word in telling[:1] + telling[-1:] if word not in full]
    assert "3 of 8 sites are blocked on Beltelecom (AS6697)." in text
    assert "still says that somebody measured these sites" in text
    assert "It can lead to you" in full
