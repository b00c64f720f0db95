"""Services in doubt are judged by others in a dataset as in a database, whatever the order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from analysis import dataset, engines
from analysis.collector.segments import Place
from analysis.dataset import witnessing
from analysis.dataset.catalogue import Catalogue, Collected
from analysis.dataset.manifest import load
from analysis.history.rows import as_rows
from analysis.history.table import VerdictRow
from analysis.history.whole import History
from probe.importing import import_files, sources
from probe.store import Store
from tests.services import documents as d

ABROAD = (("DE", 100), ("FR", 101), ("US", 102))
SILENT = dict.fromkeys(d.DATA_CENTRES, "generic_timeout_error")
NIGHT = "2026-11-21 00:10:00"


def here(**said: Any) -> bytes:
    return d.telegram(SILENT, **said)


def abroad(*places: tuple[str, int], **said: Any) -> list[bytes]:
    return [
        d.telegram(probe_cc=cc, probe_asn=f"AS{asn}", report_id=cc, **said) for cc, asn in places
    ]


def stored(path: Path, *documents: bytes) -> Path:
    folder = path.with_suffix(".documents")
    folder.mkdir()
    for number, document in enumerate(documents):
        (folder / f"{number}.json").write_bytes(document)
    with Store(path, write=True) as store:
        import_files(store, list(sources([folder])))
    return path


def verdicts(out: Path) -> list[VerdictRow]:
    rows = as_rows(dataset.verdict_table(out))
    return sorted(rows, key=lambda row: (row.probe_cc, row.probe_asn, row.measurement_id, row.url))


def telegram(out: Path) -> str:
    (row,) = (r for r in verdicts(out) if r.probe_cc == "BY" and r.url == "telegram://telegram")
    return row.outcome


@pytest.mark.parametrize("name", engines.NAMES)
def test_a_dataset_says_what_its_database_says(name: engines.Name, tmp_path: Path) -> None:
    db = stored(tmp_path / "zond.db", here(), *abroad(*ABROAD))
    with engines.engine(name) as engine:
        built = dataset.build(db, tmp_path / "out", engine=engine, workers=1)
    of_database = sorted(
        as_rows(History(db, "belarus").verdicts),
        key=lambda row: (row.probe_cc, row.probe_asn, row.measurement_id, row.url),
    )
    assert of_database == verdicts(tmp_path / "out")
    assert ("blocked", 1) == (telegram(tmp_path / "out"), built.witnessed)


def test_witnesses_of_another_partition_and_day_are_heard(tmp_path: Path) -> None:
    """A run of the evening that measures after midnight, and those who measured then."""
    at = {"test_start_time": NIGHT, "measurement_start_time": NIGHT}
    db = stored(tmp_path / "zond.db", here(**at), *abroad(*ABROAD, **at))
    with Store(db, write=True) as store:
        (run,) = (run for run in store.runs() if run.probe_cc == "BY")
        store.update_run(msgspec.structs.replace(run, started_at=run.started_at - 1200))
    dataset.build(db, tmp_path / "out", workers=1)
    folders = {p.parent.parent.name for p in (tmp_path / "out").glob("verdicts/**/*.parquet")}
    assert {"date=2026-11-20", "date=2026-11-21"} == folders
    assert "blocked" == telegram(tmp_path / "out")


def test_what_comes_later_decides_what_was_in_doubt_and_writes_no_other_file(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    dataset.build(stored(tmp_path / "a.db", here()), out, workers=1)
    assert "inconclusive" == telegram(out)
    dataset.build(stored(tmp_path / "b.db", *abroad(*ABROAD[:2])), out, workers=1)
    assert "inconclusive" == telegram(out)
    before = {p for p in out.glob("verdicts/**/*.parquet") if "cc=BY" not in str(p)}
    built = dataset.build(stored(tmp_path / "c.db", *abroad(ABROAD[2])), out, workers=1)
    assert ("blocked", 1, 1) == (telegram(out), built.judged, built.witnessed)
    assert all(p.exists() for p in before)
    again = dataset.build(tmp_path / "c.db", out, workers=1)
    assert (0, 0) == (again.judged, again.witnessed)


def test_whichever_comes_first_the_verdicts_are_the_same(tmp_path: Path) -> None:
    databases = [stored(tmp_path / "a.db", here()), stored(tmp_path / "b.db", *abroad(*ABROAD))]
    for out, order in (("one", databases), ("other", databases[::-1])):
        for db in order:
            dataset.build(db, tmp_path / out, workers=1)
    assert verdicts(tmp_path / "one") == verdicts(tmp_path / "other")
    assert "blocked" == telegram(tmp_path / "one")


def test_a_witness_who_is_gone_takes_his_word_back(tmp_path: Path) -> None:
    out, mine = tmp_path / "out", stored(tmp_path / "a.db", here())
    dataset.build(mine, out, workers=1)
    alone = verdicts(out)
    dataset.build(stored(tmp_path / "b.db", *abroad(*ABROAD)), out, workers=1)
    assert "blocked" == telegram(out)
    mark(out, [row.measurement_id for row in verdicts(out) if row.probe_cc != "BY"])
    dataset.build(mine, out, workers=1)
    assert alone == [row for row in verdicts(out) if row.probe_cc == "BY"]


def test_a_kill_between_judging_and_asking_others_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = stored(tmp_path / "zond.db", here(), *abroad(*ABROAD))

    def killed(*_args: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr(witnessing, "_rewritten", killed)
        dataset.build(db, tmp_path / "out", workers=1)
    assert "inconclusive" == telegram(tmp_path / "out")
    assert 1 == dataset.build(db, tmp_path / "out", workers=1).witnessed
    assert "blocked" == telegram(tmp_path / "out")


def test_no_verdict_rests_on_what_was_marked(tmp_path: Path) -> None:
    out = tmp_path / "out"
    db = stored(tmp_path / "zond.db", here(), *abroad(*ABROAD))
    dataset.build(db, out, workers=1)
    mark(out, [row.measurement_id for row in verdicts(out) if row.probe_cc == "US"])
    dataset.build(db, out, workers=1)
    assert "inconclusive" == telegram(out)
    left = as_rows(dataset.verdict_table(out, marked="none"))
    honest = stored(tmp_path / "honest.db", here(), *abroad(*ABROAD[:2]))
    dataset.build(honest, tmp_path / "without", workers=1)
    assert [(r.probe_cc, r.url, r.outcome, r.rules) for r in verdicts(tmp_path / "without")] == (
        sorted((r.probe_cc, r.url, r.outcome, r.rules) for r in left)
    )


def test_files_that_no_manifest_names_are_gone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    dataset.build(stored(tmp_path / "zond.db", here(), *abroad(*ABROAD)), out, workers=1)
    named = {out / name for _table, files in load(out).tables() for name in files.files}
    assert named == set(out.glob("*/date=*/**/*.parquet"))


def mark(out: Path, ids: list[str]) -> None:
    """As a collector would have."""
    with Catalogue(out) as catalogue:
        for id in dict.fromkeys(ids):
            row = Collected(measurement_id=id, batch="b", marks="many_keys", received="2026-11-22")
            catalogue.add(row, id.encode())
        catalogue.commit("spool", Place(1, 0))
