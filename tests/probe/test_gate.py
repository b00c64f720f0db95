from __future__ import annotations

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from probe.gate import Gate

OWN, BOTH, OTHER = "192.0.43.1", "192.0.43.2", "192.0.43.3"


async def play(
    sources: list[tuple[str, bool]],
    good: set[str],
    delays: list[float],
    fetch_time: float = 0.3,
) -> list[tuple[str, bool]]:
    """Who fetched, in order, and whether it worked: addresses are learned in the order of
    *sources*, each after its delay, and connect at once."""
    gate = Gate()
    fetched: list[tuple[str, bool]] = []
    at_work = 0

    async def endpoint(ip: str) -> None:
        nonlocal at_work
        async with gate.turn(ip) as turn:
            if not turn.granted:
                return
            at_work += 1
            assert at_work <= 2
            await trio.sleep(fetch_time)
            at_work -= 1
            turn.done = ip in good
            fetched.append((ip, turn.done))

    with trio.fail_after(1000):
        async with trio.open_nursery() as nursery:
            tried = set()
            for (ip, own), delay in zip(sources, delays, strict=True):
                await trio.sleep(delay)
                gate.learn(ip, own=own)
                if ip not in tried:
                    tried.add(ip)
                    nursery.start_soon(endpoint, ip)
            gate.complete()
    return fetched


def run(*args: object, **named: object) -> list[tuple[str, bool]]:
    clock = MockClock(autojump_threshold=0)
    return trio.run(lambda: play(*args, **named), clock=clock)  # type: ignore[arg-type]


def test_the_page_is_fetched_once_on_the_users_path() -> None:
    sources = [(OTHER, False), (OWN, True), (BOTH, True), (BOTH, False)]
    assert [(OWN, True)] == run(sources, {OWN, BOTH, OTHER}, [0.0] * 4)


def test_a_second_time_where_nobody_else_knows_the_users_addresses() -> None:
    assert {(OWN, True), (OTHER, True)} == set(run(
        [(OTHER, False), (OWN, True)], {OWN, OTHER}, [0.0] * 2)
    )


def test_a_failed_fetch_passes_the_turn_on() -> None:
    sources = [(OWN, True), (BOTH, True), (BOTH, False), (OTHER, False)]
    assert [(OWN, False), (BOTH, True)] == run(sources, {BOTH, OTHER}, [0.0] * 4)


def test_others_are_no_substitute_for_the_users_path() -> None:
    sources = [(BOTH, True), (BOTH, False), (OTHER, False)]
    assert [(BOTH, False)] == run(sources, {OTHER}, [0.0] * 3)


def test_without_addresses_of_its_own_another_is_fetched() -> None:
    assert [(OTHER, True)] == run([(OTHER, False)], {OTHER}, [0.0])


async def test_a_wait_of_more_than_a_second_is_stale(autojump_clock: MockClock) -> None:
    for wait, stale in ((0.9, False), (1.1, True)):
        gate = Gate()
        gate.learn(OTHER, own=False)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, wait)

            async def later(gate: Gate = gate, wait: float = wait) -> None:
                await trio.sleep(wait)
                gate.complete()

            nursery.start_soon(later)
            async with gate.turn(OTHER) as turn:
                assert (True, stale) == (turn.granted, turn.stale)


async def test_a_holder_that_is_cancelled_passes_the_turn_on(autojump_clock: MockClock) -> None:
    gate = Gate()
    gate.learn(OWN, own=True)
    gate.learn(BOTH, own=True)
    with trio.move_on_after(1):
        async with gate.turn(OWN):
            await trio.sleep_forever()
    async with gate.turn(BOTH) as turn:
        assert turn.granted


ADDRESSES = [f"192.0.43.{n}" for n in range(1, 6)]


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(ADDRESSES), st.booleans(), st.sampled_from([0.0, 0.1, 0.3, 0.5])
        ),
        max_size=9,
    ),
    st.sets(st.sampled_from(ADDRESSES)),
)
def test_no_order_ends_in_a_deadlock_or_a_fetch_too_many(
    events: list[tuple[str, bool, float]], good: set[str]
) -> None:
    sources = [(ip, own) for ip, own, _ in events]
    fetched = run(sources, good, [delay for *_, delay in events])
    own = {ip for ip, mine in sources if mine}
    others = {ip for ip, mine in sources if not mine}
    worked = [ip for ip, done in fetched if done]
    assert len(fetched) == len(set(fetched))
    if own & good:
        assert 1 == len([ip for ip in worked if ip in own])
    else:  # each was tried
        assert own == {ip for ip, _ in fetched if ip in own}
    if own & others:
        assert {ip for ip, _ in fetched} <= own
    elif others & good:
        assert 1 == len([ip for ip in worked if ip in others])
