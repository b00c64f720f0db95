"""Each hypothesis on histories in which it is true, false and undecidable, and altered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from analysis.regime.query import Hypothesis, Result, hypotheses, judge
from tests.regime import stories_a, stories_b, stories_c, stories_d, stories_e
from tests.regime.histories import Change, History, Story
from tests.regime.told import workspace

STORIES: dict[str, Story] = {s.id: s for s in (*stories_a.STORIES, *stories_b.STORIES, *stories_c.STORIES, *stories_d.STORIES, *stories_e.STORIES)}
WRITTEN: dict[str, Hypothesis] = {h.id: h for h in hypotheses("belarus")}


def state(which: str, history: History) -> Result:
    """What the engine says of hypothesis *which* in *history*."""
    with workspace(history) as asked:
        return judge(WRITTEN[which], asked)


def _told(kind: str) -> Iterator[object]:
    for story in STORIES.values():
        for name, told in getattr(story, kind).items():
            yield pytest.param(story, told, id=f"{story.id} {name}")


def _changes() -> Iterator[object]:
    for story in STORIES.values():
        for name, changes in story.fields.items():
            for number, change in enumerate(changes):
                yield pytest.param(story, change, id=f"{story.id} {name} {number}")


@pytest.mark.parametrize("which", STORIES)
def test_true_history_is_consistent(which: str) -> None:
    result = state(which, STORIES[which].true)
    assert result.state == "consistent", (result.reason, result.missing, result.cases)


@pytest.mark.parametrize(("story", "history"), list(_told("false")))
def test_false_history_contradicts(story: Story, history: History) -> None:
    result = state(story.id, history)
    assert result.state == "contradicts", (result.reason, result.missing, result.cases)


@pytest.mark.parametrize(("story", "told"), list(_told("undecidable")))
def test_undecidable_history_says_what_is_missing(story: Story, told: tuple[History, str]) -> None:
    history, word = told
    result = state(story.id, history)
    assert result.state == "cannot_tell"
    assert word in " ".join((*result.missing, result.reason)), result.missing


@pytest.mark.parametrize(("story", "change"), list(_changes()))
def test_a_changed_field_changes_the_state(story: Story, change: Change) -> None:
    changed = change(story.true)
    assert changed != story.true
    assert state(story.id, changed).state != "consistent"


@pytest.mark.parametrize(("story", "history"), list(_told("confounded")))
def test_what_else_explains_it_is_not_consistent(story: Story, history: History) -> None:
    assert state(story.id, history).state != "consistent"
