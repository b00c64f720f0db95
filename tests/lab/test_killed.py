"""Runs that are ended from outside: what was measured is kept, and the run goes on."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.kills import Killing, Listener, kill_often
from lab.stage import DELAYS, Setting, Stage
from lab.trial import HURRY
from lab.world import Wire
from lab.worlds.plan import build
from probe.store import Store

pytestmark = pytest.mark.lab

TARGETS = 60
SEED = 20261122


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    worlds = [build("plain_site", n) for n in range(TARGETS)]
    with Stage(worlds, tmp_path_factory.mktemp("killed"), Setting(config=HURRY)) as stage:
        yield stage


def test_kills_lose_nothing_and_resuming_repeats_nothing(stage: Stage, tmp_path: Path) -> None:
    tally = kill_often(stage, tmp_path, kills=12, births=4, seed=SEED)
    assert [] == tally.wrong
    assert 0 == tally.lost
    assert TARGETS * tally.runs == tally.measured
    # How long a finished target waits to be safe is a figure, and bench/kills.py's to tell.
    print(f"kills at {sorted(tally.moments)}, safe after {max(tally.lags):.2f} s at most")


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "term"]
)
def test_a_signal_ends_in_order_with_all_that_was_finished_kept(
    stage: Stage, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    db = tmp_path / "signalled.db"
    stage.country.set(Wire.LINE, delay=0.1)  # or the run might be over before the signal
    process = stage.start_run(db, "--json", "--concurrency", "8")
    listener = Listener(process)
    while len(listener.said) < 10 and process.poll() is None:
        time.sleep(0.02)  # for a real program to get so far
    process.send_signal(number)
    assert status == process.wait(120)
    stage.country.set(Wire.LINE, delay=DELAYS[Wire.LINE])
    listener.finish()
    assert "Traceback" not in listener.talk
    with Store(db) as store:
        (run,) = store.runs()
        kept = {m.id for m in store.measurements()}
    assert "interrupted" == run.ended
    assert {said.id for said in listener.said} == kept
    assert 10 <= len(kept) < TARGETS

    killing = Killing(stage, db, random.Random(SEED), concurrency=8)
    killing.complete()
    tally = killing.judge()
    assert [] == tally.wrong
    assert (1, TARGETS) == (tally.runs, tally.measured)
