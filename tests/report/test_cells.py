"""A cell says what was last seen, by whom it could be, and no more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from analysis.history.event import Event, Interval, Part
from analysis.history.rows import as_table
from analysis.history.table import VerdictRow
from analysis.regime.load import load
from analysis.report.cells import Cell, cells, sites
from analysis.report.charts import timeline
from analysis.report.tell import Teller
from analysis.report.words import Words
from tests.history.by_hand import at, looks

BLOCK: dict[str, Any] = {"outcome": "blocked", "mechanism": "tls.reset"}


def cell(*rows: Iterable[VerdictRow]) -> Cell:
    ((_host, found),) = sites(cells(as_table([row for some in rows for row in some])))
    (only,) = found
    return only


def test_a_block_of_this_morning_counts_and_a_year_of_clean_looks_does_not() -> None:
    found = cell(looks(range(1000)), looks([1000, 1001], **BLOCK))
    assert ("blocked", "tls.reset") == (found.state, found.mechanisms)
    assert (at(999), at(1000), at(1001)) == (found.clear, found.since, found.last)
    assert (1002, 2, 1) == (found.looks, found.struck, found.probes)


def test_looks_older_than_a_day_are_another_matter() -> None:
    found = cell(looks([0], probe="a", **BLOCK), looks([30], probe="b"))
    assert ("ok", 1) == (found.state, found.decisive)


def test_probes_that_see_different_things_make_it_partly_blocked() -> None:
    assert "mixed" == cell(looks([5], probe="a"), looks([5], probe="b", **BLOCK)).state


def test_of_many_probes_one_that_contradicts_is_noise() -> None:
    many = [looks([5], probe=f"p{n}", **BLOCK) for n in range(11)]
    assert "blocked" == cell(*many, looks([5], probe="odd")).state
    clean = [looks([5], probe=f"p{n}") for n in range(11)]
    assert "ok" == cell(*clean, looks([5], probe="odd", **BLOCK)).state


def test_a_look_that_decides_goes_before_a_later_one_that_does_not() -> None:
    assert "blocked" == cell(looks([5], **BLOCK), looks([6], outcome="inconclusive")).state
    for outcome in ("inconclusive", "local_fault", "not_measured"):
        assert outcome == cell(looks([5], outcome=outcome)).state


def test_reached_although_somebody_interferes_is_a_state_of_its_own() -> None:
    assert "interfered" == cell(looks([5], mechanism="dns.injected")).state


def test_runs_of_a_database_are_of_one_household() -> None:
    rows = [*looks(range(20)), *looks([20], **BLOCK)]
    found = cell([msgspec.structs.replace(row, probe_id=row.run_id) for row in rows])
    assert ("blocked", 1) == (found.state, found.probes)


def _event(**more: object) -> Event:
    part = Part(host="site.example", mechanism="tls.reset", probe_asn=10,
                onset=Interval(at(1), at(2)))  # fmt: skip
    return Event(id="e1", kind="blocking", targets=("site.example",), networks=(10,),
                 onset=Interval(at(1), at(2)), parts=(part,), **more)  # type: ignore[arg-type]  # fmt: skip


def test_since_when_is_an_event_s_beginning_and_not_the_last_look_that_erred() -> None:
    found = cell(looks([0]), looks(range(2, 40), **BLOCK), looks([40]), looks([41], **BLOCK))
    regime = load("belarus")
    told = Teller(Words("en"), regime, [_event()]).since(found)
    assert "began between" in told and "01:00" in told
    alone = Teller(Words("en"), regime).since(found)
    assert "last found open" in alone and "began" not in alone
    over = Teller(Words("en"), regime, [_event(lift=Interval(at(3), at(4)))]).since(found)
    assert "began" not in over


def test_a_chart_of_a_stranger_s_words_is_a_chart() -> None:
    hostile = '</text></svg><script>owned()</script>"&<'
    event = _event()
    event = Event(id=event.id, kind=event.kind, targets=(hostile,), onset=event.onset)
    drawn = str(timeline([event], at(9), Teller(Words("en"), load("belarus"))))
    assert 1 == drawn.count("<svg") == drawn.count("</svg>")
    assert "<script" not in drawn and "&lt;/text&gt;" in drawn
