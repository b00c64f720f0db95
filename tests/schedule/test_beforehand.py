"""zond run where the day's budget or the room is used up: one line, status 5, nothing sent.

In a network namespace of its own, so that a mistake here sends nothing either.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from probe.evidence import Measurement, Run
from probe.store import Store, Use

ZOND = Path(sys.executable).with_name("zond")
NOWHERE = ["unshare", "--map-root-user", "--net"]


def run(home: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "ZOND_DB": str(home / "zond.db")}
    return subprocess.run(
        [*NOWHERE, ZOND, "run", "--yes", "--no-upload", "--url", "https://site.example/"],
        env=env | settings, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def runs(home: Path) -> int:
    with Store(home / "zond.db") as store:
        return len(store.runs())


def full(home: Path, megabytes: int = 3) -> None:
    """A database of so many megabytes, none of which was delivered."""
    with Store(home / "zond.db", write=True) as store:
        for id in ("first", "second"):
            store.begin_run(Run(id=id, started_at=1.0, ended="done"), [])
            store.append([
                Measurement(
                    id=f"{id}-{n}", run_id=id, nettest="n", nettest_version="1",
                    url=f"https://{n}.example/" + "x" * 100_000,
                ) for n in range(megabytes * 4)
            ])  # fmt: skip


def test_where_the_days_line_is_used_up_no_run_begins(tmp_path: Path) -> None:
    with Store(tmp_path / "zond.db", write=True) as store:
        store.append_use(Use(at=time.time() - 3600, line=5_000_000))
    done = run(tmp_path, ZOND_BUDGET__LINE_BYTES_PER_DAY="5000000")
    assert (5, 0) == (done.returncode, runs(tmp_path))
    assert done.stderr.splitlines()[-1].startswith(
        "Error: the day's 5 MB on the line are used up: nothing was measured"
    )


def test_where_nothing_may_go_to_make_room_no_run_begins(tmp_path: Path) -> None:
    full(tmp_path)
    before = (tmp_path / "zond.db").read_bytes()
    done = run(tmp_path, ZOND_BUDGET__DATABASE_BYTES="2000000")
    assert (5, 2) == (done.returncode, runs(tmp_path))
    assert "nothing more may go" in done.stderr.splitlines()[-1]
    with Store(tmp_path / "zond.db") as store:
        assert 24 == sum(1 for _ in store.measurements())
    assert len(before) == (tmp_path / "zond.db").stat().st_size


def test_who_says_so_has_the_oldest_forgotten_and_is_told(tmp_path: Path) -> None:
    full(tmp_path)
    done = run(
        tmp_path, ZOND_BUDGET__DATABASE_BYTES="6000000", ZOND_BUDGET__FORGET_UNSHARED="true"
    )
    assert "to make room went: 12 measurements, the oldest" in done.stderr.splitlines()
    assert (3, 2) == (done.returncode, runs(tmp_path))  # and then there was no network
    with Store(tmp_path / "zond.db") as store:
        assert {"second"} == {m.run_id for m in store.measurements()}
