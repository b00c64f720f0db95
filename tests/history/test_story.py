"""The story of an event says what is known, and says so where nothing is."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from analysis.history.event import Event, Interval, Kind, Scope
from analysis.history.story import WHAT, WHERE, decode, encode, story
from tests.history.by_hand import at, part

EVENT = Event(
    id="0123456789abcdef", kind="blocking", targets=("a.example",), mechanisms=("tls.reset",),
    trigger="name", scope="network", networks=(10,), clean_networks=(20,),
    onset=Interval(at(0), at(1)), probability=0.87, blocked=9, measured=10, probes=2,
    reasons=("On AS10 alone; AS20 clean.",), parts=(part(1),),
)  # fmt: skip


def test_every_kind_and_scope_has_words() -> None:
    assert set(get_args(Kind)) == set(WHAT)
    assert set(get_args(Scope)) == set(WHERE)


def test_it_is_told_since_when_where_how_and_how_sure() -> None:
    assert """\
0123456789abcdef  a.example: blocked on one network.
  When: since between 2024-10-04 00:00 UTC and 2024-10-04 01:00 UTC, and still so at the last look.
  Where: AS10; clean on AS20.
  How: tls.reset, by name.
  How sure: 87 %; 9 of 10 looks, 2 probes.
  Why so called: On AS10 alone; AS20 clean.""" == story(EVENT)


def test_an_onset_that_nobody_saw_is_said_to_be_unknown() -> None:
    early = msgspec.structs.replace(EVENT, onset=Interval(None, at(1)))
    assert "since before 2024-10-04 01:00 UTC, when it was first looked at" in story(early)


def test_a_lift_is_told_with_its_interval() -> None:
    lifted = msgspec.structs.replace(EVENT, lift=Interval(at(48), at(50)))
    assert "until between 2024-10-06 00:00 UTC and 2024-10-06 02:00 UTC" in story(lifted)


def test_certainty_is_never_claimed() -> None:
    assert "100 %" not in story(msgspec.structs.replace(EVENT, probability=0.9999))


@pytest.mark.parametrize(
    ("hours", "told"),
    [((5, 6, 7), "05:00-08:00"), ((23, 0, 1), "23:00-02:00"), ((1, 5), "01:00-02:00, 05:00-06:00")],
)
def test_hours_of_the_day_are_told_as_stretches(hours: tuple[int, ...], told: str) -> None:
    assert told in story(msgspec.structs.replace(EVENT, hours=hours))


def test_hundreds_of_targets_are_counted() -> None:
    many = tuple(f"{n}.example" for n in range(100))
    assert "and 94 more" in story(msgspec.structs.replace(EVENT, targets=many))


def test_what_is_encoded_comes_back() -> None:
    line = encode(EVENT)
    assert b"\n" not in line
    assert EVENT == decode(line)
