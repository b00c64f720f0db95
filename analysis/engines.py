"""The engines that run our expressions: DuckDB on this machine, or a Spark Connect server.

Rule: an engine reads Parquet, writes Parquet, and answers; what is asked is an Ibis expression
that does not know which engine it is. DuckDB is the default, in the process and within a
memory limit, spilling to disk beyond it. `sail` starts Sail, which speaks Spark Connect
without a JVM, in this process on loopback; `spark` uses a server that is there. No engine
here downloads anything: those that would fetch extensions are told not to.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import ibis  # type: ignore[import-untyped]  # Ibis ships no types
import pyarrow as pa  # type: ignore[import-untyped]

Table = Any  # Ibis ships no types
Name = Literal["duckdb", "sail"]
NAMES: tuple[Name, ...] = ("duckdb", "sail")

# Ibis would merge the selects that build on each other into one and copy what they share into
# each place that uses it; engines find that again, or take much longer.
ibis.options.sql.fuse_selects = False


@dataclass(frozen=True)
class Engine:
    """An Ibis *backend* with the few things that engines do unlike each other."""

    name: str
    backend: Any

    def read(self, paths: Path | Sequence[Path], *, merged: bool = False) -> Table:
        """A table over Parquet files: one, several, or all below a folder.

        All must have the same columns; where they are *merged*, those that a file lacks are
        null in its rows. What the names of folders say is not read. Raises what the engine
        raises for a file that is none.
        """
        raise NotImplementedError

    def load(self, rows: pa.Table) -> Table:
        """A table of *rows* in memory."""
        return ibis.memtable(rows)

    def write(
        self, table: Table, folder: Path, *, by: Sequence[str] = (), question: Table | None = None
    ) -> None:
        """Write *table*, or what *question* (`asked`) makes of it, as Parquet files in *folder*,
        which must not exist, with a folder ``column=value`` for each value of the columns in
        *by*."""
        raise NotImplementedError

    def answered(self, question: Table, table: Table) -> pa.Table:
        """What *question* (`asked`) makes of *table*, in memory."""
        raise NotImplementedError

    def arrow(self, table: Table) -> pa.Table:
        """The rows of *table*, in memory."""
        return self.backend.to_pyarrow(table)

    def _sql(self, table: Table, question: Table | None = None) -> str:
        self.backend._run_pre_execute_hooks(table)  # rows in memory become known to the engine
        sql: str = self.backend.compile(table)
        if question is None:
            return sql
        key = self.backend.name, question.op()
        if key not in _COMPILED:
            _COMPILED[key] = self.backend.compile(question)
        return re.sub(rf"[`\"]{_GIVEN}[`\"]", lambda _: f"({sql})", _COMPILED[key])


# A long expression takes a second to become SQL: more than a day's rows take to be judged.
_COMPILED: dict[tuple[str, Any], str] = {}
_GIVEN = "rows_that_a_question_is_asked_of"


@cache
def asked(question: Callable[..., Table], schema: ibis.Schema, *more: Any) -> Table:
    """``question(table, *more)`` of any table with this *schema*, for `Engine.write` and
    `Engine.answered`: written in an engine's words once, however often it is asked."""
    return question(ibis.table(schema, name=_GIVEN), *more)


class _DuckDB(Engine):
    def read(self, paths: Path | Sequence[Path], *, merged: bool = False) -> Table:
        return self.backend.read_parquet(
            [*map(str, _files(paths))], hive_partitioning=False, union_by_name=merged
        )

    def write(
        self, table: Table, folder: Path, *, by: Sequence[str] = (), question: Table | None = None
    ) -> None:
        folder.mkdir(parents=True)
        options = "FORMAT parquet, COMPRESSION zstd"
        target = folder / "part-0.parquet"
        if by:
            options += f", PARTITION_BY ({', '.join(by)})"
            target = folder
        sql = self._sql(table, question)
        self.backend.raw_sql(f"COPY ({sql}) TO {_quoted(target)} ({options})")

    def answered(self, question: Table, table: Table) -> pa.Table:
        found = self.backend.con.sql(self._sql(table, question)).to_arrow_table()
        return found.cast(question.schema().to_pyarrow())


class _Spark(Engine):
    def read(self, paths: Path | Sequence[Path], *, merged: bool = False) -> Table:
        reader = self.backend._session.read.option("mergeSchema", str(merged).lower())
        return self._view(reader.parquet(*map(str, _files(paths))))

    def load(self, rows: pa.Table) -> Table:
        # Not a memtable: Ibis asks for a check that Spark Connect warns it does not make.
        return self._view(self.backend._session.createDataFrame(rows))

    def _view(self, frame: Any) -> Table:
        name = f"rows_{uuid.uuid4().hex}"
        frame.createOrReplaceTempView(name)
        return self.backend.table(name)

    def write(
        self, table: Table, folder: Path, *, by: Sequence[str] = (), question: Table | None = None
    ) -> None:
        if folder.exists():
            raise FileExistsError(folder)
        frame = self.backend._session.sql(self._sql(table, question))
        # Spark takes 0.0 for a decimal number, and the column with it: files would differ.
        written = table if question is None else question
        doubles = [name for name, kind in written.schema().items() if kind.is_float64()]
        if doubles:
            frame = frame.withColumns({name: frame[name].cast("double") for name in doubles})
        writer = frame.write.option("compression", "zstd")
        (writer.partitionBy(*by) if by else writer).parquet(str(folder))

    def answered(self, question: Table, table: Table) -> pa.Table:
        found = self.backend._session.sql(self._sql(table, question)).toArrow()
        return found.cast(question.schema().to_pyarrow())


def started(*, memory: str = "", threads: int = 0, spill: Path | None = None) -> Engine:
    """DuckDB in this process until it ends; `duckdb` is the same for a while. Where *spill* is
    not given, what does not fit into memory goes to the system's folder for such files."""
    config: dict[str, Any] = {"autoinstall_known_extensions": False}
    if memory:
        config["memory_limit"] = memory
    if threads:
        config["threads"] = threads
    # Without a word it would write into the folder that the user happens to be in.
    config["temp_directory"] = str(spill or Path(tempfile.gettempdir()) / f"zond-{os.getpid()}")
    backend = ibis.duckdb.connect(**config)
    backend.raw_sql("SET preserve_insertion_order = false")
    return _DuckDB("duckdb", backend)


@contextmanager
def duckdb(
    *, memory: str = "", threads: int = 0, spill: Path | None = None
) -> Iterator[Engine]:
    """DuckDB in this process, with at most *memory* (``4GB``; empty: its own default, four
    fifths of the machine's) and *threads* (0: as many as cores); beyond *memory* it writes to
    the folder *spill*, which is made and removed again."""
    engine = started(memory=memory, threads=threads, spill=spill)
    try:
        yield engine
    finally:
        engine.backend.disconnect()
        if spill is not None:
            shutil.rmtree(spill, ignore_errors=True)


@contextmanager
def spark(url: str) -> Iterator[Engine]:
    """A server that speaks Spark Connect, as ``sc://127.0.0.1:50051``: Sail, or Spark."""
    from pyspark.sql import SparkSession

    session = SparkSession.builder.remote(url).create()
    try:
        session.conf.set("spark.sql.session.timeZone", "UTC")
        yield _Spark("spark", ibis.pyspark.connect(session))
    finally:
        session.stop()


@contextmanager
def sail(*, memory: str = "", threads: int = 0) -> Iterator[Engine]:
    """Sail in this process, on a port of loopback that the system chooses; *memory* (``4GB``)
    and *threads* (two at least) as for `duckdb`, without *memory* no limit. Sail is told by the
    environment, which is as before afterwards."""
    told = {
        "RUST_LOG": "error",  # it would tell of each session on stderr
        "no_grpc_proxy": "127.0.0.1",  # where no proxy of the user's leads
        # With one, Sail 0.7 fails where a file lacks a column: its null "is declared non-nullable".
        "SAIL_EXECUTION__DEFAULT_PARALLELISM": str(max(2, threads or os.cpu_count() or 2)),
    }
    if memory:
        told["SAIL_RUNTIME__MEMORY_POOL__TYPE"] = "fair"
        told["SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE"] = str(_bytes(memory))
    from pysail.spark import SparkConnectServer

    before = {name: os.environ.get(name) for name in told}
    os.environ.update({name: value for name, value in told.items() if name not in os.environ})
    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    try:
        _address, port = server.listening_address
        with spark(f"sc://127.0.0.1:{port}") as engine:
            yield _Spark("sail", engine.backend)
    finally:
        server.stop()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)


@contextmanager
def engine(name: Name = "duckdb", *, memory: str = "", threads: int = 0) -> Iterator[Engine]:
    """The engine called *name*, in this process."""
    start = {"duckdb": duckdb, "sail": sail}[name]
    with start(memory=memory, threads=threads) as started:
        yield started


def _files(paths: Path | Sequence[Path]) -> list[Path]:
    if not isinstance(paths, Path):
        return list(paths)
    return sorted(paths.rglob("*.parquet")) if paths.is_dir() else [paths]


def _bytes(size: str) -> int:
    """*size*, as ``4GB`` or ``500MB``, in bytes. Raises `ValueError` for what is none."""
    for unit, power in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if size.upper().endswith(unit):
            return int(float(size[: -len(unit)]) * power)
    raise ValueError(f"not a size, as 4GB: {size!r}")


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
