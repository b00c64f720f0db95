"""Append-only files of framed records: the only truth that the collector keeps.

A record is a frame (`_FRAME`: magic, length, flags, the batch's name, a CRC of all that) and
its payload, whose SHA-256 closes it. Before the payload proper there may be a note of the
writer's, in the same record, so that neither is ever there without the other. What is not whole
at the end of the newest file, after a kill or a power cut, was never acknowledged: it is cut
off, and put aside. A record that is damaged further in is skipped and counted, and never
hides those after it.

What is looked for after damage may be inside of a stranger's payload, which may hold
what looks like a record. So what is found there counts only where its content is that of
its name, which `Genuine` says.

Synchronous, one writer. Who writes calls `append` for some records and then `commit`
once: that is the only place that waits for the disk.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

SEGMENT_BYTES = 64 * 2**20  # of a file, before the next is begun
MAX_PAYLOAD = 16 * 2**20
MAGIC = b"ZBT1"
_FRAME = struct.Struct(">4sIB32sI")  # magic, length, flags, name, CRC-32 of these
_NOTE = struct.Struct(">I")
_DIGEST = 32
_CHUNK = 2**20
PREFIX, SUFFIX = "segment-", ".zbt"
HAS_NOTE = 0x80  # flag: four bytes of length and a note come before the payload


class Place(NamedTuple):
    """Where a record is: number of the file, and the frame's offset in it."""

    segment: int
    offset: int


class Record(NamedTuple):
    """A record: its place, the batch's name (32 bytes), flags of its writer, payload, note."""

    place: Place
    name: bytes
    flags: int
    payload: bytes
    note: bytes = b""

    @property
    def after(self) -> Place:
        """Where the next one would begin."""
        size = len(self.payload) + (_NOTE.size + len(self.note) if self.note else 0)
        return Place(self.place.segment, self.place.offset + _FRAME.size + size + _DIGEST)


Genuine = Callable[[Record], bool]


class Damage(NamedTuple):
    """Bytes that are no record: from *place* on, so many."""

    place: Place
    size: int


class Segments:
    """The files in *folder*. Raises `OSError` as the disk does.

    On opening, the end of the newest file is checked and cut after its last whole record;
    *cut* says how many bytes that took.
    """

    def __init__(
        self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES, genuine: Genuine | None = None
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self._segment_bytes = segment_bytes
        self._genuine = genuine
        numbers = self.numbers()
        self._number = numbers[-1] if numbers else 1
        self.cut = self._cut_tail() if numbers else 0
        self._file = self._open(self._number)
        self._size = self._committed = os.fstat(self._file).st_size

    def close(self) -> None:
        os.close(self._file)

    def append(self, name: bytes, payload: bytes, flags: int = 0, note: bytes = b"") -> Place:
        """Write a record; it is safe after the next `commit`. *flags* are seven bits.

        On `OSError` (a full disk) nothing of what was appended since the last `commit` is
        kept: see `rollback`.
        """
        if note:
            payload = _NOTE.pack(len(note)) + note + payload
            flags |= HAS_NOTE
        if len(name) != _DIGEST or len(payload) > MAX_PAYLOAD:
            raise ValueError("not a record of this store")
        if self._size >= self._segment_bytes and self._size == self._committed:
            self._next()
        head = _frame(name, len(payload), flags)
        place = Place(self._number, self._size)
        for part in (head, payload, hashlib.sha256(payload).digest()):
            self._write(part)
        return place

    def commit(self) -> None:
        """Wait until the disk has everything."""
        os.fsync(self._file)
        self._committed = self._size

    def rollback(self) -> None:
        """Forget what was appended since the last `commit`."""
        os.ftruncate(self._file, self._committed)
        self._size = self._committed

    def read(self, place: Place) -> Record:
        """The record at *place*. Raises `ValueError` where there is none, or a damaged one."""
        with open(self.path(place.segment), "rb") as file:
            record = _read(file, place)
        if record is None:
            raise ValueError(f"no whole record at {place}")
        return record

    def records(self, start: Place | None = None) -> Iterator[Record | Damage]:
        """All records from *start*, in the order of their writing; what is damaged between."""
        return records(self.folder, start, self._genuine)

    def numbers(self) -> list[int]:
        """The files there are, oldest first."""
        return numbers(self.folder)

    def path(self, number: int) -> Path:
        return path(self.folder, number)

    @property
    def end(self) -> Place:
        """Where the next record will be, if it still goes into this file."""
        return Place(self._number, self._committed)

    def _cut_tail(self) -> int:
        """Cut what is not whole at the end of the newest file; how many bytes."""
        path = self.path(self._number)
        end = 0
        for item in _in_file(self.folder, self._number, 0, self._genuine):
            if isinstance(item, Record):
                end = item.after.offset
        size = path.stat().st_size
        if size > end:
            aside = path.with_suffix(f".{end}.cut")
            with open(path, "r+b") as file:
                file.seek(end)
                try:
                    # Put aside, since a worn disk looks like a power cut.
                    aside.write_bytes(file.read())
                except OSError:
                    aside.unlink(missing_ok=True)
                    return 0  # a full disk: it stays where it is, and is read over as damage
                file.truncate(end)
                os.fsync(file.fileno())
        return size - end

    def _next(self) -> None:
        file = self._open(self._number + 1)
        os.close(self._file)
        self._file, self._number = file, self._number + 1
        self._size = self._committed = 0

    def _open(self, number: int) -> int:
        """The file, for appending; its name in the folder is safe before anything is in it."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        file = os.open(self.path(number), flags, 0o600)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return file

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = os.write(self._file, view)
            self._size += written
            view = view[written:]


def numbers(folder: Path) -> list[int]:
    """The numbers of the files in *folder*, oldest first."""
    found = (p.name.removeprefix(PREFIX).removesuffix(SUFFIX) for p in folder.glob(
        f"{PREFIX}*{SUFFIX}"
    ))  # fmt: skip
    return sorted(int(n) for n in found if n.isdigit())


def path(folder: Path, number: int) -> Path:
    """The file of the segment *number* in *folder*."""
    return folder / f"{PREFIX}{number:08}{SUFFIX}"


def records(
    folder: Path, start: Place | None = None, genuine: Genuine | None = None
) -> Iterator[Record | Damage]:
    """All records in *folder* from *start*, in the order of their writing; what is damaged
    between. Needs no lock: what is being written meanwhile shows as damage at the end."""
    for number in numbers(folder):
        if start is not None and number < start.segment:
            continue
        offset = start.offset if start is not None and number == start.segment else 0
        yield from _in_file(folder, number, offset, genuine)


def _in_file(
    folder: Path, number: int, offset: int, genuine: Genuine | None
) -> Iterator[Record | Damage]:
    searched = False
    with open(path(folder, number), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        while offset < size:
            record = _read(file, Place(number, offset))
            if record is not None and (not searched or genuine is None or genuine(record)):
                yield record
                offset = record.after.offset
                continue
            searched = True
            after = _next_frame(file, offset + 1, size)
            yield Damage(Place(number, offset), after - offset)
            offset = after


def _frame(name: bytes, length: int, flags: int) -> bytes:
    unchecked = _FRAME.pack(MAGIC, length, flags, name, 0)[:-4]
    return unchecked + zlib.crc32(unchecked).to_bytes(4, "big")


def _read(file: BinaryIO, place: Place) -> Record | None:
    """The record at *place*; None where there is no whole one."""
    file.seek(place.offset)
    head = file.read(_FRAME.size)
    if not _is_frame(head):
        return None
    _, length, flags, name, _ = _FRAME.unpack(head)
    payload = file.read(length)
    if len(payload) < length or file.read(_DIGEST) != hashlib.sha256(payload).digest():
        return None
    if not flags & HAS_NOTE:
        return Record(place, name, flags, payload)
    size = int.from_bytes(payload[: _NOTE.size], "big")
    note, payload = payload[_NOTE.size : _NOTE.size + size], payload[_NOTE.size + size :]
    return Record(place, name, flags & ~HAS_NOTE, payload, note)


def _is_frame(head: bytes) -> bool:
    if len(head) < _FRAME.size or not head.startswith(MAGIC):
        return False
    _, length, flags, name, _ = _FRAME.unpack(head)
    return length <= MAX_PAYLOAD and head == _frame(name, length, flags)


def _next_frame(file: BinaryIO, offset: int, size: int) -> int:
    """Where the next frame begins, from *offset* on; *size* if there is none."""
    while offset < size:
        file.seek(offset)
        chunk = file.read(_CHUNK + _FRAME.size)
        at = chunk.find(MAGIC)
        while 0 <= at < _CHUNK:
            if _is_frame(chunk[at : at + _FRAME.size]):
                return offset + at
            at = chunk.find(MAGIC, at + 1)
        offset += _CHUNK
    return size
