"""One batch: opened, checked, stored, acknowledged.

Rule: what cannot be a batch of ours is refused with a reason, and nothing of it is kept; the
sender still has it. What is whole is stored as it came, whatever it says, with a note
beside it (`analysis.collector.notes`) of what could not be read and of what cannot be true.
A whole batch that nobody can read or date is refused as well, and kept apart (*quarantine*):
the sender may be newer than we are, or its clock wrong, and may not come again.
"""

from __future__ import annotations

import re
import sqlite3
from datetime import UTC, datetime
from ipaddress import ip_address

import msgspec
import trio

from analysis.collector.documents import Documents, country, read
from analysis.collector.identities import Identities, Places
from analysis.collector.limits import Limits
from analysis.collector.metrics import Metrics
from analysis.collector.networks import Networks
from analysis.collector.notes import (
    MOST_TOLD,
    WAS_SEALED,
    Mark,
    Note,
    Quarantined,
    SetAside,
)
from analysis.collector.plausible import marks
from analysis.collector.spool import Spool, SpoolBusy, SpoolError, Stored
from probe.formats import batch
from probe.formats.batch import Batch, BatchError, CollectorSecret, Header
from probe.serving.clients import Clients, Refused

MONTH_SECONDS = 30.5 * 86400


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to a stored batch. *receipt*: see `probe.formats.batch.receipt`. *set_aside*:
    its first documents that could not be read; the rest of it can."""

    sha256: str
    receipt: str
    stored: Stored
    set_aside: tuple[SetAside, ...] = ()


class _Opened(msgspec.Struct):
    """A batch, what is to be stored of it, and why it is to be refused (empty: it is not)."""

    packed: bytes
    batch: Batch
    documents: Documents
    marks: list[Mark]
    size: int
    wrong: str = ""


class Intake:
    """Takes batches for *spool*; *secret* opens the sealed ones."""

    def __init__(
        self, spool: Spool, quarantine: Spool, secret: CollectorSecret, identities: Identities,
        networks: Networks, clients: Clients, limits: Limits, metrics: Metrics, *,
        need_seal: bool = False,
    ) -> None:  # fmt: skip
        self.spool = spool
        self.quarantine = quarantine
        self._secret = secret
        self._identities = identities
        self._networks = networks
        self._places = Places(window=limits.window)
        self._clients = clients
        self._limits = limits
        self._metrics = metrics
        self._need_seal = need_seal
        self._openers = trio.CapacityLimiter(2)  # opening takes up to 40 MB, most 1 MB

    async def take(self, sha256: str, body: bytes, client: str) -> Receipt:
        """Store the batch in *body*, which its sender names *sha256*.

        Raises `Refused`: 400 for what is no batch, 422 for what cannot be read or dated, 429,
        503.
        """
        self._clients.spend(f"client {client}", self._limits.batches_per_client)
        self._clients.spend(f"bytes {client}", self._limits.bytes_per_client, len(body))
        sealed = batch.is_sealed(body)
        if self._need_seal and not sealed:
            raise Refused(400, "this collector takes sealed batches only: see /v1/key")
        try:
            opened = await trio.to_thread.run_sync(
                self._opened, sha256, body, sealed, client, limiter=self._openers
            )
        except BatchError as exc:
            raise Refused(400, str(exc)) from None
        except RecursionError:
            raise Refused(400, "nested too deeply") from None
        key, name = opened.batch.key, bytes.fromhex(sha256)
        if self.spool.place(name) is None:  # who lost the answer and repeats uses up nothing
            self._clients.spend(f"key {key}", self._limits.batches_per_key)
            self._clients.spend(f"bytes of key {key}", self._limits.bytes_per_key, opened.size)
        if opened.wrong:
            await self._put_aside(name, opened)
            raise Refused(422, opened.wrong)
        found = [*opened.marks, *self._places.marks(client, key)]
        note = Note(received=today(), set_aside=opened.documents.set_aside, marks=tuple(found))
        # As it came out of the seal: who takes the disk away has the collector's key too.
        stored = await stored_in(
            self.spool, name, opened.packed, WAS_SEALED if sealed else 0, note
        )
        if stored == "now":
            self._metrics.noted([m.mark for m in found], len(note.set_aside))
        return Receipt(
            sha256=sha256, receipt=batch.receipt(opened.batch.header, sha256), stored=stored,
            set_aside=opened.documents.set_aside[:MOST_TOLD],
        )  # fmt: skip

    def _opened(self, sha256: str, body: bytes, sealed: bool, client: str) -> _Opened:
        packed = self._secret.open(body) if sealed else body
        found = batch.unpack(packed)
        if found.sha256 != sha256:
            raise BatchError("the batch has another name than the address it was sent to")
        size = sum(map(len, found.documents))
        _check_header(found.header)
        opened = _Opened(packed, found, Documents(), [], size)
        if public(client) and names(client, b"\n".join(found.documents)):
            raise BatchError("it holds the address that it came from, and is not kept")
        if wrong := wrong_month(found.header, self._limits):
            opened.wrong = wrong
            return opened
        opened.documents = read(found.documents)
        if not opened.documents.readable:
            opened.wrong = _nothing_readable(opened.documents)
            return opened
        now = datetime.now(UTC).timestamp()
        opened.marks = marks(found.header, opened.documents, now)
        opened.marks += self._networks.marks(found.header)
        try:
            opened.marks += self._identities.marks(found.header, opened.documents, now)
        except sqlite3.OperationalError:
            pass  # no room for what serves the marks alone; whether there is for the batch, it says
        return opened

    async def _put_aside(self, name: bytes, opened: _Opened) -> None:
        if self.quarantine.size() + len(opened.packed) > self._limits.quarantine_bytes:
            return
        note = Quarantined(received=today(), reason=opened.wrong)
        await stored_in(self.quarantine, name, opened.packed, 0, note)


async def stored_in(
    spool: Spool, name: bytes, payload: bytes, flags: int, note: Note | Quarantined
) -> Stored:
    """Store in *spool*. Raises `Refused` (503) where it cannot."""
    try:
        return await spool.store(name, payload, flags, msgspec.json.encode(note))
    except SpoolBusy as exc:
        raise Refused(503, str(exc), retry_after=60) from None
    except SpoolError as exc:
        raise Refused(503, str(exc), retry_after=600) from None


def wrong_month(header: Header, limits: Limits) -> str:
    """Why the month of a batch cannot be; empty where it can."""
    try:
        began = datetime.strptime(header.month, "%Y-%m").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return f"{header.month[:20]!r} is no month"
    now = datetime.now(UTC).timestamp()
    if began > now + limits.days_ahead * 86400:
        return "its month has not come: is your clock right?"
    if began < now - (limits.months_late + 1) * MONTH_SECONDS:
        return f"older than {limits.months_late} months"
    return ""


def today() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d")


def public(client: str) -> bool:
    """Whether *client* is an address by which somebody can be found."""
    try:
        return ip_address(client).is_global
    except ValueError:
        return False


def names(client: str, text: bytes) -> bool:
    """Whether *text* holds the public address *client*, as text."""
    if not public(client):
        return False
    around = rb"(?<![0-9a-fA-F.:])" + re.escape(client.encode()) + rb"(?![0-9a-fA-F:]|\.[0-9])"
    return re.search(around, text) is not None


def _check_header(header: Header) -> None:
    if not country(header.probe_cc):
        raise BatchError("probe_cc is no country")
    if not 0 <= header.probe_asn < 2**32:
        raise BatchError("probe_asn is no AS number")
    if len(header.software) > 200:
        raise BatchError("software is longer than 200 characters")


def _nothing_readable(documents: Documents) -> str:
    if not documents.set_aside:
        return "there is no document in it"
    first = documents.set_aside[0]
    return f"none of its documents can be read; line {first.line}: {first.reason}"
