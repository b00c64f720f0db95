"""Answers are kept for a short while, shared while they come, and bounded."""

from __future__ import annotations

import weakref

import pytest
import trio
from trio.testing import MockClock

from probe.control.cache import Cache, Found


def cache(*, seconds: float = 120.0, entries: int = 10, max_bytes: int = 10**6) -> Cache:
    return Cache(seconds=seconds, entries=entries, max_bytes=max_bytes)


class Visits:
    def __init__(self, *, takes: float = 0.0, evidence: bytes = b"[]") -> None:
        self.count = 0
        self.takes = takes
        self.evidence = evidence
        self.complete = True
        self.fails = 0

    def to(self, *told: str) -> Visits:
        self.told = frozenset(told)
        return self

    async def __call__(self) -> Found:
        self.count += 1
        told, began = self.told, trio.current_time()
        await trio.sleep(self.takes)
        if self.fails:
            self.fails -= 1
            raise ValueError("no")
        return Found(
            told=told, began=began, summary=b"{}", evidence=self.evidence, complete=self.complete
        )


ONE, TWO = frozenset({"192.0.2.1"}), frozenset({"192.0.2.1", "192.0.2.2"})


async def test_a_second_question_costs_no_second_visit(autojump_clock: MockClock) -> None:
    kept, visits = cache(), Visits(takes=3).to(*ONE)
    first = await kept.find("u", ONE, visits)
    await trio.sleep(100)
    assert first is await kept.find("u", ONE, visits)
    assert first is await kept.find("u", frozenset(), visits)
    assert 1 == visits.count


async def test_an_answer_is_forgotten_when_it_is_too_old(autojump_clock: MockClock) -> None:
    kept, visits = cache(seconds=60), Visits().to()
    await kept.find("u", frozenset(), visits)
    await trio.sleep(61)
    await kept.find("u", frozenset(), visits)
    assert 2 == visits.count


async def test_what_is_too_old_goes_though_nobody_asks_for_it_again(
    autojump_clock: MockClock,
) -> None:
    kept = cache(seconds=60)
    gone = weakref.ref(await kept.find("u", frozenset(), Visits().to()))
    await trio.sleep(61)
    await kept.find("another", frozenset(), Visits().to())
    assert gone() is None


async def test_an_answer_does_not_serve_who_knows_another_address() -> None:
    kept, visits = cache(), Visits()
    await kept.find("u", ONE, visits.to(*ONE))
    found = await kept.find("u", TWO, visits.to(*TWO))
    assert 2 == visits.count
    assert found is await kept.find("u", ONE, visits)


async def test_those_who_ask_at_once_share_one_visit(autojump_clock: MockClock) -> None:
    kept, visits = cache(), Visits(takes=5).to(*TWO)
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept.find, "u", TWO, visits)
        await trio.sleep(1)
        for told in (ONE, frozenset[str](), TWO):
            nursery.start_soon(kept.find, "u", told, visits)
    assert 1 == visits.count
    assert pytest.approx(5) == trio.current_time() - began


async def test_when_the_one_who_went_is_cancelled_another_goes(autojump_clock: MockClock) -> None:
    kept, visits = cache(), Visits(takes=5).to()
    found: list[Found] = []

    async def patient() -> None:
        found.append(await kept.find("u", frozenset(), visits))

    async with trio.open_nursery() as nursery:
        with trio.move_on_after(1):
            async with trio.open_nursery() as impatient:
                impatient.start_soon(kept.find, "u", frozenset[str](), visits)
                await trio.sleep(0.5)
                nursery.start_soon(patient)
    assert 2 == visits.count
    assert 1 == len(found)


async def test_an_error_reaches_who_went_and_is_not_kept(autojump_clock: MockClock) -> None:
    kept, visits = cache(), Visits(takes=1).to()
    visits.fails = 1
    with pytest.raises(ValueError, match="no"):
        await kept.find("u", frozenset(), visits)
    assert b"{}" == (await kept.find("u", frozenset(), visits)).summary


async def test_what_was_cut_short_is_not_kept() -> None:
    kept, visits = cache(), Visits().to()
    visits.complete = False
    await kept.find("u", frozenset(), visits)
    await kept.find("u", frozenset(), visits)
    assert 2 == visits.count


async def test_the_oldest_go_when_there_are_too_many_entries() -> None:
    kept, visits = cache(entries=2), Visits().to()
    for url in ("a", "b", "c"):
        await kept.find(url, frozenset(), visits)
    await kept.find("c", frozenset(), visits)
    await kept.find("b", frozenset(), visits)
    assert 3 == visits.count
    await kept.find("a", frozenset(), visits)
    assert 4 == visits.count


async def test_the_oldest_go_when_there_are_too_many_bytes() -> None:
    kept, visits = cache(max_bytes=25_000), Visits(evidence=b"x" * 9_000).to()
    for url in ("a", "b", "c"):
        await kept.find(url, frozenset(), visits)
    await kept.find("c", frozenset(), visits)
    assert 3 == visits.count
    await kept.find("a", frozenset(), visits)
    assert 4 == visits.count


async def test_what_is_larger_than_the_cache_is_given_and_not_kept() -> None:
    kept, visits = cache(max_bytes=5_000), Visits(evidence=b"x" * 9_000).to()
    assert 9_000 == len((await kept.find("a", frozenset(), visits)).evidence)
    await kept.find("a", frozenset(), visits)
    assert 2 == visits.count
