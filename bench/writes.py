"""What a program does to its files, call by call, and faults in the midst of it.

Rule: calls are counted over all threads and in the order in which they change the files, since
a database has one order of writes and not one for each thread. So it is a small preload
(`writes.c`) that counts; strace counts for each thread apart. Needs a C compiler.
"""

from __future__ import annotations

import functools
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("writes.c")
CHANGING = frozenset("CTOWFLUMR")  # those that are counted
_ENTRY = struct.Struct("=c3xiqq")


@dataclass(frozen=True)
class Call:
    """*op*: (C)reated, opened and cut (T), (O)pened where it might have been created, (o)pened,
    (W)ritten, (F)lushed, cut in (L)ength, (U)nlinked, (M)ade a folder, (R)enamed, (S)aid or sent
    to somebody else. *offset* and *data* as that needs them; *fd* is -1 where there is none."""

    op: str
    fd: int
    offset: int
    data: bytes

    @property
    def path(self) -> str:
        return self.data.decode()


@functools.cache
def _made() -> tempfile.TemporaryDirectory[str]:
    """A folder with the preload in it, made of its source once a process."""
    folder = tempfile.TemporaryDirectory(prefix="writes-")
    made = f"{folder.name}/writes.so"
    subprocess.run(
        ["cc", "-O2", "-shared", "-fPIC", "-o", made, SOURCE, "-ldl", "-lpthread"], check=True
    )
    return folder


def watched(
    below: Path, log: Path | None = None, *, fault: str = "", at: int = 0
) -> dict[str, str]:
    """The environment of a program whose calls on what begins with the path *below* go to *log*.

    With *fault* (``kill``, ``torn``, ``EIO``, ``ENOSPC``, ``EROFS``) at the *at*-th of those that
    change something, counted from 1.
    """
    added = {
        "LD_PRELOAD": f"{_made().name}/writes.so",
        "WRITES_BELOW": str(below),
    }
    if log is not None:
        added["WRITES_LOG"] = str(log)
    if fault:
        added |= {"WRITES_FAULT": fault, "WRITES_AT": str(at)}
    return added


def calls(log: Path) -> list[Call]:
    return list(_entries(log.read_bytes()))


def _entries(data: bytes) -> Iterator[Call]:
    place = 0
    while place < len(data):
        op, fd, offset, size = _ENTRY.unpack_from(data, place)
        place += _ENTRY.size
        yield Call(op.decode(), fd, offset, data[place : place + size])
        place += size
