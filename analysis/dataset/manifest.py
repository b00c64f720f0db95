"""What a dataset's folder holds, in one file that changes at once.

Rule: a Parquet file counts when the manifest names it. Files are written under names that
were not there, then the manifest is replaced (rename), then what it no longer names is
removed: whoever reads sees the dataset of before or after, and a kill leaves at most files
that nobody counts. All of it is derived; deleting the folder loses nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

FORM = 1  # of this file and of the folder; another means: build anew
NAME = "manifest.json"
TABLES = ("observations", "tests", "verdicts")  # folders of the dataset, and of the manifest
MAX_SIZE = 256 << 20  # bytes; of a file that somebody else may have written


class Files(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was written from one source: *signature* is of all that it depends on, *files* are
    below the dataset's folder, *rows* are in them; *form* is that of their columns. With *first*,
    the rows from there on in a file that holds those of others too (`analysis.dataset.merged`)."""

    signature: str
    files: tuple[str, ...] = ()
    rows: int = 0
    form: str = ""
    problems: tuple[str, ...] = ()
    first: int | None = None


class Manifest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """*observations* and *tests* by share of a store (its first run's id, a day on which runs
    began, a country); *verdicts* by partition (``date=…/cc=…``). *witnessed* is of all that the
    last judgement of services by one another depended on."""

    form: int = FORM
    observations: dict[str, Files] = {}
    tests: dict[str, Files] = {}
    verdicts: dict[str, Files] = {}
    witnessed: str = ""

    def tables(self) -> Iterator[tuple[str, Files]]:
        """All that is counted, each with the name of its table."""
        for name in TABLES:
            yield from ((name, files) for files in getattr(self, name).values())


class DatasetError(Exception):
    """The folder is no dataset, or one of another form. The text is a line for the user."""


def load(root: Path) -> Manifest:
    """The manifest in *root*; an empty one where there is none."""
    path = root / NAME
    try:
        if path.stat().st_size > MAX_SIZE:
            raise DatasetError(f"{path} is larger than a manifest can be")
        return decode(path.read_bytes(), str(path))
    except FileNotFoundError:
        return Manifest()


def decode(data: bytes, path: str) -> Manifest:
    """The manifest in *data*, which was at *path*. Raises `DatasetError`."""
    try:
        found = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise DatasetError(f"{path} is not a dataset's manifest: {exc}") from exc
    if found.form != FORM:
        raise DatasetError(f"{path} is of form {found.form}, and this version reads {FORM}")
    for _table, files in found.tables():
        for name in files.files:
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise DatasetError(f"{path} names a file outside of the dataset: {name!r}")
    return found


def save(root: Path, manifest: Manifest) -> None:
    """Put *manifest* in the place of the one in *root*."""
    temporary = root / f".{NAME}.{os.getpid()}"
    with temporary.open("wb") as file:
        file.write(msgspec.json.encode(manifest, order="sorted"))
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, root / NAME)


def paths(root: Path, table: dict[str, Files]) -> list[Path]:
    """The files of one table, in order."""
    return sorted({root / name for files in table.values() for name in files.files})


def begin(root: Path) -> Manifest:
    """The manifest in *root*, which is made a dataset if it is an empty folder or none.

    A folder with other things in it is left alone: what no manifest names is removed there.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (root / NAME).exists():
        if any(not path.name.startswith(".") for path in root.iterdir()):
            raise DatasetError(f"{root} is no dataset, and not empty")
        save(root, Manifest())
    return load(root)


def sweep(root: Path, manifest: Manifest) -> None:
    """Remove Parquet files of the tables that *manifest* does not name, and what a kill left."""
    counted = {root / name for _table, files in manifest.tables() for name in files.files}
    for table in TABLES:
        for path in (root / table).glob("date=*/cc=*/*.parquet*"):
            if path not in counted:
                path.unlink()
        for folder in sorted((root / table).glob("date=*/**/"), reverse=True):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
