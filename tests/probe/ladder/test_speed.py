"""The speed rung: pairs enough to tell, no more than is worth it, and a few bytes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from probe.config import Ladder
from probe.control.client import ControlClient
from probe.control.protocol import Control
from probe.control.speed import Wanted
from probe.evidence import PROBE, HTTPExchange, Transfer
from probe.ladder.climb import Climb, Tuples, Turns
from probe.ladder.rung import Accused
from probe.ladder.rungs.speed import LOOK, ROUNDS, TIMED, speed
from probe.net import Network
from probe.steps.certificate import Verifier
from probe.steps.transfer import MAX_BYTES
from probe.surroundings.resolvers import Resolvers
from probe.tools import Tools
from probe.trace import Trace
from probe.wire.url import parse
from tests.fakenet import Serve, ServerEnd, fake_internet, heard, response

IP, NAME = "93.184.216.34", "site.by"
URL = f"http://{NAME}/"
BODY = b"x" * 20_000


@dataclass
class FakeControls:
    """Two controls: their bytes come in *theirs* seconds, the page to them in *page*."""

    theirs: float = 0.3
    page: float = 0.3
    direct: bool = True
    controls: tuple[Control, ...] = (Control("one", "https://a/"), Control("two", "https://b/"))
    timing: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(4))
    sizes: list[int] = field(default_factory=list)
    sending: int = 0

    async def download(
        self, trace: Trace, control: Control, *, size: int, timeout: float, **facts: Any
    ) -> None:
        self.sizes.append(size)
        self.sending += 1
        began = trace.now()
        await trio.sleep(self.theirs)
        self.sending -= 1
        trace.append(
            Transfer, began,
            facts | {"what": "control", "source": control.name, "received": size, "status": 200},
        )  # fmt: skip

    async def time_page(self, trace: Trace, wanted: Wanted, **facts: Any) -> None:
        await trio.sleep(self.page)
        for control in self.controls:
            for _ in range(wanted.count):
                trace.records.append(
                    Transfer(
                        vantage=control.name, what="accused", source=wanted.ip, status=200,
                        t=self.page, received=len(BODY), whole=True,
                    )
                )


def serves(
    seconds: Callable[[str], float], status: Callable[[str], int] = lambda host: 200
) -> Serve:
    """A server that takes *seconds* for a Host, and answers with *status*."""

    async def serve(stream: ServerEnd) -> None:
        request = await heard(stream)
        host = request.split(b"Host: ")[1].split(b"\r\n")[0].decode()
        await trio.sleep(seconds(host))
        await stream.send_all(response(BODY, status(host)))

    return serve


async def climbed(
    serve: Serve, controls: FakeControls | None = None, *, budget: int = 120
) -> list[Transfer]:
    controls = controls or FakeControls()
    trace = Trace()
    accused = Accused(layer="slow", url=parse(URL), ip=IP, port=80)
    plain = [HTTPExchange(url=URL, ip=IP, port=80, status=200, body_length=10**6)]
    async with fake_internet() as net:
        net.tcp[IP, 80] = serve
        tools = Tools(
            net=cast(Network, net), resolvers=Resolvers(own=()), verifier=cast(Verifier, None)
        )
        climb = Climb(
            tools=tools, trace=trace, accused=accused, plain=plain,
            settings=Ladder(target_connections=budget), controls=cast(ControlClient, controls),
            neutral=[], tuples=Tuples(), turns=Turns(1.0),
        )  # fmt: skip
        run: Callable[[Climb, Accused], Awaitable[None]] = speed
        await run(climb, accused)
    return [e for e in trace.records if isinstance(e, Transfer)]


def of(transfers: list[Transfer], what: str, vantage: str = PROBE) -> list[Transfer]:
    return [e for e in transfers if e.what == what and e.vantage == vantage]


async def test_what_is_slow_by_name_is_timed_in_all_rounds(autojump_clock: MockClock) -> None:
    found = await climbed(serves(lambda host: 3.0 if host == NAME else 0.1))
    assert list(range(ROUNDS)) == [e.round for e in of(found, "accused")]
    assert list(range(ROUNDS)) == [e.round for e in of(found, "unnamed")]
    assert {"www.example.org"} == {e.host for e in of(found, "unnamed")}
    assert all(e.t - e.t0 > 3 for e in of(found, "accused"))
    assert all(e.t - e.t0 < 1 for e in of(found, "unnamed"))


async def test_each_transfer_has_a_controls_bytes_beside_it(autojump_clock: MockClock) -> None:
    found = await climbed(serves(lambda host: 3.0 if host == NAME else 0.1))
    pages = of(found, "accused") + of(found, "unnamed")
    for sent in of(found, "control"):
        (page,) = [e for e in pages if (e.what, e.round) == (sent.beside, sent.round)]
        assert sent.t0 < page.t and page.t0 < sent.t
    assert len(of(found, "control")) == len(pages)
    assert {"one", "two"} == {e.source for e in of(found, "control")}


async def test_both_controls_time_the_page(autojump_clock: MockClock) -> None:
    found = await climbed(serves(lambda host: 3.0))
    assert [TIMED, TIMED] == [len(of(found, "accused", name)) for name in ("one", "two")]


async def test_what_is_not_slow_any_more_is_soon_left_alone(autojump_clock: MockClock) -> None:
    found = await climbed(serves(lambda host: 0.1))
    assert LOOK == len(of(found, "accused"))


async def test_what_is_as_slow_for_a_control_is_soon_left_alone(autojump_clock: MockClock) -> None:
    found = await climbed(serves(lambda host: 3.0), FakeControls(page=3.0))
    assert LOOK == len(of(found, "accused"))


async def test_on_a_slow_line_it_is_soon_left_alone(autojump_clock: MockClock) -> None:
    found = await climbed(serves(lambda host: 3.0), FakeControls(theirs=3.0))
    assert LOOK == len(of(found, "accused"))


async def test_where_the_name_does_not_matter_it_is_not_left_out_for_ever(
    autojump_clock: MockClock,
) -> None:
    found = await climbed(serves(lambda host: 3.0))
    assert LOOK == len(of(found, "unnamed"))
    assert ROUNDS == len(of(found, "accused"))


async def test_a_server_that_minds_the_missing_name_is_not_asked_again(
    autojump_clock: MockClock,
) -> None:
    minds = serves(lambda host: 3.0, lambda host: 200 if host == NAME else 421)
    found = await climbed(minds)
    assert 1 == len(of(found, "unnamed"))
    assert ROUNDS == len(of(found, "accused"))


async def test_through_a_proxy_no_bytes_of_controls_are_compared(autojump_clock: MockClock) -> None:
    found = await climbed(
        serves(lambda host: 3.0 if host == NAME else 0.1), FakeControls(direct=False)
    )
    assert [] == of(found, "control")
    assert ROUNDS == len(of(found, "unnamed"))


async def test_as_many_bytes_are_asked_of_a_control_as_the_page_has(
    autojump_clock: MockClock,
) -> None:
    controls = FakeControls()
    found = await climbed(serves(lambda host: 3.0 if host == NAME else 0.1), controls)
    assert MAX_BYTES == controls.sizes[0]  # a long page, as far as is known
    assert {len(BODY)} == set(controls.sizes[1:])
    line = sum(e.received for e in found if e.vantage == PROBE)
    assert line < 2 * 1024 * 1024


async def test_several_at_once_do_not_slow_each_other(autojump_clock: MockClock) -> None:
    controls = FakeControls(theirs=1.0, timing=trio.CapacityLimiter(2))
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, controls.sending)
            await trio.sleep(0.01)

    async with trio.open_nursery() as watching:
        watching.start_soon(watch)
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(climbed, serves(lambda host: 0.1), controls)
        watching.cancel_scope.cancel()
    assert 2 == most


@pytest.mark.parametrize("said", [b"", b"220 mail\r\n", b"HTTP/1.1 200 OK\r\nContent-Le"])
async def test_a_server_that_talks_rubbish_is_soon_left_alone(
    said: bytes, autojump_clock: MockClock
) -> None:
    async def serve(stream: ServerEnd) -> None:
        await heard(stream)
        if said:
            await stream.send_all(said)

    found = await climbed(serve)
    assert all(e.failure is not None for e in of(found, "accused"))
    assert LOOK == len(of(found, "accused"))
