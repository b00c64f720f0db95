"""Handshakes by both engines: whatever the other side does, they are to say the same."""

from __future__ import annotations

import random
import ssl

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from trio.testing import MockClock

from probe.evidence import TLSHandshake
from probe.failure import Failure, NetworkFailure, classify
from probe.steps import browser
from probe.steps.engine import Hello, PythonTLS, engine
from probe.steps.http import BROWSER_HEADERS
from probe.steps.tls import TLSStream, tls_handshake
from probe.trace import StepFailed, Trace
from probe.wire.tls import client_hello, handshake_message, name_in
from tests.certificates import server_context
from tests.fakenet import (
    Serve,
    ServerEnd,
    fake_internet,
    silence,
    tls,
)

IP = "93.184.216.34"

needs_browser = pytest.mark.skipif(not browser.available(), reason="utls is not installed")


@pytest.fixture(params=["python", pytest.param("browser", marks=needs_browser)])
def hello(request: pytest.FixtureRequest) -> Hello:
    chosen: Hello = request.param
    return chosen


async def shake(
    serve: Serve,
    hello: Hello,
    *,
    sni: str | None = "site.by",
    alpn: tuple[str, ...] = ("h2", "http/1.1"),
    split: bool = False,
    ech: bytes = b"",
) -> tuple[TLSHandshake, bytes]:
    """The record of a handshake with *serve*, and what the stream then brought."""
    trace = Trace()
    got = b""
    async with fake_internet() as net:
        net.tcp[IP, 443] = serve
        transport = await net.connect_tcp(IP, 443)
        try:
            stream = await tls_handshake(
                trace, transport, ip=IP, port=443, sni=sni, alpn=alpn, hello=hello, split=split,
                ech=ech,
            )  # fmt: skip
            got = await _rest(stream)
        except StepFailed:
            pass
    (record,) = trace.records
    assert isinstance(record, TLSHandshake)
    return record, got


async def _rest(stream: TLSStream) -> bytes:
    got = b""
    while piece := await stream.receive_some():
        got += piece
    return got


def answers(*pieces: bytes, reset: bool = False) -> Serve:
    """To a ClientHello, whatever bytes."""

    async def serve(stream: ServerEnd) -> None:
        await stream.receive_some()
        for piece in pieces:
            await stream.send_all(piece)
        if reset:
            await stream.reset()

    return serve


def cut_after(context: ssl.SSLContext, size: int) -> Serve:
    """A real server of which only the first *size* bytes arrive; counted from the end of its
    first flight if negative."""

    async def serve(stream: ServerEnd) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = context.wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(await stream.receive_some())
        left = size
        while True:
            try:
                server.do_handshake()
            except ssl.SSLWantReadError:
                pass
            said = outgoing.read()
            left = left if left >= 0 else len(said) + left
            said = said[:left]
            await stream.send_all(said)
            left -= len(said)
            if not left:
                return
            heard = await stream.receive_some()
            if not heard:
                return
            incoming.write(heard)

    return serve


def alert(number: int, level: int = 2) -> bytes:
    return bytes([21, 3, 3, 0, 2, level, number])


async def test_a_good_handshake_tells_all(hello: Hello, autojump_clock: MockClock) -> None:
    async def greet(stream: ServerEnd) -> None:
        await stream.send_all(b"hello")

    record, got = await shake(tls(server_context("site.by", alpn=("h2",)), greet), hello)
    assert (None, "TLSv1.3", "h2", None) == (
        record.failure, record.version, record.alpn, record.alert,
    )
    assert record.cipher and record.received > 500
    assert 1 == len(record.chain) == len(record.chain_sha256)
    assert b"hello" == got


async def test_without_a_name_no_sni_is_sent(hello: Hello, autojump_clock: MockClock) -> None:
    seen: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda sock, name, ctx: seen.append(name)
    await shake(tls(context), hello, sni=None)
    await shake(tls(context), hello, sni="site.by")
    assert [None, "site.by"] == seen


@pytest.mark.parametrize(
    ("serve", "failure"),
    [
        (answers(reset=True), Failure.CONNECTION_RESET),
        (answers(), Failure.EOF),
        (silence, Failure.TIMEOUT),
        (answers(alert(40)), Failure.TLS_FAILED_HANDSHAKE),
        (answers(b"HTTP/1.1 302 Found\r\n\r\n"), Failure.TLS_FAILED_HANDSHAKE),
        (answers(b"\x16\x03\x03", reset=True), Failure.CONNECTION_RESET),
        (answers(b"\x16\x03\x03"), Failure.EOF),
    ],
)
async def test_each_censor_has_a_name_of_its_own(
    serve: Serve, failure: Failure, hello: Hello, autojump_clock: MockClock
) -> None:
    record, _ = await shake(serve, hello)
    assert failure == record.failure
    assert () == record.chain


async def test_silence_ends_after_ten_seconds(hello: Hello, autojump_clock: MockClock) -> None:
    record, _ = await shake(silence, hello)
    assert (10.0, 0) == (record.t - record.t0, record.received)


@pytest.mark.parametrize("number", [0, 40, 48, 70, 80, 112])
async def test_the_number_of_an_alert_is_kept(
    number: int, hello: Hello, autojump_clock: MockClock
) -> None:
    record, _ = await shake(answers(alert(number)), hello)
    assert (number, 7) == (record.alert, record.received)


async def test_a_warning_before_the_end_is_kept(hello: Hello, autojump_clock: MockClock) -> None:
    record, _ = await shake(answers(alert(112, level=1)), hello)
    assert (Failure.EOF, 112) == (record.failure, record.alert)


async def test_a_close_in_order_is_an_end_of_file(
    hello: Hello, autojump_clock: MockClock
) -> None:
    record, _ = await shake(answers(alert(0, level=1)), hello)
    assert (Failure.EOF, 0) == (record.failure, record.alert)


@needs_browser
async def test_a_failure_without_a_word_is_no_end_of_file(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    # What utls 2026.10 makes of a failure for which BoringSSL has queued no error.
    import utls

    def wordless(tls: utls.SSLObject) -> None:
        raise utls.SSLEOFError("unexpected EOF on TLS connection")

    started = engine("site.by", ("h2",), hello="browser")
    started.hello()
    monkeypatch.setattr(utls.SSLObject, "do_handshake", wordless)
    with pytest.raises(ssl.SSLError, match="unexpected EOF") as caught:
        started.handshake()
    assert Failure.TLS_FAILED_HANDSHAKE == classify(caught.value)


async def test_garbage_is_called_that(hello: Hello, autojump_clock: MockClock) -> None:
    record, _ = await shake(answers(b"HTTP/1.1 403 Forbidden\r\n\r\n<html>blocked"), hello)
    assert record.detail.startswith("what came is not TLS")
    assert record.alert is None


async def test_the_chain_is_kept_when_the_handshake_fails_after_it(
    hello: Hello, autojump_clock: MockClock
) -> None:
    context = server_context("site.by")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        record, _ = await shake(cut_after(context, -20), hello)
    finally:
        context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    assert Failure.EOF == record.failure
    assert 1 == len(record.chain)


async def test_a_cut_anywhere_is_an_end_of_file(hello: Hello, autojump_clock: MockClock) -> None:
    context = server_context("site.by")
    for size in range(700):
        record, _ = await shake(cut_after(context, size), hello)
        assert (Failure.EOF, size) == (record.failure, record.received)


async def test_whatever_comes_a_handshake_ends_with_a_word_for_it(
    hello: Hello, autojump_clock: MockClock
) -> None:
    rng = random.Random(7)
    real = await first_flight(server_context("site.by"), hello)
    expected = {Failure.TLS_FAILED_HANDSHAKE, Failure.EOF, Failure.TIMEOUT}
    for _ in range(300):
        spoilt = bytearray(real if rng.random() < 0.7 else rng.randbytes(200))
        for _ in range(rng.randint(1, 4)):
            spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
        record, got = await shake(answers(bytes(spoilt)), hello)
        assert record.failure in expected, record
        assert b"" == got


async def first_flight(context: ssl.SSLContext, hello: Hello) -> bytes:
    """What a server says to a hello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(engine("site.by", ("h2",), hello=hello).hello())
    with pytest.raises(ssl.SSLWantReadError):
        server.do_handshake()
    return outgoing.read()


async def hang_up(stream: ServerEnd) -> None:
    """All that a server says after the handshake: nothing."""


async def test_the_record_says_whose_hello_it_was(autojump_clock: MockClock) -> None:
    context = server_context("site.by", alpn=("h2",))
    record, _ = await shake(tls(context, hang_up), "python")
    assert "python" == record.hello
    assert record.ja4.startswith("t13d")
    assert record.ja4.split("_")[0].endswith("h2")


@needs_browser
async def test_a_browsers_hello_is_that_of_one_chrome(autojump_clock: MockClock) -> None:
    # The preset's own hash, by another implementation: FoxIO's JA4 as utls computes it.
    import utls

    expected = utls.Fingerprint.from_preset(browser.PRESET).ja4_hash
    context = server_context("site.by", alpn=("h2",))
    for _ in range(5):
        record, _ = await shake(tls(context, hang_up), "browser")
        assert ("chrome-152", expected) == (record.hello, record.ja4)


def test_the_hello_is_of_the_browser_that_the_headers_name() -> None:
    version = browser.NAME.removeprefix("chrome-")
    assert browser.PRESET == f"chrome:{version}"
    headers = dict(BROWSER_HEADERS)
    assert f"Chrome/{version}.0.0.0" in headers["user-agent"]
    assert f'"Google Chrome";v="{version}"' in headers["sec-ch-ua"]


@needs_browser
def test_the_name_stands_early_whatever_the_order_is() -> None:
    orders = set()
    for _ in range(40):
        said = engine("site.by", ("h2", "http/1.1"), hello="browser").hello()
        at = name_in(said, "site.by")
        assert at is not None
        assert at[1] <= browser.EARLY < len(said)
        orders.add(tuple(kind for kind, _ in client_hello(handshake_message(said)).extensions))
    assert 40 == len(orders)


async def test_without_the_package_python_speaks(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    monkeypatch.setattr(browser, "available", lambda: False)
    record, _ = await shake(tls(server_context("site.by", alpn=("h2",)), hang_up), "browser")
    assert (None, "python") == (record.failure, record.hello)


async def test_no_browser_speaks_without_alpn(autojump_clock: MockClock) -> None:
    record, _ = await shake(tls(server_context("site.by"), hang_up), "browser", alpn=())
    assert (None, "python", None) == (record.failure, record.hello, record.alpn)


@pytest.mark.parametrize("sni", ["site.by", None])
async def test_a_split_hello_leaves_in_two_parts_and_neither_holds_the_name(
    sni: str | None, hello: Hello, autojump_clock: MockClock
) -> None:
    parts: list[bytes] = []

    async def serve(stream: ServerEnd) -> None:
        for _ in range(2):
            parts.append(await stream.receive_some())

    record, _ = await shake(serve, hello, sni=sni, split=True)
    assert (Failure.EOF, 2) == (record.failure, record.segments)
    assert all(parts)
    assert not any(b"site.by" in part for part in parts)
    found = client_hello(handshake_message(b"".join(parts))).extension(0)
    assert (sni is not None) == (found is not None and b"site.by" in found)


async def test_a_split_hello_is_answered_like_another(
    hello: Hello, autojump_clock: MockClock
) -> None:
    serve = tls(server_context("site.by", alpn=("h2",)), hang_up)
    record, _ = await shake(serve, hello, split=True)
    assert (None, 2, "h2") == (record.failure, record.segments, record.alpn)


@pytest.mark.parametrize(
    ("said", "reset", "failure"),
    [
        (alert(112), False, Failure.TLS_FAILED_HANDSHAKE),
        (alert(112), True, Failure.TLS_FAILED_HANDSHAKE),
        (b"", True, Failure.CONNECTION_RESET),
        (b"", False, Failure.EOF),
    ],
)
async def test_who_answers_the_first_part_of_a_hello_is_heard(
    said: bytes, reset: bool, failure: Failure, hello: Hello, autojump_clock: MockClock
) -> None:
    record, _ = await shake(answers(said, reset=reset), hello, split=True)
    assert (failure, len(said)) == (record.failure, record.received)


@pytest.mark.parametrize("name", ["", ".by", "a..by", "x" * 64 + ".by", "x." * 140, "a\0b.by"])
async def test_what_is_no_host_name_is_not_sent(
    name: str, hello: Hello, autojump_clock: MockClock
) -> None:
    record, _ = await shake(silence, hello, sni=name)
    assert (Failure.UNKNOWN, 0) == (record.failure, record.received)
    assert record.detail.startswith("not a host name")


async def test_the_case_of_a_name_is_kept(hello: Hello, autojump_clock: MockClock) -> None:
    seen: list[bytes] = []

    async def serve(stream: ServerEnd) -> None:
        seen.append(await stream.receive_some())

    await shake(serve, hello, sni="SITE.by")
    assert [True] == [name_in(said, "SITE.by") is not None for said in seen]


class Undecided(PythonTLS):
    """An engine for which nothing that comes is data."""

    def feed(self, raw: bytes) -> None:
        pass


async def test_records_without_data_do_not_go_on_for_ever(autojump_clock: MockClock) -> None:
    async def flood(stream: ServerEnd) -> None:
        while True:
            await stream.send_all(bytes(1000))

    async with fake_internet() as net:
        net.tcp[IP, 443] = flood
        stream = TLSStream(await net.connect_tcp(IP, 443), Undecided("site.by", ()))
        with pytest.raises(NetworkFailure, match="without data"):
            await stream.receive_some()


async def test_cancellation_from_outside_leaves_no_record(
    hello: Hello, autojump_clock: MockClock
) -> None:
    trace = Trace()
    async with fake_internet() as net:
        net.tcp[IP, 443] = silence
        transport = await net.connect_tcp(IP, 443)
        with trio.move_on_after(3):
            await tls_handshake(trace, transport, ip=IP, port=443, sni="site.by", hello=hello)
    assert [] == trace.records


async def test_the_client_sends_its_alert_when_it_gives_up(
    hello: Hello, autojump_clock: MockClock
) -> None:
    after: list[bytes] = []

    async def serve(stream: ServerEnd) -> None:
        await stream.receive_some()
        await stream.send_all(b"\x16\x03\x03\x00\x04\x63\x00\x00\x00")  # no such message
        after.append(await stream.receive_some())

    await shake(serve, hello)
    assert [21] == [said[0] for said in after]




def ech_config(public_name: str, kem: int = 0x20) -> bytes:
    """An ECHConfigList of one key (RFC 9849, 4), for X25519 if *kem* is 0x20."""
    key = X25519PrivateKey.generate().public_key().public_bytes_raw()
    suites = b"\x00\x01\x00\x01"  # HKDF-SHA256, AES-128-GCM
    contents = b"".join(
        (
            b"\x07", kem.to_bytes(2), len(key).to_bytes(2), key,
            len(suites).to_bytes(2), suites, b"\x20",
            bytes([len(public_name)]), public_name.encode(), b"\x00\x00",
        )
    )  # fmt: skip
    config = b"\xfe\x0d" + len(contents).to_bytes(2) + contents
    return len(config).to_bytes(2) + config


@needs_browser
async def test_with_ech_only_the_public_name_is_to_be_seen(autojump_clock: MockClock) -> None:
    sent: list[bytes] = []

    async def serve(stream: ServerEnd) -> None:
        sent.append(await stream.receive_some())

    record, _ = await shake(serve, "browser", ech=ech_config("cover.example"))
    assert (True, "site.by", "cover.example") == (record.ech, record.sni, record.outer_sni)
    assert [False] == [b"site.by" in said for said in sent]
    assert "chrome-152" == record.hello


@needs_browser
async def test_a_server_that_has_no_such_key_is_told_apart(autojump_clock: MockClock) -> None:
    serve = tls(server_context("cover.example", alpn=("h2",)), hang_up)
    record, _ = await shake(serve, "browser", ech=ech_config("cover.example"))
    assert (Failure.TLS_FAILED_HANDSHAKE, True) == (record.failure, record.ech)
    assert "ECH_REJECTED" in record.detail
    assert 1 == len(record.chain)


@needs_browser
@pytest.mark.parametrize(
    "config",
    [b"\x00", ech_config("cover.example")[:-1], ech_config("cover.example", kem=0x99)],
    ids=["no list", "cut short", "of another kind"],  # a new key each time has no name
)
async def test_without_a_key_to_use_nothing_is_sent(
    config: bytes, autojump_clock: MockClock
) -> None:
    sent: list[bytes] = []

    async def serve(stream: ServerEnd) -> None:
        sent.append(await stream.receive_some())

    record, _ = await shake(serve, "browser", ech=config)
    assert (Failure.UNKNOWN, False) == (record.failure, record.ech)
    assert record.detail.startswith("ECH")
    assert not any(sent)


def test_pythons_engine_cannot_encrypt_a_name() -> None:
    with pytest.raises(ValueError, match="cannot encrypt"):
        engine("site.by", ("h2",), hello="python", ech=ech_config("cover.example"))
