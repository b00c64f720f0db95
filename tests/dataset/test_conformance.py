"""The same rules, row by row, whoever runs them: rows in Python, DuckDB, Spark Connect."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import ibis  # type: ignore[import-untyped]  # Ibis ships no types
import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from analysis import engines
from analysis.dataset.columns import stored, verdict_rows
from analysis.engine_probability import NONE
from analysis.history.rows import arrow, arrow_schema
from analysis.history.table import VerdictRow, verdict_row
from analysis.judging import judged
from analysis.observations import Observation
from analysis.probability import CLAIMS, DIRECTION, Claim, Likelihoods, Record, probability
from analysis.rules import OUTCOMES, RULES
from analysis.verdict import judge
from tests.dataset.varied import varied

COUNT = 3000

Rows = list[Observation]


@pytest.fixture(scope="module")
def rows() -> Rows:
    return varied(COUNT, seed=20)


@pytest.fixture(scope="module")
def expected(rows: Rows) -> pa.Table:
    """What `judge` says, one row after the other."""
    judged = zip(rows, judge(rows), strict=True)
    return arrow((verdict_row(o, v) for o, v in judged), VerdictRow)


@pytest.fixture(scope="module")
def parquet(rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("observations") / "rows.parquet"
    pq.write_table(stored(rows), path)
    return path


@pytest.mark.parametrize("name", engines.NAMES)
def test_an_engine_says_of_each_row_what_python_says(
    name: engines.Name, parquet: Path, expected: pa.Table
) -> None:
    with engines.engine(name) as engine:
        found = engine.arrow(verdict_rows(engine.read(parquet))).sort_by("measurement_id")
    wanted = expected.sort_by("measurement_id")
    assert arrow_schema(VerdictRow).names == found.schema.names
    for column in found.schema.names:
        assert wanted[column].to_pylist() == found[column].to_pylist(), column


def test_the_rows_are_varied_enough_to_show_a_difference(expected: pa.Table) -> None:
    fired = Counter(rule for row in expected["rules"].to_pylist() for rule in row.split(","))
    deciding = {row.split(",")[0] for row in expected["rules"].to_pylist()}
    assert {rule.id for rule in RULES} == set(fired)
    assert {rule.id for rule in OUTCOMES} == deciding
    assert len(set(expected["probability"].to_pylist())) > 30


@pytest.mark.parametrize("name", engines.NAMES)
def test_what_is_weighed_is_the_same_where_no_record_bounds_it(
    name: engines.Name, rows: Rows, parquet: Path
) -> None:
    # The fitted weights are often cut off by the number of cases: these are not.
    rng = random.Random(3)
    rules = {rule.id: Record(cases=10**6, right=10**6) for rule in RULES}
    features = [*DIRECTION, *(f"rule {rule.id}" for rule in OUTCOMES)]
    by = Likelihoods(
        rules_version="", unseen=0.9,
        claims={
            claim: Claim(
                base=rng.uniform(-1, 1), rules=rules,
                weights={feature: rng.uniform(-0.8, 0.8) for feature in features},
            )
            for claim in CLAIMS
        },
    )  # fmt: skip
    expected = {
        o.measurement_id: probability(o, v.outcome, v.mechanisms, v.rules, by=by)
        for o, v in zip(rows, judge(rows), strict=True)
    }
    with engines.engine(name) as engine:
        table = judged(engine.read(parquet), by=by).select("measurement_id", "probability")
        found = {row["measurement_id"]: row["probability"] for row in _rows(engine, table)}
    assert len(set(expected.values())) > COUNT / 10
    assert expected == {id: None if p == NONE else p for id, p in found.items()}


@pytest.mark.parametrize("at", [0.0, 86399.999, 86400.0, 1.7e9, 1732233599.9999998])
def test_day_and_hour_turn_when_they_do_in_python(at: float) -> None:
    o = Observation(run_id="r", url="http://[", measured_at=at)
    with engines.duckdb() as engine:
        row = engine.arrow(verdict_rows(ibis.memtable(stored([o])))).to_pylist()[0]
    told = verdict_row(o, judge([o])[0])
    assert (told.day, told.hour, told.host) == (row["day"], row["hour"], row["host"])


def _rows(engine: engines.Engine, table: engines.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = engine.arrow(table).to_pylist()
    return rows


def test_a_row_is_stored_with_all_its_columns(rows: Rows, parquet: Path) -> None:
    back = pq.read_table(parquet).to_pylist()
    assert [msgspec.structs.asdict(o) for o in rows] == [
        {name: row[name] for name in Observation.__struct_fields__} for row in back
    ]
