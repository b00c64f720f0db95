"""A database of every form that the tables have had is read, completed, and never harmed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from probe.schema import APPLICATION_ID, Database, migrations, open_database
from probe.store import Store

NAMES = [migration.name for migration in migrations.pending(Database(memory=True))]


def as_it_was(path: Path, last: str) -> Path:
    """A database as the zond left it whose newest migration was *last*, with a run in it."""
    connection = sqlite3.connect(path)
    later = NAMES[NAMES.index(last) + 1 :]
    migrations.apply(Database(connection), **({"stop_before": later[0]} if later else {}))
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute("INSERT INTO runs VALUES ('r1', 1.0, '{}')")
    connection.commit()
    connection.close()
    return path


def tables(path: Path) -> set[tuple[str, ...]]:
    connection = sqlite3.connect(path)
    found = set(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql != ''"))
    connection.close()
    return found


@pytest.mark.parametrize("last", NAMES)
def test_who_only_reads_an_older_database_changes_no_byte_of_it(last: str, tmp_path: Path) -> None:
    path = as_it_was(tmp_path / "zond.db", last)
    before = path.read_bytes()
    db = open_database(path, write=False)
    assert [("r1",)] == list(db.execute("SELECT id FROM runs"))
    assert [] == list(db.execute("SELECT * FROM forgotten"))  # of the newest form
    db.close()
    assert before == path.read_bytes()


@pytest.mark.parametrize("last", NAMES)
def test_who_writes_completes_it_and_keeps_what_is_there(last: str, tmp_path: Path) -> None:
    path = as_it_was(tmp_path / "zond.db", last)
    Store(path, write=True).close()
    Store(tmp_path / "born.db", write=True).close()
    connection = sqlite3.connect(path)
    assert [("r1", 1.0, "{}")] == list(connection.execute("SELECT * FROM runs"))
    connection.close()
    assert tables(tmp_path / "born.db") == tables(path)
