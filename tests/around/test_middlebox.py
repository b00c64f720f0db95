"""What reached the helper comes back from it, and what changes it on the way is seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio
import trio.testing

from analysis.observe.echo import echo_end
from probe.control.echo import MAX_BYTES, converse, serve_echo
from probe.evidence import Echo
from probe.failure import Failure
from probe.nettest import discover
from probe.nettests.middlebox_request_line import lines
from probe.serving.clients import Clients
from probe.steps import echo as step
from testlists.target import target_from_url
from tests.around.conftest import Around, port_of

HELPER = "93.184.216.80"
NETTESTS = {
    "middlebox_request_line": "middlebox://request-line", "middlebox_headers": "middlebox://headers",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "TIMEOUT", 60.0)
    monkeypatch.setattr("probe.helper.PAUSE", 0.01)


async def echoes(
    around: Around, nettest: str, server: Callable[..., Awaitable[None]]
) -> list[Echo]:
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, server, 0, host="127.0.0.1"))
        around.net.ports[HELPER, 80] = port_of(listener)
        records = await around.measure(nettest, NETTESTS[nettest], helper=f"{HELPER}:80")
        nursery.cancel_scope.cancel()
    return [e for e in records if isinstance(e, Echo)]


@pytest.mark.parametrize("nettest", NETTESTS)
async def test_what_nobody_touches_comes_back_as_it_was_sent(
    around: Around, nettest: str
) -> None:
    assert ("works", "") == echo_end(await echoes(around, nettest, converse))


async def test_every_line_comes_back_at_once(around: Around) -> None:
    found = await echoes(around, "middlebox_request_line", converse)
    assert [e.sent for e in found] == [e.received for e in found]
    assert len(lines()) == len(found)


async def proxy(stream: trio.SocketStream) -> None:
    """Reads requests, as a transparent proxy does, and sends them on in its own spelling."""
    data = bytes(await stream.receive_some(4096))
    first, _, rest = data.partition(b"\r\n")
    if not rest:
        await stream.send_all(b"HTTP/1.0 400 Bad Request\r\n\r\nno such request: " + data)
        return
    ours, theirs = trio.testing.memory_stream_pair()
    spelt = rest.title().replace(b"Gzip", b"gzip")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(converse, theirs)
        await ours.send_all(first.upper() + b"\r\nVia: 1.1 squid\r\n" + spelt)
        await stream.send_all(bytes(await ours.receive_some(65536)))
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("nettest", NETTESTS)
async def test_a_proxy_on_the_way_is_seen(around: Around, nettest: str) -> None:
    assert ("echo", "altered") == echo_end(await echoes(around, nettest, proxy))


@pytest.mark.parametrize("nettest", NETTESTS)
async def test_silence_is_no_tampering_and_is_tried_twice(
    around: Around, nettest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "TIMEOUT", 0.5)

    async def mute(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    found = await echoes(around, nettest, mute)
    assert ("echo", "silence") == echo_end(found)
    assert 2 * (len(lines()) if nettest == "middlebox_request_line" else 1) == len(found)


async def test_nobody_at_the_helpers_address(around: Around) -> None:
    url = NETTESTS["middlebox_headers"]
    records = await around.measure("middlebox_headers", url, helper=f"{HELPER}:81")
    found = [e for e in records if isinstance(e, Echo)]
    assert [Failure.CONNECTION_REFUSED] * 2 == [e.failure for e in found]


def test_without_a_helper_nothing_is_asked() -> None:
    for nettest, url in NETTESTS.items():
        assert not discover()[nettest].takes(target_from_url(url))


async def test_the_helper_says_back_no_more_than_its_bound() -> None:
    async with trio.open_nursery() as nursery:
        port = await nursery.start(serve_echo, "127.0.0.1", 0, Clients(window=60))
        heard = 0
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            with trio.move_on_after(5):
                await stream.send_all(b"\n" * 2 * MAX_BYTES)
            try:
                while data := await stream.receive_some(4096):
                    heard += len(data)
            except trio.BrokenResourceError:
                pass  # it closes on what it has not read
        nursery.cancel_scope.cancel()
    assert 0 < heard <= MAX_BYTES
