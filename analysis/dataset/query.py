"""Questions in SQL to a dataset: views of its tables, in a DuckDB with its doors closed.

The doors are those of `analysis.closed`. What exceeds a bound of memory, time or rows raises
`Limit`, which is no answer.

Views: ``verdicts`` (with ``marks`` of the collector and the ``pseudonym``), ``tests``,
``observations``, ``collected`` and ``left_out`` (`analysis.dataset.catalogue`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import duckdb
import msgspec
import pyarrow as pa  # type: ignore[import-untyped]

from analysis import closed
from analysis.dataset import catalogue, manifest
from analysis.dataset.columns import SCHEMA
from analysis.history.rows import arrow_schema
from analysis.history.table import TestRow, VerdictRow

MEMORY = "2GiB"
SECONDS = 60.0
ROWS = 1_000_000  # that a query may return

VERDICTS = """
SELECT v.*, coalesce(c.marks, '') AS marks, coalesce(c.pseudonym, '') AS pseudonym
FROM all_verdicts v LEFT JOIN collected c ON c.measurement_id = v.measurement_id
"""


class QueryError(Exception):
    """A query that cannot be run. The text is a line for the user."""


class Limit(QueryError):
    """A query took longer, or more, than it may."""


class Queries:
    """The views of the dataset in the folder *root*. Raises `DatasetError`.

    *without_marked*: the measurements that the collector marked are in none of the views.
    """

    def __init__(
        self, root: Path, *, without_marked: bool = False, memory: str = MEMORY,
        seconds: float = SECONDS, threads: int = 2,
    ) -> None:  # fmt: skip
        self._seconds = seconds
        found = manifest.load(root)
        self._db = closed.connected(memory=memory, threads=threads)
        tables = catalogue.tables(root)
        if without_marked:
            marked = tables["collected"].filter(
                pa.compute.not_equal(tables["collected"]["marks"], "")
            )
            self._db.register("marked", marked.select(["measurement_id"]))
        for name, table in tables.items():
            self._db.register(name, table)
        files: list[str] = []
        for name, of, schema in (
            ("all_verdicts", found.verdicts, arrow_schema(VerdictRow)),
            ("tests", found.tests, arrow_schema(TestRow)),
            ("observations", found.observations, SCHEMA),
        ):
            paths = [str(path.resolve()) for path in manifest.paths(root, of)]
            self._view(name, paths, schema, without_marked=without_marked)
            files += paths
        self._db.execute(f"CREATE VIEW verdicts AS {VERDICTS}")
        closed.close_doors(self._db, files)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def ask(self, sql: str) -> pa.Table:
        """The answer to one SELECT. Raises `QueryError`, and `Limit` of these where it takes
        too long, too much memory, or has too many rows."""
        try:
            one = closed.is_one_select(self._db, sql)
        except duckdb.Error as error:
            raise QueryError(str(error)) from error
        if not one:
            raise QueryError("not one SELECT")
        try:
            with closed.within(self._seconds, self._db):
                return self._answer(sql)
        except duckdb.InterruptException:
            raise Limit(f"no answer within {self._seconds:g} s") from None
        except duckdb.OutOfMemoryException:
            raise Limit("no answer within the memory that it may use") from None
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            # Arrow wraps what interrupts while rows are fetched.
            if "INTERRUPT" in str(error):
                raise Limit(f"no answer within {self._seconds:g} s") from None
            raise QueryError(str(error)) from error

    def _answer(self, sql: str) -> pa.Table:
        reader: Any = self._db.sql(sql).to_arrow_reader(65_536)
        batches, rows = [], 0
        for batch in reader:
            batches.append(batch)
            rows += batch.num_rows
            if rows > ROWS:
                raise Limit(f"no answer of at most {ROWS} rows")
        return pa.Table.from_batches(batches, schema=reader.schema)

    def _view(
        self, name: str, paths: list[str], schema: pa.Schema, *, without_marked: bool
    ) -> None:
        columns = ", ".join(schema.names)
        if paths:
            source = closed.rows_of(paths)
        else:
            self._db.register(f"no_{name}", schema.empty_table())
            source = f"no_{name}"
        where = ""
        if without_marked:
            where = " WHERE measurement_id NOT IN (SELECT measurement_id FROM marked)"
        self._db.execute(f"CREATE VIEW {name} AS SELECT {columns} FROM {source}{where}")  # noqa: S608


def documented() -> dict[str, list[tuple[str, str, str]]]:
    """Name, type and meaning of each view's columns, from the structs."""
    verdicts = [*column_docs(VerdictRow), *(
        column for column in column_docs(catalogue.Collected) if column[0] in ("marks", "pseudonym")
    )]  # fmt: skip
    return {
        "verdicts": verdicts,
        "tests": column_docs(TestRow),
        "collected": column_docs(catalogue.Collected),
        "left_out": column_docs(catalogue.LeftOut),
    }


def column_docs(of: type[msgspec.Struct]) -> list[tuple[str, str, str]]:
    """Name, type and meaning of each column of *of*, as its annotations say."""
    found = []
    for field in msgspec.inspect.type_info(of).fields:  # type: ignore[attr-defined]
        kind, meaning = field.type, ""
        if isinstance(kind, msgspec.inspect.Metadata):
            meaning = (kind.extra_json_schema or {}).get("description", "")
            kind = kind.type
        name = type(kind).__name__.removesuffix("Type").lower()
        found.append((field.encode_name, name, meaning))
    return found


def markdown(columns: list[tuple[str, str, str]]) -> str:
    """A table of Markdown of what `column_docs` gives."""
    rows = "".join(f"| `{name}` | {kind} | {meaning} |\n" for name, kind, meaning in columns)
    return f"| column | type | meaning |\n|---|---|---|\n{rows}"
