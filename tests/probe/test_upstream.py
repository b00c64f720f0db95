"""Where the resolver is, and who asks the world for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dns.message
import dns.rrset
import pytest
import trio
from trio.testing import MockClock

from probe.net import Datagram, Datagrams
from probe.surroundings.upstream import Upstream, find_upstream, try_upstream, where
from tests.probe.fakeline import FakeLine

WHOAMI = "whoami.example"
OPERATOR = "178.124.130.53"
OURS = "178.124.180.77"


class Answering:
    """A resolver that knows one address for every name."""

    def __init__(self) -> None:
        self._asked: list[bytes] = []

    async def send(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self._asked.append(data)

    async def receive(self) -> Datagram:
        if not self._asked:
            await trio.sleep_forever()
        query = dns.message.from_wire(self._asked.pop(0))
        reply = dns.message.make_response(query)
        reply.answer.append(
            dns.rrset.from_text(query.question[0].name, 60, "IN", "A", OPERATOR)
        )
        return Datagram(reply.to_wire(), 0.0, None)

    def close(self) -> None:
        return


class Line(FakeLine):
    answering: tuple[str, ...] = ()

    async def open_udp(self, ip: str, port: int) -> Datagrams:
        if ip in self.answering:
            return Answering()
        return await super().open_udp(ip, port)


@asynccontextmanager
async def line(told: tuple[str, ...], answering: tuple[str, ...] = ()) -> AsyncIterator[Line]:
    async with trio.open_nursery() as nursery:
        net = Line(nursery, names={WHOAMI: told})
        net.answering = answering
        yield net
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("own", "at"),
    [
        ((), ""),
        (("127.0.0.53",), "machine"),
        (("::1",), "machine"),
        (("192.168.1.1", "8.8.8.8"), "home"),
        (("fe80::1",), "home"),
        (("100.64.0.1",), "home"),
        ((OPERATOR,), "network"),
        (("2a02:2208:53::53",), "network"),
        (("rubbish",), ""),
    ],
)
def test_where_a_resolver_is_its_address_tells(own: tuple[str, ...], at: str) -> None:
    assert where(own) == at


async def ask(net: Line, own: str, *ours: str) -> Upstream:
    return await try_upstream(net, await find_upstream(net, (own,), WHOAMI), WHOAMI, ours)


async def test_who_is_behind_the_router_is_found_and_tried(autojump_clock: MockClock) -> None:
    async with line((OPERATOR,), answering=(OPERATOR,)) as net:
        found = await ask(net, "192.168.1.1", OURS)
    assert found == Upstream(at="home", address=OPERATOR, answers=True)


async def test_who_asks_and_does_not_answer_us_is_known_all_the_same(
    autojump_clock: MockClock,
) -> None:
    async with line((OPERATOR,)) as net:
        found = await ask(net, "192.168.1.1", OURS)
    assert found == Upstream(at="home", address=OPERATOR, answers=False)


@pytest.mark.parametrize("ours", [(OPERATOR,), ("178.124.130.7",), ("2a02:2208::7",), ()])
async def test_an_address_that_may_be_our_own_is_not_asked(
    autojump_clock: MockClock, ours: tuple[str, ...]
) -> None:
    async with line((OPERATOR,), answering=(OPERATOR,)) as net:
        assert not (await ask(net, "192.168.1.1", *ours)).answers


@pytest.mark.parametrize("told", [(), ("192.168.1.1",), ("0.0.0.0",), ("2a02:2208:53::53",)])
async def test_what_is_no_public_address_tells_nobody(
    autojump_clock: MockClock, told: tuple[str, ...]
) -> None:
    async with line(told) as net:
        found = await find_upstream(net, ("127.0.0.53",), WHOAMI)
    assert found == Upstream(at="machine")


async def test_a_resolver_that_fails_leaves_it_unknown(autojump_clock: MockClock) -> None:
    async with line((OPERATOR,)) as net:
        net.resolver_works = False
        assert await find_upstream(net, ("127.0.0.1",), WHOAMI) == Upstream(at="machine")


async def test_a_resolver_in_the_network_is_not_asked_twice(autojump_clock: MockClock) -> None:
    async with line((OPERATOR,), answering=(OPERATOR,)) as net:
        found = await ask(net, "178.124.130.1", OURS)
    assert found == Upstream(at="network", address=OPERATOR)


async def test_nobody_is_asked_who_he_is_unless_there_is_a_name_for_it(
    autojump_clock: MockClock,
) -> None:
    async with line((OPERATOR,), answering=(OPERATOR,)) as net:
        assert await find_upstream(net, ("192.168.1.1",), "") == Upstream(at="home")
