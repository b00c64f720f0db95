"""Where the power fails, what was announced is on the disk; and a disk that lies is found out."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from bench.power_cut import check_spool, cut_often, named, spool_log, try_both

pytestmark = pytest.mark.lab

SEED = 20261122


def test_a_power_cut_takes_nothing_that_was_announced() -> None:
    tallies = try_both(points=60, seed=SEED, targets=4)
    for what, tally in tallies.items():
        assert [] == tally.wrong, what
        assert tally.points == 60
        assert tally.announced >= 4


def test_what_is_acknowledged_before_it_is_flushed_is_missed(tmp_path: Path) -> None:
    log = spool_log(tmp_path)
    often = partial(
        cut_often, below=tmp_path / "spool", folder=tmp_path / "disk", check=check_spool,
        points=60, seed=SEED, announced=named,
    )  # fmt: skip
    assert [] == often(log).wrong
    assert [] != often([call for call in log if call.op != "F"]).wrong
