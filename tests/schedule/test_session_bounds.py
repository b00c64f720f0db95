"""A run that reaches a bound, sleeps, or comes to another network: said, kept, never blamed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from probe.config import Budget, Canaries, Config, Limits
from probe.evidence import AddressInfo
from probe.store import Store, Use
from probe.surroundings import environment
from probe.surroundings.sleep import Sleep, asleep_so_far
from tests.probe.test_session import bench, surroundings

assert surroundings  # a fixture that every test here uses, too


def config(bounds: Budget) -> Config:
    return Config(
        canaries=Canaries(), limits=Limits(concurrency=4), budget=bounds
    )


async def test_a_bound_that_is_reached_ends_the_run_in_order(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path, config=config(Budget(database_bytes=400_000))) as b:
        result = await b.run(400)
        assert "budget" == result.run.ended
        assert 0 < result.measured < 400
        assert result.measured == len(b.stored())
        assert "budget" == b.last_run().ended
        (note,) = [note for note in b.reported.notes if "database" in note]
        assert "the database has reached 0.4 MB: stopping; what was measured is kept" == note


async def test_what_earlier_runs_have_used_ends_this_one_before_its_first_target(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path, config=config(Budget(line_bytes_per_day=1000))) as b:
        with Store(b.path, write=True) as store:
            store.append_use(Use(at=time.time() - 60, line=1000))
        result = await b.run(4)
        assert ("budget", 0) == (result.run.ended, result.measured)


async def test_what_a_run_uses_is_written_down_while_it_runs(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path, seconds=100.0) as b:
        await b.run(8)
        with Store(b.path) as store:
            uses = store.uses()
        assert 3 <= len(uses) <= 5
        assert sum(use.processor for use in uses) > 0


class Lid:
    """Closed once, after *at* seconds (trio's clock), for *seconds*."""

    def __init__(self, at: float, seconds: float) -> None:
        self.at, self.seconds = at, seconds

    def __call__(self) -> float:
        return self.seconds if trio.current_time() >= self.at else 0.0


async def test_what_was_open_when_the_machine_slept_is_measured_again(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path, seconds=20.0) as b:
        began = trio.current_time()
        lid = Lid(began + 30, 600)
        monkeypatch.setattr("probe.watch.Sleep", lambda: Sleep(lid))
        result = await b.run(8)
        assert "done" == result.run.ended
        assert 8 + 4 == len(b.asked)  # four were open then
        assert "the machine slept for 10.0 minutes" in b.reported.notes
        assert "measuring again what the dead line has spoiled: 4" in b.reported.notes


@pytest.mark.parametrize(("seconds", "again"), [(2.5, 0), (8.0, 4)])
async def test_what_was_open_while_the_program_stood_still_is_measured_again(
    tmp_path: Path, autojump_clock: MockClock, seconds: float, again: int
) -> None:
    async with bench(tmp_path, seconds=20.0) as b, trio.open_nursery() as nursery:

        async def stand_still() -> None:
            await trio.sleep(30)
            autojump_clock.jump(seconds)

        nursery.start_soon(stand_still)
        result = await b.run(8)
        assert "done" == result.run.ended
        assert 8 + again == len(b.asked)  # four were open then
        told = [note for note in b.reported.notes if "stood still" in note]
        assert bool(again) == bool(told)


async def test_a_run_that_stood_still_for_long_ends(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path, seconds=20.0) as b, trio.open_nursery() as nursery:

        async def stand_still() -> None:
            await trio.sleep(30)
            autojump_clock.jump(8 * 3600)

        nursery.start_soon(stand_still)
        result = await b.run(40)
        assert "interrupted" == result.run.ended
        assert 0 < result.measured == len(b.stored()) < 40


async def test_after_a_long_sleep_the_run_ends(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path, seconds=20.0) as b:
        lid = Lid(trio.current_time() + 30, 8 * 3600)
        monkeypatch.setattr("probe.watch.Sleep", lambda: Sleep(lid))
        result = await b.run(40)
        assert "interrupted" == result.run.ended
        assert 0 < result.measured == len(b.stored()) < 40


async def test_a_run_that_wakes_up_on_another_network_ends(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path, seconds=20.0) as b:
        lid = Lid(trio.current_time() + 30, 600)
        monkeypatch.setattr("probe.watch.Sleep", lambda: Sleep(lid))
        monkeypatch.setattr(
            environment, "own_network",
            lambda *_: AddressInfo(asn=25106 if lid() else 6697, cc="BY", holder="?"),
        )  # fmt: skip
        result = await b.run(40)
        assert ("interrupted", 6697) == (result.run.ended, result.run.probe_asn)
        assert "this run began in AS6697 and this is AS25106: it ends here" in b.reported.notes


def test_a_sleep_is_told_once() -> None:
    asleep = [100.0]
    sleep = Sleep(lambda: asleep[0])
    assert 0.0 == sleep.slept()
    asleep[0] += 30
    assert (30.0, 0.0) == (sleep.slept(), sleep.slept())
    asleep[0] += 0.5
    assert 0.0 == sleep.slept()


def test_this_machine_tells_and_does_not_sleep_meanwhile() -> None:
    assert abs(asleep_so_far() - asleep_so_far()) < 0.1
    assert 0.0 == Sleep().slept()
