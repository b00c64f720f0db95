"""What cannot be read is said, and kept where it does no harm."""

from __future__ import annotations

import time
from pathlib import Path

import httpx2
import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from analysis.collector import keeping
from analysis.collector.documents import read
from analysis.collector.limits import Limits
from analysis.collector.reading import Received, received
from probe.formats import batch
from tests.collector.service import (
    asked,
    collector,
    line,
    run_line,
    some_batch,
    some_measurement,
    some_run,
)

DEEP = b'{"kind":"run","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
BAD = {
    b"rubbish": "JSON is malformed",
    b"[]": "Expected `object`",
    b'{"id":"00"}': "missing required field `kind`",
    b'{"kind":"verdict"}': "'verdict' are not known",
    b'{"kind":"measurement","id":"00"}': "missing required field",
    line(some_measurement(id="../../etc")): "id is not hex",
    line(some_measurement(started_at=1e300)): "started_at is no time",
    line(some_measurement(started_at=-1.0)): "started_at is no time",
    line(some_measurement(nettest="x" * 1000)): "nettest is longer",
    line(some_measurement(nettest="")): "no nettest",
    line(some_measurement()).replace(b'"runtime":0.5', b'"runtime":1e999'): "out of range",
    line(some_measurement(url="\x00")).replace(b"\\u0000", b"\xff"): "utf-8",
    run_line(some_run(probe_cc="by")): "'by' is no country",
    run_line(some_run(probe_asn=-1)): "-1 is no AS number",
    run_line(some_run(probe_asn=2**40)): "is no AS number",
    DEEP: "nested too deeply",
}


def test_each_way_of_being_wrong_has_its_reason() -> None:
    for document, reason in BAD.items():
        found = read((document,))
        assert not found.readable, document[:80]
        (aside,) = found.set_aside
        assert aside.line == 1
        assert reason in aside.reason


def test_an_id_counts_once_in_a_batch() -> None:
    document = line(some_measurement())
    found = read((document, document))
    assert list(found.measurements) == [1]
    assert [a.line for a in found.set_aside] == [2]


def put(url: str, name: str, body: bytes) -> httpx2.Response:
    return asked("PUT", f"{url}v1/batches/{name}", content=body)


def test_a_document_that_cannot_be_read_costs_no_other(tmp_path: Path) -> None:
    run = some_run()
    documents = (run_line(run), b'{"kind":"measurement"}', line(some_measurement(run.id)))
    name, packed, header = some_batch(*documents)
    with collector(tmp_path) as running:
        answer = put(running.url, name, packed)
    assert answer.status_code == 200
    told = answer.json()
    assert told["receipt"] == batch.receipt(header, name)
    assert [a["line"] for a in told["set_aside"]] == [2]
    (item,) = received(tmp_path)
    assert isinstance(item, Received)
    assert item.batch.documents == documents  # nothing is taken out
    assert [a.line for a in item.note.set_aside] == [2]
    assert keeping.verify(tmp_path).whole


def test_a_batch_that_nobody_can_read_is_refused_and_kept_apart(tmp_path: Path) -> None:
    newer, packed_newer, _ = some_batch(b'{"kind":"hologram"}')
    early, packed_early, _ = some_batch(line(some_measurement()), now=time.time() + 90 * 86400)
    with collector(tmp_path) as running:
        answers = [
            put(running.url, newer, packed_newer),
            put(running.url, newer, packed_newer),
            put(running.url, early, packed_early),
        ]
    assert [a.status_code for a in answers] == [422, 422, 422]
    assert "hologram" in answers[0].json()["reason"]
    assert list(received(tmp_path)) == []
    aside = {record.name.hex(): reason for record, reason in keeping.quarantined(tmp_path)}
    assert set(aside) == {newer, early}
    assert "hologram" in aside[newer] and "clock" in aside[early]
    assert sum(keeping.state(tmp_path).quarantined.values()) == 2
    # What can be read by now comes out of it; the other stays.
    assert trio.run(keeping.release, tmp_path) == 0
    assert trio.run(keeping.release, tmp_path, Limits(days_ahead=100)) == 1
    assert trio.run(keeping.release, tmp_path, Limits(days_ahead=100)) == 0
    (item,) = received(tmp_path)
    assert isinstance(item, Received) and item.batch.sha256 == early


def test_a_header_that_nests_too_deeply_is_refused(tmp_path: Path) -> None:
    text = DEEP + b"\n"
    with collector(tmp_path) as running:
        name = batch.name(text)
        answer = put(running.url, name, batch.pack(text, Ed25519PrivateKey.generate()))
        assert asked("GET", f"{running.url}health").status_code == 200
    assert answer.status_code == 400
