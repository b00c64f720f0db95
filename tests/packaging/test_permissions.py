"""What zond writes is readable by who ran it and by nobody else, whatever their umask."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.collector.server import load_secret
from probe.consent.agreement import keep
from probe.schedule import diary
from probe.upload.identity import Identity
from tests.formats.documents import document, fine

ZOND = Path(sys.executable).with_name("zond")
# A machine with no network at all: nothing can leave, also not by mistake.
ALONE = ["unshare", "--map-root-user", "--net"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir(mode=0o755)
    return tmp_path / "home"


def zond(
    home: Path, *arguments: str, said: str = "", **more: str
) -> subprocess.CompletedProcess[str]:
    keep = {"PATH": os.environ["PATH"], "HOME": str(home), **more}
    return subprocess.run(
        [*ALONE, ZOND, *arguments], env=keep, umask=0, capture_output=True, text=True,
        input=said, cwd=home,
    )  # fmt: skip


def open_to_others(folder: Path) -> dict[str, str]:
    """What below *folder* somebody else could read, list or change, through open folders only."""
    found: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        mode = path.lstat().st_mode & 0o777
        if path.is_dir():
            if mode & 0o077:
                inside = open_to_others(path)
                found |= {f"{path.name}/{name}": said for name, said in inside.items()}
        elif mode & 0o077:
            found[path.name] = oct(mode)
    return found


def test_everything_of_a_volunteers(home: Path) -> None:
    url = "https://example.org/"
    bridge = f"obfs4 192.0.2.7:443 {'A' * 40} cert=abc iat-mode=0"
    # 3: there is no network
    assert 3 == zond(home, "run", "--yes", "--url", url).returncode
    assert 0 == zond(home, "lists", "add", "mine", url).returncode
    added = zond(home, "tor", "bridge", "add", said=bridge)
    assert 0 == added.returncode, added.stderr
    uploaded = zond(home, "upload", "--yes", "--dry-run", "--collector", "https://127.0.0.1:9/")
    assert uploaded.returncode in (0, 1), uploaded.stderr
    database = home / ".local/share/zond/zond.db"
    assert 0o600 == database.stat().st_mode & 0o777
    assert 0o700 == database.parent.stat().st_mode & 0o777
    assert {} == open_to_others(home)


def test_a_database_elsewhere(home: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o777)
    path = shared / "mine.db"
    zond(home, "run", "--yes", "--url", "https://example.org/", "--db", str(path))
    out = shared / "mine.jsonl"
    zond(home, "export", "--db", str(path), "--format", "ooni", "--out", str(out))
    assert path.is_file() and out.is_file()
    assert {} == open_to_others(shared)


def test_what_is_made_of_what_was_measured(home: Path) -> None:
    (home / "theirs.jsonl").write_bytes(document(fine("https")))
    (home / "theirs.jsonl").chmod(0o600)
    for command in (
        "import theirs.jsonl --db all.db",
        "report --db all.db --out report.html --lang en",
        "dataset build --db all.db --out built",
        "dataset copy built copied",
    ):
        done = zond(home, *command.split())
        assert 0 == done.returncode, done.stderr
    assert (home / "copied/manifest.json").is_file() and (home / "report.html").is_file()
    assert {} == open_to_others(home)


def test_no_secret_is_written_through_what_a_stranger_left_there(tmp_path: Path) -> None:
    """In a folder that others may write to, under the name that the unfinished file will have."""
    theirs = tmp_path / "theirs"
    theirs.write_bytes(b"")
    theirs.chmod(0o666)
    writes: dict[str, Callable[[], object]] = {
        "upload.key": lambda: Identity(tmp_path / "upload.key").secret_for("x"),
        "secret.key": lambda: load_secret(tmp_path / "secret.key"),
        "consent.json": lambda: keep(tmp_path / "consent.json", b"{}"),
    }
    for name, write in writes.items():
        for trap in (f".{name}.{os.getpid()}", f"{name}.new"):
            (tmp_path / trap).symlink_to(theirs)
        write()
        assert b"" == theirs.read_bytes()
        assert (tmp_path / name).is_file() and not (tmp_path / name).is_symlink()
        assert 0o600 == (tmp_path / name).stat().st_mode & 0o777


def test_a_diary_that_is_shortened_stays_the_users(tmp_path: Path) -> None:
    for number in range(2 * diary.KEPT + 2):
        diary.note(tmp_path, "began", at=float(number))
    assert 2 * diary.KEPT > len(diary.entries(tmp_path))
    assert 0o600 == (tmp_path / diary.FILE).stat().st_mode & 0o777


def test_everything_of_a_collectors(tmp_path: Path) -> None:
    data = tmp_path / "data"
    started = [str(ZOND), "collector", "serve", "--listen", "127.0.0.1:0", "--data", str(data)]
    with subprocess.Popen(started, stderr=subprocess.PIPE, umask=0) as process:
        assert process.stderr is not None
        while not (line := process.stderr.readline()).strip():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
    assert (data / "secret.key").is_file(), line
    assert 0o600 == (data / "secret.key").stat().st_mode & 0o777
    assert {} == open_to_others(tmp_path)
