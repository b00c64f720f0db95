"""A dataset somewhere else: from a folder to object storage, or back.

Rule: whoever reads there meets a whole dataset, whenever. Files have names that say what is in
them, so what is there is not sent again; the manifest is replaced when all that it names is there;
what neither it nor the one before names is removed then, so that a reader who began with the one
before can end. The documents, from which everything can be made anew, stay where they are.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.fs as pafs  # type: ignore[import-untyped]

from analysis.dataset import catalogue
from analysis.dataset.building import Progress, alone
from analysis.dataset.manifest import NAME, TABLES, DatasetError, Manifest, decode

CHUNK = 8 << 20  # bytes


class Copied(NamedTuple):
    """What `copy` did: files that were *sent*, their *bytes*, files that were there (*kept*), and
    those that were *removed*."""

    sent: int
    bytes: int
    kept: int
    removed: int


class _Place:
    """A folder, here or in object storage."""

    def __init__(self, where: str) -> None:
        self.local = None if "://" in where else Path(where).resolve()
        try:
            uri = where if self.local is None else self.local.as_uri()
            self.fs, path = pafs.FileSystem.from_uri(uri)
        except (pa.ArrowException, OSError) as error:
            raise DatasetError(f"{where} is no folder and no object storage: {error}") from error
        self.base = path.rstrip("/")
        if not self.base:
            raise DatasetError(f"{where} names no folder")

    def path(self, name: str) -> str:
        return f"{self.base}/{name}"

    def manifest(self) -> Manifest | None:
        if self.fs.get_file_info(self.path(NAME)).type == pafs.FileType.NotFound:
            return None
        with self.fs.open_input_stream(self.path(NAME)) as file:
            return decode(file.read(), self.path(NAME))

    def sizes(self) -> dict[str, int]:
        """The files of the tables that are there, by name."""
        found = {}
        for table in TABLES:
            chosen = pafs.FileSelector(self.path(table), recursive=True, allow_not_found=True)
            for info in self.fs.get_file_info(chosen):
                if info.type == pafs.FileType.File and info.path.endswith(".parquet"):
                    found[info.path.removeprefix(self.path(""))] = info.size
        return found


def copy(source: str, target: str, *, progress: Progress | None = None) -> Copied:
    """Bring the dataset at *target* up to date with that at *source*; each is a folder, or a URL
    as ``s3://bucket/dataset``, whose server and keys the usual variables tell (``AWS_…``).

    Raises `DatasetError`, `OSError`.
    """
    here, there = _Place(source), _Place(target)
    if here.manifest() is None:
        raise DatasetError(f"{source} is no dataset")
    with ExitStack() as stack:
        for place in (here, there):
            if place.local is not None:
                stack.enter_context(alone(place.local))
        manifest, before = here.manifest(), there.manifest()
        assert manifest is not None  # it is never removed
        if before is None and there.local and any(
            not path.name.startswith(".") for path in there.local.iterdir()
        ):  # fmt: skip
            raise DatasetError(f"{target} is no dataset, and not empty")
        return _copy(here, there, manifest, before or Manifest(), progress)


def _copy(
    here: _Place, there: _Place, manifest: Manifest, before: Manifest, progress: Progress | None
) -> Copied:
    named, own, others = _names(manifest), here.sizes(), there.sizes()
    wanted = sorted(name for name in named if others.get(name) != own.get(name))
    sent = 0
    for done, name in enumerate(wanted, 1):
        if name not in own:
            raise DatasetError(f"{name} is named by the manifest, and not there: build it again")
        _send(here, there, name)
        sent += own[name]
        if progress is not None:
            progress("files", done, len(wanted))
    with _catalogue(here) as snapshot:
        if snapshot is not None:
            _send(snapshot, there, catalogue.NAME)
    _write(there, NAME, msgspec.json.encode(manifest, order="sorted"))
    gone = others.keys() - named - _names(before)
    for name in gone:
        there.fs.delete_file(there.path(name))
    return Copied(len(wanted), sent, len(named) - len(wanted), len(gone))


def _names(manifest: Manifest) -> set[str]:
    return {name for _table, files in manifest.tables() for name in files.files}


@contextmanager
def _catalogue(here: _Place) -> Iterator[_Place | None]:
    """A folder with the catalogue as it is now: a database that is being written to is no file
    to copy."""
    if here.local is None:
        found = here.fs.get_file_info(here.path(catalogue.NAME)).type
        yield here if found == pafs.FileType.File else None
    elif not (here.local / catalogue.NAME).exists():
        yield None
    else:
        with TemporaryDirectory(prefix="zond-") as folder:
            with (
                closing(sqlite3.connect(here.local / catalogue.NAME)) as db,
                closing(sqlite3.connect(Path(folder) / catalogue.NAME)) as snapshot,
            ):
                db.backup(snapshot)
            yield _Place(folder)


def _send(here: _Place, there: _Place, name: str) -> None:
    folder = there.path(name).rpartition("/")[0]
    there.fs.create_dir(folder, recursive=True)
    partial = there.path(name) if there.local is None else f"{there.path(name)}.part"
    with (
        here.fs.open_input_stream(here.path(name)) as source,
        there.fs.open_output_stream(partial) as target,
    ):
        while chunk := source.read(CHUNK):
            target.write(chunk)
    if there.local is not None:  # an object is there when all of it is
        there.fs.move(partial, there.path(name))


def _write(there: _Place, name: str, data: bytes) -> None:
    there.fs.create_dir(there.base, recursive=True)
    partial = there.path(name) if there.local is None else there.path(f".{name}.part")
    with there.fs.open_output_stream(partial) as file:
        file.write(data)
    if there.local is not None:
        there.fs.move(partial, there.path(name))
