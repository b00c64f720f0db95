"""OONI's documents as they are submitted: checked, named by their content, kept as they came.

Rule: the same measurement is one document, however often it is sent and under whichever
report: a probe that lost the answer opens another report and sends again. So the name covers
the content in a canonical form (keys sorted, no spaces) without ``report_id`` and what a
collector writes, and the ``measurement_uid`` follows from it. OONI's own holds the time of
reception and differs each time.
"""

from __future__ import annotations

import logging
import sqlite3
import sys
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec

from analysis.collector.documents import country
from analysis.collector.intake import names
from analysis.collector.notes import MAX_REASON, OONI, Mark, Note, SetAside, ooni_name
from analysis.collector.plausible import CLOCK_DAYS, DAY
from analysis.collector.segments import Record
from analysis.collector.spool import Spool
from probe.formats.ooni import Imported, read
from probe.serving.clients import Refused

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEVEL = 3
MAX_DOCUMENT = 4 * 2**20  # bytes; the same as of a document of ours
COLLECTORS = ("report_id", "measurement_uid", "backend_version", "bucket_date", "report_filename")
log = logging.getLogger(__name__)


class Envelope(msgspec.Struct):
    """df-000, as far as an answer needs it."""

    test_name: str
    test_start_time: str = ""
    measurement_start_time: str = ""
    probe_cc: str = "ZZ"
    probe_asn: str = "AS0"
    probe_ip: str | None = None
    report_id: str | None = None
    input: str | list[str] | None = None


class Submitted(msgspec.Struct, kw_only=True):
    """A document: its *name* in the spool, its *uid*, and what is to be stored."""

    name: bytes
    uid: str
    input: str
    payload: bytes
    note: Note


def submitted(data: bytes, report: str, client: str, now: float) -> Submitted:
    """The document *data*, sent to *report* from *client*. Raises `Refused` (400, 413, 422)."""
    if len(data) > MAX_DOCUMENT:
        raise Refused(413, f"larger than {MAX_DOCUMENT} bytes")
    try:
        whole = msgspec.json.decode(data)
        envelope = msgspec.convert(whole, Envelope)
    except RecursionError:
        raise Refused(400, "nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeError) as exc:
        raise Refused(400, f"no measurement document: {exc}"[:MAX_REASON]) from None
    if not envelope.test_name or len(envelope.test_name) > 100:
        raise Refused(422, "no test_name")
    if names(client, data):
        raise Refused(422, "it holds the probe's address, and is not kept")
    name = ooni_name(_canonical(whole, data))
    marks, aside = _looked_at(data, now)
    if _tells_where(envelope.probe_ip):
        marks.append(Mark(mark="own_probe_ip", line=0))
    return Submitted(
        name=name,
        uid=uid(name, envelope),
        input=envelope.input if isinstance(envelope.input, str) else "",
        payload=zstd.compress(data, LEVEL),
        note=Note(
            received=datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d"),
            report=report, marks=tuple(marks), set_aside=tuple(aside),
        ),
    )  # fmt: skip


def uid(name: bytes, envelope: Envelope) -> str:
    """The ``measurement_uid`` of a document, in OONI's form, from its content alone."""
    digits = "".join(c for c in envelope.measurement_start_time[:19] if c in "0123456789")
    cc = envelope.probe_cc if country(envelope.probe_cc) else "ZZ"
    test = "".join(c for c in envelope.test_name.lower() if c.isascii() and c.isalnum())
    return f"{digits:0<14}.000000_{cc}_{test[:40]}_{name[:8].hex()}"


def name_begins(uid: str) -> bytes | None:
    """How the name of the document *uid* begins; None: that is no uid of ours."""
    digits = uid.rpartition("_")[2]
    try:
        begins = bytes.fromhex(digits)
    except ValueError:
        return None
    return begins if len(begins) == 8 else None


def document(payload: bytes) -> bytes:
    """The document in *payload* of the spool, as it was sent. Raises `ValueError`."""
    try:
        text = zstd.ZstdDecompressor().decompress(payload, MAX_DOCUMENT + 1)
    except zstd.ZstdError as exc:
        raise ValueError(str(exc)) from exc
    if len(text) > MAX_DOCUMENT:
        raise ValueError("larger than a document")
    return text


def envelope_of(payload: bytes) -> Envelope:
    """Of the document in *payload*. Raises `ValueError`, `msgspec.MsgspecError`."""
    return msgspec.json.decode(document(payload), type=Envelope)


def is_named_so(record: Record) -> bool:
    """Whether the document in *record* has its name."""
    try:
        data = document(record.payload)
        return ooni_name(_canonical(msgspec.json.decode(data), data)) == record.name
    except (ValueError, AttributeError, RecursionError):
        return False


class Reports:
    """Which document was sent to which report for which input: ``measurement_meta`` asks so.

    Made again from *spool* where the file *path* is missing. Raises `sqlite3.Error`.
    """

    def __init__(self, path: Path, spool: Spool) -> None:
        fresh = not path.exists()
        self._db = sqlite3.connect(path, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS documents (report TEXT, input TEXT, name BLOB,"
            " PRIMARY KEY (report, input)) STRICT, WITHOUT ROWID"
        )
        path.chmod(0o600)
        if fresh:
            with self._db:
                for record in spool.records():
                    self._again(record)

    def close(self) -> None:
        self._db.close()

    def add(self, report: str, input: str, name: bytes) -> None:
        """Remember *name*; a full disk is no reason to fail what is stored already."""
        try:
            with self._db:
                self._insert(report, input, name)
        except sqlite3.OperationalError as exc:
            log.warning("the list of reports cannot be written: %s", exc)

    def find(self, report: str, input: str) -> bytes | None:
        row = self._db.execute(
            "SELECT name FROM documents WHERE report = ? AND input = ?", (report, input)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def _again(self, record: Record) -> None:
        if record.flags & OONI:
            try:
                note = msgspec.json.decode(record.note, type=Note)
                found = envelope_of(record.payload)
            except (ValueError, msgspec.MsgspecError):
                return  # `zond collector verify` tells of it
            if note.report:
                self._insert(note.report, found.input if isinstance(found.input, str) else "",
                             record.name)  # fmt: skip

    def _insert(self, report: str, input: str, name: bytes) -> None:
        self._db.execute("INSERT OR IGNORE INTO documents VALUES (?, ?, ?)", (report, input, name))


def _canonical(whole: Any, data: bytes) -> bytes:
    """The same bytes for the same measurement."""
    content = {k: v for k, v in whole.items() if k not in COLLECTORS}
    try:
        return msgspec.json.encode(content, order="sorted")
    except (OverflowError, RecursionError, ValueError):
        return data  # a number that is none of JSON's; then only the same bytes are the same


def _looked_at(data: bytes, now: float) -> tuple[list[Mark], list[SetAside]]:
    try:
        found = read(data)
    except Exception as exc:  # noqa: BLE001 - a reader's bug is told, and costs no document
        log.error("a bug in a reader of OONI's documents: %s", type(exc).__name__)
        return [], [SetAside(line=0, reason=f"a bug in the reader: {type(exc).__name__}")]
    if not isinstance(found, Imported):
        return [], [SetAside(line=0, reason=found.reason[:MAX_REASON])]
    if found.run.started_at > now + CLOCK_DAYS * DAY:
        return [Mark(mark="future", line=0)], []
    return [], []


def _tells_where(probe_ip: str | None) -> bool:
    """OONI's probes write ``127.0.0.1``, unless told otherwise."""
    try:
        return ip_address(probe_ip or "").is_global
    except ValueError:
        return False
