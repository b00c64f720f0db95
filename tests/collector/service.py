"""A collector as its operator runs it, and batches for it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probe.evidence import Measurement, Run
from probe.formats import batch
from probe.upload.identity import month_of

ZOND = Path(sys.executable).with_name("zond")
PATIENCE = 60.0  # seconds: a busy machine may let a process wait for long


class Running:
    """A collector process, and where it answers."""

    def __init__(self, process: subprocess.Popen[str], url: str, data: Path) -> None:
        self.process = process
        self.url = url
        self.data = data

    def kill(self) -> None:
        """As a power cut would, but for the disk."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def collector(data: Path, *options: str) -> Iterator[Running]:
    """`zond collector serve` on a port of the loopback."""
    command: list[str | Path] = [
        ZOND, "collector", "serve", "--listen", "127.0.0.1:0", "--data", data, *options
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = ""
            while not (found := re.search(r"listening at (http\S+)", said)):
                line = process.stderr.readline()
                assert line, said
                said += line
            yield Running(process, found[1], data)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)
            if process.stderr is not None:
                process.stderr.close()


def asked(method: str, url: str, **more: Any) -> httpx2.Response:
    """What a server answers."""
    return httpx2.request(method, url, timeout=PATIENCE, **more)


def run_line(run: Run) -> bytes:
    return b'{"kind":"run",' + msgspec.json.encode(run)[1:]


def line(measurement: Measurement) -> bytes:
    return b'{"kind":"measurement",' + msgspec.json.encode(measurement)[1:]


def some_measurement(run_id: str = "00" * 16, **fields: Any) -> Measurement:
    """A measurement of now, with an id of its own."""
    usual: dict[str, Any] = {
        "id": os.urandom(16).hex(), "run_id": run_id, "nettest": "web", "nettest_version": "1",
        "url": "https://example.org/", "started_at": time.time(), "runtime": 0.5,
    }  # fmt: skip
    return Measurement(**usual | fields)


def some_run(**fields: Any) -> Run:
    """A run of now, in the network of `some_batch`."""
    usual: dict[str, Any] = {
        "id": os.urandom(16).hex(), "started_at": time.time(), "probe_asn": 6697, "probe_cc": "BY",
    }  # fmt: skip
    return Run(**usual | fields)


def some_batch(
    *documents: bytes, key: Ed25519PrivateKey | None = None, month: str = "", now: float = 0.0
) -> tuple[str, bytes, batch.Header]:
    """A batch of *documents*: its name, packed, and its header."""
    key = key or Ed25519PrivateKey.generate()
    header = batch.Header(
        software="zond test", pseudonym=batch.pseudonym(key.public_key()), probe_cc="BY",
        probe_asn=6697, month=month or month_of(now or time.time()), nonce=os.urandom(32).hex(),
        documents=len(documents),
    )  # fmt: skip
    text = batch.plain(header, documents)
    return batch.name(text), batch.pack(text, key), header
