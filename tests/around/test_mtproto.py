"""Telegram's first exchange: what is sent looks like nothing, and only an answer to it counts."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio
from trio.testing import memory_stream_pair

from lab.around import data_centre
from probe.wire.mtproto import Greeting, NotMTProto

NOW = 1795168800.0


async def answer_of(greeting: Greeting) -> bytes:
    client, server = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(data_centre, server)
        await client.send_all(greeting.said())
        heard = await client.receive_some()
        await client.aclose()
    return bytes(heard)


@pytest.mark.parametrize("piece", [1, 3, 4096])
async def test_an_answer_is_known_at_whatever_length_it_is_cut(piece: int) -> None:
    greeting = Greeting(NOW)
    heard = await answer_of(greeting)
    ends = [greeting.answered(heard[:at]) for at in range(0, len(heard), piece)]
    assert not any(ends)
    assert greeting.answered(heard)


async def test_an_answer_to_somebody_else_is_none() -> None:
    heard = await answer_of(Greeting(NOW))
    mine = Greeting(NOW)
    mine.said()
    with suppress(NotMTProto):  # or it waits for more, by what it takes for a length
        assert not any([mine.answered(heard[:at]) for at in range(len(heard) + 1)])


def test_two_greetings_share_nothing_and_look_like_no_other_protocol() -> None:
    one, two = (Greeting(NOW).said() for _ in range(2))
    assert len(one) == len(two) == 64 + 1 + 40
    assert not one[:8] == two[:8]
    for said in (one, two):
        assert said[0] != 0xEF
        assert said[:4] not in (b"HEAD", b"POST", b"GET ", b"OPTI", b"\x16\x03\x01\x02")
