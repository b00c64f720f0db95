"""The verdict table in memory: structs to a table of any engine, and back.

Rule: the struct is the schema (`VerdictRow`, `TestRow`), so that a column has one name, one
type and one place. Everything that looks at many verdicts takes an Ibis table with these
columns, wherever it lives: here made of structs, in ``analysis.dataset`` of Parquet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, TypeVar, overload

import ibis  # type: ignore[import-untyped]  # Ibis ships no types
import msgspec
import pyarrow as pa  # type: ignore[import-untyped]

from analysis.history.table import VerdictRow

T = TypeVar("T", bound=msgspec.Struct)

_ARROW = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
BATCH = 65_536  # rows that are structs at one time, on the way out


@cache
def arrow_schema(of: type[msgspec.Struct]) -> pa.Schema:
    """The columns of *of* as Arrow types, in order; none is ever null."""
    fields = []
    for column in msgspec.inspect.type_info(of).fields:  # type: ignore[attr-defined]
        kind = column.type
        if isinstance(kind, msgspec.inspect.Metadata):
            kind = kind.type
        name = type(kind).__name__.removesuffix("Type").lower()
        fields.append(pa.field(column.encode_name, _ARROW[name], nullable=False))
    return pa.schema(fields)


def arrow(rows: Iterable[T], of: type[T]) -> pa.Table:
    """*rows* as an Arrow table, in their order; an empty one too has the columns."""
    kept = list(rows)
    schema = arrow_schema(of)
    columns = [
        pa.array([getattr(row, name) for row in kept], type=schema.field(name).type)
        for name in schema.names
    ]
    return pa.Table.from_arrays(columns, schema=schema)


@overload
def as_table(rows: Iterable[VerdictRow]) -> Any: ...
@overload
def as_table(rows: Iterable[T], of: type[T]) -> Any: ...
def as_table(rows: Iterable[Any], of: Any = VerdictRow) -> Any:
    """*rows* as an Ibis table with the columns of *of*, also where there is no row."""
    return ibis.memtable(arrow(rows, of))


@overload
def as_rows(table: Any) -> Iterator[VerdictRow]: ...
@overload
def as_rows(table: Any, of: type[T]) -> Iterator[T]: ...
def as_rows(table: Any, of: Any = VerdictRow) -> Iterator[Any]:
    """The rows of an Ibis *table* as structs, in its order, some at a time.

    Columns that *of* does not have are left out; one that it needs and the table lacks
    raises `msgspec.ValidationError`, a null likewise.
    """
    names = [name for name in arrow_schema(of).names if name in table.columns]
    # Not to_pyarrow_batches: Ibis 12 asks DuckDB 2 for a method that it no longer has.
    for batch in table.select(*names).to_pyarrow().to_batches(BATCH):
        for row in batch.to_pylist():
            yield msgspec.convert(row, of)
