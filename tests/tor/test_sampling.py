"""The sample: of every kind some, and the same for everybody by the same word."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from probe.tor.consensus import Relay
from probe.tor.sampling import DAY, age, role, sample

NOW = 1_790_000_000.0
FLAGS = {"exit": ("Exit", "Running"), "guard": ("Guard", "Running"), "middle": ("Running",)}


def relay(name: str, kind: str = "middle", *more: str) -> Relay:
    return Relay(
        nickname="x", fingerprint=hashlib.sha1(name.encode()).hexdigest().upper(), ip="20.0.0.1",
        or_port=9001, dir_port=0, flags=(*FLAGS[kind], *more),
    )  # fmt: skip


MANY = [relay(f"middle{n}") for n in range(900)]
FEW = [relay(f"exit{n}", "exit") for n in range(5)]
FEW += [relay(f"guard{n}", "guard") for n in range(50)]
NEW = {r.fingerprint: NOW - 2 * DAY for r in MANY[:4]}
BORN = {r.fingerprint: NOW - 900 * DAY for r in [*MANY[4:], *FEW]} | NEW


def drawn(count: int, seed: str = "2026-11") -> list[Relay]:
    return sample([*MANY, *FEW], count, seed, born=BORN, now=NOW)


def test_the_few_are_in_it_as_the_many_are() -> None:
    chosen = drawn(40)
    assert {"exit": 5, "guard": 16, "middle": 19} == Counter(map(role, chosen))
    assert 4 == sum(r.fingerprint in NEW for r in chosen)


def test_the_same_word_draws_the_same_and_another_others() -> None:
    assert drawn(40) == drawn(40)
    assert drawn(40)[:20] == drawn(20)
    assert {r.fingerprint for r in drawn(40)} != {r.fingerprint for r in drawn(40, "2026-12")}


def test_the_order_of_the_consensus_does_not_matter() -> None:
    turned = sample([*MANY, *FEW][::-1], 40, "2026-11", born=BORN, now=NOW)
    assert drawn(40) == turned


def test_one_more_relay_changes_at_most_one() -> None:
    more = sample([*MANY, *FEW, relay("late")], 40, "2026-11", born=BORN, now=NOW)
    assert 35 <= len({r.fingerprint for r in drawn(40)} & {r.fingerprint for r in more})


def test_all_of_them_where_there_are_no_more() -> None:
    assert 955 == len(drawn(5000))


@pytest.mark.parametrize("flags", [("Authority",), ()])
def test_who_does_not_run_and_who_is_an_authority_is_not_drawn(flags: tuple[str, ...]) -> None:
    odd = relay("odd", "exit", *flags)
    if not flags:
        odd = Relay(**{**vars(odd), "flags": ("Exit",)})
    assert [] == sample([odd], 10, "x", born={}, now=NOW)


def test_ages_end_where_they_are_said_to() -> None:
    assert ["young", "grown", "grown", "old"] == [age(d * DAY) for d in (29, 30, 364, 365)]


def test_a_bad_exit_is_none() -> None:
    assert "middle" == role(relay("bad", "exit", "BadExit"))
