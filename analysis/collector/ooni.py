"""OONI's protocol, as its probes speak it, for who wants to send here what they measure.

``POST /report``, ``/report/{id}``, ``/report/{id}/close`` (bk-003), ``/api/v1/submit_measurement``
(bk-006), ``/api/v1/check-in``, ``test-helpers`` (bk-004) and ``measurement_meta``. A document
is acknowledged as a batch is: after `fsync`, once by content. Reports need no memory: an id
tells what OONI's readers expect of it, with its time rounded to the hour, and any that
has the right form is taken, so that a collector may be killed between two documents.

What is not told: a verdict (`measurement_meta` has null where OONI has one, since nothing is
judged here) and a place (check-in answers with the AS that the probe says it is in).
"""

from __future__ import annotations

import re
import secrets
import string
import time
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import msgspec
import trio
from starlette.requests import Request

from analysis.collector.bodies import Body, Room, decoded
from analysis.collector.endpoints import Endpoint, Parameter, Peer
from analysis.collector.intake import stored_in
from analysis.collector.limits import Limits
from analysis.collector.metrics import Metrics
from analysis.collector.notes import MAX_REASON, OONI
from analysis.collector.ooni_documents import (
    Reports,
    envelope_of,
    name_begins,
    submitted,
    uid,
)
from analysis.collector.spool import Spool
from probe.serving.clients import Clients, Refused
from testlists import Target, builtin, builtin_names, select

T = TypeVar("T")

BACKEND_VERSION = "1.3.5"  # of OONI's, whose protocol this is
_REPORT = re.compile(
    "[0-9]{8}T[0-9]{6}Z_[A-Za-z0-9]{1,64}_[A-Z]{2}_[0-9]{1,10}_n[0-9]{1,3}_[A-Za-z0-9]{16}"
)
_LETTERS = string.ascii_letters + string.digits


class OpenReport(msgspec.Struct, kw_only=True):
    """A report to be opened."""

    test_name: str
    data_format_version: str = "0.2.0"
    format: str = "json"
    probe_asn: str = "AS0"
    probe_cc: str = "ZZ"
    software_name: str = ""
    software_version: str = ""
    test_version: str = ""
    test_start_time: str = ""


class OpenedReport(msgspec.Struct, kw_only=True):
    report_id: str
    backend_version: str = BACKEND_VERSION
    supported_formats: tuple[str, ...] = ("json",)


class Submission(msgspec.Struct, kw_only=True):
    """A document: an object, or the text of one."""

    content: msgspec.Raw
    format: str = "json"


class SubmissionSchema(msgspec.Struct, kw_only=True):
    """`Submission`, as the OpenAPI document tells it."""

    content: dict[str, Any] | str
    format: str = "json"


class Uid(msgspec.Struct, kw_only=True):
    measurement_uid: str


class Submitted(msgspec.Struct, kw_only=True):
    """*is_verified*: with an anonymous credential, which this collector does not ask for."""

    measurement_uid: str
    is_verified: bool = False


class Empty(msgspec.Struct):
    pass


class Helper(msgspec.Struct):
    address: str
    type: str = "https"


class CheckIn(msgspec.Struct, kw_only=True):
    class Web(msgspec.Struct):
        category_codes: list[str] | None = None

    probe_asn: str = "AS0"
    probe_cc: str = "ZZ"
    web_connectivity: Web | None = None


class URL(msgspec.Struct):
    url: str
    category_code: str
    country_code: str


class WebConnectivity(msgspec.Struct):
    report_id: str
    urls: list[URL]


class Tests(msgspec.Struct):
    web_connectivity: WebConnectivity


class Conf(msgspec.Struct):
    features: dict[str, bool]
    test_helpers: dict[str, list[Helper]]


class CheckedIn(msgspec.Struct, kw_only=True):
    conf: Conf
    probe_asn: str
    probe_cc: str
    tests: Tests
    utc_time: str
    v: int = 1


class Meta(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Of a document. *found* is false where there is none."""

    found: bool = True
    measurement_uid: str = ""
    report_id: str | None = None
    input: str | None = None
    test_name: str = ""
    test_start_time: str = ""
    measurement_start_time: str = ""
    probe_asn: str = ""
    probe_cc: str = ""
    scores: str = ""
    anomaly: bool | None = None
    confirmed: bool | None = None
    failure: bool | None = None


class Ooni:
    """The endpoints, storing in *spool*. *helpers* are URLs of test helpers to be told."""

    def __init__(
        self, spool: Spool, reports: Reports, clients: Clients, room: Room, limits: Limits,
        metrics: Metrics, peer: Peer, *, helpers: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self._spool = spool
        self._reports = reports
        self._clients = clients
        self._room = room
        self._limits = limits
        self._metrics = metrics
        self._peer = peer
        self._helpers = [Helper(url, url.partition(":")[0]) for url in helpers]
        self._readers = trio.CapacityLimiter(2)

    def endpoints(self) -> list[Endpoint]:
        report = Parameter("report_id", "path", "As the report was opened.")
        return [
            Endpoint("POST", "/report", self.open, "Open a report.", OpenReport, OpenedReport),
            Endpoint("POST", "/report/{report_id}", self.submit, "Submit a document.",
                     SubmissionSchema, Uid, parameters=(report,)),
            Endpoint("POST", "/report/{report_id}/close", self.close, "Close a report.",
                     None, Empty, parameters=(report,)),
            Endpoint("POST", "/api/v1/submit_measurement", self.submit_one,
                     "Submit a document that needs no report.", SubmissionSchema, Submitted),
            Endpoint("POST", "/api/v1/check-in", self.check_in,
                     "What to measure, and a report for it.", CheckIn, CheckedIn),
            Endpoint("GET", "/api/v1/test-helpers", self.test_helpers, "Which helpers there are.",
                     None, dict[str, list[Helper]]),
            Endpoint("GET", "/api/v1/measurement_meta", self.meta, "Whether a document is here.",
                     None, Meta, parameters=(
                         Parameter("measurement_uid", "query", "As the answer to it said."),
                         Parameter("report_id", "query", "With *input*: to which it was sent."),
                         Parameter("input", "query", "Of a nettest with one."),
                     )),
        ]  # fmt: skip

    async def open(self, request: Request) -> OpenedReport:
        asked = await self._asked(request, OpenReport)
        if asked.format != "json":
            raise Refused(400, "format is not json")
        return OpenedReport(report_id=_report_id(asked.test_name, asked.probe_cc, asked.probe_asn))

    async def submit(self, request: Request) -> Uid:
        report = _report(request)
        return Uid(measurement_uid=await self._submitted(request, report))

    async def submit_one(self, request: Request) -> Submitted:
        return Submitted(measurement_uid=await self._submitted(request, ""))

    async def close(self, request: Request) -> Empty:
        _report(request)
        return Empty()

    async def check_in(self, request: Request) -> CheckedIn:
        asked = await self._asked(request, CheckIn)
        categories = asked.web_connectivity.category_codes if asked.web_connectivity else None
        cc = asked.probe_cc if re.fullmatch("[A-Z]{2}", asked.probe_cc) else "ZZ"
        number = re.fullmatch("AS([0-9]{1,10})", asked.probe_asn)
        helpers = {"web-connectivity": self._helpers} if self._helpers else {}
        return CheckedIn(
            conf=Conf(features={}, test_helpers=helpers),
            probe_asn=f"AS{number[1]}" if number else "AS0",
            probe_cc=cc,
            tests=Tests(WebConnectivity(
                _report_id("web_connectivity", cc, asked.probe_asn),
                [URL(t.url, t.category, c) for c, t in _targets(cc, categories or None)],
            )),
            utc_time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )  # fmt: skip

    async def test_helpers(self, request: Request) -> dict[str, list[Helper]]:
        return {"web-connectivity": self._helpers} if self._helpers else {}

    async def meta(self, request: Request) -> Meta:
        self._spend(request)
        asked = request.query_params
        begins = name_begins(asked.get("measurement_uid", ""))
        if begins is not None:
            name = self._spool.begins_with(begins)
        else:
            name = self._reports.find(asked.get("report_id", ""), asked.get("input", ""))
        place = None if name is None else self._spool.place(name)
        if name is None or place is None:
            return Meta(found=False)
        record = await trio.to_thread.run_sync(self._spool.segments.read, place)
        if not record.flags & OONI:
            return Meta(found=False)
        e = envelope_of(record.payload)
        return Meta(
            measurement_uid=uid(name, e), report_id=e.report_id, test_name=e.test_name,
            input=e.input if isinstance(e.input, str) else None, scores="{}",
            test_start_time=e.test_start_time, measurement_start_time=e.measurement_start_time,
            probe_asn=e.probe_asn, probe_cc=e.probe_cc,
        )  # fmt: skip

    async def _submitted(self, request: Request, report: str) -> str:
        client = self._peer(request)
        self._clients.spend(f"documents {client}", self._limits.documents_per_client)
        with self._room.body(client) as body:
            asked = await self._decoded(request, body, Submission)
            self._clients.spend(
                f"bytes {client}", self._limits.bytes_per_client, len(bytes(asked.content))
            )
            if asked.format != "json":
                raise Refused(400, "format is not json")
            found = await trio.to_thread.run_sync(
                partial(submitted, _text(asked.content), report, client, time.time()),
                limiter=self._readers,
            )
            stored = await stored_in(self._spool, found.name, found.payload, OONI, found.note)
        if report and stored == "now":
            self._reports.add(report, found.input, found.name)
        self._metrics.stored(stored, "ooni")
        return found.uid

    async def _asked(self, request: Request, kind: type[T]) -> T:
        """A small question."""
        self._spend(request)
        with self._room.body(self._peer(request)) as body:
            return await self._decoded(request, body, kind)

    async def _decoded(self, request: Request, body: Body, kind: type[T]) -> T:
        most = self._limits.document_bytes
        data = await body.read(request, most)
        encoding = request.headers.get("content-encoding", "")
        text = await trio.to_thread.run_sync(decoded, data, encoding, most)
        try:
            return msgspec.json.decode(text, type=kind)
        except RecursionError:
            raise Refused(400, "nested too deeply") from None
        except (msgspec.MsgspecError, UnicodeError) as exc:
            raise Refused(400, str(exc)[:MAX_REASON]) from None

    def _spend(self, request: Request) -> None:
        self._clients.spend(
            f"questions {self._peer(request)}", self._limits.questions_per_client
        )


def _text(content: msgspec.Raw) -> bytes:
    """The document's text; `Submission.content` may be a string of it.

    Without the space around it, which an object loses on its way: one document is the same
    bytes over either call, and as `zond import` keeps them.
    """
    raw = bytes(content).strip()
    if not raw.startswith(b'"'):
        return raw
    try:
        return msgspec.json.decode(raw, type=str).encode().strip()
    except (msgspec.MsgspecError, UnicodeError) as exc:
        raise Refused(400, str(exc)[:MAX_REASON]) from None


def _report(request: Request) -> str:
    report = str(request.path_params["report_id"])
    if not _REPORT.fullmatch(report):
        raise Refused(400, "that is no report's id")
    return report


def _report_id(test: str, cc: str, asn: str) -> str:
    test = "".join(c for c in test if c.isascii() and c.isalnum())[:64]
    if not test:
        raise Refused(400, "no test_name")
    number = re.fullmatch("(?:AS)?([0-9]{1,10})", asn)
    cc = cc if re.fullmatch("[A-Z]{2}", cc) else "ZZ"
    hour = datetime.now(UTC).strftime("%Y%m%dT%H0000Z")
    tail = "".join(secrets.choice(_LETTERS) for _ in range(16))
    return f"{hour}_{test}_{cc}_{number[1] if number else 0}_n1_{tail}"


def _targets(cc: str, categories: list[str] | None) -> list[tuple[str, Target]]:
    """The lists that come with zond for a country, without what is dangerous to ask for."""
    found = []
    for name, code in (("global", "XX"), (cc.lower(), cc)):
        if name in builtin_names():
            chosen = select(builtin(name)[0], categories=categories, max_risk="medium")
            found += [(code, target) for target in chosen]
    secrets.SystemRandom().shuffle(found)
    return found
