"""The page of the hypotheses is current, and the words of the queries are all explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from analysis.dataset.trials import RUNGS
from analysis.regime.hypotheses_document import TABLES, asked_tests, main, vocabulary
from analysis.regime.load import load
from analysis.regime.outside import KINDS
from analysis.regime.query import Hypothesis, hypotheses
from analysis.regime.tables import regime_tables

PAGE = Path(__file__).parents[2] / "docs" / "hypotheses.md"
WRITTEN = {h.id: h for h in hypotheses("belarus")}
REGIME = load("belarus")


def test_page_is_current() -> None:
    assert main([str(PAGE), "belarus", "--check"]) == 0


def test_page_that_is_not_current_is_noticed(tmp_path: Path) -> None:
    old = tmp_path / "hypotheses.md"
    old.write_text("# Hypotheses\n", encoding="utf-8")
    assert main([str(old), "belarus", "--check"]) == 1


def test_all_tables_are_named() -> None:
    known = {"verdicts", "tests", "events", "event_parts", *KINDS, *regime_tables(REGIME)}
    assert set(TABLES) <= known
    assert set(KINDS) <= set(TABLES)


@pytest.mark.parametrize("which", WRITTEN)
def test_each_test_that_is_asked_for_is_explained(which: str) -> None:
    asked = _tests_in(WRITTEN[which])
    assert asked <= set(asked_tests(WRITTEN[which]))


def _tests_in(hypothesis: Hypothesis) -> set[str]:
    """What the query compares a column `test` with."""
    one = re.findall(r"\btest = '([a-z0-9_]+)'", hypothesis.cases)
    several = re.findall(r"\btest IN \(([^)]*)\)", hypothesis.cases)
    return set(one) | {word for some in several for word in re.findall(r"'([a-z0-9_]+)'", some)}


def test_each_test_is_asked_for() -> None:
    asked = {test for h in WRITTEN.values() for test in asked_tests(h)}
    assert {t.test for t in vocabulary()} - asked == set()


def test_the_ladder_produces_what_is_said_to_be_of_the_ladder() -> None:
    assert {t.test for t in vocabulary() if t.producer == "ladder"} <= set(RUNGS)


@pytest.mark.parametrize("which", WRITTEN)
def test_references_are_there(which: str) -> None:
    h = WRITTEN[which]
    assert set(h.exemplars) <= {e.id for e in REGIME.events}
    assert set(h.instruments) <= {i.id for i in REGIME.instruments}
    named = {word.split(" (")[0] for word in h.source.split("; ")}
    assert {w for w in named if not w.startswith("fingerprint")} <= {s.id for s in REGIME.sources}


@pytest.mark.parametrize("which", WRITTEN)
def test_what_consistent_means_and_does_not_is_said(which: str) -> None:
    says, *does_not = WRITTEN[which].consistent_means.split(". ")
    assert says and does_not
