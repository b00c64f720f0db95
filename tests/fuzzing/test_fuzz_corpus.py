"""Every codec with what is known to have hurt it, and with changes of what it reads.

`bench/fuzz.py` looks for more, by the hour; what it finds is kept in ``tests/corpus``.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.fuzzing.changing import changed, hostile
from bench.fuzzing.target import Target, TooSlow
from bench.fuzzing.targets import TARGETS

CORPUS = Path(__file__).parents[1] / "corpus"


def corpus(name: str) -> list[Path]:
    return sorted((CORPUS / name).glob("*"))


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_known_is_read_or_refused(name: str) -> None:
    seeds = list(TARGETS[name].seeds())
    assert any([TARGETS[name](seed) for seed in seeds])  # else nothing but refusing is tried
    for path in corpus(name):
        TARGETS[name](path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_changes_of_it_are_too(name: str) -> None:
    target = TARGETS[name]
    known = [*target.seeds(), *(path.read_bytes() for path in corpus(name))]

    @settings(
        max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )  # fmt: skip
    @given(st.sampled_from(known), st.integers(0, 1 << 32))
    def never_raises(data: bytes, number: int) -> None:
        tree = changed(data, number) if target.json and number % 2 else b""
        target(tree or hostile(data, number, target.words))

    never_raises()


def test_every_folder_of_the_corpus_has_its_target() -> None:
    assert {path.name for path in CORPUS.iterdir()} <= set(TARGETS)


def test_a_target_that_raises_or_takes_long_is_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(data: bytes) -> None:
        if data == b"refused":
            raise KeyError(data)
        if data == b"raises":
            raise IndexError(data)
        if data == b"slow":
            sum(range(100_000))

    target = Target("it", run, tuple, (), refuses=(KeyError,))
    assert (True, False) == (target(b"x"), target(b"refused"))
    with pytest.raises(IndexError):
        target(b"raises")
    monkeypatch.setattr("bench.fuzzing.target.SECONDS", 1e-4)
    with pytest.raises(TooSlow):
        target(b"slow")


def test_a_change_leaves_json_what_it_is_at_one_place() -> None:
    seed = next(iter(TARGETS["ooni_document"].seeds()))
    assert len({changed(seed, number) for number in range(50)}) > 25
    assert b"" == changed(b"no json", 1)
    assert hostile(seed, 7) == hostile(seed, 7) != seed
