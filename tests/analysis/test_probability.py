"""How probable a verdict is: which way each thing points, and how far it may go."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.observations import Observation
from analysis.observe.line import LineOverRun, line_columns, note_line_of_run
from analysis.probability import (
    ACCUSED,
    AGAINST,
    CLAIMS,
    DIRECTION,
    FOR,
    Claim,
    Likelihoods,
    Record,
    claim_of,
    fitted,
    loss,
    probability,
)
from analysis.verdict import Verdict, judge
from probe.evidence import CanaryCheck, Measurement, TCPConnect
from probe.failure import Failure
from tests.analysis.build import BOTH, Scene, site
from tests.analysis.test_properties import Situation, situations
from tests.analysis.worlds import CASES

RESET = Failure.CONNECTION_RESET
RULES = ("cut_off_here", "tls_reset_on_name")


def reset_here(tests: str, controls: tuple[str, ...] = BOTH) -> Scene:
    """A name that is reset, and what its repetitions met (see `Scene.follow`)."""
    scene = site().visit(by=BOTH).connect(tls=RESET, holds=True).follow("tls", RESET, {
        "again": tests,
    })
    return scene.without(*(c for c in BOTH if c not in controls))


def said(**seen: object) -> float:
    """The probability of a reset that was *seen* so."""
    row = Observation(run_id="run", url="https://a.example/", path_end="tls", **seen)  # type: ignore[arg-type]
    found = probability(row, "blocked", ("tls.reset",), RULES)
    assert found is not None
    return found


def judged(*scenes: Scene) -> list[Verdict]:
    return judge([scene.row() for scene in scenes])


def test_what_claims_nothing_has_no_probability() -> None:
    names = ("innocent_reset_that_does_not_come_again",)
    (verdict,) = judged(*(CASES[name].build() for name in names))
    assert ("inconclusive", None) == (verdict.outcome, verdict.probability)
    assert claim_of("not_measured", ()) is None


def test_every_verdict_that_claims_something_is_neither_certain_nor_impossible() -> None:
    for verdict in judged(*(case.build() for case in CASES.values())):
        if verdict.outcome == "inconclusive":
            continue
        assert verdict.probability is not None
        assert 0 < verdict.probability < 1


@pytest.mark.parametrize("followed", ["tls", "dns"])
def test_each_repetition_that_ends_the_same_adds_and_each_that_passes_takes(followed: str) -> None:
    same = [said(followed=followed, again_tries=n, again_same=n) for n in range(7)]
    assert sorted(same) == same
    passed = [said(followed=followed, again_tries=4, again_passed=n) for n in range(5)]
    assert sorted(passed, reverse=True) == passed


def test_one_control_more_never_makes_a_block_less_probable() -> None:
    none, one, two = (said(path_contradicted=n) for n in range(3))
    assert none <= one <= two


def test_a_reset_seen_again_is_more_probable_than_one_that_half_of_the_time_was_not() -> None:
    always, half = judged(reset_here("s s s s"), reset_here("s s f f"))
    assert ("blocked", "blocked") == (always.outcome, half.outcome)
    assert always.probability is not None
    assert half.probability is not None
    assert half.probability <= always.probability


def test_a_silence_is_less_probable_on_a_line_that_loses_packets() -> None:
    def silent(late: int) -> float:
        row = Observation(
            run_id="run", url="https://a.example/", path_end="tcp", path_how="silence",
            path_contradicted=2, tcp_silence=2, line_connects=200, line_late=late,
        )  # fmt: skip
        found = probability(row, "blocked", ("tcp.silence",), ("silent_here", "tcp_silence"))
        assert found is not None
        return found

    assert silent(40) <= silent(0)


def test_losses_are_those_of_two_packets_and_a_short_run_tells_none() -> None:
    row = Observation(run_id="run", url="https://a.example/", line_connects=100, line_late=10)
    assert 0.05 == loss(row)
    assert 0.0 == loss(msgspec.structs.replace(row, line_connects=5, line_late=5))


def test_what_was_never_met_in_fitting_gets_no_more_than_was_stated() -> None:
    row = Observation(run_id="run", url="https://a.example/", path_end="tls", path_contradicted=2)
    found = probability(row, "blocked", ("tls.reset",), ("a_rule_of_next_year",))
    assert found is not None
    assert found <= fitted().unseen
    nobody = Likelihoods(rules_version="", unseen=0.7, claims={})
    assert 0.7 == probability(row, "blocked", ("tls.reset",), RULES, by=nobody)


def test_few_cases_bound_what_is_said() -> None:
    row = Observation(run_id="run", url="https://a.example/", path_end="tls", path_contradicted=2)
    for cases, most in ((1, 2 / 3), (8, 0.9), (98, 0.99)):
        claim = Claim(base=30.0, weights={}, rules={RULES[0]: Record(cases=cases, right=cases)})
        by = Likelihoods(rules_version="", unseen=0.8, claims={ACCUSED: claim})
        assert pytest.approx(most, abs=1e-4) == probability(
            row, "blocked", ("tls.reset",), RULES, by=by
        )


def test_the_fitted_weights_point_where_they_should() -> None:
    by = fitted()
    assert {ACCUSED, "ok", "down"} <= set(by.claims) <= set(CLAIMS)
    for claim in by.claims.values():
        for feature, weight in claim.weights.items():
            direction = DIRECTION.get(feature, 0)
            assert direction or feature.startswith("rule "), f"{feature} is of no known feature"
            assert direction != FOR or weight >= 0, feature
            assert direction != AGAINST or weight <= 0, feature
        assert all(0 <= r.right <= r.cases for r in claim.rules.values())


def _assert_fewer_controls_say_no_more(scenes: list[Scene]) -> None:
    whole = judged(*scenes)
    for names in (("one",), ("two",), BOTH):
        fewer = judged(*(scene.without(*names) for scene in scenes))
        for before, after in zip(whole, fewer, strict=True):
            if (before.outcome, after.outcome) == ("blocked", "blocked"):
                assert before.probability is not None
                assert after.probability is not None
                assert after.probability <= before.probability, (before.rules, after.rules)


def test_a_control_fewer_never_makes_a_block_more_probable() -> None:
    _assert_fewer_controls_say_no_more([case.build() for case in CASES.values()])


@settings(max_examples=10, deadline=None)
@given(st.lists(situations, min_size=8, max_size=30))
def test_nor_in_any_situation(seen: list[Situation]) -> None:
    _assert_fewer_controls_say_no_more([s.build() for s in seen])


def test_a_late_connection_counts_as_a_lost_packet_and_a_failed_one_does_not() -> None:
    chance = random.Random(1)
    times = [1.06, 3.1, 0.7, *(chance.uniform(0.03, 0.07) for _ in range(7))]
    evidence = [TCPConnect(ip="192.0.2.1", port=443, t0=5.0, t=5.0 + took) for took in times]
    evidence += [
        TCPConnect(ip="192.0.2.2", port=443, t=10.0, failure=Failure.TIMEOUT),
        TCPConnect(ip="192.0.2.1", port=443, t=1.6, held=1.5),
        TCPConnect(ip="192.0.2.1", port=443, t=4.0, vantage="one"),
    ]
    record = LineOverRun()
    note_line_of_run(
        record,
        Measurement(
            id="m", run_id="run", nettest="web_connectivity", nettest_version="1",
            url="https://a.example/", evidence=tuple(evidence),
        ),
    )  # fmt: skip
    canaries = [
        CanaryCheck(run_id="run", ring="foreign", name="c", at=0.0, failure=failure, family=family)
        for failure, family in ((None, 4), (Failure.TIMEOUT, 4), (Failure.TIMEOUT, 6))
    ]
    assert {
        "line_connects": 10, "line_late": 2, "canary_looks": 2, "canary_failures": 1,
    } == line_columns(record, canaries)  # fmt: skip
