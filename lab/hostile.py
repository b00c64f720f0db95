"""Servers that mean harm: each breaks one thing that a careless client relies on.

A `Play` talks to one visitor over the raw connection, or over TLS, for as long as the
visitor stands it. None of these is censorship: every vantage point meets the same, so
whatever a probe makes of them, it may accuse nobody; and none may cost it more than a
target's share of time, memory and disk.

Sources: what clients were broken by before: decompression bombs; "slow" attacks; CVE-2019-9511
to 9518 and CVE-2024-27983 (HTTP/2 floods); RFC 9112, 11 (smuggling); RFC 1035, 4.1.4
(compression pointers that loop).
"""

from __future__ import annotations

import functools
import itertools
import ssl
import struct
import zlib
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import trio

from lab.certificates import ORDINARY, Authorities
from lab.sites import Play

KILO, MEGA = 1 << 10, 1 << 20
ZEROS = bytes(64 * KILO)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"

Say = Callable[[trio.abc.Stream], Awaitable[None]]


async def asked(stream: trio.abc.Stream) -> None:
    """Wait for the visitor to have said something."""
    await stream.receive_some(64 * KILO)


def says(*parts: bytes, pause: float = 0.0, endless: bytes = b"", at_once: bool = False) -> Say:
    """*parts* one after another, then *endless* for ever; *pause* seconds before each."""

    async def say(stream: trio.abc.Stream) -> None:
        if not at_once:
            await asked(stream)
        for part in itertools.chain(parts, itertools.repeat(endless) if endless else ()):
            await trio.sleep(pause)
            await stream.send_all(part)

    return say


def drips(data: bytes, before: bytes = b"") -> Say:
    """*before* at once, then *data* over and over, a byte a second."""
    return says(before or data[:1], *(data[i : i + 1] for i in range(len(data))), pause=1.0,
                endless=data[:1])  # fmt: skip


@functools.cache
def gzip_bomb(size: int = 512 * MEGA, layers: int = 1) -> bytes:
    """*size* zeros, compressed *layers* times: some half a megabyte, then some kilobytes."""
    pieces: Iterator[bytes] = itertools.repeat(ZEROS, size // len(ZEROS))
    for _ in range(layers):
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        packed = b"".join(map(packer.compress, pieces)) + packer.flush()
        pieces = iter((packed,))
    return packed


def encoded(coding: bytes, make: Callable[[], bytes]) -> Say:
    """What *make* makes (when somebody first asks for it), said to be of that *coding*."""

    async def say(stream: trio.abc.Stream) -> None:
        body = make()
        head = OK + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding, len(body))
        await says(head, body)(stream)

    return say


def moved(location: bytes) -> Say:
    return says(b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n")


# HTTP/1.1, in the clear and over TLS alike.
HTTP: dict[str, Say] = {
    "endless-headers": says(OK, endless=b"X-Filler: " + b"a" * KILO + b"\r\n"),
    "giant-header": says(OK + b"X-Filler: ", *itertools.repeat(b"a" * 64 * KILO, 320)),
    "informational-flood": says(endless=b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    "dripped-head": drips(OK),
    "dripped-body": drips(b"<p>", OK + b"Content-Length: 1000000\r\n\r\n"),
    "endless-body": says(OK + b"Content-Length: 1000000000000\r\n\r\n", endless=ZEROS),
    "endless-chunks": says(OK + b"Transfer-Encoding: chunked\r\n\r\n", endless=b"1\r\na\r\n"),
    "endless-trailers": says(
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", endless=b"X-Trailer: a\r\n"
    ),
    "chunk-too-long": says(OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"F" * 17 + b"\r\na"),
    "chunk-negative": says(OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\na"),
    "length-negative": says(OK + b"Content-Length: -5\r\n\r\nhello"),
    "length-twice": says(OK + b"Content-Length: 5\r\nContent-Length: 50\r\n\r\nhello"),
    "length-and-chunks": says(
        OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    ),
    "more-than-its-length": says(OK + b"Content-Length: 5\r\n\r\n", endless=ZEROS),
    "zero-bytes-in-head": says(b"HTTP/1.1 200 OK\r\nX-A: a\x00b\r\n\r\n"),
    "no-status": says(b"HTTP/1.1 OK\r\n\r\n"),
    "status-of-many-digits": says(b"HTTP/1.1 " + b"2" * 5000 + b" OK\r\n\r\n"),
    "folded-header": says(OK + b"X-A: a\r\n b\r\n\r\nhello"),
    "other-protocol": says(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", endless=ZEROS
    ),
    "gzip-bomb": encoded(b"gzip", gzip_bomb),
    "gzip-bomb-in-layers": encoded(b"gzip, gzip, gzip", partial(gzip_bomb, layers=3)),
    "gzip-cut": encoded(b"gzip", lambda: gzip_bomb()[:100]),
    "gzip-garbage": encoded(b"gzip", lambda: b"\x1f\x8b" + b"\xff" * 100),
    "redirect-to-self": moved(b"/"),
    "redirect-home": moved(b"http://192.168.0.1/"),
    "redirect-to-this-machine": moved(b"http://127.0.0.1:22/"),
    "redirect-to-a-file": moved(b"file:///etc/passwd"),
    "redirect-to-script": moved(b"javascript:alert(1)"),
    "redirect-that-is-huge": moved(b"/" + b"a" * MEGA),
    "redirect-with-zero-byte": moved(b"http://a\x00b.example/"),
}


class Onward:
    """Every page redirects to another one, for ever."""

    def __init__(self) -> None:
        self._count = itertools.count()

    async def __call__(self, stream: trio.abc.Stream) -> None:
        await moved(b"/%d" % next(self._count))(stream)


def tls_record(kind: int, body: bytes) -> bytes:
    return struct.pack("!BHH", kind, 0x0303, len(body)) + body


# What answers a ClientHello.
TLS: dict[str, Say] = {
    "garbage": says(endless=b"\x80\xff garbage" * 100),
    "record-too-long": says(b"\x16\x03\x03\xff\xff", endless=ZEROS),
    "empty-records": says(endless=tls_record(22, b"")),
    "warnings": says(endless=tls_record(21, b"\x01\x5a")),
    "early-data": says(endless=tls_record(23, b"\xaa" * KILO)),
    "endless-server-hello": says(
        tls_record(22, b"\x02\xff\xff\xff"), endless=tls_record(22, b"\xaa" * 16 * KILO)
    ),
    "dripped": drips(tls_record(22, b"\x02" + b"\x00" * 100)),
    "http-in-the-clear": says(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
}


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame of HTTP/2 (RFC 9113, 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + struct.pack(
        "!I", stream
    ) + payload  # fmt: skip


_SETTINGS = frame(4, 0, 0)
_INDEXED = b"\x88"  # ":status: 200" of the static table
# A name and a long value put into the dynamic table, and then named again and again.
_HPACK_BOMB = b"\x40\x01a\x7f\xe1\x1e" + b"b" * 4000 + b"\xbe" * 12000

# After TLS that agreed on h2.
HTTP2: dict[str, Say] = {
    "settings": says(_SETTINGS, endless=_SETTINGS),
    "pings": says(_SETTINGS, endless=frame(6, 0, 0, b"12345678")),
    "empty-data": says(
        _SETTINGS + frame(1, 4, 1, _INDEXED), endless=frame(0, 0, 1)
    ),
    "continuation": says(
        _SETTINGS + frame(1, 0, 1, _INDEXED), endless=frame(9, 0, 1, b"\x00\x01a\x01b")
    ),
    "hpack-bomb": says(_SETTINGS + frame(1, 4, 1, _INDEXED + _HPACK_BOMB[:16000])),
    "window-overflow": says(_SETTINGS, endless=frame(8, 0, 0, b"\x7f\xff\xff\xff")),
    "resets": says(_SETTINGS, endless=frame(3, 0, 1, b"\x00\x00\x00\x08")),
    "goaway": says(_SETTINGS + frame(7, 0, 0, b"\x00" * 8)),
    "frame-too-long": says(_SETTINGS + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01", endless=ZEROS),
    "unknown-frames": says(_SETTINGS, endless=frame(0x77, 0, 1, b"x" * KILO)),
    "pushes": says(_SETTINGS, endless=frame(5, 4, 1, b"\x00\x00\x00\x02" + _INDEXED)),
    "endless-body": says(
        _SETTINGS + frame(1, 4, 1, _INDEXED), endless=frame(0, 0, 1, b"x" * 16 * KILO)
    ),
}  # fmt: skip


def cut_at(size: int, whole: bytes = OK + b"Content-Length: 11\r\n\r\nhello world") -> Say:
    """*whole*, as far as its first *size* bytes."""
    return says(whole[:size]) if size else asked


class CutTLS:
    """A server's part of a real handshake and page, as far as its first *size* bytes."""

    def __init__(self, size: int) -> None:
        self._size = size

    async def __call__(self, stream: trio.abc.Stream) -> None:
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = _context().wrap_bio(into, out, server_side=True)
        left = self._size
        while left > 0:
            try:
                server.do_handshake()
                server.write(OK + b"Content-Length: 1000\r\n\r\n" + bytes(1000))
            except ssl.SSLWantReadError:
                data = out.read()
                if not data:
                    into.write(bytes(await stream.receive_some(64 * KILO)))
                    continue
            else:
                data = out.read()
            await stream.send_all(data[:left])
            left -= len(data)


@functools.cache
def _context() -> ssl.SSLContext:
    return Authorities().context(ORDINARY, ("cut.example.org",))


# What a resolver's datagrams become, before they leave it.
Spoil = Callable[[bytes], tuple[bytes, ...]]
_HEADER = 12
_POINTER = b"\xc0\x0c"  # to the name of the question


def _looped(answer: bytes) -> tuple[bytes, ...]:
    """The question's name becomes a pointer to itself."""
    return (answer[:_HEADER] + _POINTER + b"\x00\x01\x00\x01" + answer[_HEADER:],)


DNS: dict[str, Spoil] = {
    "nothing": lambda answer: (b"",),
    "cut-short": lambda answer: (answer[:_HEADER + 3],),
    "only-an-id": lambda answer: (answer[:2],),
    "looped": _looped,
    "beyond-its-end": lambda answer: (answer[:-6] + b"\xff\xff" + answer[-4:],),
    "wrong-id": lambda answer: (bytes([answer[0] ^ 0xFF]) + answer[1:],),
    "a-query": lambda answer: (answer[:2] + bytes([answer[2] & 0x7F]) + answer[3:],),
    "many-questions": lambda answer: (answer[:4] + b"\xff\xff" + answer[6:],),
    "many-answers": lambda answer: (answer[:6] + b"\xff\xff" + answer[8:],),
    "padded": lambda answer: (answer + bytes(60_000),),
    "noise": lambda answer: (answer[:2] + b"\xa5" * 500,),
    "flood": lambda answer: tuple(itertools.repeat(answer[:2] + b"\xa5" * 200, 2000)),
    "flood-of-good-ones": lambda answer: tuple(itertools.repeat(answer, 2000)),
}


def plays() -> Iterator[tuple[str, Play]]:
    """Every one, by name."""
    for name, say in HTTP.items():
        yield f"http-{name}", Play(say, over="tcp")
        yield f"https-{name}", Play(say, over="http/1.1")
    yield "http-onward", Play(Onward(), over="tcp")
    yield from ((f"tls-{name}", Play(say, over="tcp")) for name, say in TLS.items())
    yield from ((f"h2-{name}", Play(say, over="h2")) for name, say in HTTP2.items())
