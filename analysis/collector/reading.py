"""What the spool holds, for who makes the dataset of it: batches, documents, notes.

Reads without a lock, beside a collector that is serving. What is being written at that
moment is left for the next time: who reads on from `Received.after` misses nothing. A batch
is opened again, name and signature, so that bytes which the disk changed are never read as
somebody's measurement.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from analysis.collector.notes import OONI, WAS_SEALED, Note
from analysis.collector.ooni_documents import document, envelope_of, is_named_so, uid
from analysis.collector.segments import Damage, Place, Record, records
from probe.formats import batch
from probe.formats.batch import Batch, BatchError


class Received(NamedTuple):
    """A batch as it was stored. *after* is where to read on. *sealed*: it came sealed."""

    after: Place
    batch: Batch
    note: Note
    sealed: bool


class ReceivedOoni(NamedTuple):
    """A document of OONI's, its bytes as they were sent."""

    after: Place
    uid: str
    document: bytes
    note: Note


class Unreadable(NamedTuple):
    """What is there and cannot be read, and why; *size* in bytes."""

    after: Place
    reason: str
    size: int


Item = Received | ReceivedOoni | Unreadable


def received(data: Path, start: Place | None = None) -> Iterator[Item]:
    """All that a collector's folder *data* holds from *start*, in the order in which it came.

    A batch may be there twice after a crash of the catalogue; names tell. Raises `OSError`.
    """
    for item in records(data / "spool", start, genuine):
        yield _damaged(item) if isinstance(item, Damage) else _opened(item)


def genuine(record: Record) -> bool:
    """Whether the content of *record* is that of its name (`segments.Genuine`)."""
    if record.flags & OONI:
        return is_named_so(record)
    return isinstance(_opened(record), Received)


def _damaged(item: Damage) -> Unreadable:
    after = Place(item.place.segment, item.place.offset + item.size)
    return Unreadable(after, "damaged on the disk, or being written", item.size)


def _opened(record: Record) -> Item:
    try:
        note = msgspec.json.decode(record.note or b'{"received":""}', type=Note)
        if record.flags & OONI:
            name = uid(record.name, envelope_of(record.payload))
            return ReceivedOoni(record.after, name, document(record.payload), note)
        found = batch.unpack(record.payload)
        if found.sha256 != record.name.hex():
            raise BatchError("stored under another name")
        return Received(record.after, found, note, bool(record.flags & WAS_SEALED))
    except (ValueError, msgspec.MsgspecError, RecursionError) as exc:
        return Unreadable(record.after, str(exc)[:200], len(record.payload))
