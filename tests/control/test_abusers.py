"""A volunteer beside those who misuse a control still gets answers.

Real connections over loopback; who abuses comes from other addresses of it than the
volunteer, as strangers do. Limits are those of a public control, made smaller.
"""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any

import httpx2
import pytest
import trio

from probe.serving.clients import Uses
from probe.serving.listen import Listener
from probe.trace import Trace
from tests.control.stage import FakeVisit, control_server, good_site, until

VOLUNTEER = "127.0.0.1"
ABUSERS = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
SITES = [f"https://site{number}.example/" for number in range(20)]
LIMITS: dict[str, Any] = {
    "connections": 64, "connections_per_client": 40, "in_flight": 16, "waiting": 64,
    "in_flight_per_client": 40, "questions_per_client": 200, "arrivals_per_client": 300,
    "waiting_seconds": 5.0, "refusal_seconds": 1.0,
}  # fmt: skip


def question(url: str) -> bytes:
    body = json.dumps({"http_request": url, "x_zond": {"version": 1}}).encode()
    return b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body


async def connect(address: str, port: int) -> trio.SocketStream:
    return await trio.open_tcp_stream("127.0.0.1", port, local_address=address)


async def opens_hundreds_of_connections(address: str, port: int) -> None:
    async with AsyncExitStack() as held:
        for _ in range(100):
            await held.enter_async_context(await connect(address, port))
        await trio.sleep_forever()


async def sends_half_questions(address: str, port: int) -> None:
    async with AsyncExitStack() as held:
        for _ in range(100):
            stream = await held.enter_async_context(await connect(address, port))
            try:
                await stream.send_all(question(SITES[0])[:-5])
            except trio.BrokenResourceError:
                continue  # it had more than its share
        await trio.sleep_forever()


async def asks_on(address: str, port: int, url: Callable[[int], str]) -> None:
    async def one(number: int) -> None:
        async with await connect(address, port) as stream:
            for again in range(100):
                await stream.send_all(question(url(number * 100 + again)))
                if not await stream.receive_some():
                    return

    async def on(number: int) -> None:
        while True:
            try:
                await one(number)
            except (trio.BrokenResourceError, OSError):
                await trio.sleep(0.01)
            else:
                await trio.sleep(0.01)  # the door was closed

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(on, number)


Abuse = Callable[[str, int], Any]
ABUSES: dict[str, Abuse] = {
    "hundreds of connections": opens_hundreds_of_connections,
    "half questions": sends_half_questions,
    "one target ten thousand times": partial(asks_on, url=lambda n: f"{SITES[0]}{n}"),
    "sites that never answer": partial(asks_on, url=lambda n: f"https://tarpit{n}.example/"),
    "forbidden addresses": partial(asks_on, url=lambda n: f"http://10.0.{n % 250}.1/"),
    "no URL": partial(asks_on, url=lambda n: "\0" * 4000),
}


@asynccontextmanager
async def beside(abuse: Abuse) -> AsyncIterator[tuple[str, Listener, FakeVisit]]:
    async def tarpit(trace: Trace, url: str) -> None:
        if "tarpit" in url:
            await trio.sleep_forever()
        trace.records.extend(good_site(url))

    visit = FakeVisit(tarpit)
    limits = LIMITS | {"visits_per_host": Uses(all=12, each=6, always=2)}
    async with control_server(visit, **limits) as (url, listener):
        port = httpx2.URL(url).port
        assert port is not None
        async with trio.open_nursery() as nursery:
            for address in ABUSERS:
                nursery.start_soon(abuse, address, port)
            await trio.sleep(0.5)  # for as long as it takes to use up what they may
            yield url, listener, visit
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("abuse", ABUSES)
async def test_a_volunteer_gets_every_answer_beside_who_does(abuse: str) -> None:
    answered: list[str] = []
    async with beside(ABUSES[abuse]) as (url, _, _):
        transport = httpx2.AsyncHTTPTransport(local_address=VOLUNTEER)
        async with httpx2.AsyncClient(transport=transport, timeout=60) as http:

            async def ask(site: str) -> None:
                asked = {"http_request": site, "x_zond": {"version": 1}}
                reply = await http.post(url, json=asked)
                assert 200 == reply.status_code, reply.text
                assert reply.json()["x_zond"]["complete"]
                answered.append(site)

            async with trio.open_nursery() as nursery:
                for site in SITES[:6]:  # at once, as a run does
                    nursery.start_soon(ask, site)
            for site in SITES[6:]:
                await ask(site)
    assert set(SITES) == set(answered)


async def test_what_abusers_hold_is_bounded_and_given_back() -> None:
    async with control_server(head_seconds=4.0, **LIMITS) as (url, listener):
        port = httpx2.URL(url).port
        assert port is not None
        async with trio.open_nursery() as nursery:
            for address in ABUSERS:
                nursery.start_soon(opens_hundreds_of_connections, address, port)
            await until(lambda: listener.connections >= 48)
            assert listener.connections < LIMITS["connections"]
            await until(lambda: not listener.connections)  # they said nothing
            nursery.cancel_scope.cancel()


async def test_who_connects_without_end_is_closed_before_a_word() -> None:
    async with control_server(arrivals_per_client=5) as (url, _):
        port = httpx2.URL(url).port
        assert port is not None

        async def greeted(address: str) -> bool:
            async with await connect(address, port) as stream:
                try:
                    await stream.send_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                    return bool(await stream.receive_some())
                except trio.BrokenResourceError:
                    return False

        assert [True] * 5 + [False] * 5 == [await greeted(ABUSERS[0]) for _ in range(10)]
        assert await greeted(VOLUNTEER)


async def test_who_asks_without_end_waits_for_each_answer_whatever_it_says() -> None:
    """Not for good: a turn comes every tenth of a second, and is a page that is not there."""
    async with control_server(arrivals_per_client=10, turn_seconds=0.1) as (url, _):
        port = httpx2.URL(url).port
        assert port is not None
        nothing = b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n"
        async with (
            await connect(ABUSERS[0], port) as greedy,
            await connect(VOLUNTEER, port) as other,
        ):

            async def answered(stream: trio.SocketStream) -> bool:
                await stream.send_all(nothing)
                return (await stream.receive_some()).startswith(b"HTTP/1.1 404")

            assert all([await answered(greedy) for _ in range(11)])
            began = trio.current_time()
            assert all([await answered(greedy) for _ in range(5)])
            assert trio.current_time() - began >= 0.4  # a sleep is never shorter
            assert await answered(other)


@pytest.mark.parametrize("streams", [1, 8])
async def test_who_has_too_much_waiting_is_closed(streams: int) -> None:
    async with control_server(arrivals_per_client=20, turn_seconds=5.0, turn_patience=4.0) as (
        url, listener,
    ):  # fmt: skip
        port = httpx2.URL(url).port
        assert port is not None
        async with AsyncExitStack() as held, trio.open_nursery() as nursery:

            async def asks() -> None:
                stream = await held.enter_async_context(await connect(ABUSERS[0], port))
                with suppress(trio.BrokenResourceError):
                    while True:
                        await stream.send_all(b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n")
                        if not await stream.receive_some():
                            break

            for _ in range(streams):
                nursery.start_soon(asks)
        await until(lambda: not listener.connections)


async def test_a_refusal_takes_its_time_and_keeps_nobody_else_waiting() -> None:
    async with control_server(questions_per_client=1, refusal_seconds=1000.0) as (url, _):
        port = httpx2.URL(url).port
        assert port is not None
        async with await connect(ABUSERS[0], port) as greedy:
            await greedy.send_all(question(SITES[0]))
            assert (await greedy.receive_some()).startswith(b"HTTP/1.1 200")
        async with await connect(ABUSERS[0], port) as greedy:
            await greedy.send_all(question(SITES[0]))
            async with await connect(VOLUNTEER, port) as other:
                await other.send_all(question(SITES[1]))
                assert (await other.receive_some()).startswith(b"HTTP/1.1 200")
            with trio.move_on_after(0.1) as waited:
                await greedy.receive_some()
            assert waited.cancelled_caught


def test_addresses_of_loopback_can_be_told_apart() -> None:
    """What the tests above rest on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), source_address=(ABUSERS[0], 0)):
            connection, peer = server.accept()
            connection.close()
    assert ABUSERS[0] == peer[0]
