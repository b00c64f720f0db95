"""Measurements of other programs into the database: files to documents, documents to rows.

What cannot be read is set aside with a reason and counted; it never ends an import, and
it is kept. Nothing is written twice, so an import that was cut short is simply repeated.
"""

from __future__ import annotations

import hashlib
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from probe.documents import Kept, SetAside
from probe.formats.ooni import Imported, Refused, read
from probe.formats.ooni.files import KEPT, Found, documents
from probe.store import Store

BATCH = 200  # documents to a transaction
BATCH_BYTES = 16 * 1024 * 1024
STDIN = Path("-")
_log = logging.getLogger(__name__)

Progress = Callable[[int], None]  # called with the bytes read since the last call


class Summary(msgspec.Struct, kw_only=True):
    """What an import did. *known* documents were there already; *reasons* count what was set
    aside, those without a reader by nettest."""

    files: int = 0
    documents: int = 0
    imported: int = 0
    known: int = 0
    set_aside: int = 0
    measurements: int = 0
    nettests: Counter[str] = msgspec.field(default_factory=Counter)
    reasons: Counter[str] = msgspec.field(default_factory=Counter)


class Source(msgspec.Struct, frozen=True):
    """A file to import, and the name under which it is kept: no path of this machine."""

    path: Path
    name: str

    @property
    def size(self) -> int:
        return 0 if self.path == STDIN else self.path.stat().st_size


def sources(paths: Iterable[Path]) -> Iterator[Source]:
    """The files at *paths*, those in directories too, by name. Raises `OSError`."""
    for path in paths:
        if path != STDIN and path.is_dir():
            inside = (p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
            for file in sorted(inside):
                yield Source(file, file.relative_to(path).as_posix())
        else:
            yield Source(path, "stdin" if path == STDIN else path.name)


def import_files(
    store: Store, given: Iterable[Source], progress: Progress = lambda _: None
) -> Summary:
    """Read every document of *given* into *store*. Raises `StoreError`, and `OSError` where a
    file cannot be read; what was written before stays."""
    summary = Summary()
    batch = _Batch(store, summary)
    for source in given:
        summary.files += 1
        empty = True
        with _opened(source.path) as stream:
            for found in documents(_Counted(stream, progress)):
                empty = False
                batch.add(source.name, found)
        if empty:
            batch.refuse(source.name, Found(0, b""), "there is no document in it")
    batch.write()
    return summary


class _Batch:
    def __init__(self, store: Store, summary: Summary) -> None:
        self.store, self.summary = store, summary
        self.kept: dict[str, Kept] = {}
        self.ids: set[str] = set()  # of what is in *kept*
        self.aside: list[SetAside] = []
        self.size = 0

    def add(self, file: str, found: Found) -> None:
        self.summary.documents += 1
        # One document is the same bytes in whichever file it lies, and as a collector takes it.
        found = msgspec.structs.replace(found, data=found.data.strip())
        if found.problem:
            self.refuse(file, found, found.problem)
            return
        sha256 = hashlib.sha256(found.data).hexdigest()
        if sha256 in self.kept or self.store.has_document(sha256):
            self.summary.known += 1
            return
        result = _read(found.data, f"{file}:{found.line}" if found.line else file, sha256)
        if isinstance(result, Refused):
            self.refuse(file, found, result.reason, result.nettest)
            return
        first = result.measurements[0]
        if first.id in self.ids or (there := self.store.has_measurement(first.id)):
            # One of ours that came another way; or another's under its id, which is kept.
            if first.id in self.ids or there == (first.nettest, first.url):
                self.summary.known += 1
            else:
                self.refuse(file, found, "another measurement has its id", first.nettest)
            return
        self.ids.add(first.id)
        self.kept[sha256] = Kept(
            data=found.data, sha256=sha256, file=file, line=found.line, run=result.run,
            measurements=result.measurements, canaries=result.canaries,
        )  # fmt: skip
        self.summary.imported += 1
        self.summary.measurements += len(result.measurements)
        self.summary.nettests[result.measurements[0].nettest] += 1
        self._grown(found)

    def refuse(self, file: str, found: Found, reason: str, nettest: str = "") -> None:
        self.summary.set_aside += 1
        self.summary.reasons[reason] += 1
        self.aside.append(
            SetAside(
                data=found.data[:KEPT], file=file, line=found.line, reason=reason, nettest=nettest
            )
        )
        self._grown(found)

    def _grown(self, found: Found) -> None:
        self.size += len(found.data)
        if len(self.kept) + len(self.aside) >= BATCH or self.size >= BATCH_BYTES:
            self.write()

    def write(self) -> None:
        self.store.add_documents(list(self.kept.values()), self.aside)
        self.kept, self.ids, self.aside, self.size = {}, set(), [], 0


def _read(data: bytes, origin: str, sha256: str) -> Imported | Refused:
    """As `read`; a bug in a reader costs one document its place, and is said aloud."""
    try:
        return read(data, origin=origin, sha256=sha256)
    except Exception as exc:  # noqa: BLE001 - it is told, and the document is kept
        _log.exception("a bug in a reader, at %s", origin)
        return Refused(reason=f"a bug in the reader: {type(exc).__name__}")


def _opened(path: Path) -> BinaryIO:
    return sys.stdin.buffer if path == STDIN else path.open("rb")


class _Counted:
    """A stream that tells how much was read."""

    def __init__(self, stream: BinaryIO, progress: Progress) -> None:
        self._stream, self._progress = stream, progress

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._progress(len(data))
        return data
