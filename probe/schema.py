"""The database file: how it is opened, whose it is, and which tables it has.

Rule: the only place that opens a connection, encrypted (`probe.encryption`) or not. A file that is
not ours, is damaged, or was written by a newer zond is refused before anything
is written to it: guessing would cost measurements.

Tables only grow; nothing is updated or deleted, except that the bytes of a batch go when
its receipt has come (`probe.upload.outbox`), and where the room is bounded the oldest of what was
delivered (`probe.retention`): a small device's card would else be full within the year.
A change to the tables is one more migration here, never an edit of an old one.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from probe import encryption
from probe.encryption import PassphraseError, is_plain, passphrase
from probe.lean import hidden

APPLICATION_ID = 0x7A6F6E64  # "zond" in the file's header
BUSY_SECONDS = 10.0
CACHE = 512  # KiB of pages in memory, not 2000: a measurement is some 30, and not read again
WAL_LIMIT = 4 * 2**20  # bytes kept of the log after a checkpoint; cards of small devices are small


class StoreError(Exception):
    """The database cannot be read or written. The message is one line for the user."""


# sqlite-utils imports pandas and numpy where it finds them, which costs 80 MB and 0.2 s for a
# feature that is not used here.
with hidden("pandas", "numpy"):
    from sqlite_utils import Database as Database
    from sqlite_utils import Migrations

migrations = Migrations("zond")


@migrations()
def m001_session(db: Database) -> None:
    """Runs, what they planned, what they saw, and whether the line was alive."""
    strict = db.supports_strict

    def create(
        name: str, columns: dict[str, type], pk: str, parent: tuple[str, str, str] | None
    ) -> None:
        db.table(name).create(
            columns,
            pk=pk,
            not_null=set(columns) - {pk, "failure", "blobs"},
            foreign_keys=[parent] if parent else None,
            strict=strict,
        )

    create("runs", {"id": str, "started_at": float, "record": str}, "id", None)
    create(
        "run_updates",
        {"key": int, "run_id": str, "ended": str, "record": str},
        "key",
        ("run_id", "runs", "id"),
    )
    create(
        "planned",
        {
            "key": int,
            "run_id": str,
            "position": int,
            "nettest": str,
            "url": str,
            "category": str,
            "list_name": str,
            "target": str,
        },
        "key",
        ("run_id", "runs", "id"),
    )
    db.table("planned").create_index(["run_id", "nettest", "url"], unique=True)
    create(
        "measurements",
        {
            "key": int,
            "id": str,
            "run_id": str,
            "nettest": str,
            "nettest_version": str,
            "url": str,
            "list_name": str,
            "started_at": float,
            "software_version": str,
            "record": str,
        },
        "key",
        ("run_id", "runs", "id"),
    )
    db.table("measurements").create_index(["id"], unique=True)
    db.table("measurements").create_index(["run_id", "nettest", "url"])
    create(
        "evidence",
        {
            "key": int,
            "measurement": int,
            "seq": int,
            "kind": str,
            "vantage": str,
            "url": str,
            "t0": float,
            "t": float,
            "failure": str,
            "record": str,
            "blobs": str,
        },
        "key",
        ("measurement", "measurements", "key"),
    )
    db.table("evidence").create_index(["measurement", "seq"], unique=True)
    create(
        "blobs",
        {"sha256": str, "encoding": str, "size": int, "data": bytes},
        "sha256",
        None,
    )
    create(
        "canaries",
        {"key": int, "run_id": str, "ring": str, "at": float, "failure": str, "record": str},
        "key",
        ("run_id", "runs", "id"),
    )
    db.table("canaries").create_index(["run_id"])
    create(
        "problems",
        {"key": int, "run_id": str, "list_name": str, "line": int, "reason": str},
        "key",
        ("run_id", "runs", "id"),
    )


@migrations()
def m002_follow_ups(db: Database) -> None:
    """Which plain measurement a follow-up is about; empty for a plain one."""
    db.execute("ALTER TABLE measurements ADD COLUMN about TEXT NOT NULL DEFAULT ''")
    db.table("measurements").create_index(["about"])


@migrations()
def m003_documents(db: Database) -> None:
    """Documents that were imported, whole, and those that could not be read."""
    strict = db.supports_strict
    db.execute("ALTER TABLE measurements ADD COLUMN document TEXT NOT NULL DEFAULT ''")
    kept: dict[str, type] = {"encoding": str, "size": int, "data": bytes}
    came_from: dict[str, type] = {"file": str, "line": int}
    db.table("documents").create(
        {"sha256": str, **came_from, **kept}, pk="sha256", not_null={*came_from, *kept},
        strict=strict,
    )  # fmt: skip
    db.table("set_aside").create(
        {"sha256": str, **came_from, "nettest": str, "reason": str, **kept}, pk="sha256",
        not_null={*came_from, "nettest", "reason", *kept}, strict=strict,
    )  # fmt: skip


@migrations()
def m004_outbox(db: Database) -> None:
    """Batches that leave, what is in each, what became of them, and their bytes until then."""
    strict = db.supports_strict
    batches: dict[str, type] = {
        "key": int, "sha256": str, "header": str, "probe_asn": int, "month": str, "made_at": float,
        "documents": int, "size": int, "packed": int,
    }  # fmt: skip
    db.table("outbox_batches").create(
        batches, pk="key", not_null={*batches} - {"key"}, strict=strict
    )
    db.table("outbox_batches").create_index(["sha256"], unique=True)
    db.table("outbox_bytes").create(
        {"sha256": str, "packed": bytes}, pk="sha256", not_null={"packed"}, strict=strict,
        foreign_keys=[("sha256", "outbox_batches", "sha256")],
    )  # fmt: skip
    db.table("outbox_contents").create(
        {"kind": str, "id": str, "sha256": str}, pk=("kind", "id"), not_null={"sha256"},
        strict=strict, foreign_keys=[("sha256", "outbox_batches", "sha256")],
    )  # fmt: skip
    db.table("outbox_staying").create(
        {"id": str, "choices": str}, pk=("id", "choices"), strict=strict,
    )  # fmt: skip
    events: dict[str, type] = {
        "key": int, "sha256": str, "at": float, "what": str, "way": str, "bytes": int,
        "detail": str,
    }  # fmt: skip
    db.table("outbox_events").create(
        events, pk="key", not_null={*events} - {"key"}, strict=strict,
        foreign_keys=[("sha256", "outbox_batches", "sha256")],
    )  # fmt: skip
    db.table("outbox_events").create_index(["sha256"])


@migrations()
def m005_ooni_documents(db: Database) -> None:
    """Documents for collectors that speak OONI's protocol, and the uid of each once it is there."""
    strict = db.supports_strict
    columns: dict[str, type] = {
        "measurement": str, "collector": str, "report": str, "sha256": str, "encoding": str,
        "size": int, "data": bytes, "accepted_at": float, "uid": str,
    }  # fmt: skip
    db.table("ooni_documents").create(
        columns, pk=("measurement", "collector"), not_null={*columns}, strict=strict
    )


@migrations()
def m006_retention(db: Database) -> None:
    """What runs have used (`probe.budget`), and what had to go for lack of room
    (`probe.retention`)."""
    strict = db.supports_strict
    uses: dict[str, type] = {"at": float, "processor": float, "line": int, "written": int}
    db.table("uses").create({"key": int, **uses}, pk="key", not_null={*uses}, strict=strict)
    gone: dict[str, type] = {"at": float, "what": str, "count": int, "until": float}
    db.table("forgotten").create({"key": int, **gone}, pk="key", not_null={*gone}, strict=strict)


_KNOWN = frozenset(migration.name for migration in migrations.pending(Database(memory=True)))


def _connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """The one place that opens the file. Threads take turns; they never share a moment."""
    open_it: Callable[..., sqlite3.Connection] = sqlite3.connect
    if not is_plain(path):
        open_it = partial(encryption.connect, secret=passphrase(path.absolute()))
    if write:
        return open_it(str(path), timeout=BUSY_SECONDS, check_same_thread=False)
    return open_it(_uri(path), uri=True, timeout=BUSY_SECONDS, check_same_thread=False)


def _uri(path: Path) -> str:
    """Where to read *path*, which is not to be changed."""
    # A closed database has no log beside it. Where the directory cannot be
    # written (a card mounted read-only) SQLite cannot make its shared memory
    # either, and needs to be told that nobody will change the file.
    log = path.with_name(path.name + "-wal")
    still = not os.access(path.parent, os.W_OK) and not log.exists()
    return path.absolute().as_uri() + ("?immutable=1" if still else "?mode=ro")


def open_database(path: Path, *, write: bool) -> Database:
    """Open *path*, in the newest form of the tables. *write* makes it where it is missing.

    Raises `StoreError` where that cannot be done.
    """
    if not write and not path.is_file():
        raise StoreError(f"no database at {path}")
    with explained(path):
        if write:
            _make_private(path)
        connection = _connect(path, write=write)
        try:
            db = Database(connection)
            behind = _check_ours(db, path, write=write)
            if behind and not write:
                db = _completed_copy(db, path)
            db.execute(f"PRAGMA cache_size=-{CACHE}")
            if write:
                # First of all: a file left by a process killed here is still ours.
                db.execute(f"PRAGMA application_id={APPLICATION_ID}")
                db.execute("PRAGMA synchronous=FULL")
                db.execute(f"PRAGMA journal_size_limit={WAL_LIMIT}")
                db.execute("PRAGMA foreign_keys=ON")
                db.enable_wal()
                migrations.apply(db)
        except BaseException:
            connection.close()
            raise
    return db


def _make_private(path: Path) -> None:
    """Nobody but the user may read what was measured: 0600, in a directory of 0700."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _check_ours(db: Database, path: Path, *, write: bool) -> bool:
    """Whether it is an older zond's. Raises `StoreError` for what is not ours to read."""
    applied = {migration.name for migration in migrations.applied(db)}
    if newer := applied - _KNOWN:
        raise StoreError(f"{path} was written by a newer zond ({max(newer)}): update zond")
    owner = db.execute("PRAGMA application_id").fetchone()[0]
    if owner != APPLICATION_ID and db.table_names():
        raise StoreError(f"{path} is a database of another program")
    if not write and not applied:
        raise StoreError(f"{path} holds no run yet")
    return applied != _KNOWN


def _completed_copy(db: Database, path: Path) -> Database:
    """*db*, which is closed, in memory and in the newest form: who only reads changes no file."""
    if is_plain(path):
        copy = sqlite3.connect(":memory:", check_same_thread=False)
        db.conn.backup(copy)
    else:  # SQLCipher copies no pages to a database without a key
        copy = encryption.in_memory(_uri(path), passphrase(path.absolute()))
    db.close()
    completed = Database(copy)
    migrations.apply(completed)
    return completed


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system say into one `StoreError` line."""
    try:
        yield
    except PassphraseError as exc:
        raise StoreError(f"{path}: {exc}") from exc
    except encryption.errors("OperationalError") as exc:
        raise StoreError(f"{path}: {_advice(str(exc))}") from exc
    except encryption.errors("DatabaseError") as exc:
        wrong = "" if isinstance(exc, sqlite3.Error) else ", or the passphrase is wrong"
        raise StoreError(f"{path} is damaged or no database{wrong}: {exc}") from exc
    except OSError as exc:
        raise StoreError(f"{path}: {exc.strerror or exc}") from exc


def _advice(said: str) -> str:
    if "full" in said:
        return f"{said}; what was stored before is safe"
    if "readonly" in said or "unable to open" in said:
        return f"{said} (is the directory there, and may you write to it?)"
    if "locked" in said:
        return f"{said} by another program"
    return said
