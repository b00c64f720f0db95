"""A volunteer beside those who misuse the collector has every batch acknowledged.

Who abuses comes from other addresses of the loopback than the volunteer, as strangers do.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest
import trio

from tests.collector.service import collector, line, some_batch, some_measurement

ABUSERS = ("127.0.0.2", "127.0.0.3", "127.0.0.4")


def put(name: str, body: bytes, length: int = 0) -> bytes:
    head = f"PUT /v1/batches/{name} HTTP/1.1\r\nhost: c\r\ncontent-length: {length or len(body)}"
    return head.encode() + b"\r\n\r\n" + body


async def connect(address: str, port: int) -> trio.SocketStream:
    return await trio.open_tcp_stream("127.0.0.1", port, local_address=address)


async def sends_half_batches(address: str, port: int) -> None:
    async with AsyncExitStack() as held:
        for _ in range(200):
            stream = await held.enter_async_context(await connect(address, port))
            try:
                await stream.send_all(put("00" * 32, bytes(2000), length=1_000_000))
            except trio.BrokenResourceError:
                continue  # it had more than its share
        await trio.sleep_forever()


async def floods(address: str, port: int, spoil: bool) -> None:
    """Batches without end; *spoil*: with a signature that is not the key's."""

    async def on() -> None:
        while True:
            try:
                async with await connect(address, port) as stream:
                    while True:
                        name, packed, _ = some_batch(line(some_measurement()))
                        if spoil:
                            packed = packed[:-8] + os.urandom(8)
                        await stream.send_all(put(name, packed))
                        if not await stream.receive_some():
                            break
            except (OSError, trio.BrokenResourceError):
                pass
            await trio.sleep(0.01)  # the door was closed

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(on)


async def floods_with_batches(address: str, port: int) -> None:
    await floods(address, port, False)


async def floods_with_wrong_signatures(address: str, port: int) -> None:
    await floods(address, port, True)


async def asks_for_nothing(address: str, port: int) -> None:
    """What is not there, without end."""

    async def on() -> None:
        while True:
            try:
                async with await connect(address, port) as stream:
                    while True:
                        await stream.send_all(b"GET /nothing HTTP/1.1\r\nhost: c\r\n\r\n")
                        if not await stream.receive_some():
                            break
            except (OSError, trio.BrokenResourceError):
                pass
            await trio.sleep(0.01)

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(on)


@pytest.mark.parametrize(
    "abuse",
    [sends_half_batches, floods_with_batches, floods_with_wrong_signatures, asks_for_nothing],
)
async def test_a_volunteer_beside_who(
    abuse: Callable[[str, int], Awaitable[None]], tmp_path: Path
) -> None:
    mine = [some_batch(line(some_measurement()))[:2] for _ in range(20)]
    with collector(tmp_path) as running:
        port = int(running.url.rstrip("/").rpartition(":")[2])
        async with trio.open_nursery() as nursery:
            for address in ABUSERS:
                nursery.start_soon(abuse, address, port)
            await trio.sleep(0.5)  # for as long as it takes to use up what they may
            async with httpx2.AsyncClient(timeout=60) as http:
                for name, packed in mine:
                    answer = await http.put(f"{running.url}v1/batches/{name}", content=packed)
                    assert 200 == answer.status_code, answer.text
            nursery.cancel_scope.cancel()
