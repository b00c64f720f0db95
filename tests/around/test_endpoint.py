"""Where an endpoint is tried, and what is not said of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio

from lab.around import data_centre, parrot
from probe.evidence import DNSExchange, Reach
from probe.failure import Failure
from tests.around.conftest import Around, port_of

Say = Callable[[trio.SocketStream], Awaitable[None]]
CENTRE = "149.154.167.51"


async def test_an_address_of_a_family_that_is_not_here_is_not_measured(around: Around) -> None:
    assert [] == await around.measure("messenger", "telegram://[2001:67c:4e8:f002::a]:443")


async def test_neither_is_a_name_that_has_such_addresses_only(around: Around) -> None:
    around.net.names["chat.signal.org"] = ("2600:9000:a507:ab6d:4ce3:2f58:25d7:9cbf",)
    records = await around.measure("messenger", "signal://chat.signal.org")
    assert {DNSExchange} == {type(e) for e in records}


async def test_a_name_led_home_is_never_followed(around: Around) -> None:
    around.net.names["chat.signal.org"] = ("192.168.1.1",)
    found = await around.reached("messenger", "signal://chat.signal.org")
    assert [("resolve", Failure.DNS_BOGON, "")] * 2 == [
        (e.operation, e.failure, e.ip) for e in found
    ]


async def centre(around: Around, say: Say) -> list[Reach]:
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, say, 0, host="127.0.0.1"))
        around.net.ports[CENTRE, 443] = port_of(listener)
        found = await around.reached("messenger", f"telegram://{CENTRE}:443")
        nursery.cancel_scope.cancel()
    return found


async def test_a_data_centre_answers(around: Around) -> None:
    assert [None] == [e.failure for e in await centre(around, data_centre)]


async def closed(stream: trio.SocketStream) -> None:
    await stream.receive_some(1000)


async def mute(stream: trio.SocketStream) -> None:
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("say", "failures"),
    [
        (mute, {Failure.TIMEOUT}), (closed, {Failure.EOF}),
        # Taken for a length, what comes back may also promise more.
        (parrot, {Failure.UNKNOWN, Failure.TIMEOUT}),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("unanswered")
async def test_whoever_else_answers_is_none(
    around: Around, say: Say, failures: set[Failure]
) -> None:
    found = await centre(around, say)
    assert ["handshake"] * 2 == [e.operation for e in found]
    assert {e.failure for e in found} <= failures


async def test_whatsapp_is_tried_at_both_ports(around: Around) -> None:
    around.net.names["e1.whatsapp.net"] = ("157.240.205.60",)
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, closed, 0, host="127.0.0.1"))
        around.net.ports["157.240.205.60", 5222] = port_of(listener)
        found = await around.reached("messenger", "whatsapp://e1.whatsapp.net")
        nursery.cancel_scope.cancel()
    assert [(443, Failure.CONNECTION_REFUSED), (5222, None)] == [
        (e.port, e.failure) for e in found
    ]
