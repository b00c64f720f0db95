"""Collects evidence while operations run: one ``with``, one record."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import trio

from probe.evidence import PROBE, AnyEvidence, Evidence
from probe.failure import NETWORK_ERRORS, NetworkFailure, classify

E = TypeVar("E", bound=Evidence)

MAX_DETAIL = 300  # characters; what a library says may quote what a hostile server sent


class StepFailed(Exception):
    """The operation failed and its evidence is already on the record."""


class Trace:
    """The evidence of one measurement, as seen from *vantage*."""

    def __init__(self, *, zero: float | None = None, vantage: str = PROBE) -> None:
        self.zero = trio.current_time() if zero is None else zero
        self.vantage = vantage
        self.records: list[AnyEvidence] = []
        self._ids = itertools.count(1)

    def new_transaction(self) -> int:
        return next(self._ids)

    def now(self) -> float:
        """Seconds since the measurement began."""
        return trio.current_time() - self.zero

    def forget(self, transaction: int) -> None:
        """Drop what is on record of *transaction*, which is being done again."""
        self.records[:] = [e for e in self.records if e.transaction != transaction]

    @contextmanager
    def operation(self, kind: type[E], *, timeout: float, **facts: Any) -> Iterator[dict[str, Any]]:
        """Time the block, bound it to *timeout* seconds, append exactly one *kind* record.

        The block adds what it learns to the dict it is given; what was learned
        before a failure is kept. If it raises a network error, the record names
        the failure and `StepFailed` goes on to the caller. A block may put
        ``failure`` into the dict itself when the operation ended in order but
        brought bad news (an NXDOMAIN). Anything else that is raised is a bug, and
        cancellation from outside is not a finding: neither leaves a record.
        """
        t0 = self.now()
        learned: dict[str, Any] = {}
        try:
            with trio.fail_after(timeout):
                yield learned
        except NETWORK_ERRORS as exc:
            said = exc.detail if isinstance(exc, NetworkFailure) else repr(exc)
            learned.setdefault("failure", classify(exc))
            learned.setdefault("detail", said[:MAX_DETAIL])
            self._append(kind, t0, facts | learned)
            raise StepFailed from exc
        self._append(kind, t0, facts | learned)

    def _append(self, kind: type[Evidence], t0: float, facts: dict[str, Any]) -> None:
        record = kind(vantage=self.vantage, t0=round(t0, 6), t=round(self.now(), 6), **facts)
        self.records.append(record)  # type: ignore[arg-type]
