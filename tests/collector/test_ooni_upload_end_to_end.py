"""`zond upload --ooni` to our own collector: each document once, and judged there as here."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import msgspec

from analysis.collector import keeping
from analysis.collector.reading import ReceivedOoni, received
from analysis.verdict import judge, observations
from probe.formats.ooni import Imported, read
from probe.store import Store
from tests.analysis.build import RUN
from tests.analysis.worlds import CASES
from tests.collector.service import ZOND, collector

SCENES = (
    "own_resolver_leads_elsewhere", "innocent_filter_of_the_home_router", "reset_before_a_word",
)  # fmt: skip


def measured(path: Path) -> Path:
    """Two runs, with a scene to each site."""
    with Store(path, write=True) as store:
        for number, name in enumerate(SCENES):
            scene, id = CASES[name].build(), f"{name}-1"
            run = msgspec.structs.replace(RUN, id=f"{number:032x}")
            plain = msgspec.structs.replace(scene.measurement(ident=id), run_id=run.id)
            climbs = [
                msgspec.structs.replace(m, id=f"{n}-{id}", about=id, run_id=run.id)
                for n, m in enumerate(scene.climbs)
            ]
            store.begin_run(run, [])
            store.append([plain, *climbs])
            checks = [msgspec.structs.replace(c, run_id=run.id) for c in scene.canaries]
            store.append_canaries(checks)
    return path


def zond(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ZOND, *arguments], capture_output=True, text=True, timeout=300)


def upload(db: Path, url: str) -> tuple[int, str]:
    config = db.with_name("zond.toml")
    config.write_text("[upload]\npersonal = true\n")
    done = zond("upload", "--db", db, "--config", config, "--ooni", url)
    return done.returncode, done.stderr.strip().splitlines()[-1]


def judged_here(db: Path) -> dict[str, tuple[str, str]]:
    with Store(db) as store:
        rows = [row for run in store.runs() for row in observations(store, run)]
    return {
        row.measurement_id: (verdict.outcome, ",".join(verdict.mechanisms))
        for row, verdict in zip(rows, judge(rows), strict=True)
    }


def test_a_database_goes_to_our_collector_and_is_judged_there_as_here(tmp_path: Path) -> None:
    db, data, out = measured(tmp_path / "zond.db"), tmp_path / "data", tmp_path / "dataset"
    with collector(data) as running:
        assert upload(db, running.url) == (0, "3 accepted, 0 remain")
        assert upload(db, running.url) == (0, "0 accepted, 0 remain")
    found = [item for item in received(data) if isinstance(item, ReceivedOoni)]
    assert all(not item.note.marks and not item.note.set_aside for item in found)
    documents = [read(item.document) for item in found]
    ids = {d.measurements[0].id for d in documents if isinstance(d, Imported)}
    assert {f"{name}-1" for name in SCENES} == ids
    assert 0 == zond("dataset", "build", "--collector-data", data, "--out", out).returncode
    rows = zond("dataset", "query", out, "SELECT measurement_id AS id, outcome, mechanisms"
                " FROM verdicts", "--format", "jsonl").stdout  # fmt: skip
    there = {
        row["id"]: (row["outcome"], row["mechanisms"]) for row in map(json.loads, rows.splitlines())
    }
    assert judged_here(db) == there


def test_what_a_killed_collector_had_is_sent_again_and_there_once(tmp_path: Path) -> None:
    db, data = measured(tmp_path / "zond.db"), tmp_path / "data"
    with collector(data) as running:
        assert upload(db, running.url) == (0, "3 accepted, 0 remain")
        running.kill()
    again = measured(tmp_path / "again.db")  # which knows of no answer
    with collector(data) as running:
        assert upload(again, running.url) == (0, "3 accepted, 0 remain")
    assert 3 == keeping.verify(data).ooni


def test_without_a_collector_nothing_is_lost_and_the_exit_status_says_so(tmp_path: Path) -> None:
    db, data = measured(tmp_path / "zond.db"), tmp_path / "data"
    with collector(data) as running:
        url = running.url
        running.kill()
    status, said = upload(db, url)
    assert 1 == status, said
    with collector(data) as running:
        assert upload(db, running.url) == (0, "3 accepted, 0 remain")
