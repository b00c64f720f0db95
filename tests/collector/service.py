"""A collector as its operator runs it, and batches for it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probe.formats import batch
from probe.identity import month_of

ZOND = Path(sys.executable).with_name("zond")


class Running:
    """A collector process, and where it answers."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url

    def kill(self) -> None:
        """As a power cut would, but for the disk."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def collector(data: Path, *options: str) -> Iterator[Running]:
    """`zond collector serve` on a port of the loopback."""
    command: list[str | Path] = [ZOND, "collector", "serve", "--listen", "127.0.0.1:0", "--data", data, *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            found = re.search(r"http\S+", line)
            assert found, line + process.stderr.read()
            yield Running(process, found.group())
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(20)
            if process.stderr is not None:
                process.stderr.close()


def some_batch(
    *documents: bytes, key: Ed25519PrivateKey | None = None, month: str = "", now: float = 0.0
) -> tuple[str, bytes, batch.Header]:
    """A batch of *documents*: its name, packed, and its header."""
    import time

    key = key or Ed25519PrivateKey.generate()
    header = batch.Header(
        software="zond test", pseudonym=batch.pseudonym(key.public_key()), probe_cc="BY",
        probe_asn=6697, month=month or month_of(now or time.time()), nonce=os.urandom(32).hex(),
        documents=len(documents),
    )  # fmt: skip
    text = batch.plain(header, documents)
    return batch.name(text), batch.pack(text, key), header
