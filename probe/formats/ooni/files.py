"""Documents out of a stream of bytes: JSON or JSONL; plain, gzip or zstd, told by content.

Memory is bounded whatever arrives: a document is at most `MAX_DOCUMENT` bytes, of a longer
line only the beginning is kept, and a stream that grows a thousandfold in decompression
ends there. Nothing is read before it is asked for.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from probe.formats.ooni.document import MAX_DOCUMENT

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CHUNK = 256 * 1024  # bytes
KEPT = 4 * 1024 * 1024  # bytes that are kept of what is set aside
MOST_GROWTH = 1000  # times; OONI's archives grow tenfold
UNSUSPECTED = 64 * 1024 * 1024  # bytes that may come out before growth is looked at
MAX_WINDOW_LOG = 27  # 128 MiB, the most that zstd itself takes without being told to
BOM = b"\xef\xbb\xbf"

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_any = msgspec.json.Decoder(msgspec.Raw)
_several = msgspec.json.Decoder(list[msgspec.Raw])


class Readable(Protocol):
    """What gives at most so many bytes; none at its end."""

    def read(self, size: int, /) -> bytes: ...


class Found(msgspec.Struct, frozen=True, gc=False):
    """A document's bytes, and the line where it begins, from 1; 0 where it is the whole file.

    *problem* says that it was cut off or cannot be had whole, and why; empty otherwise.
    """

    line: int
    data: bytes
    problem: str = ""


class _Broken(Exception):
    """The compressed stream cannot be read on."""


def documents(stream: Readable) -> Iterator[Found]:
    """Every document in *stream*, in order. Raises `OSError` as *stream* does."""
    chunks = _Chunks(stream)
    lines = _lines(chunks)
    first = next((found for found in lines if found.data.strip()), None)
    if first is None:
        if chunks.problem:
            yield Found(0, chunks.beginning, chunks.problem)
        return
    first = Found(first.line, first.data.removeprefix(BOM), first.problem)
    if first.problem or _is_json(first.data):
        rest = _rest(lines)
        second = next(rest, None)
        if first.data.lstrip()[:1] == b"[" or (second is None and not first.problem):
            yield from _listed(first.data)  # it is the whole file
        else:
            yield first
        if second is not None:
            yield second
            yield from rest
    else:
        yield from _whole(first, lines)
    if chunks.problem:
        yield Found(0, chunks.beginning, chunks.problem)


def _rest(lines: Iterable[Found]) -> Iterator[Found]:
    for found in lines:
        if found.data.strip():
            yield found


def _listed(data: bytes) -> Iterator[Found]:
    """The only document of a file, or the documents in the list that it is."""
    try:
        items = _several.decode(data) if data.lstrip()[:1] == b"[" else []
    except (msgspec.MsgspecError, RecursionError):
        items = []
    if not items:
        yield Found(0, data)
    for number, item in enumerate(items, 1):
        yield Found(number, bytes(item))


def _whole(first: Found, lines: Iterator[Found]) -> Iterator[Found]:
    """One document over many lines; or lines of which the first is broken."""
    kept, size = [first], len(first.data)
    for found in lines:
        kept.append(found)
        size += len(found.data) + 1
        if size > MAX_DOCUMENT:
            break
    else:
        data = b"\n".join(found.data for found in kept)
        if len(kept) == 1 or _is_json(data) or not any(_is_json(f.data) for f in kept):
            yield from _listed(data)
            return
    for found in kept:
        if found.data.strip():
            yield found
    yield from _rest(lines)


def _is_json(data: bytes) -> bool:
    """Whether *data* is a whole JSON object, or a list."""
    if data.lstrip()[:1] not in (b"{", b"["):
        return False
    try:
        _any.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def _lines(chunks: Iterable[bytes]) -> Iterator[Found]:
    """Lines without their ends. Of one that is too long, the beginning and why."""
    number, parts, size, length = 1, [b""], 0, 0
    for chunk in chunks:
        pieces = chunk.split(b"\n")
        for index, piece in enumerate(pieces):
            if index:
                yield _line(number, parts, length)
                number, parts, size, length = number + 1, [], 0, 0
            length += len(piece)
            if size <= MAX_DOCUMENT:
                parts.append(piece)
                size += len(piece)
    if length:
        yield _line(number, parts, length)


def _line(number: int, parts: list[bytes], length: int) -> Found:
    data = b"".join(parts)
    if length > MAX_DOCUMENT:
        return Found(number, data[:KEPT], f"a line of {length} bytes")
    return Found(number, data.removesuffix(b"\r"))


class _Chunks:
    """The bytes of a stream, decompressed. After the last, *problem* says what ended them."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self.problem = ""
        self.beginning = b""  # of the stream as it came
        self._taken = self._given = 0

    def __iter__(self) -> Iterator[bytes]:
        self.beginning = self._read(CHUNK)
        try:
            if self.beginning.startswith(_GZIP):
                yield from self._bounded(self._gzip())
            elif self.beginning.startswith(_ZSTD):
                yield from self._bounded(self._zstd())
            else:
                data = self.beginning
                while data:
                    yield data
                    data = self._read(CHUNK)
        except (_Broken, zlib.error, zstd.ZstdError, EOFError) as exc:
            self.problem = f"the compressed file cannot be read on: {exc}"

    def _read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._taken += len(data)
        return data

    def _bounded(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._given += len(chunk)
            if self._given > UNSUSPECTED and self._given > MOST_GROWTH * self._taken:
                raise _Broken(f"it grows more than {MOST_GROWTH} times")
            yield chunk

    def _gzip(self) -> Iterator[bytes]:
        """Members one after another; zeros, or what is none, may follow the last."""
        data = self.beginning
        while data.startswith(_GZIP):
            member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            while not member.eof:
                out = member.decompress(data, CHUNK)
                data = member.unconsumed_tail
                if out:
                    yield out
                if not data and not member.eof and not out and not (data := self._read(CHUNK)):
                    raise _Broken("it was cut off")
            data = member.unused_data
            data += self._read(CHUNK) if len(data) < 2 else b""

    def _zstd(self) -> Iterator[bytes]:
        data = self.beginning
        options = {int(zstd.DecompressionParameter.window_log_max): MAX_WINDOW_LOG}
        while data:
            frame = zstd.ZstdDecompressor(options=options)
            while not frame.eof:
                if frame.needs_input and not data and not (data := self._read(CHUNK)):
                    raise _Broken("it was cut off")
                out = frame.decompress(data, CHUNK)
                data = b""
                if out:
                    yield out
            data = frame.unused_data or self._read(CHUNK)
