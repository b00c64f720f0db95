"""Pacing on virtual time: how far apart turns are, for whom, and what it costs."""

from __future__ import annotations

from itertools import pairwise

import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from probe.net import Datagrams
from probe.pacing import MAX_KEYS, PacedNetwork, Pacer, Rates, Spacing, network_of


def a_pacer(**rates: float) -> Pacer:
    return Pacer(
        **{"overall": 60.0, "per_address": 4.0, "per_network": 10.0, "per_resolver": 20.0} | rates,
        resolvers=("192.0.2.53",),
    )


async def turns(pacer: Pacer, addresses: list[str]) -> dict[str, list[float]]:
    """When each address had its turns, all asked for at once."""
    times: dict[str, list[float]] = {}

    async def one(ip: str) -> None:
        await pacer.turn(ip)
        times.setdefault(ip, []).append(trio.current_time())

    async with trio.open_nursery() as nursery:
        for ip in addresses:
            nursery.start_soon(one, ip)
    return {ip: sorted(found) for ip, found in times.items()}


def closest(times: list[float]) -> float:
    ordered = sorted(times)
    return min(b - a for a, b in pairwise(ordered))


async def test_the_first_turn_is_at_once(autojump_clock: MockClock) -> None:
    start = trio.current_time()
    await a_pacer().turn("192.0.2.1")
    assert trio.current_time() == start


async def test_turns_are_spaced_overall(autojump_clock: MockClock) -> None:
    addresses = [f"10.{n}.0.1" for n in range(121)]
    times = [t for found in (await turns(a_pacer(), addresses)).values() for t in found]
    assert round(closest(times), 6) == round(1 / 60, 6)
    assert round(max(times) - min(times), 6) == 2.0  # 121 turns at 60 a second: not slower either


async def test_one_address_is_not_crowded_and_crowds_nobody(autojump_clock: MockClock) -> None:
    busy = "192.0.2.1"
    times = await turns(a_pacer(), [busy] * 40 + ["198.51.100.1"])
    assert round(closest(times[busy]), 6) == 0.25
    assert times["198.51.100.1"][0] - times[busy][0] < 0.05  # though 40 asked before it


async def test_one_network_is_not_crowded(autojump_clock: MockClock) -> None:
    times = await turns(a_pacer(), [f"192.0.2.{n}" for n in range(30)])
    assert round(closest([t for found in times.values() for t in found]), 6) == 0.1
    times = await turns(a_pacer(), [f"2001:db8:1:{n}::1" for n in range(30)])
    assert round(closest([t for found in times.values() for t in found]), 6) == 0.1


async def test_every_distance_holds_at_once(autojump_clock: MockClock) -> None:
    addresses = [f"192.0.{n % 3}.{n % 7}" for n in range(60)] + [f"10.9.{n}.1" for n in range(60)]
    times = await turns(a_pacer(overall=30.0), addresses)
    everything = [t for found in times.values() for t in found]
    assert closest(everything) >= 1 / 30 - 1e-9
    assert min(closest(found) for found in times.values() if len(found) > 1) >= 0.25 - 1e-9
    networks: dict[str, list[float]] = {}
    for ip, found in times.items():
        networks.setdefault(network_of(ip), []).extend(found)
    assert min(closest(f) for f in networks.values() if len(f) > 1) >= 0.1 - 1e-9


async def test_an_encrypted_resolver_is_asked_more_often(autojump_clock: MockClock) -> None:
    times = await turns(a_pacer(), ["192.0.2.53"] * 20)
    assert round(closest(times["192.0.2.53"]), 6) == 0.05


async def test_turns_that_a_stall_has_piled_up_do_not_come_as_a_burst(
    autojump_clock: MockClock,
) -> None:
    pacer, used = a_pacer(), list[float]()

    async def one(n: int) -> None:
        await pacer.turn(f"10.{n}.0.1")
        used.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        for n in range(250):
            nursery.start_soon(one, n)
        await trio.sleep(1.0)
        autojump_clock.jump(2.0)  # as if the machine had done something else
    used.sort()
    within = max(sum(start <= t < start + 0.9 for t in used) for start in used)
    assert within <= 60
    assert used[-1] - used[0] < 2.0 + 250 / 60 + 0.5  # and nobody waits for much longer


async def test_a_turn_given_up_holds_nobody_for_long(autojump_clock: MockClock) -> None:
    pacer = a_pacer()
    await pacer.turn("192.0.2.1")
    with trio.move_on_after(0.01):
        await pacer.turn("192.0.2.1")
    start = trio.current_time()
    await pacer.turn("192.0.2.1")
    assert trio.current_time() - start <= 0.5


async def test_memory_is_bounded_by_what_is_recent(autojump_clock: MockClock) -> None:
    pacer = a_pacer(overall=200.0)
    for n in range(3 * MAX_KEYS):
        await pacer.turn(f"10.{n >> 8}.{n & 255}.1")
    assert len(pacer._spacings) <= 2 * MAX_KEYS + 2
    assert len(pacer._overall._taken) < 10


async def test_those_who_wait_are_all_remembered_until_their_turn(
    autojump_clock: MockClock,
) -> None:
    pacer = a_pacer(overall=4.0 * MAX_KEYS)
    async with trio.open_nursery() as nursery:
        for n in range(3 * MAX_KEYS):
            nursery.start_soon(pacer.turn, f"10.{n >> 8}.{n & 255}.1")
        await wait_all_tasks_blocked()
        assert len(pacer._spacings) == 6 * MAX_KEYS
    await trio.sleep(10)
    for n in range(3 * MAX_KEYS):
        await pacer.turn(f"10.100.{n >> 8}.{n & 255}")
    assert len(pacer._spacings) < 6 * MAX_KEYS


@given(st.lists(st.floats(0, 50), max_size=60))
def test_no_two_taken_times_are_ever_too_close(wanted: list[float]) -> None:
    spacing, taken = Spacing(2.0), list[float]()
    for time in wanted:
        free = spacing.free_from(time)
        assert free >= time
        spacing.take(free, now=0.0)
        taken.append(free)
    if len(taken) > 1:
        assert closest(taken) >= 0.5 - 1e-9


class Recorder:
    """A network that notes when it was used."""

    def __init__(self) -> None:
        self.used: list[tuple[str, float]] = []

    async def turn(self, ip: str, port: int) -> None:
        raise AssertionError("the pacer decides")

    async def connect_tcp(self, ip: str, port: int) -> trio.abc.Stream:
        self.used.append(("tcp", trio.current_time()))
        return trio.testing.memory_stream_pair()[0]

    async def open_udp(self, ip: str, port: int) -> Datagrams:
        raise OSError("not here")

    async def system_lookup(self, hostname: str) -> tuple[str, ...]:
        return (hostname,)


async def test_the_wait_is_before_the_connection_not_in_it(autojump_clock: MockClock) -> None:
    inner = Recorder()
    net = PacedNetwork(inner, Rates())
    for _ in range(3):
        await net.turn("192.0.2.1", 443)
        before = trio.current_time()
        await net.connect_tcp("192.0.2.1", 443)
        assert inner.used[-1] == ("tcp", before)
    assert round(trio.current_time(), 6) == round(inner.used[0][1] + 0.5, 6)


async def test_datagrams_are_counted_apart_from_connections(autojump_clock: MockClock) -> None:
    net = PacedNetwork(Recorder(), Rates(connections_per_second=1.0, datagrams_per_resolver=50.0))
    start = trio.current_time()
    await net.turn("192.0.2.1", 443)
    for _ in range(4):
        await net.turn("192.0.2.2", 53)
    assert round(trio.current_time() - start, 3) == round(3 / 50, 3)
    assert await net.system_lookup("x") == ("x",)
