"""The command line: what it says, where, and the status it ends with."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from click.testing import CliRunner, Result
from filelock import FileLock

import probe.session
from probe import __version__
from probe.cli import zond
from probe.config import Config
from probe.consent import agreement, networks
from probe.evidence import Measurement, Run
from probe.request import Reporter, Request
from probe.request import Result as Ended
from probe.store import Refused, Store, StoreError

TWO_URLS = ("--url", "https://a.example/", "--url", "https://b.example/")
ROOT = Path(__file__).parents[2]


class Session:
    """In place of `run_session`: remembers what it was asked, ends as it was told."""

    def __init__(self) -> None:
        self.config = Config()
        self.request: Request | None = None
        self.ended = "done"
        self.facts: dict[str, Any] = {}
        self.raises: Exception | None = None

    async def __call__(
        self, config: Config, request: Request, store: Store, reporter: Reporter
    ) -> Ended:
        await trio.lowlevel.checkpoint()
        self.config, self.request = config, request
        if self.raises is not None:
            raise self.raises
        unfinished = store.unfinished_run() if request.resume else None
        run = unfinished or Run(id="r1", started_at=1.0, ended=self.ended)
        if unfinished is None:
            refused = [
                Refused(run_id="r1", list_name=name, line=line, reason=reason)
                for name, line, reason in request.refused
            ]
            store.begin_run(run, [], refused)
        reporter.began(run, len(request.targets), len(request.targets))
        for n, target in enumerate(request.targets):
            reporter.stored(
                Measurement(
                    id=f"m{n}",
                    run_id="r1",
                    nettest="web_connectivity",
                    nettest_version="1",
                    url=target.url,
                    comparison={"differs": n == 0},
                )
            )
        return Ended(run=run, measured=len(request.targets), **self.facts)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Session:
    for name in [name for name in os.environ if name.startswith("ZOND_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    fake = Session()
    monkeypatch.setattr(probe.session, "run_session", fake)
    # What is frozen for a run would stay frozen for the tests after this one.
    monkeypatch.setattr("probe.commands.run._settle", lambda: None)
    return fake


def call(*arguments: str) -> Result:
    return CliRunner().invoke(zond, list(arguments), catch_exceptions=False)


def run(*arguments: str) -> Result:
    return call("run", "--yes", *arguments)


def only_line(result: Result) -> str:
    """What was said, which must be one line."""
    lines = [line for line in result.stderr.splitlines() if line]
    assert len(lines) == 1, lines
    assert "Traceback" not in result.output
    return lines[0]


def test_talk_goes_to_stderr_and_data_to_stdout(session: Session, tmp_path: Path) -> None:
    result = run(*TWO_URLS, "--json", "--db", str(tmp_path / "x.db"))
    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["url"] for row in rows] == ["https://a.example/", "https://b.example/"]
    assert [row["comparison"]["differs"] for row in rows] == [True, False]
    assert run(*TWO_URLS).stdout == ""
    assert f"database: {tmp_path / 'x.db'}" in result.stderr
    assert "zond verdicts --db" in result.stderr
    assert "of 2 that could be compared, 1 differ" in result.stderr


def test_without_a_list_the_belarus_list_is_measured(session: Session) -> None:
    assert run("--list", "by").exit_code == 0
    assert session.request is not None
    whole = session.request.targets
    assert {t.risk for t in whole} == {"low", "medium", "high"}
    result = run()
    assert session.request is not None
    assert set(session.request.lists) == {"by"}
    assert {t.list_name for t in session.request.targets} == {"by"}
    # Who chose no list has not chosen its most dangerous part either, and is told.
    assert {t.risk for t in session.request.targets} == {"low", "medium"}
    left_out = len(whole) - len(session.request.targets)
    assert f"left out for their high risk: {left_out} (--max-risk high)" in result.stderr
    run("--max-risk", "high")
    assert session.request is not None
    assert len(session.request.targets) == len(whole)


def test_of_a_file_that_is_no_list_a_few_lines_are_told(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "picture.csv"
    path.write_bytes(b"\xff\n" * 500)
    result = run("--list", str(path))
    assert result.exit_code == 2
    told = result.stderr.splitlines()
    assert len(told) < 20
    assert "lines more that cannot be used: 490" in told


def test_riskier_targets_can_be_left_out(session: Session) -> None:
    run("--max-risk", "low")
    assert session.request is not None
    assert {t.risk for t in session.request.targets} == {"low"}


def test_flags_reach_the_session(session: Session, tmp_path: Path) -> None:
    run(
        *TWO_URLS, "--control", "https://c.example/", "--control", "https://d.example/",
        "--concurrency", "7", "--seed", "42", "--proxy", "socks5h://127.0.0.1:9050",
        "--no-upload", "--no-follow-up", "--nettest", "web_connectivity",
    )  # fmt: skip
    assert session.request is not None
    assert [c.url for c in session.config.all_controls] == [
        "https://c.example/", "https://d.example/",
    ]  # fmt: skip
    assert session.config.limits.concurrency == 7
    assert session.config.proxy == "socks5h://127.0.0.1:9050"
    assert session.config.follow_up is False
    assert (session.request.seed, session.request.resume) == (42, False)
    assert [test.name for test in session.request.nettests] == ["web_connectivity"]


def test_oonis_helpers_are_offered_and_never_assumed(session: Session) -> None:
    result = run(*TWO_URLS)
    assert session.config.all_controls == ()
    assert "no controls" in result.stderr and "--ooni-helpers" in result.stderr
    result = run(*TWO_URLS, "--ooni-helpers")
    assert len(session.config.all_controls) == 4
    assert "no controls" not in result.stderr


def test_a_broken_line_costs_itself_and_is_said(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    path.write_text("https://a.example/\nftp://b.example/\nhttps://c.example/\n")
    result = run("--list", str(path))
    assert result.exit_code == 5
    assert session.request is not None
    assert [t.url for t in session.request.targets] == ["https://a.example/", "https://c.example/"]
    assert [line for _, line, _ in session.request.refused] == [2]
    assert re.search(r"my\.csv, line 2: .+", result.stderr)


def test_a_url_without_a_host_is_refused_and_the_rest_measured(session: Session) -> None:
    result = run("--url", "https://", "--url", "https://b.example/")
    assert result.exit_code == 5
    assert session.request is not None and len(session.request.targets) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--list", "nowhere.csv"), "nowhere.csv"),
        (("--list", "/"), "/"),
        (("--config", "nowhere.toml"), "no configuration file"),
        (("--nettest", "nonsense"), "no nettest 'nonsense'"),
        (("--concurrency", "0"), "limits.concurrency"),
        (("--control", "c.example"), "controls[0].url"),
    ],
)
def test_wrong_arguments_are_one_line_and_status_2(
    session: Session, arguments: tuple[str, ...], said: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in only_line(result)
    assert session.request is None


def test_nothing_to_measure_is_status_2(session: Session) -> None:
    result = run("--url", "example.org")
    assert result.exit_code == 2
    assert "https://example.org/" in result.stderr  # the hint


def test_an_unknown_key_is_one_line_and_status_2(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "zond.toml"
    path.write_text("proxi = 'socks5h://127.0.0.1:9050'\n")
    result = run("--config", str(path))
    assert result.exit_code == 2
    assert only_line(result) == f"Error: {path}: unknown key 'proxi'"


def test_an_unreadable_database_is_one_line_and_status_1(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "zond.db"
    path.write_text("not a database, but long enough to be taken for one" * 10)
    result = run(*TWO_URLS, "--db", str(path))
    assert result.exit_code == 1
    assert str(path) in only_line(result)


@pytest.mark.parametrize(
    ("ended", "facts", "status"),
    [
        ("done", {}, 0),
        ("done", {"crashes": 1}, 1),
        ("failed", {"problem": "the disk is full"}, 1),
        ("no_network", {}, 3),
        ("captive_portal", {}, 3),
        ("wrong_clock", {}, 3),
        ("vpn", {}, 3),
        ("interrupted", {"signal": signal.SIGINT}, 130),
        ("interrupted", {"signal": signal.SIGTERM}, 143),
    ],
)
def test_how_a_run_ended_is_the_exit_status(
    session: Session, ended: str, facts: dict[str, Any], status: int
) -> None:
    session.ended, session.facts = ended, facts
    result = run(*TWO_URLS)
    assert result.exit_code == status
    assert facts.get("problem", "") in result.stderr


def test_a_session_that_cannot_write_is_one_line_and_status_1(session: Session) -> None:
    session.raises = StoreError("the disk is full")
    result = run(*TWO_URLS)
    assert result.exit_code == 1
    assert "Error: the disk is full" in result.stderr.splitlines()


def test_nothing_is_sent_without_consent(session: Session) -> None:
    result = call("run", *TWO_URLS)
    assert result.exit_code == 4
    assert session.request is None
    assert "What has happened to people" in result.stderr
    assert "zond consent --yes" in result.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where what was agreed to is kept; every network was."""
    found = tmp_path / "data" / "zond"
    networks.Networks(found).allow_anywhere(True)
    return found


def test_recorded_consent_is_enough_until_the_text_changes(
    session: Session, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreement.record(folder)
    assert call("run", *TWO_URLS).exit_code == 0
    monkeypatch.setattr(agreement, "VERSION", agreement.VERSION + 1)
    assert call("run", *TWO_URLS).exit_code == 4


def test_yes_is_for_this_run_and_is_not_kept(session: Session) -> None:
    assert run(*TWO_URLS).exit_code == 0
    assert call("run", *TWO_URLS).exit_code == 4


def test_consent_that_cannot_be_read_is_none(session: Session, folder: Path) -> None:
    agreement.record(folder)
    assert call("run", *TWO_URLS).exit_code == 0
    (folder / "consent.json").write_text("{}")
    assert call("run", *TWO_URLS).exit_code == 4


def test_a_second_run_is_status_75(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "zond.db"
    with FileLock(f"{path}.lock"):
        result = run(*TWO_URLS, "--db", str(path))
    assert result.exit_code == 75
    assert "another run" in only_line(result)
    assert session.request is None
    assert run(*TWO_URLS, "--db", str(path)).exit_code == 0


def test_resuming_what_is_complete_measures_nothing(session: Session, tmp_path: Path) -> None:
    database = ("--db", str(tmp_path / "zond.db"))
    session.ended = "interrupted"
    assert run(*TWO_URLS, *database).exit_code == 3
    assert run("--resume", *database).exit_code == 3
    assert session.request is not None and session.request.resume
    with Store(tmp_path / "zond.db", write=True) as store:
        store.update_run(Run(id="r1", started_at=1.0, ended="done"))
    session.request = None
    result = run("--resume", *database)
    assert (result.exit_code, session.request) == (0, None)
    assert "nothing to resume" in result.stderr


def test_a_command_whose_packages_are_missing_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ibis", None)
    for name in [name for name in sys.modules if name.partition(".")[0] == "analysis"]:
        monkeypatch.delitem(sys.modules, name)
    result = call("verdicts", "--help")
    assert result.exit_code == 1
    assert "pip install '.[all]'" in only_line(result)


def test_every_command_has_help_with_an_example() -> None:
    assert __version__ in call("--version").output
    for command in ((), ("run",), ("control", "serve")):
        result = call(*command, "--help")
        assert result.exit_code == 0
        assert "Example: zond" in result.output


def test_help_answers_at_once() -> None:
    heavy = {"trio", "sqlite_utils", "httpx2", "msgspec", "cryptography", "rich", "ibis"}
    code = "import sys, probe.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout.split()
    assert not heavy & set(loaded)


def test_serving_at_no_address_is_status_2() -> None:
    result = call("control", "serve", "--listen", "nowhere")
    assert result.exit_code == 2
    assert "ADDRESS:PORT" in only_line(result)


# A whole process with a network of its own making, in which it can be killed: after so many
# targets as it is told, the next ones take for ever.
PROCESS = """
import itertools, os, sys, trio
import probe.session
from probe.evidence import Measurement
from probe import cli
from probe.surroundings import environment
from tests.probe.test_session import SITES, PORTALS, PORTAL_CHECKS, FakeLine, web_server

begun = itertools.count(1)

async def measure(test, target, *, run_id, **given):
    await trio.sleep(0.05 if next(begun) <= int(os.environ["TARGETS"]) else 3600)
    return Measurement(id=run_id + target.url, run_id=run_id, nettest=test.name,
                       nettest_version="1", url=target.url)

real = probe.session.run_session

async def run_session(config, request, store, reporter):
    async with trio.open_nursery() as nursery:
        net = FakeLine(nursery, routes=(True, False), latency=0.001)
        net.names = {name: (ip,) for name, ip in (SITES | PORTALS).items()}
        net.hosts = {(ip, 443): None for ip in SITES.values()}
        net.hosts |= {(ip, 80): web_server(f"HTTP/1.1 {c.status} OK", c.body.encode())
                      for ip, c in zip(PORTALS.values(), PORTAL_CHECKS)}
        result = await real(config, request, store, reporter, net=net, measure=measure)
        nursery.cancel_scope.cancel()
        return result

probe.session.run_session = run_session
environment.gateways = lambda: ()
sys.argv[0] = "zond"
cli.main()
"""


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("ZOND_")},
        "PYTHONPATH": str(ROOT),
        "XDG_DATA_HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
    }
    code = [sys.executable, "-c", PROCESS, "run", "--yes", "--json"]
    urls = "".join(f"https://site{n}.example/\n" for n in range(60))
    (tmp_path / "list.csv").write_text(urls)

    def start(*arguments: str, targets: int = 60) -> subprocess.Popen[str]:
        given = ["--list", str(tmp_path / "list.csv"), "--concurrency", "2", *arguments]
        return subprocess.Popen(
            code + given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment | {"TARGETS": str(targets)},
        )

    return start


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_keeps_what_it_said_and_resume_completes_it(
    process: Callable[..., subprocess.Popen[str]], tmp_path: Path, number: signal.Signals
) -> None:
    with process(targets=30) as first:
        assert first.stdout is not None and first.stderr is not None
        said = [json.loads(first.stdout.readline())["url"] for _ in range(15)]
        first.send_signal(number)
        said += [json.loads(line)["url"] for line in first.stdout]
        talk = first.stderr.read()
    assert first.returncode == (-9 if number == signal.SIGKILL else 128 + number), talk
    database = tmp_path / "zond" / "zond.db"
    with Store(database) as store:
        kept = [m.url for m in store.measurements()]
    assert set(said) <= set(kept) and len(kept) < 60
    with process("--resume") as second:
        output, talk = second.communicate(timeout=120)
    assert second.returncode == 0, talk
    with Store(database) as store:
        (only_run,) = store.runs()
        urls = [m.url for m in store.measurements()]
    assert only_run.ended == "done"
    assert sorted(urls) == sorted(f"https://site{n}.example/" for n in range(60))
    assert len(output.splitlines()) == 60 - len(kept)


def test_a_second_interrupt_ends_at_once(
    process: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    with process(targets=5) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=60)
    # -2 where the first one had already ended the run and Python was shutting down
    assert child.returncode in (130, -signal.SIGINT)
    with Store(tmp_path / "zond" / "zond.db") as store:
        assert len(list(store.measurements())) >= 1


def test_a_reader_that_goes_away_does_not_stop_the_measuring(
    process: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    with process() as child:
        assert child.stdout is not None and child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        talk = child.stderr.read()
    assert child.returncode == 0, talk
    with Store(tmp_path / "zond" / "zond.db") as store:
        assert len(list(store.measurements())) == 60
