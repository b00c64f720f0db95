"""A terminal with ``zond`` on it, and who types there."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from codecs import getincrementaldecoder
from functools import partial
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0  # seconds


def _log_in(terminal: int) -> None:
    """At *terminal*, where Ctrl-C ends a program, whoever has run the tests in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.login_tty(terminal)


class Terminal:
    """``zond`` before a person: what is said on a terminal, and what is typed there.

    *before* is what its process does first."""

    def __init__(self, *arguments: str, before: str = "", **environment: str) -> None:
        self.said = ""
        self._decoder = getincrementaldecoder("utf-8")()
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"{before}\nfrom probe.cli import main; main()", *arguments],
            preexec_fn=partial(_log_in, theirs), cwd=ROOT, env=os.environ | environment,
        )  # fmt: skip
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def until(self, text: str) -> str:
        """What is said up to *text*, which must come."""
        before = len(self.said)
        while text not in self.said[before:]:
            self.said += self._read()
        return self.said[before:]

    def type(self, *lines: str) -> None:
        for line in lines:
            os.write(self._ours, f"{line}\n".encode())
            time.sleep(0.1)  # a person is no faster

    def press(self, key: str) -> None:
        os.write(self._ours, key.encode())

    def end(self) -> int:
        try:
            while True:
                self.said += self._read()
        except EOFError:
            return self._process.wait(PATIENCE)

    def _read(self) -> str:
        ready, _, _ = select.select([self._ours], [], [], PATIENCE)
        assert ready, f"nothing more was said after: {self.said}"
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # Linux says so when the last program has left the terminal
            raise EOFError(self.said) from None
        return self._decoder.decode(data).replace("\r\n", "\n")
