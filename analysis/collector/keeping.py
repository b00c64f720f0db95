"""What an operator asks of a collector's folder: how much is there, is it whole, let it in.

Nothing here changes a folder, but `release`, which takes out of the quarantine what can be
read by now. `state` and `verify` run beside a collector that is serving.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import trio

from analysis.collector.documents import read
from analysis.collector.intake import wrong_month
from analysis.collector.limits import Limits
from analysis.collector.notes import Note, Quarantined
from analysis.collector.reading import Received, ReceivedOoni, Unreadable, genuine, received
from analysis.collector.segments import Record, numbers, path, records
from analysis.collector.spool import Spool
from probe.formats import batch


class State(msgspec.Struct, kw_only=True):
    """Counts and bytes."""

    records: int
    segments: int
    bytes: int
    quarantined: dict[str, int]
    disk_free: int


class Verified(msgspec.Struct, kw_only=True):
    """What reading everything found. *missing*: the catalogue names it, the segments do not."""

    batches: int = 0
    ooni: int = 0
    documents: int = 0
    set_aside: int = 0
    marks: Counter[str] = msgspec.field(default_factory=Counter)
    unreadable: list[str] = msgspec.field(default_factory=list)
    missing: int = 0

    @property
    def whole(self) -> bool:
        return not self.unreadable and not self.missing


def state(data: Path) -> State:
    """Of the folder *data*. Raises `OSError`, `sqlite3.Error`."""
    spool = data / "spool"
    files = numbers(spool)
    return State(
        records=len(_names(spool)),
        segments=len(files),
        bytes=sum(path(spool, n).stat().st_size for n in files),
        quarantined=dict(Counter(reason for _, reason in quarantined(data))),
        disk_free=shutil.disk_usage(data).free,
    )


def quarantined(data: Path) -> Iterator[tuple[Record, str]]:
    """What is in the quarantine, and why."""
    for item in records(data / "quarantine", genuine=genuine):
        if isinstance(item, Record):
            yield item, msgspec.json.decode(item.note, type=Quarantined).reason


def verify(data: Path) -> Verified:
    """Read all of *data*: frames, digests, signatures, documents. Raises `OSError`,
    `sqlite3.Error`."""
    named = _names(data / "spool")  # first: what is stored meanwhile is then no miss
    found = Verified()
    for item in received(data):
        match item:
            case Unreadable():
                found.unreadable.append(
                    f"before byte {item.after.offset} of segment {item.after.segment}:"
                    f" {item.reason} ({item.size} bytes)"
                )
                continue
            case Received():
                found.batches += 1
                found.documents += len(item.batch.documents)
                named.discard(bytes.fromhex(item.batch.sha256))
            case ReceivedOoni():
                found.ooni += 1
        found.set_aside += len(item.note.set_aside)
        found.marks.update(mark.mark for mark in item.note.marks)
    everything = records(data / "spool", genuine=genuine)
    present = {item.name for item in everything if isinstance(item, Record)}
    found.missing = len(named - present)
    return found


async def release(data: Path, limits: Limits | None = None) -> int:
    """Store what the quarantine holds and can be read and dated by now; how many batches.

    The collector must not be running. Raises `SpoolError`, `OSError`.
    """
    count = 0
    with Spool(data / "spool", genuine=genuine) as spool:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(spool.run)
            for record, _ in quarantined(data):
                opened = batch.unpack(record.payload)
                found = read(opened.documents)
                if found.readable and not wrong_month(opened.header, limits or Limits()):
                    was = msgspec.json.decode(record.note, type=Quarantined)
                    note = Note(received=was.received, set_aside=found.set_aside)
                    stored = await spool.store(
                        record.name, record.payload, record.flags, msgspec.json.encode(note)
                    )
                    count += stored == "now"
            nursery.cancel_scope.cancel()
    return count


def _names(spool: Path) -> set[bytes]:
    """What the catalogue of *spool* names."""
    catalogue = spool / "catalogue.db"
    if not catalogue.exists():
        return set()
    db = sqlite3.connect(f"file:{catalogue}?mode=ro", uri=True)
    try:
        return {bytes(name) for (name,) in db.execute("SELECT name FROM batches")}
    finally:
        db.close()
