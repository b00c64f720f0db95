"""Spells: many looks make one, single ones do not, and silence does neither."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.history.spells import Look, binomial, spells


def series(shown: str, step: float = 100_000.0) -> list[Look]:
    """``x`` a look that shows it, ``.`` one that does not, a space no look."""
    return [
        Look(
            binomial(int(c == "x"), int(c == "."), 0.03, 0.75),
            *[i * step if c == "x" else None] * 2,
            *[i * step if c == "." else None] * 2,
        )
        for i, c in enumerate(shown)
        if c != " "
    ]


@pytest.mark.parametrize("shown", ["", ".....", "..x...", "..x....x...", "x", "...xx..."])
def test_few_odd_looks_are_no_spell(shown: str) -> None:
    assert [] == spells(series(shown))


def test_a_spell_has_its_beginning_and_its_end_between_looks() -> None:
    (spell,) = spells(series("....xxxxxx...."))
    assert spell.onset.after is not None and spell.onset.by is not None
    assert 1e5 <= spell.onset.after <= 3e5 and 4e5 == spell.onset.by
    assert spell.lift is not None and spell.lift.after is not None and spell.lift.by is not None
    assert 9e5 == spell.lift.after and 1e6 <= spell.lift.by <= 12e5
    assert spell.probability > 0.9


def test_a_look_beside_it_does_not_cut_it_in_two() -> None:
    assert 1 == len(spells(series("....xxxx.xxxxx....")))


def test_what_may_have_been_its_beginning_is_in_the_interval() -> None:
    (spell,) = spells(series("..........x.xxxxxxxx......"))
    assert spell.onset.after is not None and spell.onset.by is not None
    assert spell.onset.after <= 9e5 and 12e5 <= spell.onset.by
    assert spell.onset.probability >= 0.9


def test_while_it_lasts_there_is_no_lift() -> None:
    (spell,) = spells(series("......xxxxxx"))
    assert spell.lift is None


def test_what_was_so_from_the_first_look_has_no_known_beginning() -> None:
    (spell,) = spells(series("xxxxxxxx....."))
    assert (None, 0.0) == (spell.onset.after, spell.onset.by)


def test_silence_is_not_a_lift() -> None:
    (spell,) = spells(series("....xxxxxx" + " " * 500 + "xxx"))
    assert spell.lift is None


def test_a_ragged_edge_belongs_to_the_change() -> None:
    """One early look shows it some hours before all others do: caches, or a list read late."""
    (spell,) = spells(series("......x...xxxxxxxxxx", step=3600.0))
    assert spell.onset.after is not None and spell.onset.after <= 5 * 3600


@given(st.text(alphabet="x. ", max_size=60))
def test_spells_are_in_order_and_apart(shown: str) -> None:
    found = spells(series(shown))
    for one, two in pairwise(found):
        assert one.end + 1 < two.begin
    assert all(s.begin <= s.end and s.odds > 0 for s in found)


@given(st.text(alphabet="x.", max_size=40), st.integers(0, 40), st.integers(1, 50))
def test_a_gap_changes_nothing_but_times(shown: str, where: int, long: int) -> None:
    gapped = shown[:where] + " " * long + shown[where:]
    assert [s[:2] for s in spells(series(shown))] == [s[:2] for s in spells(series(gapped))]
