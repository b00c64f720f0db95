"""A process that stays: turns when they are due, ended in order, and told when they stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from probe.consent import agreement
from probe.schedule import diary, keeping
from probe.schedule.slots import HOUR, Slots

ZOND = Path(sys.executable).with_name("zond")
TURN = """
import sys, time
from pathlib import Path
from probe.schedule import diary
diary.note(Path(sys.argv[1]), "began", at=float(Path(sys.argv[2]).read_text()))
"""


class Days:
    """A clock that sleeping moves on, and that stops after so many hours."""

    def __init__(self, hours: float, told: Path) -> None:
        self.now = self.began = 1_800_000_000.0
        self.hours, self.told = hours, told

    def clock(self) -> float:
        self.told.write_text(str(self.now))
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now > self.began + self.hours * HOUR:
            raise keeping.Ended(signal.SIGTERM)


@pytest.fixture(autouse=True)
def signals_as_before() -> object:
    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, action in before.items():
        signal.signal(number, action)


def test_a_turn_in_each_slot(tmp_path: Path) -> None:
    days, slots = Days(12, tmp_path / "now"), Slots(2, secret="a")
    command = [sys.executable, "-c", TURN, str(tmp_path), str(tmp_path / "now")]
    with pytest.raises(keeping.Ended):
        keeping.keep(command, slots, tmp_path, 300, sleep=days.sleep, clock=days.clock)
    had = [slots.of(entry.at) for entry in diary.entries(tmp_path)]
    assert had == list(range(had[0], had[0] + len(had)))
    assert 6 <= len(had) <= 7


def test_a_run_that_takes_too_long_is_asked_to_end(tmp_path: Path) -> None:
    days = Days(0.1, tmp_path / "now")
    polite = (
        "import signal, sys, time, pathlib\n"
        f"def end(*_): pathlib.Path({str(tmp_path / 'ended')!r}).touch(); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        f"pathlib.Path({str(tmp_path / 'began')!r}).touch()\n"
        "time.sleep(60)\n"
    )
    with pytest.raises(keeping.Ended):
        keeping.keep(
            [sys.executable, "-c", polite], Slots(24, secret="a"), tmp_path, 2.0,
            sleep=days.sleep, clock=days.clock,
        )  # fmt: skip
    assert (tmp_path / "ended").exists() or not (tmp_path / "began").exists()


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether the process has an action of its own for the signal (proc(5))."""
    status = Path(f"/proc/{pid}/status").read_text()
    (caught,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (number - 1) & 1)


def environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": os.environ["PATH"]}


def test_as_a_first_process_it_ends_by_sigterm_and_not_before_consent(tmp_path: Path) -> None:
    command = [str(ZOND), "schedule", "keep", "--", "--url", "https://192.0.2.1/"]
    done = subprocess.run(command, env=environment(tmp_path), capture_output=True, check=False)
    assert 4 == done.returncode
    folder = tmp_path / ".local/share/zond"
    agreement.record(folder)
    diary.note(folder, "began")  # so that nothing is due, and nothing is sent
    with subprocess.Popen(command, env=environment(tmp_path), stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        process.stderr.readline()
        waited = time.monotonic() + 60
        while not catches(process.pid, signal.SIGTERM):
            assert time.monotonic() < waited
            time.sleep(0.05)
        process.terminate()
        assert 143 == process.wait(60)


def test_the_health_check_turns_when_no_turn_comes(tmp_path: Path) -> None:
    def check(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [ZOND, "schedule", "check", *arguments], env=environment(tmp_path),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, (done.stdout + done.stderr).strip()

    folder = tmp_path / ".local/share/zond"
    assert (1, "Error: no turn yet") == check()
    diary.note(folder, "left out", "no network", at=time.time() - 3 * HOUR)
    assert 0 == check()[0]
    status, said = check("--hours", "2")
    assert (1, True) == (status, said.startswith("Error: no turn since 20"))
