"""Nobody is measured from without having agreed to it, before the first packet.

What was agreed to is recorded beside the database: to what text, and to which levels of
risk. A text that says something else is agreed to anew. To share what was measured is
another question than to measure, and is asked for by itself; on which networks it may be
done, `probe.consent.networks` knows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from testlists.target import RISKS, Risk

VERSION = 3  # of `probe.consent.words.measuring`; raised when it says something else
UPLOAD_VERSION = 1  # of `probe.consent.words.sharing`

# What is offered first: nothing of what people have been punished for.
USUAL_TIERS: tuple[Risk, ...] = ("low", "medium")


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """To text *version*, at a time in seconds since 1970; *tiers* may be measured."""

    version: int
    at: float
    tiers: tuple[Risk, ...] = ()


def recorded(folder: Path) -> bool:
    """Whether somebody agreed to be measured from, to this text, on this machine."""
    return bool(tiers(folder))


def tiers(folder: Path) -> tuple[Risk, ...]:
    """The levels of risk that were agreed to, in rising order; none where nobody agreed."""
    found = _read(_file(folder))
    agreed = found.tiers if found is not None and found.version == VERSION else ()
    return tuple(risk for risk in RISKS if risk in agreed)


def record(folder: Path, tiers: Iterable[Risk] = USUAL_TIERS) -> None:
    """Write down that somebody agreed to measure targets of *tiers*. Raises OSError."""
    _write(_file(folder), Consent(version=VERSION, at=time.time(), tiers=tuple(tiers)))


def withdraw(folder: Path) -> None:
    """From now on nothing is measured, and nothing leaves by itself. Raises OSError."""
    _file(folder).unlink(missing_ok=True)
    withdraw_upload(folder)


def upload_recorded(folder: Path) -> bool:
    """Whether somebody agreed to share on this machine: each run then uploads."""
    found = _read(_upload_file(folder))
    return found is not None and found.version == UPLOAD_VERSION


def record_upload(folder: Path) -> None:
    """Write down that they did. Raises OSError."""
    _write(_upload_file(folder), Consent(version=UPLOAD_VERSION, at=time.time()))


def withdraw_upload(folder: Path) -> None:
    """From now on nothing leaves by itself. Raises OSError."""
    _upload_file(folder).unlink(missing_ok=True)


def keep(path: Path, content: bytes) -> None:
    """Write a small file of the user's, whole or not at all, for nobody else. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)  # where the folder is not the user's, it may lead elsewhere
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def _read(path: Path) -> Consent | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Consent)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # what cannot be read was not agreed to


def _write(path: Path, consent: Consent) -> None:
    keep(path, msgspec.json.encode(consent))


def _file(folder: Path) -> Path:
    return folder / "consent.json"


def _upload_file(folder: Path) -> Path:
    return folder / "consent_upload.json"
