"""What zond writes is readable by who ran it and by nobody else, whatever their umask."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ZOND = Path(sys.executable).with_name("zond")
# A machine with no network at all: nothing can leave, also not by mistake.
ALONE = ["unshare", "--map-root-user", "--net"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir(mode=0o755)
    return tmp_path / "home"


def zond(home: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    keep = {"PATH": os.environ["PATH"], "HOME": str(home), **more}
    return subprocess.run(
        [*ALONE, ZOND, *arguments], env=keep, umask=0, capture_output=True, text=True
    )


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
    assert 3 == zond(home, "run", "--yes", "--url", url).returncode  # there is no network
    assert 0 == zond(home, "lists", "add", "mine", url).returncode
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
