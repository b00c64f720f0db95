"""Record a newcomer's terminal: first start, measuring, report. Writes an asciicast and an SVG.

    python scripts/record_terminal.py FOLDER

In the lab's country, from a household of Beltelecom, with the ordinary commands typed into an
ordinary shell; so no packet leaves this machine. The home directory, a temporary one, is shown
as `HOME`. FOLDER gets
``first_run.cast`` (asciicast v2; any player of it), ``first_run.svg`` and ``report.html``. Needs
``pip install termtosvg`` beside what is locked.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

from lab.cli import QUICK_LADDER
from lab.demo import demo_worlds
from lab.stage import Setting, Stage
from lab.world import Place
from testlists import builtin

COLUMNS, LINES = 100, 32
PROMPT = "$ "
HOME = "~"
PATIENCE = 600.0  # seconds for one command
KEY = 0.06  # seconds between two keys

# What is typed when the last line asks for it, in this order.
COMMANDS = ("zond run", "zond report --out report.html", "ls -sh report.html")
# To all other questions the answer is what is proposed.
ANSWERS: tuple[tuple[str, str], ...] = (
    (r"Do you agree[^\n]*\[y/N\]: *$", "y"),
    (r"2\. measure here this time\s+\[1\] *$", "2"),
    (r"\[[^\]\n]+\]:? *$", ""),
)
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Recorder:
    """What a terminal shows, with its times, as asciicast v2 has them."""

    def __init__(self, master: int) -> None:
        self._master = master
        self._began = time.monotonic()
        self.events: list[tuple[float, str, str]] = []
        self._tail = ""

    def type(self, text: str) -> None:
        for key in f"{text}\r":
            time.sleep(KEY)
            os.write(self._master, key.encode())
            self.listen(0.0)

    def listen(self, seconds: float) -> bool:
        """Take what comes within *seconds*; whether anything did."""
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._master, 65536).decode("utf-8", "replace")
        except OSError:
            return False
        self.events.append((round(time.monotonic() - self._began, 3), "o", data))
        self._tail = (self._tail + data)[-2000:]
        return True

    def until_prompt(self) -> None:
        """Listen until the shell asks for a command, answering what is asked meanwhile."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.listen(1.0):
                continue
            shown = ESCAPES.sub("", self._tail).replace("\r", "")
            if shown.endswith(f"\n{PROMPT}") or shown == PROMPT:
                self._tail = ""
                return
            answer = next((reply for asked, reply in ANSWERS if re.search(asked, shown)), None)
            if answer is not None:
                time.sleep(1.5)  # to be read
                self._tail = ""
                self.type(answer)
        raise SystemExit(f"no end after {PATIENCE:g} s; last: {self._tail[-500:]}")


def record(folder: Path) -> None:
    targets = builtin("by")[0]
    work = Path(tempfile.mkdtemp(prefix="zond-"))
    setting = Setting(config=QUICK_LADDER, icmp_ratelimit=0)
    with Stage(demo_worlds(targets), work, setting) as stage:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        env = stage.environment(TERM="xterm-256color", PS1=PROMPT, LC_ALL="C.UTF-8")
        env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
        shell = stage.country.command(
            Place.HOME, ["bash", "--norc", "--noprofile", "-i"], env=env, cwd=work,
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        recorder = Recorder(master)
        for command in COMMANDS:
            recorder.until_prompt()
            recorder.type(command)
        recorder.until_prompt()
        shell.kill()
        shell.wait()
    header = {"version": 2, "width": COLUMNS, "height": LINES, "title": "zond: the first run"}
    shown = [(at, kind, text.replace(str(work), HOME)) for at, kind, text in recorder.events]
    lines = [json.dumps(header), *(json.dumps(event) for event in shown)]
    cast = folder / "first_run.cast"
    cast.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "report.html").write_bytes((work / "report.html").read_bytes())
    subprocess.run(  # noqa: S603
        [sys.executable, "-m", "termtosvg", "render", cast, folder / "first_run.svg",
         "--max-frame-duration", "2000"],
        check=True,
    )  # fmt: skip


if __name__ == "__main__":
    record(Path(sys.argv[1]))
