"""A DuckDB with its doors closed: queries are data that somebody wrote, who may be a stranger.

Rule: a query reads the tables and files that were named before the doors were closed, and
nothing else: no other file, no network, no extension, no setting; one SELECT; bounded memory.
Bounds of time and rows are the asker's, who knows what to say of them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

AGAIN_SECONDS = 0.1


def connected(*, memory: str, threads: int) -> duckdb.DuckDBPyConnection:
    """An empty database in memory; *memory* as DuckDB writes it (``"2GiB"``)."""
    db = duckdb.connect(":memory:", config={"threads": threads})
    db.execute("SET python_enable_replacements = false")
    db.execute(f"SET memory_limit = '{memory}'")
    db.execute("SET temp_directory = ''")  # nothing is written, nowhere
    return db


def rows_of(files: Iterable[Path | str]) -> str:
    """What stands after FROM for Parquet *files*, which are left where they are: what a query
    does not ask for is never read."""
    listed = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"


def close_doors(db: duckdb.DuckDBPyConnection, files: list[str]) -> None:
    """From here on *db* opens *files* and nothing else, and no query can change that."""
    if files:
        db.execute("SET allowed_paths = ?", [files])
    for setting in (
        "enable_external_access = false",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "allow_community_extensions = false",
        "lock_configuration = true",
    ):
        db.execute(f"SET {setting}")


def is_one_select(db: duckdb.DuckDBPyConnection, sql: str) -> bool:
    """Whether *sql* is one SELECT. Raises `duckdb.Error` where it is no SQL."""
    return [s.type for s in db.extract_statements(sql)] == [duckdb.StatementType.SELECT]


@contextmanager
def within(seconds: float, db: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Interrupt what *db* does in the ``with`` once *seconds* are over, until it ends: DuckDB
    forgets an interruption that comes before the query has begun."""
    ended = threading.Event()

    def watch() -> None:
        wait = seconds
        while not ended.wait(wait):
            db.interrupt()
            wait = AGAIN_SECONDS

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        watching.join()
