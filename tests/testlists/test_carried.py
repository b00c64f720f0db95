"""The lists that come with zond: sound, whole, and those that never change unchanged."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

import testlists
from testlists import CATEGORIES, RISKS, Shelf, Target
from testlists.lint import lint_together
from testlists.panels import PINNED, pin
from testlists.parsing import records
from testlists.risks import BY_CATEGORY, REASONS
from testlists.shelf import carried_key, carried_version

ROOT = Path(__file__).parents[2]
NAMES = testlists.builtin_names()


def targets(name: str) -> dict[str, Target]:
    return {target.url: target for target in testlists.builtin(name)[0]}


def test_no_list_breaks_a_rule() -> None:
    today = datetime.now(UTC).date()
    found = lint_together({name: Shelf().book(name).content for name in NAMES}, today)
    assert {name: [] for name in NAMES} == found


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_a_list_is_refused_by_who_measures_it(name: str) -> None:
    found, problems = testlists.builtin(name)
    assert ([], {name}) == (problems, {target.list_name for target in found})


@pytest.mark.parametrize("name", NAMES)
def test_every_risk_has_a_reason_of_that_risk(name: str) -> None:
    for _, record in records(Shelf().book(name).content):
        assert REASONS[record["risk_reason"]].risk == record["risk"]
        assert record["notes"] and record["source"]


def test_the_list_for_belarus_has_what_is_documented_and_what_it_is_compared_with() -> None:
    by = targets("by")
    assert 156 == len(by)
    assert set(RISKS) == {target.risk for target in by.values()}
    assert {"high"} == {t.risk for t in by.values() if t.category in ("POLR", "HATE")}
    twins = {url for url in by if url.startswith("http://") and f"https{url[4:]}" in by}
    assert 5 <= len(twins)
    for pair in ("1xbet", "melbet"):  # without a licence here, and with one
        assert {f"https://{pair}.com/", f"https://{pair}.by/"} <= set(by)
    registry = {"https://www.tut.by/", "https://ex-press.by/", "https://onliner.by/"}
    blocked_in_russia = {"https://rutracker.org/", "https://www.linkedin.com/"}
    assert registry | blocked_in_russia <= set(by)


def test_a_panel_is_what_it_always_was() -> None:
    """If this fails, a panel was edited: take it back, and make another panel."""
    expected = {"by-panel-2026": "c6d4c8d45a4a129b75d4c6696a0aabbdb862206b680869cc8f7a063c53a7a468"}
    assert expected == PINNED
    assert expected == {name: pin(Shelf().book(name).content) for name in PINNED}


def test_a_panel_is_part_of_its_country_s_list_and_of_every_risk() -> None:
    panel = targets("by-panel-2026")
    assert set(panel) <= set(targets("by"))
    assert set(RISKS) == {target.risk for target in panel.values()}


def test_global_and_anonymizers_are_written_here() -> None:
    assert 250 <= len(targets("global")) and 80 <= len(targets("anonymizers"))
    assert {"own"} == {target.source for target in targets("global").values()}
    assert {"ANON"} == {target.category for target in targets("anonymizers").values()}
    assert len({target.category for target in targets("global").values()}) >= 25


def test_every_category_has_a_reason_by_which_a_foreign_list_is_judged() -> None:
    assert set(CATEGORIES) == set(BY_CATEGORY)
    assert set(BY_CATEGORY.values()) <= set(REASONS)


def test_the_page_on_the_lists_counts_their_entries() -> None:
    page = (ROOT / "testlists" / "lists" / "README.md").read_text()
    said: dict[str, int] = {}
    for names, counts in re.findall(r"^\| (`[`a-z0-9, -]+`) \|[^|]*\| ([\d, ]+) \|$", page, re.M):
        each = zip(names.split(", "), counts.split(", "), strict=True)
        said |= {name.strip("`"): int(count) for name, count in each}
    assert {name: len(targets(name)) for name in NAMES} == said
    assert all(f"`{reason}`" in page for reason in REASONS)


def test_there_is_a_version_and_a_key() -> None:
    assert carried_version().day.year >= 2026
    assert len(carried_key().splitlines()[1]) == 56


def test_a_list_that_is_not_there_is_named_with_those_that_are() -> None:
    assert {"by", "global", "anonymizers"} <= set(NAMES)
    with pytest.raises(KeyError, match=r"no list named 'xx'; there are: .*by, "):
        testlists.builtin("xx")
