"""Measurements to a collector that speaks OONI's protocol; only where the user asks for it.

Rule: a document's bytes are made once and kept until the collector has said under which uid it
has them, so that every attempt sends the same. More the protocol does not allow: OONI's
collector does not know a document again. So where an answer is lost on the way the document
is sent again, and may be there twice, under two uids and one ``id``; it is never lost. And
an answer is no proof, as a receipt of ours is: whoever is on the way can give it.

Protocol: ``POST /report`` (bk-003) opens a report for each run; ``POST
/api/v1/submit_measurement`` (bk-006) takes a document, or, where that is not known,
``POST /report/{id}``.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2
import msgspec
import trio

from probe import __version__
from probe.control.transport import named_failures
from probe.documents import packed, unpacked
from probe.exporting import Item, Scrubbing, Written, items
from probe.failure import Failure, NetworkFailure
from probe.formats.ooni_export import NotOONI, document
from probe.formats.ooni_export.document import FORMAT_VERSION, SOFTWARE, TEST_VERSION
from probe.schema import explained, open_database
from probe.store import Store
from probe.upload.ways_out import WayOut, open_way

SECONDS = 60.0  # for one answer
MAX_ANSWER = 64 * 1024  # bytes
GIVE_UP = 3  # failures in a row, after which the collector is left for another time
MAX_NAME = 200  # characters of an id that a collector gives
LATER = frozenset({408, 425, 429})  # of 4xx, what is said of the moment and not of the document

T = TypeVar("T", bound=msgspec.Struct)


@dataclass(kw_only=True)
class Submitted:
    """How it went: documents *accepted* now, *remaining*; *withheld* as in `Written`."""

    accepted: int = 0
    remaining: int = 0
    withheld: int = 0
    troubles: Counter[str] = field(default_factory=Counter)


class _Report(msgspec.Struct):
    report_id: str


class _Uid(msgspec.Struct):
    measurement_uid: str


class Submissions:
    """What is to go, and has gone, to one collector; in the database at *path*."""

    def __init__(self, path: Path, collector: str, *, write: bool = True) -> None:
        self.path, self.collector = path, collector.rstrip("/")
        self._db = open_database(path, write=write)

    def close(self) -> None:
        with explained(self.path):
            self._db.close()

    def known(self) -> set[str]:
        """Measurements whose documents are made."""
        return {id for (id,) in self._rows("SELECT measurement FROM ooni_documents"
                                           " WHERE collector = ?")}  # fmt: skip

    def add(self, measurement: str, report: str, data: bytes) -> None:
        """Keep the bytes of a document until it is accepted."""
        row = {"measurement": measurement, "collector": self.collector, "report": report,
               "sha256": _sha256(data), "accepted_at": 0.0, "uid": ""}  # fmt: skip
        with explained(self.path), self._db.atomic():
            self._db.table("ooni_documents").insert(row | packed(data))

    def waiting(self) -> list[str]:
        return [id for (id,) in self._rows("SELECT measurement FROM ooni_documents WHERE"
                                           " collector = ? AND accepted_at = 0 ORDER BY rowid")]

    def document(self, measurement: str) -> tuple[str, bytes]:
        """The report of a document that waits, and its bytes."""
        for report, sha256, size, data in self._rows(
            "SELECT report, sha256, size, data FROM ooni_documents WHERE collector = ?"
            " AND measurement = ?", measurement,
        ):  # fmt: skip
            return report, unpacked(sha256, size, data)
        raise KeyError(measurement)

    def accept(self, measurement: str, uid: str) -> None:
        """It is there, under *uid*; its bytes are needed no more."""
        with explained(self.path), self._db.atomic():
            self._db.execute(
                "UPDATE ooni_documents SET accepted_at = ?, uid = ?, data = x'' WHERE"
                " collector = ? AND measurement = ?",
                (time.time(), uid, self.collector, measurement),
            )

    def _rows(self, sql: str, *more: str) -> Iterator[tuple[Any, ...]]:
        with explained(self.path):
            yield from self._db.execute(sql, (self.collector, *more)).fetchall()


async def submit(
    path: Path, collector: str, way: WayOut, scrubber: Scrubbing
) -> Submitted:
    """Send every measurement of *path*'s finished runs that *collector* does not have yet.

    Trouble on the way is counted and not raised; what failed waits for the next time. Raises
    `StoreError`.
    """
    done = Submitted()
    submissions = Submissions(path, collector)
    try:
        async with open_way(way, collector) as client:
            talk = _Talk(client, submissions.collector)
            with Store(path) as store:
                await _make(store, scrubber, submissions, talk, done)
            failures = 0
            for id in submissions.waiting():
                try:
                    submissions.accept(id, await talk.submit(*submissions.document(id)))
                    done.accepted, failures = done.accepted + 1, 0
                except _Refusal as exc:  # of this document: those behind it must not wait for it
                    done.troubles[str(exc)] += 1
                    failures = 0
                except NetworkFailure as exc:
                    done.troubles[str(exc) or exc.failure.value] += 1
                    failures += 1
                    if failures >= GIVE_UP:
                        break
        done.remaining = len(submissions.waiting())
    finally:
        submissions.close()
    return done


def would_go(path: Path, collector: str, scrubber: Scrubbing, withheld: Written) -> Iterator[bytes]:
    """The documents that `submit` would send, the new ones without the id of a report that
    the collector gives first. Changes nothing. Raises `StoreError`."""
    submissions = Submissions(path, collector, write=False)
    try:
        for id in submissions.waiting():
            yield submissions.document(id)[1]
        with Store(path) as store:
            for item in _new(store, scrubber, submissions, withheld):
                try:
                    yield document(item.run, item.measurement, item.follow_ups, item.canaries)
                except NotOONI:
                    continue
    finally:
        submissions.close()


def _new(
    store: Store, scrubber: Scrubbing, submissions: Submissions, written: Written
) -> Iterator[Item]:
    """What was measured here, in runs that have ended, and has no document yet."""
    known = submissions.known()
    for item in items(store, scrubber, written):
        if not item.document and item.measurement.id not in known and item.run.ended:
            yield item


async def _make(
    store: Store, scrubber: Scrubbing, submissions: Submissions, talk: _Talk, done: Submitted
) -> None:
    """Make the documents of what is new, each run's in a report of its own."""
    written = Written()
    reports: dict[str, str] = {}
    for item in _new(store, scrubber, submissions, written):
        m = item.measurement
        if item.run.id not in reports:
            try:
                reports[item.run.id] = await talk.open(item.run.probe_asn, item.run.probe_cc)
            except NetworkFailure as exc:
                done.troubles[str(exc) or exc.failure.value] += 1
                break
        report = reports[item.run.id]
        try:
            data = document(item.run, m, item.follow_ups, item.canaries, report_id=report)
        except NotOONI:
            continue
        submissions.add(m.id, report, data)
    done.withheld = written.withheld


class _Refusal(NetworkFailure):
    """The collector does not take this, now or later."""


class _Talk:
    """The protocol, with a client. Every method raises `NetworkFailure`."""

    def __init__(self, client: httpx2.AsyncClient, url: str) -> None:
        self._client, self._url = client, url
        self._legacy = False

    async def open(self, asn: int, cc: str) -> str:
        now = time.strftime("%Y-%m-%d %H:00:00", time.gmtime())
        said = {
            "data_format_version": FORMAT_VERSION, "format": "json", "probe_asn": f"AS{asn}",
            "probe_cc": cc, "software_name": SOFTWARE, "software_version": __version__,
            "test_name": "web_connectivity", "test_version": TEST_VERSION, "test_start_time": now,
        }  # fmt: skip
        return _decoded(await self._post("/report", msgspec.json.encode(said)), _Report).report_id

    async def submit(self, report: str, data: bytes) -> str:
        """The uid under which the collector has *data*."""
        if not self._legacy:
            body = {"format": "json", "content": data.decode()}
            status, answer = await self._ask(
                "/api/v1/submit_measurement", msgspec.json.encode(body)
            )
            if status not in (404, 405, 501):
                return _uid(_ok(status, answer))
            self._legacy = True  # an older collector
        content = b'{"format":"json","content":' + data + b"}"
        return _uid(await self._post(f"/report/{quote(report, safe='')}", content))

    async def _post(self, path: str, body: bytes) -> bytes:
        return _ok(*await self._ask(path, body))

    async def _ask(self, path: str, body: bytes) -> tuple[int, bytes]:
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        with trio.move_on_after(SECONDS), named_failures():
            response = await self._client.post(self._url + path, content=body, headers=headers)
            if len(response.content) > MAX_ANSWER:
                raise NetworkFailure(Failure.MESSAGE_SIZE, "an answer that is too long")
            return response.status_code, response.content
        raise NetworkFailure(Failure.TIMEOUT, f"not answered in {SECONDS:g} s")


def _ok(status: int, answer: bytes) -> bytes:
    if status // 100 == 4 and status not in LATER:
        raise _Refusal(Failure.UNKNOWN, f"refused with {status}")
    if status // 100 != 2:
        raise NetworkFailure(Failure.UNKNOWN, f"answered {status}")
    return answer


def _uid(answer: bytes) -> str:
    uid = _decoded(answer, _Uid).measurement_uid
    if not 0 < len(uid) <= MAX_NAME:
        raise NetworkFailure(Failure.JSON_PARSE, "an answer without a uid")
    return uid


def _decoded(answer: bytes, type: type[T]) -> T:
    try:
        return msgspec.json.decode(answer, type=type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise NetworkFailure(Failure.JSON_PARSE, "an answer that cannot be read") from None


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
