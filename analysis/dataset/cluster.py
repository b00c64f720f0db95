"""The dataset's views on a server that speaks Spark Connect: questions beyond one machine.

The same views as `analysis.dataset.query` has, under the same names, so that one question is
asked of either. Rule: here nothing is closed. What a server may read is the business of who
runs it, so this is for one's own queries, and not for a stranger's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]

from analysis import engines
from analysis.dataset import catalogue, manifest
from analysis.dataset.columns import SCHEMA
from analysis.dataset.query import VERDICTS, QueryError
from analysis.history.rows import arrow_schema
from analysis.history.table import TestRow, VerdictRow

_SPARK = {
    pa.string(): "string", pa.int64(): "bigint", pa.float64(): "double", pa.bool_(): "boolean",
}  # fmt: skip


class ClusterQueries:
    """The views of the dataset in the folder *root*, in the *session* of a server that sees that
    folder under the same path, or its copy *at* a URL. Raises `DatasetError`."""

    def __init__(
        self, root: Path, session: Any, *, without_marked: bool = False, at: str = ""
    ) -> None:
        self._session = session
        found = manifest.load(root)
        for name, table in catalogue.tables(root).items():
            self._named(self._rows(table), name)
        left = ""
        if without_marked:
            self._named(self._rows(catalogue.marked(root)), "marked")
            left = " WHERE measurement_id NOT IN (SELECT measurement_id FROM marked)"
        for name, of, schema in (
            ("all_verdicts", found.verdicts, arrow_schema(VerdictRow)),
            ("tests", found.tests, arrow_schema(TestRow)),
            ("observations", found.observations, SCHEMA),
        ):
            names = sorted({name for files in of.values() for name in files.files})
            paths = [f"{at or root.resolve()}/{name}" for name in names]
            if paths:
                rows = session.read.option("mergeSchema", "true").parquet(*paths)
            else:
                rows = self._rows(schema.empty_table())
            self._named(rows, f"{name}_files")
            columns = ", ".join(schema.names)
            self._named(
                session.sql(f"SELECT {columns} FROM {name}_files{left}"),  # noqa: S608
                name,
            )
        self._named(session.sql(VERDICTS), "verdicts")

    def ask(self, sql: str) -> pa.Table:
        """The answer to one query. Raises `QueryError`."""
        from pyspark.errors import PySparkException

        try:
            return self._session.sql(sql).toArrow()
        except PySparkException as error:
            raise QueryError(str(error)) from error

    def _rows(self, table: pa.Table) -> Any:
        if table.num_rows:
            return self._session.createDataFrame(table)
        columns = ", ".join(f"`{field.name}` {_SPARK[field.type]}" for field in table.schema)
        return self._session.createDataFrame([], columns)

    def _named(self, frame: Any, name: str) -> None:
        frame.createOrReplaceTempView(name)


@contextmanager
def connected(
    root: Path, url: str, *, without_marked: bool = False, at: str = ""
) -> Iterator[ClusterQueries]:
    """The views of the dataset in *root* on the server at *url*, as ``sc://127.0.0.1:50051``.
    Raises `QueryError` where no server answers, and `DatasetError`."""
    from pyspark.errors import PySparkException

    with ExitStack() as stack:
        try:
            session = stack.enter_context(engines.spark(url)).backend._session
            views = ClusterQueries(root, session, without_marked=without_marked, at=at)
        except PySparkException as error:
            raise QueryError(f"the server at {url} does not have it: {error}") from error
        yield views
