"""Files that hold the rows of several shares: how they are written, and how a share leaves one.

Rule: the bytes of such a file depend on the rows in it and on nothing else: rows are in an
order of their own, shares in that of their days and rows, and the file is called by its
content. In it a share is a range of rows (``first``, ``rows`` of its `Files`), so that it can be
cut out when it is derived again, without the store that the others came from.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from analysis.dataset.manifest import Files, Manifest

ROWS = 100_000  # in a row group
LEVEL = 15  # of zstd: written once, read often
ORDER = {
    "observations": ("measured_at", "measurement_id", "url", "run_id", "nettest"),
    "tests": ("measured_at", "measurement_id", "url", "test", "result", "ip", "port", "value"),
    "verdicts": ("measured_at", "measurement_id", "url", "run_id", "nettest"),
}  # fmt: skip


class Part(NamedTuple):
    """The rows of the share *key*."""

    key: str
    files: Files
    rows: pa.Table


def share_rows(out: Path, files: Files) -> pa.Table:
    """The rows of a share."""
    table = pa.concat_tables(pq.ParquetFile(out / name).read() for name in files.files)
    return table if files.first is None else table.slice(files.first, files.rows)


def in_order(out: Path, table: str, shares: Iterable[tuple[str, Files]]) -> Iterator[Part]:
    """The *shares* with their rows, in the order in which a file holds them: by day, and those of
    one day (of several stores) by their first row."""
    days: dict[str, list[tuple[str, Files]]] = {}
    for key, files in shares:
        days.setdefault(key.split("/")[1], []).append((key, files))
    order = [(name, "ascending") for name in ORDER[table]]
    for _day, members in sorted(days.items()):
        parts = [Part(key, files, share_rows(out, files).sort_by(order)) for key, files in members]
        yield from sorted(parts, key=lambda part: _first(part, ORDER[table]))


def _first(part: Part, order: Sequence[str]) -> list[Any]:
    return [part.rows[name][0].as_py() for name in order]


def write(out: Path, folder: str, parts: Iterable[Part]) -> dict[str, Files]:
    """Write *parts* as one file in *folder* (below *out*); what each share is then."""
    at: dict[str, tuple[Files, int]] = {}
    first = 0

    def tables() -> Iterator[pa.Table]:
        nonlocal first
        for part in parts:
            at[part.key] = part.files, first
            first += part.rows.num_rows
            yield part.rows

    name = write_table(out, folder, tables())
    return {
        key: msgspec.structs.replace(files, files=(name,), first=first)
        for key, (files, first) in at.items()
    }


def write_table(out: Path, folder: str, tables: Iterable[pa.Table]) -> str:
    """Write the rows of *tables*, of one form, as one file in *folder*; its name below *out*."""
    (out / folder).mkdir(parents=True, exist_ok=True)
    temporary = out / folder / f"new.parquet.{os.getpid()}"
    writer: Any = None
    waiting: list[pa.Table] = []
    for table in tables:
        if writer is None:
            schema = table.schema.remove_metadata()
            writer = pq.ParquetWriter(
                temporary, schema, compression="zstd", compression_level=LEVEL
            )
        waiting.append(table.cast(schema))
        if sum(t.num_rows for t in waiting) >= ROWS:
            waiting = _written(writer, waiting)
    if waiting:
        writer.write_table(pa.concat_tables(waiting), row_group_size=ROWS)
    writer.close()
    with temporary.open("rb+") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    name = f"{folder}/{digest[:24]}.parquet"
    os.replace(temporary, out / name)
    return name


def _written(writer: Any, waiting: list[pa.Table]) -> list[pa.Table]:
    """Write whole row groups of what is *waiting*; the rest."""
    table = pa.concat_tables(waiting)
    whole = table.num_rows - table.num_rows % ROWS
    writer.write_table(table.slice(0, whole), row_group_size=ROWS)
    return [table.slice(whole)] if whole < table.num_rows else []


def cut_out(out: Path, manifest: Manifest, keys: Iterable[str]) -> None:
    """Take the shares *keys* out of *manifest*, and their rows out of the files of several."""
    gone = set(keys)
    for table in ("observations", "tests"):
        shares: dict[str, Files] = getattr(manifest, table)
        held = {f.files[0] for key, f in shares.items() if key in gone and f.first is not None}
        for key in gone & shares.keys():
            del shares[key]
        for name in held:
            left = [(key, f) for key, f in shares.items() if f.files == (name,)]
            if not (out / name).exists():  # all that was in it has to be derived again
                for key, _files in left:
                    del shares[key]
            elif left:
                folder = str(Path(name).parent)
                shares.update(write(out, folder, in_order(out, table, left)))
