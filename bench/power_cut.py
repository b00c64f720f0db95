"""Cut the power at every so-manieth write, and open what the disk then holds.

    python -m bench.power_cut [--points 400] [--seed 0] [--write]

The rule: what was written and not flushed may be there, wholly, in part or not at all, in any
order; so may each name that was made, changed or removed and whose folder was not flushed. What
was flushed is there. From all calls of a program (`bench/writes.py`) such disks are made, each as
it might have been at one moment, and what was announced before that moment must be on them.

Two programs: ``zond run`` with ``zond upload`` after it, whose database must open, be sound, hold
all measurements that were announced and all batches whose receipt came; and the collector, whose
spool must have each batch that it acknowledged, whole, and take the next one.

Source: the model is that of ALICE (Pillai et al., "All File Systems Are Not Created Equal", OSDI
2014) without its knowledge of any one file system: less is promised than most of them keep.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import trio

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from analysis.collector.spool import Spool, SpoolError
from bench.pages import put
from bench.writes import CHANGING, Call, calls, watched
from lab.stage import Setting, Stage
from lab.trial import HURRY
from lab.worlds.plan import build
from probe.store import Store, StoreError

T = TypeVar("T")

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
SECTOR = 512  # bytes that a disk writes wholly or not at all
TARGETS = 12
BATCHES, SEGMENT = 40, 60_000  # batches of up to 8 kB, bytes of a segment


@dataclass
class _File:
    """What is *safe* of it, and the writes and cuts since, in their order."""

    safe: bytes = b""
    since: list[tuple[int, bytes | None]] = field(default_factory=list)  # None: cut there

    def flushed(self) -> None:
        self.safe, self.since = _content(self.safe, self.since), []


@dataclass
class Disk:
    """What calls of a program have made of the files below a folder."""

    names: dict[str, _File] = field(default_factory=dict)
    safe_names: dict[str, _File] = field(default_factory=dict)
    renamed: list[tuple[str, str, _File | None]] = field(default_factory=list)  # not flushed yet
    open: dict[int, tuple[str, _File | None]] = field(default_factory=dict)

    def take(self, call: Call) -> None:
        match call.op:
            case "C" | "O" | "T" | "o":
                self._open(call)
            case "W" | "L" | "F":
                path, file = self.open[call.fd]
                if file is None:
                    self._folder_flushed(path)
                elif call.op == "F":
                    file.flushed()
                else:
                    file.since.append((call.offset, call.data if call.op == "W" else None))
            case "U":
                self._named(call.path, None)
            case "R":
                before, after = call.path.split("\0")
                file = self.names[before]
                self._named(after, file)
                self._named(before, None)

    def _open(self, call: Call) -> None:
        file = self.names.get(call.path)
        if call.op in "CT" or (call.op == "O" and file is None):
            if file is None:
                file = _File()
                self._named(call.path, file)
            if call.op == "T":
                file.since.append((0, None))
        self.open[call.fd] = (call.path, file)

    def _named(self, path: str, file: _File | None) -> None:
        self.renamed.append((os.path.dirname(path), path, file))
        _name(self.names, path, file)

    def _folder_flushed(self, folder: str) -> None:
        for of, path, file in self.renamed:
            if of == folder:
                _name(self.safe_names, path, file)
        self.renamed = [change for change in self.renamed if change[0] != folder]

    def after_a_cut(self, chance: random.Random) -> dict[str, bytes]:
        """What a disk may hold where the power fails now, by path."""
        names = dict(self.safe_names)
        for _, path, file in _some(self.renamed, chance):
            _name(names, path, file)
        return {
            path: _content(file.safe, _torn(_some(file.since, chance), chance))
            for path, file in names.items()
        }


def _name(names: dict[str, _File], path: str, file: _File | None) -> None:
    if file is None:
        names.pop(path, None)
    else:
        names[path] = file


def _some(things: Sequence[T], chance: random.Random) -> list[T]:
    """None, all, those up to some moment, or any of them."""
    match chance.randrange(4):
        case 0:
            return []
        case 1:
            return list(things)
        case 2:
            return list(things[: chance.randrange(len(things) + 1)])
        case _:
            return [thing for thing in things if chance.random() < 0.5]


def _torn(
    writes: Sequence[tuple[int, bytes | None]], chance: random.Random
) -> list[tuple[int, bytes | None]]:
    """Of some writes only some sectors."""
    found: list[tuple[int, bytes | None]] = []
    for offset, data in writes:
        if data is None or chance.random() < 0.7:
            found.append((offset, data))
            continue
        edges = [offset, *range(offset // SECTOR * SECTOR + SECTOR, offset + len(data), SECTOR)]
        for begins, ends in zip(edges, [*edges[1:], offset + len(data)], strict=True):
            if chance.random() < 0.5:
                found.append((begins, data[begins - offset : ends - offset]))
    return found


def _content(safe: bytes, since: Sequence[tuple[int, bytes | None]]) -> bytes:
    content = bytearray(safe)
    for offset, data in since:
        if data is None:
            content[offset:] = b""
            content.extend(bytes(offset - len(content)))
        else:
            content.extend(bytes(max(0, offset - len(content))))
            content[offset : offset + len(data)] = data
    return bytes(content)


@dataclass
class Tally:
    """*made* calls that change something, *points* at which the power was cut, what was
    *announced* by the end, what of the promises was broken."""

    made: int = 0
    points: int = 0
    announced: int = 0
    wrong: list[str] = field(default_factory=list)


Check = Callable[[Path, set[str]], list[str]]


def cut_often(
    log: Sequence[Call], below: Path, folder: Path, check: Check, *, points: int, seed: int,
    announced: Callable[[str], set[str]],
) -> Tally:  # fmt: skip
    """Disks of *points* moments of *log*, put in *folder* and held against *check*."""
    chance = random.Random(seed)
    changes = [number for number, call in enumerate(log) if call.op in CHANGING]
    tally = Tally(made=len(changes))
    # Each moment is met once before one is met again, each time with another outcome.
    times = [points // len(changes) + (n < points % len(changes)) for n in range(len(changes))]
    chance.shuffle(times)
    wanted = dict(zip(changes, times, strict=True))
    disk, said = Disk(), ""
    for number, call in enumerate(log):
        if call.op == "S":
            said += call.data.decode()
            continue
        disk.take(call)
        for _ in range(wanted.get(number, 0)):
            shutil.rmtree(folder, ignore_errors=True)
            for path, content in disk.after_a_cut(chance).items():
                there = folder / os.path.relpath(path, below)
                there.parent.mkdir(parents=True, exist_ok=True)
                there.write_bytes(content)
            tally.points += 1
            wrong = check(folder, announced(said))
            tally.wrong += [f"after call {number} ({call.op}): {what}" for what in wrong]
    tally.announced = len(announced(said))
    return tally


def whole_lines(said: str) -> list[str]:
    return said.splitlines() if said.endswith("\n") else said.splitlines()[:-1]


# The probe


def run_log(folder: Path, targets: int) -> list[Call]:
    """The calls of an ordinary run over a new database."""
    log, kept = folder / "run.log", folder / "kept"
    worlds = [build("plain_site", n) for n in range(targets)]
    with Stage(worlds, folder / "stage", Setting(config=HURRY)) as stage:
        kept.mkdir()
        env = watched(kept, log)
        done = stage.run(kept / "z.db", "--json", "--concurrency", "2", "--seed", "1", env=env)
    if done.returncode:
        raise SystemExit(done.stderr)
    return calls(log)


def measured(said: str) -> set[str]:
    return {json.loads(line)["id"] for line in whole_lines(said)}


def check_database(folder: Path, announced: set[str]) -> list[str]:
    db = folder / "z.db"
    if not db.exists():
        return ["no database, and measurements were announced"] if announced else []
    try:
        connection = sqlite3.connect(db)
        try:
            verdict = connection.execute("PRAGMA integrity_check").fetchall()
        finally:
            connection.close()
        if verdict != [("ok",)]:
            return [f"integrity_check: {verdict}"]
        with Store(db, write=True) as store:  # as the next run does
            kept = {m.id for m in store.measurements()}
            if (run := store.unfinished_run()) is not None:
                store.remaining(run.id)
    except (StoreError, sqlite3.Error) as exc:
        return [f"{type(exc).__name__}: {exc}"]
    return [f"{id} was announced and is not there" for id in announced - kept]


# The collector


def spool_log(folder: Path) -> list[Call]:
    """The calls of a spool that takes batches, some of them at the same moment."""
    log, kept = folder / "spool.log", folder / "spool"
    kept.mkdir()
    subprocess.run(
        [sys.executable, __file__, "--fill", kept], check=True, stdout=subprocess.DEVNULL,
        env={**os.environ, **watched(kept, log), "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    return calls(log)


def payload(number: int) -> bytes:
    return random.Random(number).randbytes(200 + number * 7919 % 8000)


async def fill(folder: Path) -> None:
    """The other program: it says the name of each batch when it is stored."""
    with Spool(folder, segment_bytes=SEGMENT) as spool:

        async def store(number: int) -> None:
            data = payload(number)
            name = hashlib.sha256(data).digest()
            await spool.store(name, data, note=b"note")
            print(name.hex())

        async with trio.open_nursery() as everything:
            everything.start_soon(spool.run)
            for first in range(0, BATCHES, 4):
                async with trio.open_nursery() as nursery:
                    for number in range(first, first + 4):
                        nursery.start_soon(store, number)
            everything.cancel_scope.cancel()


def named(said: str) -> set[str]:
    return set(whole_lines(said))


def check_spool(folder: Path, announced: set[str]) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)

    async def one_more(spool: Spool) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(spool.run)
            await spool.store(bytes(32), b"one more")
            nursery.cancel_scope.cancel()

    try:
        with Spool(folder, segment_bytes=SEGMENT) as spool:
            trio.run(one_more, spool)
            kept = {r.name.hex(): r.payload for r in spool.records()}
    except (SpoolError, OSError, sqlite3.Error) as exc:
        return [f"{type(exc).__name__}: {exc}"]
    wrong = [f"{name} was acknowledged and is not there" for name in announced - kept.keys()]
    wrong += [
        f"{name} is not what it was"
        for name, data in kept.items()
        if data != b"one more" and hashlib.sha256(data).hexdigest() != name
    ]
    return wrong


def try_both(points: int, seed: int, targets: int = TARGETS) -> dict[str, Tally]:
    """A probe's database and a collector's spool, each at so many *points*."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        often = partial(cut_often, folder=folder / "disk", points=points, seed=seed)
        return {
            f"a run of {targets} targets": often(
                run_log(folder, targets), folder / "kept", check=check_database, announced=measured
            ),
            "a collector's spool": often(
                spool_log(folder), folder / "spool", check=check_spool, announced=named
            ),
        }  # fmt: skip


def table(tallies: dict[str, Tally], arguments: Sequence[str], seconds: float) -> str:
    rows = [
        f"| {what} | {t.made} | {t.points} | {t.announced} | {len(t.wrong)} |"
        for what, t in tallies.items()
    ]
    command = " ".join(["python -m bench.power_cut", *arguments])
    head = "| | writes, flushes, names | power cuts | announced by the end | broken promises |"
    return "\n".join([f"`{command}`: {seconds:.0f} s.", "", head, "|---|--:|--:|--:|--:|", *rows])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--points", type=int, default=400, help="of each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.fill:
        trio.run(fill, given.fill)
        return 0
    began = time.monotonic()
    tallies = try_both(given.points, given.seed)
    text = table(tallies, sys.argv[1:], time.monotonic() - began)
    wrong = [f"{what}: {w}" for what, tally in tallies.items() for w in tally.wrong]
    print(text, *wrong, sep="\n")
    if given.write:
        put(PAGE, "power_cut", text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
