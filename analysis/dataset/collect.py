"""From a collector's spool to the documents of a dataset: each measurement once.

The documents become a store (``documents/collected.db``), from which the tables are derived
as from any other; the `Catalogue` says where each came from and what was left out.

Rule: who signed a batch speaks for himself only. Ids of runs and measurements are made of the
ids in the batch and of its pseudonym, so that nobody can add to the run of another, follow up
another's measurement, or take an id before its owner does. What a batch says of who measured
it is replaced by the pseudonym of its key.

A batch is written to the store first and entered in the catalogue then: what a kill left
between is met again, and is there already.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import filelock
import msgspec

from analysis.collector.documents import Documents, read
from analysis.collector.notes import Note
from analysis.collector.reading import Received, ReceivedOoni, Unreadable, received
from analysis.collector.segments import Record, records
from analysis.dataset.catalogue import Catalogue, Collected
from analysis.dataset.manifest import DatasetError, begin
from probe.documents import Kept
from probe.evidence import CanaryCheck, Measurement, Run
from probe.formats import ooni
from probe.formats.batch import Header
from probe.store import Store

STORE = Path("documents") / "collected.db"
_log = logging.getLogger(__name__)


class Taken(msgspec.Struct, kw_only=True):
    """What `collect` did: *batches* (and documents of OONI's) that were new, *measurements*
    of them that are in the dataset now, and what was left out by reason."""

    batches: int = 0
    measurements: int = 0
    left_out: Counter[str] = msgspec.field(default_factory=Counter)


def collect(data: Path, out: Path) -> Taken:
    """Bring the documents of the dataset in *out* up to date with the collector's folder *data*.

    Beside a collector that is serving. Raises `DatasetError`, `StoreError`, `OSError`,
    `sqlite3.Error`.
    """
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with filelock.FileLock(out / ".lock", timeout=0):
            begin(out)
            (out / STORE).parent.mkdir(exist_ok=True)
            with Store(out / STORE, write=True) as store, Catalogue(out) as catalogue:
                return _Collecting(store, catalogue).all_of(data)
    except filelock.Timeout as exc:
        raise DatasetError(f"another build is at work in {out}") from exc


def dataset_id(pseudonym: str, id: str) -> str:
    """The id in the dataset of what the key with *pseudonym* calls *id*."""
    return hashlib.sha256(f"zond dataset\0{pseudonym}\0{id}".encode()).hexdigest()[:32]


class _Collecting:
    def __init__(self, store: Store, catalogue: Catalogue) -> None:
        self._store, self._catalogue = store, catalogue
        self._runs = {run.id: run for run in store.runs()}
        self._taken = Taken()

    def all_of(self, data: Path) -> Taken:
        spool = _identity(data)
        unreadable: list[Unreadable] = []
        for item in received(data, self._catalogue.read_to(spool)):
            if isinstance(item, Unreadable):
                unreadable.append(item)
                continue
            # Only what something came after is damaged: the end may be being written.
            for one in unreadable:
                self._leave_out(f"{spool[:12]}:{one.after.segment}:{one.after.offset}",
                                f"unreadable: {one.reason}")  # fmt: skip
            unreadable.clear()
            if isinstance(item, Received):
                self._batch(item)
            else:
                self._document(item)
            self._catalogue.commit(spool, item.after)
        return self._taken

    def _batch(self, item: Received) -> None:
        name, header = item.batch.sha256, item.batch.header
        if self._catalogue.has_batch(name):
            return
        found = read(item.batch.documents)
        for aside in found.set_aside:
            self._leave_out(f"{name}:{aside.line}", f"set aside: {aside.reason}")
        marks = _marks(item.note)
        for run in found.runs.values():
            self._run(_own_run(run, header.pseudonym))
        for run in _untold(found, header):
            if run.id not in self._runs:
                self._run(run)
        self._canaries([_own_canary(c, header.pseudonym) for c in found.canaries.values()])
        of_run = {run.id: marks.get(line, set()) for line, run in found.runs.items()}
        new: list[Measurement] = []
        for line, m in found.measurements.items():
            own = _own(m, header.pseudonym)
            content = hashlib.sha256(msgspec.json.encode(m)).digest()
            if reason := self._repeated(own.id, content):
                self._leave_out(f"{name}:{line}", reason)
                continue
            if self._store.has_measurement(own.id) is None:
                new.append(own)
            said = marks.get(-1, set()) | marks.get(line, set()) | of_run.get(m.run_id, set())
            row = Collected(
                measurement_id=own.id, batch=name, pseudonym=header.pseudonym,
                received=item.note.received, sealed=item.sealed, marks=",".join(sorted(said)),
            )  # fmt: skip
            self._catalogue.add(row, content)
            self._taken.measurements += 1
        self._store.append(new)
        self._catalogue.add_batch(name, len(item.batch.documents))
        self._taken.batches += 1

    def _repeated(self, id: str, content: bytes) -> str:
        """Why a measurement is left out that is there already; empty: it is not."""
        if (before := self._catalogue.content_of(id)) is not None:
            return "sent again" if before == content else "sent again with other content"
        return "a copy of another key's document" if self._catalogue.whose(content) else ""

    def _run(self, run: Run) -> None:
        before = self._runs.get(run.id)
        if before is None:
            self._store.begin_run(run, ())
        elif run == before or (run.ended_at or 0.0) < (before.ended_at or 0.0):
            return  # batches come in any order: what was said last stays
        else:
            self._store.update_run(run)
        self._runs[run.id] = run

    def _canaries(self, checks: list[CanaryCheck]) -> None:
        there = {c for run in {c.run_id for c in checks} for c in self._store.canaries(run)}
        self._store.append_canaries([c for c in dict.fromkeys(checks) if c not in there])

    def _document(self, item: ReceivedOoni) -> None:
        sha256 = hashlib.sha256(item.document).hexdigest()
        if self._catalogue.has_batch(item.uid):
            return
        self._catalogue.add_batch(item.uid, 1)
        self._taken.batches += 1
        found = _ooni(item, sha256)
        if not isinstance(found, ooni.Imported):
            self._leave_out(item.uid, f"set aside: {found.reason}")
            return
        ids = {m.id for m in found.measurements}
        if any(self._catalogue.content_of(id) is not None for id in ids):
            self._leave_out(item.uid, "its id is another's")
            return
        if not self._store.has_document(sha256):
            if any(self._store.has_measurement(id) for id in ids):
                self._leave_out(item.uid, "its id is another's")
                return
            kept = Kept(
                data=item.document, sha256=sha256, file=item.uid, line=0, run=found.run,
                measurements=found.measurements, canaries=found.canaries,
            )  # fmt: skip
            self._store.add_documents([kept], [])
            self._runs[found.run.id] = found.run
        said = ",".join(sorted(set().union(*_marks(item.note).values())))
        for id in sorted(ids):
            row = Collected(
                measurement_id=id, batch=item.uid, received=item.note.received, marks=said
            )
            self._catalogue.add(row, hashlib.sha256(f"{sha256}:{id}".encode()).digest())
        self._taken.measurements += len(ids)

    def _leave_out(self, place: str, reason: str) -> None:
        self._catalogue.leave_out(place, reason)
        self._taken.left_out[reason] += 1


def _ooni(item: ReceivedOoni, sha256: str) -> ooni.Imported | ooni.Refused:
    try:
        return ooni.read(item.document, origin=item.uid, sha256=sha256)
    except Exception as exc:  # noqa: BLE001 - it is told, and the document is in the spool
        _log.exception("a bug in a reader, at %s", item.uid)
        return ooni.Refused(reason=f"a bug in the reader: {type(exc).__name__}")


def _own(m: Measurement, pseudonym: str) -> Measurement:
    return msgspec.structs.replace(
        m, id=dataset_id(pseudonym, m.id), run_id=dataset_id(pseudonym, m.run_id),
        about=dataset_id(pseudonym, m.about) if m.about else "", document="", origin="",
    )  # fmt: skip


def _own_run(run: Run, pseudonym: str) -> Run:
    return msgspec.structs.replace(
        run, id=dataset_id(pseudonym, run.id), probe_id=pseudonym, source="", report=""
    )


def _untold(found: Documents, header: Header) -> Iterator[Run]:
    """Runs that the batch speaks of and does not hold, or not readably: what is known of them is
    where its key measures. What belongs to them is marked ``no_run``, and not lost."""
    began = {c.run_id: c.at for c in found.canaries.values()}
    began |= {m.run_id: m.started_at for m in found.measurements.values()}
    for id in began.keys() - {run.id for run in found.runs.values()}:
        yield Run(
            id=dataset_id(header.pseudonym, id), started_at=began[id], probe_id=header.pseudonym,
            probe_asn=header.probe_asn, probe_cc=header.probe_cc,
        )  # fmt: skip


def _own_canary(canary: CanaryCheck, pseudonym: str) -> CanaryCheck:
    return msgspec.structs.replace(canary, run_id=dataset_id(pseudonym, canary.run_id))


def _marks(note: Note) -> dict[int, set[str]]:
    """The marks by line; -1: on the whole batch."""
    found: dict[int, set[str]] = {}
    for mark in note.marks:
        found.setdefault(mark.line, set()).add(mark.mark)
    return found


def _identity(data: Path) -> str:
    """What a spool is known by, wherever it is moved: its first record's name."""
    for item in records(data / "spool"):
        if isinstance(item, Record):
            return item.name.hex()
    return ""
