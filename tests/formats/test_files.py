"""Documents out of bytes: every container, and whatever may be wrong with one."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import zlib

import pytest

from probe.formats.ooni import files
from probe.formats.ooni.files import Found, documents

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ONE, TWO = b'{"a":1}', b'{"b":[2,3]}'
PRETTY = json.dumps({"a": {"b": [1, 2]}, "c": "d"}, indent=1).encode()


def found(data: bytes) -> list[tuple[int, bytes, str]]:
    return [(f.line, f.data, f.problem) for f in documents(io.BytesIO(data))]


@pytest.mark.parametrize("packed", [bytes, gzip.compress, zstd.compress])
def test_container_is_told_by_content(packed: object) -> None:
    assert callable(packed)
    data = packed(ONE + b"\n\n" + TWO + b"\r\n")
    assert [(1, ONE, ""), (3, TWO, "")] == found(data)


def test_members_and_frames_follow_one_another() -> None:
    parts = (ONE + b"\n", TWO)
    assert [(1, ONE, ""), (2, TWO, "")] == found(b"".join(map(gzip.compress, parts)))
    assert [(1, ONE, ""), (2, TWO, "")] == found(b"".join(map(zstd.compress, parts)))


def test_zeros_after_the_last_member_are_nothing() -> None:
    assert [(0, ONE, "")] == found(gzip.compress(ONE) + b"\0" * 512)


def test_document_over_many_lines_is_one() -> None:
    assert [(0, PRETTY, "")] == found(PRETTY)
    assert [(0, ONE, "")] == found(ONE) == found(b"\xef\xbb\xbf" + ONE + b"\n\n")


def test_list_of_documents_is_its_documents() -> None:
    assert [(1, ONE, ""), (2, TWO, "")] == found(b"[" + ONE + b"," + TWO + b"]")
    assert [(1, ONE, ""), (2, TWO, "")] == found(b"[\n" + ONE + b",\n" + TWO + b"\n]\n")


def test_broken_first_line_does_not_take_the_others_along() -> None:
    assert [(1, b'{"a":', ""), (2, ONE, ""), (3, TWO, "")] == found(b'{"a":\n' + ONE + b"\n" + TWO)


def test_broken_document_over_many_lines_is_one() -> None:
    broken = PRETTY[:-4]
    assert [(0, broken, "")] == found(broken)


def test_nothing_is_no_document() -> None:
    assert [] == found(b"") == found(b"\n \n") == found(gzip.compress(b""))


@pytest.mark.parametrize("packed", [gzip.compress, zstd.compress])
def test_what_was_cut_off_is_told_and_the_rest_kept(packed: object) -> None:
    assert callable(packed)
    noise = b"".join(b'{"n":"%s"}\n' % os.urandom(40).hex().encode() for _ in range(9000))
    whole = packed(noise)
    got = found(whole[: len(whole) * 2 // 3])
    assert len(got) > 1000 and got[0][0] == 1
    assert "cannot be read on" in got[-1][2]
    assert got[-1][1] == whole[: len(got[-1][1])] and len(got[-1][1]) >= 1024


def test_garbage_in_the_middle_is_told() -> None:
    whole = bytearray(gzip.compress(b"".join(b'{"n":%d}\n' % n for n in range(50000))))
    whole[len(whole) // 2] ^= 0xFF
    assert "cannot be read on" in found(bytes(whole))[-1][2]


@pytest.mark.parametrize("packed", [gzip.compress, zstd.compress])
def test_bomb_ends_where_it_grows_too_much(
    packed: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(packed)
    monkeypatch.setattr(files, "UNSUSPECTED", 1 << 20)
    monkeypatch.setattr(files, "MOST_GROWTH", 100)
    bomb = packed(b'{"a":"' + b"0" * (64 << 20))
    got = found(bomb)
    assert "grows more than 100 times" in got[-1][2]
    assert sum(len(data) for _, data, _ in got) < 16 << 20


def test_window_that_wants_too_much_memory_is_refused() -> None:
    # RFC 8878: magic, a frame header without size or checksum, a window of 2^41 bytes
    assert "cannot be read on" in found(b"\x28\xb5\x2f\xfd\x00\xff" + b"\0" * 64)[-1][2]


def test_line_that_is_too_long_is_told_and_its_beginning_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(files, "MAX_DOCUMENT", 1000)
    monkeypatch.setattr(files, "KEPT", 100)
    got = found(ONE + b"\n" + b"x" * 5000 + b"\n" + TWO)
    assert [(1, ONE, ""), (2, b"x" * 100, "a line of 5000 bytes"), (3, TWO, "")] == got


def test_stream_that_gives_one_byte_at_a_time_is_read_the_same() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(1)

    for data in (ONE + b"\n" + TWO, zlib.compress(b"no gzip"), gzip.compress(ONE)[:-3]):
        assert isinstance(list(documents(Slow(data))), list)
    assert [Found(1, ONE), Found(2, TWO)] == list(documents(Slow(ONE + b"\n" + TWO)))
