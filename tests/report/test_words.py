"""Whatever the analysis may say has words, in each of the languages."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from playwright.sync_api import Browser

from analysis.history.event import Kind, Scope
from analysis.regime.signs import State as Stand
from analysis.report.cells import STATES as CELL_STATES
from analysis.report.gather import Facts
from analysis.report.words import (
    CATEGORIES,
    KINDS,
    MECHANISMS,
    PREDICTED,
    SCOPES,
    SHORT_KINDS,
    STANDS,
    STATES,
    TRIGGERS,
    Words,
)
from analysis.rules import TRIGGERS as TRIGGER_RULES
from analysis.verdict import MECHANISM_NAMES
from probe.i18n import LANGUAGES
from testlists import builtin
from tests.report.browser import opened, unfold, violations
from tests.report.making import written


def test_every_code_has_words() -> None:
    assert set(CELL_STATES) == set(STATES)
    assert set() == set(MECHANISM_NAMES) - set(MECHANISMS)
    assert set() == {rule.trigger for rule in TRIGGER_RULES} - set(TRIGGERS)
    assert set(get_args(Kind)) == set(KINDS) == set(SHORT_KINDS)
    assert set(get_args(Scope)) == set(SCOPES)
    assert set(get_args(Stand)) == set(STANDS) == set(PREDICTED)
    assert set() == {target.category for target in builtin("by")[0]} - set(CATEGORIES)


def test_signs_and_names_of_states_are_all_different() -> None:
    assert len(STATES) == len({look.sign for look in STATES.values()})
    for language in LANGUAGES:
        words = Words(language)
        assert len(STATES) == len({words.state(state) for state in STATES})


def test_certainty_is_never_claimed() -> None:
    words = Words("en")
    assert ["97%", "more than 99%", "more than 99%"] == [words.sure(p) for p in (0.97, 0.996, 1.0)]


@pytest.mark.parametrize(
    ("language", "said", "plural"),
    [("be", "У сетцы Beltelecom (AS6697) заблакаваныя 3 сайты з 8.", "9 сайтаў"),
     ("ru", "В сети Beltelecom (AS6697) заблокированы 3 сайта из 8.", "9 сайтов")],
)  # fmt: skip
def test_the_report_is_said_in_the_reader_s_language(
    browser: Browser, run_facts: Facts, tmp_path: Path, language: str, said: str, plural: str
) -> None:
    out = written(run_facts, tmp_path / "report.html", language=language)
    with opened(browser, out) as (page, seen):
        assert language == page.get_attribute("html", "lang")
        text = page.inner_text("main")
        assert said in text and plural in text
        unfold(page)
        assert [] == violations(page)
        assert [] == seen.console
