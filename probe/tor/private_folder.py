"""A folder for a program's files that nobody else reads and that is gone afterwards.

In memory where the system has such a place with room, so that what names a bridge is on no
disk. One whose holder was killed is swept away by the next who comes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "zond-tor-"
MEMORY = Path("/dev/shm")  # noqa: S108  # what is made there is made by mkdtemp, for us alone
ROOM = 100 << 20  # bytes free, for a folder to be in memory
_FRESH = 60.0  # seconds in which a new folder may not be held yet


@contextmanager
def private_folder() -> Iterator[Path]:
    """A new folder, for as long as the block lasts."""
    place = _place()
    _sweep(place)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    try:
        with (folder / "held").open("wb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            (folder / "data").mkdir(mode=0o700)
            yield folder / "data"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _place() -> Path:
    with suppress(OSError):
        room = os.statvfs(MEMORY)
        if os.access(MEMORY, os.W_OK | os.X_OK) and room.f_bavail * room.f_frsize > ROOM:
            return MEMORY
    return Path(tempfile.gettempdir())


def _sweep(place: Path) -> None:
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError), (folder / "held").open("rb") as held:
            if time.time() - folder.stat().st_mtime > _FRESH:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
