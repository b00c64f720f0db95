"""``zond verdicts`` from a database to a screen."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from analysis.cli import verdicts
from probe.evidence import Measurement
from probe.failure import Failure
from probe.store import Planned, Store
from testlists.target import Target
from tests.analysis.build import BOTH, RUN, STARTED, Scene, site


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Two targets planned, one measured twice: first reset, later fine. An older run before."""
    path = tmp_path / "zond.db"
    fine = site().visit()
    reset = site().visit(by=BOTH).connect(tls=Failure.CONNECTION_RESET, holds=True)
    with Store(path, write=True) as store:
        old = msgspec.structs.replace(RUN, id="0ld")
        store.begin_run(old, _planned("0ld", "https://news.example/"))
        store.append([_in_run(reset, "0ld", "m0", STARTED - 900)])
        store.begin_run(RUN, _planned("run", "https://news.example/", "https://late.example/"))
        store.append([
            reset.measurement(STARTED, "m1"), fine.measurement(STARTED + 60, "m2"),
        ])
        store.append_canaries(site().canary("home", 2).canaries)
    return path


def _planned(run: str, *urls: str) -> list[Planned]:
    return [
        Planned(run_id=run, position=n, nettest="web_connectivity",
                target=Target(url=url, category="NEWS"))
        for n, url in enumerate(urls)
    ]


def _in_run(scene: Scene, run: str, ident: str, at: float) -> Measurement:
    return msgspec.structs.replace(scene.measurement(at, ident), run_id=run)


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(verdicts, [str(a) for a in arguments])


def _lines(result: Result) -> dict[str, str]:
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return {line["url"]: line["outcome"] for line in lines}


def test_later_measurement_supersedes_and_what_was_planned_is_listed(db: Path) -> None:
    found = _lines(_run("--db", db, "--format", "jsonl"))
    assert found == {"https://news.example/": "ok", "https://late.example/": "not_measured"}


def test_run_is_chosen_by_the_beginning_of_its_id(db: Path) -> None:
    found = _lines(_run("--db", db, "--run", "0l", "--format", "jsonl"))
    assert found == {"https://news.example/": "blocked"}


def test_all_runs_have_a_line_each(db: Path) -> None:
    result = _run("--db", db, "--run", "all", "--format", "jsonl")
    assert len(result.stdout.splitlines()) == 3


def test_unknown_run_is_one_clear_line(db: Path) -> None:
    result = _run("--db", db, "--run", "zzz")
    assert result.exit_code == 2
    assert "no run has an id that begins with 'zzz'" in result.stderr


def test_table_has_targets_on_stdout_and_its_reservations_on_stderr(
    db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    result = _run("--db", db, "--run", "all")
    assert result.exit_code == 0
    assert result.stdout.index("blocked") < result.stdout.index("not_measured")
    assert "1 blocked" in result.stdout and "F15" in result.stdout
    assert "rules 2026" in result.stderr and "2 controls asked" in result.stderr


def test_a_narrow_table_keeps_the_finding_whole(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    result = _run("--db", db, "--run", "all")
    assert "tls.reset" in result.stdout and "F15" not in result.stdout


@pytest.fixture
def cut_off(tmp_path: Path) -> Path:
    """A run behind a VPN, in which abroad was lost for forty seconds."""
    path = tmp_path / "cut.db"
    run = msgspec.structs.replace(RUN, vpn=True)
    scene = site().visit()
    for look, failure in enumerate((None, *[Failure.TIMEOUT] * 5, None)):
        for ring in ("domestic", "foreign"):
            scene.canary(ring, 10.0 * look, failure if ring == "foreign" else None)
    with Store(path, write=True) as store:
        store.begin_run(run, _planned("run", "https://news.example/"))
        store.append([scene.measurement(STARTED - 60)])
        store.append_canaries(scene.canaries)
    return path


def test_findings_about_runs_come_after_the_targets_and_only_if_asked_for(cut_off: Path) -> None:
    assert [*_lines(_run("--db", cut_off, "--format", "jsonl"))] == ["https://news.example/"]
    result = _run("--db", cut_off, "--format", "jsonl", "--findings")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line.get("finding") for line in lines] == [None, "vpn", "abroad_lost"]
    assert {line.get("kind") for line in lines[1:]} == {"run"} and "kind" not in lines[0]


def test_findings_about_runs_stand_below_the_table_on_stderr(
    cut_off: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    result = _run("--db", cut_off)
    assert "abroad lost from 2026-09-21T14:13:30Z to 2026-09-21T14:14:20Z" in result.stderr
    assert "abroad lost" not in result.stdout


def test_missing_database_is_an_argument_that_is_wrong(tmp_path: Path) -> None:
    result = _run("--db", tmp_path / "none.db")
    assert (result.exit_code, "Traceback" in result.output) == (2, False)
    assert "there is no file" in result.stderr


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\0" + bytes(90)])
def test_unreadable_database_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.db"
    path.write_bytes(content)
    result = _run("--db", path)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert isinstance(result.exception, SystemExit)


def test_folder_in_the_place_of_a_database_is_one_clear_line(tmp_path: Path) -> None:
    result = _run("--db", tmp_path)
    assert result.exit_code == 1
    assert len(result.stderr.strip().splitlines()) == 1


def test_database_without_a_run_is_no_error(tmp_path: Path) -> None:
    Store(tmp_path / "zond.db", write=True).close()
    result = _run("--db", tmp_path / "zond.db")
    assert result.exit_code == 0
    assert "nothing was measured" in result.stdout


def test_url_that_would_move_the_cursor_is_shown_harmless(tmp_path: Path) -> None:
    path = tmp_path / "zond.db"
    url = "https://news.example/\x1b[2J[red]"
    with Store(path, write=True) as store:
        store.begin_run(RUN, _planned("run", url))
    shown = _run("--db", path).stdout
    assert "\x1b" not in shown and "[red]" in shown.replace("\n", "")
