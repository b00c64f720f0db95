"""Many small files of a dataset into few: one for each table, month and country.

A build writes a file for each store, day and country: good for changing one of them, and bad
for whoever opens thousands. Rule: compacting changes no row and asks no clock. The files depend
on their rows alone, whatever order these came in and however often they were compacted, and a
kill in between leaves a dataset that is whole: the manifest changes once for each month and
country, and what it no longer names is removed at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa  # type: ignore[import-untyped]

from analysis.dataset.building import Progress, alone, is_judged, judge_all, judgement, partitions
from analysis.dataset.manifest import TABLES, Files, Manifest, begin, paths, save, sweep
from analysis.dataset.merged import ORDER, ROWS, in_order, write, write_table
from analysis.history.rows import arrow_schema
from analysis.history.table import VerdictRow

MONTH = len("2026-11")
Group = tuple[str, str]  # month, country


class Compacted(msgspec.Struct, frozen=True, kw_only=True):
    """What `compact` did: files of the tables and their bytes, before and after."""

    files_before: int
    bytes_before: int
    files: int
    bytes: int


def compact(out: Path, *, progress: Progress | None = None) -> Compacted:
    """Compact the dataset in the folder *out*. Raises `DatasetError`, `OSError`."""
    with alone(out):
        manifest = begin(out)
        before = _size(out, manifest)
        groups = sorted({_group(name) for table in TABLES for name in getattr(manifest, table)})
        for done, group in enumerate(groups, 1):
            if _merge(out, manifest, group):
                save(out, manifest)
            if progress is not None:
                progress("months", done, len(groups))
        judge_all(out, manifest, None, None)  # what was not judged, or by other rules
        sweep(out, manifest)
        files, size = _size(out, manifest)
    return Compacted(files_before=before[0], bytes_before=before[1], files=files, bytes=size)


def _merge(out: Path, manifest: Manifest, group: Group) -> bool:
    """Merge what is of *group*; whether anything changed."""
    judged = _judged_of(out, manifest, group)
    changed = False
    for table in ("observations", "tests"):
        shares: dict[str, Files] = getattr(manifest, table)
        forms: dict[str, dict[str, Files]] = {}
        for key, files in shares.items():
            if _group(key) == group and files.files:
                forms.setdefault(files.form, {})[key] = files
        for of in forms.values():
            if len({f.files for f in of.values()}) > 1 or any(f.first is None for f in of.values()):
                shares.update(write(out, _folder(table, group), in_order(out, table, of.items())))
                changed = True
    partition = _folder("", group)
    if judged is not None and (changed or set(judged) != {partition}):
        rows = sum(files.rows for files in judged.values())
        names = [name for files in judged.values() for name in files.files]
        for old in judged:
            del manifest.verdicts[old]
        signature, _rows = judgement(partitions(manifest)[partition])
        manifest.verdicts[partition] = Files(
            signature=signature, rows=rows, files=(_verdicts(out, names, group),)
        )
        changed = True
    return changed


def _judged_of(out: Path, manifest: Manifest, group: Group) -> dict[str, Files] | None:
    """The verdicts of *group* by partition; None where some are not as a build would leave them."""
    found = {}
    for partition, of in partitions(manifest).items():
        if _group(partition) == group:
            files = manifest.verdicts.get(partition)
            if files is None or not is_judged(out, files, judgement(of)[0]):
                return None
            found[partition] = files
    return found or None


def _verdicts(out: Path, names: list[str], group: Group) -> str:
    schema = arrow_schema(VerdictRow)
    with duckdb.connect(":memory:") as db:
        db.execute("SET temp_directory = ?", [str(out / ".spill")])
        found = db.sql(
            f"SELECT {', '.join(schema.names)} FROM read_parquet(?, hive_partitioning = false)"  # noqa: S608
            f" ORDER BY {', '.join(ORDER['verdicts'])}", params=[[str(out / n) for n in names]],
        ).to_arrow_reader(ROWS)  # fmt: skip

        def tables() -> Iterator[pa.Table]:
            for batch in found:
                yield pa.Table.from_batches([batch]).cast(schema)

        return write_table(out, _folder("verdicts", group), tables())


def _group(name: str) -> Group:
    """Month and country of a share's key, or of a partition."""
    date, cc = (part.rpartition("=")[2] for part in name.split("/")[-2:])
    return date[:MONTH], cc


def _folder(table: str, group: Group) -> str:
    folder = f"date={group[0]}/cc={group[1]}"
    return f"{table}/{folder}" if table else folder


def _size(out: Path, manifest: Manifest) -> tuple[int, int]:
    files = [path for table in TABLES for path in paths(out, getattr(manifest, table))]
    return len(files), sum(path.stat().st_size for path in files)
