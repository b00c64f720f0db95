"""Nobody is measured from without having agreed to it, before the first packet.

The text names the dangers plainly, since those who run this may be watched. What was
agreed to is recorded beside the database; a text that says something else is agreed
to anew.
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

VERSION = 2  # of the text; raised when it says something else

TEXT = """\
zond will now ask for sites that may be forbidden where you are, many of them in a few
minutes, from this machine and under your name as your operator knows it.

  - Your operator sees every site that is asked for, and may have to keep it on record.
  - What seems blocked is tried again, some thirty times in a few minutes and in ways in
    which no browser does, unless you say --no-follow-up or it is of high risk.
  - Asking for or following some of these sites has been punished.
  - On public Wi-Fi you may have been identified when you got access.
  - The database on this machine tells what was measured. It is not encrypted.

Your own address is not stored. If you are not sure, do not run it.
"""


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    at: float


def recorded(folder: Path) -> bool:
    """Whether somebody agreed to this text on this machine."""
    try:
        consent = msgspec.json.decode(_file(folder).read_bytes(), type=Consent)
    except (OSError, msgspec.DecodeError):
        return False  # what cannot be read was not agreed to
    return consent.version == VERSION


def record(folder: Path) -> None:
    """Write down that they did. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _file(folder).write_bytes(msgspec.json.encode(Consent(version=VERSION, at=time.time())))


def _file(folder: Path) -> Path:
    return folder / "consent.json"
