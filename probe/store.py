"""Measurements on disk: complete, append-only, exactly what was seen.

Rule: what `Store.append` returned for is safe against a kill and a power cut
(WAL, ``synchronous=FULL``), and reading gives back equal records. What a record is in
the tables is said in `probe.rows`. The evidence of an imported measurement is its
document, which is kept whole and read anew (`probe.documents`).

One writer at a time; readers may look while it writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec

from probe.evidence import AnyEvidence, CanaryCheck, Measurement, Run
from probe.rows import Row, canary_row, evidence_rows, measurement_row, text, unpacked_blob
from probe.schema import Database, StoreError, explained, open_database
from testlists.target import Target

if TYPE_CHECKING:
    from probe.documents import Kept, SetAside

__all__ = ["Planned", "Refused", "Store", "StoreError", "Use"]

T = TypeVar("T")

_evidence = msgspec.json.Decoder(AnyEvidence)
_measurement = msgspec.json.Decoder(Measurement)
_canary = msgspec.json.Decoder(CanaryCheck)
_run = msgspec.json.Decoder(Run)
_target = msgspec.json.Decoder(Target)


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement that a run set out to make: *target* by *nettest*, in *position* order."""

    run_id: str
    position: int
    nettest: str
    target: Target

    @property
    def url(self) -> str:
        return self.target.url

    @property
    def category(self) -> str:
        return self.target.category

    @property
    def list_name(self) -> str:
        return self.target.list_name


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the input that was not measured: *line* of *list_name* (0: an argument)."""

    run_id: str
    list_name: str
    line: int
    reason: str


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What runs have used up to POSIX second *at*, since the line before: seconds of
    processor, bytes on the line, bytes written to the disk (`probe.budget`)."""

    at: float
    processor: float = 0.0
    line: int = 0
    written: int = 0


class Store:
    """The database at *path*. Every method may raise `StoreError`, a line for the user.

    With *write* it is made where it is missing; without, nothing on the disk is
    changed. A store may be used from any thread, by one thread at a time.
    """

    def __init__(self, path: Path | str, *, write: bool = False) -> None:
        self.path = Path(path)
        self._db: Database = open_database(self.path, write=write)
        self._file = self._file_there()
        self._packed: dict[str, Row] = {}  # blobs that were met lately: most are certificates

    def close(self) -> None:
        with explained(self.path):
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Writing

    def begin_run(
        self, run: Run, planned: Sequence[Planned], refused: Sequence[Refused] = ()
    ) -> None:
        """Write down a run and everything it means to measure, before its first packet."""
        rows = [
            {
                "run_id": p.run_id,
                "position": p.position,
                "nettest": p.nettest,
                "url": p.url,
                "category": p.category,
                "list_name": p.list_name,
                "target": text(p.target),
            }
            for p in planned
        ]
        with self._transaction():
            self._insert(
                "runs", [{"id": run.id, "started_at": run.started_at, "record": text(run)}]
            )
            self._insert("planned", rows)
            self._insert("problems", [msgspec.structs.asdict(r) for r in refused])

    def update_run(self, run: Run) -> None:
        """Write down what has been learned of a run since; the last word counts."""
        with self._transaction():
            self._insert(
                "run_updates", [{"run_id": run.id, "ended": run.ended, "record": text(run)}]
            )

    def append(self, measurements: Sequence[Measurement]) -> None:
        """Write *measurements* in one transaction. When this returns they are safe."""
        prepared = [(measurement_row(m), *evidence_rows(m, self._packed)) for m in measurements]
        with self._transaction():
            for row, evidence, blobs in prepared:
                statement = _insertion("measurements", tuple(row))
                key = self._db.conn.execute(statement, row).lastrowid
                self._insert("blobs", blobs, ignore=True)
                self._insert("evidence", [{"measurement": key, **e} for e in evidence])

    def append_canaries(self, checks: Sequence[CanaryCheck]) -> None:
        with self._transaction():
            self._insert("canaries", [canary_row(c) for c in checks])

    def append_use(self, use: Use) -> None:
        with self._transaction():
            self._insert("uses", [msgspec.structs.asdict(use)])

    def add_documents(self, kept: Sequence[Kept], set_aside: Sequence[SetAside]) -> None:
        """Write imported documents with what they say, in one transaction, each once."""
        from probe.documents import packed

        with self._transaction():
            self._insert(
                "set_aside",
                [
                    {"sha256": a.sha256, "file": a.file, "line": a.line, "nettest": a.nettest,
                     "reason": a.reason} | packed(a.data)
                    for a in set_aside
                ],
                ignore=True,
            )  # fmt: skip
            self._insert(
                "runs",
                [
                    {"id": run.id, "started_at": run.started_at, "record": text(run)}
                    for run in {k.run.id: k.run for k in kept}.values()
                ],
                ignore=True,
            )
            for k in kept:
                sha256 = k.sha256
                row = {"sha256": sha256, "file": k.file, "line": k.line} | packed(k.data)
                self._insert("documents", [row])
                self._insert(
                    "measurements",
                    [measurement_row(m) | {"document": sha256} for m in k.measurements],
                )
                self._add_new_canaries(k.canaries)

    def _add_new_canaries(self, checks: Sequence[CanaryCheck]) -> None:
        """Those of *checks* that are not there yet: documents of one run share some."""
        for check in checks:
            there = "SELECT 1 FROM canaries WHERE run_id = ? AND at = ? AND record = ?"
            if not any(self._rows(there, (check.run_id, check.at, text(check)))):
                self._insert("canaries", [canary_row(check)])

    # Reading

    def has_measurement(self, id: str) -> tuple[str, str] | None:
        """Nettest and URL of the measurement with *id*; None where there is none."""
        rows = self._rows("SELECT nettest, url FROM measurements WHERE id = ?", (id,))
        return next(((nettest, url) for nettest, url in rows), None)

    def has_document(self, sha256: str) -> bool:
        """Whether the document with this SHA-256 was imported."""
        return any(self._rows("SELECT 1 FROM documents WHERE sha256 = ?", (sha256,)))

    def uses(self) -> list[Use]:
        """What was used, as far as it is still of interest, the oldest first."""
        rows = self._rows("SELECT at, processor, line, written FROM uses ORDER BY key")
        return [Use(at=at, processor=p, line=line, written=w) for at, p, line, w in rows]

    def bytes_in_use(self) -> int:
        """What the database takes, without the pages that are free for what comes."""
        (size,), (count,), (free,) = (
            next(self._rows(f"PRAGMA {name}"))
            for name in ("page_size", "page_count", "freelist_count")
        )
        return int(size * (count - free))

    def set_aside(self) -> list[SetAside]:
        """The documents that could not be read and have not been since, *data* left out."""
        from probe.documents import SetAside

        rows = self._rows(
            "SELECT file, line, reason, nettest FROM set_aside WHERE sha256 NOT IN"
            " (SELECT sha256 FROM documents) ORDER BY rowid"
        )
        return [
            SetAside(data=b"", file=file, line=line, reason=reason, nettest=nettest)
            for file, line, reason, nettest in rows
        ]

    def runs(self) -> list[Run]:
        """Every run as last written down, the oldest first."""
        rows = self._rows(
            "SELECT coalesce((SELECT record FROM run_updates WHERE run_id = runs.id"
            " ORDER BY key DESC LIMIT 1), record) FROM runs ORDER BY rowid"
        )
        return [_decoded(_run, record) for (record,) in rows]

    def unfinished_run(self) -> Run | None:
        """The last run of this program's, if it did not come to its end."""
        runs = [run for run in self.runs() if not run.imported]
        return runs[-1] if runs and runs[-1].ended != "done" else None

    def planned(self, run_id: str) -> list[Planned]:
        """What the run set out to measure, in its order."""
        return self._planned(run_id, "")

    def remaining(self, run_id: str) -> list[Planned]:
        """What of it has no measurement yet, in its order."""
        return self._planned(
            run_id,
            " AND NOT EXISTS (SELECT 1 FROM measurements AS m WHERE m.run_id = planned.run_id"
            " AND m.nettest = planned.nettest AND m.url = planned.url)",
        )

    def measurements(self, run_id: str | None = None) -> Iterator[Measurement]:
        """The plain pass, in the order it was stored, of one run or of all; one in memory."""
        where = "" if run_id is None else " AND run_id = ?"
        yield from self._measurements(
            f"about = ''{where}", () if run_id is None else (run_id,)
        )

    def measurement(self, id: str) -> Measurement:
        """The measurement with *id*, which is known to be there."""
        return next(self._measurements("id = ?", (id,)))

    def follow_ups(self, about: str) -> list[Measurement]:
        """What followed the plain measurement *about*, in the order of what was accused."""
        return list(self._measurements("about = ?", (about,)))

    def followed(self, run_id: str) -> set[tuple[str, int]]:
        """What of each plain measurement of the run has been followed up: its id, and which of
        the things accused, by number."""
        rows = self._rows(
            "SELECT about, json_extract(record, '$.comparison.number') FROM measurements"
            " WHERE run_id = ? AND about != ''",
            (run_id,),
        )
        return {(about, int(number or 0)) for about, number in rows}

    def _measurements(self, condition: str, parameters: Sequence[object]) -> Iterator[Measurement]:
        for key, record, document in self._rows(
            "SELECT key, record, document FROM measurements"  # noqa: S608 - constants
            f" WHERE {condition} ORDER BY key",
            parameters,
        ):
            found = _decoded(_measurement, record)
            evidence = (
                self._evidence_in(document, found.id) if document else self._evidence_of(key)
            )
            yield msgspec.structs.replace(found, evidence=tuple(evidence))

    def sizes(self) -> dict[str, tuple[int, int]]:
        """How many measurements, follow-ups among them, and canary checks each run has, by id;
        what is stored is never changed, so the numbers tell whether anything was added."""
        measured = dict(self._rows("SELECT run_id, count(*) FROM measurements GROUP BY run_id"))
        checked = dict(self._rows("SELECT run_id, count(*) FROM canaries GROUP BY run_id"))
        return {id: (measured.get(id, 0), checked.get(id, 0)) for id in measured | checked}

    def canaries(self, run_id: str) -> list[CanaryCheck]:
        """The canary checks of a run, in the order they were stored."""
        rows = self._rows("SELECT record FROM canaries WHERE run_id = ? ORDER BY key", (run_id,))
        return [_decoded(_canary, record) for (record,) in rows]

    def refused(self, run_id: str) -> list[Refused]:
        """The lines of the lists that the run could not use."""
        rows = self._rows(
            "SELECT list_name, line, reason FROM problems WHERE run_id = ? ORDER BY key", (run_id,)
        )
        return [
            Refused(run_id=run_id, list_name=name, line=line, reason=reason)
            for name, line, reason in rows
        ]

    def _planned(self, run_id: str, condition: str) -> list[Planned]:
        rows = self._rows(
            "SELECT position, nettest, target FROM planned"  # noqa: S608 - constants
            f" WHERE run_id = ?{condition} ORDER BY position",
            (run_id,),
        )
        return [
            Planned(
                run_id=run_id, position=position, nettest=nettest, target=_decoded(_target, target)
            )
            for position, nettest, target in rows
        ]

    def _evidence_of(self, measurement: int) -> Iterator[AnyEvidence]:
        for record, blobs in self._rows(
            "SELECT record, blobs FROM evidence WHERE measurement = ? ORDER BY seq", (measurement,)
        ):
            evidence = _decoded(_evidence, record)
            if blobs is not None:
                moved = {
                    field: self._blob(names)
                    if isinstance(names, str)
                    else tuple(map(self._blob, names))
                    for field, names in json.loads(blobs).items()
                }
                evidence = msgspec.structs.replace(evidence, **moved)
            yield evidence

    def document(self, id: str) -> bytes:
        """The document that the imported measurement *id* was read from; empty for our own."""
        for (sha256,) in self._rows("SELECT document FROM measurements WHERE id = ?", (id,)):
            return self._document(sha256) if sha256 else b""
        return b""

    def _evidence_in(self, document: str, id: str) -> tuple[AnyEvidence, ...]:
        """What the document with this SHA-256 says of the imported measurement *id*."""
        from probe.documents import evidence_of

        return evidence_of(id, self._document(document), document)

    def _document(self, sha256: str) -> bytes:
        from probe.documents import DocumentError, unpacked

        for size, data in self._rows(
            "SELECT size, data FROM documents WHERE sha256 = ?", (sha256,)
        ):
            try:
                return unpacked(sha256, size, data)
            except DocumentError as exc:
                raise StoreError(f"{self.path} is damaged: a stored document: {exc}") from exc
        raise StoreError(f"{self.path} is damaged: a stored document is gone")

    def _blob(self, sha256: str) -> bytes:
        for encoding, size, data in self._rows(
            "SELECT encoding, size, data FROM blobs WHERE sha256 = ?", (sha256,)
        ):
            if (whole := unpacked_blob(sha256, encoding, size, data)) is not None:
                return whole
        raise StoreError(f"{self.path} is damaged: a stored body or certificate is gone")

    # SQLite

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        # A file that was removed is written to without an error, and nobody finds it again.
        if self._file != self._file_there():
            raise StoreError(f"{self.path} was moved or deleted while it was in use")
        with explained(self.path), self._db.atomic():
            yield

    def _file_there(self) -> tuple[int, int] | None:
        try:
            there = self.path.stat()
        except OSError:
            return None
        return there.st_dev, there.st_ino

    def _insert(self, table: str, rows: Sequence[Row], *, ignore: bool = False) -> None:
        """Insert *rows*, of texts, numbers and bytes, which have the same columns.

        Not by sqlite-utils, which looks at each value of each row again: that was a third of
        what it cost to store a target.
        """
        if rows:
            self._db.conn.executemany(_insertion(table, tuple(rows[0]), ignore), rows)

    def _rows(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        with explained(self.path):
            cursor = self._db.execute(sql, tuple(parameters))
            while (row := cursor.fetchone()) is not None:
                yield row


@cache
def _insertion(table: str, columns: tuple[str, ...], ignore: bool = False) -> str:
    values = ", ".join(f":{name}" for name in columns)
    otherwise = "IGNORE" if ignore else "ABORT"
    named = f"{table} ({', '.join(columns)})"
    return f"INSERT OR {otherwise} INTO {named} VALUES ({values})"  # noqa: S608 - our own names


def _decoded(decoder: msgspec.json.Decoder[T], text: str) -> T:
    try:
        return decoder.decode(text)
    except msgspec.DecodeError as exc:
        raise StoreError(f"a stored record cannot be read: {exc}") from exc
