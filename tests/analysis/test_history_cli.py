"""From a database of some days to events, findings, and down to packets, by the commands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from analysis.history_cli import analyse, events, explain, regime
from probe.failure import Failure
from probe.store import Planned, Store
from testlists.target import Target
from tests.analysis.build import BOTH, RUN, STARTED, Scene, site

HOURS = 72
BLOCKED_FROM = 40  # hour
URLS = ("https://news.example/", "https://other.example/", "https://third.example/")


def _scene(url: str, reset: bool) -> Scene:
    scene = site(url)
    return (
        scene.visit(by=BOTH).connect(tls=Failure.CONNECTION_RESET, holds=True)
        if reset else scene.visit()
    )  # fmt: skip


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hourly runs of two probes over three days; one site is reset from some hour on."""
    path = tmp_path_factory.mktemp("history") / "zond.db"
    with Store(path, write=True) as store:
        for hour in range(HOURS):
            for probe, asn in ((0, 6697), (1, 6697), (2, 25106)):
                at = STARTED + 3600 * hour + 600 * probe
                run = msgspec.structs.replace(
                    RUN, id=f"run{hour}-{probe}", started_at=at - 60, ended_at=at + 100,
                    probe_asn=asn,
                )  # fmt: skip
                store.begin_run(run, [
                    Planned(run_id=run.id, position=n, nettest="web_connectivity",
                            target=Target(url=url, category="NEWS"))
                    for n, url in enumerate(URLS)
                ])  # fmt: skip
                store.append([
                    msgspec.structs.replace(
                        _scene(url, url == URLS[0] and hour >= BLOCKED_FROM).measurement(
                            at, f"m{hour}-{probe}-{n}"
                        ),
                        run_id=run.id,
                    )
                    for n, url in enumerate(URLS)
                ])  # fmt: skip
    return path


def _run(command: Any, *arguments: object, status: int = 0) -> Result:
    result = CliRunner().invoke(command, [str(a) for a in arguments])
    assert result.exit_code == status, result.output
    return result


def test_a_block_of_one_site_is_one_event_with_its_onset(db: Path) -> None:
    lines = _run(events, "--db", db, "--format", "jsonl").stdout.splitlines()
    (event,) = [json.loads(line) for line in lines]
    assert event["kind"] == "blocking"
    assert event["targets"] == ["news.example"]
    assert event["mechanisms"] == ["tls.reset"]
    assert event["networks"] == [6697, 25106]
    onset = STARTED + 3600 * BLOCKED_FROM
    assert event["onset"]["after"] < onset <= event["onset"]["by"] < onset + 3600
    assert event.get("lift") is None


def test_it_is_told_in_sentences_and_in_a_table(db: Path) -> None:
    assert "news.example: blocked" in _run(events, "--db", db).stdout
    assert "tls.reset" in _run(events, "--db", db, "--format", "table").stdout
    assert "no event" in _run(events, "--db", db, "--host", "other.example").stderr


def test_an_event_is_explained_down_to_what_a_probe_met(db: Path) -> None:
    (line,) = _run(events, "--db", db, "--format", "jsonl").stdout.splitlines()
    told = _run(explain, json.loads(line)["id"], "--db", db).stdout
    for part in ("beside the documents of belarus", "tls_reset", "connection_reset", "onset after"):
        assert part in told
    tree = json.loads(_run(explain, json.loads(line)["id"], "--db", db, "--json").stdout)
    assert tree["below"]


def test_a_url_or_host_is_explained_by_its_latest_verdict(db: Path) -> None:
    told = _run(explain, URLS[0], "--db", db).stdout
    assert "blocked; tls.reset" in told and "connection_reset" in told
    assert "; ok" in _run(explain, "other.example", "--db", db).stdout.replace("\n", " ")


def test_what_is_neither_is_one_line(db: Path) -> None:
    for what in ("https://unknown.example/", "abcdef"):
        assert "neither a target" in _run(explain, what, "--db", db, status=1).stderr


def test_analyse_keeps_what_it_found_and_is_quick_about_what_has_not_changed(
    db: Path, tmp_path: Path
) -> None:
    out = tmp_path / "analysis"
    first = _run(analyse, "--db", db, "--out", out, "--json")
    summary = json.loads(first.stdout)
    assert summary["verdicts"] == 3 * 3 * HOURS
    assert len(summary["events"]) == 1
    assert {p.name for p in out.iterdir()} >= {"events.jsonl", "findings.jsonl", "hypotheses.jsonl"}
    second = _run(analyse, "--db", db, "--out", out, "--json")
    assert json.loads(second.stdout) == summary
    assert "0 judged" in second.stderr
    assert _run(events, "--dataset", out, "--format", "jsonl", "--db", tmp_path / "none").stdout
    assert "news.example" in _run(analyse, "--db", db).stdout


def test_the_regime_is_asked_and_never_attributes(db: Path) -> None:
    lines = _run(regime, "--db", db, "--format", "jsonl").stdout.splitlines()
    results = [json.loads(line) for line in lines]
    assert [r["id"] for r in results] == sorted(r["id"] for r in results)
    assert {r["state"] for r in results} <= {"consistent", "contradicts", "cannot_tell"}
    assert "not attribution" in _run(regime, "--db", db).stderr
    assert "news.example" in _run(regime, "--db", db, "--events").stdout
    told = _run(regime, "--db", db, "--hypothesis", "H02").stdout
    assert "missing" in told and "recourse" in told
    assert "no hypothesis" in _run(regime, "--db", db, "--hypothesis", "H99", status=2).stderr


def test_outside_evidence_is_imported_once_and_bad_rows_are_told(db: Path, tmp_path: Path) -> None:
    kinds = _run(regime, "import", "nonsense", db, "--db", db, status=2)
    assert "announcements" in kinds.stderr
    bad = tmp_path / "bad.csv"
    bad.write_text("no,such,columns\n1,2,3\n", encoding="utf-8")
    assert "Error" in _run(regime, "import", "announcements", bad, "--db", db, status=1).stderr


def test_bad_arguments_are_one_line(db: Path, tmp_path: Path) -> None:
    assert "no file" in _run(events, "--db", tmp_path / "none.db", status=2).stderr
    assert "nowhere" in _run(events, "--db", db, "--country", "nowhere", status=1).stderr
    rubbish = tmp_path / "rubbish.db"
    rubbish.write_bytes(b"x" * 4096)
    result = _run(analyse, "--db", rubbish, status=1)
    assert "Traceback" not in result.output


def test_without_the_extras_the_commands_say_which_to_install() -> None:
    """What they need is imported where they are loaded, which is where `probe.cli` explains."""
    code = "import sys; sys.modules['ibis'] = None; import analysis.history_cli"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ModuleNotFoundError" in done.stderr and "ibis" in done.stderr
