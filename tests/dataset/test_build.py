"""A dataset from stores: whole, once, and only what has changed again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from analysis import dataset, engines
from analysis.dataset import building, derive
from analysis.dataset.manifest import load, save
from analysis.history.rows import as_rows
from analysis.history.table import TestRow, VerdictRow, verdict_row
from analysis.verdict import judge, observations
from probe.evidence import Measurement, Run
from probe.failure import Failure
from probe.store import Planned, Store
from testlists.target import Target
from tests.analysis.build import BOTH, RUN, STARTED, site

DAY = 86400.0
RESET = (
    site().visit(by=BOTH).connect(tls=Failure.CONNECTION_RESET, holds=True)
    .follow("tls", Failure.CONNECTION_RESET, {"again": "s s s", "elsewhere": "hf s"})
)  # fmt: skip


def run(ident: str, day: int = 0, cc: str = "BY") -> Run:
    return msgspec.structs.replace(RUN, id=ident, started_at=STARTED + day * DAY, probe_cc=cc)


def add(store: Store, of: Run, *, blocked: bool = False, number: int = 0) -> None:
    scene = RESET if blocked else site().visit()
    plain = scene.measurement(of.started_at + 60 + number, f"{of.id}-{number}")
    follow_ups = [
        msgspec.structs.replace(climb, id=f"{plain.id}-{n}", about=plain.id)
        for n, climb in enumerate(scene.climbs)
    ]
    store.append([_of(of, m) for m in (plain, *follow_ups)])


def _of(run: Run, measurement: Measurement) -> Measurement:
    return msgspec.structs.replace(measurement, run_id=run.id)


def begin(store: Store, *runs: Run) -> None:
    for one in runs:
        target = Target(url="https://late.example/", category="NEWS")
        store.begin_run(one, [Planned(run_id=one.id, position=0, nettest="x", target=target)])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two days of two countries: two runs of each; in one of them the site is reset."""
    path = tmp_path / "zond.db"
    with Store(path, write=True) as store:
        for day in (0, 1):
            for cc in ("BY", "LT"):
                for number in (0, 1):
                    one = run(f"{cc}{day}{number}", day, cc)
                    begin(store, one)
                    add(store, one, blocked=cc == "BY" and day == 1)
    return path


def expected(*paths: Path) -> list[VerdictRow]:
    of = []
    for path in paths:
        with Store(path) as store:
            of += [row for one in store.runs() for row in observations(store, one)]
    return _sorted(verdict_row(o, v) for o, v in zip(of, judge(of), strict=True))


def found(out: Path) -> list[VerdictRow]:
    return _sorted(as_rows(dataset.verdict_table(out)))


def _sorted(rows: Iterable[VerdictRow]) -> list[VerdictRow]:
    return sorted(rows, key=lambda row: (row.run_id, row.url))


def test_the_verdicts_of_a_dataset_are_those_of_its_store(path: Path, tmp_path: Path) -> None:
    built = dataset.build(path, tmp_path / "out", workers=1)
    assert expected(path) == found(tmp_path / "out")
    assert (4, 0, 4, 16, ()) == (
        built.derived, built.kept, built.judged, built.observations, built.problems,
    )  # fmt: skip
    assert {"blocked", "ok", "not_measured"} == {row.outcome for row in found(tmp_path / "out")}


def test_a_store_judged_in_memory_says_the_same(path: Path) -> None:
    assert expected(path) == _sorted(as_rows(dataset.verdict_table(path)))
    with Store(path) as store:
        assert expected(path) == _sorted(as_rows(dataset.verdict_table(store)))


def test_partitions_are_days_and_countries(path: Path, tmp_path: Path) -> None:
    dataset.build(path, tmp_path / "out", workers=1)
    folders = {str(p.parent.relative_to(tmp_path / "out")) for p in _parquet(tmp_path / "out")}
    days = ("2026-09-21", "2026-09-22")
    for table in ("observations", "verdicts"):
        wanted = {f"{table}/date={day}/cc={cc}" for day in days for cc in ("BY", "LT")}
        assert wanted == {folder for folder in folders if folder.startswith(table)}


def test_building_again_changes_no_file(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    dataset.build(path, out, workers=1)
    before = {p: p.stat().st_mtime_ns for p in _parquet(out)}
    again = dataset.build(path, out, workers=1)
    assert (0, 4, 0) == (again.derived, again.kept, again.judged)
    assert before == {p: p.stat().st_mtime_ns for p in _parquet(out)}


def test_only_the_share_that_grew_is_made_again(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    dataset.build(path, out, workers=1)
    with Store(path, write=True) as store:
        add(store, run("LT00", 0, "LT"), blocked=True, number=5)
    again = dataset.build(path, out, workers=1)
    assert (1, 3, 1) == (again.derived, again.kept, again.judged)
    assert expected(path) == found(out)
    assert len(_parquet(out)) == sum(len(f.files) for _, f in load(out).tables())


def test_two_stores_are_one_dataset(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with Store(other, write=True) as store:
        begin(store, run("other", 0, "BY"))
        add(store, run("other", 0, "BY"))
    out = tmp_path / "out"
    for store_path in (path, other, path):
        dataset.build(store_path, out, workers=1)
    assert expected(path, other) == found(out)


def test_processes_make_what_one_makes(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "FEW", 0)
    told: list[tuple[str, int, int]] = []
    built = dataset.build(path, tmp_path / "out", workers=2, progress=lambda *a: told.append(a))
    assert built.derived == 4
    assert expected(path) == found(tmp_path / "out")
    assert ("observations", 4, 4) in told and ("verdicts", 4, 4) in told


def test_new_rules_judge_again_without_the_store(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    dataset.build(path, out, workers=1)
    assert dataset.rejudge(out) == 0
    path.unlink()
    monkeypatch.setattr(building, "RULES_VERSION", "another")
    assert dataset.rejudge(out) == 4
    assert len(found(out)) == 16


def test_a_new_derivation_derives_again(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset.build(path, tmp_path / "out", workers=1)
    monkeypatch.setattr(derive, "DERIVATION", "another")
    assert dataset.build(path, tmp_path / "out", workers=1).derived == 4


def test_a_build_that_was_killed_is_finished_by_the_next(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    placed = building._placed

    def killed(*arguments: object) -> tuple[str, ...]:
        placed(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(building, "_placed", killed)
        dataset.build(path, out, workers=1)
    assert [] == found(out)  # what is half done is not counted
    dataset.build(path, out, workers=1)
    assert expected(path) == found(out)
    assert len(_parquet(out)) == sum(len(f.files) for _, f in load(out).tables())


def test_a_run_that_cannot_be_read_is_told_and_the_rest_is_there(
    path: Path, tmp_path: Path
) -> None:
    with Store(path, write=True) as store:
        store._db.execute("UPDATE measurements SET record = '{' WHERE run_id = 'BY00'")
        store._db.conn.commit()
    built = dataset.build(path, tmp_path / "out", workers=1)
    assert len(built.problems) == 1 and "BY00" in built.problems[0]
    assert {"BY00"} == {r.id for r in _runs(path)} - {row.run_id for row in found(tmp_path / "out")}


def _runs(path: Path) -> list[Run]:
    with Store(path) as store:
        return store.runs()


@pytest.mark.parametrize("cc", ["../../x", "by", "", "B/", "ZZZ"])
def test_a_country_that_is_none_names_no_folder(cc: str, tmp_path: Path) -> None:
    path = tmp_path / "zond.db"
    with Store(path, write=True) as store:
        begin(store, run("a", 0, cc))
        add(store, run("a", 0, cc))
    dataset.build(path, tmp_path / "out", workers=1)
    assert {"cc=ZZ"} == {p.parent.name for p in _parquet(tmp_path / "out")}
    assert {cc} == {row.probe_cc for row in found(tmp_path / "out")}


@pytest.mark.parametrize("at", [-1e18, 1e18, -5.0])
def test_a_clock_that_is_far_off_names_no_folder(at: float, tmp_path: Path) -> None:
    path = tmp_path / "zond.db"
    with Store(path, write=True) as store:
        store.begin_run(msgspec.structs.replace(RUN, started_at=at), [])
        store.append([site().visit().measurement(at, "m")])
    dataset.build(path, tmp_path / "out", workers=1)
    assert {"date=1970-01-01"} == {p.parent.parent.name for p in _parquet(tmp_path / "out")}
    assert [at] == [row.measured_at for row in found(tmp_path / "out")]


@pytest.mark.parametrize("name", engines.NAMES)
def test_what_was_derived_before_a_column_was_thought_of_is_judged_all_the_same(
    name: engines.Name, path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    dataset.build(path, out, workers=1)
    # As one that another version made of another store: without two columns, and an old one.
    manifest = load(out)
    for key in list(manifest.observations)[:2]:
        old = manifest.observations[key]
        file = out / old.files[0]
        table = pq.read_table(file).drop_columns(["speed_cut", "hop_asn"])
        pq.write_table(table.append_column("gone", [["x"] * len(table)]), file)
        manifest.observations[key] = msgspec.structs.replace(old, form="another", signature="x")
    save(out, manifest)
    with engines.engine(name, threads=1) as engine:
        assert 2 == dataset.rejudge(out, engine=engine)
        assert 16 == engine.arrow(dataset.observation_table(out, engine)).num_rows
    assert expected(path) == found(out)


def test_a_folder_of_something_else_is_leftalone(path: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine" / "observations" / "date=x" / "cc=y" / "rows.parquet"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"precious")
    with pytest.raises(dataset.DatasetError, match="no dataset"):
        dataset.build(path, tmp_path / "mine", workers=1)
    assert b"precious" == mine.read_bytes()


def test_files_beside_the_tables_stay(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    dataset.build(path, out, workers=1)
    (out / "notes.parquet").write_bytes(b"mine")
    dataset.build(path, out, workers=1)
    assert b"mine" == (out / "notes.parquet").read_bytes()


def test_one_build_at_a_time(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with building.alone(_made(out)), pytest.raises(dataset.DatasetError, match="another build"):
        dataset.build(path, out, workers=1)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    "text", ["{", '{"form": 99}', '{"verdicts": {"x": {"signature": "", "files": ["/etc/x"]}}}',
             '{"verdicts": {"x": {"signature": "", "files": ["../x.parquet"]}}}'],
)  # fmt: skip
def test_a_manifest_that_is_none_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(dataset.DatasetError) as told:
        dataset.verdict_table(tmp_path)
    assert "\n" not in str(told.value)


def test_an_empty_folder_is_a_dataset_without_rows(tmp_path: Path) -> None:
    assert [] == found(tmp_path)
    assert [] == list(as_rows(dataset.test_table(tmp_path), TestRow))


def test_what_was_tried_is_a_table_of_its_own(path: Path, tmp_path: Path) -> None:
    dataset.build(path, tmp_path / "out", workers=1)
    tried = list(as_rows(dataset.test_table(tmp_path / "out"), TestRow))
    blocked = {(row.test, row.result) for row in tried if row.measurement_id == "BY10-0"}
    assert {("elsewhere", "fails"), ("harmless_elsewhere", "works"), ("tcp_connect", "works")} == {
        pair for pair in blocked if pair[0] in ("elsewhere", "harmless_elsewhere", "tcp_connect")
    }
    assert sorted(tried, key=_key) == sorted(
        as_rows(dataset.test_table(path), TestRow), key=_key
    )


def _key(row: TestRow) -> tuple[str, str]:
    return (row.measurement_id, row.test)


def test_the_other_engine_judges_and_reads_a_dataset(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with engines.engine("sail") as engine:
        dataset.build(path, out, workers=1, engine=engine)
        other = _sorted(as_rows_of(engine, dataset.verdict_table(out, engine)))
    assert expected(path) == other == found(out)


def as_rows_of(engine: engines.Engine, table: engines.Table) -> list[VerdictRow]:
    return [msgspec.convert(row, VerdictRow) for row in engine.arrow(table).to_pylist()]


def _parquet(out: Path) -> list[Path]:
    return sorted(out.rglob("*.parquet"))


def test_a_file_of_verdicts_holds_the_columns_of_the_struct(path: Path, tmp_path: Path) -> None:
    dataset.build(path, tmp_path / "out", workers=1)
    for file in (tmp_path / "out" / "verdicts").rglob("*.parquet"):
        assert list(VerdictRow.__struct_fields__) == pq.read_schema(file).names


