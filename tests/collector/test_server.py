"""The collector, as a volunteer's program meets it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx2

from analysis.collector.spool import Spool
from probe.formats import batch
from probe.formats.batch import CollectorKey
from tests.collector.service import ZOND, asked, collector, line, some_batch, some_measurement

DOCUMENT = line(some_measurement())


def put(url: str, name: str, body: bytes) -> httpx2.Response:
    return asked("PUT", f"{url}v1/batches/{name}", content=body)


def held(data: Path) -> dict[bytes, bytes]:
    with Spool(data / "spool") as spool:
        return {record.name: record.payload for record in spool.records()}


def test_a_batch_is_acknowledged_with_a_receipt_and_kept_once(tmp_path: Path) -> None:
    name, packed, header = some_batch(DOCUMENT)
    with collector(tmp_path) as running:
        first = put(running.url, name, packed)
        again = put(running.url, name, packed)
    assert first.status_code == again.status_code == 200
    assert first.json() == {
        "sha256": name, "receipt": batch.receipt(header, name), "stored": "now",
    }  # fmt: skip
    assert again.json()["stored"] == "before"
    assert held(tmp_path) == {bytes.fromhex(name): packed}


def test_a_sealed_batch_is_the_same_batch(tmp_path: Path) -> None:
    name, packed, _ = some_batch(DOCUMENT)
    with collector(tmp_path) as running:
        key = CollectorKey(asked("GET", f"{running.url}v1/key").text)
        assert put(running.url, name, key.seal(packed)).json()["stored"] == "now"
        assert put(running.url, name, packed).json()["stored"] == "before"
    assert held(tmp_path) == {bytes.fromhex(name): packed}


def test_the_key_stays_over_a_restart(tmp_path: Path) -> None:
    keys = []
    for _ in range(2):
        with collector(tmp_path) as running:
            keys.append(asked("GET", f"{running.url}v1/key").text)
    assert keys[0] == keys[1]
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600


def test_what_is_refused_is_told_why_and_not_kept(tmp_path: Path) -> None:
    name, packed, _ = some_batch(DOCUMENT)
    early, packed_early, _ = some_batch(DOCUMENT, month="2999-01")
    old, packed_old, _ = some_batch(DOCUMENT, month="2001-01")
    odd, packed_odd, _ = some_batch(DOCUMENT, month="soon")
    with collector(tmp_path) as running:
        answers = [
            put(running.url, name, b"rubbish"),
            put(running.url, name, packed[:-1]),
            put(running.url, "00" * 32, packed),
            put(running.url, early, packed_early),
            put(running.url, old, packed_old),
            put(running.url, odd, packed_odd),
            put(running.url, name, b"x" * (9 * 2**20)),
            asked("GET", f"{running.url}nothing"),
        ]
        assert asked("GET", f"{running.url}health").json()["batches"] == 0
    assert [a.status_code for a in answers] == [400, 400, 400, 422, 422, 422, 413, 404]
    assert all(a.json()["reason"] for a in answers)
    assert held(tmp_path) == {}


def test_where_seals_are_asked_for_plain_batches_are_refused(tmp_path: Path) -> None:
    name, packed, _ = some_batch(DOCUMENT)
    with collector(tmp_path, "--need-seal") as running:
        key = CollectorKey(asked("GET", f"{running.url}v1/key").text)
        assert put(running.url, name, packed).status_code == 400
        assert put(running.url, name, key.seal(packed)).status_code == 200


def test_a_killed_collector_has_all_that_it_acknowledged(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        with collector(tmp_path) as running:
            for n in range(10):
                name, packed, _ = some_batch(DOCUMENT, str(n).encode())
                assert put(running.url, name, packed).status_code == 200
                names.append(bytes.fromhex(name))
            running.kill()
    assert set(held(tmp_path)) == set(names)


def test_counts_are_there_for_the_operator(tmp_path: Path) -> None:
    name, packed, _ = some_batch(DOCUMENT)
    with collector(tmp_path) as running:
        put(running.url, name, packed)
        put(running.url, name, b"rubbish")
        text = asked("GET", f"{running.url}metrics").text
    assert 'zond_batches_acknowledged_total{stored="now"} 1.0' in text
    assert 'zond_requests_refused_total{status="400"} 1.0' in text
    assert "zond_batches_held 1.0" in text


def test_a_second_collector_in_the_same_place_says_so(tmp_path: Path) -> None:
    with collector(tmp_path):
        second = subprocess.run(
            [ZOND, "collector", "serve", "--listen", "127.0.0.1:0", "--data", tmp_path],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert second.returncode == 1
    assert "another collector" in second.stderr and "Traceback" not in second.stderr
