from __future__ import annotations

import errno
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from aioquic.quic.connection import QuicConnection
from trio.testing import MockClock

from lab import quic as censor
from probe.evidence import HTTPExchange, QUICHandshake
from probe.failure import Failure
from probe.steps.certificate import Verifier
from probe.steps.http import MAX_BODY
from probe.steps.quic import QUICConnection, available, http3_fetch, quic_handshake
from probe.trace import StepFailed, Trace
from probe.wire import quic as codec
from probe.wire.url import parse
from tests.certificates import cafile
from tests.fakenet import Resolver, fake_internet, os_error
from tests.probe.fakequic import QUICServer, replies

IP, NAME = "93.184.216.34", "site.by"
URL = parse(f"https://{NAME}/news")


@asynccontextmanager
async def connected(server: Resolver, trace: Trace) -> AsyncIterator[QUICConnection]:
    async with fake_internet() as net:
        net.quic[IP, 443] = server
        connection = await quic_handshake(
            net, trace, ip=IP, port=443, sni=NAME, url=URL.text, transaction=7
        )
        yield connection
        await connection.aclose()


async def shaken(server: Resolver, sni: str | None = NAME) -> QUICHandshake:
    """The one record of a handshake with *server*, however it ends."""
    trace = Trace()
    async with fake_internet() as net:
        net.quic[IP, 443] = server
        try:
            connection = await quic_handshake(net, trace, ip=IP, port=443, sni=sni)
            await connection.aclose()
        except StepFailed:
            pass
    (record,) = trace.records
    assert isinstance(record, QUICHandshake)
    return record


def test_it_is_installed_here() -> None:
    assert available()


async def test_a_handshake_is_one_record_with_its_chain(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    record = await shaken(QUICServer((NAME,)))
    assert (None, "h3", "1", None) == (
        record.failure, record.alpn, record.version, record.error_code,
    )
    assert (NAME, ("h3",), "TLS_AES_256_GCM_SHA384") == (
        record.sni, record.alpn_offered, record.cipher,
    )
    assert record.received >= 1200
    assert len(record.chain) == len(record.chain_sha256) >= 1
    verifier = Verifier(cafile(tmp_path))
    assert "failure" not in verifier.check(record.chain, NAME, at=time.time())
    assert "failure" in verifier.check(record.chain, "other.by", at=time.time())


async def test_a_bad_certificate_is_shown_and_not_judged(autojump_clock: MockClock) -> None:
    record = await shaken(QUICServer(("other.by",), signed_by="nobody"))
    assert record.failure is None and record.chain


async def test_without_a_name_none_is_sent(autojump_clock: MockClock) -> None:
    names = []

    def look(data: bytes) -> list[tuple[float, bytes]]:
        reader = censor.Reader()
        reader.take(data)
        names.append(reader.name)
        return []

    record = await shaken(look, sni=None)
    assert record.sni is None and set(names) == {""}


async def test_silence_is_a_timeout_after_five_seconds_and_five_datagrams(
    autojump_clock: MockClock,
) -> None:
    sent: list[bytes] = []

    def silent(data: bytes) -> list[tuple[float, bytes]]:
        sent.append(data)
        return []

    record = await shaken(silent)
    assert (Failure.TIMEOUT, 5.0, 0) == (record.failure, record.t, record.received)
    assert 4 <= len(sent) <= 12
    assert all(len(data) == 1250 for data in sent)


async def test_a_lost_datagram_is_sent_again(autojump_clock: MockClock) -> None:
    server = QUICServer((NAME,))
    lost = iter([True, True])

    def lossy(data: bytes) -> list[tuple[float, bytes | OSError]]:
        return [] if next(lost, False) else list(server(data))

    record = await shaken(lossy)
    assert record.failure is None
    assert 0.5 < record.t < 3.0


async def test_a_server_may_have_us_prove_our_address(autojump_clock: MockClock) -> None:
    server = QUICServer((NAME,), retries=True)
    record = await shaken(server)
    assert (None, 1) == (record.failure, len(server.connections))


async def test_a_negotiation_that_names_our_version_is_no_end(autojump_clock: MockClock) -> None:
    server = QUICServer((NAME,))

    def confused(data: bytes) -> list[tuple[float, bytes | OSError]]:
        forged = censor.version_negotiation(data, 1, 0xFF00001D)
        return [*([(0.001, forged)] if forged else []), *server(data)]

    assert (await shaken(confused)).failure is None


async def test_icmp_is_a_refusal_and_not_silence(autojump_clock: MockClock) -> None:
    record = await shaken(replies([os_error(errno.ECONNREFUSED)]))
    assert Failure.CONNECTION_REFUSED == record.failure
    assert record.t < 1.0
    record = await shaken(replies([os_error(errno.EHOSTUNREACH)]))
    assert Failure.HOST_UNREACHABLE == record.failure


def closing(code: int, reason: bytes = b"") -> Resolver:
    """Answers an Initial as a censor can who has read it."""

    def answer(data: bytes) -> list[tuple[float, bytes]]:
        reader = censor.Reader()
        reader.take(data)
        forged = censor.forged_close(data, reader.first, code, reason)
        assert forged is not None
        return [(0.01, forged)]

    return answer


async def test_a_close_is_no_silence_and_keeps_its_code(autojump_clock: MockClock) -> None:
    record = await shaken(closing(0x02, b"go away"))
    assert (Failure.EOF, 0x02, "go away") == (record.failure, record.error_code, record.reason)


async def test_an_alert_is_told_from_another_close(autojump_clock: MockClock) -> None:
    record = await shaken(closing(0x100 + 112))
    assert (Failure.TLS_FAILED_HANDSHAKE, 0x100 + 112) == (record.failure, record.error_code)
    assert "alert 112" in record.detail
    assert record.t < 1.5


async def test_a_server_without_our_protocol_sends_an_alert(autojump_clock: MockClock) -> None:
    record = await shaken(QUICServer((NAME,), alpn=("hq-interop",)))
    assert (Failure.TLS_FAILED_HANDSHAKE, 0x100 + 120) == (record.failure, record.error_code)


async def test_other_versions_on_offer_have_a_failure_of_their_own(
    autojump_clock: MockClock,
) -> None:
    def other(data: bytes) -> list[tuple[float, bytes]]:
        negotiation = censor.version_negotiation(data, 0xFF00001D)
        assert negotiation is not None
        return [(0.01, negotiation)]

    record = await shaken(other)
    assert Failure.QUIC_INCOMPATIBLE_VERSION == record.failure
    assert record.error_code is None


async def test_garbage_alone_is_silence(autojump_clock: MockClock) -> None:
    record = await shaken(replies([b"", b"\x00", b"\xff" * 1200, b"SIP/2.0 200 OK\r\n"]))
    assert Failure.TIMEOUT == record.failure
    assert record.received == 1 + 1200 + 16


async def test_an_answer_cut_short_is_not_the_end(autojump_clock: MockClock) -> None:
    server = QUICServer((NAME,))
    cut = iter([True])

    def short(data: bytes) -> list[tuple[float, bytes | OSError]]:
        answers = list(server(data))
        if next(cut, False):
            return [(t, what[:500]) for t, what in answers if isinstance(what, bytes)]
        return answers

    record = await shaken(short)
    # Either it came through in the end, or the time was up: never a crash, never a close.
    assert record.failure in (None, Failure.TIMEOUT)


async def test_a_flood_is_cut_off(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codec, "MAX_DATAGRAMS", 50)
    record = await shaken(replies([b"\x40" + bytes(60)] * 900))
    assert Failure.UNKNOWN == record.failure
    assert "no end" in record.detail
    assert record.received == 51 * 61


async def test_bytes_are_bounded(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codec, "MAX_RECEIVED", 10_000)
    record = await shaken(replies([bytes(1200)] * 50))
    assert Failure.UNKNOWN == record.failure
    assert 10_000 < record.received <= 11_200


async def test_what_is_no_host_name_is_no_bug_of_ours(autojump_clock: MockClock) -> None:
    record = await shaken(replies(), sni="пример.by")
    assert Failure.UNKNOWN == record.failure


async def test_cancellation_leaves_no_record_and_no_socket(autojump_clock: MockClock) -> None:
    trace = Trace()
    async with fake_internet() as net:
        with trio.move_on_after(1):
            await quic_handshake(net, trace, ip=IP, port=443, sni=NAME)
        (sock,) = net.sockets
        with pytest.raises(trio.ClosedResourceError):
            await sock.receive()
    assert [] == trace.records


# HTTP/3


async def fetched(server: QUICServer) -> HTTPExchange:
    trace = Trace()
    async with connected(server, trace) as connection:
        try:
            await http3_fetch(trace, connection, URL, ip=IP, port=443, transaction=7, cookies="a=b")
        except StepFailed:
            pass
    handshake, exchange = trace.records
    assert isinstance(handshake, QUICHandshake) and handshake.failure is None
    assert isinstance(exchange, HTTPExchange)
    assert handshake.transaction == exchange.transaction == 7
    return exchange


async def test_a_page_comes_over_http3(autojump_clock: MockClock) -> None:
    server = QUICServer((NAME,), headers=[(b":status", b"200"), (b"server", b"nginx")])
    exchange = await fetched(server)
    assert ("h3", 200, True, None) == (
        exchange.protocol, exchange.status, exchange.tls, exchange.failure,
    )
    assert ("Over QUIC", server.body, False) == (
        exchange.title, exchange.body, exchange.body_truncated,
    )
    assert (("server", "nginx"),) == exchange.headers
    (request,) = server.requests
    assert [
        (b":method", b"GET"), (b":authority", b"site.by"), (b":scheme", b"https"),
        (b":path", b"/news"),
    ] == request[:4]
    assert (b"cookie", b"a=b") in request
    assert not any(name == b"host" for name, _ in request)


async def test_a_redirect_over_http3_is_read(autojump_clock: MockClock) -> None:
    headers = [(b":status", b"302"), (b"location", b"/by/")]
    exchange = await fetched(QUICServer((NAME,), headers=headers, body=b""))
    assert ("https://site.by/by/", 302) == (exchange.location, exchange.status)


async def test_a_big_page_is_cut_at_the_bound(autojump_clock: MockClock) -> None:
    exchange = await fetched(QUICServer((NAME,), body=b"x" * (MAX_BODY + 100_000)))
    assert (MAX_BODY, True, None) == (
        exchange.body_length, exchange.body_truncated, exchange.failure,
    )


async def test_a_page_that_stops_is_kept_as_far_as_it_came(autojump_clock: MockClock) -> None:
    exchange = await fetched(QUICServer((NAME,), cut=10))
    assert (10, True, 200) == (exchange.body_length, exchange.body_truncated, exchange.status)
    assert "still coming" in exchange.detail


async def test_a_stream_that_is_reset_is_a_reset(autojump_clock: MockClock) -> None:
    def refuse(quic: QuicConnection) -> None:
        quic.reset_stream(0, 0x10B)

    class Refusing(QUICServer):
        def _respond(self, quic, h3, stream):  # type: ignore[no-untyped-def]
            refuse(quic)

    exchange = await fetched(Refusing((NAME,)))
    assert (Failure.CONNECTION_RESET, None) == (exchange.failure, exchange.status)


async def test_a_close_instead_of_a_page_is_an_end(autojump_clock: MockClock) -> None:
    class Closing(QUICServer):
        def _respond(self, quic, h3, stream):  # type: ignore[no-untyped-def]
            quic.close(0x102)

    exchange = await fetched(Closing((NAME,)))
    assert (Failure.EOF, None) == (exchange.failure, exchange.status)


async def test_no_answer_to_the_request_is_silence(autojump_clock: MockClock) -> None:
    class Mute(QUICServer):
        def _respond(self, quic, h3, stream):  # type: ignore[no-untyped-def]
            pass

    exchange = await fetched(Mute((NAME,)))
    assert (Failure.TIMEOUT, None) == (exchange.failure, exchange.status)
    assert 8.0 == round(exchange.t - exchange.t0, 1)


def test_without_aioquic_nothing_breaks_and_nothing_is_tried() -> None:
    # What an installation without the extra sees. dnspython, too, looks for aioquic.
    code = (
        "import sys, dns._features\n"
        "dns._features._cache['doq'] = False\n"
        "sys.modules['aioquic'] = None\n"
        "import probe.session, probe.ladder.rungs.quic, probe.steps.quic\n"
        "assert not probe.steps.quic.available()\n"
        "assert not any(name.startswith('aioquic.') for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
