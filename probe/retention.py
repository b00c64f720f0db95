"""Room for the next run: where it is bounded, the oldest of what was delivered goes first.

Rule: what did not arrive elsewhere stays. A measurement may go once a collector's receipt for
its batch has come. What never leaves (nobody agreed to sharing, or a target is personal) goes
only by ``forget_unshared``, and never while it waits to be sent. Where too little may go,
nothing is measured: stopping is said and can be mended, a loss cannot.

Bodies go before packets, packets before measurements, each from the oldest run on; plans of
runs that measured nothing go before all of them. The last run stays whole, since it may be
resumed. What went is written down.

The file does not shrink. Free pages are used again before it grows, so its size stays where
it was at its fullest; VACUUM would write all of it anew, and a card lives by what is written
to it. An eighth of the runs goes at a time, so that looking for what may go is seldom needed.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import msgspec

from probe.config import Budget
from probe.evidence import AnyEvidence, HTTPExchange, PacketCapture, Run
from probe.schema import explained, open_database

USUAL = 30_000  # bytes that a measurement takes where there are none yet to tell by
LEAST = 2_000_000  # bytes of room without which no run begins
UNBOUNDED = 2**62
SHARE = 8  # this part of the runs goes at a time
BATCHES_KEPT = 30 * 86400.0  # seconds that a batch is remembered none of whose contents is here
USES_KEPT = 2 * 86400.0

What = Literal["plans", "bodies", "packets", "measurements"]
ORDER: tuple[What, ...] = ("plans", "bodies", "packets", "measurements")

_evidence = msgspec.json.Decoder(AnyEvidence)
_run = msgspec.json.Decoder(Run)

# A measurement m that a collector has, one that waits to be sent, one that stays by choice.
_DELIVERED = (
    "EXISTS (SELECT 1 FROM outbox_contents AS c WHERE c.kind = 'measurement' AND c.id = m.id"
    " AND c.sha256 NOT IN (SELECT sha256 FROM outbox_bytes))"
)
_BATCHED = (
    "EXISTS (SELECT 1 FROM outbox_contents AS c WHERE c.kind = 'measurement' AND c.id = m.id)"
)
_STAYING = "EXISTS (SELECT 1 FROM outbox_staying AS s WHERE s.id = m.id)"
_CANARY_DELIVERED = (
    "EXISTS (SELECT 1 FROM outbox_contents AS c WHERE c.kind = 'canary'"
    " AND c.id = CAST(k.key AS TEXT) AND c.sha256 NOT IN (SELECT sha256 FROM outbox_bytes))"
)
_CANARY_BATCHED = (
    "EXISTS (SELECT 1 FROM outbox_contents AS c WHERE c.kind = 'canary'"
    " AND c.id = CAST(k.key AS TEXT))"
)


@dataclass(frozen=True, kw_only=True)
class Room:
    """Bytes for the next run before and after, what went for it, and whether it is enough."""

    before: int
    after: int
    enough: bool
    gone: dict[What, int] = field(default_factory=dict)


class Retention:
    """The database at *path* within *bounds*. Every method may raise `StoreError`.

    *sharing*: what is measured is to be uploaded, so nothing that can be goes unsent. *free*
    tells the bytes that are free on the disk of a path. Nobody else writes meanwhile.
    """

    def __init__(
        self,
        path: Path,
        bounds: Budget,
        *,
        sharing: bool,
        free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
    ) -> None:
        self.path = path
        self._bounds = bounds
        self._sharing = sharing
        self._free = free
        self._db = open_database(path, write=True)

    def close(self) -> None:
        with explained(self.path):
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def make_room(self, measurements: int) -> Room:
        """See to it that a run of so many *measurements* has room, as far as anything may go."""
        self._tidy()
        wanted = self._wanted(measurements)
        before = room = self._room()
        gone: dict[What, int] = {}
        for what in ORDER:
            for runs in self._shares() if room < wanted else ():
                count = self._drop(what, runs)
                if count:
                    gone[what] = gone.get(what, 0) + count
                    room = self._room()
                if room >= wanted:
                    break
        return Room(before=before, after=room, enough=room >= min(wanted, LEAST), gone=gone)

    def _wanted(self, measurements: int) -> int:
        ((count,),) = self._rows("SELECT count(*) FROM measurements")
        each = max(USUAL, self._in_use() // count) if count else USUAL
        wanted = max(LEAST, measurements * each)
        bound = self._bounds.database_bytes
        # Who asks for more than fits has runs that end at the bound, and not an empty database.
        return wanted if bound is None else min(wanted, bound // 2)

    def _room(self) -> int:
        """Bytes that may still be stored, by the bound and by the disk."""
        bound, reserve = self._bounds.database_bytes, self._bounds.reserve_bytes
        room = [UNBOUNDED]
        if bound is not None:
            room.append(bound - self._in_use())
        if reserve:
            again = self._number("page_size") * self._number("freelist_count")
            room.append(again + self._free(self.path.parent) - reserve)
        return min(room)

    def _in_use(self) -> int:
        pages = self._number("page_count") - self._number("freelist_count")
        return self._number("page_size") * pages

    def _shares(self) -> Iterator[list[str]]:
        """Our runs but the last, the oldest first, an eighth at a time."""
        rows = self._rows("SELECT id, record FROM runs ORDER BY rowid")
        ours = [id for id, record in rows if not _run.decode(record).imported][:-1]
        step = max(1, len(ours) // SHARE)
        for first in range(0, len(ours), step):
            yield ours[first : first + step]

    def _drop(self, what: What, runs: Sequence[str]) -> int:
        """Let go of *what* of *runs*, as far as it may; how many."""
        count = 0
        for run in runs:
            with self._transaction():
                if what == "plans":
                    count += self._drop_plan(run)
                elif what == "measurements":
                    count += self._drop_measurements(run)
                else:
                    count += self._strip(what, run)
        if count:
            with self._transaction():
                if what != "plans":
                    self._drop_orphans()
                self._write_down(what, count, runs[-1])
        return count

    def _drop_plan(self, run: str) -> int:
        """What a run planned that saw nothing at all."""
        return self._changed(
            "DELETE FROM planned WHERE run_id = ? AND NOT EXISTS"
            " (SELECT 1 FROM measurements AS m WHERE m.run_id = planned.run_id)",
            (run,),
        )

    def _strip(self, what: What, run: str) -> int:
        """Take bodies, or packets, out of the evidence of measurements that may go."""
        kind, mark = ("http", '%"body"%') if what == "bodies" else ("packets", "%")
        keys = [key for group in self._groups(run) for key, _ in group]
        count = 0
        for key in keys:
            rows = self._rows(
                "SELECT key, record, blobs FROM evidence WHERE measurement = ? AND kind = ?"
                " AND blobs LIKE ?",
                (key, kind, mark),
            )
            for at, record, blobs in rows:
                text, left = _stripped(record, json.loads(blobs))
                self._db.execute(
                    "UPDATE evidence SET record = ?, blobs = ? WHERE key = ?", (text, left, at)
                )
                count += 1
        return count

    def _drop_measurements(self, run: str) -> int:
        gone = [row for group in self._groups(run) for row in group]
        for key, id in gone:
            self._db.execute("DELETE FROM evidence WHERE measurement = ?", (key,))
            self._db.execute(
                "DELETE FROM planned WHERE (run_id, nettest, url) IN"
                " (SELECT run_id, nettest, url FROM measurements WHERE key = ?)",
                (key,),
            )
            self._db.execute("DELETE FROM measurements WHERE key = ?", (key,))
            self._db.execute(
                "DELETE FROM outbox_contents WHERE kind = 'measurement' AND id = ?", (id,)
            )
            self._db.execute("DELETE FROM outbox_staying WHERE id = ?", (id,))
            self._db.execute("DELETE FROM ooni_documents WHERE measurement = ?", (id,))
        self._drop_run(run)
        return len(gone)

    def _drop_run(self, run: str) -> None:
        """The run itself, once nothing of it is left that has to stay."""
        stays = f"NOT {self._canary_may_go}"
        if self._rows("SELECT 1 FROM measurements WHERE run_id = ? LIMIT 1", (run,)) or self._rows(
            f"SELECT 1 FROM canaries AS k WHERE run_id = ? AND {stays} LIMIT 1",  # noqa: S608
            (run,),
        ):
            return
        # A canary's key may be given again: what is known of it in the outbox goes with it.
        self._db.execute(
            "DELETE FROM outbox_contents WHERE kind = 'canary' AND id IN"
            " (SELECT CAST(key AS TEXT) FROM canaries WHERE run_id = ?)",
            (run,),
        )
        for table in ("canaries", "planned", "problems", "run_updates"):
            self._db.execute(f"DELETE FROM {table} WHERE run_id = ?", (run,))  # noqa: S608
        self._db.execute("DELETE FROM runs WHERE id = ?", (run,))

    def _groups(self, run: str) -> list[list[tuple[int, str]]]:
        """Keys and ids of the measurements of *run* that may go, each with its follow-ups."""
        rows = self._rows(
            "SELECT key, id, CASE about WHEN '' THEN id ELSE about END,"  # noqa: S608 - constants
            f" {self._may_go} FROM measurements AS m WHERE run_id = ? AND document = ''"
            " ORDER BY key",
            (run,),
        )
        groups: dict[str, list[tuple[int, str, bool]]] = {}
        for key, id, about, may_go in rows:
            groups.setdefault(about, []).append((key, id, bool(may_go)))
        return [
            [(key, id) for key, id, _ in group]
            for group in groups.values()
            if all(may_go for _, _, may_go in group)
        ]

    @property
    def _may_go(self) -> str:
        if not self._bounds.forget_unshared:
            return _DELIVERED
        stays = _STAYING if self._sharing else "1"
        return f"({_DELIVERED} OR (NOT {_BATCHED} AND {stays}))"

    @property
    def _canary_may_go(self) -> str:
        if self._bounds.forget_unshared and not self._sharing:
            return f"({_CANARY_DELIVERED} OR NOT {_CANARY_BATCHED})"
        return _CANARY_DELIVERED

    def _drop_orphans(self) -> None:
        """Bodies and certificates that no evidence names any more."""
        self._db.execute(
            "DELETE FROM blobs WHERE sha256 NOT IN (SELECT atom FROM evidence,"
            " json_tree(evidence.blobs) WHERE evidence.blobs IS NOT NULL AND atom IS NOT NULL)"
        )

    def _tidy(self) -> None:
        """What nobody will ask for again: old accounts, and batches that arrived long ago."""
        now = time.time()
        with self._transaction():
            self._db.execute("DELETE FROM uses WHERE at < ?", (now - USES_KEPT,))
            old = (
                "made_at < ? AND sha256 NOT IN (SELECT sha256 FROM outbox_bytes)"
                " AND sha256 NOT IN (SELECT sha256 FROM outbox_contents)"
            )
            self._db.execute(
                "DELETE FROM outbox_events WHERE sha256 IN"  # noqa: S608 - constants
                f" (SELECT sha256 FROM outbox_batches WHERE {old})",
                (now - BATCHES_KEPT,),
            )
            self._db.execute(
                f"DELETE FROM outbox_batches WHERE {old}",  # noqa: S608 - constants
                (now - BATCHES_KEPT,),
            )

    def _write_down(self, what: What, count: int, last: str) -> None:
        rows = self._rows("SELECT started_at FROM runs WHERE id = ?", (last,))
        until = next((at for (at,) in rows), 0.0)
        self._db.table("forgotten").insert(
            {"at": time.time(), "what": what, "count": count, "until": until}
        )

    # SQLite

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with explained(self.path), self._db.atomic():
            yield

    def _changed(self, sql: str, parameters: tuple[object, ...]) -> int:
        return int(self._db.execute(sql, parameters).rowcount)

    def _number(self, pragma: str) -> int:
        ((number,),) = self._rows(f"PRAGMA {pragma}")
        return int(number)

    def _rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with explained(self.path):
            return self._db.execute(sql, parameters).fetchall()


def _stripped(record: str, blobs: dict[str, Any]) -> tuple[str, str | None]:
    """The evidence *record* without its body, or packets, and what is left of its blobs."""
    evidence = _evidence.decode(record)
    if isinstance(evidence, HTTPExchange):
        evidence = msgspec.structs.replace(evidence, body=None)
        blobs.pop("body", None)
    elif isinstance(evidence, PacketCapture):
        dropped = evidence.dropped + len(evidence.packets)
        evidence = msgspec.structs.replace(evidence, packets=(), raw=(), dropped=dropped)
        blobs.clear()
    return msgspec.json.encode(evidence).decode(), json.dumps(blobs) if blobs else None
