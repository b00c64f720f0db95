"""When cron's turn is, over days in which the machine sleeps and its clock jumps."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from probe.schedule.plan import EVERY
from probe.schedule.slots import HOUR, TICK, Slots

DAY = 24 * HOUR
BEGIN = 1_800_000_000.0


def turns(slots: Slots, wakings: Iterable[float]) -> list[float]:
    had: list[float] = []
    for now in wakings:
        if slots.due(now, had[-1] if had else None):
            had.append(now)
    return had


def awake(since: float, until: float) -> Iterable[float]:
    first = int(since // 60) * 60
    return (float(t) for t in range(first, int(until), TICK * 60))


@pytest.mark.parametrize("every", EVERY)
def test_a_machine_that_is_always_on_has_one_turn_in_each_slot(every: int) -> None:
    slots = Slots(every, start=17, secret="of this schedule")
    had = turns(slots, awake(BEGIN, BEGIN + 30 * DAY))
    slots_of = [slots.of(at) for at in had]
    assert slots_of == list(range(slots_of[0], slots_of[0] + len(had)))
    assert len(had) in (30 * 24 // every, 30 * 24 // every + 1)


def test_turns_are_at_no_fixed_minute() -> None:
    had = turns(Slots(24, secret="a"), awake(BEGIN, BEGIN + 60 * DAY))
    assert len({at % DAY // (TICK * 60) for at in had}) >= 3
    assert all(at % DAY <= HOUR + TICK * 60 for at in had[1:])


def test_what_was_slept_through_is_made_up_for_once_and_at_the_first_waking() -> None:
    slots = Slots(1, secret="a")
    before = turns(slots, awake(BEGIN, BEGIN + 5 * HOUR))
    woken = slots.of(BEGIN) * HOUR + 12 * HOUR + 50 * 60  # late in its slot
    after = turns(slots, [before[-1], *awake(woken, woken + 2 * HOUR)])[1:]
    assert slots.of(after[0]) == slots.of(woken)
    assert after[0] - woken < TICK * 60
    assert slots.of(after[1]) == slots.of(after[0]) + 1


def test_a_clock_that_was_put_back_holds_nothing_up() -> None:
    slots = Slots(6, secret="a")
    in_the_past = BEGIN - 1000 * DAY
    had = turns(slots, [BEGIN + 6 * HOUR, *awake(in_the_past, in_the_past + 2 * DAY)])
    assert 8 <= len(had[1:]) <= 9


def test_two_schedules_have_their_own_moments() -> None:
    one, other = Slots(24, start=600, secret="a"), Slots(24, start=600, secret="b")
    assert one.moment(20_000) != other.moment(20_000)
    assert 0 <= one.moment(20_000) - (20_000 * DAY + 600 * 60) <= HOUR


def test_the_next_turn_is_in_the_next_slot_once_this_one_had_its() -> None:
    slots = Slots(6, secret="a")
    now = slots.moment(100_000) + 60
    assert now == slots.next(now, None)  # it is due
    assert slots.moment(100_001) == slots.next(now, now - 30)
