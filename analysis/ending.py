"""How a command of the analysis ends where it cannot go on: one line for the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from probe.ending import Problem
from probe.store import StoreError


@contextmanager
def explained(*others: type[Exception]) -> Iterator[None]:
    """Raises `Problem` in place of what the database, the dataset, the country's data or the
    disk raise, and in place of *others*."""
    from analysis.dataset.manifest import DatasetError
    from analysis.regime.read import DataError

    told: tuple[type[Exception], ...] = (StoreError, DatasetError, DataError, *others)
    try:
        yield
    except told as exc:
        raise Problem(str(exc)) from exc
    except OSError as exc:
        raise Problem(f"{exc.filename or 'disk'}: {exc.strerror or exc}") from exc
