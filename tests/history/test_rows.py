"""Structs to a table and back: nothing is lost, and an empty table has its columns."""

from __future__ import annotations

import msgspec
import pytest

from analysis.history.rows import arrow_schema, as_rows, as_table
from analysis.history.table import TestRow, VerdictRow

ROW = VerdictRow(
    measurement_id="m", url="https://бай.by/?a,b'", host="бай.by", measured_at=1.25, probe_asn=6697,
    outcome="blocked", mechanism="tls.reset", probability=0.97, domestic_alive=True,
)  # fmt: skip


def test_a_row_comes_back_as_it_went_in() -> None:
    rows = [ROW, msgspec.structs.replace(ROW, measurement_id="n", foreign_lost=True)]
    assert rows == list(as_rows(as_table(rows)))


def test_no_rows_are_still_a_table_with_all_columns() -> None:
    table = as_table([])
    assert list(VerdictRow.__struct_fields__) == list(table.columns)
    assert [] == list(as_rows(table))


def test_the_other_table_has_its_own_columns() -> None:
    row = TestRow(measurement_id="m", test="no_name", result="works")
    assert [row] == list(as_rows(as_table([row], TestRow), TestRow))


def test_types_are_those_of_the_struct() -> None:
    types = {field.name: str(field.type) for field in arrow_schema(VerdictRow)}
    assert ("double", "int64", "bool", "string") == (
        types["measured_at"], types["probe_asn"], types["domestic_alive"], types["host"],
    )  # fmt: skip


def test_columns_beside_are_left_out_and_missing_ones_are_told() -> None:
    table = as_table([ROW])
    assert [ROW] == list(as_rows(table.mutate(more=table.hour + 1)))
    with pytest.raises(msgspec.ValidationError, match="measurement_id"):
        list(as_rows(table.drop("measurement_id")))
