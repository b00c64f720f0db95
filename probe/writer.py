"""The one writer: what a session learns goes down one channel to here, and to disk.

It writes in batches in a thread, so that a slow card holds up nobody, and soon enough
that a kill costs less than a second of work. The channel is short: where the disk
cannot keep up, measuring waits, since memory is not the place to keep evidence.

Where memory runs out a thread may end with its job, and so may what tells trio that a thread
is done: it takes 64 KiB each time. Then the writer is told nothing, for ever, and cancellation
does not reach it. So it waits for the disk as long as that takes, and for word of it not.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import trio

from probe.evidence import CanaryCheck, Measurement, Run
from probe.memory import UNHEARD
from probe.scrubbing.ahead import Ahead
from probe.store import Store, StoreError, Use

BATCH = 20  # measurements in a transaction, at most
WAIT = 0.4  # seconds that a measurement waits for others
QUEUE = 50  # records on their way

log = logging.getLogger(__name__)

# A Run: what has been learned of it since. An Event: set when all before it is safe.
Record = Measurement | CanaryCheck | Run | Use | trio.Event


class Writer:
    """Stores what arrives in *store*; tells *stored* of each measurement when it is safe.

    *refused* counts measurements that could not be written down because of a bug; *ahead* takes
    our own addresses out of what is written, as soon as they are known. *size* is what the
    database takes, in bytes, as of the last that was written.
    """

    def __init__(self, store: Store, stored: Callable[[Measurement], None]) -> None:
        self.refused = 0
        self.size = store.bytes_in_use()
        self.ahead = Ahead(())
        self._store = store
        self._stored = stored
        self._at_disk = False
        self._thread = trio.CapacityLimiter(1)  # one connection, one thread at a time

    async def run(self, records: trio.MemoryReceiveChannel[Record]) -> None:
        """Write until every sender is gone. Raises `StoreError` and MemoryError.

        Cancellation does not reach it: what was measured is written down first.
        """
        with trio.CancelScope(shield=True):
            async with records:
                async for first in records:
                    batch = [first]
                    with trio.move_on_after(WAIT):
                        while len(batch) < BATCH:
                            try:
                                batch.append(await records.receive())
                            except trio.EndOfChannel:
                                break
                    for measurement in await self._written(batch):
                        self._stored(measurement)
                    for record in batch:
                        if isinstance(record, trio.Event):
                            record.set()

    async def _written(self, batch: Sequence[Record]) -> list[Measurement]:
        """What of *batch* is safe now. Raises MemoryError where nobody will ever say."""
        safe: list[Measurement] | None = None
        problem: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen, nursery.cancel_scope)
            try:
                safe = await trio.to_thread.run_sync(
                    partial(self._write, batch), limiter=self._thread, abandon_on_cancel=True
                )
            except (StoreError, MemoryError) as exc:
                problem = exc  # out of here not in a group
            nursery.cancel_scope.cancel()
        if problem is not None:
            raise problem
        if safe is None:
            raise MemoryError("a thread has ended unheard")
        return safe

    async def _listen(self, waiting: trio.CancelScope) -> None:
        """End the *waiting* for a thread that is not at the disk and says nothing."""
        silent, since = 0, time.monotonic()
        # Neither clock alone: the one may be virtual, and the other goes on while we are stopped.
        while silent < UNHEARD or time.monotonic() - since < UNHEARD:
            await trio.sleep(1)
            silent += 1
            if self._at_disk:
                silent, since = 0, time.monotonic()
        waiting.cancel()

    def _write(self, batch: Sequence[Record]) -> list[Measurement]:
        self._at_disk = True
        try:
            return self._write_down(batch)
        finally:
            self._at_disk = False

    def _write_down(self, batch: Sequence[Record]) -> list[Measurement]:
        prepared = [self._prepared(m) for m in batch if isinstance(m, Measurement)]
        measurements = [m for m in prepared if m is not None]
        if measurements:
            self._store.append(measurements)
        if checks := [c for c in batch if isinstance(c, CanaryCheck)]:
            self._store.append_canaries(checks)
        for record in batch:
            if isinstance(record, Run):
                self._store.update_run(record)
            elif isinstance(record, Use):
                self._store.append_use(record)
        self.size = self._store.bytes_in_use()
        return measurements

    def _prepared(self, measurement: Measurement) -> Measurement | None:
        """*measurement* as it is written; None for one that cannot be, which is a bug and must
        not cost those beside it."""
        try:
            measurement = self.ahead.without_us(measurement)
            msgspec.json.encode(measurement)
        except (TypeError, ValueError):
            log.exception("the measurement of %s cannot be written down", measurement.url)
            self.refused += 1
            return None
        return measurement
