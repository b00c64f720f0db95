"""Intervals hold the truth about as often as they say, also where probes repeat themselves."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.history.credible import correlation, effective_size, interval


def test_the_bounds_are_those_of_the_literature() -> None:
    # Brown, Cai, DasGupta 2001, table 5, n = 7.
    low, high = interval([0, 1, 2], [7, 7, 7])
    assert [0, 0.016, 0.065] == pytest.approx(list(low), abs=5e-4)
    assert [0.292, 0.501, 0.648] == pytest.approx(list(high), abs=5e-4)


def test_nothing_measured_is_nothing_known() -> None:
    low, high = interval([0], [0])
    assert (0.0, 1.0) == (low[0], high[0])


def test_all_is_never_more_than_seen() -> None:
    low, high = interval([3, 0], [3, 3])
    assert (1.0, 0.0) == (high[0], low[1])
    assert low[0] < 1 and high[1] > 0


def test_a_probe_that_repeats_itself_is_worth_one() -> None:
    assert [1.0] == list(effective_size([24], [24 * 24], 1.0))
    assert [24.0] == list(effective_size([24], [24], 1.0))
    assert [24.0] == list(effective_size([24], [24 * 24], 0.0))


@pytest.mark.parametrize("truth", [0.0, 0.2, 0.6])
def test_the_correlation_is_found_again(truth: float) -> None:
    cells = _simulated(truth, cells=4000, probes=6, each=8, share=0.4)
    assert truth == pytest.approx(correlation(*cells), abs=0.06)


def test_without_two_probes_each_is_taken_to_count_once() -> None:
    assert 1.0 == correlation([3], [9], [1], [81], [1.0])


@pytest.mark.parametrize("truth", [0.0, 0.5])
def test_intervals_hold_the_truth_as_often_as_they_say(truth: float) -> None:
    share = 0.3
    blocked, measured, probes, squares, within = _simulated(
        truth, cells=3000, probes=8, each=6, share=share
    )
    alike = correlation(blocked, measured, probes, squares, within)
    size = effective_size(measured, squares, alike)
    low, high = interval(blocked, measured, effective=size, level=0.9)
    assert 0.86 < float(np.mean((low <= share) & (share <= high))) < 0.95
    naive_low, naive_high = interval(blocked, measured, level=0.9)
    if truth:
        assert float(np.mean((naive_low <= share) & (share <= naive_high))) < 0.7


def _simulated(
    alike: float, *, cells: int, probes: int, each: int, share: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Beta-binomial cells: each probe has a share of its own, the more so the more *alike*."""
    rng = np.random.default_rng(8)
    m = rng.integers(1, 2 * each, size=(cells, probes))
    if alike == 0:
        p = np.full((cells, probes), share)
    else:
        strength = 1 / alike - 1
        p = rng.beta(share * strength, (1 - share) * strength, size=(cells, probes))
    y = rng.binomial(m, p)
    return y.sum(1), m.sum(1), np.full(cells, probes), (m**2).sum(1), (y**2 / m).sum(1)
