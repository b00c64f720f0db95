"""Bytes of a measurement: at the probe, on the wire, at the collector, in the dataset.

Beside them OONI's JSON of the same measurements, as ``zond export`` writes it (without our own
extension), plain, with gzip and with zstd, each document by itself as OONI's probe submits
it, and all in one file as OONI's archive keeps them. Canaries and runs are part of what is ours,
since they are sent too. Follow-ups are measurements here and have no document of OONI's, so
they are told apart.

    python -m bench.bytes zond.db [...]
"""

from __future__ import annotations

import argparse
import gzip
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from analysis.collector.notes import WAS_SEALED, Note
from analysis.collector.segments import Segments
from probe.formats import batch
from probe.formats.ooni_export.document import NotOONI, document
from probe.scrubbing.known import Known
from probe.scrubbing.scrub import Choices, Scrubber
from probe.store import Store
from probe.upload.identity import Identity
from probe.upload.outbox import Outbox

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

HEAD = 250  # bytes of an HTTP request and its answer, beside the body
LEVEL = 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("databases", nargs="+", type=Path, metavar="DB")
    for database in parser.parse_args().databases:
        with tempfile.TemporaryDirectory() as temporary:
            tell(database, Path(temporary))


def tell(database: Path, folder: Path) -> None:
    """Print the table of *database*; work in *folder*."""
    path = folder / "zond.db"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        db.execute("VACUUM INTO ?", (str(path),))
    stored = path.stat().st_size
    scrubber = Scrubber(Known(), Choices(personal=True))
    with Store(path, write=True) as store, Outbox(path, write=True) as outbox:
        plain = sum(1 for _ in store.measurements())
        (count,) = next(store._rows("SELECT count(*) FROM measurements WHERE document = ''"))
        outbox.make(store, scrubber, Identity(folder / "identity"))
        packed = [b for w in outbox.waiting() if (b := outbox.packed(w.sha256)) is not None]
        theirs = list(documents(store))
    print(f"{database.name}: {count} measurements, {count - plain} of them follow-ups,"
          f" {len(packed)} batches, {len(theirs)} documents of OONI's")  # fmt: skip
    texts = [batch.plain(found.header, found.documents) for found in map(batch.unpack, packed)]
    seal = batch.CollectorKey(batch.CollectorSecret().public).seal
    ours = {
        "store (SQLite)": stored,
        "lines, plain": sum(map(len, texts)),
        "on the wire, packed": sum(len(b) + HEAD for b in packed),
        "on the wire, sealed": sum(len(seal(b)) + HEAD for b in packed),
        "on the wire, first pass alone": first_pass(texts),
        "collector's spool": spooled(packed, folder / "collector"),
        **tables(folder),
    }
    print("ours, by measurement and by target")
    for name, size in ours.items():
        print(f"  {name:38} {size / count:9.0f} {size / plain:9.0f}")
    if not theirs:
        return
    print("OONI's JSON, by document (a target)")
    whole = b"".join(line + b"\n" for line in theirs)
    for name, size in {
        "each plain, submitted": sum(len(line) + HEAD for line in theirs),
        "each gzip": sum(len(gzip.compress(line, 6)) for line in theirs),
        "each zstd": sum(len(zstd.compress(line, level=LEVEL)) for line in theirs),
        "all in one file, gzip": len(gzip.compress(whole, 6)),
        "all in one file, zstd": len(zstd.compress(whole, level=LEVEL)),
    }.items():
        print(f"  {name:38} {size / len(theirs):9.0f}")


def documents(store: Store) -> Iterator[bytes]:
    """OONI's documents of what is in *store*, as OONI's own probe would fill them."""
    runs = {run.id: run for run in store.runs()}
    for measurement in store.measurements():
        try:
            yield document(runs[measurement.run_id], measurement, whole=False)
        except NotOONI:
            continue


def first_pass(texts: list[bytes]) -> int:
    """Bytes of batches without follow-ups: what OONI's documents tell, and canaries."""
    lines = (line for text in texts for line in text.split(b"\n")[1:] if line)
    kept = [line for line in lines if not msgspec.json.decode(line).get("about")]
    return len(zstd.compress(b"\n".join(kept), level=LEVEL)) + len(texts) * HEAD


def spooled(packed: list[bytes], data: Path) -> int:
    """Bytes of the segments in which *packed* are kept in the collector's folder *data*."""
    segments = Segments(data / "spool")
    note = msgspec.json.encode(Note(received="2026-11-22"))
    for each in packed:
        segments.append(bytes.fromhex(batch.unpack(each).sha256), each, WAS_SEALED, note)
    segments.commit()
    size = segments.end.offset
    segments.close()
    return size


def tables(folder: Path) -> dict[str, int]:
    """Bytes of what ``zond dataset build`` makes of the collector's folder, by kind of file."""
    zond = Path(sys.executable).with_name("zond")
    command = [str(zond), "dataset", "build", "--collector-data", str(folder / "collector")]
    subprocess.run([*command, "--out", str(folder / "dataset")], check=True, capture_output=True)
    sizes: dict[str, int] = {}
    for path in (folder / "dataset").rglob("*"):
        if path.is_file() and path.suffix in (".parquet", ".db"):
            table = path.relative_to(folder / "dataset").parts[0]
            name = f"dataset, {table}" if path.suffix == ".parquet" else f"dataset, {path.name}"
            sizes[name] = sizes.get(name, 0) + path.stat().st_size
    return sizes


if __name__ == "__main__":
    main()
