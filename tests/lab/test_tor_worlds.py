"""Every situation of the private Tor network, measured and judged as its truth says."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.score import cells_table
from lab.tor.page import written
from lab.tor.plan import by_kind
from lab.tor.trial import try_scene
from lab.worlds.tor import SCENES, url_of


def test_a_condition_speaks_of_daemons_that_its_scene_has() -> None:
    for scene in SCENES.values():
        there = {url_of(d, ipv6=six) for d in (*scene.daemons, *scene.pretenders)
                 for six in (False, True)}  # fmt: skip
        for condition in scene.conditions:
            ways = {url for url in condition.truths if url.partition("://")[2].isalnum()}
            assert ways | there >= set(condition.truths)
            assert {*condition.own, *condition.public} <= {*by_kind(scene.daemons, "bridge")}


def test_every_block_has_an_innocent_beside_it() -> None:
    """In each condition something is open, or an innocent cause keeps all of it from opening."""
    for scene in SCENES.values():
        for condition in scene.conditions:
            outcomes = [truth.outcome for truth in condition.truths.values()]
            if frozenset({"blocked"}) in outcomes:
                assert frozenset({"ok"}) in outcomes, condition.name


def test_the_page_tells_the_situations_as_they_are() -> None:
    page = (Path(__file__).parents[2] / "docs" / "tor.md").read_text(encoding="utf-8")
    assert written(page) == page, "run python -m lab.tor.page docs/tor.md"


@pytest.mark.lab
@pytest.mark.parametrize("name", SCENES)
def test_a_scene_is_judged_as_it_is(name: str, tmp_path: Path) -> None:
    results = try_scene(SCENES[name], tmp_path)
    print(cells_table(results))
    assert [] == [(r.world, r.outcome, r.mechanisms, r.rules) for r in results if not r.right]
    assert [] == [r.world for r in results if r.false_alarm]
    assert [] == [(r.world, r.trigger) for r in results if r.mark("trigger") == "wrong"]
