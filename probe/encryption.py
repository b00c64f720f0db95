"""A database that only a passphrase opens: SQLCipher, where the extra ``encrypted`` is installed.

Whether a file is encrypted is read off the file, so that no setting can disagree with it. The
passphrase comes from whom the user chose, in this order: a file descriptor
(``ZOND_PASSPHRASE_FD``), systemd's credentials (``LoadCredential=passphrase``), the variable
``ZOND_PASSPHRASE``, a question on the terminal. It is asked for once in a process.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from probe.extras import install

PLAIN = b"SQLite format 3\0"  # how a file begins that is not encrypted
CREDENTIAL = "passphrase"
MAX_PASSPHRASE = 1000  # characters
VARIABLES = ("ZOND_PASSPHRASE", "ZOND_PASSPHRASE_FD")


class PassphraseError(Exception):
    """There is no passphrase to be had. The message is one line for the user."""


def is_plain(path: Path) -> bool:
    """Whether *path* opens without a passphrase; so does one that is empty or not there."""
    try:
        with open(path, "rb") as file:
            start = file.read(len(PLAIN))
    except FileNotFoundError:
        return True
    return start in (b"", PLAIN)


def connect(where: str, secret: str, **options: Any) -> sqlite3.Connection:
    """Open *where* with the passphrase *secret*, by the same options as `sqlite3.connect`.

    Raises `PassphraseError` where SQLCipher is not installed; a wrong passphrase shows at the
    first question to the database.
    """
    dbapi = library()
    connection = dbapi.connect(where, **options)
    connection.execute("PRAGMA cipher_log_level = NONE")  # it would talk on standard error
    connection.execute(f"PRAGMA key = {quoted(secret)}")
    connection.execute("PRAGMA temp_store = MEMORY")  # nothing of it in a file in clear
    return cast(sqlite3.Connection, connection)


def in_memory(where: str, secret: str) -> sqlite3.Connection:
    """A copy in memory, in clear, of the database at the URI *where*, which stays as it is."""
    copy = library().connect(":memory:", uri=True, check_same_thread=False)
    copy.execute("PRAGMA cipher_log_level = NONE")
    copy.execute(f"ATTACH DATABASE ? AS kept KEY {quoted(secret)}", (where,))
    copy.execute("SELECT sqlcipher_export('main', 'kept')")
    copy.commit()
    copy.execute("DETACH DATABASE kept")
    return cast(sqlite3.Connection, copy)


def library() -> ModuleType:
    """SQLCipher, with the interface of `sqlite3`. Raises `PassphraseError`."""
    try:
        from sqlcipher3 import dbapi2
    except ImportError as exc:
        raise PassphraseError(f"it may be encrypted: {install('encrypted')}") from exc
    return cast(ModuleType, dbapi2)


def errors(name: str) -> tuple[type[Exception], ...]:
    """The exceptions called *name* of SQLite, and of SQLCipher where that is in use."""
    modules = [sqlite3, *filter(None, [sys.modules.get("sqlcipher3.dbapi2")])]
    return tuple(getattr(module, name) for module in modules)


@cache
def passphrase(path: Path) -> str:
    """The passphrase of the database at *path*. Raises `PassphraseError`."""
    found = _given()
    if found is None:
        found = _asked(f"Passphrase of {path}: ")
    return found


def new_passphrase(path: Path, *, another: bool = False) -> str:
    """One for a database that is to be encrypted; on a terminal it is asked for twice.

    *another*: what the environment says is the old one.
    """
    found = None if another else _given()
    if found is not None:
        return found
    first = _asked(f"New passphrase of {path}: ")
    if first != _asked("Once more: "):
        raise PassphraseError("the two are not the same")
    return first


def quoted(secret: str) -> str:
    """*secret* as a literal of SQL: a key cannot be a parameter."""
    return "'" + secret.replace("'", "''") + "'"


def _given() -> str | None:
    """What the environment says; None where it says nothing."""
    if descriptor := os.environ.get("ZOND_PASSPHRASE_FD"):
        try:
            with open(int(descriptor), encoding="utf-8") as file:
                return _checked(file.read(MAX_PASSPHRASE + 1))
        except (OSError, ValueError, OverflowError) as exc:
            raise PassphraseError(f"ZOND_PASSPHRASE_FD={descriptor}: {exc}") from exc
    if folder := os.environ.get("CREDENTIALS_DIRECTORY"):
        credential = Path(folder, CREDENTIAL)
        if credential.is_file():
            return _checked(credential.read_text("utf-8"))
    if (value := os.environ.get("ZOND_PASSPHRASE")) is not None:
        return _checked(value)
    return None


def _asked(question: str) -> str:
    import getpass

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise PassphraseError(
            "it is encrypted, or no database; its passphrase goes into ZOND_PASSPHRASE_FD, a"
            " credential of systemd's or ZOND_PASSPHRASE"
        )
    return _checked(getpass.getpass(question))


def _checked(text: str) -> str:
    found = text.rstrip("\r\n")
    if not 0 < len(found) <= MAX_PASSPHRASE or not found.isprintable():
        raise PassphraseError("an empty passphrase, or one with more than letters and signs")
    return found
