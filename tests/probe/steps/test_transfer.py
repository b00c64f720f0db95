"""A timed download leaves one record that says how long each part took."""

from __future__ import annotations

import socket
import ssl
import struct
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from probe import tcpinfo
from probe.evidence import Transfer
from probe.failure import Failure
from probe.net import TrioNetwork
from probe.steps.transfer import MAX_SAMPLES, TIMEOUT, Progress, transfer
from probe.trace import Trace
from probe.wire.url import parse
from tests.certificates import authority
from tests.fakenet import Serve, ServerEnd, fake_internet, heard, response, says, silence, tls

IP = "93.184.216.34"
BODY = b"x" * 40_000


async def download(serve: Serve, url: str = "http://site.by/", **options: object) -> Transfer:
    trace = Trace()
    at = parse(url)
    sni = at.host if at.tls else None
    async with fake_internet() as net:
        net.tcp[IP, at.port] = serve
        record = await transfer(
            net, trace, at, what="accused", ip=IP, port=at.port, sni=sni,
            **options,  # type: ignore[arg-type]
        )
    assert [record] == trace.records
    return record


def slowly(head: float, piece: int, pause: float) -> Serve:
    """A server that thinks *head* seconds, then sends *piece* bytes every *pause* seconds."""

    async def serve(stream: ServerEnd) -> None:
        await heard(stream)
        await trio.sleep(head)
        whole = response(BODY)
        start = len(whole) - len(BODY)
        await stream.send_all(whole[:start])
        for at in range(start, len(whole), piece):
            await trio.sleep(pause)
            await stream.send_all(whole[at : at + piece])

    return serve


async def test_each_part_has_its_time(autojump_clock: MockClock) -> None:
    record = await download(slowly(0.7, 10_000, 0.5))
    assert (0.05, 0.0, 0.7, 2.0) == pytest.approx(
        (record.connect, record.handshake, record.wait, record.seconds)
    )
    assert (200, 40_000, True, None) == (
        record.status, record.received, record.whole, record.failure,
    )
    assert (0.5, 2.0) == pytest.approx((record.samples[0][0], record.samples[-1][0]))
    assert 40_000 == record.samples[-1][1]


async def test_no_more_is_read_than_was_asked_for(autojump_clock: MockClock) -> None:
    record = await download(slowly(0.0, 5_000, 0.1), limit=20_000)
    assert (20_000, False, None) == (record.received, record.whole, record.failure)


async def test_what_came_before_the_time_was_up_is_kept(autojump_clock: MockClock) -> None:
    record = await download(slowly(0.0, 1_000, 1.0))
    assert record.failure is Failure.TIMEOUT
    assert 10_000 < record.received < 16_000
    assert TIMEOUT == pytest.approx(record.t - record.t0)


async def test_a_silent_server_has_the_failure_of_a_silence(autojump_clock: MockClock) -> None:
    record = await download(silence)
    assert (Failure.TIMEOUT, 0, None) == (record.failure, record.received, record.status)


async def test_a_refused_connection_is_refused(autojump_clock: MockClock) -> None:
    trace = Trace()
    async with fake_internet() as net:
        record = await transfer(
            net, trace, parse("http://site.by/"), what="accused", ip=IP, port=80,
            sni=None,
        )  # fmt: skip
    assert Failure.CONNECTION_REFUSED == record.failure


async def test_a_reset_in_the_body_is_a_reset(autojump_clock: MockClock) -> None:
    record = await download(says(response(BODY)[:9_000], reset=True))
    assert Failure.CONNECTION_RESET == record.failure
    assert record.received > 8_000


async def test_what_is_no_http_is_a_failure_and_no_crash(autojump_clock: MockClock) -> None:
    record = await download(says(b"220 mail ESMTP\r\n\r\n", first=b"\r\n"))
    assert record.failure is not None
    assert record.status is None


async def test_over_tls_the_name_in_the_clear_may_be_left_out(autojump_clock: MockClock) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority("good").issue_cert("site.by").configure_cert(context)
    names: list[str | None] = []
    context.sni_callback = lambda sock, name, context: names.append(name)
    at = parse("https://site.by/")
    got: list[bytes] = []

    async def serve(stream: ServerEnd) -> None:
        got.append(await heard(stream))
        await stream.send_all(response(BODY))

    trace = Trace()
    async with fake_internet() as net:
        net.tcp[IP, 443] = tls(context, serve)
        for sni in ("site.by", None):
            await transfer(net, trace, at, what="accused", ip=IP, port=443, sni=sni)
    assert ["site.by", None] == names
    assert all(b"Host: site.by\r\n" in request for request in got)
    assert [None, None] == [e.failure for e in trace.records]


async def test_the_host_in_the_clear_may_be_another(autojump_clock: MockClock) -> None:
    got: list[bytes] = []

    async def serve(stream: ServerEnd) -> None:
        got.append(await heard(stream))
        await stream.send_all(response(BODY))

    record = await download(serve, host="www.example.org")
    assert b"Host: www.example.org\r\n" in got[0]
    assert "www.example.org" == record.host


async def test_samples_stay_few_however_many_pieces_come(autojump_clock: MockClock) -> None:
    progress = Progress()
    for _ in range(100_000):
        progress.note(1)
    assert len(progress.points) <= MAX_SAMPLES
    assert 100_000 == progress.facts()["received"]


async def test_the_kernel_is_asked_for_round_trip_and_losses() -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(response(BODY))

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        record = await transfer(
            TrioNetwork(), Trace(), parse("http://site.by/"), what="accused",
            ip="127.0.0.1", port=port, sni=None,
        )  # fmt: skip
        nursery.cancel_scope.cancel()
    assert record.whole
    assert record.rtt is not None and 0 < record.rtt < 5
    assert 0 == record.retransmits


def test_an_older_kernels_short_answer_tells_less() -> None:
    raw = bytearray(104)
    struct.pack_into("=I", raw, 68, 40_000)
    struct.pack_into("=I", raw, 100, 3)
    assert tcpinfo.TCPInfo(rtt=0.04, retransmits=3) == tcpinfo.read(bytes(raw))
    assert tcpinfo.TCPInfo() == tcpinfo.read(b"")


def test_nothing_is_known_of_what_is_no_tcp_socket() -> None:
    assert tcpinfo.TCPInfo() == tcpinfo.tcp_info(None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        assert tcpinfo.TCPInfo() == tcpinfo.tcp_info(udp)
