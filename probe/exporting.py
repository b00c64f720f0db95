"""What is stored, out of the database as documents or as a table, scrubbed unless told otherwise.

Rule: what leaves by here passes the same allow-list as what is uploaded
(`probe.scrubbing.scrub`), since a file is copied on. A file is whole or not there, and
nothing that exists is written over. What was imported goes out as the document that it came
in, once; it is not ours to change.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, TypeVar, cast

import msgspec

from probe.evidence import CanaryCheck, Measurement, Run
from probe.export import STDOUT, ExportError
from probe.formats.ooni_export import NotOONI, document
from probe.store import Store

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEVEL = 9  # of zstd
MINE = 0o600

T = TypeVar("T", bound=msgspec.Struct)


class Scrubbing(Protocol):
    """What lets records leave: `probe.scrubbing.scrub.Scrubber`."""

    def run(self, run: Run, /) -> bytes: ...

    def canary(self, check: CanaryCheck, /) -> bytes: ...

    def measurement(self, measurement: Measurement, /) -> bytes | None: ...


@dataclass(frozen=True, kw_only=True)
class Item:
    """A measurement with all that belongs to it, as it may be written. *document*: an imported
    one's own, and then the rest says what we read in it."""

    run: Run
    measurement: Measurement
    follow_ups: tuple[Measurement, ...] = ()
    canaries: tuple[CanaryCheck, ...] = ()
    document: bytes = b""


@dataclass(kw_only=True)
class Written:
    """What an export did. *withheld*: measurements that the scrubber keeps here (targets of the
    user's own lists); *not_ooni*: those for which OONI has no nettest."""

    documents: int = 0
    withheld: int = 0
    not_ooni: int = 0


def items(store: Store, scrubber: Scrubbing | None, written: Written) -> Iterator[Item]:
    """Every measurement in *store*, one in memory; those withheld are counted in *written*.

    Without *scrubber*: exactly as stored. Raises `StoreError`.
    """
    for run in store.runs():
        checks = store.canaries(run.id)
        if run.source:  # another program's: not ours to scrub
            for m in store.measurements(run.id):
                yield Item(run=run, measurement=m, document=store.document(m.id))
            continue
        told, canaries = run, tuple(checks)
        if scrubber is not None:
            told = _decoded(scrubber.run(run), Run)
            canaries = tuple(_decoded(scrubber.canary(c), CanaryCheck) for c in checks)
        for m in store.measurements(run.id):
            if original := store.document(m.id):
                yield Item(run=run, measurement=m, document=original)
                continue
            plain = _through(scrubber, m)
            if plain is None:
                written.withheld += 1
                continue
            follow_ups = [_through(scrubber, f) for f in store.follow_ups(m.id)]
            yield Item(
                run=told, measurement=plain, canaries=canaries,
                follow_ups=tuple(f for f in follow_ups if f is not None),
            )  # fmt: skip


def export_ooni(store: Store, out: Path, scrubber: Scrubbing | None) -> Written:
    """Write the documents of all measurements to *out*, one a line; ``.gz`` and ``.zst`` are
    compressed. Raises `ExportError` where *out* cannot be written, and `StoreError`."""
    written = Written()
    with new_file(out) as file, _compressed(file, out) as stream:
        for line in ooni_lines(items(store, scrubber, written), written):
            stream.write(line + b"\n")
    return written


def ooni_lines(found: Iterator[Item], written: Written) -> Iterator[bytes]:
    """The documents of *found*. An imported document comes once, whatever was read in it."""
    given: set[bytes] = set()
    for item in found:
        if item.document:
            key = hashlib.sha256(item.document).digest()
            if key not in given:
                given.add(key)
                written.documents += 1
                yield _one_line(item.document)
            continue
        try:
            line = document(item.run, item.measurement, item.follow_ups, item.canaries)
        except NotOONI:
            written.not_ooni += 1
            continue
        written.documents += 1
        yield line


def _one_line(data: bytes) -> bytes:
    """*data* as it is, if it is one line; else the same JSON on one."""
    data = data.strip()
    return msgspec.json.format(data, indent=-1) if b"\n" in data or b"\r" in data else data


def _through(scrubber: Scrubbing | None, measurement: Measurement) -> Measurement | None:
    if scrubber is None:
        return measurement
    line = scrubber.measurement(measurement)
    return None if line is None else _decoded(line, Measurement)


def _decoded(line: bytes, type: type[T]) -> T:
    """A scrubbed line, read as what it is; what it was made of is behind the scrubber."""
    return msgspec.json.decode(line, type=type)


@contextmanager
def new_file(out: Path) -> Iterator[IO[bytes]]:
    """*out*, which is there when all is written, and only then. Raises `ExportError`."""
    try:
        if out == STDOUT:
            with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as stream:
                yield stream
            return
        if out.exists():
            raise ExportError(f"{out} is there already, and is not written over")
        unfinished = out.with_name(f".{out.name}.{os.getpid()}")
        file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MINE)
        try:
            with os.fdopen(file, "wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(unfinished, out)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as exc:
        raise ExportError(f"{out}: {exc.strerror or exc}") from exc


@contextmanager
def _compressed(file: IO[bytes], out: Path) -> Iterator[IO[bytes]]:
    if out.suffix == ".gz":
        with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as stream:
            yield cast(IO[bytes], stream)
    elif out.suffix in (".zst", ".zstd"):
        with zstd.ZstdFile(file, "wb", level=LEVEL) as packed:
            yield cast(IO[bytes], packed)
    else:
        yield file
