"""From files to verdicts, by the command."""

from __future__ import annotations

import gzip
import json
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from probe.documents import Kept
from probe.formats.ooni import read
from probe.importing import import_files, sources
from probe.store import Store, StoreError
from tests.formats.documents import document, fine

PROGRAM = [sys.executable, "-c", "from probe.cli import main; main()"]


def zond(*arguments: object, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [*PROGRAM, *map(str, arguments)]
    return subprocess.run(command, input=given, capture_output=True, check=False)


def good(number: int, **more: Any) -> bytes:
    return document(fine(), input=f"https://news.example/{number}", **more)


def lines(*documents: bytes) -> bytes:
    return b"\n".join(documents) + b"\n"


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "x" / "zond.db"


def imported(db: Path, *paths: Path) -> Any:
    with Store(db, write=True) as store:
        return import_files(store, list(sources(paths)))


def test_file_of_lines_becomes_verdicts_that_say_where_they_are_from(
    tmp_path: Path, db: Path
) -> None:
    file = tmp_path / "many.jsonl.gz"
    file.write_bytes(gzip.compress(lines(good(1), good(2))))
    done = zond("import", file, "--db", db, "--json")
    assert 0 == done.returncode, done.stderr
    assert {"imported": 2, "set_aside": 0} == {
        k: json.loads(done.stdout)[k] for k in ("imported", "set_aside")
    }
    assert 0o600 == stat.S_IMODE(db.stat().st_mode)
    told = zond("verdicts", "--db", db, "--format", "jsonl")
    found = [json.loads(line) for line in told.stdout.splitlines()]
    assert ["many.jsonl.gz:1", "many.jsonl.gz:2"] == [v["file"] for v in found]
    assert {"ooniprobe-android"} == {v["source"] for v in found}
    assert 2 == len({v["document"] for v in found})


def test_documents_of_one_url_without_a_report_are_all_judged(tmp_path: Path, db: Path) -> None:
    folder = tmp_path / "qa"
    folder.mkdir()
    for number in range(5):
        data = document(fine(), report_id="", test_runtime=number)
        (folder / f"{number}.json").write_bytes(data)
    for file in sorted(folder.iterdir()):  # each by itself: what is judged is the same
        imported(db, file)
    told = zond("verdicts", "--db", db, "--format", "jsonl").stdout.splitlines()
    assert [f"{n}.json" for n in range(5)] == sorted(json.loads(v)["file"] for v in told)


def test_importing_again_adds_nothing(tmp_path: Path, db: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(lines(good(1), b"{broken", good(2), good(1)))
    first, second = imported(db, file), imported(db, file)
    assert (2, 1, 1) == (first.imported, first.known, first.set_aside)
    assert (0, 3, 1) == (second.imported, second.known, second.set_aside)
    with Store(db) as store:
        assert 2 == len(list(store.measurements()))
        assert 1 == len(store.set_aside()) == len(store.runs())


def test_what_cannot_be_read_is_kept_with_its_reason(tmp_path: Path, db: Path) -> None:
    broken = b'{"test_name":"web_connectivity"'
    file = tmp_path / "a.jsonl"
    unknown = good(2).replace(b'"web_connectivity"', b'"no_such_nettest"')
    file.write_bytes(lines(good(1), broken, unknown))
    done = zond("import", file, "--db", db)
    assert 5 == done.returncode
    assert "no reader for the nettest 'no_such_nettest'" in done.stderr.decode()
    with Store(db) as store:
        assert [(2, ""), (3, "no_such_nettest")] == [(a.line, a.nettest) for a in store.set_aside()]
    with closing(sqlite3.connect(db)) as connection:
        rows = connection.execute("SELECT size FROM set_aside ORDER BY rowid").fetchall()
    assert [(len(broken),), (len(unknown),)] == rows


def test_directories_are_read_and_their_names_are_of_no_machine(tmp_path: Path, db: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "a.json").write_bytes(good(1))
    (tmp_path / "in" / ".hidden").write_bytes(b"no document")
    imported(db, tmp_path / "in")
    with Store(db) as store:
        assert ["deep/a.json"] == [m.origin for m in store.measurements()]


def test_standard_input_is_a_file(db: Path) -> None:
    done = zond("import", "-", "--db", db, given=good(1))
    assert 0 == done.returncode, done.stderr


def test_missing_file_is_a_wrong_argument(tmp_path: Path, db: Path) -> None:
    assert 2 == zond("import", tmp_path / "nowhere.json", "--db", db).returncode
    assert not db.exists()


def test_empty_file_is_set_aside(tmp_path: Path, db: Path) -> None:
    (tmp_path / "empty.json").touch()
    assert {"there is no document in it": 1} == imported(db, tmp_path / "empty.json").reasons


def test_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE mine (a)")
        connection.commit()
    (tmp_path / "a.json").write_bytes(good(1))
    before = other.read_bytes()
    assert 1 == zond("import", tmp_path / "a.json", "--db", other).returncode
    assert before == other.read_bytes()


def test_run_is_a_report_of_one_probe_at_one_place(tmp_path: Path, db: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(lines(good(1), good(2), good(3, probe_asn="AS99"), good(4, report_id="z")))
    imported(db, file)
    with Store(db) as store:
        runs = store.runs()
        assert [2, 1, 1] == [len(list(store.measurements(run.id))) for run in runs]
        assert store.unfinished_run() is None
    assert [137, 99, 137] == [run.probe_asn for run in runs]
    assert {("ooniprobe-android", "mobile", 137)} == {
        (run.source, run.network_type, run.resolver_asn) for run in runs
    }


def test_document_is_kept_whole_and_read_anew(tmp_path: Path, db: Path) -> None:
    data = good(1, x_future={"unknown": [1, 2]})
    (tmp_path / "a.json").write_bytes(data)
    imported(db, tmp_path / "a.json")
    with Store(db) as store:
        (measurement,) = store.measurements()
        assert measurement.evidence and measurement == store.measurement(measurement.id)
        assert data == store.document(measurement.id)


def test_changed_document_is_no_evidence(tmp_path: Path, db: Path) -> None:
    (tmp_path / "a.json").write_bytes(good(1))
    imported(db, tmp_path / "a.json")
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("UPDATE documents SET data = zeroblob(100)")
        connection.commit()
    with Store(db) as store, pytest.raises(StoreError, match="damaged"):
        list(store.measurements())


def test_bug_in_a_reader_costs_one_document_and_is_said(
    tmp_path: Path, db: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from probe import importing

    def read_or_fail(data: bytes, *, origin: str = "", sha256: str = "") -> Any:
        if b"news.example/2" in data:
            raise TypeError("a bug")
        return read(data, origin=origin)

    monkeypatch.setattr(importing, "read", read_or_fail)
    (tmp_path / "a.jsonl").write_bytes(lines(good(1), good(2), good(3)))
    summary = imported(db, tmp_path / "a.jsonl")
    assert (2, {"a bug in the reader: TypeError": 1}) == (summary.imported, summary.reasons)
    assert "a bug in a reader" in caplog.text


def test_batch_is_written_whole_or_not_at_all(tmp_path: Path, db: Path) -> None:
    (tmp_path / "a.json").write_bytes(good(1))
    imported(db, tmp_path / "a.json")
    with Store(db, write=True) as store:
        (measurement,) = store.measurements()
        (run,) = store.runs()
        kept = [
            Kept(data=d, sha256=d.hex(), file="f", line=0, run=run, measurements=(measurement,))
            for d in (b"{}", b"[]")  # the measurement is there: its id is taken
        ]
        with pytest.raises(StoreError):
            store.add_documents(kept, [])
        assert not store.has_document(kept[0].sha256)
