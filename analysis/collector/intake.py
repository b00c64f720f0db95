"""One batch: opened, checked, stored, acknowledged.

Rule: what cannot be a batch of ours is refused with a reason, and nothing of it is kept; the
sender still has it. What is whole is stored as it came, whatever it says: whether
it can be true is for the analysis, which reads marks beside it (`analysis.collector.marks`).
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import trio

from analysis.collector.limits import Limits
from analysis.collector.spool import Spool, SpoolBusy, SpoolError, Stored
from probe.formats import batch
from probe.formats.batch import Batch, BatchError, CollectorSecret
from probe.serving.clients import Clients, Refused

WAS_SEALED = 1  # flag of a record in the spool
MONTH_SECONDS = 30.5 * 86400


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a stored batch. *receipt*: see `probe.formats.batch.receipt`."""

    sha256: str
    receipt: str
    stored: Stored


class Intake:
    """Takes batches for *spool*; *secret* opens the sealed ones."""

    def __init__(
        self, spool: Spool, secret: CollectorSecret, clients: Clients, limits: Limits,
        *, need_seal: bool = False,
    ) -> None:  # fmt: skip
        self._spool = spool
        self._secret = secret
        self._clients = clients
        self._limits = limits
        self._need_seal = need_seal
        self._openers = trio.CapacityLimiter(2)

    async def take(self, sha256: str, body: bytes, client: str) -> Receipt:
        """Store the batch in *body*, which its sender names *sha256*.

        Raises `Refused`: 400 for what is no batch, 413, 422 for times that cannot be, 429, 503.
        """
        self._clients.spend(f"client {client}", self._limits.batches_per_client)
        sealed = batch.is_sealed(body)
        if self._need_seal and not sealed:
            raise Refused(400, "this collector takes sealed batches only: see /v1/key")
        try:
            packed, found = await trio.to_thread.run_sync(
                self._opened, body, sealed, limiter=self._openers
            )
        except BatchError as exc:
            raise Refused(400, str(exc)) from None
        if found.sha256 != sha256:
            raise Refused(400, "the batch has another name than the address it was sent to")
        self._check_month(found)
        self._clients.spend(f"key {found.key}", self._limits.batches_per_key)
        try:
            # As it came out of the seal: who takes the disk away has the collector's key too.
            stored = await self._spool.store(
                bytes.fromhex(sha256), packed, WAS_SEALED if sealed else 0
            )
        except SpoolBusy as exc:
            raise Refused(503, str(exc), retry_after=60) from None
        except SpoolError as exc:
            raise Refused(503, str(exc), retry_after=600) from None
        return Receipt(
            sha256=sha256, receipt=batch.receipt(found.header, sha256), stored=stored
        )

    def _opened(self, body: bytes, sealed: bool) -> tuple[bytes, Batch]:
        packed = self._secret.open(body) if sealed else body
        return packed, batch.unpack(packed)

    def _check_month(self, found: Batch) -> None:
        try:
            began = datetime.strptime(found.header.month, "%Y-%m").replace(tzinfo=UTC).timestamp()
        except ValueError:
            raise Refused(422, f"{found.header.month!r} is no month") from None
        now = datetime.now(UTC).timestamp()
        if began > now + self._limits.days_ahead * 86400:
            raise Refused(422, "its month has not come: is your clock right?")
        if began < now - (self._limits.months_late + 1) * MONTH_SECONDS:
            raise Refused(422, f"older than {self._limits.months_late} months")
