from __future__ import annotations

import gzip
import zlib
from typing import Any

import brotli
import h2.config
import h2.connection
import h2.events
import pytest
import trio
from trio.testing import MockClock

from probe.evidence import HTTPExchange
from probe.failure import Failure
from probe.steps.http import MAX_BODY, http_fetch
from probe.trace import StepFailed, Trace
from probe.wire.url import parse
from tests.fakenet import Serve, ServerEnd, fake_internet, heard, response, says, silence

IP = "93.184.216.34"


async def fetch(
    serve: Serve, url: str = "http://site.by/dir/page", *, http2: bool = False, cookies: str = ""
) -> HTTPExchange:
    """The one record of fetching *url* from *serve*."""
    trace = Trace()
    async with fake_internet() as net:
        net.tcp[IP, 80] = serve
        stream = await net.connect_tcp(IP, 80)
        try:
            await http_fetch(
                trace, stream, parse(url), ip=IP, port=80, http2=http2, cookies=cookies
            )
        except StepFailed:
            pass
    (record,) = trace.records
    assert isinstance(record, HTTPExchange)
    return record


async def test_a_page_is_kept_as_facts(autojump_clock: MockClock) -> None:
    page = "<title>Новости &amp; погода</title><p>one two three four".encode()
    record = await fetch(says(response(page, headers=[("Content-Type", "text/html")])))
    assert (200, "Новости & погода", len(page), False) == (
        record.status, record.title, record.body_length, record.body_truncated,
    )
    assert page == record.body
    assert record.sketch and record.body_sha256 and record.failure is None
    assert ("content-type", "text/html") in record.headers


async def test_head_and_end_have_their_own_times(autojump_clock: MockClock) -> None:
    async def serve(stream: ServerEnd) -> None:
        await heard(stream)
        await trio.sleep(2)
        await stream.send_all(response(b"0123456789")[:-5])
        await trio.sleep(3)
        await stream.send_all(b"56789")

    record = await fetch(serve)
    assert (2.0, 5.0) == pytest.approx((record.head_t - record.t0, record.t - record.t0))


async def test_the_request_is_a_browsers(autojump_clock: MockClock) -> None:
    got: list[bytes] = []

    async def serve(stream: ServerEnd) -> None:
        got.append(await heard(stream))

    await fetch(serve, "http://site.by:8080/a?b=c", cookies="k=v")
    lines = got[0].decode().split("\r\n")
    assert ["GET /a?b=c HTTP/1.1", "Host: site.by:8080"] == lines[:2]
    assert "cookie: k=v" in lines
    assert any("Mozilla" in line for line in lines)


@pytest.mark.parametrize(
    ("serve", "failure"),
    [
        (says(reset=True), Failure.CONNECTION_RESET),
        (says(), Failure.EOF),
        (silence, Failure.TIMEOUT),
        (says(b"HTTP/1.1 200 OK\r\ncontent-"), Failure.EOF),
        (says(b"HTTP/1.1 200 OK\r\ncontent-", reset=True), Failure.CONNECTION_RESET),
        (says(b"HTTP/1.1 200 OK\r\ncontent-", stay=True), Failure.TIMEOUT),
        (says(b"\x00\x01\x02 garbage\r\n\r\n", stay=True), Failure.UNKNOWN),
        (says(b"HTTP/1.1 abc OK\r\n\r\n", stay=True), Failure.UNKNOWN),
    ],
)
async def test_each_end_has_a_name_of_its_own(
    serve: Serve, failure: Failure, autojump_clock: MockClock
) -> None:
    record = await fetch(serve)
    assert (failure, None) == (record.failure, record.status)


@pytest.mark.parametrize("http2", [False, True])
async def test_a_reset_noticed_while_writing_is_a_reset(
    http2: bool, autojump_clock: MockClock
) -> None:
    trace = Trace()

    async def reset(stream: ServerEnd) -> None:
        await stream.reset()

    async with fake_internet() as net:
        net.tcp[IP, 80] = reset
        stream = await net.connect_tcp(IP, 80)
        await trio.sleep(0.1)
        with pytest.raises(StepFailed):
            await http_fetch(
                trace, stream, parse("http://site.by/"), ip=IP, port=80, http2=http2
            )
    assert [Failure.CONNECTION_RESET] == [e.failure for e in trace.records]


async def test_a_page_before_a_reset_is_kept(autojump_clock: MockClock) -> None:
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    record = await fetch(says(head, b"<title>Access denied</title>", reset=True))
    assert (Failure.CONNECTION_RESET, 200, "Access denied") == (
        record.failure, record.status, record.title,
    )


PLAIN = response(b"<title>x</title>hello", headers=[("set-cookie", "a=b")])
CHUNKED = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"
    b"content-encoding: gzip\r\n\r\n"
    + b"".join(
        b"%x\r\n%b\r\n" % (len(piece), piece)
        for piece in (gzip.compress(b"hello" * 9)[:10], gzip.compress(b"hello" * 9)[10:])
    )
    + b"0\r\n\r\n"
)


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("whole", [PLAIN, CHUNKED], ids=["plain", "chunked"])
async def test_cut_anywhere_there_is_one_record_that_says_so(
    whole: bytes, reset: bool, autojump_clock: MockClock
) -> None:
    expected = (await fetch(says(whole, stay=True))).body
    for size in range(len(whole) + 1):
        record = await fetch(says(whole[:size], reset=reset))
        ended = (record.failure, record.body_truncated)
        if record.status is None:
            assert (Failure.CONNECTION_RESET if reset else Failure.EOF, False) == ended
        elif reset:
            assert ended in ((Failure.CONNECTION_RESET, True), (None, False))
        else:
            assert record.failure is None
            assert record.body_truncated == (record.detail == "body cut off")
        if ended == (None, False) and record.status == 200:
            assert expected == record.body
            assert size == len(whole)


async def test_a_dripping_head_ends_and_is_told_from_silence(autojump_clock: MockClock) -> None:
    async def drip(stream: ServerEnd) -> None:
        await heard(stream)
        for byte in b"HTTP/1.1 200 OK\r\n" + b"x" * 1000:
            await stream.send_all(bytes([byte]))
            await trio.sleep(1)

    record = await fetch(drip)
    assert (Failure.TIMEOUT, 15.05) == (record.failure, record.t)
    assert "bytes came" in record.detail


async def test_a_dripping_body_is_kept_until_ten_seconds(autojump_clock: MockClock) -> None:
    async def drip(stream: ServerEnd) -> None:
        await heard(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while True:
            await stream.send_all(b"x")
            await trio.sleep(1)

    record = await fetch(drip)
    assert (None, 200, True, b"x" * 10) == (
        record.failure, record.status, record.body_truncated, record.body,
    )
    assert 10.05 == record.t


async def endless(stream: ServerEnd, head: bytes, piece: bytes) -> None:
    await heard(stream)
    await stream.send_all(head)
    while True:
        await stream.send_all(piece)


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nx: ", b"y" * 65536),
        (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n" * 9999),
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 999),
        (b"", b"HTTP/1.1 103 Hints\r\nlink: " + b"x" * 50_000 + b"\r\n\r\n"),
        (b"", b"\r\n" * 10_000),
    ],
    ids=["one long header", "many headers", "1xx", "long 1xx", "empty lines"],
)
async def test_a_head_without_end_is_left(
    head: bytes, piece: bytes, autojump_clock: MockClock
) -> None:
    record = await fetch(lambda stream: endless(stream, head, piece))
    assert (Failure.UNKNOWN, None) == (record.failure, record.status)
    assert record.t < 1


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"", b"z" * 65536),
        (b"transfer-encoding: chunked\r\n", b"1;" + b"e" * 60_000 + b"\r\nz\r\n"),
        (b"transfer-encoding: chunked\r\n", b"2000\r\n" + b"z" * 8192 + b"\r\n"),
    ],
    ids=["plain", "chunk extensions", "chunked"],
)
async def test_a_body_without_end_is_bounded(
    head: bytes, piece: bytes, autojump_clock: MockClock
) -> None:
    record = await fetch(
        lambda stream: endless(stream, b"HTTP/1.1 200 OK\r\n" + head + b"\r\n", piece)
    )
    assert (None, 200, True) == (record.failure, record.status, record.body_truncated)
    assert record.body_length <= MAX_BODY


def encoded(encoding: str, data: bytes) -> bytes:
    pack: Any = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress}
    body = pack[encoding](data) if encoding in pack else data
    return response(body, headers=[("content-encoding", encoding)])


@pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate", "br"])
@pytest.mark.parametrize("over", [-1, 0, 1])
async def test_the_limit_is_exact(over: int, encoding: str, autojump_clock: MockClock) -> None:
    record = await fetch(says(encoded(encoding, bytes(MAX_BODY + over))))
    assert (min(MAX_BODY, MAX_BODY + over), over > 0) == (
        record.body_length, record.body_truncated,
    )


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
async def test_a_bomb_is_bounded(encoding: str, autojump_clock: MockClock) -> None:
    record = await fetch(says(encoded(encoding, bytes(20_000_000))))
    assert (MAX_BODY, True) == (record.body_length, record.body_truncated)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
async def test_a_body_that_is_not_what_it_claims_is_told(
    encoding: str, autojump_clock: MockClock
) -> None:
    record = await fetch(says(response(b"<html>\xff", headers=[("content-encoding", encoding)])))
    assert (None, True) == (record.failure, record.body_truncated)
    assert record.detail.startswith(f"not {encoding}")


@pytest.mark.parametrize(
    "chunks", [b"zz\r\nhello\r\n", b"5\r\nhelloXX", b"-1\r\n\r\n", b"f" * 40 + b"\r\n"]
)
async def test_bad_chunking_keeps_the_head(chunks: bytes, autojump_clock: MockClock) -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    record = await fetch(says(head, chunks, stay=True))
    assert (None, 200, True) == (record.failure, record.status, record.body_truncated)
    assert record.detail.startswith("bad framing")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("http://other.by/x", "http://other.by/x"),
        ("//other.by", "http://other.by/"),
        ("/root", "http://site.by/root"),
        ("next?a=b#c", "http://site.by/dir/next?a=b"),
        ("https://site.by", "https://site.by/"),
        ("http://пример.бел/", "http://xn--e1afmkfd.xn--90ais/"),
    ],
)
async def test_a_redirect_is_made_absolute(
    status: int, location: str, target: str, autojump_clock: MockClock
) -> None:
    raw = location.encode().decode("latin-1")
    record = await fetch(says(response(status=status, headers=[("Location", raw)])))
    assert (target, None) == (record.location, record.failure)


@pytest.mark.parametrize(
    "location",
    [
        "http://", "http:///x", "http://" + "a" * 64 + ".by/", "http://a..by/", "http://a:99999/",
        "http://a:0/", "javascript:alert(1)", "http://2130706433/", "http://127.1/",
        "http://[::1/", "http://a b/", "ftp://site.by/", "/" + "ф" * 3000, "http://%00.by/",
        "http://\x7f/", "http://[fe80::1%25eth0]/",
    ],
)
async def test_a_broken_location_is_told(location: str, autojump_clock: MockClock) -> None:
    raw = location.encode().decode("latin-1")
    record = await fetch(says(response(status=302, headers=[("Location", raw)])))
    assert (Failure.HTTP_INVALID_REDIRECT, None, 302) == (
        record.failure, record.location, record.status,
    )


async def test_a_location_without_redirect_is_none(autojump_clock: MockClock) -> None:
    record = await fetch(says(response(status=201, headers=[("Location", "/x")])))
    assert record.location is None


async def test_an_answer_before_the_request_was_read_is_heard(autojump_clock: MockClock) -> None:
    async def hasty(stream: ServerEnd) -> None:
        await stream.send_all(response(b"too early", 503))

    trace = Trace()
    async with fake_internet() as net:
        net.tcp[IP, 80] = hasty
        stream = await net.connect_tcp(IP, 80)
        await trio.sleep(1)
        record = await http_fetch(trace, stream, parse("http://site.by/"), ip=IP, port=80)
    assert (503, b"too early") == (record.status, record.body)


# HTTP/2


def h2_server(act: Any) -> Serve:
    """An HTTP/2 server; *act* is given the connection and the stream of each request."""

    async def serve(stream: ServerEnd) -> None:
        config = h2.config.H2Configuration(
            client_side=False, header_encoding="utf-8",
            validate_outbound_headers=False, normalize_outbound_headers=False,
        )
        connection = h2.connection.H2Connection(config)
        connection.initiate_connection()
        await stream.send_all(connection.data_to_send())
        while data := await stream.receive_some():
            if connection.state_machine.state is h2.connection.ConnectionState.CLOSED:
                return
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    raw = act(connection, event.stream_id)
                    await stream.send_all(connection.data_to_send() + (raw or b""))

    return serve


def page(connection: h2.connection.H2Connection, stream: int) -> None:
    connection.send_headers(stream, [(":status", "200"), ("content-type", "text/html")])
    connection.send_data(stream, b"<title>two</title>", end_stream=True)


async def test_a_page_over_http2(autojump_clock: MockClock) -> None:
    record = await fetch(h2_server(page), "https://site.by/", http2=True)
    assert (200, "two", "h2", None, False) == (
        record.status, record.title, record.protocol, record.failure, record.body_truncated,
    )


HEAD = [(":status", "200")]
HOSTILE: dict[str, Any] = {
    "goaway": lambda c, s: c.close_connection(error_code=2, last_stream_id=0),
    "goaway before us": lambda c, s: b"\0\0\x08\x07\0\0\0\0\0" + b"\0\0\0\0\0\0\0\0",
    "rst": lambda c, s: c.reset_stream(s, error_code=7),
    "garbage": lambda c, s: b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9,
    "bad status": lambda c, s: c.send_headers(s, [(":status", "abc")], end_stream=True),
    "bad hpack": lambda c, s: b"\0\0\x03\x01\x05\0\0\0\x01\xff\xff\xff",
    "frame too long": lambda c, s: b"\xff\xff\xff\x00\0\0\0\0\x01",
    "data first": lambda c, s: b"\0\0\x01\x00\0\0\0\0\x01x",
    "push": lambda c, s: b"\0\0\x04\x05\x04\0\0\0\x01\0\0\0\x02",
    "settings flood": lambda c, s: b"\0\0\0\x04\0\0\0\0\0" * 80_000,
    "empty data flood": lambda c, s: b"\0\0\0\x00\0\0\0\0\x01" * 80_000,
    "big header": lambda c, s: b"\0\x3f\xff\x01\0\0\0\0\x01" + bytes(16383)
    + (b"\0\x3f\xff\x09\0\0\0\0\x01" + bytes(16383)) * 99,
}


@pytest.mark.parametrize("act", HOSTILE.values(), ids=list(HOSTILE))
async def test_a_hostile_http2_server_is_on_record(act: Any, autojump_clock: MockClock) -> None:
    record = await fetch(h2_server(act), http2=True)
    assert record.status is None
    if record.failure is Failure.TIMEOUT:  # h2 waits for the whole of a frame that is too long
        assert "bytes came" in record.detail
    else:
        assert Failure.UNKNOWN == record.failure
        assert record.t < 1


@pytest.mark.parametrize("act", HOSTILE.values(), ids=list(HOSTILE))
async def test_hostile_after_the_head_is_on_record(act: Any, autojump_clock: MockClock) -> None:
    def late(connection: h2.connection.H2Connection, stream: int) -> bytes:
        connection.send_headers(stream, HEAD)
        connection.send_data(stream, b"hello")
        head: bytes = connection.data_to_send()
        raw = act(connection, stream) or connection.data_to_send()
        return head + raw

    record = await fetch(h2_server(late), http2=True)
    if record.status is None:  # head and nonsense came at once
        assert Failure.UNKNOWN == record.failure
    else:
        assert record.failure is None
        assert act is HOSTILE["bad status"] or record.body_truncated
    assert record.t < 11


async def test_http2_cut_anywhere_is_one_record(autojump_clock: MockClock) -> None:
    config = h2.config.H2Configuration(client_side=False)
    server = h2.connection.H2Connection(config)
    server.initiate_connection()
    client = h2.connection.H2Connection()
    client.initiate_connection()
    client.send_headers(1, [(":method", "GET"), (":path", "/"), (":scheme", "https"),
                            (":authority", "site.by")], end_stream=True)
    server.receive_data(client.data_to_send())
    page(server, 1)
    whole = server.data_to_send()
    for size in range(len(whole) + 1):
        record = await fetch(says(whole[:size], first=b"PRI"), http2=True)
        if record.status is None:
            assert Failure.EOF == record.failure
        else:
            assert record.body_truncated == (size < len(whole))
