"""The catalogue of a dataset: what came to it from collectors, from whom, and what was left out.

A SQLite file beside the tables (``catalogue.db``). It is derived from the collectors' spools,
as the rest is: deleting the dataset's folder and building it again gives the same.

Rule: whatever a collector took is in one of two places, `measurements` or `left_out`, and
the second says why.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Self

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
from msgspec import Meta

from analysis.collector.segments import Place
from analysis.history.rows import arrow

NAME = "catalogue.db"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    name TEXT PRIMARY KEY, documents INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS measurements (
    measurement_id TEXT PRIMARY KEY, content BLOB NOT NULL, batch TEXT NOT NULL,
    pseudonym TEXT NOT NULL, received TEXT NOT NULL, sealed INTEGER NOT NULL, marks TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS measurements_content ON measurements (content);
CREATE TABLE IF NOT EXISTS left_out (
    place TEXT PRIMARY KEY, reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS read_to (
    spool TEXT PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement that a collector took: beside its verdict, what the collector says."""

    measurement_id: Annotated[str, Meta(description="the measurement")]
    batch: Annotated[str, Meta(description="the batch it came in: SHA-256 of its plain text")]
    pseudonym: Annotated[
        str,
        Meta(description="pseudonym of the key that signed: one network, one month; empty: none"),
    ] = ""
    received: Annotated[str, Meta(description="day on which the collector took it, UTC")] = ""
    sealed: Annotated[bool, Meta(description="it came sealed to the collector")] = False
    marks: Annotated[
        str, Meta(description="what cannot be or is suspect (`zond collector`), with commas")
    ] = ""


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a collector took and that is not in the tables."""

    place: Annotated[str, Meta(description="batch and line, or place in the spool")]
    reason: Annotated[str, Meta(description="why")]


class Catalogue:
    """The catalogue of the dataset in the folder *root*. Raises `sqlite3.Error`.

    What `add` and the others are told counts after `commit`.
    """

    def __init__(self, root: Path) -> None:
        self._db = sqlite3.connect(root / NAME)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")  # the spools have everything
        self._db.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def has_batch(self, name: str) -> bool:
        return self._one("SELECT 1 FROM batches WHERE name = ?", name) is not None

    def add_batch(self, name: str, documents: int) -> None:
        self._db.execute("INSERT OR IGNORE INTO batches VALUES (?, ?)", (name, documents))

    def whose(self, content: bytes) -> str | None:
        """The id of the measurement with this *content* (SHA-256); None: there is none."""
        found: str | None = self._one(
            "SELECT measurement_id FROM measurements WHERE content = ?", content
        )
        return found

    def content_of(self, measurement_id: str) -> bytes | None:
        found: bytes | None = self._one(
            "SELECT content FROM measurements WHERE measurement_id = ?", measurement_id
        )
        return found

    def add(self, row: Collected, content: bytes) -> None:
        self._db.execute(
            "INSERT INTO measurements VALUES (?, ?, ?, ?, ?, ?, ?)",
            (row.measurement_id, content, row.batch, row.pseudonym, row.received,
             int(row.sealed), row.marks),
        )  # fmt: skip

    def leave_out(self, place: str, reason: str) -> None:
        self._db.execute("INSERT OR IGNORE INTO left_out VALUES (?, ?)", (place, reason))

    def read_to(self, spool: str) -> Place | None:
        """Where reading the *spool* ended; None: at its beginning."""
        row = self._db.execute(
            "SELECT segment, offset FROM read_to WHERE spool = ?", (spool,)
        ).fetchone()
        return None if row is None else Place(*row)

    def commit(self, spool: str, place: Place) -> None:
        """Keep what was told, and that *spool* has been read up to *place*."""
        self._db.execute("INSERT OR REPLACE INTO read_to VALUES (?, ?, ?)", (spool, *place))
        self._db.commit()

    def collected(self) -> pa.Table:
        """All measurements of collectors, with the columns of `Collected`."""
        rows = self._db.execute(
            "SELECT measurement_id, batch, pseudonym, received, sealed, marks FROM measurements"
            " ORDER BY measurement_id"
        )
        return arrow(
            (
                Collected(
                    measurement_id=id, batch=batch, pseudonym=pseudonym, received=received,
                    sealed=bool(sealed), marks=marks,
                )
                for id, batch, pseudonym, received, sealed, marks in rows
            ),
            Collected,
        )  # fmt: skip

    def marked(self) -> list[str]:
        """The ids of the measurements with a mark, in order."""
        rows = self._db.execute(
            "SELECT measurement_id FROM measurements WHERE marks != '' ORDER BY measurement_id"
        )
        return [id for (id,) in rows]

    def left_out(self) -> pa.Table:
        """All that was left out, with the columns of `LeftOut`."""
        rows = self._db.execute("SELECT place, reason FROM left_out ORDER BY place")
        return arrow((LeftOut(place=place, reason=reason) for place, reason in rows), LeftOut)

    def reasons(self) -> dict[str, int]:
        """How much was left out, by reason."""
        return dict(
            self._db.execute("SELECT reason, count(*) FROM left_out GROUP BY reason ORDER BY 1")
        )

    def counts(self) -> tuple[int, int]:
        """How many batches and measurements it holds."""
        (batches,) = self._db.execute("SELECT count(*) FROM batches").fetchone()
        (measurements,) = self._db.execute("SELECT count(*) FROM measurements").fetchone()
        return int(batches), int(measurements)

    def _one(self, sql: str, *parameters: object) -> Any:
        row = self._db.execute(sql, parameters).fetchone()
        return None if row is None else row[0]


def tables(root: Path) -> dict[str, pa.Table]:
    """The tables `collected` and `left_out` of the dataset in *root*; empty ones where no
    collector's data was built into it."""
    if not (root / NAME).exists():
        empty: Iterable[Collected] = ()
        return {"collected": arrow(empty, Collected), "left_out": arrow((), LeftOut)}
    with Catalogue(root) as catalogue:
        return {"collected": catalogue.collected(), "left_out": catalogue.left_out()}


def marked(root: Path) -> pa.Table:
    """The ``measurement_id`` of all that a collector marked, of the dataset in *root*."""
    ids: list[str] = []
    if (root / NAME).exists():
        with Catalogue(root) as catalogue:
            ids = catalogue.marked()
    return pa.table({"measurement_id": pa.array(ids, pa.string())})
