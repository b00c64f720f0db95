"""zond schedule: what it writes, what it refuses, and that its end leaves nothing.

The crontab is a program of a few lines that keeps a file, as crontab(1) does; systemd reads
our units for itself. Both in a machine that really boots: scripts/try-schedule.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from probe.consent import agreement
from probe.ending import Problem
from probe.schedule import diary, systemd
from probe.schedule.plan import Plan

ZOND = Path(sys.executable).with_name("zond")
CRONTAB = """#!/bin/sh
case "$1" in
    -l) cat "$HOME/crontab" 2>/dev/null || { echo "no crontab for you" >&2; exit 1; };;
    -r) rm "$HOME/crontab";;
    -) cat > "$HOME/crontab";;
esac
"""
OTHERS = "MAILTO=me\n# schedule: of something else\n5 4 * * * backup 100\\%\n"
ODD = ["a b", 'quote"d', "100%", "$HOME", "back\\slash", "it's"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose PATH has our crontab in front."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "crontab").write_text(CRONTAB)
    (programs / "crontab").chmod(0o755)
    return tmp_path


@pytest.fixture
def agreed(home: Path) -> Path:
    agreement.record(data(home))
    return home


def data(home: Path) -> Path:
    return home / ".local/share/zond"


def zond(
    home: Path, *arguments: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    path = f"{home / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        [ZOND, *arguments], env={"HOME": str(home), "PATH": path} | (env or {}), cwd=home,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_without_consent_nothing_is_written(home: Path) -> None:
    done = zond(home, "schedule", "install", "--by", "cron")
    assert 4 == done.returncode
    assert 1 == len(done.stderr.splitlines())
    assert not (home / "crontab").exists()


def test_cron_install_again_status_and_remove(agreed: Path) -> None:
    (agreed / "crontab").write_text(OTHERS)
    (agreed / "my.csv").write_text("url\n")
    for every in ("6", "1"):
        done = zond(
            agreed, "schedule", "install", "--by", "cron", "--every", every, "--", "--list",
            "my.csv",
        )  # fmt: skip
        assert (0, "every") == (done.returncode, done.stderr.split()[1])
    crontab = (agreed / "crontab").read_text()
    assert crontab.startswith(OTHERS)
    ours = crontab.removeprefix(OTHERS).splitlines()
    assert 2 == len(ours)
    assert f"--list {agreed / 'my.csv'}" in ours[1]
    told = zond(agreed, "schedule", "status")
    assert (0, "") == (told.returncode, told.stderr)
    assert "zond: every 1 h by cron; next 20" in told.stdout
    assert "variables" not in done.stderr

    assert 0 == zond(agreed, "schedule", "remove").returncode
    assert OTHERS == (agreed / "crontab").read_text()
    assert "nothing is scheduled" in zond(agreed, "schedule", "status").stdout
    (agreed / "crontab").unlink()
    zond(agreed, "schedule", "install", "--by", "cron")
    diary.note(data(agreed), "began")
    zond(agreed, "schedule", "remove")
    assert ["consent.json"] == [file.name for file in data(agreed).iterdir()]
    assert not (agreed / "crontab").exists()


def test_settings_are_those_that_the_runs_will_have(agreed: Path) -> None:
    (agreed / ".config/zond").mkdir(parents=True)
    (agreed / ".config/zond/zond.toml").write_text(f'db = "{agreed}/elsewhere/my.db"\n')
    done = zond(agreed, "schedule", "install", "--by", "cron", env={"ZOND_DB": "other.db"})
    assert 0 == done.returncode
    assert "ZOND_… variables do not reach the runs" in done.stderr
    (found,) = msgspec.json.decode(zond(agreed, "schedule", "status", "--json").stdout)
    assert f"{agreed}/elsewhere/my.db" == found["plan"]["database"]


def test_a_program_that_a_service_could_not_start_is_no_program_for_one(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    tmp_path.chmod(0o755)
    assert systemd.closed_to("/usr/bin/env", None) is None
    assert closed == systemd.closed_to(str(closed / "zond"), None)
    assert closed != systemd.closed_to(str(closed / "zond"), closed.stat().st_uid)


def test_a_crontab_that_cannot_be_read_is_not_written_over(agreed: Path) -> None:
    (agreed / "crontab").write_text(OTHERS)
    (agreed / "bin/crontab").write_text(
        CRONTAB.replace("-l) ", '-l) echo "permission denied" >&2; exit 1;;\n x) ')
    )
    done = zond(agreed, "schedule", "install", "--by", "cron")
    assert (1, "Error: crontab -l: permission denied") == (done.returncode, done.stderr.strip())
    assert OTHERS == (agreed / "crontab").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--", "--nonsense"], "No such option"),
        (["--", "--yes"], "--yes: a schedule runs by what was agreed to"),
        (["--every", "5"], "--every"),
        (["--name", "../up"], "--name"),
        (["--as", "nobody-of-that-name", "--by", "systemd", "--dry-run"], "there is no user"),
        (["--", "--config", "missing.toml"], "no configuration file"),
    ],
)
def test_what_a_timer_could_not_run_is_refused_now(
    agreed: Path, arguments: list[str], said: str
) -> None:
    done = zond(agreed, "schedule", "install", *arguments)
    assert 2 == done.returncode
    assert said in done.stderr
    assert 1 == len(done.stderr.splitlines())
    assert not (agreed / "crontab").exists()


def test_status_tells_what_came_of_the_turns(agreed: Path) -> None:
    zond(agreed, "schedule", "install", "--by", "cron")
    diary.note(data(agreed), "left out", "no network", at=1_800_000_000)
    diary.note(data(agreed), "began", at=1_800_003_600)
    told = zond(agreed, "schedule", "status").stdout.splitlines()
    assert told[1].endswith("left out: no network")
    assert told[2].endswith("began, and no run came of it")
    (found,) = msgspec.json.decode(zond(agreed, "schedule", "status", "--json").stdout)
    assert ("cron", 2) == (found["by"], len(found["turns"]))


def test_crons_turn_comes_once_in_a_slot(agreed: Path) -> None:
    zond(agreed, "schedule", "install", "--by", "cron", "--every", "1")
    now = ("schedule", "now", "--metered", "--cron", "zond")
    diary.note(data(agreed), "began")  # this slot had its turn
    assert (0, "") == ((done := zond(agreed, *now)).returncode, done.stderr)
    assert 1 == len(diary.entries(data(agreed)))
    assert 2 == zond(agreed, "schedule", "now", "--cron", "another").returncode


def test_a_turn_without_consent_is_left_out_at_once(home: Path) -> None:
    done = zond(home, "schedule", "now")
    assert (4, "no run now: nobody agrees to measuring any more") == (
        done.returncode, done.stderr.strip(),
    )  # fmt: skip
    assert ["left out"] == [entry.what for entry in diary.entries(data(home))]


def plan(**changes: object) -> Plan:
    settings: dict[str, object] = {
        "program": (str(ZOND),), "arguments": tuple(ODD), "folder": "/var/lib/zond",
        "database": "/var/lib/zond/zond.db", "start": 615, "every": 6,
    }  # fmt: skip
    return Plan(**settings | changes)  # type: ignore[arg-type]


VARIANTS = {
    "of a user": (plan(), False),
    "of the system, as somebody": (plan(user="root"), True),
    "of the system, as nobody in particular": (plan(agreed="/srv/100% my/consent.json"), True),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_systemd_understands_the_units(variant: str, tmp_path: Path) -> None:
    of, system = VARIANTS[variant]
    service, timer = tmp_path / "zond.service", tmp_path / "zond.timer"
    service.write_text(systemd.service(of, system=system))
    timer.write_text(systemd.timer(of))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", service, timer],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    ours = [line for line in done.stderr.splitlines() if "zond" in line]
    assert [] == ours
    assert systemd._plan_in(timer) == systemd._plan_in(service) == of


@pytest.mark.parametrize("variant", list(VARIANTS)[1:])
def test_a_unit_of_the_system_is_confined(variant: str, tmp_path: Path) -> None:
    of, system = VARIANTS[variant]
    (tmp_path / "zond.service").write_text(systemd.service(of, system=system))
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=30", "--no-pager",
         tmp_path / "zond.service"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert 0 == done.returncode, done.stdout


def test_hours_begin_at_the_plans_own(tmp_path: Path) -> None:
    assert "OnCalendar=*-*-* 04,10,16,22:15:00" in systemd.timer(plan())
    assert "OnCalendar=*-*-* 10:15:00" in systemd.timer(plan(every=24))


def test_a_unit_of_the_same_name_that_is_not_ours_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd, "SYSTEM", tmp_path)
    (tmp_path / "zond.timer").write_text("[Timer]\nOnCalendar=daily\n")
    with pytest.raises(Problem, match="not ours"):
        systemd.install(plan(), system=True)
    assert ["zond.timer"] == [file.name for file in tmp_path.iterdir()]
    assert [] == systemd.found(system=True)
