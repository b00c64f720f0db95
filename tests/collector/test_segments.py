"""What was committed is there after any death of the process; what was not hides nothing."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.collector.segments import MAGIC, SEGMENT_BYTES, Damage, Place, Record, Segments


def digest(payload: bytes) -> bytes:
    return hashlib.sha256(payload).digest()


def filled(
    folder: Path, payloads: Sequence[bytes], segment_bytes: int = SEGMENT_BYTES
) -> list[Place]:
    segments = Segments(folder, segment_bytes=segment_bytes)
    places = []
    for payload in payloads:
        places.append(segments.append(digest(payload), payload))
        segments.commit()
    segments.close()
    return places


def payloads(folder: Path) -> list[bytes]:
    segments = Segments(folder)
    try:
        return [r.payload for r in segments.records() if isinstance(r, Record)]
    finally:
        segments.close()


SOME = [b"one", b"", b"three" * 1000, MAGIC + b"four", b"five"]


def test_records_come_back_in_order_and_by_place(tmp_path: Path) -> None:
    places = filled(tmp_path, SOME)
    segments = Segments(tmp_path)
    assert [segments.read(place).payload for place in places] == SOME
    assert payloads(tmp_path) == SOME
    assert [r.payload for r in segments.records(places[3]) if isinstance(r, Record)] == SOME[3:]
    segments.close()


def test_a_full_file_is_followed_by_another(tmp_path: Path) -> None:
    filled(tmp_path, SOME, segment_bytes=100)
    assert len(list(tmp_path.glob("segment-*"))) > 1
    assert payloads(tmp_path) == SOME


@given(cut=st.integers(0, 10_000))
@settings(max_examples=60)
def test_cut_anywhere_the_whole_records_before_are_there(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    places = filled(folder, SOME)
    path = Segments(folder).path(1)
    cut %= path.stat().st_size
    os.truncate(path, cut)
    whole = [p for p, after in zip(SOME, [*places[1:], None], strict=True)
             if after is not None and after.offset <= cut]
    assert payloads(folder) == whole
    filled(folder, [b"later"])
    assert payloads(folder) == [*whole, b"later"]


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
@settings(max_examples=60)
def test_a_damaged_bit_costs_one_record_and_no_other(
    tmp_path_factory: pytest.TempPathFactory, at: int, bit: int
) -> None:
    folder = tmp_path_factory.mktemp("bit")
    filled(folder, SOME)
    segments = Segments(folder)
    data = bytearray(segments.path(1).read_bytes())
    at %= len(data)
    data[at] ^= 1 << bit
    segments.path(1).write_bytes(bytes(data))
    found = list(segments.records())
    segments.close()
    kept = [r.payload for r in found if isinstance(r, Record)]
    assert len(kept) == len(SOME) - 1
    assert set(kept) < set(SOME)
    assert any(isinstance(item, Damage) for item in found)


def test_what_was_cut_off_is_put_aside(tmp_path: Path) -> None:
    filled(tmp_path, SOME)
    with open(tmp_path / "segment-00000001.zbt", "ab") as file:
        file.write(b"torn")
    segments = Segments(tmp_path)
    assert segments.cut == 4
    segments.close()
    assert [p.read_bytes() for p in tmp_path.glob("*.cut")] == [b"torn"]


def test_rolled_back_records_are_gone_and_the_next_are_readable(tmp_path: Path) -> None:
    segments = Segments(tmp_path)
    segments.append(digest(b"a"), b"a")
    segments.commit()
    segments.append(digest(b"b"), b"b")
    segments.rollback()
    segments.append(digest(b"c"), b"c")
    segments.commit()
    segments.close()
    assert payloads(tmp_path) == [b"a", b"c"]


def test_a_disk_without_room_keeps_what_was_committed(tmp_path: Path) -> None:
    code = f"""
import resource, signal
from pathlib import Path
from hashlib import sha256
from analysis.collector.segments import Segments
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
segments = Segments(Path({str(tmp_path)!r}))
kept = 0
payload = bytes(7000)
try:
    while True:
        segments.append(sha256(payload).digest(), payload)
        segments.commit()
        kept += 1
except OSError:
    segments.rollback()
print(kept)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert len(payloads(tmp_path)) == int(done.stdout) == 14


def test_killed_while_writing_all_that_was_committed_is_there(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from hashlib import sha256
from analysis.collector.segments import Segments
segments = Segments(Path({str(tmp_path)!r}), segment_bytes=200_000)
n = 0
while True:
    payload = n.to_bytes(4, "big") * 5000
    segments.append(sha256(payload).digest(), payload)
    segments.commit()
    print(n, flush=True)
    n += 1
"""
    for _round in range(4):
        before = len(payloads(tmp_path))
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _line in range(25):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
            told = 25 + len(process.stdout.read().splitlines())
        # The line that was being written when it was killed may be missing.
        assert len(payloads(tmp_path)) - before >= told - 1


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    filled(tmp_path / "spool", SOME)
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
    assert all(p.stat().st_mode & 0o777 == 0o600 for p in (tmp_path / "spool").iterdir())
