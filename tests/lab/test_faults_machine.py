"""What happens to the machine in the midst of a run costs nothing that was measured."""

from __future__ import annotations

import os
import pty
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from lab.clock import LIBRARY
from lab.stage import Setting, Stage
from lab.trial import HURRY
from lab.worlds.plan import build
from probe.store import Store
from tests.lab.disturbed import PATIENCE, Disturbed, look, run

pytestmark = pytest.mark.lab

TARGETS = 10
DAY = 86400


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    worlds = [build("plain_site", n) for n in range(TARGETS)]
    folder = tmp_path_factory.mktemp("machine")
    config = f"{HURRY}\n[budget]\nreserve_bytes = 0"
    with Stage(worlds, folder, Setting(config=config, icmp_ratelimit=0)) as stage:
        yield stage


def goes_on(stage: Stage, db: Path) -> None:
    """With the fault gone the run is completed, each target measured once."""
    ended = run(stage, db, lambda _: None, "--resume")
    assert 0 == ended.status, ended.said
    (one,) = ended.runs
    assert "done" == one.ended
    assert TARGETS == len({m.url for m in ended.measurements}) == len(ended.measurements)
    assert {"ok": TARGETS} == ended.outcomes


# The clock


def with_clock(stage: Stage, db: Path, first: int, then: int) -> Disturbed:
    """A run whose machine's clock is *first* seconds ahead, and set to *then* on the way."""
    ahead, other = db.with_suffix(".ahead"), db.with_suffix(".other")
    ahead.write_text(f"{first:+d}")
    env = {
        "LD_PRELOAD": LIBRARY, "FAKETIME_TIMESTAMP_FILE": str(ahead),
        "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip

    def set_clock(_: subprocess.Popen[str]) -> None:
        other.write_text(f"{then:+d}")
        other.replace(ahead)  # at once: it is read whenever the program looks at its clock

    return run(stage, db, set_clock, env=env)


@pytest.mark.parametrize(
    ("first", "then"),
    [(0, DAY), (0, 400 * DAY), (0, -DAY), (-400 * DAY, 0)],
    ids=["a day", "a year", "back", "put right"],
)
def test_a_clock_that_is_set_spoils_no_certificate_and_no_time(
    stage: Stage, tmp_path: Path, first: int, then: int
) -> None:
    began = time.time()
    ended = with_clock(stage, tmp_path / "z.db", first, then)
    assert 0 == ended.status, ended.said
    assert {"ok": TARGETS} == ended.outcomes
    for measurement in ended.measurements:
        assert began - 5 < measurement.started_at < time.time() + 5
        assert 0 <= measurement.runtime < 60


# The process


def test_a_run_that_is_stopped_for_a_while_goes_on(stage: Stage, tmp_path: Path) -> None:
    def stop(process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGSTOP)
        threading.Timer(6, process.send_signal, (signal.SIGCONT,)).start()

    ended = run(stage, tmp_path / "z.db", stop)
    assert 0 == ended.status, ended.said
    assert "stood still" in ended.said
    assert {"ok": TARGETS} == ended.outcomes


def log_in(terminal: int, hang_up: signal.Handlers) -> None:
    signal.signal(signal.SIGHUP, hang_up)
    os.login_tty(terminal)


def closed_on(stage: Stage, db: Path, hang_up: signal.Handlers) -> int:
    """How a run ends on whose way the terminal is closed."""
    ours, theirs = pty.openpty()
    # One at a time: seven of ten are left when it is closed, however late we are to see it.
    process = stage.zond(
        "run", "--yes", "--no-upload", "--list", stage.list_file, "--db", db, "--concurrency", "1",
        stdin=theirs, stdout=theirs, stderr=theirs, preexec_fn=partial(log_in, theirs, hang_up),
        env={"TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    while not re.search(rb"[3-6](?:/| of )10", seen):
        seen += os.read(ours, 65536)
    os.close(ours)
    return process.wait(PATIENCE)


def test_a_terminal_that_is_closed_ends_the_run_in_order(stage: Stage, tmp_path: Path) -> None:
    db = tmp_path / "z.db"
    assert 128 + signal.SIGHUP == closed_on(stage, db, signal.SIG_DFL)
    ended = look(db)
    assert "interrupted" == ended.runs[0].ended
    assert 3 <= len(ended.measurements) < TARGETS
    goes_on(stage, db)


def test_a_closed_terminal_is_no_error_where_hangups_are_ignored(
    stage: Stage, tmp_path: Path
) -> None:
    db = tmp_path / "z.db"
    assert 0 == closed_on(stage, db, signal.SIG_IGN)
    assert {"ok": TARGETS} == look(db).outcomes


def test_a_reader_of_the_lines_who_leaves_ends_nothing(stage: Stage, tmp_path: Path) -> None:
    db = tmp_path / "z.db"
    process = stage.start_run(db, "--json", "--seed", "1", "--concurrency", "2")
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    with process.stderr:
        said = process.stderr.read()
    assert 0 == process.wait(PATIENCE), said
    assert "Traceback" not in said and "BrokenPipe" not in said
    assert {"ok": TARGETS} == look(db).outcomes


def limited(kind: int, most: Callable[[int], int]) -> Callable[[subprocess.Popen[str]], None]:
    def limit(process: subprocess.Popen[str]) -> None:
        most_now = most(process.pid)
        resource.prlimit(process.pid, kind, (most_now, most_now))

    return limit


def test_files_that_run_out_accuse_nobody(stage: Stage, tmp_path: Path) -> None:
    db = tmp_path / "z.db"
    few = limited(resource.RLIMIT_NOFILE, lambda pid: len(os.listdir(f"/proc/{pid}/fd")))
    # The line is looked at often: of what came before a look that was good nothing is spoiled.
    ended = run(stage, db, few, after=6, env={"ZOND_LIMITS__CANARY_SECONDS": "0.2"})
    assert {"ok", "local_fault", "not_measured", "inconclusive"} >= set(ended.outcomes), ended.said
    assert 2 <= ended.outcomes["ok"]


def test_memory_that_runs_out_accuses_nobody(stage: Stage, tmp_path: Path) -> None:
    def in_use(pid: int) -> int:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()

    db = tmp_path / "z.db"
    ended = run(stage, db, limited(resource.RLIMIT_AS, in_use))
    # A stack that cannot grow, and Rust (cryptography) that is given nothing, end the process
    # on the spot, whatever we do.
    if ended.status not in (-signal.SIGSEGV, -signal.SIGABRT):
        assert ended.status in (0, 1), ended.said
        said = ended.said.count("out of memory: what was stored is safe")
        assert ended.status == said, ended.said
    assert {"ok", "not_measured", "inconclusive"} >= set(ended.outcomes), ended.said
    assert ended.announced <= sum(ended.outcomes[o] for o in ("ok", "inconclusive"))


# The database


def test_a_disk_that_is_full_for_a_while_costs_the_run_and_no_measurement(
    stage: Stage, tmp_path: Path
) -> None:
    card = tmp_path / "card"
    card.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", card], check=True)
    try:
        db, filler = card / "z.db", card / "others"

        def fill(_: subprocess.Popen[str]) -> None:
            with filler.open("wb") as file, pytest.raises(OSError, match="No space"):
                while True:
                    file.write(bytes(2**16))
                    file.flush()

        ended = run(stage, db, fill)
        assert 1 == ended.status, ended.said
        assert 1 == ended.said.count("disk is full")
        filler.unlink()
        goes_on(stage, db)
    finally:
        subprocess.run(["umount", "-l", card], check=True)


@pytest.mark.parametrize("to", ["", "elsewhere.db"], ids=["deleted", "moved"])
def test_a_database_that_is_taken_away_ends_the_run_at_once(
    stage: Stage, tmp_path: Path, to: str
) -> None:
    db = tmp_path / "z.db"

    def take(_: subprocess.Popen[str]) -> None:
        for path in tmp_path.glob("z.db*"):
            if not to:
                path.unlink()
            else:
                path.rename(tmp_path / path.name.replace("z.db", to))

    process = stage.start_run(db, "--json", "--concurrency", "2", "--seed", "1")
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if len(said) == 3:
            take(process)
    _, talk = process.communicate(timeout=PATIENCE)
    assert 1 == process.returncode
    assert 1 == talk.count("was moved or deleted while it was in use"), talk
    assert "Traceback" not in talk
    assert len(said) < TARGETS
    if to:
        shutil.copytree(tmp_path, tmp_path / "back", ignore=shutil.ignore_patterns("back"))
        for path in (tmp_path / "back").glob(f"{to}*"):
            path.rename(tmp_path / "back" / path.name.replace(to, "z.db"))
        assert len(look(tmp_path / "back" / "z.db").measurements) >= 3
        goes_on(stage, tmp_path / "back" / "z.db")
    new = run(stage, db)
    assert 0 == new.status, new.said
    assert {"ok": TARGETS} == new.outcomes


def test_a_database_that_another_program_locks_for_a_while_is_waited_for(
    stage: Stage, tmp_path: Path
) -> None:
    db = tmp_path / "z.db"
    other: list[sqlite3.Connection] = []

    def lock(_: subprocess.Popen[str]) -> None:
        connection = sqlite3.connect(db, check_same_thread=False, timeout=5)
        connection.execute("BEGIN IMMEDIATE")
        other.append(connection)
        threading.Timer(4, connection.close).start()

    ended = run(stage, db, lock)
    assert 0 == ended.status, ended.said
    assert {"ok": TARGETS} == ended.outcomes


def test_a_database_that_stays_locked_ends_the_run_in_one_line(
    stage: Stage, tmp_path: Path
) -> None:
    db = tmp_path / "z.db"
    other = []

    def lock(_: subprocess.Popen[str]) -> None:
        connection = sqlite3.connect(db, check_same_thread=False, timeout=5)
        connection.execute("BEGIN IMMEDIATE")
        other.append(connection)

    try:
        ended = run(stage, db, lock)
    finally:
        for connection in other:
            connection.close()
    assert 1 == ended.status, ended.said
    assert 1 == ended.said.count("locked by another program"), ended.said
    with Store(db) as store:
        assert ended.announced == len(list(store.measurements()))
    goes_on(stage, db)
