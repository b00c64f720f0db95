"""`zond upload` as a volunteer types it, against the collector as its operator runs it."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio
from click.testing import CliRunner, Result
from filelock import FileLock

from analysis.collector.spool import Spool
from probe import places
from probe.cli import zond
from probe.commands.upload import upload_after_run
from probe.config import Config, Upload
from probe.consent import agreement
from probe.evidence import CanaryCheck, HTTPExchange, Measurement
from probe.formats import batch
from probe.request import Reporter, Request
from probe.request import Result as Ended
from probe.store import Store
from probe.upload.outbox import Outbox
from tests.collector.service import Running, collector
from tests.probe.uploading import a_run, trusted

ROOT = Path(__file__).parents[2]
LISTED = "https://charter97.org/"


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("probe.upload.sending.FIRST_PAUSE", 0.001)
    monkeypatch.setattr("probe.upload.sending.LONGEST_PAUSE", 0.01)


def fill(path: Path, run_id: str = "a0" * 16, *, url: str = LISTED, **facts: Any) -> list[str]:
    """A run of five measurements of *url*, with a canary check; their ids."""
    ids = [f"{n:02x}" * 16 if run_id[0] == "a" else f"{n:02x}{run_id[:30]}" for n in range(5)]
    now = time.time()
    with Store(path, write=True) as store:
        store.begin_run(a_run(run_id, **facts), [])
        store.append([
            Measurement(
                id=id, run_id=run_id, nettest="web_connectivity", nettest_version="0.1.0",
                url=url, started_at=now,
                evidence=(HTTPExchange(ip="198.51.100.7", port=443, tls=True, status=200),),
            )
            for id in ids
        ])  # fmt: skip
        store.append_canaries(
            [CanaryCheck(run_id=run_id, ring="foreign", name="www.debian.org", at=now)]
        )
    return ids


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "zond.db"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with collector(tmp_path / "collector") as running:
        yield running


def held(tmp_path: Path) -> list[dict[str, Any]]:
    """The documents that the collector has on its disk."""
    with Spool(tmp_path / "collector" / "spool") as spool:
        found = [batch.unpack(record.payload) for record in spool.records()]
    return [json.loads(document) for b in found for document in b.documents]


def measured(tmp_path: Path) -> list[str]:
    return sorted(d["id"] for d in held(tmp_path) if d["kind"] == "measurement")


def upload(*arguments: str | Path) -> Result:
    return CliRunner().invoke(zond, ["upload", *map(str, arguments)], catch_exceptions=False)


def test_what_was_measured_is_on_the_collectors_disk_once(
    db: Path, tmp_path: Path, running: Running
) -> None:
    ids = fill(db)
    first = upload("--db", db, "--collector", running.url, "--json")
    again = upload("--db", db, "--collector", running.url)
    running.process.send_signal(signal.SIGTERM)
    running.process.wait(60)
    assert (first.exit_code, again.exit_code) == (0, 0), first.output
    assert json.loads(first.stdout)["delivered"] == 1
    assert measured(tmp_path) == sorted(ids)


def test_the_dry_run_prints_the_documents_that_then_arrive(
    db: Path, tmp_path: Path, running: Running
) -> None:
    fill(db)
    shown = upload("--db", db, "--dry-run")
    assert not places.identity().exists()
    upload("--db", db, "--collector", running.url)
    running.process.send_signal(signal.SIGTERM)
    running.process.wait(60)
    assert shown.exit_code == 0
    assert [json.loads(line) for line in shown.stdout.splitlines()] == held(tmp_path)


def test_what_waits_is_shown_by_a_dry_run_too(db: Path) -> None:
    fill(db)
    assert upload("--db", db, "--collector", "http://127.0.0.1:9").exit_code == 1
    shown = upload("--db", db, "--dry-run")
    kinds = [json.loads(line)["kind"] for line in shown.stdout.splitlines()]
    assert kinds == ["run", "canary", *["measurement"] * 5]


def test_targets_of_ones_own_stay_unless_he_says_so(db: Path) -> None:
    fill(db, url="https://my.bridge.example/")
    plain = upload("--db", db, "--dry-run")
    assert "my.bridge" not in plain.stdout and "5 measurements stay" in plain.stderr
    assert "my.bridge" in upload("--db", db, "--dry-run", "--personal").stdout


def test_what_was_imported_is_not_shown_nor_sent(db: Path) -> None:
    fill(db, source="ooniprobe-cli 3.20")
    assert upload("--db", db, "--dry-run").stdout == ""


def test_a_carried_file_goes_round(db: Path, tmp_path: Path, running: Running) -> None:
    ids = fill(db)
    key = tmp_path / "collector.key"
    key.write_text(httpx2.get(f"{running.url}v1/key", timeout=60).text)
    file = tmp_path / "stick" / "carried"
    file.parent.mkdir()
    made = CliRunner().invoke(
        zond, ["export", "--db", str(db), "--to-upload", "--key", str(key), "--out", str(file)]
    )
    assert made.exit_code == 0, made.output
    brought = upload("--from-file", file, "--collector", running.url)
    assert brought.exit_code == 0, brought.output
    home = upload("--db", db, "--receipts", f"{file}.receipts")
    assert home.exit_code == 0 and "1 batches are delivered, 0 wait" in home.stderr
    running.process.send_signal(signal.SIGTERM)
    running.process.wait(60)
    assert measured(tmp_path) == sorted(ids)


def test_the_file_is_written_where_the_other_ways_failed(
    db: Path, tmp_path: Path, running: Running
) -> None:
    fill(db)
    key = httpx2.get(f"{running.url}v1/key", timeout=60).text.strip()
    settings = tmp_path / "zond.toml"
    settings.write_text(
        f'[upload]\nkey = "{key}"\nways = ["direct", "file"]\nfile = "{tmp_path}/carry"\n'
    )
    done = upload("--db", db, "--config", settings, "--collector", "http://127.0.0.1:9")
    assert done.exit_code == 5, done.output
    assert (tmp_path / "carry").is_file()


def test_statuses_for_what_cannot_be_done(db: Path, tmp_path: Path) -> None:
    assert upload("--db", db, "--collector", "http://127.0.0.1:9").exit_code == 2  # no file
    fill(db)
    assert upload("--db", db).exit_code == 2  # where to?
    assert upload("--db", db, "--collector", "http://collector.example").exit_code == 1
    assert upload("--db", db, "--collector", "http://127.0.0.1:9", "--proxy", "x").exit_code == 2
    with FileLock(f"{db}.upload.lock"):
        assert upload("--db", db, "--collector", "http://127.0.0.1:9").exit_code == 75
    settings = tmp_path / "zond.toml"
    settings.write_text('[upload]\ncollector = "http://127.0.0.1:9"\n')
    assert upload("--db", db, "--config", settings).exit_code == 4
    assert upload("--db", db, "--config", settings, "--yes").exit_code == 1
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"rubbish")
    assert upload("--from-file", damaged, "--collector", "http://127.0.0.1:9").exit_code == 2


def test_a_budget_that_is_spent_leaves_the_rest_for_later(db: Path) -> None:
    fill(db)
    done = upload("--db", db, "--collector", "http://127.0.0.1:9", "--max-bytes", "10")
    assert done.exit_code == 5 and "budget" in done.stderr


def test_a_run_that_goes_on_is_not_sent_half(db: Path) -> None:
    fill(db, ended="")
    with FileLock(f"{db}.lock"):
        upload("--db", db, "--collector", "http://127.0.0.1:9")
    with Outbox(db) as outbox:
        assert outbox.waiting() == []
    upload("--db", db, "--collector", "http://127.0.0.1:9")  # it was killed: nothing runs
    with Outbox(db) as outbox:
        assert len(outbox.waiting()) == 1


def test_a_forgotten_key_ends_the_pseudonym(db: Path) -> None:
    fill(db)
    upload("--db", db, "--collector", "http://127.0.0.1:9")
    assert upload("--forget-key").exit_code == 4
    assert places.identity().exists()
    said = upload("--forget-key", "--yes")
    assert said.exit_code == 0 and "one more probe" in said.stderr
    assert not places.identity().exists()
    fill(db, "b1" * 16)
    upload("--db", db, "--collector", "http://127.0.0.1:9")
    with Outbox(db) as outbox:
        packed = [outbox.packed(w.sha256) or b"" for w in outbox.waiting()]
    assert len({batch.unpack(p).header.pseudonym for p in packed}) == 2


def test_a_run_uploads_at_its_end_only_by_a_consent_of_its_own(
    db: Path, tmp_path: Path, running: Running, capfd: pytest.CaptureFixture[str]
) -> None:
    ids = fill(db)
    config = Config(db=str(db), upload=Upload(collector=running.url))
    agreement.record(places.data_directory())  # to measure; that is not to upload
    upload_after_run(config)
    assert httpx2.get(f"{running.url}health", timeout=60).json()["batches"] == 0
    agreement.record_upload(places.data_directory())
    upload_after_run(config)
    assert "1 batches delivered" in capfd.readouterr().err
    running.process.send_signal(signal.SIGTERM)
    running.process.wait(60)
    assert measured(tmp_path) == sorted(ids)


async def measure(config: Config, request: Request, store: Store, reporter: Reporter) -> Ended:
    """In place of `run_session`: a run that was measured in no time."""
    await trio.lowlevel.checkpoint()
    run = a_run("ab" * 16)
    store.begin_run(run, [])
    store.append([
        Measurement(id=f"{n:02x}" * 16, run_id=run.id, nettest="web_connectivity",
                    nettest_version="0.1.0", url=LISTED, started_at=run.started_at)
        for n in range(3)
    ])  # fmt: skip
    return Ended(run=run, measured=3)


def test_zond_run_shares_what_it_measured_unless_told_not_to(
    db: Path, tmp_path: Path, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probe.session.run_session", measure)
    monkeypatch.setattr("probe.commands.run._settle", lambda: None)
    monkeypatch.setenv("ZOND_UPLOAD__COLLECTOR", running.url)
    agreement.record_upload(places.data_directory())

    def run(database: Path, *options: str) -> Result:
        command = ["run", "--yes", "--url", LISTED, "--db", str(database), *options]
        return CliRunner().invoke(zond, command, catch_exceptions=False)

    silent = run(tmp_path / "silent.db", "--no-upload")
    assert silent.exit_code == 0 and "delivered" not in silent.stderr
    shared = run(db)
    assert shared.exit_code == 0 and "1 batches delivered, 0 remain" in shared.stderr
    monkeypatch.setenv("ZOND_UPLOAD__COLLECTOR", "http://127.0.0.1:9")
    failed = run(tmp_path / "failed.db")
    assert failed.exit_code == 0 and "0 batches delivered, 1 remain" in failed.stderr
    running.process.send_signal(signal.SIGTERM)
    running.process.wait(60)
    assert len(measured(tmp_path)) == 3


def test_an_upload_that_cannot_be_fails_no_run(
    db: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fill(db)
    agreement.record_upload(places.data_directory())
    upload_after_run(Config(db=str(db), upload=Upload(collector="http://collector.example")))
    upload_after_run(Config(db=str(db), upload=Upload(collector="http://127.0.0.1:9")))
    with FileLock(f"{db}.upload.lock"):
        upload_after_run(Config(db=str(db), upload=Upload(collector="http://127.0.0.1:9")))
    said = capfd.readouterr().err
    assert said.count("not uploaded") == 2 and "0 batches delivered, 1 remain" in said


def test_consent_to_upload_is_withdrawn_by_one_word(db: Path) -> None:
    agreement.record_upload(places.data_directory())
    assert agreement.upload_recorded(places.data_directory())
    agreement.withdraw_upload(places.data_directory())
    assert not agreement.upload_recorded(places.data_directory())


def test_what_was_agreed_to_is_shown_and_changed() -> None:
    def say(*arguments: str) -> str:
        return CliRunner().invoke(zond, ["consent", *arguments], catch_exceptions=False).stdout

    assert say().startswith("to measure: no\nto share after each run: no\n")
    assert say("--upload", "yes") == ""  # nobody was there to be asked
    assert "after each run: yes" in say("--yes", "--upload", "yes")
    assert "to measure: no" in say()
    assert "after each run: no" in say("--upload", "no")


def test_unsealed_it_goes_over_tls_to_whom_the_machine_trusts(
    db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = fill(db)
    chain, key, roots = trusted(tmp_path)
    with collector(tmp_path / "collector", "--tls-cert", chain, "--tls-key", key) as running:
        stranger = upload("--db", db, "--collector", running.url)
        assert stranger.exit_code == 1 and "ssl_unknown_authority" in stranger.stderr
        monkeypatch.setenv("SSL_CERT_FILE", roots)
        assert upload("--db", db, "--collector", running.url).exit_code == 0
    assert measured(tmp_path) == sorted(ids)


def test_killed_at_any_moment_each_measurement_arrives_once(
    db: Path, tmp_path: Path, running: Running
) -> None:
    expected = []
    for n in range(12):
        expected += fill(db, f"{n:02x}bb" + "cd" * 14, probe_asn=1000 + n)
    command = [
        sys.executable, "-c", "from probe.cli import main; main()",
        "upload", "--db", str(db), "--collector", running.url,
    ]  # fmt: skip
    chance = random.Random(11)
    for _ in range(8):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=ROOT) as process:
            try:
                process.wait(chance.uniform(0.8, 2.5))
            except subprocess.TimeoutExpired:
                process.kill()
    last = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert last.returncode == 0, last.stderr
    running.process.send_signal(signal.SIGTERM)
    running.process.wait(60)
    assert measured(tmp_path) == sorted(expected)
    with sqlite3.connect(db) as connection:
        kept = connection.execute("SELECT count(*) FROM outbox_bytes").fetchone()
    connection.close()
    assert kept == (0,)
