"""Nobody is measured from without having agreed to it, before the first packet.

The text names the dangers plainly, since those who run this may be watched. What was
agreed to is recorded beside the database; a text that says something else is agreed
to anew. To share what was measured is another question than to measure, and is asked
for by itself.
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

UPLOAD_VERSION = 1

UPLOAD_TEXT = """\
zond will now send what it measured to a shared dataset, which anybody can read.

  - It tells which sites were asked for, when, from which operator's network and country,
    and what came back. Your address and names of your machine and home are taken out.
  - No scrubbing is perfect. `zond upload --dry-run` shows all that would be sent.
  - Your operator sees that something is sent, and to whom, unless that goes by Tor, by a
    proxy or by a file that you carry (docs/upload.md).
  - In the dataset you are a number, another for each network and each month. Who watched
    your line at that time can still recognise your measurements among all.
  - What was sent and published cannot be called back.
"""


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    at: float


def recorded(folder: Path) -> bool:
    """Whether somebody agreed to be measured from, to this text, on this machine."""
    return _version(_file(folder)) == VERSION


def record(folder: Path) -> None:
    """Write down that they did. Raises OSError."""
    _write(_file(folder), VERSION)


def upload_recorded(folder: Path) -> bool:
    """Whether somebody agreed to `UPLOAD_TEXT` on this machine: each run then uploads."""
    return _version(_upload_file(folder)) == UPLOAD_VERSION


def record_upload(folder: Path) -> None:
    """Write down that they did. Raises OSError."""
    _write(_upload_file(folder), UPLOAD_VERSION)


def withdraw_upload(folder: Path) -> None:
    """From now on nothing leaves by itself. Raises OSError."""
    _upload_file(folder).unlink(missing_ok=True)


def _version(path: Path) -> int:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Consent).version
    except (OSError, msgspec.DecodeError):
        return 0  # what cannot be read was not agreed to


def _write(path: Path, version: int) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(Consent(version=version, at=time.time())))


def _file(folder: Path) -> Path:
    return folder / "consent.json"


def _upload_file(folder: Path) -> Path:
    return folder / "consent_upload.json"
