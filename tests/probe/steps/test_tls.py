from __future__ import annotations

import ssl

import pytest
import trio
from trio.testing import MockClock

from probe.evidence import TLSHandshake
from probe.failure import Failure, NetworkFailure
from probe.steps.tls import TLSStream, tls_handshake
from probe.trace import StepFailed, Trace
from tests.certificates import server_context
from tests.fakenet import (
    Serve,
    ServerEnd,
    fake_internet,
    silence,
    tls,
)

IP = "93.184.216.34"


async def shake(
    serve: Serve, *, sni: str | None = "site.by", alpn: tuple[str, ...] = ("h2", "http/1.1")
) -> tuple[TLSHandshake, bytes]:
    """The record of a handshake with *serve*, and what the stream then brought."""
    trace = Trace()
    got = b""
    async with fake_internet() as net:
        net.tcp[IP, 443] = serve
        transport = await net.connect_tcp(IP, 443)
        try:
            stream = await tls_handshake(trace, transport, ip=IP, port=443, sni=sni, alpn=alpn)
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


async def test_a_good_handshake_tells_all(autojump_clock: MockClock) -> None:
    async def hello(stream: ServerEnd) -> None:
        await stream.send_all(b"hello")

    record, got = await shake(tls(server_context("site.by", alpn=("h2",)), hello))
    assert (None, "TLSv1.3", "h2", None) == (
        record.failure, record.version, record.alpn, record.alert,
    )
    assert record.cipher and record.received > 500
    assert 1 == len(record.chain) == len(record.chain_sha256)
    assert b"hello" == got


async def test_without_a_name_no_sni_is_sent(autojump_clock: MockClock) -> None:
    seen: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda sock, name, ctx: seen.append(name)
    await shake(tls(context), sni=None)
    await shake(tls(context), sni="site.by")
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
    serve: Serve, failure: Failure, autojump_clock: MockClock
) -> None:
    record, _ = await shake(serve)
    assert failure == record.failure
    assert () == record.chain


async def test_silence_ends_after_ten_seconds(autojump_clock: MockClock) -> None:
    record, _ = await shake(silence)
    assert (10.0, 0) == (record.t - record.t0, record.received)


@pytest.mark.parametrize("number", [0, 40, 48, 70, 80, 112])
async def test_the_number_of_an_alert_is_kept(number: int, autojump_clock: MockClock) -> None:
    record, _ = await shake(answers(alert(number)))
    assert (number, 7) == (record.alert, record.received)


async def test_a_warning_before_the_end_is_kept(autojump_clock: MockClock) -> None:
    record, _ = await shake(answers(alert(112, level=1)))
    assert (Failure.EOF, 112) == (record.failure, record.alert)


async def test_garbage_is_called_that(autojump_clock: MockClock) -> None:
    record, _ = await shake(answers(b"HTTP/1.1 403 Forbidden\r\n\r\n<html>blocked"))
    assert record.detail.startswith("what came is not TLS")
    assert record.alert is None


async def test_the_chain_is_kept_when_the_handshake_fails_after_it(
    autojump_clock: MockClock,
) -> None:
    context = server_context("site.by")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        record, _ = await shake(cut_after(context, -20))
    finally:
        context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    assert Failure.EOF == record.failure
    assert 1 == len(record.chain)


async def test_a_cut_anywhere_is_an_end_of_file(autojump_clock: MockClock) -> None:
    context = server_context("site.by")
    for size in (0, 1, 4, 5, 6, 90, 128, 400, 700):
        record, _ = await shake(cut_after(context, size))
        assert (Failure.EOF, size) == (record.failure, record.received)


class Undecided:
    """An SSL object for which nothing that comes is data."""

    def read(self, size: int) -> bytes:
        raise ssl.SSLWantReadError


async def test_records_without_data_do_not_go_on_for_ever(autojump_clock: MockClock) -> None:
    async def flood(stream: ServerEnd) -> None:
        while True:
            await stream.send_all(bytes(1000))

    async with fake_internet() as net:
        net.tcp[IP, 443] = flood
        stream = TLSStream(await net.connect_tcp(IP, 443), "site.by", ())
        stream._tls = Undecided()  # type: ignore[assignment]
        with pytest.raises(NetworkFailure, match="without data"):
            await stream.receive_some()


async def test_cancellation_from_outside_leaves_no_record(autojump_clock: MockClock) -> None:
    trace = Trace()
    async with fake_internet() as net:
        net.tcp[IP, 443] = silence
        transport = await net.connect_tcp(IP, 443)
        with trio.move_on_after(3):
            await tls_handshake(trace, transport, ip=IP, port=443, sni="site.by")
    assert [] == trace.records


async def test_the_client_sends_its_alert_when_it_gives_up(autojump_clock: MockClock) -> None:
    after: list[bytes] = []

    async def serve(stream: ServerEnd) -> None:
        await stream.receive_some()
        await stream.send_all(b"\x16\x03\x03\x00\x04\x63\x00\x00\x00")  # no such message
        after.append(await stream.receive_some())

    await shake(serve)
    assert [21] == [said[0] for said in after]


