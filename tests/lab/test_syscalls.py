"""A run that is ended, or whose disk fails, at one of its writes loses nothing it announced."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.syscalls import FAULTS, TARGETS, disturb, telling, undisturbed
from lab.stage import Setting, Stage
from lab.trial import HURRY
from lab.worlds.plan import build

pytestmark = pytest.mark.lab


def test_at_writes_of_its_beginning_its_middle_and_its_end(tmp_path: Path) -> None:
    """`bench/syscalls.py` does so at all of them."""
    worlds = [build("plain_site", n) for n in range(TARGETS)]
    with Stage(worlds, tmp_path, Setting(config=HURRY)) as stage:
        numbers = telling(undisturbed(stage, tmp_path))
        at = {  # eighths of them
            "kill": (1, 5), "torn": (2, 6), "EIO": (3, 6), "ENOSPC": (4, 6), "EROFS": (5,),
        }  # fmt: skip
        tallies = {
            fault: disturb(
                stage, tmp_path, [numbers[len(numbers) * part // 8] for part in parts], fault
            )
            for fault, parts in at.items()
        }
    assert {fault: [] for fault in FAULTS} == {f: tally.wrong for f, tally in tallies.items()}
    for fault, parts in at.items():
        status = -9 if fault in ("kill", "torn") else 1
        assert {status: len(parts)} == tallies[fault].statuses, fault
