"""Engines read and write files alike, and leave nothing where the user works."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ibis  # type: ignore[import-untyped]  # Ibis ships no types
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from analysis import engines

ROWS = pa.table({"name": ["a", "b'c", "ё"], "n": [1, 2, 3], "part": ["x", "y", "x"]})


@pytest.fixture(params=engines.NAMES)
def engine(request: pytest.FixtureRequest) -> Iterator[engines.Engine]:
    with engines.engine(request.param) as started:
        yield started


def test_what_was_written_is_read(engine: engines.Engine, tmp_path: Path) -> None:
    folder = tmp_path / "it's"
    engine.write(engine.load(ROWS), folder)
    assert ROWS.to_pylist() == sorted(_read(engine, folder), key=lambda row: row["n"])


def test_partitions_are_folders_and_no_columns(engine: engines.Engine, tmp_path: Path) -> None:
    engine.write(engine.load(ROWS), tmp_path / "out", by=["part"])
    assert {"part=x", "part=y"} == {p.parent.name for p in (tmp_path / "out").rglob("*.parquet")}
    assert [{"name": "b'c", "n": 2}] == _read(engine, tmp_path / "out" / "part=y")


def test_what_is_there_is_not_written_over(engine: engines.Engine, tmp_path: Path) -> None:
    engine.write(engine.load(ROWS), tmp_path / "out")
    with pytest.raises(FileExistsError):
        engine.write(engine.load(ROWS), tmp_path / "out")


def test_several_files_are_one_table(engine: engines.Engine, tmp_path: Path) -> None:
    engine.write(engine.load(ROWS.slice(0, 1)), tmp_path / "a")
    engine.write(engine.load(ROWS.slice(1)), tmp_path / "b")
    files = sorted(tmp_path.rglob("*.parquet"))
    table = engine.read(files)
    assert 3 == engine.arrow(table).num_rows == len(_read(engine, tmp_path))


def test_numbers_divide_alike(engine: engines.Engine) -> None:
    table = engine.load(pa.table({"n": [7, 8], "x": [7.0, -0.5]}))
    found = engine.arrow(table.select(whole=table.n // 2, share=table.n / 2, down=table.x.floor()))
    assert [{"whole": 3, "share": 3.5, "down": 7}, {"whole": 4, "share": 4.0, "down": -1}] == (
        found.to_pylist()
    )


def test_a_question_is_asked_of_every_table_of_its_schema(
    engine: engines.Engine, tmp_path: Path
) -> None:
    def times(table: engines.Table, by: int) -> engines.Table:
        return table.select("name", n=table.n * by)

    for rows, by in ((ROWS, 2), (ROWS.slice(1), 2), (ROWS, 5)):
        table = engine.load(rows)
        question = engines.asked(times, table.schema(), by)
        expected = [{"name": row["name"], "n": row["n"] * by} for row in rows.to_pylist()]
        found = engine.answered(question, table).to_pylist()
        assert expected == sorted(found, key=lambda row: row["n"])
        folder = tmp_path / f"{by} {rows.num_rows}"
        engine.write(table, folder, question=question)
        assert expected == sorted(_read(engine, folder), key=lambda row: row["n"])


def test_beyond_its_memory_it_writes_where_it_was_told_and_cleans_up(tmp_path: Path) -> None:
    spill = tmp_path / "spill"
    rows = pa.table({"n": range(2_000_000)})
    with engines.duckdb(memory="60MB", threads=1, spill=spill) as engine:
        table = engine.load(rows)
        names = ibis.literal("a long name for the number ") + table.n.cast("string")
        engine.write(table.select(name=names).order_by("name"), tmp_path / "out")
        assert spill.exists()  # else this shows nothing
    assert 2_000_000 == pq.read_metadata(next((tmp_path / "out").iterdir())).num_rows
    assert not spill.exists()


def _read(engine: engines.Engine, folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = engine.arrow(engine.read(folder)).to_pylist()
    return found


def test_sail_is_held_to_its_memory_and_the_environment_is_as_before() -> None:
    before = dict(os.environ)
    rows = pa.table({"n": range(1_000_000)})
    with engines.sail(memory="20MB") as engine:
        names = ibis.literal("a long name for the number ") + engine.load(rows).n.cast("string")
        ordered = names.name("name").as_table().order_by("name").limit(999_999)
        with pytest.raises(Exception, match="memory pool"):
            engine.arrow(ordered)
    assert before == dict(os.environ)


def test_a_proxy_of_the_user_is_not_asked_for_what_is_on_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy")
    monkeypatch.delenv("NO_PROXY")
    with engines.sail() as engine:
        assert ROWS.to_pylist() == engine.arrow(engine.load(ROWS)).to_pylist()


@pytest.mark.parametrize("size", ["", "4", "GB", "-"])
def test_a_size_that_is_none_is_told(size: str) -> None:
    with pytest.raises(ValueError):
        engines._bytes(size)
