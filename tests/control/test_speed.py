"""A control gives bytes to time by, times a page itself, and is a tool for neither flood."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
import trustme

from probe.control.client import ControlClient
from probe.control.protocol import BadMessage, Control, encode
from probe.control.speed import MAX_BYTES, MAX_COUNT, Wanted, read_timed
from probe.evidence import Transfer
from probe.failure import Failure
from probe.serving.clients import Uses
from probe.steps.transfer import MAX_BYTES as PAGE_BYTES
from probe.trace import Trace
from tests.control.stage import ADDRESS, control_server, patient, request, stranger, tools
from tests.fakenet import response
from tests.loopback import LoopbackNetwork

BODY = b"<title>News</title>" + b"some words " * 2000


@asynccontextmanager
async def a_site_and_a_control(**limits: Any) -> AsyncIterator[tuple[str, list[int]]]:
    """The control's URL, and how many bytes each request to the site had."""
    requests: list[int] = []

    async def site(stream: trio.SocketStream) -> None:
        if heard := await request(stream):
            requests.append(len(heard))
            await stream.send_all(response(BODY))

    async with stranger(site) as at:
        net = LoopbackNetwork({(ADDRESS, 80): int(at.rstrip("/").rpartition(":")[2])})
        works_with = replace(tools(), net=net)
        async with control_server(works_with=works_with, **limits) as (url, _):
            yield url, requests


def transfers_of(trace: Trace) -> list[Transfer]:
    return [e for e in trace.records if isinstance(e, Transfer)]


async def timed(urls: Sequence[str], wanted: Wanted) -> list[Transfer]:
    trace = Trace()
    trace.step = "speed"
    named = [Control(f"control-{n}", url) for n, url in enumerate(urls, 1)]
    async with ControlClient(named) as client:
        await client.time_page(trace, wanted, url=wanted.url, depth=1, transaction=7)
    return transfers_of(trace)


WANTED = Wanted(url="http://news.example/", ip=ADDRESS, count=3)


async def test_as_many_bytes_come_as_were_asked_for() -> None:
    async with control_server() as (url, _), patient() as http:
        # As the probe asks; what is compressed all the same would not be smaller.
        plain = {"accept-encoding": "identity"}
        reply = await http.get(f"{url}bytes?n=20000", headers=plain)
        assert (200, 20_000) == (reply.status_code, len(reply.content))
        assert "content-encoding" not in reply.headers
        assert "no-store" == reply.headers["cache-control"]


@pytest.mark.parametrize("n", ["0", "-1", "", "x", "1e9", str(MAX_BYTES + 1), "9" * 40, "１"])
async def test_a_senseless_number_of_bytes_is_refused(n: str) -> None:
    async with control_server() as (url, _), patient() as http:
        reply = await http.get(f"{url}bytes", params={"n": n})
    assert 400 == reply.status_code
    assert len(reply.content) < 200


async def test_one_client_gets_so_many_bytes_and_no_more() -> None:
    async with control_server(questions_per_client=3) as (url, _), patient() as http:
        statuses = [(await http.get(f"{url}bytes?n=100")).status_code for _ in range(5)]
    assert [200, 200, 200, 429, 429] == statuses


async def test_a_download_is_a_record_of_its_own_connection() -> None:
    trace = Trace()
    async with (
        control_server() as (url, _),
        ControlClient([Control("one", url)]) as client,
    ):
        for number in (1, 2):
            await client.download(
                trace, client.controls[0], size=30_000, timeout=10, round=number
            )
        records = transfers_of(trace)
    assert [(1, 30_000, True, None), (2, 30_000, True, None)] == [
        (e.round, e.received, e.whole, e.failure) for e in records
    ]
    assert all(e.what == "control" and e.source == "one" for e in records)
    assert all(e.connect > 0 and e.wait > 0 for e in records)
    assert all(e.rtt is not None for e in records)


async def test_over_tls_the_handshake_has_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "roots.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    leaf = authority.issue_cert("127.0.0.1")
    trace = Trace()
    async with (
        control_server(certificate=leaf, folder=tmp_path) as (url, _),
        ControlClient([Control("one", url)]) as client,
    ):
        await client.download(trace, client.controls[0], size=1000, timeout=10)
    (record,) = transfers_of(trace)
    assert (None, 1000) == (record.failure, record.received)
    assert record.handshake > 0


async def test_a_control_of_another_kind_gives_no_bytes_and_no_crash() -> None:
    async def ooni(stream: trio.SocketStream) -> None:
        if await request(stream):
            await stream.send_all(response(b"{}", 404))

    trace = Trace()
    async with stranger(ooni) as url, ControlClient([Control("ooni", url)]) as client:
        await client.download(trace, client.controls[0], size=1000, timeout=10)
        await client.time_page(trace, WANTED)
    got, asked = transfers_of(trace)
    assert (404, Failure.UNKNOWN, 0) == (got.status, got.failure, got.received)
    assert ("asked", "ooni", Failure.UNKNOWN) == (asked.what, asked.source, asked.failure)


async def test_a_control_that_sends_without_end_is_cut_off() -> None:
    async def endless(stream: trio.SocketStream) -> None:
        if await request(stream):
            await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                await stream.send_all(b"x" * 65536)

    trace = Trace()
    async with stranger(endless) as url, ControlClient([Control("bad", url)]) as client:
        await client.download(trace, client.controls[0], size=1000, timeout=10)
    (record,) = transfers_of(trace)
    assert 1000 <= record.received <= 1000 + 256 * 1024


async def test_the_control_times_the_page_itself() -> None:
    async with a_site_and_a_control() as (url, requests):
        records = await timed([url, url], WANTED)
    assert 6 == len(requests) == len(records)
    assert {"control-1", "control-2"} == {e.vantage for e in records}
    assert all(
        (e.what, e.source, e.received, e.whole, e.step, e.url, e.depth)
        == ("accused", ADDRESS, len(BODY), True, "speed", WANTED.url, 1)
        for e in records
    )


@pytest.mark.parametrize(
    "wanted",
    [
        msgspec.structs.replace(WANTED, ip="192.168.1.1"),
        msgspec.structs.replace(WANTED, ip="nowhere"),
        msgspec.structs.replace(WANTED, url="http://news.example:25/"),
        msgspec.structs.replace(WANTED, url="ftp://news.example/"),
        msgspec.structs.replace(WANTED, count=MAX_COUNT + 1),
        msgspec.structs.replace(WANTED, count=0),
        msgspec.structs.replace(WANTED, limit=PAGE_BYTES + 1),
    ],
)
async def test_where_nobody_should_be_sent_it_does_not_go(wanted: Wanted) -> None:
    async with a_site_and_a_control() as (url, requests), patient() as http:
        reply = await http.post(f"{url}transfers", content=encode(wanted))
    assert 400 == reply.status_code
    assert [] == requests


async def test_a_site_is_timed_a_few_times_only_whoever_asks() -> None:
    async with a_site_and_a_control(timings_per_host=Uses(2, 2, 0)) as (url, requests):
        found = [await timed([url], WANTED) for _ in range(3)]
    assert [3, 3, 1] == [len(records) for records in found]
    assert Failure.UNKNOWN == found[-1][0].failure
    assert 6 == len(requests)


async def test_what_does_not_answer_in_time_ends_the_transfers() -> None:
    async def site(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with stranger(site) as at:
        net = LoopbackNetwork({(ADDRESS, 80): int(at.rstrip("/").rpartition(":")[2])})
        works_with = replace(tools(), net=net)
        async with control_server(works_with=works_with, visit_seconds=0.3) as (url, _):
            assert [] == await timed([url], WANTED)


GOOD = Transfer(what="accused", source=ADDRESS, ip=ADDRESS, received=10, t=1.0)


@pytest.mark.parametrize(
    "document",
    [
        b"", b"[]]", b"\xff", b"[" * 100_000, b'{"transfers": 1}',
        encode({"transfers": [GOOD] * (MAX_COUNT + 1)}),
        encode({"transfers": [msgspec.structs.replace(GOOD, ip="home")]}),
        encode({"transfers": [msgspec.structs.replace(GOOD, connect=-1.0)]}),
        encode({"transfers": [msgspec.structs.replace(GOOD, t=-1.0)]}),
        encode({"transfers": [msgspec.structs.replace(GOOD, samples=((0.0, 1),) * 1000)]}),
    ],
)  # fmt: skip
def test_what_is_no_list_of_transfers_is_refused(document: bytes) -> None:
    with pytest.raises(BadMessage):
        read_timed(document)


def test_a_list_of_transfers_is_read() -> None:
    assert [GOOD] == read_timed(encode({"transfers": [GOOD]}))


async def test_transfers_from_another_address_are_not_believed() -> None:
    elsewhere = msgspec.structs.replace(GOOD, ip="93.184.216.99")

    async def liar(stream: trio.SocketStream) -> None:
        if await request(stream):
            await stream.send_all(response(encode({"transfers": [elsewhere]})))

    async with stranger(partial(liar)) as url:
        (record,) = await timed([url], WANTED)
    assert ("asked", Failure.JSON_PARSE) == (record.what, record.failure)
