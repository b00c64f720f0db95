"""Small months, understood by the whole chain: what must not get worse unseen.

A sample, on tuning seeds; the figures that count are those of ``bench/months.py``.
"""

from __future__ import annotations

from functools import cache

from analysis.history.changes import parts
from analysis.history.events import events
from lab.months.match import ACCUSING
from lab.months.noise import OURS
from lab.months.probes import Crowd
from lab.months.score import Figures, figures, score
from lab.months.simulate import Setting, simulate

SAMPLE = Setting(
    days=36, targets=30, homes=10, noise=OURS,
    crowd=Crowd(hourly=((3, 2), (7, 1)), six_hourly=2, evenings=3, weekly=1, abroad=3),
    stories=(
        "list_block", "network_block", "operator_block", "gateway_block", "partial_block",
        "lifted_list_block", "ddos", "shutdown", "registry", "throttle_network",
        "household_filter",
    ),
)  # fmt: skip
SEEDS = (100, 102)


@cache
def understood() -> Figures:
    scores = []
    for seed in SEEDS:
        history = simulate(SAMPLE, seed, use="tuning")
        rows = history.rows()
        found = events(rows, parts(rows), history.networks)
        scores.append(score(history, found))
    return figures(scores)


def _least(pair: tuple[int, int], share: float) -> bool:
    right, of = pair
    return of > 0 and right >= share * of


def test_nearly_all_that_happened_is_found() -> None:
    assert _least(understood().recall, 0.95), understood()


def test_nearly_all_accusations_are_of_interference() -> None:
    assert _least(understood().accusations, 0.95), understood()


def test_one_thing_is_one_event() -> None:
    assert understood().alerts <= 1.2, understood()


def test_intervals_hold_the_truth() -> None:
    assert _least(understood().onset, 0.9), understood()
    assert _least(understood().lift, 0.9), understood()


def test_kind_scope_and_mechanism_are_right() -> None:
    assert _least(understood().kind, 0.9), understood()
    assert _least(understood().scope, 0.75), understood()
    assert _least(understood().mechanism, 0.95), understood()


def test_months_in_which_nothing_happens_have_no_event() -> None:
    quiet = Setting(days=30, targets=24, homes=8, crowd=SAMPLE.crowd, stories=(), before=False)
    history = simulate(quiet, 104, use="tuning")
    rows = history.rows()
    found = events(rows, parts(rows), history.networks)
    assert [] == [e for e in found if e.kind in ACCUSING]
