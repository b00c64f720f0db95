"""What came of each turn: one short line each, the latest few hundred kept.

A run tells of itself in the database. Here is what no run tells: that a turn began, so that
one which was killed is seen, and that one was left out, and why.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Literal

import msgspec

FILE = "schedule.jsonl"
KEPT = 400  # lines; the file is cut when it has twice as many
MAX_BYTES = 1_000_000

What = Literal["began", "left out"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """*at* is POSIX seconds by this machine's clock, *why* a few words for the user."""

    at: float
    what: What
    why: str = ""


_entry = msgspec.json.Decoder(Entry)


def note(folder: Path, what: What, why: str = "", *, at: float | None = None) -> None:
    """Write down what came of a turn. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / FILE
    entry = Entry(at=time.time() if at is None else at, what=what, why=why)
    if len(earlier := entries(folder)) >= 2 * KEPT:
        aside = path.with_suffix(".tmp")
        aside.unlink(missing_ok=True)
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(b"".join(map(_line, [*earlier[-KEPT:], entry])))
        aside.replace(path)
        return
    # A power cut may have left half a line: ours begins on a new one.
    with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "rb+") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
        torn = bool(size) and file.read(1) != b"\n"
        file.write((b"\n" if torn else b"") + _line(entry))


def entries(folder: Path) -> list[Entry]:
    """What was written down, the oldest first; what cannot be read of it is left out."""
    try:
        with open(folder / FILE, "rb") as file:
            text = file.read(MAX_BYTES)
    except OSError:
        return []
    found = []
    for line in text.splitlines():
        try:
            found.append(_entry.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    return found


def last_turn(folder: Path) -> float | None:
    """When the last one began; what was left out may be had later in its slot."""
    return next((e.at for e in reversed(entries(folder)) if e.what == "began"), None)


def _line(entry: Entry) -> bytes:
    return msgspec.json.encode(entry) + b"\n"
