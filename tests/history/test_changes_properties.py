"""What holds for every history."""

from __future__ import annotations

import math
import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.history.event import Part
from analysis.history.table import VerdictRow
from tests.history.histories import T0, found, look

SOME = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SEEN = st.sampled_from(["", "", "", "tls.reset", "tls.reset", "tcp.silence", "dns.nxdomain",
                        "http.redirect,tls.reset", "!down", "!inconclusive"])  # fmt: skip


@st.composite
def histories(draw: st.DrawFn) -> list[VerdictRow]:
    """A site that is looked at now and then, and is blocked for a while, or not."""
    draws = random.Random(draw(st.integers(0, 2**32)))
    begin = draw(st.integers(0, 120))
    end = begin + draw(st.integers(0, 80))
    noise = draw(st.sampled_from([0.0, 0.02, 0.1]))
    mechanism = draw(SEEN)
    rows = []
    for hour in sorted(draws.sample(range(200), draw(st.integers(0, 120)))):
        blocked = begin <= hour < end and draws.random() > noise
        odd = draws.random() < noise
        rows.append(look(hour + draws.random(), mechanism if blocked or odd else "",
                         probe=draws.choice("abc"), ip=draws.choice(["192.0.2.1", "192.0.2.2"]),
                         kind=draws.choice(["", "mobile", "fixed"])))  # fmt: skip
    return rows


def ongoing(parts: tuple[Part, ...]) -> set[tuple[object, ...]]:
    return {(p.mechanism, p.onset, p.blocked) for p in parts if p.lift is None}


@SOME
@given(histories(), st.integers())
def test_the_order_of_the_rows_changes_nothing(rows: list[VerdictRow], seed: int) -> None:
    shuffled = list(rows)
    random.Random(seed).shuffle(shuffled)
    assert found(rows) == found(shuffled)


@SOME
@given(histories())
def test_intervals_are_in_order_and_numbers_add_up(rows: list[VerdictRow]) -> None:
    for part in found(rows):
        assert 0 < part.blocked <= part.measured and 0 < part.share <= 1
        assert 0 < part.probability < 1
        ends = [part.onset] if part.lift is None else [part.onset, part.lift]
        for interval in ends:
            assert interval.by is not None and 0 < interval.probability <= 1
            assert interval.after is None or interval.after <= interval.by
        assert part.alerted_at is not None and part.alerted_at >= (part.onset.after or 0)
        if part.lift is not None:
            assert part.lift.after is not None and part.lift_alerted_at is not None
            assert part.onset.by is not None and part.lift.by is not None
            assert part.onset.by <= part.lift.by


@SOME
@given(histories(), st.floats(0, 200), st.sampled_from(["", "down", "local_fault", "not_measured"]))
def test_who_stops_looking_sees_no_lift(
    rows: list[VerdictRow], hour: float, outcome: str
) -> None:
    until = T0 + hour * 3600
    early = [r for r in rows if r.measured_at <= until]
    silence = [look(h, f"!{outcome}") for h in range(200, 5000, 100)] if outcome else []
    assert ongoing(found(early)) == ongoing(found(early + silence))


@SOME
@given(histories(), st.floats(0, 200), st.floats(0, 100))
def test_a_gap_never_makes_a_lift(rows: list[VerdictRow], begin: float, length: float) -> None:
    """What is lifted with a gap in the looks was lifted without it, by looks that are left."""
    gone = [r for r in rows if begin <= (r.measured_at - T0) / 3600 < begin + length]
    left = [r for r in rows if r not in gone]
    clean = {r.measured_at for r in left if r.outcome != "blocked" or r.mechanisms}
    for part in found(left):
        if part.lift is not None:
            assert part.lift.by in clean
            after = [r for r in left if r.measured_at >= (part.lift.by or 0)]
            assert sum(part.mechanism not in r.mechanisms for r in after) >= 2


@SOME
@given(histories(), st.lists(st.integers(0, 2000), min_size=1, max_size=30))
def test_more_clean_looks_never_make_a_block_more_probable(
    rows: list[VerdictRow], hours: list[int]
) -> None:
    more = [look(h / 10, "", probe="z") for h in hours]

    def most(parts: tuple[Part, ...]) -> float:
        return max((p.probability for p in parts), default=-math.inf)

    assert most(found(rows + more)) <= most(found(rows)) + 1e-9


@SOME
@given(histories(), st.floats(0, 200))
def test_nobody_is_told_before_the_data_are_there(rows: list[VerdictRow], hour: float) -> None:
    for part in found(rows, until=hour):
        assert part.alerted_at is not None and part.alerted_at <= T0 + hour * 3600
        assert part.lift_alerted_at is None or part.lift_alerted_at <= T0 + hour * 3600


@SOME
@given(histories())
def test_what_is_said_to_have_been_told_was_told_then(rows: list[VerdictRow]) -> None:
    for part in found(rows):
        assert part.alerted_at is not None and part.onset.by is not None
        then = found(rows, until=(part.alerted_at - T0) / 3600 + 1e-6)
        layers = {p.mechanism.partition(".")[0] for p in then}
        assert part.mechanism.partition(".")[0] in layers
