"""Whatever a control does, the client ends with one query record, and never with an exception."""

from __future__ import annotations

import gc
import gzip
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import msgspec
import pytest
import trio
import trustme

from probe.control import client as client_module
from probe.control.client import ControlClient
from probe.control.protocol import MAX_ANSWER, Control
from probe.evidence import CertificateCheck, ControlQuery, DNSExchange, HTTPExchange, TLSHandshake
from probe.failure import Failure
from probe.trace import Trace
from tests.control.stage import (
    ADDRESS,
    OTHER,
    URL,
    FakeVisit,
    Handler,
    control_server,
    controls,
    findings,
    http,
    queries,
    request,
    saying,
    stranger,
)


async def asked(url: str, *, timeout: float = 60, **options: object) -> tuple[ControlQuery, Trace]:
    """One question to the control at *url*: its query record, and the trace."""
    trace = Trace()
    async with ControlClient(controls(url), timeout=timeout, **options) as client:  # type: ignore[arg-type]
        await client.ask(trace, URL, depth=0, addresses=[])
    (query,) = queries(trace)
    return query, trace


async def asked_of(handler: Handler, *, timeout: float = 60) -> ControlQuery:
    async with stranger(handler) as url:
        query, trace = await asked(url, timeout=timeout)
    assert [] == findings(trace)
    return query


async def test_each_answer_becomes_evidence_of_the_control_that_gave_it() -> None:
    visit = FakeVisit()
    async with control_server(visit) as (one, _), control_server() as (two, _):
        trace = Trace()
        async with ControlClient(controls(one, two)) as client:
            await client.ask(trace, URL, depth=2, addresses=[ADDRESS, OTHER])
    assert [[ADDRESS, OTHER]] == visit.told
    assert {"control-1", "control-2"} == {query.control for query in queries(trace)}
    assert all(query.failure is None and query.status == 200 for query in queries(trace))
    assert {"probe"} == {query.vantage for query in queries(trace)}
    for name in ("control-1", "control-2"):
        mine = [record for record in findings(trace) if record.vantage == name]
        assert {2} == {record.depth for record in mine}
        kinds = [type(record) for record in mine]
        assert 1 == kinds.count(HTTPExchange) and 2 == kinds.count(TLSHandshake)
    transactions = {
        name: {r.transaction for r in findings(trace) if r.vantage == name}
        for name in ("control-1", "control-2")
    }
    assert not transactions["control-1"] & transactions["control-2"] - {0}


async def test_pages_certificates_and_messages_stay_behind_and_digests_come() -> None:
    async with control_server() as (url, _):
        _, trace = await asked(url)
    (page,) = [r for r in findings(trace) if isinstance(r, HTTPExchange)]
    (handshake,) = [r for r in findings(trace) if isinstance(r, TLSHandshake)]
    (exchange,) = [r for r in findings(trace) if isinstance(r, DNSExchange)]
    assert page.body is None and page.body_length == 5
    assert handshake.chain == () and [64, 64] == [len(d) for d in handshake.chain_sha256]
    assert b"" == exchange.answers[0].raw


async def test_the_control_cannot_choose_its_own_vantage() -> None:
    async def lie(trace: Trace, url: str) -> None:
        trace.records.append(
            HTTPExchange(vantage="probe", url=url, ip=ADDRESS, port=443, status=451)
        )

    async with control_server(FakeVisit(lie)) as (url, _):
        _, trace = await asked(url)
    assert ["control-1"] == [record.vantage for record in findings(trace)]


async def test_refusal_is_recorded_as_refusal() -> None:
    query, trace = await asked("http://127.0.0.1:1/")
    assert Failure.CONNECTION_REFUSED == query.failure
    assert [] == findings(trace)


async def test_unknown_name_of_a_control_is_a_dns_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    query, _ = await asked("http://control.invalid/")
    assert Failure.DNS_NXDOMAIN == query.failure


async def test_silence_ends_at_our_deadline() -> None:
    async def silent(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    query = await asked_of(silent, timeout=0.3)
    assert Failure.TIMEOUT == query.failure


async def test_a_drip_ends_at_our_deadline() -> None:
    async def drip(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while True:
            await stream.send_all(b" ")
            await trio.sleep(0.02)

    query = await asked_of(drip, timeout=0.3)
    assert Failure.TIMEOUT == query.failure


async def test_close_without_a_word_is_eof_and_is_tried_twice() -> None:
    came = 0

    async def close(stream: trio.SocketStream) -> None:
        nonlocal came
        came += 1
        await saying(b"")(stream)

    query = await asked_of(close)
    assert Failure.EOF == query.failure
    assert 2 == came


async def test_reset_is_recorded_as_reset() -> None:
    async def reset(stream: trio.SocketStream) -> None:
        await request(stream)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        stream.socket.close()

    query = await asked_of(reset)
    assert Failure.CONNECTION_RESET == query.failure


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>blocked</html>",
        b"null",
        b"[]",
        b"{}",
        b'{"tcp_connect": {}, "http_request": {}, "dns": {"addrs": ["192.168.1.1 or so"]}}',
        b'{"tcp_connect": {"nonsense": {}}, "http_request": {}, "dns": {}}',
        b'{"tcp_connect": {}, "http_request": {}, "dns": {}, "x_zond": {"evidence": {}}}',
        b'{"tcp_connect": {}, "http_request": {}, "dns": {}, "x_zond": {"evidence": [{}]}}',
        b"[" * 100_000,
        b'{"dns":' * 100_000,
        b"\xff\xfe\x00",
    ],
    ids=lambda body: body[:40].decode("latin-1") or "empty",
)
async def test_rubbish_is_a_query_that_failed(body: bytes) -> None:
    query = await asked_of(saying(http(body)))
    assert Failure.JSON_PARSE == query.failure
    assert 200 == query.status
    assert query.detail


async def test_what_is_no_http_is_a_query_that_failed() -> None:
    query = await asked_of(saying(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"))
    assert Failure.UNKNOWN == query.failure
    assert "RemoteProtocolError" in query.detail


async def test_an_endless_answer_is_cut_off() -> None:
    async def endless(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await stream.send_all(b" " * 65536)

    query = await asked_of(endless)
    assert Failure.MESSAGE_SIZE == query.failure


async def test_a_compressed_bomb_is_cut_off() -> None:
    bomb = gzip.compress(b" " * (50 * MAX_ANSWER))
    assert len(bomb) < MAX_ANSWER // 10
    query = await asked_of(saying(http(bomb, headers="content-encoding: gzip\r\n")))
    assert Failure.MESSAGE_SIZE == query.failure


@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, gzip"])
async def test_a_broken_encoding_is_a_query_that_failed(encoding: str) -> None:
    reply = http(b"\x1f\x8bno", headers=f"content-encoding: {encoding}\r\n")
    query = await asked_of(saying(reply))
    assert Failure.JSON_PARSE == query.failure


@pytest.mark.parametrize(
    "location", ["http://82.209.230.23/", "http://[::", "//", "javascript:1", "http://\xff/", ""]
)
async def test_a_redirect_is_recorded_and_not_followed(location: str) -> None:
    reply = http(b"", "302 Found", f"location: {location}\r\n")
    query = await asked_of(saying(reply))
    assert Failure.UNKNOWN == query.failure
    if location == "http://82.209.230.23/":
        assert "status 302, redirects to http://82.209.230.23/" == query.detail
        assert 302 == query.status


@pytest.mark.parametrize("status", ["400 Bad Request", "404 Not Found", "500 Oops"])
async def test_an_error_status_is_a_query_that_failed(status: str) -> None:
    query = await asked_of(saying(http(b'{"error": "no"}', status)))
    assert Failure.UNKNOWN == query.failure
    assert int(status[:3]) == query.status


async def test_a_busy_control_is_asked_again_as_it_says() -> None:
    visit = FakeVisit()
    refusals = 2

    async with control_server(visit) as (real, _):

        async def busy_at_first(stream: trio.SocketStream) -> None:
            nonlocal refusals
            if refusals:
                refusals -= 1
                reply = http(b"", "503 Busy", "retry-after: 0\r\nconnection: close\r\n")
                await saying(reply)(stream)
                return
            port = httpx2.URL(real).port
            assert port is not None
            upstream = await trio.open_tcp_stream("127.0.0.1", port)
            async with upstream, trio.open_nursery() as nursery:
                nursery.start_soon(_pump, stream, upstream)
                await _pump(upstream, stream)
                nursery.cancel_scope.cancel()

        async with stranger(busy_at_first) as url:
            query, trace = await asked(url)
    assert query.failure is None
    assert 0 == refusals
    assert findings(trace)


async def _pump(source: trio.SocketStream, sink: trio.SocketStream) -> None:
    async for chunk in source:
        await sink.send_all(chunk)


async def test_an_always_busy_control_is_left_alone_after_some_tries() -> None:
    came = 0

    async def busy(stream: trio.SocketStream) -> None:
        nonlocal came
        came += 1
        await saying(http(b"", "429 No", "retry-after: 0\r\nconnection: close\r\n"))(stream)

    query = await asked_of(busy)
    assert 429 == query.status
    assert Failure.UNKNOWN == query.failure
    assert client_module.TRIES == came


async def test_a_control_that_wants_to_be_left_alone_for_long_is() -> None:
    came = 0

    async def busy(stream: trio.SocketStream) -> None:
        nonlocal came
        came += 1
        await saying(http(b"", "429 No", "retry-after: 600\r\nconnection: close\r\n"))(stream)

    query = await asked_of(busy)
    assert 429 == query.status
    assert 1 == came


async def test_an_old_answer_is_recorded_and_not_used() -> None:
    answer = {
        "tcp_connect": {},
        "http_request": {},
        "dns": {},
        "x_zond": {"age": 7200.0, "time": 5.0, "evidence": [{"kind": "tcp", "ip": ADDRESS}]},
    }
    query = await asked_of(saying(http(json.dumps(answer).encode())))
    assert 7200.0 == query.age
    assert 5.0 == query.server_time
    assert "the answer is 7200 s old" == query.detail


async def test_a_silent_control_is_spared_after_three_silences_and_then_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_module, "REST", 2.0)
    came = 0

    async def silent(stream: trio.SocketStream) -> None:
        nonlocal came
        came += 1
        await trio.sleep_forever()

    async with stranger(silent) as url:
        async with ControlClient(controls(url), timeout=0.5) as client:
            trace = Trace()
            for _ in range(6):
                await client.ask(trace, URL, depth=0, addresses=[])
            assert 3 == came
            assert [Failure.TIMEOUT] * 6 == [query.failure for query in queries(trace)]
            assert queries(trace)[-1].detail.startswith("spared")
            await trio.sleep(2.0)
            await client.ask(trace, URL, depth=0, addresses=[])
            assert 4 == came


async def test_no_cookie_is_kept() -> None:
    heads: list[bytes] = []

    async def handler(stream: trio.SocketStream) -> None:
        heads.append(await request(stream))
        reply = http(b"{}", headers="set-cookie: who=you; path=/\r\nconnection: close\r\n")
        await stream.send_all(reply)

    async with stranger(handler) as url, ControlClient(controls(url)) as client:
        for _ in range(2):
            await client.ask(Trace(), URL, depth=0, addresses=[])
    assert 2 == len(heads)
    assert not any(b"cookie:" in head.lower() for head in heads)


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    async with control_server() as (url, _):
        query, _ = await asked(url)
    assert query.failure is None
    assert "direct" == query.via


# httpcore2 2.16 leaves the socket of a failed SOCKS greeting to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("scheme", ["socks5h", "socks5", "http"])
@pytest.mark.parametrize("words", [b"", b"\x05\xff", b"\x05\x00\x05\x01", b"rubbish", b"\x04"])
async def test_a_proxy_that_talks_rubbish_is_a_query_that_failed(scheme: str, words: bytes) -> None:
    async def rubbish(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(words)
        await stream.receive_some()

    async with control_server() as (url, _), stranger(rubbish) as proxy:
        port = httpx2.URL(proxy).port
        query, trace = await asked(url, timeout=0.5, proxy=f"{scheme}://127.0.0.1:{port}")
    gc.collect()
    assert query.failure is not None
    assert "proxy" == query.via
    assert [] == findings(trace)


async def test_an_answer_comes_through_a_socks_proxy() -> None:
    hosts: list[bytes] = []

    async with control_server() as (url, _):
        port = httpx2.URL(url).port
        assert port is not None

        async def socks(stream: trio.SocketStream) -> None:
            await stream.receive_some()
            await stream.send_all(b"\x05\x00")
            hosts.append(bytes(await stream.receive_some()))
            await stream.send_all(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
            upstream = await trio.open_tcp_stream("127.0.0.1", port)
            async with upstream, trio.open_nursery() as nursery:
                nursery.start_soon(_pump, stream, upstream)
                await _pump(upstream, stream)
                nursery.cancel_scope.cancel()

        async with stranger(socks) as proxy:
            way = f"socks5h://127.0.0.1:{httpx2.URL(proxy).port}"
            there = f"http://control.invalid:{port}/"
            query, trace = await asked(there, proxy=way)
            async with ControlClient(controls(there), proxy=way) as client:
                (introduction,) = await client.introduce()
    assert query.failure is None
    assert "proxy" == query.via
    assert findings(trace)
    assert b"control.invalid" in hosts[0]  # the proxy resolves the name, this machine does not
    assert () == introduction.client_addresses  # it would be the proxy's


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.mark.parametrize(
    ("name", "trusted", "failure"),
    [
        ("127.0.0.1", True, None),
        ("127.0.0.1", False, Failure.TLS_UNKNOWN_AUTHORITY),
        ("other.example", True, Failure.TLS_INVALID_HOSTNAME),
    ],
)
async def test_a_forged_control_is_told_by_its_certificate(
    name: str,
    trusted: bool,
    failure: Failure | None,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    roots = tmp_path / "roots.pem"
    (authority if trusted else trustme.CA()).cert_pem.write_to_path(roots)
    monkeypatch.setenv("SSL_CERT_FILE", str(roots))
    certificate = authority.issue_cert(name)
    async with control_server(certificate=certificate, folder=tmp_path) as (url, _):
        query, _ = await asked(url)
    assert failure == query.failure


OONI_ANSWER = {
    "tcp_connect": {
        f"{ADDRESS}:443": {"status": True, "failure": None},
        "[2606:2800:220:1::1]:443": {"status": False, "failure": "connection_refused_error"},
    },
    "tls_handshake": {
        f"{ADDRESS}:443": {"server_name": "news.example", "status": True, "failure": None},
        f"{OTHER}:443": {
            "server_name": "news.example",
            "status": False,
            "failure": "ssl_unknown_authority",
        },
    },
    "quic_handshake": {},
    "http_request": {
        "body_length": 1533,
        "discovered_h3_endpoint": "",
        "failure": None,
        "title": "News",
        "headers": {"Content-Type": "text/html"},
        "status_code": 200,
    },
    "http3_request": None,
    "dns": {"failure": None, "addrs": [ADDRESS]},
    "ip_info": {ADDRESS: {"asn": 15133, "flags": 10}},
}


async def test_an_ooni_helper_is_understood() -> None:
    reply = http(
        json.dumps(OONI_ANSWER).encode(), headers="date: Sun, 22 Nov 2026 06:00:00 GMT\r\n"
    )
    async with stranger(saying(reply)) as url:
        query, trace = await asked(url)
    assert query.failure is None
    assert "ooni" == query.software
    assert 1795327200.0 == query.server_time
    (exchange,) = [r for r in findings(trace) if isinstance(r, DNSExchange)]
    assert (ADDRESS,) == exchange.answers[0].addresses
    (page,) = [r for r in findings(trace) if isinstance(r, HTTPExchange)]
    assert (200, 1533, "News") == (page.status, page.body_length, page.title)
    checks = {r.ip: r.failure for r in findings(trace) if isinstance(r, CertificateCheck)}
    assert {ADDRESS: None, OTHER: Failure.TLS_UNKNOWN_AUTHORITY} == checks
    assert {"control-1"} == {record.vantage for record in findings(trace)}
    assert {URL} == {record.url for record in findings(trace)}


async def test_controls_introduce_themselves() -> None:
    hello = http(
        b'{"message": "Hello OONItarian!"}', headers="date: Sun, 22 Nov 2026 06:00:00 GMT\r\n"
    )
    async with control_server() as (ours, _), stranger(saying(hello)) as theirs:
        async with ControlClient(controls(ours, theirs, "http://127.0.0.1:1/")) as client:
            zond, ooni, dead = await client.introduce()
    assert zond.failure is None
    assert ("127.0.0.1",) == zond.client_addresses
    assert zond.clock_offset is not None and abs(zond.clock_offset) < 60
    assert zond.software.startswith("zond ")
    assert (None, "ooni", 1795327200.0) == (ooni.failure, ooni.software, ooni.server_time)
    assert () == ooni.client_addresses
    assert Failure.CONNECTION_REFUSED == dead.failure


async def test_a_bug_of_ours_is_not_a_failure_of_the_control() -> None:
    async def broken(_: httpx2.Request) -> httpx2.Response:
        raise TypeError("a bug")

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(broken))
    with pytest.raises(ExceptionGroup) as caught:
        async with ControlClient(controls("http://control.example/"), http=http) as client:
            await client.ask(Trace(), URL, depth=0, addresses=[])
    assert caught.group_contains(TypeError)


async def test_the_twin_costs_one_question_to_ours_and_two_to_a_helper() -> None:
    questions: list[dict[str, object]] = []

    async def answer(request: httpx2.Request) -> httpx2.Response:
        question = msgspec.json.decode(request.content)
        questions.append(question)
        body: dict[str, object] = dict(OONI_ANSWER)
        if request.url.host == "ours.example":
            body["x_zond"] = {"software": "zond", "time": 1.0, "evidence": []}

        async def unread() -> AsyncIterator[bytes]:
            yield msgspec.json.encode(body)

        return httpx2.Response(200, content=unread())

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    controls = (Control("ours", "https://ours.example/"), Control("ooni", "https://th.example/"))
    trace = Trace()
    async with client, ControlClient(controls, http=client) as asking:
        await asking.ask(
            trace, "https://site.example/", depth=0, addresses=(),
            twin="http://site.example/",
        )  # fmt: skip
    asked = sorted((str(q["http_request"]), q["x_zond"]["twin"]) for q in questions)  # type: ignore[index]
    assert asked == [
        ("http://site.example/", False),
        ("https://site.example/", True),
        ("https://site.example/", True),
    ]
