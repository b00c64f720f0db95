"""However many are greedy, who comes next finds something."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from probe.serving.clients import Clients, Refused, Uses
from probe.serving.shares import Room, Shares, Turns


def test_a_client_may_hold_as_much_as_is_left() -> None:
    shares = Shares(256)
    held = {}
    for greedy in "abc":
        while shares.take(greedy):
            pass
        held[greedy] = shares.held(greedy)
    assert {"a": 128, "b": 64, "c": 32} == held
    assert shares.take("late")
    while held["a"]:
        shares.give_back("a")
        held["a"] -= 1
    assert shares.take("b")
    assert shares.take("late", 63)


def test_what_does_not_fit_is_not_taken_in_part() -> None:
    shares = Shares(100, each=40)
    assert not shares.take("a", 41)
    assert shares.take("a", 40)
    assert not shares.take("a")
    assert 40 == shares.taken


async def test_turns_of_a_client_come_one_after_another(autojump_clock: MockClock) -> None:
    turns, came = Turns(gap=1, patience=3), []

    async def one(client: str) -> None:
        came.append((client, await turns.mine(client), trio.current_time() - began))

    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for client in "aaaaab":
            nursery.start_soon(one, client)
    assert sorted(came) == [
        ("a", False, 0), ("a", True, 0), ("a", True, 1), ("a", True, 2), ("a", True, 3),
        ("b", True, 0),
    ]  # fmt: skip
    await trio.sleep(10)
    assert await turns.mine("a")
    assert trio.current_time() - began == 13


async def test_who_has_less_comes_first_and_each_in_turn(autojump_clock: MockClock) -> None:
    room = Room(4, waiting=100, patience=1000)
    came: list[str] = []

    async def visit(client: str, seconds: float) -> None:
        async with room.place(client):
            came.append(client)
            await trio.sleep(seconds)

    async with trio.open_nursery() as nursery:
        for seconds in (10, 20, 30, 40):
            nursery.start_soon(visit, "greedy", seconds)
            await wait_all_tasks_blocked()
        nursery.start_soon(visit, "other", 1000)
        await wait_all_tasks_blocked()
        assert ["greedy", "greedy", "other"] == came
        nursery.start_soon(visit, "late", 1000)
        await wait_all_tasks_blocked()
        assert ["greedy", "greedy", "other", "late"] == came
        await trio.sleep(15)  # one of the greedy one's ends: it has one, as the others have
        assert 4 == len(came)


async def test_who_waits_too_long_or_goes_away_leaves_nothing(autojump_clock: MockClock) -> None:
    room = Room(2, waiting=4, patience=10)

    async def hold() -> None:
        async with room.place("holder"):
            await trio.sleep(100)

    async def wait() -> None:
        async with room.place("holder"):
            raise AssertionError("there was no place")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hold)
        await wait_all_tasks_blocked()
        with trio.move_on_after(5):
            await wait()
        began = trio.current_time()
        with pytest.raises(Refused) as refused:
            await wait()
        assert 503 == refused.value.status
        assert 10 == trio.current_time() - began
    async with room.place("holder"):
        pass


async def test_a_place_given_to_who_has_just_gone_is_another_ones(
    autojump_clock: MockClock,
) -> None:
    room = Room(2, waiting=8, patience=100)
    came: list[int] = []

    async def visit(number: int, scope: trio.CancelScope, gone: trio.Event) -> None:
        with scope:
            async with room.place("same"):
                came.append(number)
                await gone.wait()

    scopes = [trio.CancelScope() for _ in range(3)]
    gone = [trio.Event() for _ in range(3)]
    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(visit, number, scopes[number], gone[number])
            await wait_all_tasks_blocked()
        assert [0] == came
        scopes[0].cancel()
        scopes[1].cancel()
        await wait_all_tasks_blocked()
        assert [0, 2] == came
        gone[2].set()


async def test_the_first_uses_of_a_client_nobody_else_can_take() -> None:
    clients, uses = Clients(window=600), Uses(all=10, each=7, always=2)

    def used(client: str, times: int) -> int:
        count = 0
        for _ in range(times):
            try:
                clients.spend_on("host site.example", client, uses)
                count += 1
            except Refused as refused:
                assert 429 == refused.status
        return count

    assert [7, 7, 2, 2] == [used(f"192.0.2.{n}", 50) for n in range(1, 5)]


async def test_names_of_hosts_do_not_crowd_out_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.serving.clients.MAX_CLIENTS", 10)
    clients = Clients(window=600)
    for number in range(100):
        try:
            clients.spend(f"host site{number}.example", 5)
        except Refused:
            continue
    assert [1, 1] == [clients.spend(f"192.0.2.{n}", 5) for n in (1, 2)]
