"""Does a control server grow? Many questions, and as many visitors that break off.

    python -m bench.long_run [--questions 50000] [--write]

As `bench/control.py`, whose processes these are: a site, the control with the probe's real
visit, and this one. Half of the questions are about a URL of their own (a visit each), half about
one that the cache has; beside each tenth somebody connects and leaves: with nothing said, in the
middle of the head, in the middle of the body. What is looked at in between is the server's memory,
open files and threads.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx2
import trio

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.control import SITE, _control, _site, _started, certify
from bench.pages import put
from bench.watching import size

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
OPEN = 50
LOOKS = 10
BROKEN_OFF = (
    b"", b"POST / HTTP/1.1\r\nhost: c",
    b"POST / HTTP/1.1\r\nhost: c\r\ncontent-length: 1000\r\n\r\n{",
)  # fmt: skip


class Look(NamedTuple):
    """After so many *questions*: resident *memory* in MB, open *files*, *threads*."""

    questions: int
    memory: float
    files: int
    threads: int


def look(pid: int, questions: int) -> Look:
    here = Path(f"/proc/{pid}")
    return Look(
        questions, size(pid).resident / 1e6, len(os.listdir(here / "fd")),
        len(os.listdir(here / "task")),
    )  # fmt: skip


async def break_off(control: str, said: bytes) -> None:
    at = urlsplit(control)
    stream = await trio.open_tcp_stream(at.hostname or "", at.port or 0)
    async with stream:
        if said:
            await stream.send_all(said)


async def ask(control: str, urls: Iterator[str], count: int) -> None:
    """*count* questions, some of which have somebody beside them who leaves."""
    left = itertools.count()
    limits = httpx2.Limits(max_connections=OPEN, max_keepalive_connections=OPEN)
    async with httpx2.AsyncClient(trust_env=False, limits=limits, timeout=60) as http:

        async def one() -> None:
            while (number := next(left)) < count:
                if number % 10 == 0:
                    await break_off(control, BROKEN_OFF[number // 10 % len(BROKEN_OFF)])
                asked = {"http_request": next(urls), "x_zond": {"version": 1}}
                reply = await http.post(control, json=asked)
                if reply.status_code != 200:
                    raise RuntimeError(reply.text)

        async with trio.open_nursery() as nursery:
            for _ in range(OPEN):
                nursery.start_soon(one)


def table(looks: list[Look], seconds: float) -> str:
    lines = [
        f"`python -m bench.long_run --questions {looks[-1].questions} --write`:"
        f" {seconds:.0f} s.", "", "| questions | memory | files | threads |", "|--:|--:|--:|--:|",
        *(f"| {x.questions:,} | {x.memory:.1f} MB | {x.files} | {x.threads} |" for x in looks),
    ]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--questions", type=int, default=50_000)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    port, _ = _started(_site)
    site = f"http://{SITE}:{port}/"
    urls = (f"{site}{number}" if number % 2 else site for number in itertools.count())
    with tempfile.TemporaryDirectory() as folder:
        certify(Path(folder))
        (plain, *_), pid = _started(_control, Path(folder))
        began = time.monotonic()
        looks = [look(pid, 0)]
        for part in range(1, LOOKS + 1):
            trio.run(ask, f"http://127.0.0.1:{plain}/", urls, given.questions // LOOKS)
            time.sleep(1)  # for connections of who left to be seen as gone
            looks.append(look(pid, part * given.questions // LOOKS))
    text = table(looks, time.monotonic() - began)
    print(text)
    if given.write:
        put(PAGE, "long_run", text)


if __name__ == "__main__":
    main()
