"""When the whole began and ended: with the first and the last of its parts, as far as is known."""

from __future__ import annotations

import random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from analysis.history.ends import whole_lift, whole_onset
from analysis.history.event import Interval, Part
from tests.history.by_hand import at, part


def onset(low: float | None, high: float) -> Part:
    return msgspec.structs.replace(
        part(24), onset=Interval(None if low is None else at(low), at(high))
    )


def test_it_began_with_the_first_of_the_parts() -> None:
    assert Interval(at(4), at(5)) == whole_onset([onset(9, 10), onset(4, 5), onset(30, 31)])


def test_one_of_two_that_is_hardly_known_reaches_far_back() -> None:
    whole = whole_onset([onset(95, 96), onset(0, 100)])
    assert whole.by == at(96)
    assert whole.after is not None and at(0) < whole.after < at(40)


def test_one_of_many_that_is_hardly_known_moves_little() -> None:
    known = [onset(95 + n, 96 + n) for n in range(24)]
    assert at(95) == whole_onset([*known, onset(0, 100)]).after


def test_what_nobody_looked_at_before_leaves_it_open() -> None:
    assert None is whole_onset([onset(None, 10), onset(12, 13)]).after


def test_it_is_not_lifted_while_one_part_goes_on() -> None:
    assert None is whole_lift([part(1, 9), part(1)])


def test_it_is_lifted_with_the_last_of_the_parts() -> None:
    lift = whole_lift([part(1, 9), part(1, 30), part(1, 12)])
    assert lift is not None
    assert (at(29), at(30)) == (lift.after, lift.by)


def test_nine_in_ten_hold_the_truth_where_parts_follow_in_their_own_time() -> None:
    draw = random.Random(7)
    held = 0
    for _ in range(1000):
        true = [draw.expovariate(1 / 14) for _network in range(8)]
        steps = [draw.choice([1, 1, 1, 6, 24]) for _network in true]
        seen = []
        for when, step in zip(true, steps, strict=True):
            before = when - draw.random() * step
            seen.append(onset(before, before + step))
        whole = whole_onset(seen)
        assert whole.after is not None and whole.by is not None
        held += whole.after <= at(min(true)) <= whole.by
    assert held >= 900


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(1, 99)), min_size=1, max_size=9))
def test_it_lies_between_the_first_look_and_the_earliest_that_can_be(
    drawn: list[tuple[int, int]],
) -> None:
    parts = [onset(low, low + wide) for low, wide in drawn]
    whole = whole_onset(parts)
    assert whole.by == min(p.onset.by or 0 for p in parts)
    assert whole.after is not None
    assert min(p.onset.after or 0 for p in parts) <= whole.after <= whole.by
