"""Throttled is what is slow in pairs with nothing else to blame, and that is put to a test."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.observe.speed import compared, duration, paired_p
from analysis.verdict import Verdict
from probe.evidence import Transfer
from probe.failure import Failure
from tests.analysis.build import BOTH, Scene
from tests.analysis.timed import SIZE, made, scene, timed


def verdict(transfers: Sequence[Transfer], **page: bool | float) -> Verdict:
    return scene(transfers, **page).verdict()  # type: ignore[arg-type]


def test_slow_with_its_name_and_fast_without_is_throttled_by_name() -> None:
    said = verdict(timed(mine=3.0, unnamed=0.3))
    assert ("ok", ("throttled",), "name") == (said.outcome, said.mechanisms, said.trigger)


def test_slow_from_its_address_whatever_is_said_is_throttled_by_address() -> None:
    said = verdict(timed(mine=4.0, unnamed=4.0))
    assert ("ok", ("throttled",), "address") == (said.outcome, said.mechanisms, said.trigger)


def test_a_round_trip_longer_than_any_route_is_throttling() -> None:
    """Telegram's addresses at Beltelecom in 2020: 350 ms, and 50 for their neighbours (H19)."""
    said = verdict(timed(mine=1.8, unnamed=1.8, rtt=0.4))
    assert (("throttled",), "address") == (said.mechanisms, said.trigger)


def test_where_the_server_minds_the_missing_name_the_trigger_is_unknown() -> None:
    said = verdict(timed(mine=4.0))
    assert (("throttled",), None) == (said.mechanisms, said.trigger)


def test_so_slow_that_its_end_does_not_come_is_blocked() -> None:
    said = verdict(timed(mine=4.0, unnamed=0.3), seconds=11.0, truncated=True)
    assert ("blocked", ("throttled",)) == (said.outcome, said.mechanisms)
    assert "throttled_away" == said.rules[0]


def test_a_long_page_that_comes_fast_enough_is_not_blocked_for_being_cut() -> None:
    said = verdict(timed(mine=4.0, unnamed=0.3), seconds=2.0, truncated=True)
    assert ("ok", ("throttled",)) == (said.outcome, said.mechanisms)


INNOCENT = {
    "as fast as others": timed(mine=0.3, unnamed=0.3),
    "slow server": timed(mine=4.0, unnamed=4.0, server=(3.8, 3.7)),
    "server slow for one control": timed(mine=4.0, unnamed=4.0, server=(3.8, 0.2)),
    "server slow for all, fast without the name": timed(
        mine=4.0, unnamed=0.3, server=(3.8, 3.7)
    ),
    "slow line": timed(mine=4.0, unnamed=4.0, control=3.5),
    "a route by the wrong ocean": timed(mine=1.4, unnamed=1.4, rtt=0.3),
    "a route three times as long as others": timed(mine=0.8, unnamed=0.8, control=0.2),
    "far server on a slow line": timed(mine=4.0, unnamed=4.0, control=1.5, server=(1.2, 1.2)),
    "one control only": timed(mine=4.0, unnamed=4.0, server=(0.2,)),
    "by name, and one control only": timed(mine=4.0, unnamed=0.3, server=(0.2,)),
    "by name, and no control": timed(mine=4.0, unnamed=0.3, server=(), control=None),
    "no control": timed(mine=4.0, unnamed=4.0, server=(), control=None),
    "too few rounds": timed(mine=4.0, unnamed=0.3, rounds=range(5)),
    "controls whose bytes came to none of ours": timed(mine=4.0, unnamed=4.0, control=None),
}


@pytest.mark.parametrize("name", INNOCENT)
def test_innocent_slowness_is_not_throttling(name: str) -> None:
    said = verdict(INNOCENT[name], seconds=11.0, truncated=True)
    assert ("ok", ()) == (said.outcome, said.mechanisms)


def test_without_a_follow_up_nothing_is_throttled() -> None:
    assert () == Scene().names().control_names().visit().asked(*BOTH).verdict().mechanisms


def test_line_and_server_are_named_where_they_are_slow() -> None:
    line = scene(INNOCENT["slow line"]).row()
    server = scene(INNOCENT["slow server"]).row()
    assert (True, False) == (line.line_slow, line.server_slow)
    assert (False, True) == (server.line_slow, server.server_slow)


def test_pages_of_another_size_are_no_comparison() -> None:
    """A server that answers with its short front page where the name is missing."""
    short = [
        msgspec.structs.replace(e, received=900, whole=True) if e.what == "unnamed" else e
        for e in timed(mine=4.0, unnamed=0.1, server=())
    ]
    assert 0 == compared(short)["speed_name_pairs"]


def test_a_longer_page_is_another_page() -> None:
    longer = [
        msgspec.structs.replace(e, received=3 * e.received, asked=10**6)
        if e.what == "unnamed"
        else e
        for e in timed(mine=4.0, unnamed=0.1, server=())
    ]
    assert 0 == compared(longer)["speed_name_pairs"]


def test_a_refusal_without_the_name_is_no_comparison() -> None:
    refused = [
        msgspec.structs.replace(e, status=421) if e.what == "unnamed" else e
        for e in timed(mine=4.0, unnamed=0.1, server=())
    ]
    assert 0 == compared(refused)["speed_name_pairs"]


def test_what_was_cut_off_by_its_time_counts_as_if_it_had_gone_on() -> None:
    cut = made("accused", 10.1, received=SIZE // 4, failure=Failure.TIMEOUT)
    assert 40.1 == pytest.approx(duration(cut, SIZE))
    assert 10.0 == duration(made("accused", 10.0, received=0, failure=Failure.TIMEOUT), SIZE)


def test_transfers_that_broke_are_left_out() -> None:
    broken = [
        msgspec.structs.replace(e, failure=Failure.CONNECTION_RESET) if e.what == "accused" else e
        for e in timed(mine=4.0, unnamed=0.3)
    ]
    assert {} == compared(broken)


def test_the_test_is_exact() -> None:
    assert 1 / 256 == paired_p([2.0] * 8, 1.5)
    assert 1.0 == paired_p([], 1.5)
    assert 1.0 == paired_p([1.0] * 8, 1.5)
    # All but the smallest of eight on one side: two patterns are as extreme.
    assert 2 / 256 == paired_p([3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 1.4], 1.5)


@given(st.lists(st.floats(0.1, 10.0), min_size=1, max_size=6))
def test_among_all_signs_of_the_same_sizes_p_is_a_rank(ratios: list[float]) -> None:
    """That is what makes it valid: no more than a share p of them have a p that small."""
    sizes = [max(r, 1 / r) for r in ratios]
    values = sorted(
        paired_p([s if up else 1 / s for s, up in zip(sizes, signs, strict=True)], 1.0)
        for signs in itertools.product((True, False), repeat=len(sizes))
    )
    for rank, p in enumerate(values, 1):
        assert p >= rank / len(values) - 1e-9


def test_pure_chance_is_accused_no_more_often_than_the_test_says() -> None:
    """Times with heavy tails, from one distribution for both sides: a lossy line."""
    chance = random.Random(7)
    accused = 0
    for _ in range(1000):
        ratios = [
            chance.lognormvariate(0, 0.8) / chance.lognormvariate(0, 0.8) for _ in range(8)
        ]
        accused += paired_p(ratios, 1.5) <= 0.01
    assert accused <= 4  # the margin makes it rarer than one in a hundred


@given(st.lists(st.sampled_from(timed(mine=4.0, unnamed=0.3)), max_size=30), st.data())
def test_no_records_are_too_strange(records: list[Transfer], data: st.DataObject) -> None:
    strange = [
        msgspec.structs.replace(
            e, received=data.draw(st.integers(0, 10**9)), t=data.draw(st.floats(0, 1e6)),
            whole=data.draw(st.booleans()), seconds=data.draw(st.floats(0, 1e6)),
        )
        for e in records
    ]
    found = compared(strange)
    assert not found or 0 < float(str(found["speed_name_p"])) <= 1
