"""The bench that fits and scores the doubt: its sums, its file, and its two sides."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("scipy")  # of the extra `bench`

from analysis.probability import ACCUSED, weighed
from bench.calibration import KINDS, NOISES, held_out, labs, right
from bench.fitting import Case, fit, read_cases, write_cases
from bench.loss import Run, add, counted, read, text
from bench.reliability import binned, brier, log_loss, wilson
from lab.score import Result
from lab.worlds.plan import names, truly


def cases(of: int = 400) -> list[Case]:
    """Accusations that are right more often, the oftener they were seen again."""
    chance = random.Random(1)
    made = []
    for n in range(of):
        again = chance.randrange(5)
        made.append(
            Case(
                split="fit", noise="calm", world="w", seed=n, claim=ACCUSED, outcome="blocked",
                rules=("silent_here", "tcp_silence"), right=chance.random() < 0.2 + 0.19 * again,
                features={"again_same": float(again)} if again else {},
            )
        )  # fmt: skip
    return made


def test_what_was_fitted_says_what_was_so() -> None:
    by = fit(cases())
    for again in range(5):
        inside = [c.right for c in cases(4000) if c.features.get("again_same", 0) == again]
        said = weighed({"again_same": again}, ACCUSED, ("silent_here",), by)
        assert pytest.approx(sum(inside) / len(inside), abs=0.08) == said


def test_a_weight_does_not_point_to_the_wrong_side() -> None:
    lucky = [replace(c, features={"loss": 1.0}) if c.right else c for c in cases()]
    assert fit(lucky).claims[ACCUSED].weights.get("loss", 0.0) <= 0


def test_cases_are_read_as_they_were_written(tmp_path: Path) -> None:
    made = cases(20)
    write_cases(made, fit(made), tmp_path / "cases.csv")
    assert made == read_cases(tmp_path / "cases.csv")


def test_scores_are_those_of_the_books() -> None:
    pairs = [(0.9, True), (0.9, False), (0.5, True)]
    assert pytest.approx((0.01 + 0.81 + 0.25) / 3) == brier(pairs)
    assert pytest.approx((0.1054 + 2.3026 + 0.6931) / 3, abs=1e-4) == log_loss(pairs)
    assert [(0.5, 0.8, 1, 1, 0.5), (0.9, 0.95, 2, 1, 0.9)] == binned(pairs)
    assert pytest.approx((0.722, 1.0), abs=1e-3) == wilson(10, 10)


def test_nothing_that_is_scored_on_was_fitted_on() -> None:
    sides = {side: [lab for lab in labs() if lab.split == side] for side in ("fit", "score")}
    fitted, held = (
        ({k for lab in made for k, _ in lab.worlds}, {s for lab in made for _, s in lab.worlds})
        for made in sides.values()
    )
    assert not fitted[0] & held[0]
    assert not fitted[1] & held[1]
    assert held[0] <= held_out()
    assert all(held_out() & set(names(sort)) for sort in KINDS)
    assert len(NOISES) == len(sides["fit"]) == len(sides["score"])


def test_a_claim_is_right_if_it_is_so() -> None:
    throttled, down = truly("ok", "throttled"), truly("down|inconclusive")
    assert right("ok", ("throttled",), throttled)
    assert right("ok", (), throttled)
    assert not right("ok", ("throttled",), truly("ok"))
    assert not right("blocked", ("tcp.silence",), down)


def test_an_open_site_with_a_mechanism_counts_as_accused_and_a_stopped_bench_still_tells(
    tmp_path: Path,
) -> None:
    def result(world: str, outcome: str, *mechanisms: str) -> Result:
        return Result(
            world=world, truth=truly("ok"), outcome=outcome, mechanisms=mechanisms,
            rules=("a_rule",), probability=0.91,
        )  # fmt: skip

    opened = [result("a", "ok"), result("b", "ok", "throttled"), result("c", "inconclusive")]
    shut = [result("d", "blocked"), result("e", "inconclusive")]
    run = counted(3.0, 0, opened, shut, 61.4)
    assert (1, 1, 1, 1, 1) == (
        run.open_ok, run.accused, run.open_inconclusive, run.found, run.blocked_inconclusive
    )  # fmt: skip
    add(run, tmp_path / "loss.csv")
    again: list[Run] = read(tmp_path / "loss.csv")
    assert [run] == again
    report = text(again, 80)
    assert "1 runs of 80" in report
    assert "- 3 %: accused b: ok throttled by a_rule (1)" in report
