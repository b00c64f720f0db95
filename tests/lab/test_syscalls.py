"""A run that is ended, or whose disk fails, at one of its writes loses nothing it announced."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.syscalls import FAULTS, TARGETS, count, disturb
from lab.stage import Setting, Stage
from lab.trial import HURRY
from lab.worlds.plan import build

pytestmark = pytest.mark.lab


def test_at_writes_of_its_beginning_its_middle_and_its_end(tmp_path: Path) -> None:
    """`bench/syscalls.py` does so at all of them."""
    worlds = [build("plain_site", n) for n in range(TARGETS)]
    with Stage(worlds, tmp_path, Setting(config=HURRY)) as stage:
        calls = count(stage, tmp_path)
        some = (2, calls // 3, calls * 4 // 5)
        tallies = {fault: disturb(stage, tmp_path, some, fault) for fault in FAULTS}
    assert {fault: [] for fault in FAULTS} == {f: tally.wrong for f, tally in tallies.items()}
    assert 2 <= tallies["kill"].statuses[-9]  # the last call may be of a thread that makes fewer
