"""A year in small: some weeks on a virtual clock, some real runs with the power cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.year import WORLDS, Device, run_often, table, templates
from lab.stage import Setting, Stage
from lab.trial import HURRY
from lab.worlds.plan import build

pytestmark = pytest.mark.lab

BOUND = 6_000_000


def test_weeks_of_runs_with_cuts_outages_and_wrong_clocks_lose_nothing(tmp_path: Path) -> None:
    worlds = [build(world, n) for n, world in enumerate(WORLDS)]
    with Stage(worlds, tmp_path / "stage", Setting(config=HURRY)) as stage:
        real = run_often(stage, tmp_path / "real.db", 5, seed=3)
    assert [] == real.wrong
    assert len(WORLDS) * 4 <= real.stored

    device = Device(tmp_path, templates(tmp_path / "real.db"), bound=BOUND, seed=1)
    year = device.live(24 * 14)
    print(table(year, real, BOUND))
    assert ([], []) == (year.lost, year.wrong)
    assert year.measured > 5 * 24 * 7
    assert {"bodies", "measurements"} <= {*year.gone}
    assert year.largest_use < BOUND
    assert year.largest < BOUND * 1.5
    assert year.wrong_clock
