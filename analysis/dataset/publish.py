"""A publication: a folder that a stranger can read, check and cite.

::

    manifest.json           format, k, SHA-256 of each file, what was left out and why
    README.md               what it is, column by column, generated from `coarse.Cell`
    LICENSE.txt             the licence, word for word
    CHANGES.md              each month and when it came, each change of the format
    data/cells-2026-11.parquet

Rule: a month is published once, when it has been over for `SETTLE` days, and never again
otherwise: two versions of one month would tell by their difference what one late probe saw.
What comes later is counted as late. Files are in their place before the manifest names them.
"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from analysis.dataset import catalogue
from analysis.dataset.browse import cells_file, metadata
from analysis.dataset.coarse import PEOPLE, Cell, Coarse
from analysis.dataset.manifest import DatasetError
from analysis.dataset.query import column_docs, markdown

FORMAT = 1
SETTLE = 7  # days after a month's end: uploads wait for a line
NAME = "manifest.json"

LICENCE_FILE = Path(__file__).with_name("CC-BY-4.0.txt")  # its legal code, word for word
LICENCE_NOTE = """SPDX-License-Identifier: CC-BY-4.0

The data in this folder may be shared and adapted, also commercially, by whoever says where it
is from and whether it was changed. Attribution: "zond shared dataset", with the SHA-256 of
manifest.json. The licence, word for word:

"""
FORMATS = {1: "first format: cells of targets by period, place and verdict"}


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """One month: its *file* below the folder, when it was published (a day, UTC), how many
    *cells* and *measurements* it holds, and what was left out, by reason."""

    file: str
    sha256: str
    published: str
    k: int
    cells: int
    measurements: int
    left_out: dict[str, int]


class PublicationManifest(msgspec.Struct, kw_only=True):
    """What `NAME` holds. *left_out* is what no month can tell, by reason."""

    format: int = FORMAT
    software: str = ""
    license: str = "CC-BY-4.0"
    months: dict[str, Published] = {}
    files: dict[str, str] = {}
    left_out: dict[str, int] = {}


def publish(
    dataset: Path, out: Path, *, k: int, now: datetime | None = None, browse: Path | None = None
) -> PublicationManifest:
    """Publish into *out* the months of *dataset* that are over and not there yet.

    *browse*: a SQLite file to be made of all published cells, for Datasette. Raises
    `DatasetError`, `OSError`.
    """
    today = (now or datetime.now(UTC)).date()
    manifest = _begun(out)
    coarse = Coarse(dataset, k=k)
    try:
        left_out = dict.fromkeys(("no pseudonym", "month not over", "came after its month"), 0)
        left_out["no pseudonym"] = coarse.no_pseudonym
        for month, total in coarse.totals.items():
            if (before := manifest.months.get(month)) is not None:
                known = before.measurements + sum(before.left_out.values())
                left_out["came after its month"] += max(0, total - known)
            elif today < _after(month) + timedelta(days=SETTLE):
                left_out["month not over"] += total
            else:
                manifest.months[month] = _month(coarse, month, out, k, today.isoformat())
    finally:
        coarse.close()
    if (dataset / catalogue.NAME).exists():
        with catalogue.Catalogue(dataset) as found:
            for reason, count in found.reasons().items():
                word = f"at the dataset: {reason.partition(':')[0]}"  # the rest quotes strangers
                left_out[word] = left_out.get(word, 0) + count
    manifest.left_out = {reason: count for reason, count in left_out.items() if count}
    manifest.software = f"zond {version('zond')}"
    licence = LICENCE_NOTE + LICENCE_FILE.read_text(encoding="utf-8")
    texts = {"README.md": _readme(), "LICENSE.txt": licence, "CHANGES.md": _changes(manifest)}
    for name, text in texts.items():
        _write(out / name, text.encode())
    manifest.files = {name: _sha256(out / name) for name in texts} | {
        month.file: month.sha256 for month in manifest.months.values()
    }
    _write(out / NAME, msgspec.json.format(msgspec.json.encode(manifest, order="sorted")))
    if browse is not None:
        made = cells_file([out / of.file for _month, of in sorted(manifest.months.items())], browse)
        _write(made.with_name("metadata.json"), metadata(made.stem))
    return manifest


def check(out: Path) -> list[str]:
    """What in the publication *out* is not as its manifest says, a line each."""
    found = []
    for name, sha256 in sorted(_begun(out).files.items()):
        if not (out / name).exists():
            found.append(f"{name}: missing")
        elif _sha256(out / name) != sha256:
            found.append(f"{name}: changed")
    return found


def _begun(out: Path) -> PublicationManifest:
    out.mkdir(parents=True, exist_ok=True)
    if not (out / NAME).exists():
        if any(out.iterdir()):
            raise DatasetError(f"{out} is no publication, and not empty")
        return PublicationManifest()
    try:
        found = msgspec.json.decode((out / NAME).read_bytes(), type=PublicationManifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise DatasetError(f"{out / NAME} is not a publication's manifest: {exc}") from exc
    if found.format != FORMAT:
        raise DatasetError(f"{out} is of format {found.format}, and this version writes {FORMAT}")
    return found


def _month(coarse: Coarse, month: str, out: Path, k: int, today: str) -> Published:
    found = coarse.month(month)
    file = f"data/cells-{month}.parquet"
    sink = pa.BufferOutputStream()
    pq.write_table(found.cells, sink, compression="zstd")
    _write(out / file, sink.getvalue().to_pybytes())
    return Published(
        file=file, sha256=_sha256(out / file), published=today, k=k, cells=found.cells.num_rows,
        measurements=found.measurements,
        left_out={
            reason: count
            for reason, count in (("marked", found.marked), ("too few probes", found.too_few))
            if count
        },
    )  # fmt: skip


def _after(month: str) -> date:
    """The first day after *month*."""
    first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC).date()
    return (first + timedelta(days=32)).replace(day=1)


def _readme() -> str:
    return (
        "# zond: what was blocked, where and when\n\n"
        "Each row counts what probes saw of one target in one place and period. No row tells of"
        " a single probe: at least `k` (manifest.json) measured the same target there and then"
        f" (`group_probes`; where networks are joined, {PEOPLE} times `k`). A verdict within"
        " such a group may be that of one of them.\n\n"
        "What the collector held for suspect is left out, and counted in manifest.json.\n\n"
        "We ask, beside the licence: do not try to find out who measured.\n\n"
        "## Columns of data/cells-*.parquet\n\n" + markdown(column_docs(Cell))
    )


def _changes(manifest: PublicationManifest) -> str:
    lines = ["# Changes", ""]
    lines += [f"- format {number}: {text}" for number, text in sorted(FORMATS.items())]
    for month, of in sorted(manifest.months.items()):
        lines.append(f"- {of.published}: {month} with {of.cells} cells, k = {of.k}")
    return "\n".join(lines) + "\n"


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
