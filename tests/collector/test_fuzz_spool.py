"""Whatever a disk does to a spool, it opens, shows nothing that was not stored, and goes on.

`tests.collector.test_segments` looks at one file of records; here it is the whole folder, the
catalogue too, damaged in several ways at once.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.collector.segments import PREFIX, SUFFIX
from analysis.collector.spool import Spool

RECORDS = 24
SEGMENT = 4000  # bytes; some records fill it
CATALOGUE = ("catalogue.db", "catalogue.db-wal", "catalogue.db-shm")


def payload(n: int) -> bytes:
    # What looks like a frame is in some of them: a search must not take it for one.
    return (b"ZBT1" if n % 3 == 0 else b"") + hashlib.sha512(bytes([n])).digest() * (1 + n % 9)


def name(n: int) -> bytes:
    return hashlib.sha256(b"batch %d" % n).digest()


STORED = {name(n): payload(n) for n in range(RECORDS + 1)}


async def store(folder: Path, numbers: range) -> None:
    with Spool(folder, segment_bytes=SEGMENT) as spool:
        async with trio.open_nursery() as server:
            server.start_soon(spool.run)
            for n in numbers:
                await spool.store(name(n), payload(n))
            server.cancel_scope.cancel()


def held(folder: Path) -> dict[bytes, bytes]:
    with Spool(folder, segment_bytes=SEGMENT) as spool:
        records = list(spool.records())
        assert len(records) == len({r.name for r in records})
    return {r.name: r.payload for r in records}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spool")
    trio.run(store, folder, range(RECORDS))
    assert len(list(folder.glob(f"{PREFIX}*{SUFFIX}"))) > 2
    return folder


def damage(draw: st.DataObject, folder: Path) -> None:
    files = sorted(folder.glob(f"{PREFIX}*{SUFFIX}"))
    files += [folder / each for each in CATALOGUE if (folder / each).exists()]
    path = draw.draw(st.sampled_from(files), "file")
    data = path.read_bytes()
    at = draw.draw(st.integers(0, len(data)), "at")
    match draw.draw(st.sampled_from(["flip", "cut", "insert", "zero", "again", "empty"]), "how"):
        case "flip":
            data = data[:at] + bytes(b ^ 0x40 for b in data[at : at + 1]) + data[at + 1 :]
        case "cut":
            data = data[:at]
        case "insert":
            data = data[:at] + draw.draw(st.binary(min_size=1, max_size=200)) + data[at:]
        case "zero":
            data = data[:at] + bytes(min(512, len(data) - at)) + data[at + 512 :]
        case "again":
            data += data[at:]
        case "empty":
            data = b""
    path.write_bytes(data)


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(draw=st.data())
def test_a_damaged_spool_opens_and_tells_nothing_false(whole: Path, draw: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "spool"
        shutil.copytree(whole, folder)
        for _ in range(draw.draw(st.integers(1, 4), "damages")):
            damage(draw, folder)
        before = held(folder)
        assert before.items() <= STORED.items()
        # What is gone is sent again by who has no receipt for it, and what is new comes too.
        trio.run(store, folder, range(RECORDS + 1))
        assert held(folder) == STORED


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(flips=st.lists(st.tuples(st.integers(0, 2), st.floats(0, 1)), min_size=1, max_size=3))
def test_a_damaged_byte_costs_the_record_that_it_is_in(
    whole: Path, flips: list[tuple[int, float]]
) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "spool"
        shutil.copytree(whole, folder)
        for each in CATALOGUE:
            (folder / each).unlink(missing_ok=True)
        files = sorted(folder.glob(f"{PREFIX}*{SUFFIX}"))
        for number, where in flips:
            path = files[number]
            data = bytearray(path.read_bytes())
            data[int(where * (len(data) - 1))] ^= 0x01
            path.write_bytes(data)
        assert len(held(folder)) >= RECORDS - len(flips)
