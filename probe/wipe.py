"""Everything that zond keeps on this machine, and its end.

Only what zond makes is touched: files by their names, in its own directories and where its
settings and schedules say. What lies beside them stays, and is named. A file is overwritten
once before it is removed, so that a program that brings back deleted files finds none; what
that cannot reach, `probe.commands.wipe` says.
"""

from __future__ import annotations

import glob
import os
import secrets
import signal
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from probe import places

# Beside a database: SQLite's own files, and the locks of a run and of an upload.
OF_A_DATABASE = ("", "-wal", "-shm", "-journal", ".lock", ".upload.lock", ".new", ".new-journal")
# In the data directory.
OF_OURS = (
    "consent.json", "consent_upload.json", "consent_networks.json", "identity",
    "schedule.jsonl", "schedule.tmp", "bridges", "bridges.key",
)  # fmt: skip
# What a power cut leaves of a file that was being written: of NAME.
HALF_WRITTEN = ("{name}.new", ".{name}.[0-9]*")
# Folders that programs make for as long as they run, where they were killed.
TEMPORARY = ("zond-tor-*", "zond-[0-9]*")
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - looked into
CHUNK = 1 << 20  # bytes
PATIENCE = 10.0  # seconds for a run to end in order


@dataclass(frozen=True)
class Places:
    """Where to look: databases, data directories, settings files, files to be carried."""

    databases: frozenset[Path]
    folders: frozenset[Path]
    settings: frozenset[Path]
    carried: frozenset[Path] = frozenset()

    def files(self) -> list[Path]:
        """Every file of ours that is there."""
        named = [
            *(Path(f"{path}{ending}") for path in self.databases for ending in OF_A_DATABASE),
            *(folder / word for folder in self.folders for word in OF_OURS),
            *self.settings,
        ]
        halves = [
            half
            for path in named
            for form in HALF_WRITTEN
            for half in path.parent.glob(form.format(name=glob.escape(path.name)))
        ]
        receipts = [path.with_name(path.name + ".receipts") for path in self.carried]
        whole = [folder / "lists" for folder in self.folders] + left_behind()
        inside = [path for folder in whole for path in _within(folder)]
        found = {p for p in (*named, *halves, *self.carried, *receipts, *inside) if _is_there(p)}
        return sorted(found)

    def own_folders(self) -> set[Path]:
        """Directories that are removed once they are empty."""
        return {*self.folders, *(path.parent for path in self.settings if _is_usual(path))}

    def strangers(self) -> list[Path]:
        """What lies in our directories and is not ours."""
        ours = set(self.files())
        inside = {path for folder in self.own_folders() for path in _within(folder)}
        return sorted(inside - ours)


def usual_places() -> Places:
    """Where things are kept when nobody says where."""
    return Places(
        databases=frozenset({places.database()}), folders=frozenset({places.data_directory()}),
        settings=frozenset({places.config_file()}),
    )  # fmt: skip


def left_behind() -> list[Path]:
    """Temporary folders of this user's whose program was killed, or goes on."""
    above = {IN_MEMORY, Path(tempfile.gettempdir())}
    found = [folder for place in above for form in TEMPORARY for folder in place.glob(form)]
    return [folder for folder in found if _is_mine(folder)]


def remove(found: Places) -> list[str]:
    """Remove the files of *found* and directories that are empty then; what could not be."""
    problems = []
    for path in found.files():
        try:
            _end(path)
        except OSError as exc:
            problems.append(f"{path}: {exc.strerror or exc}")
    for folder in (*left_behind(), *found.own_folders()):
        _remove_empty(folder)
    return problems


def stop_runs(databases: Iterable[Path]) -> list[int]:
    """End the runs and uploads that go on, in order where they will; their process ids.

    They are known by the locks that they hold (proc(5), ``/proc/locks``).
    """
    locks = [Path(f"{path}{ending}") for path in databases for ending in (".lock", ".upload.lock")]
    stopped = sorted({pid for lock in locks for pid in _holders(lock)} - {os.getpid()})
    for pid in stopped:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while any(map(_lives, stopped)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in filter(_lives, stopped):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return stopped


def _holders(lock: Path) -> Iterator[int]:
    # 1: FLOCK  ADVISORY  WRITE 1234 08:01:4321 0 EOF
    try:
        about = lock.stat()
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return  # no such lock, or a system that does not tell
    for words in map(str.split, lines):
        if len(words) > 5 and words[5].rpartition(":")[2] == str(about.st_ino):
            if int(words[4]) > 0 and _has_open(int(words[4]), about):
                yield int(words[4])


def _has_open(pid: int, about: os.stat_result) -> bool:
    """Whether it is this file that the process holds: on another disk one may have its number,
    and the number of the disk is not told alike by all file systems."""
    for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(OSError):  # closed meanwhile, or not ours to see
            if os.path.samestat(descriptor.stat(), about):
                return True
    return False


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _end(path: Path) -> None:
    """Overwrite and remove *path*; of a link, the link alone."""
    about = path.lstat()
    if stat.S_ISREG(about.st_mode) and about.st_nlink == 1:
        with open(path, "r+b", buffering=0) as file:
            overwrite(file)
    path.unlink()


def overwrite(file: BinaryIO) -> None:
    """Put noise in the place of all that *file* holds, and empty it. Raises OSError."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    for done in range(0, size, CHUNK):
        file.write(secrets.token_bytes(min(CHUNK, size - done)))
    os.fsync(file.fileno())
    file.truncate(0)


def _within(folder: Path) -> Iterator[Path]:
    """Every file in *folder*, at any depth; links are not followed."""
    for above, _, names in os.walk(folder):
        yield from (Path(above, name) for name in names)


def _remove_empty(folder: Path) -> None:
    real = folder.resolve()  # systemd makes a link to the folder of a user that it made up
    for above, _, _ in os.walk(real, topdown=False):
        with suppress(OSError):  # not empty: something in it is not ours
            Path(above).rmdir()
    if folder.is_symlink() and not real.exists():
        folder.unlink(missing_ok=True)


def _is_mine(folder: Path) -> bool:
    try:
        about = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid()


def _is_there(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


def _is_usual(path: Path) -> bool:
    return path.parent == places.config_file().parent
