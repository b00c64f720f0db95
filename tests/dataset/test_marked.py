"""What a collector marked: one voice, or none; and what that changes in an answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from analysis import dataset, engines
from analysis.collector.segments import Place
from analysis.dataset.catalogue import Catalogue, Collected
from analysis.dataset.marked import ONE_PROBE, Weight
from analysis.history.rows import as_rows
from analysis.history.table import TestRow, VerdictRow
from analysis.history.whole import History
from analysis.history_cli import analyse, events, explain, regime
from probe.failure import Failure
from probe.store import Planned, Store
from testlists.target import Target
from tests.analysis.build import BOTH, RUN, STARTED, Scene, site

HOURS = 48
FORGED_FROM = 24  # hour
URLS = ("https://news.example/", "https://other.example/")
FORGERS = 8
WEIGHTS: tuple[Weight, ...] = ("full", "one_probe", "none")


def _scene(url: str, reset: bool) -> Scene:
    scene = site(url)
    if not reset:
        return scene.visit()
    return scene.visit(by=BOTH).connect(tls=Failure.CONNECTION_RESET, holds=True)


@pytest.fixture(scope="module")
def forged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of two honest probes, for which the second site is reset from some hour on, and
    of many names under which one person says that it is the first: the collector marked these."""
    path = tmp_path_factory.mktemp("marked")
    marked: list[str] = []
    with Store(path / "zond.db", write=True) as store:
        for hour in range(HOURS):
            for probe in range(2):
                _run(store, hour, f"honest{probe}", URLS[1] if hour >= FORGED_FROM else "")
            if hour >= FORGED_FROM:
                for probe in range(FORGERS):
                    marked += _run(store, hour, f"forger{probe}", URLS[0])
    out = path / "dataset"
    dataset.build(path / "zond.db", out, workers=1)
    with Catalogue(out) as catalogue:
        for id in marked:
            row = Collected(measurement_id=id, batch="b", marks="many_keys", received="2026-11-22")
            catalogue.add(row, id.encode())
        catalogue.commit("spool", Place(1, 0))
    return out


def _run(store: Store, hour: int, probe: str, reset: str) -> list[str]:
    at = STARTED + 3600 * hour + hash_of(probe)
    run = msgspec.structs.replace(
        RUN, id=f"{probe}-{hour}", started_at=at - 60, ended_at=at + 100, probe_id=probe,
        probe_asn=6697,
    )  # fmt: skip
    store.begin_run(run, [
        Planned(run_id=run.id, position=n, nettest="web_connectivity", target=Target(url=url))
        for n, url in enumerate(URLS)
    ])  # fmt: skip
    ids = [f"{probe}-{hour}-{n}" for n in range(len(URLS))]
    store.append([
        msgspec.structs.replace(
            _scene(url, url == reset).measurement(at, id), run_id=run.id
        )
        for url, id in zip(URLS, ids, strict=True)
    ])  # fmt: skip
    return ids


def hash_of(probe: str) -> int:
    return int(probe[-1]) * 60 + len(probe)


def told(command: Any, *arguments: object, status: int = 0) -> Result:
    result = CliRunner().invoke(command, [str(a) for a in arguments])
    assert result.exit_code == status, result.output
    return result


def accusers(rows: list[VerdictRow]) -> set[str]:
    return {row.probe_id for row in rows if row.outcome == "blocked" and row.url == URLS[0]}


def test_marked_rows_are_one_probe_or_none(forged: Path) -> None:
    of = {weight: list(as_rows(dataset.verdict_table(forged, marked=weight))) for weight in WEIGHTS}
    marked = (HOURS - FORGED_FROM) * FORGERS * len(URLS)
    assert len(of["full"]) == len(of["one_probe"]) == len(of["none"]) + marked
    assert (FORGERS, {ONE_PROBE}, set()) == (
        len(accusers(of["full"])), accusers(of["one_probe"]), accusers(of["none"])
    )  # fmt: skip


@pytest.mark.parametrize("name", engines.NAMES)
def test_engines_weigh_alike(name: engines.Name, forged: Path) -> None:
    expected = sorted(as_rows(dataset.verdict_table(forged, marked="one_probe")), key=repr)
    with engines.engine(name) as engine:
        table = dataset.verdict_table(forged, engine, marked="one_probe")
        found = [msgspec.convert(row, VerdictRow) for row in engine.arrow(table).to_pylist()]
    assert expected == sorted(found, key=repr)


def test_many_marked_names_make_no_event_that_one_probe_would_not(forged: Path) -> None:
    found = {
        weight: [e.targets for e in History(forged, "belarus", marked=weight).events]
        for weight in WEIGHTS
    }
    assert ("news.example",) in found["full"]  # what they could have told
    assert [("other.example",)] == found["one_probe"] == found["none"]


def test_without_marked_their_looks_are_no_longer_counted(forged: Path, tmp_path: Path) -> None:
    asked = ("--dataset", forged, "--format", "jsonl", "--db", tmp_path / "none")
    weighed = json.loads(told(events, *asked).stdout)
    without = json.loads(told(events, *asked, "--without-marked").stdout)
    assert (["other.example"], weighed["id"]) == (without["targets"], without["id"])
    assert weighed != without


def test_hypotheses_are_asked_about_the_same_rows(forged: Path) -> None:
    for weight in WEIGHTS:
        history = History(forged, "belarus", marked=weight)
        with history._rows() as (verdicts, tests):
            expected = sorted(as_rows(history.verdicts), key=repr)
            assert expected == sorted(_read(verdicts, VerdictRow), key=repr)
            tried = sorted(as_rows(history.tests, TestRow), key=repr)
            assert tried == sorted(_read(tests, TestRow), key=repr)
        assert (weight == "none") == all("forger" not in row.measurement_id for row in tried)
        assert history.hypotheses(["H05"])


def _read(paths: Any, of: Any) -> list[Any]:
    with engines.duckdb() as engine:
        return [msgspec.convert(r, of) for r in engine.arrow(engine.read(paths)).to_pylist()]


@pytest.mark.parametrize("command", [analyse, events, regime])
def test_each_command_takes_it_for_a_dataset_alone(
    command: Any, forged: Path, tmp_path: Path
) -> None:
    assert told(command, "--dataset", forged, "--without-marked", "--db", tmp_path / "none")
    refused = told(command, "--db", forged.parent / "zond.db", "--without-marked", status=2)
    assert "no database has marks" in refused.stderr


def test_an_event_is_explained_by_what_is_not_marked(forged: Path, tmp_path: Path) -> None:
    asked = ("--dataset", forged, "--db", tmp_path / "none", "--without-marked")
    (line,) = told(events, *asked, "--format", "jsonl").stdout.splitlines()
    assert "other.example" in told(explain, json.loads(line)["id"], *asked).stdout
