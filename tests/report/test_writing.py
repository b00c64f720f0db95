"""One file within its bounds, a folder behind it, and what is left out for sharing."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.history.event import Event, Interval, Part
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
    before = os.umask(0o022)  # that of a machine where others may read
    try:
        less = written(for_sharing(run_facts), tmp_path / "less.html", days_only=True)
    finally:
        os.umask(before)
    assert 0 == run_page.stat().st_mode & 0o077
    assert 0o044 == less.stat().st_mode & 0o044


def test_for_sharing_facts_hold_days_alone(run_facts: Facts) -> None:
    less = for_sharing(run_facts)
    names = ("first", "last", "clear", "since")
    times = [at for name in names for at in less.table[name].to_pylist()]
    assert any(times) and [] == [at for at in times if at % 86400]
    assert {""} == {*less.table["measurement_id"].to_pylist(), *less.table["hop_ip"].to_pylist()}
    assert 0 == less.last % 86400


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


def test_for_sharing_events_hold_days_alone(run_facts: Facts) -> None:
    part = Part(
        host="reset.example", mechanism="tls.reset", probe_asn=6697, onset=Interval(100.5, 86500.5),
        lift=Interval(200000.5, None), evidence=("m1",), ips=("192.0.2.1",),
    )  # fmt: skip
    event = Event(
        id="e", kind="blocking", targets=("reset.example",), onset=part.onset, lift=part.lift,
        parts=(part,), evidence=("m1",),
    )  # fmt: skip
    (less,) = for_sharing(replace(run_facts, events=[event])).events
    assert (Interval(0.0, 86400.0), Interval(172800.0, None)) == (less.onset, less.lift)
    assert (less.onset, less.lift) == (less.parts[0].onset, less.parts[0].lift)
    assert ((), (), ()) == (less.evidence, less.parts[0].evidence, less.parts[0].ips)
