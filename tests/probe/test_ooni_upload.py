"""Documents go to a collector that speaks OONI's protocol: once, as far as that is possible."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import pytest

from probe.evidence import Run
from probe.formats.ooni import Imported, read
from probe.store import Store
from tests.analysis.build import BOTH, RUN, Scene

ZOND = "from probe.cli import main; main()"
REPORT = "20261122T130000Z_webconnectivity_BY_6697_n1_abcdefghijklmnop"


class Collector(ThreadingHTTPServer):
    """OONI's, as ooni/spec tells of it. *modern*: it knows submit_measurement."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.modern = True
        self.silent = False  # takes a document, and says nothing that can be used
        self.refusing: set[str] = set()  # ids of documents that are refused
        self.opened: list[dict[str, Any]] = []
        self.taken: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/report":
            self.server.opened.append(body)
            return self._answer(200, {"report_id": REPORT, "backend_version": "1.3.5"})
        if self.path == "/api/v1/submit_measurement" and self.server.modern:
            if json.loads(body["content"])["id"] in self.server.refusing:
                return self._answer(400, {"reason": "not this one"})
            self.server.taken.append(body["content"].encode())
        elif self.path == f"/report/{REPORT}":
            self.server.taken.append(json.dumps(body["content"]).encode())
        else:
            return self._answer(404, {})
        if self.server.silent:
            return self._answer(502, {})
        self._answer(200, {"measurement_uid": f"uid-{len(self.server.taken)}"})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "zond.db"
    measure(path, RUN)
    return path


def measure(path: Path, run: Run) -> None:
    scene = Scene("https://www.wikipedia.org/").names().control_names().asked(*BOTH).visit()
    plain = msgspec.structs.replace(scene.measurement(ident=f"m-{run.id}"), run_id=run.id)
    with Store(path, write=True) as store:
        store.begin_run(run, [])
        store.append([plain])


def upload(db: Path, url: str, tmp_path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    config = tmp_path / "zond.toml"
    config.write_text("[upload]\npersonal = true\n")
    return subprocess.run(
        [sys.executable, "-c", ZOND, "upload", "--db", db, "--config", config, "--ooni", url,
         *more],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("modern", [True, False])
def test_each_measurement_is_sent_once(
    collector: Collector, db: Path, tmp_path: Path, modern: bool
) -> None:
    collector.modern = modern
    for _ in range(2):
        done = upload(db, collector.url, tmp_path)
        assert done.returncode == 0, done.stderr
    (taken,) = collector.taken
    assert [opened["probe_asn"] for opened in collector.opened] == ["AS6697"]
    assert json.loads(taken)["report_id"] == REPORT
    found = read(taken)
    assert isinstance(found, Imported)
    assert found.measurements[0].id == "m-run"


def test_after_an_answer_that_was_lost_the_same_bytes_are_sent_again(
    collector: Collector, db: Path, tmp_path: Path
) -> None:
    collector.silent = True
    assert upload(db, collector.url, tmp_path).returncode == 1
    collector.silent = False
    assert upload(db, collector.url, tmp_path).returncode == 0
    first, second = collector.taken
    assert first == second


def test_what_is_refused_keeps_nothing_behind_it_from_going(
    collector: Collector, tmp_path: Path
) -> None:
    path = tmp_path / "many.db"
    for number in range(6):
        measure(path, msgspec.structs.replace(RUN, id=f"run{number}"))
    collector.refusing = {f"m-run{number}" for number in range(5)}
    done = upload(path, collector.url, tmp_path)
    assert 5 == done.returncode, done.stderr
    assert "5 x refused with 400" in done.stderr
    assert ["m-run5"] == [json.loads(data)["id"] for data in collector.taken]
    collector.refusing = set()
    assert 0 == upload(path, collector.url, tmp_path).returncode
    assert 6 == len(collector.taken)


def test_a_dry_run_shows_the_documents_and_sends_none(
    collector: Collector, db: Path, tmp_path: Path
) -> None:
    shown = upload(db, collector.url, tmp_path, "--dry-run")
    assert 0 == shown.returncode, shown.stderr
    assert not collector.opened and not collector.taken
    assert 0 == upload(db, collector.url, tmp_path).returncode
    (before,) = map(json.loads, shown.stdout.splitlines())
    (sent,) = map(json.loads, collector.taken)
    assert before | {"report_id": REPORT} == sent
    assert not upload(db, collector.url, tmp_path, "--dry-run").stdout


def test_a_run_that_goes_on_waits(collector: Collector, tmp_path: Path) -> None:
    path = tmp_path / "going.db"
    measure(path, msgspec.structs.replace(RUN, ended="", ended_at=None))
    assert upload(path, collector.url, tmp_path).returncode == 0
    assert not collector.taken


def test_nothing_goes_in_the_clear_to_another_machine(db: Path, tmp_path: Path) -> None:
    done = upload(db, "http://collector.example", tmp_path)
    assert done.returncode == 1
    assert "https only" in done.stderr
