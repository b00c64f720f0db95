"""A database that only its passphrase opens, by every command, and never by asking in vain."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from probe import encryption
from probe.encryption import is_plain
from probe.evidence import Measurement, Run
from probe.schema import migrations
from probe.store import Store, StoreError
from probe.upload.outbox import Outbox
from tests.probe.terminal import Terminal

ROOT = Path(__file__).parents[2]
WORD = b"forbidden-news"
SECRET = "Сіні конь, 12 'кветак'"
Done = subprocess.CompletedProcess[str]
RUN_ID = "ab" * 16


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each test is a process of its own, as far as passphrases go."""
    encryption.passphrase.cache_clear()
    for name in [name for name in os.environ if name.startswith("ZOND_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "zond.db"
    with Store(path, write=True) as store:
        run = Run(id=RUN_ID, started_at=time.time(), ended="done")
        store.begin_run(run, [])
        store.append([
            Measurement(
                id=f"{n:032x}", run_id=run.id, nettest="web_connectivity", nettest_version="1",
                url=f"https://{WORD.decode()}.example/{n}", started_at=run.started_at,
            )
            for n in range(3)
        ])  # fmt: skip
    return path


def zond(*arguments: str | Path, fd: str | None = None, **environment: str) -> Done:
    """``zond`` as a process of its own; *fd*: the passphrase is behind a descriptor."""
    command = [sys.executable, "-c", "from probe.cli import main; main()", *map(str, arguments)]
    passed: list[int] = []
    if fd is not None:
        reader, writer = os.pipe()
        os.write(writer, f"{fd}\n".encode())
        os.close(writer)
        passed, environment["ZOND_PASSPHRASE_FD"] = [reader], str(reader)
    done = subprocess.run(
        command, env=os.environ | environment, cwd=ROOT, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, pass_fds=passed, check=False,
    )  # fmt: skip
    for descriptor in passed:
        os.close(descriptor)
    assert "Traceback" not in done.stderr and "CORE" not in done.stderr, done.stderr
    return done




def encrypted(db: Path, *options: str, secret: str = SECRET) -> Path:
    done = zond("encrypt", "--db", db, *options, fd=secret)
    assert done.returncode == 0, done.stderr
    return db


def urls(path: Path) -> list[str]:
    with Store(path) as store:
        return [m.url for m in store.measurements()]


def test_nothing_of_it_can_be_read_and_all_of_it_with_the_passphrase(
    db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = urls(db)
    assert WORD in db.read_bytes()
    encrypted(db)
    kept = [path for path in db.parent.iterdir() if path.is_file()]
    assert not [path for path in kept if WORD in path.read_bytes()]
    assert not is_plain(db) and 0o600 == db.stat().st_mode & 0o777
    with closing(sqlite3.connect(db)) as plain, pytest.raises(sqlite3.DatabaseError):
        plain.execute("SELECT * FROM runs")
    monkeypatch.setenv("ZOND_PASSPHRASE", SECRET)
    assert urls(db) == before


def test_what_is_written_afterwards_is_encrypted_too(
    db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encrypted(db)
    monkeypatch.setenv("ZOND_PASSPHRASE", SECRET)
    with Store(db, write=True) as store:
        store.append([
            Measurement(id="f" * 32, run_id=RUN_ID, nettest="web_connectivity",
                        nettest_version="1", url="https://later-secret.example/")
        ])  # fmt: skip
        kept = b"".join(path.read_bytes() for path in db.parent.glob("zond.db*"))
        assert b"later-secret" not in kept  # nor in the log beside it
    with Outbox(db, write=True) as outbox:
        assert outbox.counts().measurements == 4


def test_a_wrong_passphrase_and_none_are_one_line_and_cost_nothing(db: Path) -> None:
    encrypted(db)
    before = db.read_bytes()
    wrong = zond("export", "--format", "ooni", "--out", db.parent / "o.jsonl", "--db", db, fd="no")
    none = zond("export", "--format", "ooni", "--out", db.parent / "o.jsonl", "--db", db)
    run = zond("run", "--yes", "--url", "https://a.example/", "--db", db)
    for done, said in ((wrong, "passphrase is wrong"), (none, "ZOND_PASSPHRASE"), (run, "ZOND_")):
        assert done.returncode == 1
        assert said in done.stderr and str(db) in done.stderr
    assert db.read_bytes() == before


def test_every_command_opens_it_with_the_passphrase(db: Path) -> None:
    encrypted(db)
    out = db.parent / "mine.jsonl"
    for command in (
        ("export", "--format", "ooni", "--unscrubbed", "--out", out, "--db", db),
        ("upload", "--dry-run", "--db", db),
        ("verdicts", "--db", db, "--format", "jsonl"),
        ("import", "--db", db, os.devnull),
    ):
        done = zond(*command, fd=SECRET)
        assert done.returncode in (0, 5), (command, done.stderr)
    assert WORD in out.read_bytes()


def test_the_passphrase_comes_from_a_descriptor_a_credential_or_a_variable(
    db: Path, tmp_path: Path
) -> None:
    encrypted(db)
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "passphrase").write_text(SECRET + "\n", "utf-8")
    command = ("upload", "--dry-run", "--db", db)
    assert zond(*command, fd=SECRET).returncode == 0
    assert zond(*command, CREDENTIALS_DIRECTORY=str(folder)).returncode == 0
    assert zond(*command, ZOND_PASSPHRASE=SECRET).returncode == 0
    # What the user chose for this command goes before what is always there.
    assert zond(*command, fd=SECRET, ZOND_PASSPHRASE="wrong").returncode == 0
    assert zond(*command, ZOND_PASSPHRASE_FD="99").returncode == 1


def test_a_passphrase_can_be_changed(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = urls(db)
    encrypted(db)
    with Terminal("encrypt", "--change", "--db", str(db)) as terminal:
        for asked, typed in (("Passphrase", SECRET), ("New", "new one"), ("Once more", "new one")):
            terminal.until(asked)
            terminal.type(typed)
        assert terminal.end() == 0, terminal.said
    assert "new one" not in terminal.said
    assert zond("upload", "--dry-run", "--db", db, fd=SECRET).returncode == 1
    monkeypatch.setenv("ZOND_PASSPHRASE", "new one")
    assert urls(db) == before


def test_a_passphrase_can_be_taken_away(db: Path) -> None:
    before = urls(db)
    encrypted(db)
    undone = zond("encrypt", "--undo", "--db", db, fd=SECRET)
    assert undone.returncode == 0 and is_plain(db)
    assert urls(db) == before
    with Store(db, write=True) as store:  # it is ours, and whole
        assert [RUN_ID] == [run.id for run in store.runs()]


def test_encrypting_twice_or_undoing_nothing_is_an_argument_that_is_wrong(db: Path) -> None:
    assert zond("encrypt", "--undo", "--db", db, fd=SECRET).returncode == 2
    assert zond("encrypt", "--change", "--db", db, fd=SECRET).returncode == 2
    encrypted(db)
    assert zond("encrypt", "--db", db, fd=SECRET).returncode == 2
    assert zond("encrypt", "--change", "--undo", "--db", db, fd=SECRET).returncode == 2
    assert zond("encrypt", "--db", db.with_name("other.db"), fd="").returncode == 1
    assert not db.with_name("other.db").exists()
    db.with_name("folder.db").mkdir()
    assert zond("encrypt", "--db", db.with_name("folder.db"), fd=SECRET).returncode == 1


def test_a_database_that_is_not_there_yet_begins_encrypted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encrypted(tmp_path / "fresh" / "zond.db")
    assert not is_plain(path)
    monkeypatch.setenv("ZOND_PASSPHRASE", SECRET)
    with Store(path, write=True) as store:
        store.begin_run(Run(id=RUN_ID, started_at=1.0), [])
        assert len(store.runs()) == 1


def test_an_older_encrypted_database_is_read_without_being_changed(
    db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encrypted(db)
    monkeypatch.setenv("ZOND_PASSPHRASE", SECRET)
    connection = encryption.connect(str(db), SECRET)
    (latest,) = connection.execute("SELECT max(name) FROM _sqlite_migrations").fetchone()
    with Store(db) as store:
        assert latest == max(m.name for m in migrations.applied(store._db))
    connection.execute("DROP TABLE uses")
    connection.execute("DROP TABLE forgotten")
    connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'm006_retention'")
    connection.commit()
    connection.close()
    before = db.read_bytes()
    assert len(urls(db)) == 3
    assert db.read_bytes() == before


def test_without_sqlcipher_it_is_said_what_to_install(
    db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encrypted(db)
    monkeypatch.setenv("ZOND_PASSPHRASE", SECRET)
    monkeypatch.setitem(sys.modules, "sqlcipher3", None)
    with pytest.raises(StoreError, match=r"pip install '.\[encrypted\]'"):
        Store(db)
