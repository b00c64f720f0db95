"""The worked examples of a page: files to be written, programs to be run, what they print.

A comment before a block of code says what it is: ``<!-- file: NAME -->``, ``<!-- run: NAME -->``,
``<!-- prints -->`` (of the program before it), ``<!-- output of WHAT -->``.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(
    r"^<!-- (file|run|prints|output of)(?::? ([^\n]+?))?? -->\n```\w*\n(.*?)^```", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    kind: str
    name: str
    text: str


def blocks(page: str) -> list[Block]:
    found = [Block(*match) for match in _BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))]
    assert found, f"no examples in {page}"
    return found


def written(page: str, folder: Path) -> None:
    for block in blocks(page):
        if block.kind in ("file", "run"):
            path = folder / block.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)


def printed(program: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", program],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout
