"""Codecs meet whatever a hostile network sends: only the documented exceptions come out."""

from __future__ import annotations

import contextlib
import gzip
import ipaddress
import ssl

import brotli
import dns.message
import dns.rrset
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from probe import addresses
from probe.evidence import DNSAnswer
from probe.wire import dns as wire
from probe.wire import page
from probe.wire.cookies import Cookies
from probe.wire.tls import looks_like_tls, plaintext_alert
from probe.wire.url import MAX_URL, BadURL, parse

ASKED = wire.query("site.by", "A", 0x1234)


def some_answer() -> bytes:
    message = dns.message.make_response(dns.message.from_wire(ASKED))
    for kind, *data in (("A", "93.184.216.34"), ("CNAME", "www.site.by."), ("TXT", '"x"')):
        message.answer.append(dns.rrset.from_text("site.by.", 60, "IN", kind, *data))
    return message.to_wire()


ANSWER = some_answer()


def check(answer: wire.Answer | None) -> None:
    if answer is None:
        return
    assert isinstance(answer.message, DNSAnswer)
    for ip in answer.message.addresses:
        ipaddress.ip_address(ip)
        addresses.is_public(ip)
    assert len(answer.message.addresses) <= wire.MAX_ADDRESSES
    "".join(answer.message.cnames).encode()


@settings(max_examples=500)
@given(st.binary(max_size=600))
@example(b"")
def test_any_datagram_is_read_or_none(data: bytes) -> None:
    check(wire.read(data, to=ASKED))
    check(wire.read(ASKED[:2] + data, to=ASKED))
    check(wire.read(ANSWER[:-20] + data, to=ASKED))


@settings(max_examples=1500)
@given(st.data())
def test_a_mangled_answer_is_read_or_none(data: st.DataObject) -> None:
    mangled = bytearray(ANSWER)
    for _ in range(data.draw(st.integers(1, 6))):
        mangled[data.draw(st.integers(0, len(mangled) - 1))] = data.draw(st.integers(0, 255))
    check(wire.read(bytes(mangled[: data.draw(st.integers(0, len(mangled)))]), to=ASKED))
    check(wire.read(bytes(mangled), to=ASKED))


def test_an_answer_cut_anywhere_is_read_or_none() -> None:
    for size in range(len(ANSWER)):
        check(wire.read(ANSWER[:size], to=ASKED))


@given(st.binary(max_size=200))
def test_any_bytes_hold_an_alert_or_none(data: bytes) -> None:
    found = plaintext_alert(data)
    assert found is None or 0 <= found <= 255
    assert looks_like_tls(data) in (True, False)


@given(st.integers(0, 255), st.integers(1, 2), st.binary(max_size=60))
def test_an_alert_behind_handshake_records_is_found(number: int, level: int, body: bytes) -> None:
    before = b"\x16\x03\x03" + len(body).to_bytes(2) + body
    whole = before + bytes([21, 3, 3, 0, 2, level, number])
    assert number == plaintext_alert(whole)
    for size in range(len(whole)):
        assert plaintext_alert(whole[:size]) is None


def test_an_encrypted_alert_is_not_read_as_a_plain_one() -> None:
    change_cipher_spec = b"\x14\x03\x03\x00\x01\x01"
    assert plaintext_alert(change_cipher_spec + bytes([21, 3, 3, 0, 2, 2, 40])) is None
    assert plaintext_alert(bytes([21, 3, 3, 0, 26]) + bytes(26)) is None


MARKUP = st.sampled_from(
    [b"<title>", b"<title x='", b"</title>", b"charset=", b"utf-16", b"idna", b"punycode",
     b"unicode_escape", b"undefined", b"utf-7", b"+2AA-", b"\\ud800", b"&#xD800;", b"&amp", b">",
     b" ", b"\xff", b"\x00", b"cp1251", b"hex", b"rot13", b"mbcs", b"zlib"]
)


@settings(max_examples=500)
@given(st.lists(st.one_of(MARKUP, st.binary(max_size=9)), max_size=20), st.text(max_size=40))
def test_a_title_is_text_that_can_be_stored(parts: list[bytes], content_type: str) -> None:
    found = page.title(b"".join(parts), content_type)
    if found is not None:
        assert found.encode("utf-8") is not None
        assert len(found) <= 300


@pytest.mark.parametrize("charset", ["unicode_escape", "idna", "undefined", "utf-7", "hex"])
def test_a_charset_that_is_none_does_no_harm(charset: str) -> None:
    found = page.title(b"<title>\\ud800+2AA- x.y</title>", f"text/html; charset={charset}")
    assert found is not None
    found.encode()


@given(st.binary(max_size=3000), st.text(max_size=30))
def test_a_sketch_is_like_itself(body: bytes, garbage: str) -> None:
    sketch = page.sketch(body)
    assert len(sketch) <= 8 * page.SKETCH_SIZE
    assert (1.0 if sketch else 0.0) == page.similarity(sketch, sketch)
    assert 0.0 <= page.similarity(sketch, garbage) <= 1.0


PACK = {"gzip": gzip.compress, "br": brotli.compress, "identity": bytes}


@settings(max_examples=200)
@given(
    st.sampled_from(list(PACK)), st.binary(max_size=400), st.integers(1, 200),
    st.integers(0, 3000), st.integers(1, 7), st.booleans(),
)
def test_a_decoder_gives_the_beginning_and_never_more(
    encoding: str, data: bytes, times: int, limit: int, step: int, mangled: bool
) -> None:
    data *= times
    packed = PACK[encoding](data) + (b"\xff\x00" if mangled else b"")
    decoder = page.Decoder(encoding, limit)
    out = b""
    with contextlib.suppress(page.UnreadableBody):
        for at in range(0, len(packed), step):
            out += decoder.feed(packed[at : at + step])
            assert len(out) <= limit
    if not mangled:
        assert data[:limit] == out
        assert (len(data) > limit) == decoder.truncated


@given(st.sampled_from(["gzip", "deflate", "br", "zstd", ""]), st.binary(max_size=100))
def test_any_body_decodes_or_is_unreadable(encoding: str, data: bytes) -> None:
    with contextlib.suppress(page.UnreadableBody):
        page.Decoder(encoding, 1000).feed(data)


PIECES = st.sampled_from(
    ["http://", "https://", "//", "/", ":", "@", "[", "]", "::1", "%", "%25", "..", ".", "xn--",
     "a", "site.by", "127.0.0.1", "0x7f.1", "1", "65536", "?", "#", "\\", " ", "\x00", "ф", "。",
     "ß", "\u200d", "_", "-", "ａ", "\ud800", "\n", "&", "=", "a" * 64, "../", "*", "!"]
)


@settings(max_examples=2000)
@given(
    st.one_of(st.lists(PIECES, max_size=9).map("".join), st.text(max_size=50)),
    st.sampled_from([None, "http://site.by/dir/page?x", "https://[2606:2800::1]:8443/"]),
)
@example("/" + "ф" * 2000, "http://site.by/")
@example("http://a:99999/", None)
def test_any_text_is_a_url_that_can_be_visited_or_bad(text: str, base: str | None) -> None:
    for candidate in (text, "http://" + text):
        try:
            url = parse(candidate, base=base)
        except BadURL:
            continue
        assert url == parse(url.text)
        assert url.text == parse(url.with_scheme(url.scheme).text).text or not url.default_port
        assert 0 < url.port < 65536
        assert len(url.text) <= MAX_URL
        assert url.text.isascii() and " " not in url.text
        if url.ip_literal is not None:
            addresses.is_public(url.ip_literal)
        else:
            wire.query(url.host, "A", 1)
            CONTEXT.wrap_bio(
                ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=url.host
            )


CONTEXT = ssl.create_default_context()
COOKIE = st.text(st.characters(max_codepoint=255), max_size=60)


@settings(max_examples=500)
@given(st.lists(st.one_of(COOKIE, st.just("a=b; path=/; expires=Thu, 01 Jan 2099 00:00:00 GMT"),
                          st.just('v="x\r\nevil: y"'), st.just("n=\x01")), max_size=5))
def test_any_cookie_is_sendable_or_dropped(values: list[str]) -> None:
    jar = Cookies()
    jar.take("https://site.by/", tuple(("set-cookie", value) for value in values))
    header = jar.header("https://site.by/")
    assert "\r" not in header and "\n" not in header and "\x00" not in header
    assert header == header.strip()
    header.encode("latin-1")


def test_a_cookie_comes_back_to_its_site_only() -> None:
    jar = Cookies()
    jar.take("http://site.by/", (("set-cookie", "a=b"), ("server", "x")))
    assert ("a=b", "") == (jar.header("http://site.by/x"), jar.header("http://other.by/"))
