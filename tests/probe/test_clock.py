"""A run's time is counted, and nobody who sets the machine's clock moves it."""

from __future__ import annotations

import time

import pytest

from probe.surroundings.clock import MAX_OFF, Clock

DAY = 86400.0


@pytest.mark.parametrize("step", [3600.0, DAY, 365 * DAY, -DAY, -20 * 365 * DAY])
@pytest.mark.parametrize("offset", [0.0, 400 * DAY])
def test_a_clock_that_is_set_moves_no_time(
    monkeypatch: pytest.MonkeyPatch, step: float, offset: float
) -> None:
    clock, real = Clock(offset), time.time
    before = clock.now()
    monkeypatch.setattr(time, "time", lambda: real() + step)
    assert clock.now() == pytest.approx(before, abs=60)
    assert clock.moved() == pytest.approx(step, abs=60)


def test_who_asks_the_machine_is_wrong_until_it_is_set_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, behind = time.time, 2 * MAX_OFF
    monkeypatch.setattr(time, "time", lambda: real() - behind)
    clock = Clock(behind)
    assert clock.machine_is_wrong()
    monkeypatch.setattr(time, "time", real)
    assert not clock.machine_is_wrong()
    assert clock.now() == pytest.approx(real(), abs=60)
