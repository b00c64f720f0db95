"""How verdicts are scored: wrong, right and not said are three things."""

from __future__ import annotations

import pytest

from lab.score import AXES, Result, axes_table, axis_text, by_axis, cells_table, result
from lab.worlds.plan import truly

TRUTH = truly(
    "blocked", "tls.reset", trigger="name|any", hop=2, position="on-path", residual=True,
    fingerprints=("F01", "F01|F02"),
)  # fmt: skip
VERDICT = {
    "outcome": "blocked", "mechanisms": ["tls.reset"], "rules": [], "url": "https://a.example/",
    "trigger": "name", "location": {"hop": 2, "ip": None, "asn": None}, "position": "on-path",
    "residual": 8.0, "probability": 0.99, "fingerprints": ["F01"],
}  # fmt: skip


def scored(**changes: object) -> Result:
    return result("a", TRUTH, VERDICT | changes)


def test_a_verdict_that_is_so_is_right_on_every_axis() -> None:
    assert {"right"} == {scored().mark(axis) for axis in AXES}
    assert scored().all_right
    assert 0.99 == scored().probability


@pytest.mark.parametrize(
    ("axis", "change"),
    [
        ("outcome", {"outcome": "ok"}),
        ("mechanism", {"mechanisms": ["tls.reset", "tls.silence"]}),
        ("trigger", {"trigger": "address"}),
        ("hop", {"location": {"hop": 3}}),
        ("position", {"position": "in-path"}),
        ("residual", {"residual": 0.0}),
        ("fingerprints", {"fingerprints": ["F01", "F09"]}),
    ],
)
def test_one_thing_that_is_not_so_is_wrong_on_its_axis_alone(
    axis: str, change: dict[str, object]
) -> None:
    wrong = scored(**change)
    assert [axis] == [each for each in AXES if wrong.mark(each) == "wrong"]
    assert not wrong.all_right
    assert axis_text(wrong, axis).startswith("**")


@pytest.mark.parametrize(
    ("axis", "change"),
    [
        ("trigger", {"trigger": None}),
        ("hop", {"location": None}),
        ("hop", {"location": {"hop": None, "ip": None, "asn": "AS6697"}}),
        ("position", {"position": None}),
        ("residual", {"residual": None}),
        ("fingerprints", {"fingerprints": []}),
    ],
)
def test_what_is_left_open_is_not_said_and_not_wrong(
    axis: str, change: dict[str, object]
) -> None:
    quiet = scored(**change)
    assert "not said" == quiet.mark(axis)
    assert quiet.right
    assert not quiet.all_right
    assert {"not said": 1} == by_axis([quiet])[axis]


def test_what_the_truth_does_not_state_is_not_scored() -> None:
    plain = result("a", truly("blocked", "tls.reset"), VERDICT)
    assert ["outcome", "mechanism"] == [x for x in AXES if plain.mark(x) != "not scored"]
    assert plain.all_right
    assert "trigger" not in axes_table([plain]) + cells_table([plain])


def test_no_residue_is_a_thing_to_say() -> None:
    truth = truly("blocked", "tls.reset", residual=False)
    marks = [result("a", truth, VERDICT | {"residual": s}).mark("residual") for s in (0, 7, None)]
    assert ["right", "wrong", "not said"] == marks


def test_a_world_without_a_verdict_is_wrong() -> None:
    missing = result("a", TRUTH, None)
    assert ("missing", False) == (missing.outcome, missing.right)
