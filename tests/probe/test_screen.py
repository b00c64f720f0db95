"""What a run shows: all of it to a person, little and no site's name to a log, data to programs."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from probe.commands.screen import Screen
from probe.evidence import Measurement, Run
from probe.failure import Failure

ROOT = Path(__file__).parents[2]
COUNT = 40

# A run of targets of which every fourth differs, on whatever standard error is.
RUN = """
import sys, time
from probe.evidence import Measurement, Run
from probe.commands.screen import Screen
with Screen(json="--json" in sys.argv, terminal=sys.stderr.isatty()) as screen:
    screen.began(Run(id="ab" * 16, started_at=1.0), 40, 40)
    for n in range(40):
        screen.used(100_000 * (n + 1))
        screen.stored(Measurement(
            id=str(n), run_id="r", nettest="web_connectivity", nettest_version="1",
            url=f"https://site{n}.example/[bold]" + "x" * 200 * (n == 36),
            comparison={"differs": n % 4 == 0, "failure": "tls.connection_reset"}))
    screen.note("the line is dead: [red]waiting[/red]")
    screen.looking_closer(10, 600.0)
    for n in range(10):
        screen.stored(Measurement(id=f"f{n}", run_id="r", nettest="web_connectivity",
                                  nettest_version="1", url="https://a.example/", about="0"))
"""


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOND_LANG", "en")


def on_a_terminal(*arguments: str, **environment: str) -> str:
    ours, theirs = pty.openpty()
    said = b""
    variables = os.environ | {"TERM": "xterm", "COLUMNS": "100", "LINES": "30"} | environment
    with subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments], stderr=theirs, stdout=subprocess.PIPE, cwd=ROOT,
        env=variables,
    ) as process:  # fmt: skip
        os.close(theirs)
        try:
            while data := os.read(ours, 65536):
                said += data
        except OSError:
            pass  # so Linux says that nobody writes there any more
        finally:
            os.close(ours)
    assert process.returncode == 0
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode())


def elsewhere(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, *arguments], cwd=ROOT, capture_output=True, text=True,
        check=True, env=os.environ | environment,
    )  # fmt: skip


def test_a_person_sees_how_far_it_is_what_differs_and_what_it_used() -> None:
    said = on_a_terminal()
    assert "40/40" in said and "10 differ" in said and "4.0 MB" in said
    assert "looked closer at" in said and "10/10" in said
    assert "https://site32.example/[bold]" in said and "tls.connection_reset" in said
    assert "[red]waiting[/red]" in said  # nobody's text is markup
    last = said[said.rindex("measured") :]
    assert "site16." in last and "site12." not in last  # the last six


def test_a_machine_without_room_is_told_once_and_no_difference(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Screen(json=False, terminal=False) as screen:
        for n in range(3):
            screen.stored(
                Measurement(
                    id=str(n), run_id="r", nettest="web_connectivity", nettest_version="1",
                    url="https://a.example/",
                    comparison={"differs": None, "failure": Failure.NO_BUFFER_SPACE},
                )
            )  # fmt: skip
    assert 1 == capsys.readouterr().err.count("ran out of open files or memory")
    assert 0 == screen.differs


def test_what_a_list_says_breaks_no_line() -> None:
    lines = on_a_terminal().replace("\r", "\n").splitlines()
    assert max(map(len, lines)) <= 100


def test_a_log_gets_few_lines_and_no_sites_name() -> None:
    said = elsewhere().stderr
    lines = said.splitlines()
    assert len(lines) <= 20
    assert "20 of 40, 5 differ, 2.0 MB" in lines
    assert "example" not in said and "\x1b" not in said


@pytest.mark.parametrize(("language", "words"), [("be", "адрозніваюцца"), ("ru", "отличаются")])
def test_it_is_said_in_the_users_language(language: str, words: str) -> None:
    assert words in elsewhere(ZOND_LANG=language).stderr
    assert words in on_a_terminal(ZOND_LANG=language)


def test_data_goes_to_standard_output_alone() -> None:
    done = elsewhere("--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert COUNT == len(rows)
    assert "{" not in done.stderr


def test_how_long_it_takes_is_told_once_it_is_known(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr("probe.commands.screen.time.monotonic", lambda: now[0])
    with Screen(json=False, terminal=False) as screen:
        screen.began(Run(id="ab" * 16, started_at=1.0), 10, 10)
        for n in range(10):
            now[0] += 60.0
            screen.stored(
                Measurement(
                    id=str(n), run_id="r", nettest="n", nettest_version="1", url="https://a.by/"
                )
            )
    lines = capfd.readouterr().err.splitlines()
    assert lines[5].endswith("about 5 min left")
    assert "left" not in lines[10]
