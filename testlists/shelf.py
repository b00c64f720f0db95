"""Where lists are: those that zond carries, those of a newer release, imported ones, own ones.

Rule: a name means one list, and says whose it is. What is measured from a list of the project
may be shared; what is on somebody's own list, or on one that was fetched from elsewhere, is
that person's interest and stays with them (`Shelf.public_urls`, `probe.scrubbing.scrub`). So an own
list cannot take a name of the project's, and a release cannot take one of an own list from it.

Below the directory: ``own/NAME.csv``, ``citizenlab/NAME.csv`` (kept apart: their licence is
not ours), and ``releases/VERSION/`` with the signed file as it came. A release is read
from that file each time and verified each time; one that was damaged is as if it were not
there, and the lists that zond carries take its place.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Literal

from testlists.panels import altered
from testlists.parsing import Problem, parse
from testlists.release import BadRelease, Release, Version, is_list_name, opened
from testlists.target import Target

Kind = Literal["carried", "release", "citizenlab", "own"]

ARCHIVE, SIGNATURE, KEY = "lists.zip", "lists.zip.minisig", "key.pub"
KEPT = 2  # releases: the one in use, and the one before it to go back to


class ShelfError(Exception):
    """A list cannot be kept or found. The message is one line for the user."""


@dataclass(frozen=True, slots=True)
class Book:
    """A list: its *name*, whose it is, its *content*, and of the project's its *version*."""

    name: str
    kind: Kind
    content: bytes
    version: Version | None = None

    @property
    def public(self) -> bool:
        """Whether what is measured from it may be shared without being asked about."""
        return self.kind in ("carried", "release")

    def targets(self) -> tuple[list[Target], list[Problem]]:
        return parse(self.content, self.name)


class Shelf:
    """The lists that there are, with the user's below *directory* (None: only the carried)."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory

    def book(self, name: str) -> Book:
        """Raises KeyError with one line that says which there are, OSError."""
        for book in self._books(name):
            return book
        raise KeyError(f"no list named {name!r}; there are: {', '.join(self.names())}")

    def names(self) -> tuple[str, ...]:
        released = self.release.lists if self.release else {}
        own = [name for kind in ("citizenlab", "own") for name in self._files(kind)]
        return tuple(dict.fromkeys([*sorted({*builtin_names(), *released}), *own]))

    @cached_property
    def release(self) -> Release | None:
        """The newest release that is here and whole, if it is newer than what zond carries."""
        for folder in self._release_folders():
            with contextlib.suppress(OSError, BadRelease):
                release = _read_folder(folder)
                return release if release.version > carried_version() else None
        return None

    @property
    def damaged(self) -> Version | None:
        """A release that is newer than what is in use, and cannot be read."""
        folders = self._release_folders()
        newest = Version.parse(folders[0].name) if folders else self.version
        return newest if newest > self.version else None

    @property
    def version(self) -> Version:
        """That of the project's lists in use."""
        return self.release.version if self.release else carried_version()

    def is_public_name(self, name: str) -> bool:
        return name in builtin_names() or (self.release is not None and name in self.release.lists)

    @cached_property
    def public_urls(self) -> frozenset[str]:
        """What is on any list of the project, carried or released, as targets name it."""
        contents = [(name, _carried(name)) for name in builtin_names()]
        contents += list(self.release.lists.items()) if self.release else []
        return frozenset(t.url for name, content in contents for t in parse(content, name)[0])

    def install(self, archive: bytes, signature: bytes, key: str) -> Release:
        """Keep a release, whole or not at all. Raises `BadRelease`, `ShelfError`, OSError."""
        release = opened(archive, signature, key)
        if release.version <= self.version:
            raise BadRelease(f"{release.version} is not newer than {self.version}, which is here")
        if taken := [n for n in release.lists if n in self._files("own", "citizenlab")]:
            raise BadRelease(f"it has a list {taken[0]!r}, and so have you: rename yours first")
        for name, content in release.lists.items():
            if edited := altered(name, content):
                raise BadRelease(edited[0])
        place = self._place("releases")
        with tempfile.TemporaryDirectory(prefix=".coming-", dir=place) as coming:
            for file, data in ((ARCHIVE, archive), (SIGNATURE, signature), (KEY, key.encode())):
                _write(Path(coming) / file, data)
            folder = place / str(release.version)
            shutil.rmtree(folder, ignore_errors=True)  # damaged, or it would not be replaced
            Path(coming).rename(folder)
            Path(coming).mkdir()  # what the context manager removes
        for old in self._release_folders()[KEPT:]:
            shutil.rmtree(old, ignore_errors=True)
        self.__dict__.pop("release", None)
        self.__dict__.pop("public_urls", None)
        return release

    def go_back(self) -> Version:
        """Remove the release in use; the version in use then. Raises `ShelfError`."""
        if self.release is None or self._directory is None:
            raise ShelfError("no release is in use: these are the lists that zond carries")
        shutil.rmtree(self._directory / "releases" / str(self.release.version))
        self.__dict__.pop("release", None)
        self.__dict__.pop("public_urls", None)
        return self.version

    def keep(self, kind: Literal["own", "citizenlab"], name: str, content: bytes) -> Path:
        """Write a list of the user's, whole or not at all. Raises `ShelfError`, OSError."""
        if not is_list_name(name):
            raise ShelfError(f"{name[:40]!r} is no name of a list: a-z, 0-9 and -, a letter first")
        other: Literal["own", "citizenlab"] = "own" if kind == "citizenlab" else "citizenlab"
        if self.is_public_name(name) or name in self._files(other):
            raise ShelfError(f"there is another list named {name!r}: choose another name")
        path = self._place(kind) / f"{name}.csv"
        _write(path, content)
        return path

    def remove(self, name: str) -> None:
        """Remove a list of the user's. Raises KeyError as `book`, `ShelfError`, OSError."""
        book = self.book(name)
        if book.public or self._directory is None:
            raise ShelfError(f"{name} comes with zond, and is not yours to remove")
        (self._directory / book.kind / f"{name}.csv").unlink()

    def _books(self, name: str) -> Iterator[Book]:
        if self.release and name in self.release.lists:
            yield Book(name, "release", self.release.lists[name], self.release.version)
        if name in builtin_names():
            yield Book(name, "carried", _carried(name), carried_version())
        if name in self._files("own"):
            yield Book(name, "own", self._files("own")[name].read_bytes())
        if name in self._files("citizenlab"):
            yield Book(name, "citizenlab", self._files("citizenlab")[name].read_bytes())

    def _files(self, *kinds: str) -> Mapping[str, Path]:
        if self._directory is None:
            return {}
        found = [path for kind in kinds for path in sorted((self._directory / kind).glob("*.csv"))]
        return {path.stem: path for path in found if is_list_name(path.stem)}

    def _release_folders(self) -> list[Path]:
        """Newest first."""
        if self._directory is None:
            return []
        found = []
        for path in (self._directory / "releases").glob("[0-9]*"):
            with contextlib.suppress(BadRelease):
                found.append((Version.parse(path.name), path))
        return [path for _, path in sorted(found, reverse=True)]

    def _place(self, kind: str) -> Path:
        if self._directory is None:
            raise ShelfError("there is no directory to keep lists in")
        place = self._directory / kind
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        return place


def builtin(name: str) -> tuple[list[Target], list[Problem]]:
    """`parse` of a list that comes with the package. Raises KeyError for a name not there."""
    if name not in builtin_names():
        raise KeyError(f"no list named {name!r}; there are: {', '.join(builtin_names())}")
    return parse(_carried(name), name)


def builtin_names() -> tuple[str, ...]:
    """The lists that come with the package."""
    names = (entry.name for entry in _package().iterdir())
    return tuple(sorted(name.removesuffix(".csv") for name in names if name.endswith(".csv")))


def _carried(name: str) -> bytes:
    return (_package() / f"{name}.csv").read_bytes()


def carried_version() -> Version:
    """The day on which the carried lists were last changed."""
    return Version.parse((_package() / "VERSION").read_text("ascii"))


def carried_key() -> str:
    """The public key of who signs releases of the lists."""
    return (_package() / "release.pub").read_text("ascii")


def _package() -> resources.abc.Traversable:
    return resources.files("testlists") / "lists"


def _read_folder(folder: Path) -> Release:
    archive, signature = (folder / ARCHIVE).read_bytes(), (folder / SIGNATURE).read_bytes()
    return opened(archive, signature, (folder / KEY).read_text("ascii", "replace"))


def _write(path: Path, content: bytes) -> None:
    """Whole or not there, also if the power fails."""
    file, unfinished = tempfile.mkstemp(prefix=".", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(unfinished)
        raise
