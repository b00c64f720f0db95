"""OONI's protocol, as its probes speak it."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from analysis.collector import keeping
from analysis.collector.ooni_documents import submitted
from analysis.collector.reading import ReceivedOoni, received
from probe.serving.clients import Refused
from tests.collector.service import Running, asked, collector, line, some_batch, some_measurement

OPEN = {
    "data_format_version": "0.2.0", "format": "json", "probe_asn": "AS6697", "probe_cc": "BY",
    "software_name": "miniooni", "software_version": "3.30.0", "test_name": "web_connectivity",
    "test_start_time": "2026-11-22 10:00:00", "test_version": "0.5.28",
}  # fmt: skip


def measurement(**fields: Any) -> dict[str, Any]:
    """A document as ooni.md section 5 has it: df-000 with df-002, 005 and 006."""
    return {
        "annotations": {"engine_name": "ooniprobe-engine", "platform": "linux"},
        "data_format_version": "0.2.0",
        "extensions": {"dnst": 0, "tcpconnect": 0},
        "input": "https://example.org/",
        "measurement_start_time": "2026-11-22 10:00:01",
        "probe_asn": "AS6697", "probe_cc": "BY", "probe_ip": "127.0.0.1",
        "probe_network_name": "Republican Unitary Telecommunication Enterprise Beltelecom",
        "report_id": "", "resolver_asn": "AS6697", "resolver_ip": "127.0.0.2",
        "resolver_network_name": "Beltelecom", "software_name": "miniooni",
        "software_version": "3.30.0",
        "test_helpers": {"backend": {"address": "https://0.th.ooni.org", "type": "https"}},
        "test_keys": {
            "agent": "redirect", "accessible": True, "blocking": False, "requests": [],
            "queries": [{
                "answers": [{"answer_type": "A", "ipv4": "93.184.216.34", "ttl": None}],
                "engine": "getaddrinfo", "failure": None, "hostname": "example.org",
                "query_type": "ANY", "resolver_hostname": None, "resolver_port": None,
                "resolver_address": "", "t": 0.02, "transaction_id": 10001,
            }],
            "tcp_connect": [{
                "ip": "93.184.216.34", "port": 443, "t0": 0.02, "t": 0.06, "transaction_id": 3,
                "status": {"failure": None, "success": True}, "tags": ["depth=0"],
            }],
        },
        "test_name": "web_connectivity", "test_runtime": 0.9,
        "test_start_time": "2026-11-22 10:00:00", "test_version": "0.5.28",
    } | fields  # fmt: skip


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("ooni")
    with collector(data, "--helper", "https://helper.example/") as running:
        yield running


def opened(running: Running, **fields: str) -> str:
    answer = asked("POST", f"{running.url}report", json=OPEN | fields)
    assert answer.status_code == 200
    assert "json" in answer.json()["supported_formats"]
    return str(answer.json()["report_id"])


def submit(running: Running, report: str, content: Any) -> httpx2.Response:
    body = {"format": "json", "content": content}
    return asked("POST", f"{running.url}report/{report}", json=body)


def held(running: Running) -> dict[str, bytes]:
    return {i.uid: i.document for i in received(running.data) if isinstance(i, ReceivedOoni)}


def test_a_measurement_goes_from_open_to_close_and_is_kept_as_it_is(running: Running) -> None:
    report = opened(running)
    document = measurement(report_id=report, input="https://whole.example/")
    answer = submit(running, report, document)
    assert answer.status_code == 200
    uid = answer.json()["measurement_uid"]
    assert uid.startswith("20261122100001.") and "_BY_webconnectivity_" in uid
    assert json.loads(held(running)[uid]) == document
    closed = asked("POST", f"{running.url}report/{report}/close")
    assert (closed.status_code, closed.json()) == (200, {})


def test_a_report_id_has_the_form_that_oonis_readers_expect(running: Running) -> None:
    parts = opened(running, probe_cc="IT", probe_asn="AS30722").split("_")
    time.strptime(parts[0], "%Y%m%dT%H%M%SZ")
    assert parts[1:5] == ["webconnectivity", "IT", "30722", "n1"]
    assert len(parts[5]) == 16


def test_the_same_measurement_is_one_under_any_report_and_over_either_call(
    running: Running,
) -> None:
    first, second = opened(running), opened(running)
    uids = [
        submit(running, first, measurement(report_id=first, input="https://b.example/")),
        submit(running, first, measurement(report_id=first, input="https://b.example/")),
        submit(running, second, measurement(report_id=second, input="https://b.example/")),
        asked("POST", f"{running.url}api/v1/submit_measurement", json={
            "format": "json", "nym": None, "zkp_request": None, "manifest_version": None,
            "protocol_version": None,
            "content": json.dumps(measurement(input="https://b.example/"), indent=2),
        }),
    ]  # fmt: skip
    assert {a.status_code for a in uids} == {200}
    assert len({a.json()["measurement_uid"] for a in uids}) == 1
    other = submit(running, first, measurement(report_id=first, input="https://c.example/"))
    assert other.json()["measurement_uid"] != uids[0].json()["measurement_uid"]
    documents = [d for d in held(running).values() if b"b.example" in d]
    assert len(documents) == 1


def test_a_document_that_has_no_reader_is_kept(running: Running) -> None:
    report = opened(running, test_name="hologram")
    answer = submit(running, report, measurement(test_name="hologram", report_id=report))
    assert answer.status_code == 200
    (item,) = [i for i in received(running.data) if b"hologram" in getattr(i, "document", b"")]
    assert isinstance(item, ReceivedOoni)
    assert "no reader" in item.note.set_aside[0].reason


def test_a_measurement_is_found_again_by_uid_and_by_report(running: Running) -> None:
    report = opened(running)
    url = "https://found.example/"
    answer = submit(running, report, measurement(report_id=report, input=url))
    uid = answer.json()["measurement_uid"]
    meta = f"{running.url}api/v1/measurement_meta"
    by_uid = asked("GET", meta, params={"measurement_uid": uid}).json()
    by_report = asked("GET", meta, params={"report_id": report, "input": url}).json()
    assert by_uid == by_report
    assert by_uid["report_id"] == report and by_uid["input"] == url
    assert by_uid["probe_cc"] == "BY"
    assert "anomaly" not in by_uid  # nothing is judged here
    absent = asked("GET", meta, params={"measurement_uid": uid[:-4] + "0000"}).json()
    assert absent["found"] is False


def test_no_batch_is_told_as_a_document_of_oonis(running: Running) -> None:
    name, packed, _ = some_batch(line(some_measurement()), key=Ed25519PrivateKey.generate())
    assert asked("PUT", f"{running.url}v1/batches/{name}", content=packed).status_code == 200
    uid = f"20261122100001.000000_BY_webconnectivity_{name[:16]}"
    meta = asked("GET", f"{running.url}api/v1/measurement_meta", params={"measurement_uid": uid})
    assert meta.json()["found"] is False


def test_check_in_and_helpers_are_enough_for_a_probe_to_begin(running: Running) -> None:
    question = {
        "charging": True, "on_wifi": True, "platform": "linux", "probe_asn": "AS6697",
        "probe_cc": "BY", "run_type": "timed", "software_name": "miniooni",
        "software_version": "3.30.0", "web_connectivity": {"category_codes": ["NEWS"]},
    }  # fmt: skip
    answer = asked("POST", f"{running.url}api/v1/check-in", json=question).json()
    web = answer["tests"]["web_connectivity"]
    assert web["urls"] and {u["category_code"] for u in web["urls"]} == {"NEWS"}
    assert (answer["probe_asn"], answer["probe_cc"], answer["v"]) == ("AS6697", "BY", 1)
    assert submit(running, web["report_id"], measurement()).status_code == 200
    helpers = asked("GET", f"{running.url}api/v1/test-helpers").json()
    expected = [{"address": "https://helper.example/", "type": "https"}]
    assert helpers["web-connectivity"] == expected
    assert answer["conf"]["test_helpers"]["web-connectivity"] == expected


def test_compressed_submissions_are_read_within_bounds(running: Running) -> None:
    report = opened(running)
    body = json.dumps({"format": "json", "content": measurement(input="https://gz.example/")})
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    url = f"{running.url}report/{report}"
    good = asked("POST", url, content=gzip.compress(body.encode()), headers=headers)
    bomb = asked("POST", url, content=gzip.compress(bytes(200 * 2**20)), headers=headers)
    other = asked("POST", url, content=b"x", headers={"content-encoding": "br"})
    cut = asked("POST", url, content=gzip.compress(body.encode())[:-9], headers=headers)
    assert [good.status_code, bomb.status_code, other.status_code, cut.status_code] == [
        200, 413, 415, 400,
    ]  # fmt: skip


@pytest.mark.parametrize("content", [
    [], 7, None, "rubbish", {"test_name": 7}, {"test_name": ""}, "[" * 100_000,
])  # fmt: skip
def test_what_is_no_measurement_is_refused_with_a_reason(running: Running, content: Any) -> None:
    before = len(held(running))
    answer = submit(running, opened(running), content)
    assert answer.status_code in (400, 422)
    assert answer.json()["reason"]
    assert len(held(running)) == before


def test_a_report_of_no_known_form_is_refused(running: Running) -> None:
    for report in ("x", "..%2f..%2fetc", "20261122T100000Z_a_BY_1_n1_" + "a" * 15):
        assert submit(running, report, measurement()).status_code in (400, 404)


def test_a_document_that_tells_the_clients_address_is_not_kept() -> None:
    told = json.dumps(measurement(annotations={"me": "at 8.8.4.4, at home"})).encode()
    with pytest.raises(Refused, match="address"):
        submitted(told, "", "8.8.4.4", time.time())
    submitted(told, "", "8.8.4.40", time.time())
    submitted(told, "", "127.0.0.1", time.time())


def test_a_document_that_names_its_probe_is_marked() -> None:
    told = json.dumps(measurement(probe_ip="8.8.4.4")).encode()
    with pytest.raises(Refused, match="address"):
        submitted(told, "", "8.8.4.4", time.time())
    marks = submitted(told, "", "192.0.2.1", time.time()).note.marks
    assert [mark.mark for mark in marks] == ["own_probe_ip"]
    assert submitted(json.dumps(measurement()).encode(), "", "", time.time()).note.marks == ()


def test_what_was_sent_is_there_after_kill_and_found_without_the_lists(tmp_path: Path) -> None:
    with collector(tmp_path) as running:
        report = opened(running)
        uid = submit(running, report, measurement(report_id=report)).json()["measurement_uid"]
        running.kill()
    for path in [*tmp_path.glob("*.db*"), *(tmp_path / "spool").glob("*.db*")]:
        path.unlink()
    with collector(tmp_path) as running:
        again = submit(running, report, measurement(report_id=report)).json()["measurement_uid"]
        meta = asked(
            "GET", f"{running.url}api/v1/measurement_meta",
            params={"report_id": report, "input": "https://example.org/"},
        ).json()
    assert uid == again == meta["measurement_uid"]
    assert keeping.verify(tmp_path).ooni == 1
