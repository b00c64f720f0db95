"""Onset and lift in one series, from small histories made by hand."""

from __future__ import annotations

import random

import pytest

from tests.history.histories import HOUR, T0, between, found, holds, hourly, hours_of, look, one


def test_a_block_is_between_the_last_clean_look_and_the_first_blocked_one() -> None:
    part = one(hourly(between(49.5, 100.5), range(200)))
    assert part.mechanism == "tls.reset"
    assert hours_of(part.onset) == (49, 50)
    assert hours_of(part.lift) == (100, 101)
    assert part.lift and min(part.onset.probability, part.lift.probability) > 0.9
    assert (part.blocked, part.measured, part.probes) == (51, 51, 1)
    assert len(part.evidence) > 3 and all("x.example" in i for i in part.evidence)


def test_what_was_never_blocked_has_no_part() -> None:
    assert found(hourly(lambda h: "", range(100))) == ()
    assert found([]) == ()


def test_it_is_told_within_hours_where_it_is_looked_at_hourly() -> None:
    part = one(hourly(between(49.5, 1e9), range(100)))
    assert part.alerted_at is not None
    assert part.alerted_at - T0 - 49.5 * HOUR <= 6 * HOUR


@pytest.mark.parametrize("outcome", ["down", "server_side", "local_fault", "inconclusive",
                                     "not_measured"])  # fmt: skip
def test_silence_and_what_is_neither_are_no_lift(outcome: str) -> None:
    def seen(h: float) -> str:
        return "" if h < 50 else "tls.reset" if h < 100 else f"!{outcome}"

    part = one(hourly(seen, range(300)))
    assert part.lift is None
    assert hours_of(part.onset) == (49, 50)


def test_what_is_neither_is_no_onset() -> None:
    assert found(hourly(lambda h: "!down" if h > 50 else "", range(100))) == ()


def test_single_false_alarms_and_single_misses_change_nothing() -> None:
    alarms = {7, 60, 61, 140, 199}
    assert found(hourly(lambda h: "tls.reset" if h in alarms else "", range(300))) == ()
    misses = {60, 75, 90}
    part = one(hourly(lambda h: "tls.reset" if 50 <= h < 100 and h not in misses else "",
                      range(200)))  # fmt: skip
    assert holds(part.onset, 49.5) and holds(part.lift, 99.5)


def test_a_miss_just_after_and_a_false_alarm_just_before_widen_the_interval() -> None:
    odd = {47, 51}

    def seen(h: float) -> str:
        return "tls.reset" if (h >= 50) != (h in odd) else ""

    part = one(hourly(seen, range(150)))
    assert holds(part.onset, 49.5)


def test_a_site_that_errs_all_the_time_is_not_blocked() -> None:
    draw = random.Random(1)
    rows = hourly(lambda h: "tcp.silence" if draw.random() < 0.06 else "", range(2000))
    assert found(rows) == ()


def test_a_gap_makes_the_interval_as_wide_as_it_is() -> None:
    hours = [*range(40), *range(90, 120), *range(300, 330)]
    part = one(hourly(between(60, 200), hours))
    assert hours_of(part.onset) == (39, 90)
    assert hours_of(part.lift) == (119, 300)


def test_what_was_blocked_at_the_first_look_has_no_last_clean_one() -> None:
    part = one(hourly(between(-1, 1e9), range(50)))
    assert hours_of(part.onset) == (None, 0)


def test_a_block_that_comes_again_weeks_later_is_another_part() -> None:
    def seen(h: float) -> str:
        return "tls.reset" if 50 <= h < 100 or h >= 600 else ""

    first, second = found(hourly(seen, range(700)))
    assert first.lift is not None and second.lift is None
    assert hours_of(second.onset) == (599, 600)


def test_ok_with_a_mechanism_is_interfered_with() -> None:
    rows = [look(h, "http.redirect" if h >= 50 else "", outcome="ok") for h in range(100)]
    part = one(rows)
    assert (part.mechanism, part.blocked) == ("http.redirect", 50)


def test_rare_looks_show_it_too_later_and_less_exactly() -> None:
    part = one(hourly(between(300, 1e9), range(0, 1000, 24)))
    assert hours_of(part.onset) == (288, 312)
    assert part.alerted_at is not None and part.alerted_at <= T0 + (312 + 3 * 24) * HOUR


def test_an_analysis_of_a_part_of_the_data_alarms_as_the_whole_does() -> None:
    draw = random.Random(4)
    rows = [
        look(h, "tls.reset" if draw.random() < (0.9 if 80 <= h < 160 else 0.02) else "", probe=p)
        for h in range(250) for p in "ab"
    ]  # fmt: skip
    part = one(rows)
    assert part.alerted_at is not None
    hour = (part.alerted_at - T0) / HOUR
    assert found(rows, until=hour - 1e-6) == ()
    (then,) = found(rows, until=hour)
    assert then.alerted_at == part.alerted_at


def test_what_was_sent_twice_counts_once() -> None:
    rows = hourly(between(50, 100), range(150))
    assert one(rows) == one(rows + rows[40:120])
    few = hourly(lambda h: "tls.reset" if 50 <= h < 52 else "", range(150))
    assert found(few + few + few) == ()


def test_what_one_probe_sees_in_one_hour_is_one_look() -> None:
    rows = [look(h, "", probe="a") for h in range(50)]
    rows += [look(50 + m / 100, "tls.reset", probe="a") for m in range(60)]
    assert found(rows) == ()


def test_a_verdict_weighs_by_its_probability() -> None:
    sure = hourly(between(50, 1e9), range(54))
    unsure = [look(h, "tls.reset" if h >= 50 else "", probability=0.55 if h >= 50 else 0.98)
              for h in range(54)]  # fmt: skip
    assert len(found(sure)) == 1
    assert found(unsure) == ()


def test_a_clock_that_does_not_run_makes_no_block() -> None:
    rows = hourly(lambda h: "", range(1000, 1200))
    # Sessions of a month, all dated to the day at which the machine thinks it boots.
    for n in range(120):
        rows.append(look((n * 7) % 24 + n / 200, "tls.reset" if n > 60 else "", run=f"r{n}"))
    assert found(rows) == ()


def test_what_errs_now_and_then_and_always_did_is_not_blocked_in_a_part_of_the_looks() -> None:
    draw = random.Random(1)
    assert found(hourly(lambda h: "tcp.silence" if draw.random() < 0.2 else "", range(800))) == ()
