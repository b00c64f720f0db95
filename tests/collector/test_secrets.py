"""What must stay secret is in no word that either side says, however an upload ends.

The volunteer's secret and the collector's are searched in all that the programs print, in their
command lines (which others on the machine may read), and on the other's disk.
"""

from __future__ import annotations

import base64
import os
import subprocess
import time
from pathlib import Path

import pytest

from probe.formats import batch
from probe.store import Store
from testlists import builtin
from tests.collector.service import ZOND, collector, some_measurement, some_run


def spellings(secret: bytes) -> list[bytes]:
    encoded = (base64.b64encode(secret), base64.urlsafe_b64encode(secret), base64.b32encode(secret))
    return [
        secret, secret.hex().encode(), secret.hex().upper().encode(), repr(secret)[2:-1].encode(),
        *(spelling.rstrip(b"=") for spelling in encoded),
    ]  # fmt: skip


def upload(home: Path, url: str, key: str) -> tuple[bytes, bytes, int]:
    """What `zond upload` says, its command line, its exit status."""
    settings = home / "zond.toml"
    settings.write_text(f'[upload]\nkey = "{key}"\n')
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ZOND_", "XDG_"))}
    process = subprocess.Popen(
        [ZOND, "upload", "--db", home / "zond.db", "--config", settings, "--collector", url,
         "--again", "--yes"],
        env=kept | {"HOME": str(home), "PYTHONFAULTHANDLER": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    words = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    said, _ = process.communicate(timeout=180)
    return said, words, process.returncode


@pytest.mark.parametrize("ending", ["delivered", "another key", "damaged"])
def test_no_secret_is_said(tmp_path: Path, ending: str) -> None:
    home, data = tmp_path / "home", tmp_path / "data"
    home.mkdir()
    data.mkdir()
    run = some_run(
        ended="done", ended_at=time.time(), clock_offset=0.0, captive_portal=False
    )  # fmt: skip
    with Store(home / "zond.db", write=True) as store:
        store.begin_run(run, [])
        store.append([some_measurement(run.id, url=builtin("by")[0][0].url)])
    theirs = batch.CollectorSecret()
    (data / "secret.key").write_bytes(theirs.raw)
    (data / "secret.key").chmod(0o600)
    key = batch.CollectorSecret().public if ending == "another key" else theirs.public
    with collector(data) as running:
        said, words, status = upload(home, running.url, key)
        if ending == "damaged":
            with open(home / "zond.db", "r+b") as file:
                file.seek(100)
                file.write(b"\xff" * 4000)
            said, words, status = upload(home, running.url, key)
        assert (0 == status) is (ending == "delivered"), said
        assert (b"1 batch" in said) is (ending == "delivered"), said
        words += Path(f"/proc/{running.process.pid}/cmdline").read_bytes()
        running.process.terminate()
        assert running.process.stderr is not None
        their_word = running.process.stderr.read().encode()
    assert b"Traceback" not in said + their_word
    (ours,) = (
        found for path in home.rglob("*")
        if path.is_file() and len(found := path.read_bytes()) == 32
    )  # fmt: skip
    on_their_disk = b"".join(path.read_bytes() for path in data.rglob("*") if path.is_file())
    for needle in spellings(ours):
        assert needle not in said + words + their_word + on_their_disk
    kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    for needle in spellings(theirs.raw):
        assert needle not in said + words + their_word + kept
