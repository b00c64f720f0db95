"""What sites send: headers, bodies in whatever encoding, pages that want to be more than text."""

from __future__ import annotations

import gzip
import warnings
import zlib
from collections.abc import Iterator

import brotli

from analysis import fingerprints
from analysis.explain import _cut
from analysis.report import inert
from bench.fuzzing.target import target
from probe.control.echo import described
from probe.control.transport import Reply, date, retry_after
from probe.evidence import PROBE, HTTPExchange, Measurement
from probe.steps.http import _headers, _redirect
from probe.surroundings import clock
from probe.wire import page, url
from probe.wire.cookies import Cookies

WORDS = (
    b"<title>", b"</title>", b"charset=", b"utf-16", b"idna", b"punycode", b"undefined", b"utf-7",
    b"unicode_escape", b"rot13", b"hex", b"<script>", b"<svg onload=x>", b"&#xD800;", b"&amp;" * 99,
    b"\xd8\x00", b"style=x:url(//x)", b"<!--", b"<![CDATA[", b"srcdoc=", b"<p>" * 500,
)  # fmt: skip
PAGE = b"<html><head><title>News</title></head><body style='color:red'><h1>It &amp; is</h1></body>"


def pages() -> Iterator[bytes]:
    yield b"text/html; charset=windows-1251\n" + PAGE
    yield b"\n<meta charset=utf-16>" + PAGE
    yield b"text/html; charset=undefined\n" + PAGE
    yield b"text/html\n" + PAGE.replace(b"<h1>", b"<svg/onload=alert(1)><a href=javascript:x>")


@target("page", "probe.wire.page", "analysis.report.inert", "analysis.fingerprints",
        seeds=pages, words=WORDS)  # fmt: skip
def any_page(data: bytes) -> None:
    """A content type, a line break, a body: its title, sketch, fingerprints, and its picture."""
    kind, _, body = data.partition(b"\n")
    content_type = kind.decode("latin-1")
    title = page.title(body, content_type)
    assert title is None or (len(title) <= 300 and title.encode() is not None)
    sketch = page.sketch(body)
    assert (1.0 if sketch else 0.0) == page.similarity(sketch, sketch)
    seen = HTTPExchange(
        t0=0.0, t=0.1, vantage=PROBE, url="http://site.by/", method="GET", ip="192.0.2.1", port=80,
        status=200, headers=(("content-type", content_type),), body=body, title=title,
    )  # fmt: skip
    fingerprints.in_page(seen)
    measurement = Measurement(
        id="00", run_id="00", nettest="web", nettest_version="1", url="http://site.by/",
        started_at=1_795_000_000.0, evidence=(seen,),
    )  # fmt: skip
    for shown in inert.pages(measurement):
        assert len(shown.words) <= inert.MAX_WORDS + 1
        for text in (shown.words, shown.frame, inert.plain(shown.title)):
            assert "\x1b" not in text and "\u202e" not in text
        frame = shown.frame.removeprefix(inert._FRAME).lower()
        assert not any(trap in frame for trap in ("<script", "<svg", "<iframe", "javascript:"))
    assert "\n" not in _cut(body.decode("latin-1"))


def bodies() -> Iterator[bytes]:
    for encoding, pack in ((b"gzip", gzip.compress), (b"deflate", zlib.compress),
                           (b"br", brotli.compress)):  # fmt: skip
        yield encoding + b"\n" + pack(PAGE)
    yield b"gzip\n" + gzip.compress(bytes(1_000_000))
    yield b"br\n" + brotli.compress(bytes(1_000_000))


@target("body", "probe.wire.page", seeds=bodies, refuses=(page.UnreadableBody,))
def body(data: bytes) -> None:
    """A content encoding, a line break, a body in two pieces: never more than its limit."""
    kind, _, packed = data.partition(b"\n")
    decoder = page.Decoder(kind.decode("latin-1"), 4096)
    half = len(packed) // 2
    out = decoder.feed(packed[:half]) + decoder.feed(packed[half:])
    assert len(out) <= 4096


def heads() -> Iterator[bytes]:
    yield b"Set-Cookie: a=b; Path=/; Max-Age=9\nLocation: /there\nX: y"
    yield b"Date: Sun, 22 Nov 2026 12:00:00 GMT\nAge: 7"
    yield b'Set-Cookie: a="b"; expires=Sun, 22-Nov-2026 12:00:00 GMT\nRetry-After: 5\nX: y'
    yield b"GET / HTTP/1.1\nHost: x"


@target(
    "headers", "probe.wire.cookies", "probe.steps.http", "probe.surroundings.clock",
    "probe.control", "http.cookiejar", "email._parseaddr", seeds=heads,
    words=(b"\nset-cookie: ", b"; expires=", b"\nlocation: http://", b"\ndate: ", b" -0000",
           b"9999", b"; domain=", b"; version=1", b"; port=\"", b"=" * 300, b" " * 400,
           b'\\"' * 200),
)  # fmt: skip
def headers(data: bytes) -> None:
    """Lines of ``name: value``: what is kept, followed, sent back, taken for a time."""
    raw = [(n.strip(), v.strip()) for n, _, v in (x.partition(b":") for x in data.split(b"\n"))]
    found = _headers(raw)
    here = url.parse("https://site.by/a")
    learned: dict[str, object] = {}
    _redirect(here, 302, found, learned)
    cookies = Cookies()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cookies.take(here.text, found)
        cookies.header(here.text).encode("latin-1")
    reply = Reply(status=200, body=b"", headers=dict(found))
    for name, value in found:
        clock.date_offset(value)
        date(Reply(status=200, body=b"", headers={"date": value}))
        retry_after(Reply(status=200, body=b"", headers={"retry-after": value}))
        name.encode()
    date(reply)
    described(data)
