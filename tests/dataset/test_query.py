"""Questions to a dataset: answered from its views, and from nothing else."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from analysis.collector.notes import Mark
from analysis.dataset import cli, query
from analysis.dataset.query import Limit, Queries, QueryError, documented
from tests.collector.service import line
from tests.dataset.test_collect import measured, packed, put, the_run

OUTCOMES = "SELECT outcome, marks, count(*) AS n FROM verdicts GROUP BY ALL ORDER BY 1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of one honest batch and one that is marked, as the command builds it."""
    path = tmp_path_factory.mktemp("query")
    put(
        path / "collector",
        packed(the_run(), line(measured()), b"{}", key=Ed25519PrivateKey.generate()),
        packed(the_run(), line(measured(3)), key=Ed25519PrivateKey.generate(),
               marks=(Mark(mark="many_keys"),)),
    )  # fmt: skip
    result = CliRunner().invoke(
        cli.dataset,
        ["build", "--collector-data", str(path / "collector"), "--out", str(path / "dataset")],
    )
    assert result.exit_code == 0, result.output
    return path / "dataset"


def asked(folder: Path, *arguments: str) -> bytes:
    result = CliRunner().invoke(cli.dataset, ["query", str(folder), *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout_bytes


def test_marks_are_a_column_and_what_is_marked_can_be_left_out(folder: Path) -> None:
    answer = [json.loads(row) for row in asked(folder, OUTCOMES, "--format", "jsonl").splitlines()]
    assert [
        {"outcome": "inconclusive", "marks": "many_keys", "n": 1},
        {"outcome": "ok", "marks": "", "n": 1},
    ] == answer
    (only,) = asked(folder, OUTCOMES, "--format", "jsonl", "--without-marked").splitlines()
    assert {"outcome": "ok", "marks": "", "n": 1} == json.loads(only)


def test_each_format_holds_the_same_answer(folder: Path, tmp_path: Path) -> None:
    table = pq.read_table(io.BytesIO(asked(folder, OUTCOMES, "--format", "parquet")))
    text = asked(folder, OUTCOMES, "--format", "csv").decode()
    assert [{k: str(v) for k, v in row.items()} for row in table.to_pylist()] == list(
        csv.DictReader(io.StringIO(text))
    )
    (tmp_path / "q.sql").write_text(OUTCOMES)
    assert b"inconclusive" in asked(folder, "--file", str(tmp_path / "q.sql"))


def test_a_file_that_holds_no_query_is_one_line(folder: Path, tmp_path: Path) -> None:
    query = tmp_path / "q.sql"
    for content in (b"SELECT '\xff'", b"SELECT 1 " + b" " * 2**20):
        query.write_bytes(content)
        ended = CliRunner().invoke(cli.dataset, ["query", str(folder), "--file", str(query)])
        assert (1, 1) == (ended.exit_code, len(ended.stderr.splitlines())), ended.stderr
        assert str(query) in ended.stderr


def test_what_was_left_out_is_a_view(folder: Path) -> None:
    with Queries(folder) as queries:
        (row,) = queries.ask("SELECT reason FROM left_out").to_pylist()
    assert "set aside" in row["reason"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('https://example.org/x.csv')",
        "SELECT * FROM glob('/*')",
        "COPY (SELECT 1) TO 'out.csv'",
        "CREATE TABLE t AS SELECT 1",
        "ATTACH 'x.db'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "SELECT 1; SELECT 2",
        "PRAGMA database_list",
        "SELECT getenv('HOME')",
        "SELECT nothing FROM verdicts",
        "not SQL",
    ],
)
def test_a_query_reads_the_views_and_nothing_else(folder: Path, sql: str) -> None:
    with Queries(folder) as queries, pytest.raises(QueryError):
        queries.ask(sql)


def test_a_file_of_the_dataset_is_not_written_over(folder: Path) -> None:
    (file, *_) = folder.glob("verdicts/**/*.parquet")
    before = file.read_bytes()
    with Queries(folder) as queries, pytest.raises(QueryError):
        queries.ask(f"COPY (SELECT 1 AS a) TO '{file}' (FORMAT parquet)")
    assert before == file.read_bytes()


def test_time_and_rows_are_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = "SELECT count(*) FROM range(1000000000) a, range(1000000) b WHERE a.range % 7 = 3"
    for seconds in (0.3, 0.0):  # and where it is over before the query has begun
        with Queries(folder, seconds=seconds) as queries, pytest.raises(Limit):
            queries.ask(endless)
    monkeypatch.setattr(query, "ROWS", 10)
    with Queries(folder) as queries, pytest.raises(Limit):
        queries.ask("SELECT * FROM range(100000)")


def test_an_error_is_one_line(folder: Path) -> None:
    result = CliRunner().invoke(cli.dataset, ["query", str(folder), "SELECT x FROM verdicts"])
    assert (1, 1) == (result.exit_code, len(result.stderr.strip().splitlines()))


def test_each_view_has_the_columns_that_the_documentation_tells(folder: Path) -> None:
    with Queries(folder) as queries:
        for view, columns in documented().items():
            found = queries.ask(f"SELECT * FROM {view} LIMIT 0").column_names
            assert {name for name, _, _ in columns} == set(found)
            assert all(meaning for _, _, meaning in columns)


def test_status_tells_what_is_there_and_what_is_not(folder: Path) -> None:
    result = CliRunner().invoke(cli.dataset, ["status", str(folder)])
    told = json.loads(result.stdout)
    assert {"verdicts": 2, "pseudonyms": 2, "marked": 1, "batches": 2, "measurements": 2} == {
        k: v for k, v in told.items() if k != "left_out"
    }
    assert [1] == list(told["left_out"].values())
