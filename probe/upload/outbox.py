"""What is to leave: batches made once, their bytes kept until a receipt has come.

Rule: a measurement is written into a batch, or down as one that stays, in the same
transaction as the batch's bytes; so a kill at any moment leaves it in exactly one of them, or
unmade. What became of a batch is told by rows that are only ever added: an attempt is
written down *before* its first byte leaves, so that a budget holds over kills too. A
receipt that is right takes the bytes away, and is the only thing that does.

Batches are of one access network and one month, since their key is (`probe.upload.identity`). What
was imported is somebody else's, and never leaves by here.
"""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probe import __version__
from probe.evidence import CanaryCheck, Measurement, Run
from probe.formats import batch
from probe.formats.batch import Header
from probe.schema import explained, open_database
from probe.store import Store
from probe.upload.identity import Identity, month_of

TEXT_BYTES = 4 * 2**20  # of lines, after which another batch begins: about half a MB packed,
# which a slow line carries before it breaks
MAX_DOCUMENTS = 2000
REFUSALS = 6  # of one batch, at several uploads: a collector may have been set up wrong
DAY = 86400.0

What = Literal["attempt", "failed", "refused", "delivered", "carried", "given up", "again"]
Kind = Literal["measurement", "canary"]


class Scrubbing(Protocol):
    """What lets documents leave: `probe.scrubbing.scrub.Scrubber`."""

    def run(self, run: Run, /) -> bytes: ...

    def canary(self, check: CanaryCheck, /) -> bytes: ...

    def measurement(self, measurement: Measurement, /) -> bytes | None: ...


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A batch without a receipt. *packed* counts bytes, *refusals* those since it was asked
    for again; *given_up*: it is not sent by itself any more."""

    sha256: str
    asn: int
    month: str
    documents: int
    packed: int
    refusals: int
    given_up: bool


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Measurements that are in no batch, and batches by what became of them."""

    measurements: int
    delivered: int
    waiting: int
    given_up: int


@dataclass(kw_only=True)
class Draft:
    """A batch to be: documents of one network and month, and what they are of."""

    asn: int
    cc: str
    month: str
    documents: list[bytes] = field(default_factory=list)
    contents: list[tuple[Kind, str]] = field(default_factory=list)
    staying: list[str] = field(default_factory=list)  # measurements that do not leave
    size: int = 0

    def header(self, pseudonym: str) -> Header:
        return Header(
            software=f"zond {__version__}", pseudonym=pseudonym, probe_cc=self.cc,
            probe_asn=self.asn, month=self.month, nonce=os.urandom(32).hex(),
            documents=len(self.documents),
        )  # fmt: skip

    def add(self, document: bytes) -> None:
        self.documents.append(document)
        self.size += len(document) + 1

    def is_full_for(self, document: bytes) -> bool:
        return bool(self.contents) and (
            self.size + len(document) >= TEXT_BYTES or len(self.documents) >= MAX_DOCUMENTS
        )


class Outbox:
    """The outbox in the database at *path*. Every method may raise `StoreError`."""

    def __init__(self, path: Path | str, *, write: bool = False) -> None:
        self.path = Path(path)
        self.unscrubbed: list[str] = []  # why measurements could not be scrubbed, and stay
        self._db = open_database(self.path, write=write)

    def close(self) -> None:
        with explained(self.path):
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Making

    def drafts(
        self, store: Store, scrubber: Scrubbing, *, choices: str = "",
        ready: Callable[[Run], bool] = lambda run: True,
    ) -> Iterator[Draft]:  # fmt: skip
        """What would be made of all that is in no batch yet, of the runs that are *ready*.

        *choices* are the user's, by which *scrubber* lets pass: what stayed under the same
        ones is not looked at again. Changes nothing; one draft is in memory at a time.
        """
        unmade = self._runs_with_unmade(choices)
        runs = [r for r in store.runs() if r.id in unmade and not r.imported and ready(r)]
        for (asn, cc, month), group in groupby(sorted(runs, key=_network), key=_network):
            draft = Draft(asn=asn, cc=cc, month=month)
            for run in group:
                first = scrubber.run(run)
                begun = False
                for kind, id, document in self._unmade(store, scrubber, run, choices):
                    if document is None:
                        draft.staying.append(id)
                        continue
                    if draft.is_full_for(document):
                        yield draft
                        draft, begun = Draft(asn=asn, cc=cc, month=month), False
                    if not begun:
                        draft.add(first)  # a batch tells of every run that is in it
                        begun = True
                    draft.add(document)
                    draft.contents.append((kind, id))
            if draft.contents or draft.staying:
                yield draft

    def make(
        self, store: Store, scrubber: Scrubbing, identity: Identity, *, choices: str = "",
        ready: Callable[[Run], bool] = lambda run: True,
    ) -> int:  # fmt: skip
        """Make batches of all that is in none; how many. Raises `IdentityError`, too."""
        made = 0
        for draft in self.drafts(store, scrubber, choices=choices, ready=ready):
            made += self._freeze(draft, identity.key(draft.asn, draft.month), choices)
        return made

    def _freeze(self, draft: Draft, key: Ed25519PrivateKey, choices: str) -> bool:
        staying = [{"id": id, "choices": choices} for id in draft.staying]
        if not draft.contents:
            with self._transaction():
                self._insert("outbox_staying", staying)
            return False
        header = draft.header(batch.pseudonym(key.public_key()))
        text = batch.plain(header, draft.documents)
        sha256 = batch.name(text)
        packed = batch.pack(text, key)
        about = {
            "sha256": sha256, "header": msgspec.json.encode(header).decode(),
            "probe_asn": draft.asn, "month": draft.month, "made_at": time.time(),
            "documents": len(draft.documents), "size": len(text), "packed": len(packed),
        }  # fmt: skip
        with self._transaction():
            self._insert("outbox_batches", [about])
            self._insert("outbox_bytes", [{"sha256": sha256, "packed": packed}])
            # Another process that made a batch of the same meanwhile fails this, and
            # with it the whole: each measurement is in one batch.
            rows = [{"kind": kind, "id": id, "sha256": sha256} for kind, id in draft.contents]
            self._insert("outbox_contents", rows)
            self._insert("outbox_staying", staying)
        return True

    def _runs_with_unmade(self, choices: str) -> set[str]:
        """Runs of which something is not settled: of a year of runs, the last one or two."""
        rows = self._rows(
            "SELECT DISTINCT run_id FROM measurements AS m WHERE document = '' AND NOT EXISTS"
            " (SELECT 1 FROM outbox_contents AS o WHERE o.kind = 'measurement' AND o.id = m.id)"
            " AND NOT EXISTS (SELECT 1 FROM outbox_staying AS s WHERE s.id = m.id AND choices = ?)"
            " UNION SELECT DISTINCT run_id FROM canaries AS k WHERE NOT EXISTS (SELECT 1 FROM"
            " outbox_contents AS o WHERE o.kind = 'canary' AND o.id = CAST(k.key AS TEXT))",
            (choices,),
        )
        return {id for (id,) in rows}

    def _unmade(
        self, store: Store, scrubber: Scrubbing, run: Run, choices: str
    ) -> Iterator[tuple[Kind, str, bytes | None]]:
        checks = store.canaries(run.id)
        keys = self._rows(
            "SELECT key, EXISTS (SELECT 1 FROM outbox_contents AS o WHERE o.kind = 'canary'"
            " AND o.id = CAST(k.key AS TEXT)) FROM canaries AS k WHERE run_id = ? ORDER BY key",
            (run.id,),
        )
        for (key, settled), check in zip(keys, checks, strict=False):
            if not settled:
                yield "canary", str(key), scrubber.canary(check)
        unmade = self._rows(
            "SELECT id FROM measurements AS m WHERE run_id = ? AND document = '' AND NOT EXISTS"
            " (SELECT 1 FROM outbox_contents AS o WHERE o.kind = 'measurement' AND o.id = m.id)"
            " AND NOT EXISTS (SELECT 1 FROM outbox_staying AS s WHERE s.id = m.id AND choices = ?)"
            " ORDER BY key",
            (run.id, choices),
        )
        for (id,) in unmade:
            measurement = store.measurement(id)
            try:
                document = scrubber.measurement(measurement)
            except Exception as exc:  # noqa: BLE001 - a bug there keeps one back, and is told
                self.unscrubbed.append(f"measurement {id}: {type(exc).__name__}: {exc}")
                continue  # neither in a batch nor settled: a later zond may do it
            yield "measurement", id, document

    # What is there

    def waiting(self) -> list[Waiting]:
        """The batches that have no receipt, in the order they were made."""
        rows = self._rows(
            "SELECT b.sha256, b.probe_asn, b.month, b.documents, b.packed FROM outbox_batches AS b"
            " JOIN outbox_bytes USING (sha256) ORDER BY b.key"
        )
        return [
            Waiting(
                sha256=sha256, asn=asn, month=month, documents=documents, packed=packed,
                refusals=self._refusals(sha256), given_up=self._given_up(sha256),
            )
            for sha256, asn, month, documents, packed in rows
        ]  # fmt: skip

    def packed(self, sha256: str) -> bytes | None:
        """The bytes of a batch that has no receipt yet; None where there is no such."""
        rows = self._rows("SELECT packed FROM outbox_bytes WHERE sha256 = ?", (sha256,))
        return next((bytes(packed) for (packed,) in rows), None)

    def spent(self, *, since: float) -> int:
        """Bytes that attempts have sent since POSIX second *since*."""
        ((sent,),) = self._rows(
            "SELECT coalesce(sum(bytes), 0) FROM outbox_events WHERE at > ?",
            (since,),
        )
        return int(sent)

    def counts(self) -> Counts:
        ((delivered,),) = self._rows(
            "SELECT count(*) FROM outbox_batches WHERE sha256 NOT IN"
            " (SELECT sha256 FROM outbox_bytes)"
        )
        ((measurements,),) = self._rows(
            "SELECT count(*) FROM measurements WHERE document = '' AND id NOT IN"
            " (SELECT id FROM outbox_contents WHERE kind = 'measurement')"
        )
        waiting = self.waiting()
        given_up = sum(w.given_up for w in waiting)
        return Counts(
            measurements=measurements, delivered=delivered, waiting=len(waiting) - given_up,
            given_up=given_up,
        )  # fmt: skip

    def events(self, sha256: str) -> list[tuple[str, str, str]]:
        """What happened to a batch: (what, way, detail), the oldest first."""
        rows = self._rows(
            "SELECT what, way, detail FROM outbox_events WHERE sha256 = ? ORDER BY key", (sha256,)
        )
        return [(what, way, detail) for what, way, detail in rows]

    # What becomes of it

    def attempt(self, sha256: str, way: str, size: int) -> None:
        """*size* bytes are about to leave."""
        self._note(sha256, "attempt", way, size=size)

    def failed(self, sha256: str, way: str, why: str, unsent: int = 0) -> None:
        """*unsent* bytes of the attempt did not leave after all."""
        self._note(sha256, "failed", way, why, size=-unsent)

    def refused(self, sha256: str, way: str, why: str) -> bool:
        """The collector, or somebody on the way, says no. Whether that was once too often."""
        self._note(sha256, "refused", way, why)
        if self._refusals(sha256) < REFUSALS:
            return False
        self._note(sha256, "given up", way, why)
        return True

    def carried(self, sha256: str, file: str) -> None:
        self._note(sha256, "carried", "file", file)

    def ask_again(self) -> int:
        """Batches that were given up are sent again; how many there are."""
        given_up = [w.sha256 for w in self.waiting() if w.given_up]
        for sha256 in given_up:
            self._note(sha256, "again", "")
        return len(given_up)

    def deliver(self, sha256: str, receipt: str, way: str) -> bool:
        """Whether *receipt* is that of the collector for this batch: then it is delivered.

        Once more for what was delivered before changes nothing.
        """
        for (header,) in self._rows(
            "SELECT header FROM outbox_batches WHERE sha256 = ?", (sha256,)
        ):
            right = batch.receipt(msgspec.json.decode(header, type=Header), sha256)
            if not hmac.compare_digest(receipt.encode(), right.encode()):
                return False
            if self.packed(sha256) is not None:
                with self._transaction():
                    self._insert("outbox_events", [_event(sha256, "delivered", way, receipt)])
                    self._db.execute("DELETE FROM outbox_bytes WHERE sha256 = ?", (sha256,))
            return True
        return False

    def _refusals(self, sha256: str) -> int:
        ((count,),) = self._rows(
            "SELECT count(*) FROM outbox_events WHERE sha256 = ? AND what = 'refused' AND key > ("
            "SELECT coalesce(max(key), 0) FROM outbox_events WHERE sha256 = ? AND what = 'again')",
            (sha256, sha256),
        )
        return int(count)

    def _given_up(self, sha256: str) -> bool:
        rows = self._rows(
            "SELECT what FROM outbox_events WHERE sha256 = ? AND what IN ('given up', 'again')"
            " ORDER BY key DESC LIMIT 1",
            (sha256,),
        )
        return any(what == "given up" for (what,) in rows)

    # SQLite

    def _note(self, sha256: str, what: What, way: str, detail: str = "", size: int = 0) -> None:
        with self._transaction():
            self._insert("outbox_events", [_event(sha256, what, way, detail, size)])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with explained(self.path), self._db.atomic():
            yield

    def _insert(self, table: str, rows: Iterable[dict[str, Any]]) -> None:
        self._db.table(table).insert_all(rows)

    def _rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with explained(self.path):
            return self._db.execute(sql, parameters).fetchall()


def _network(run: Run) -> tuple[int, str, str]:
    """What runs share that may be in one batch. The month is that in which the run began, by the
    clock that the session has corrected (`Run.clock_offset` is in it already)."""
    return run.probe_asn, run.probe_cc, month_of(run.started_at)


def _event(
    sha256: str, what: What, way: str, detail: str = "", size: int = 0
) -> dict[str, object]:
    return {
        "sha256": sha256, "at": time.time(), "what": what, "way": way, "bytes": size,
        "detail": detail[:300],
    }  # fmt: skip
