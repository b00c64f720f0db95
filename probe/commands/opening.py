"""How a command opens the database: one run at a time, and one line where it cannot be opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from probe.ending import LOCKED, Problem
from probe.i18n import _

if TYPE_CHECKING:
    from probe.store import Store


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """One run at a time on a database; two at once would also be twice as loud on the line."""
    from filelock import FileLock, Timeout

    lock = FileLock(f"{database}.lock", mode=0o600)
    try:
        database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as exc:
        said = _("another run holds {path}: wait for it, or end it", path=database)
        raise Problem(said, LOCKED) from exc
    except OSError as exc:
        raise Problem(f"{database}: {exc.strerror or exc}") from exc
    try:
        yield
    finally:
        lock.release()


@contextmanager
def opened(database: Path) -> Iterator[Store]:
    """*database* for writing, made where it is missing. Raises `Problem`."""
    from probe.store import Store, StoreError

    try:
        with Store(database, write=True) as store:
            yield store
    except StoreError as exc:
        raise Problem(str(exc)) from exc
