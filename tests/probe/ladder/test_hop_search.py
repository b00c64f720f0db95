"""The search over paths of all kinds, in virtual time; what it found is read as analysis reads it.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from analysis.observe.location import Location, locate
from probe.config import Ladder
from probe.control.client import ControlClient
from probe.evidence import HopProbe
from probe.failure import Failure
from probe.hops import LimitedDatagrams
from probe.ladder.climb import Climb, Progress, Tuples, Turns
from probe.ladder.hop_search import FULL, MAX_PROBES
from probe.ladder.rung import Accused, Layer
from probe.ladder.rungs import where
from probe.steps.certificate import Verifier
from probe.surroundings.resolvers import Resolvers
from probe.tools import Tools
from probe.trace import Trace
from probe.wire.url import parse
from tests.fakenet import FakeInternet
from tests.probe.fakepath import Deed, FakePath

IP, OTHER, RESOLVER = "93.184.216.34", "151.101.1.69", "8.8.8.8"
NAME = "site.by"
WORDS = (NAME.encode(), b"\x04site\x02by")
ROUTERS = ("93.84.4.2", "93.84.9.9", "62.115.40.1", "62.115.60.1")
HOW: dict[Deed, tuple[Layer, str]] = {
    "reset": ("tls", Failure.CONNECTION_RESET),
    "close": ("tls", Failure.EOF),
    "alert": ("tls", Failure.TLS_FAILED_HANDSHAKE),
    "drop": ("tls", Failure.TIMEOUT),
    "page": ("page", ""),
    "refuse": ("tcp", Failure.CONNECTION_REFUSED),
    "forge": ("dns", ""),
}


def accused_of(deed: Deed, layer: Layer | None = None, url: str = "") -> Accused:
    of, how = HOW[deed]
    layer = layer or of
    url = url or ("https" if layer in ("tls", "tcp") else "http") + f"://{NAME}/page"
    at = parse(url)
    ip, port = (RESOLVER, 53) if layer == "dns" else (IP, at.port)
    return Accused(layer=layer, url=at, ip=ip, port=port, how=how)


def path(deed: Deed, hop: Any, routers: Sequence[str] = ROUTERS, **more: Any) -> FakePath:
    by_address = {"addresses": (IP,)} if deed == "refuse" else {"words": WORDS}
    return FakePath(routers, deed=deed, hop=hop, **(by_address | more))


async def search(
    network: FakePath, accused: Accused, *, residual: float = 0.0, **limits: Any
) -> list[HopProbe]:  # fmt: skip
    """Climb the rung for *accused*'s layer."""
    trace = Trace()
    async with trio.open_nursery() as nursery:
        tools = Tools(
            net=FakeInternet(nursery), resolvers=Resolvers(own=()), hops=network,
            verifier=cast(Verifier, None),
        )  # fmt: skip
        climb = Climb(
            tools=tools, trace=trace, accused=accused, plain=(),
            progress=Progress(residual=residual),
            settings=Ladder(**limits), controls=cast(ControlClient, None),
            neutral=[OTHER], tuples=Tuples(), turns=Turns(1.0),
        )  # fmt: skip
        rungs = {
            "tls": where.where_tls, "tcp": where.where_tcp, "http": where.where_http,
            "page": where.where_http, "dns": where.where_dns,
        }  # fmt: skip
        trace.step = rungs[accused.layer].__name__
        await rungs[accused.layer](climb, accused)
        if accused.layer == "dns":
            trace.step = "where_dns_nowhere"
            await where.where_dns_nowhere(climb, accused)
    return [e for e in trace.records if isinstance(e, HopProbe)]


def read(probes: Sequence[HopProbe], accused: Accused) -> Location | None:
    return locate(probes, accused.layer, accused.how)


@pytest.mark.parametrize(
    ("deed", "hop"),
    [(deed, hop) for deed in HOW for hop in (1, 2, 3, 4, 5)],
)
async def test_the_hop_is_found(deed: Deed, hop: int, autojump_clock: MockClock) -> None:
    accused = accused_of(deed)
    found = read(await search(path(deed, hop), accused), accused)
    assert found is not None
    assert hop == found.hop
    if hop < 5:
        assert ROUTERS[hop - 1] == found.router


async def test_addresses_that_are_dropped_are_told_from_silent_routers_by_neutral_ones(
    autojump_clock: MockClock,
) -> None:
    accused = accused_of("drop", "tcp")
    for hop in (1, 2, 3, 4):
        network = FakePath(ROUTERS, deed="drop", hop=hop, addresses=(IP,))
        found = read(await search(network, accused), accused)
        assert found is not None
        assert (hop, ROUTERS[hop - 1]) == (found.hop, found.router)


async def test_a_neutral_address_by_another_way_is_no_contrast(autojump_clock: MockClock) -> None:
    class Forked(FakePath):
        async def syn(self, ip: str, port: int, ttl: int) -> None:
            routers, self.routers = self.routers, ("93.84.4.2", "195.50.23.2", "62.115.40.9")
            try:
                await super().syn(ip, port, ttl)
            finally:
                self.routers = routers

    accused = accused_of("drop", "tcp")
    here = FakePath(ROUTERS, deed="drop", hop=3, addresses=(IP,))
    there = Forked(ROUTERS)

    class Both(FakePath):
        async def syn(self, ip: str, port: int, ttl: int) -> None:
            await (here if ip == IP else there).syn(ip, port, ttl)

    assert read(await search(Both(ROUTERS), accused), accused) is None


async def test_where_nothing_interferes_nothing_is_found(autojump_clock: MockClock) -> None:
    deeds: tuple[Deed, ...] = ("reset", "close", "alert", "drop", "refuse")
    for deed in deeds:
        accused = accused_of(deed)
        probes = await search(path(deed, 0), accused)
        assert read(probes, accused) is None
        assert 5 == max(e.ttl for e in probes if e.ttl < FULL), "it ends where the path ends"


async def test_a_name_in_a_request_that_is_cut_off(autojump_clock: MockClock) -> None:
    deeds: tuple[Deed, ...] = ("reset", "drop")
    for deed in deeds:
        accused = Accused(
            layer="http", url=parse(f"http://{NAME}/"), ip=IP, port=80, how=HOW[deed][1]
        )
        found = read(await search(path(deed, 2), accused), accused)
        assert found is not None and found.hop == 2


async def test_inside_tls_no_request_is_sent(autojump_clock: MockClock) -> None:
    accused = Accused(
        layer="http", url=parse(f"https://{NAME}/"), ip=IP, port=443, how="connection_reset"
    )
    assert [] == await search(path("reset", 2), accused)


async def test_an_address_has_no_name_to_look_for(autojump_clock: MockClock) -> None:
    assert [] == await search(path("reset", 2), accused_of("reset", url=f"https://{IP}/"))


async def test_a_reset_later_than_the_routers_word_counts(autojump_clock: MockClock) -> None:
    accused = accused_of("reset")
    found = read(await search(path("reset", 3, late=0.3), accused), accused)
    assert found is not None and found.hop == 3


async def test_paths_that_differ_from_flow_to_flow_are_seen_to_differ(
    autojump_clock: MockClock,
) -> None:
    accused = accused_of("reset")
    # Every third connection meets it one hop later.
    network = path("reset", lambda flow: 3 if flow % 3 == 0 else 2)
    found = read(await search(network, accused), accused)
    assert found is not None
    assert found.hop in (2, 3)
    assert found.met < found.tries


async def test_residual_blocking_does_not_colour_the_next_try(autojump_clock: MockClock) -> None:
    deeds: tuple[Deed, ...] = ("reset", "drop")
    for deed in deeds:
        network = path(deed, 3, residual=60.0)
        accused = accused_of(deed)
        began = trio.current_time()
        probes = await search(network, accused, residual=60.0)
        found = read(probes, accused)
        assert found is not None and found.hop == 3
        assert {None} == {e.failure for e in probes}
        # What does not get as far as the censor is not waited for.
        assert trio.current_time() - began < 60 * (3 if deed == "reset" else 4) + 30


async def test_short_residual_blocking_that_nobody_noticed_does_no_harm(
    autojump_clock: MockClock,
) -> None:
    # A handshake is silent for ten seconds before it is given up: less is not seen before.
    for residual in (3.0, 6.0, 9.0):
        for prolonged in (False, True):
            network = path("drop", 3, residual=residual, prolonged=prolonged)
            accused = accused_of("drop")
            probes = await search(network, accused)
            found = read(probes, accused)
            assert found is not None and found.hop == 3, residual
            # Once it is known it is waited for.
            assert sum(1 for e in probes if e.failure is not None) <= 1


async def test_what_the_rungs_before_have_left_behind_is_no_silent_router(
    autojump_clock: MockClock,
) -> None:
    network = path("drop", 1, residual=8.0, prolonged=True)
    network.dead_until[IP, 443] = 8.0
    accused = accused_of("drop")
    found = read(await search(network, accused), accused)
    assert found is not None and found.hop == 1


async def test_the_harmless_request_does_not_ask_for_the_accused_page(
    autojump_clock: MockClock,
) -> None:
    network = FakePath(ROUTERS, deed="drop", hop=2, words=(b"GET /forbidden",))
    accused = Accused(
        layer="http", url=parse(f"http://{NAME}/forbidden"), ip=IP, port=80, how=Failure.TIMEOUT
    )
    found = read(await search(network, accused), accused)
    assert found is not None and found.hop == 2


async def test_a_liar_beside_the_way_is_found_where_no_resolver_is(
    autojump_clock: MockClock,
) -> None:
    accused = accused_of("forge")
    network = path("forge", 2, no_resolver=True)
    probes = await search(network, accused)
    assert 1 < max(Counter(e.ttl for e in probes if e.ip == OTHER).values())
    found = read(probes, accused)
    assert found is not None
    assert (2, "on-path") == (found.hop, found.position)


async def test_a_resolver_may_be_silent_since_its_own_questions_are_dropped_further_on(
    autojump_clock: MockClock,
) -> None:
    class Near(FakePath):
        """The resolver is the first router, and has no answer for the name."""

        async def open_udp(self, ip: str, port: int, ttl: int) -> LimitedDatagrams:
            if ip == RESOLVER:
                near = FakePath((), deed="drop", hop=1, words=WORDS)
                return await near.open_udp(ip, port, ttl)
            return await super().open_udp(ip, port, ttl)

    accused = Accused(
        layer="dns", url=parse(f"http://{NAME}/"), ip=RESOLVER, port=53, how=Failure.TIMEOUT
    )
    network = Near(ROUTERS, deed="drop", hop=3, words=WORDS, no_resolver=True)
    found = read(await search(network, accused), accused)
    assert found is not None and found.hop == 3
    network.hop = 0
    found = read(await search(network, accused), accused)
    assert found is not None
    assert (1, RESOLVER) == (found.hop, found.router)


async def test_where_no_resolver_is_and_nobody_answers_the_name_is_not_sent_again(
    autojump_clock: MockClock,
) -> None:
    network = path("forge", 0, no_resolver=True)
    probes = await search(network, accused_of("forge"))
    assert [64, 64] == [e.ttl for e in probes if e.ip == OTHER]


async def test_a_resolver_that_lies_is_at_the_end_of_its_path(autojump_clock: MockClock) -> None:
    accused = accused_of("forge")
    found = read(await search(path("forge", 5), accused), accused)
    assert found is not None
    assert (5, RESOLVER, 5) == (found.hop, found.router, found.path_length)


async def test_where_nobody_says_anything_the_search_gives_up(autojump_clock: MockClock) -> None:
    accused = accused_of("drop")
    probes = await search(path("drop", 12, routers=("",) * 20), accused)
    assert read(probes, accused) is None
    assert len(probes) <= 13


async def test_a_search_has_a_budget(autojump_clock: MockClock) -> None:
    accused = accused_of("reset")
    long = [f"62.115.{n}.1" for n in range(25)]
    probes = await search(path("reset", 24, routers=long), accused)
    assert MAX_PROBES == len(probes)


async def test_packets_to_one_hop_are_spaced(autojump_clock: MockClock) -> None:
    probes = await search(path("reset", 3), accused_of("reset"))
    for ttl, count in Counter(e.ttl for e in probes).items():
        times = sorted(e.t0 for e in probes if e.ttl == ttl)
        assert all(b - a >= 1.0 for a, b in itertools.pairwise(times)), (ttl, count)


@given(
    routers=st.lists(st.sampled_from(("", "x", "x", "x")), min_size=1, max_size=7),
    deed=st.sampled_from(list(HOW)),
    share=st.floats(0, 1),
    in_path=st.booleans(),
    late=st.sampled_from((0.0, 0.2)),
)
@settings(max_examples=60)
def test_no_path_leads_to_a_wrong_hop(
    routers: list[str], deed: Deed, share: float, in_path: bool, late: float
) -> None:
    named = [r and f"62.115.{n}.1" for n, r in enumerate(routers)]
    hop = 1 + int(share * len(named))
    accused = accused_of(deed)
    network = path(deed, hop, routers=named, in_path=in_path, late=late)
    probes = trio.run(search, network, accused, clock=MockClock(autojump_threshold=0))
    found = read(probes, accused)
    if found is None:
        assert "" in named, "every router answers"
    else:
        assert found.low < hop <= found.high
        assert found.hop == hop or (deed == "drop" and "" in named[:hop])
