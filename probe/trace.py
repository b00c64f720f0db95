"""Collects evidence while operations run: one ``with``, one record."""

from __future__ import annotations

import itertools
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

import trio

from probe.evidence import PROBE, AnyEvidence, Evidence
from probe.failure import NETWORK_ERRORS, NetworkFailure, classify

MAX_DETAIL = 300  # characters; what a library says may quote what a hostile server sent


class StepFailed(Exception):
    """The operation failed and its evidence is already on the record."""


class Trace:
    """The evidence of one measurement, as seen from *vantage*.

    *step* is the rung of the ladder that its operations serve.
    """

    def __init__(self, *, zero: float | None = None, vantage: str = PROBE) -> None:
        self.zero = trio.current_time() if zero is None else zero
        self.vantage = vantage
        self.step = ""
        self.records: list[AnyEvidence] = []
        self._ids = itertools.count(1)

    def serving(self, step: str) -> Trace:
        """The same trace for another *step*, which may go on beside this one's."""
        trace = Trace(zero=self.zero, vantage=self.vantage)
        trace.step, trace.records, trace._ids = step, self.records, self._ids
        return trace

    def new_transaction(self) -> int:
        return next(self._ids)

    def now(self) -> float:
        """Seconds since the measurement began."""
        return trio.current_time() - self.zero

    def forget(self, transaction: int) -> None:
        """Drop what is on record of *transaction*, which is being done again."""
        self.records[:] = [e for e in self.records if e.transaction != transaction]

    def operation(
        self, kind: type[Evidence], *, timeout: float, **facts: Any
    ) -> AbstractContextManager[dict[str, Any], None]:
        """Time the block, bound it to *timeout* seconds, append exactly one *kind* record.

        The block adds what it learns to the dict it is given; what was learned
        before a failure is kept. If it raises a network error, the record names
        the failure and `StepFailed` goes on to the caller. A block may put
        ``failure`` into the dict itself when the operation ended in order but
        brought bad news (an NXDOMAIN). Anything else that is raised is a bug, and
        cancellation from outside is not a finding: neither leaves a record.
        """
        return _Operation(self, kind, timeout, facts)

    def append(self, kind: type[Evidence], t0: float, facts: dict[str, Any]) -> None:
        """Put a *kind* record with *facts* of what began at *t0* and ends now on record."""
        record = kind(
            vantage=self.vantage, step=self.step, t0=round(t0, 6), t=round(self.now(), 6), **facts
        )
        self.records.append(record)  # type: ignore[arg-type]


class _Operation:
    # A class and not a generator under contextmanager: a target has some thirty of these,
    # and three generators for each were a tenth of what measuring it cost.

    def __init__(
        self, trace: Trace, kind: type[Evidence], timeout: float, facts: dict[str, Any]
    ) -> None:
        self._trace, self._kind, self._facts = trace, kind, facts
        self._scope = trio.CancelScope(relative_deadline=timeout)
        self._learned: dict[str, Any] = {}

    def __enter__(self) -> dict[str, Any]:
        self._t0 = self._trace.now()
        self._scope.__enter__()
        return self._learned

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        learned = self._learned
        self._scope.__exit__(kind, exc, traceback)
        if self._scope.cancelled_caught:
            exc = trio.TooSlowError()
        if isinstance(exc, NETWORK_ERRORS):
            said = exc.detail if isinstance(exc, NetworkFailure) else repr(exc)
            learned.setdefault("failure", classify(exc))
            learned.setdefault("detail", said[:MAX_DETAIL])
        elif exc is not None:
            return
        self._trace.append(self._kind, self._t0, self._facts | learned)
        if exc is not None:
            raise StepFailed from exc
