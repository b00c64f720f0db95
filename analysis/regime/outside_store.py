"""Outside evidence in the user's database: what was imported stays, whatever is rebuilt.

Verdicts, events and findings are made anew whenever rules or models change; these rows are
not ours to make, so they lie beside the evidence, in a table of their own, as they came: one
row of JSON with the file's name and the time. Its key is its content, so that to import a
file twice changes nothing. What a later version cannot read is told, never dropped.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from analysis.regime import outside, read
from analysis.regime.outside import KINDS, Outside
from probe.schema import Database, explained, open_database

_TABLE = "outside"


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file: rows that are new, that were there, and that could not be read
    (one line each)."""

    new: int
    known: int
    refused: tuple[str, ...] = ()


def import_file(kind: str, file: Path, database: Path) -> Imported:
    """Put the rows of CSV *file* into *database*, which is made where it is missing.

    Raises `DataError` for a file that is none of *kind*, `StoreError` for the database.
    """
    good, bad = outside.parse(kind, read.text_of(file), file.name)
    new = save(kind, good, database, file.name)
    return Imported(new=new, known=len(good) - new, refused=tuple(bad))


def save(kind: str, rows: Sequence[msgspec.Struct], database: Path, name: str = "") -> int:
    """Put *rows* into *database*; how many were new."""
    with closing(open_database(database, write=True).conn) as connection, explained(database):
        db = Database(connection)
        table = db.table(_TABLE)
        table.create(
            {"key": str, "kind": str, "file": str, "imported_at": float, "record": str},
            pk="key", if_not_exists=True,
        )  # fmt: skip
        before = table.count
        now = time.time()
        records = [
            {"key": _key(kind, text), "kind": kind, "file": name, "imported_at": now,
             "record": text}
            for text in (msgspec.json.encode(row).decode() for row in rows)
        ]  # fmt: skip
        # One transaction: a register of a million names in batches would be synced to the
        # disk as often.
        with connection:
            connection.executemany(
                "INSERT OR IGNORE INTO outside VALUES (:key, :kind, :file, :imported_at, :record)",
                records,
            )
        return table.count - before


def load(database: Path) -> tuple[Outside, list[str]]:
    """The rows in *database* by kind, and one line for each that cannot be read any more.

    Raises `StoreError` where there is no such database.
    """
    found: dict[str, list[msgspec.Struct]] = {}
    bad: list[str] = []
    with closing(open_database(database, write=False).conn) as connection, explained(database):
        db = Database(connection)
        if _TABLE not in db.table_names():
            return {}, []
        for kind, name, text in connection.execute(
            "SELECT kind, file, record FROM outside ORDER BY kind, key"
        ):
            try:
                found.setdefault(kind, []).append(msgspec.json.decode(text, type=KINDS[kind]))
            except (KeyError, msgspec.DecodeError) as error:
                bad.append(f"{name}: a row of {kind}: {error}")
    return {kind: tuple(rows) for kind, rows in found.items()}, bad


def _key(kind: str, text: str) -> str:
    return hashlib.sha256(f"{kind}\n{text}".encode()).hexdigest()[:32]
