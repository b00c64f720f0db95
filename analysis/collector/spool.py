"""Batches on disk: each once, and acknowledged only when a power cut cannot take it back.

`Spool.store` returns after `fsync`. Many that wait at the same moment share one (group
commit), so that a slow disk slows answers and not the number of them. The catalogue
(SQLite) says where each batch is; it is made from the segments wherever it is behind them or
gone, so it need not be safe itself: what it could not take (a full disk again) is
remembered until it can.

Whoever serves runs `Spool.run` in its nursery; one process has a folder at a time.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple, Self

import trio
from filelock import FileLock, Timeout

from analysis.collector.segments import (
    SEGMENT_BYTES,
    Damage,
    Genuine,
    Place,
    Record,
    Segments,
)

log = logging.getLogger(__name__)

Stored = Literal["now", "before"]
WAITING = 256  # batches that wait for the disk at once; more are told to come again

_SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    name BLOB PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL,
    flags INTEGER NOT NULL, size INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen (segment INTEGER NOT NULL, offset INTEGER NOT NULL) STRICT;
"""


class SpoolError(Exception):
    """Nothing was stored. The message is a reason that the sender may be told."""


class SpoolBusy(SpoolError):
    """Too many wait already; later there is room."""


class _Wish(NamedTuple):
    name: bytes
    payload: bytes
    flags: int
    note: bytes


class _Row(NamedTuple):
    """Of the catalogue."""

    name: bytes
    segment: int
    offset: int
    flags: int
    size: int


class _Waiting:
    """One batch on its way to the disk, and all who wait for it."""

    def __init__(self, wish: _Wish) -> None:
        self.wish = wish
        self.done = trio.Event()
        self.error: str | None = None


class Spool:
    """The spool in *folder*. Opening it may take a while where the catalogue is behind.

    Raises `SpoolError` where another process has it, `OSError` as the disk does. *cut* and
    *damaged* count the bytes that were no whole record when it was opened. *keep_free*
    bytes of the disk are left to others: for the catalogue, and for who must log in.
    *genuine*: see `analysis.collector.segments`.
    """

    def __init__(
        self, folder: Path, *, segment_bytes: int | None = None, keep_free: int = 0,
        genuine: Genuine | None = None,
    ) -> None:  # fmt: skip
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = FileLock(folder / "lock", mode=0o600)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise SpoolError(f"another collector has {folder}") from None
        self.segments = Segments(
            folder, segment_bytes=segment_bytes or SEGMENT_BYTES, genuine=genuine
        )
        self.cut = self.segments.cut
        self.damaged = 0
        self._keep_free = keep_free
        self._unlisted: dict[bytes, _Row] = {}  # stored, and not yet in the catalogue
        self._db = _opened(folder / "catalogue.db")
        self._catch_up()
        self._waiting: dict[bytes, _Waiting] = {}
        self._queue_in, self._queue_out = trio.open_memory_channel[_Waiting](WAITING)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
        self.segments.close()
        self._lock.release()

    async def store(
        self, name: bytes, payload: bytes, flags: int = 0, note: bytes = b""
    ) -> Stored:
        """Keep *payload* under *name* (32 bytes) for good; ``before``: it was there already.

        *note* is kept beside it, if it is the first that is stored. Raises `SpoolBusy` or
        `SpoolError`; then nothing of it is kept.
        """
        place = self.place(name)
        # What was damaged since is taken anew: its sender may be the only one who has it.
        if place is not None and await trio.to_thread.run_sync(self._is_whole, name, place):
            return "before"
        waiting = self._waiting.get(name)
        first = waiting is None
        if waiting is None:
            waiting = _Waiting(_Wish(name, payload, flags, note))
            try:
                self._queue_in.send_nowait(waiting)
            except trio.WouldBlock:
                raise SpoolBusy("too many batches at once: try again in a minute") from None
            self._waiting[name] = waiting
        await waiting.done.wait()
        if waiting.error is not None:
            raise SpoolError(waiting.error)
        return "now" if first else "before"

    async def run(self) -> None:
        """Write what waits, as much at once as there is, until cancelled."""
        async for first in self._queue_out:
            batch = [first]
            while len(batch) < WAITING:
                try:
                    batch.append(self._queue_out.receive_nowait())
                except trio.WouldBlock:
                    break
            # Shielded: who waits must learn what became of his batch.
            with trio.CancelScope(shield=True):
                error = await trio.to_thread.run_sync(self._write, [w.wish for w in batch])
            for waiting in batch:
                waiting.error = error
                del self._waiting[waiting.wish.name]
                waiting.done.set()

    def place(self, name: bytes) -> Place | None:
        """Where the batch *name* is; None: it is not here."""
        if (unlisted := self._unlisted.get(name)) is not None:
            return Place(unlisted.segment, unlisted.offset)
        row = self._db.execute(
            "SELECT segment, offset FROM batches WHERE name = ?", (name,)
        ).fetchone()
        return None if row is None else Place(*row)

    def _is_whole(self, name: bytes, place: Place) -> bool:
        try:
            return self.segments.read(place).name == name
        except (ValueError, OSError):
            return False

    def begins_with(self, prefix: bytes) -> bytes | None:
        """The first name that begins with *prefix*; None: there is none."""
        last = prefix + b"\xff" * (32 - len(prefix))
        row = self._db.execute(
            "SELECT name FROM batches WHERE name BETWEEN ? AND ? ORDER BY name", (prefix, last)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def count(self) -> int:
        (count,) = self._db.execute("SELECT count(*) FROM batches").fetchone()
        return int(count) + len(self._unlisted)

    def size(self) -> int:
        """Bytes of what is kept, without frames and notes."""
        (size,) = self._db.execute("SELECT coalesce(sum(size), 0) FROM batches").fetchone()
        return int(size)

    def room(self) -> int:
        """Bytes of the disk that may still be filled."""
        free = os.statvfs(self.segments.folder)
        return max(0, free.f_bavail * free.f_frsize - self._keep_free)

    def records(self) -> Iterator[Record]:
        """Each batch once, in the order in which they came."""
        for item in self.segments.records():
            if isinstance(item, Record) and self.place(item.name) == item.place:
                yield item

    def _write(self, wishes: list[_Wish]) -> str | None:
        """Write and sync *wishes*; why that failed, or None."""
        try:
            if sum(len(w.payload) + len(w.note) for w in wishes) > self.room():
                return "the collector's disk is full"
            places = [self.segments.append(*wish) for wish in wishes]
            self.segments.commit()
        except OSError as exc:
            self.segments.rollback()
            return f"the collector's disk: {exc.strerror or exc}"
        rows = [
            _Row(wish.name, *place, wish.flags, len(wish.payload))
            for wish, place in zip(wishes, places, strict=True)
        ]
        try:
            self._enter([*self._unlisted.values(), *rows])
            self._unlisted = {}
        except sqlite3.DatabaseError as exc:
            # It is on the disk, and that is what counts.
            log.warning("the catalogue cannot be written: %s", exc)
            self._unlisted |= {row.name: row for row in rows}
        return None

    def _enter(self, rows: list[_Row]) -> None:
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO batches VALUES (?, ?, ?, ?, ?)", rows)
            self._db.execute("DELETE FROM seen")
            self._db.execute("INSERT INTO seen VALUES (?, ?)", self.segments.end)

    def _catch_up(self) -> None:
        """Enter into the catalogue what the segments have since it was last written."""
        row = self._db.execute("SELECT segment, offset FROM seen").fetchone()
        start = None if row is None else Place(*row)
        if start is not None and start > self.segments.end:
            # The segments are older than the catalogue: a copy was put back.
            self._db.executescript("DELETE FROM batches; DELETE FROM seen;")
            start = None
        rows = []
        for item in self.segments.records(start):
            if isinstance(item, Damage):
                self.damaged += item.size
            else:
                rows.append(_Row(item.name, *item.place, item.flags, len(item.payload)))
        try:
            self._enter(rows)
        except sqlite3.OperationalError as exc:
            log.warning("the catalogue cannot be written: %s", exc)
            self._unlisted = {row.name: row for row in reversed(rows)}


# A full disk, one that is read-only or dying: the file may be as it should.
_OF_THE_DISK = frozenset(
    {
        sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PERM,
    }
)  # fmt: skip


def _opened(path: Path) -> sqlite3.Connection:
    """The catalogue; begun anew where it is damaged, since the segments have everything."""
    for _attempt in range(2):
        # Used by the event loop and by one writing thread, never at the same moment of a
        # transaction: SQLite's own lock is enough.
        db = sqlite3.connect(path, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            db.executescript(_SCHEMA)
            (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(found)
            return db
        except sqlite3.DatabaseError as exc:
            db.close()
            # What the check above found has no code of SQLite's.
            if getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _OF_THE_DISK:
                raise SpoolError(f"{path}: {exc}") from exc
            path.rename(path.with_suffix(f".{int(time.time())}.damaged"))
            # SQLite would put the old log's pages into the new file.
            for beside in ("-wal", "-shm"):
                path.with_name(path.name + beside).unlink(missing_ok=True)
    raise SpoolError(f"{path} cannot be written")
