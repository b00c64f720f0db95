"""A DuckDB of views over what was measured and what is documented, for queries of others.

They are behind closed doors (`analysis.closed`). What exceeds a bound of memory, rows or time
raises `Limit`, which is not an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self, TypeAlias

import duckdb
import pyarrow as pa  # type: ignore[import-untyped]

from analysis import closed
from analysis.history.event import Event
from analysis.history.rows import arrow, arrow_schema
from analysis.history.table import TestRow, VerdictRow
from analysis.regime.flat import event_parts_table, events_table
from analysis.regime.read import DataError

MEMORY = "2GiB"
SECONDS = 60.0
ROWS = 200_000  # that a query may return

Rows: TypeAlias = Any  # a folder of Parquet, a table of Arrow or Ibis, or structs


class Limit(RuntimeError):
    """A query took longer, or more, than it may."""


class Workspace:
    """The views `verdicts`, `tests`, `events`, `event_parts` and those of *tables*.

    *verdicts* and *tests*: a folder of Parquet files, the files themselves, an Arrow table, an
    Ibis table (which is brought into memory), or structs. *tables*: name to Arrow table, as
    `analysis.regime.tables` makes them of a regime and of what is known from outside. Use it
    in a ``with``.
    """

    def __init__(
        self, *, verdicts: Rows = (), tests: Rows = (), events: Iterable[Event] = (),
        tables: Mapping[str, Any] | None = None, memory: str = MEMORY, seconds: float = SECONDS,
        threads: int = 2,
    ) -> None:  # fmt: skip
        self._seconds = seconds
        files = [str(file) for rows in (verdicts, tests) for file in _files(rows) or ()]
        self._db = closed.connected(memory=memory, threads=threads)
        self._view("verdicts", verdicts, VerdictRow)
        self._view("tests", tests, TestRow)
        kept = list(events)
        self._db.register("events", events_table(kept))
        self._db.register("event_parts", event_parts_table(kept))
        for name, table in (tables or {}).items():
            self._db.register(name, table)
        closed.close_doors(self._db, files)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def ask(self, sql: str, what: str = "query") -> list[dict[str, Any]]:
        """The rows of one SELECT; *what* it is for, in errors.

        Raises `DataError` for what is no single SELECT or cannot be run, `Limit` where it
        takes too long, too much memory, or returns too many rows.
        """
        self._only_select(sql, what)
        names, found = self._run(sql, what)
        return [dict(zip(names, row, strict=True)) for row in found]

    def columns_of(self, sql: str, what: str = "query") -> list[str]:
        """The columns that one SELECT returns; raises as `ask`."""
        self._only_select(sql, what)
        return self._run(f"SELECT * FROM (\n{sql}\n) LIMIT 0", what)[0]  # noqa: S608

    def _run(self, sql: str, what: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        try:
            with closed.within(self._seconds, self._db):
                rows = self._db.execute(sql)
                names = [column[0] for column in rows.description or ()]
                found = rows.fetchmany(ROWS + 1)
        except duckdb.InterruptException:
            raise Limit(f"an answer of {what} within {self._seconds:g} s") from None
        except duckdb.OutOfMemoryException:
            raise Limit(f"an answer of {what} within the memory that it may use") from None
        except duckdb.Error as error:
            raise DataError(f"{what}: {error}") from error
        if len(found) > ROWS:
            raise Limit(f"an answer of {what} with at most {ROWS} rows")
        return names, found

    def columns(self) -> dict[str, dict[str, str]]:
        """Each view's columns and their types, for who writes queries."""
        rows = self._db.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
            " ORDER BY table_name, ordinal_position"
        ).fetchall()
        found: dict[str, dict[str, str]] = {}
        for table, column, kind in rows:
            found.setdefault(table, {})[column] = kind
        return found

    def _view(self, name: str, rows: Rows, of: type[VerdictRow] | type[TestRow]) -> None:
        files = _files(rows)
        if files:
            columns = ", ".join(arrow_schema(of).names)
            source = closed.rows_of(files)
            self._db.execute(f"CREATE VIEW {name} AS SELECT {columns} FROM {source}")  # noqa: S608
            return
        if files is not None:
            rows = ()
        if isinstance(rows, pa.Table):
            table = rows
        elif hasattr(rows, "to_pyarrow"):
            table = rows.to_pyarrow()
        else:
            table = arrow(rows, of)
        lacking = set(arrow_schema(of).names) - set(table.column_names)
        if lacking:
            raise DataError(f"{name}: no column {', '.join(sorted(lacking))}")
        self._db.register(name, table)

    def _only_select(self, sql: str, what: str) -> None:
        try:
            one = closed.is_one_select(self._db, sql)
        except duckdb.Error as error:
            raise DataError(f"{what}: {error}") from error
        if not one:
            raise DataError(f"{what}: not one SELECT")


def _files(rows: Rows) -> list[Path] | None:
    """The Parquet files that *rows* stands for; None where it is something else."""
    if isinstance(rows, Path):
        return sorted(file.resolve() for file in rows.rglob("*.parquet"))
    if isinstance(rows, list | tuple) and rows and isinstance(rows[0], Path):
        return [file.resolve() for file in rows]
    return None
