"""After ``zond wipe`` nothing of zond's is left, and everything else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from filelock import FileLock

from probe import places, settings_file, wipe
from probe.cli import zond
from probe.consent import agreement
from probe.consent.networks import Networks
from probe.evidence import Measurement, Run
from probe.schedule import diary
from probe.store import Store
from probe.tor.keeping import Keeping
from probe.upload.identity import Identity

ROOT = Path(__file__).parents[2]
WORD = b"forbidden-news"


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Whose directories are all within one that can be walked, and who has no crontab."""
    for name in [name for name in os.environ if name.startswith("ZOND_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(wipe, "IN_MEMORY", temporary)  # where other tests have theirs
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "crontab").write_text('#!/bin/sh\n[ "$1" = -l ] && cat "$HOME/crontab"\n')
    (programs / "crontab").chmod(0o755)
    (tmp_path / "crontab").write_text("0 4 * * * backup\n")
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return tmp_path


def fill(database: Path) -> None:
    with Store(database, write=True) as store:
        run = Run(id="ab" * 16, started_at=time.time())
        store.begin_run(run, [])
        store.append([
            Measurement(
                id=f"{n:032x}", run_id=run.id, nettest="web_connectivity", nettest_version="1",
                url=f"https://{WORD.decode()}.example/{n}",
            )
            for n in range(3)
        ])  # fmt: skip


def everything(home: Path) -> None:
    """All that zond keeps where it is used for long: as it is kept by those who keep it."""
    folder = places.data_directory()
    agreement.record(folder)
    agreement.record_upload(folder)
    Networks(folder).allow_anywhere(True)
    diary.note(folder, "left out", "no network")
    fill(places.database())
    Identity(places.identity()).key(6697, "2026-11")
    settings_file.change(places.config_file(), {"upload": {"file": str(home / "carry.zond")}})
    (home / "carry.zond").write_bytes(b"batches")
    (home / "carry.zond.receipts").write_bytes(b"receipts")
    for name in (".upload.lock", ".lock", "-wal", "-shm"):
        Path(f"{places.database()}{name}").touch()
    (folder / "consent.json.new").write_bytes(b"{")  # power cuts
    (folder / ".identity.4711").write_bytes(b"half of it")
    Keeping(places.bridges()).add(f"192.0.2.7:443 {'A' * 40}")
    killed = Path(tempfile.mkdtemp(prefix="zond-tor-"))
    (killed / "data").mkdir()
    (killed / "data/state").write_text("guards")
    own = home / "my.csv"
    own.write_text("https://my.example/\n")
    added = wipe_command("lists", "add", "mine", "https://added.example/")
    assert added.exit_code == 0, added.stderr


def wipe_command(*arguments: str) -> Result:
    return CliRunner().invoke(zond, list(arguments), catch_exceptions=False)


def all_files(home: Path) -> set[str]:
    return {str(p.relative_to(home)) for p in home.rglob("*") if not p.is_dir() or p.is_symlink()}


def test_nothing_is_left_and_what_is_not_ours_stays(home: Path) -> None:
    before = all_files(home)
    everything(home)
    assert len(all_files(home)) > len(before) + 10
    result = wipe_command("wipe", "--yes")
    assert result.exit_code == 0, result.stderr
    assert all_files(home) == before | {"my.csv"}  # the user's own list
    assert not places.data_directory().exists() and not places.config_file().parent.exists()
    assert "3 measurements were never shared" in result.stderr
    again = wipe_command("wipe", "--yes")
    assert again.exit_code == 0 and "nothing of zond's here" in again.stderr


def test_what_lies_in_our_directories_and_is_not_ours_is_named_and_stays(home: Path) -> None:
    everything(home)
    strange = places.data_directory() / "holiday.jpg"
    strange.write_bytes(b"sea")
    (home / "diary.txt").write_text("mine")
    result = wipe_command("wipe", "--yes")
    assert strange.read_bytes() == b"sea" and (home / "diary.txt").exists()
    assert f"not zond's, left where it is: {strange}" in result.stderr
    assert os.listdir(places.data_directory()) == ["holiday.jpg"]


def test_a_link_is_removed_and_what_it_leads_to_stays(home: Path) -> None:
    target = home / "elsewhere.db"
    fill(target)
    places.database().parent.mkdir(parents=True)
    places.database().symlink_to(target)
    assert wipe_command("wipe", "--yes").exit_code == 0
    assert not places.database().is_symlink()
    assert WORD in target.read_bytes()


def test_a_directory_of_ours_that_is_a_link_goes_with_what_it_leads_to(home: Path) -> None:
    private = home / "private"
    private.mkdir()
    places.data_directory().parent.mkdir(parents=True)
    places.data_directory().symlink_to(private)
    agreement.record(places.data_directory())
    assert wipe_command("wipe", "--yes").exit_code == 0
    assert not private.exists() and not places.data_directory().is_symlink()


def test_a_database_elsewhere_goes_where_the_settings_name_it(home: Path) -> None:
    elsewhere = home / "stick/measured.db"
    elsewhere.parent.mkdir()
    (elsewhere.parent / "song.mp3").touch()
    fill(elsewhere)
    settings_file.change(places.config_file(), {"db": str(elsewhere)})
    assert wipe_command("wipe", "--yes").exit_code == 0
    assert os.listdir(elsewhere.parent) == ["song.mp3"]


def test_what_is_removed_was_overwritten_before(home: Path) -> None:
    fill(places.database())
    with open(places.database(), "rb") as file:  # it keeps the blocks, whatever its name
        assert WORD in file.read()
        assert wipe_command("wipe", "--yes").exit_code == 0
        file.seek(0)
        assert WORD not in file.read()


def test_nobody_who_was_not_asked_loses_anything(home: Path) -> None:
    everything(home)
    before = all_files(home)
    assert wipe_command("wipe").exit_code == 4
    shown = wipe_command("wipe", "--dry-run")
    assert shown.exit_code == 0
    assert str(places.database()) in shown.stdout and str(places.identity()) in shown.stdout
    assert all_files(home) == before


def test_settings_and_databases_that_cannot_be_read_go_as_well(home: Path) -> None:
    places.config_file().parent.mkdir(parents=True)
    places.config_file().write_text("proxy = [")
    places.database().parent.mkdir(parents=True)
    places.database().write_bytes(b"not a database at all" * 100)
    result = wipe_command("wipe", "--yes")
    assert result.exit_code == 0 and "cannot be read" in result.stderr
    assert not places.config_file().exists() and not places.database().exists()


def test_what_cannot_be_removed_is_said_with_who_can(home: Path) -> None:
    for language, words in {
        "en": ("history of your shell", "journalctl", "Backups", "memory cards", "operator"),
        "be": ("Гісторыю", "journalctl", "Рэзервовыя", "карты памяці", "аператара"),
        "ru": ("Историю", "journalctl", "Резервные", "карты памяти", "оператора"),
    }.items():
        said = wipe_command("wipe", "--yes", "--lang", language).stderr
        for word in words:
            assert word in said


@pytest.fixture
def holder(home: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the database, as a run does."""
    fill(places.database())
    code = (
        "import sys, time; from filelock import FileLock; lock = FileLock(sys.argv[1]);"
        "lock.acquire(); print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, f"{places.database()}.lock"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline()
        yield process
        process.kill()


def test_a_run_that_goes_on_is_ended_first(holder: subprocess.Popen[str], home: Path) -> None:
    assert wipe_command("wipe", "--yes").exit_code == 0
    assert holder.wait(60) == -signal.SIGTERM
    assert not places.data_directory().exists()


TWO_DISKS = """
import subprocess, sys
from pathlib import Path
from filelock import FileLock
from probe.wipe import stop_runs
ours, strangers = Path(sys.argv[1]), Path(sys.argv[2])
for disk in (ours, strangers):
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", disk], check=True)
    (disk / "zond.db.lock").touch()
assert len({(disk / "zond.db.lock").stat().st_ino for disk in (ours, strangers)}) == 1
hold = (
    "import sys; from filelock import FileLock; lock = FileLock(sys.argv[1]); lock.acquire();"
    "print(flush=True); sys.stdin.read()"
)
with subprocess.Popen(
    [sys.executable, "-c", hold, strangers / "zond.db.lock"],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
) as stranger:
    stranger.stdout.readline()
    assert stop_runs([strangers / "other.db", ours / "zond.db"]) == []
    stranger.communicate()
assert stranger.returncode == 0
"""


def test_who_holds_a_file_of_the_same_number_on_another_disk_is_left_alone(
    home: Path,
) -> None:
    powers = () if os.geteuid() == 0 else ("--map-root-user",)
    done = subprocess.run(
        ["unshare", "--mount", *powers, sys.executable, "-c", TWO_DISKS, home / "a", home / "b"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr


def test_our_own_lock_kills_nobody(home: Path) -> None:
    fill(places.database())
    with FileLock(f"{places.database()}.lock"):
        assert wipe_command("wipe", "--yes").exit_code == 0
