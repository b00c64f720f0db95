"""A control answers what it should, refuses the rest with a reason, and cannot be held up."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import httpx2
import pytest
import trio
import trustme

from probe.control.client import ControlClient
from probe.control.limits import Limits
from probe.control.server import ServerExtrasMissing, serve
from probe.serving.clients import Clients, Uses
from probe.serving.listen import Listener, ListenError, client_address
from probe.trace import Trace
from tests.control.stage import (
    ADDRESS,
    OTHER,
    URL,
    FakeVisit,
    control_server,
    controls,
    good_site,
    patient,
    queries,
    until,
)

# Real connections need real time; it is kept short, and no test states an upper bound
# that a busy machine could miss.


def question(url: str = URL, *, told: Sequence[str] = (), zond: bool = True) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "http_request": url,
        "http_request_headers": {},
        "tcp_connect": [f"{ip}:443" for ip in told],
        "x_quic_enabled": False,
    }
    return asked | ({"x_zond": {"version": 1}} if zond else {})


async def test_an_ooni_probe_gets_oonis_fields_and_no_others() -> None:
    async with control_server() as (url, _), patient() as http:
        reply = await http.post(url, json=question(told=[OTHER], zond=False))
    assert 200 == reply.status_code
    assert "application/json" == reply.headers["content-type"]
    answer = reply.json()
    assert {
        "tcp_connect", "tls_handshake", "quic_handshake", "http_request", "http3_request", "dns",
        "ip_info",
    } == set(answer)  # fmt: skip
    assert {f"{ADDRESS}:443", f"{OTHER}:443"} == set(answer["tcp_connect"])
    assert {"status", "failure"} == set(answer["tcp_connect"][f"{ADDRESS}:443"])
    assert {"server_name", "status", "failure"} == set(answer["tls_handshake"][f"{ADDRESS}:443"])
    assert {
        "body_length", "discovered_h3_endpoint", "failure", "title", "headers", "status_code",
    } == set(answer["http_request"])  # fmt: skip
    assert {"failure", "addrs"} == set(answer["dns"])
    assert {"asn": 64496, "flags": 10} == answer["ip_info"][ADDRESS]


async def test_a_zond_probe_gets_our_evidence_too() -> None:
    async with control_server() as (url, _), patient() as http:
        extra = (await http.post(url, json=question())).json()["x_zond"]
    assert "127.0.0.1" == extra["client_address"]
    assert extra["complete"]
    assert 0 <= extra["age"] < 60
    assert {"dns", "tcp", "tls", "certificate", "http"} == {r["kind"] for r in extra["evidence"]}


async def test_get_says_that_it_lives() -> None:
    async with control_server() as (url, _), patient() as http:
        said = (await http.get(url)).json()
    assert said["message"]
    assert "127.0.0.1" == said["x_zond"]["client_address"]


async def test_the_second_answer_says_how_old_it_is() -> None:
    visit = FakeVisit()
    async with control_server(visit) as (url, _):
        trace = Trace()
        async with ControlClient(controls(url)) as client:
            await client.ask(trace, URL, depth=0, addresses=[])
            await trio.sleep(0.2)
            await client.ask(trace, URL, depth=0, addresses=[])
    assert [URL] == visit.urls
    first, second = queries(trace)
    assert first.age < second.age
    assert second.age >= 0.2


async def test_addresses_told_are_public_distinct_and_bounded() -> None:
    visit = FakeVisit()
    told = [f"93.184.216.{n}" for n in range(1, 40)]
    async with control_server(visit, addresses=5) as (url, _), patient() as http:
        asked = question(told=["127.0.0.1", "10.0.0.1", told[0], *told])
        await http.post(url, json=asked)
    assert [told[:5]] == visit.told


@pytest.mark.parametrize(
    ("content", "status", "word"),
    [
        (b"", 400, "not a question"),
        (b"nonsense", 400, "not a question"),
        (b"[" * 50_000, 400, "not a question"),
        (json.dumps(question("http://127.0.0.1/")).encode(), 400, "not public"),
        (json.dumps(question("http://[::1]/")).encode(), 400, "not public"),
        (json.dumps(question("ftp://news.example/")).encode(), 400, "scheme"),
        (json.dumps(question() | {"tcp_connect": ["localhost:80"]}).encode(), 400, "IP address"),
        (b" " * 70_000, 413, "longer"),
    ],
)
async def test_a_bad_question_gets_a_reason(content: bytes, status: int, word: str) -> None:
    visit = FakeVisit()
    async with control_server(visit) as (url, _), patient() as http:
        reply = await http.post(url, content=content)
    assert status == reply.status_code
    assert word in reply.json()["error"]
    assert [] == visit.urls


async def test_an_endless_body_is_cut_off() -> None:
    async def endless() -> Any:
        while True:
            yield b" " * 4096

    async with control_server() as (url, _), patient() as http:
        reply = await http.post(url, content=endless())
    assert 413 == reply.status_code


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("PUT", "", 405), ("DELETE", "", 405), ("GET", "metrics", 404), ("POST", "../etc", 404)],
)
async def test_other_requests_get_an_error_in_json(method: str, path: str, status: int) -> None:
    async with control_server() as (url, _), patient() as http:
        reply = await http.request(method, url + path)
    assert status == reply.status_code
    assert reply.json()["error"]


async def test_a_visit_that_takes_too_long_answers_with_what_it_has() -> None:
    async def endless(trace: Trace, url: str) -> None:
        trace.records.extend(good_site(url)[:2])
        await trio.sleep_forever()

    visit = FakeVisit(endless)
    async with control_server(visit, visit_seconds=0.2) as (url, _), patient() as http:
        extra = (await http.post(url, json=question())).json()["x_zond"]
        await http.post(url, json=question())
    assert not extra["complete"]
    assert 2 == len(extra["evidence"])
    assert 2 == len(visit.urls)  # and it is not kept


async def test_who_finds_no_place_waits_for_one_and_is_told_when_to_come_back() -> None:
    release = trio.Event()

    async def wait(trace: Trace, url: str) -> None:
        await release.wait()

    visit = FakeVisit(wait)
    statuses: list[int] = []
    limits: dict[str, Any] = {"in_flight": 4, "waiting_seconds": 1.0}

    async with control_server(visit, **limits) as (url, _), patient() as http:

        async def ask(number: int) -> None:
            reply = await http.post(url, json=question(f"https://site{number}.example/"))
            statuses.append(reply.status_code)

        async with trio.open_nursery() as nursery:
            for number in range(2):  # of four: one client leaves as many as it takes
                nursery.start_soon(ask, number)
            await until(lambda: len(visit.urls) == 2)
            refused = await http.post(url, json=question("https://other.example/"))
            nursery.start_soon(ask, 3)
            release.set()
    assert 503 == refused.status_code
    assert int(refused.headers["retry-after"]) > 0
    assert "busy" == refused.json()["error"]
    assert [200] * 3 == statuses
    assert 3 == len(visit.urls)


async def test_one_client_cannot_take_all_the_room() -> None:
    release = trio.Event()

    async def wait(trace: Trace, url: str) -> None:
        await release.wait()

    visit = FakeVisit(wait)
    async with control_server(visit, in_flight_per_client=2) as (url, _), patient() as http:
        async with trio.open_nursery() as nursery:
            for number in range(2):
                asked = question(f"https://site{number}.example/")
                nursery.start_soon(partial(http.post, url, json=asked))
            await until(lambda: len(visit.urls) == 2)
            refused = await http.post(url, json=question("https://other.example/"))
            release.set()
    assert 429 == refused.status_code
    assert int(refused.headers["retry-after"]) > 0


async def test_who_asks_too_often_is_told_to_wait() -> None:
    async with control_server(questions_per_client=3) as (url, _), patient() as http:
        statuses = [(await http.post(url, json=question())).status_code for _ in range(5)]
    assert [200, 200, 200, 429, 429] == statuses


async def test_one_host_is_not_visited_without_end() -> None:
    visit = FakeVisit()
    limits: dict[str, Any] = {"visits_per_host": Uses(all=2, each=2, always=0)}
    async with control_server(visit, **limits) as (url, _), patient() as http:
        statuses = [
            (await http.post(url, json=question(f"{URL}{n}"))).status_code for n in range(4)
        ]
    assert [200, 200, 429, 429] == statuses
    assert 2 == len(visit.urls)


async def test_nothing_is_logged_of_who_asked_what(caplog: pytest.LogCaptureFixture) -> None:
    async def bug(trace: Trace, url: str) -> None:
        raise ValueError(f"a bug while visiting {url}")

    async with control_server() as (good, _), control_server(FakeVisit(bug)) as (bad, _):
        with caplog.at_level(logging.DEBUG):
            logging.getLogger("httpx2").setLevel(logging.WARNING)  # the client's own
            logging.getLogger("httpcore2").setLevel(logging.WARNING)
            async with patient() as http:
                assert 200 == (await http.post(good, json=question())).status_code
                assert 400 == (await http.post(good, json=question("http://u@x/"))).status_code
                reply = await http.post(bad, json=question())
    assert (500, {"error": "internal error"}) == (reply.status_code, reply.json())
    assert "ValueError at" in caplog.text  # a bug is loud, and says where it is
    assert "news.example" not in caplog.text
    assert "127.0.0.1" not in caplog.text


async def test_stalled_clients_are_gone() -> None:
    stalled = (
        b"",
        b"POST / HTTP/1.1\r\nhost: x\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    )
    limits: dict[str, Any] = {
        "head_seconds": 1.0, "body_seconds": 1.0, "connections_per_client": 1000,
        "in_flight": 2000, "in_flight_per_client": 1000,
    }  # fmt: skip
    async with control_server(**limits) as (url, listener):
        port = httpx2.URL(url).port
        assert port is not None
        async with trio.open_nursery() as nursery:
            streams = []
            for number in range(400):  # two files each, of the 1024 that a process may have
                stream = await trio.open_tcp_stream("127.0.0.1", port)
                streams.append(stream)
                await stream.send_all(stalled[number % len(stalled)])
            await until(lambda: not listener.connections)
            nursery.cancel_scope.cancel()
        for stream in streams:
            await trio.aclose_forcefully(stream)
        async with patient() as http:
            assert 200 == (await http.get(url)).status_code


async def test_a_dripping_body_is_cut_off() -> None:
    async with control_server(body_seconds=0.3) as (url, _):
        port = httpx2.URL(url).port
        assert port is not None
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        async with stream:
            await stream.send_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n")
            answer = b""
            while b"}" not in answer:
                with suppress(trio.BrokenResourceError):  # it has closed; what it said is there
                    await stream.send_all(b" ")
                with trio.move_on_after(0.02):
                    piece = await stream.receive_some()
                    assert piece, answer
                    answer += piece
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_client_that_does_not_read_is_gone() -> None:
    async def long(trace: Trace, url: str) -> None:
        for _ in range(300):
            trace.records.extend(good_site(url))

    limits: dict[str, Any] = {"connection_seconds": 1.0, "answer_bytes": 10**7}
    async with control_server(FakeVisit(long), **limits) as (url, listener):
        port = httpx2.URL(url).port
        assert port is not None
        sock = trio.socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await sock.connect(("127.0.0.1", port))
        async with trio.SocketStream(sock) as stream:
            body = json.dumps(question()).encode()
            head = f"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
            await stream.send_all((head + body) * 50)  # so that the answers fill every buffer
            await until(lambda: not listener.connections)


async def test_clients_who_come_and_go_leave_their_place_at_once() -> None:
    """hypercorn alone keeps a connection, whose client was gone before it noticed that the
    answer was complete, for the idle time."""
    async with control_server(head_seconds=300.0) as (url, listener):
        port = httpx2.URL(url).port
        assert port is not None

        def come_and_go() -> None:  # in a thread, to be gone before the server's next step
            for _ in range(100):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
                connection.request("GET", "/")
                assert connection.getresponse().read()
                connection.close()

        await trio.to_thread.run_sync(come_and_go)
        await until(lambda: not listener.connections)


async def test_who_stops_sending_after_the_question_is_answered_all_the_same() -> None:
    async with control_server(head_seconds=300.0) as (url, listener):
        port = httpx2.URL(url).port
        assert port is not None
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(b"GET / HTTP/1.1\r\nHost: control\r\n\r\n")
            await stream.send_eof()
            answer = b"".join([part async for part in stream])
        assert answer.startswith(b"HTTP/1.1 200")
        await until(lambda: not listener.connections)


async def test_too_many_connections_of_one_client_are_closed() -> None:
    async with control_server(connections_per_client=3) as (url, listener):
        port = httpx2.URL(url).port
        assert port is not None
        streams = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(3)]
        await until(lambda: listener.connections == 3)
        async with await trio.open_tcp_stream("127.0.0.1", port) as fourth:
            assert b"" == await fourth.receive_some()
        for stream in streams:
            await trio.aclose_forcefully(stream)


def speak_h2(frames: Any) -> bytes:
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    connection.initiate_connection()
    frames(connection)
    return connection.data_to_send()


HEAD = [(":method", "POST"), (":path", "/"), (":scheme", "http"), (":authority", "x")]


def path_not_ascii(connection: h2.connection.H2Connection) -> None:
    connection.send_headers(1, [*HEAD[:1], (":path", "/\xff"), *HEAD[2:]], end_stream=True)


def many_streams(connection: h2.connection.H2Connection) -> None:
    for stream in range(1, 199, 2):
        connection.send_headers(stream, HEAD)
        connection.reset_stream(stream)


@pytest.mark.parametrize(
    "words",
    [
        speak_h2(path_not_ascii),
        speak_h2(many_streams),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 100,
        b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 100_000,
        b"\x16\x03\x01\x00\x05hello",
        b"\0" * 100,
    ],
    ids=["path", "streams", "frames", "websocket", "target", "head", "tls", "zeros"],
)
async def test_no_connection_can_end_the_server(words: bytes) -> None:
    async with control_server(head_seconds=0.5) as (url, listener):
        port = httpx2.URL(url).port
        assert port is not None
        for _ in range(3):
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                try:
                    await stream.send_all(words)
                    with trio.move_on_after(0.1):
                        while await stream.receive_some():
                            pass
                    await stream.send_all(words)
                except trio.BrokenResourceError:
                    continue  # it has been closed, as it should
        async with patient() as http:
            assert 200 == (await http.get(url)).status_code
        await until(lambda: listener.connections <= 1)


def upgrade_to_h2c() -> bytes:
    settings = "AAMAAABkAAQAoAAAAAIAAAAA"  # RFC 7540, 3.2.1
    return (
        "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings\r\n"
        f"upgrade: h2c\r\nhttp2-settings: {settings}\r\n\r\n"
    ).encode()


@pytest.mark.parametrize(
    ("words", "answer"),
    [(speak_h2(many_streams), b"HTTP/1.1 4"), (upgrade_to_h2c(), b"HTTP/1.1 200 ")],
    ids=["assumed", "proposed"],
)
async def test_nobody_is_answered_in_http2(words: bytes, answer: bytes) -> None:
    async with control_server(head_seconds=0.5) as (url, _):
        port = httpx2.URL(url).port
        assert port is not None
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(words)
            got = b""
            with suppress(trio.BrokenResourceError):  # what came after the answer was not read
                while more := await stream.receive_some():
                    got += more
    assert got.startswith(answer)
    assert b"h2c" not in got and b"HTTP/2" not in got


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.mark.parametrize("http2", [False, True])
async def test_it_answers_in_http11_whatever_else_a_client_offers(
    http2: bool, authority: trustme.CA, tmp_path: Path
) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    certificate = authority.issue_cert("127.0.0.1")
    async with control_server(certificate=certificate, folder=tmp_path) as (url, _):
        async with httpx2.AsyncClient(verify=context, http2=http2, timeout=60) as http:
            reply = await http.post(url, json=question())
    assert (200, "HTTP/1.1") == (reply.status_code, reply.http_version)


async def test_what_is_no_tls_cannot_end_the_server(authority: trustme.CA, tmp_path: Path) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    certificate = authority.issue_cert("127.0.0.1")
    async with control_server(certificate=certificate, folder=tmp_path) as (url, _):
        port = httpx2.URL(url).port
        assert port is not None
        for words in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b""):
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(words)
        async with httpx2.AsyncClient(verify=context, timeout=60) as http:
            assert 200 == (await http.get(url)).status_code


@pytest.mark.parametrize(
    "address", ["", "8443", "localhost:1", "127.0.0.1:http", "127.0.0.1:70000", "::1", "[::1]"]
)
async def test_a_wrong_listen_address_is_one_clear_line(address: str) -> None:
    with pytest.raises(ListenError) as said:
        Listener(address, limits=Limits(), clients=Clients(window=1))
    assert "\n" not in str(said.value)


async def test_a_taken_port_and_a_missing_certificate_are_one_clear_line() -> None:
    clients = Clients(window=1)
    async with control_server() as (url, _):
        with pytest.raises(ListenError, match="cannot listen at"):
            Listener(f"127.0.0.1:{httpx2.URL(url).port}", limits=Limits(), clients=clients)
    with pytest.raises(ListenError, match="cannot use certificate"):
        Listener("127.0.0.1:0", limits=Limits(), clients=clients, tls_cert="/no/c", tls_key="/no/k")
    with pytest.raises(ListenError, match="go together"):
        Listener("127.0.0.1:0", limits=Limits(), clients=clients, tls_cert="c.pem")


async def test_without_the_servers_packages_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "probe.serving.listen", None)
    with pytest.raises(ServerExtrasMissing, match=r"pip install '.\[all\]'"):
        await serve("127.0.0.1:0")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:93.184.216.34", "93.184.216.34"),
        ("2001:db8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_a_clients_address_has_one_form(host: str, address: str) -> None:
    assert address == client_address(host)
