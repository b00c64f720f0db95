"""What `bench/fuzz.py` begins with, and some changes of it, is read or refused with a reason."""

from __future__ import annotations

import pytest

from bench.fuzz import TARGETS, changed, seeds


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_changes_of_them_raise_nothing(name: str) -> None:
    for seed in seeds(name):
        TARGETS[name](seed)
        TARGETS[name](seed[: len(seed) // 2])
        for number in range(20):
            TARGETS[name](changed(seed, number) or seed[number:])


def test_a_change_leaves_json_what_it_is_at_one_place() -> None:
    (seed, *_) = seeds("ooni")
    assert len({changed(seed, number) for number in range(50)}) > 25
    assert changed(b"no json", 1) == b""
