"""A parallel run takes every test once, and each worker's stretch begins with the lab."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from tests.dealing import dealt


@dataclass(frozen=True)
class Item:
    path: Path
    number: int
    long: bool = False

    def get_closest_marker(self, name: str) -> object:
        return True if self.long and name == "long" else None


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9))), st.integers(1, 9))
def test_every_test_is_dealt_once(files: list[tuple[str, int]], workers: int) -> None:
    places = {"a": "tests/lab", "b": "tests/probe"}
    items = [Item(Path(places[a], f"test_{f}.py"), n) for n, (a, f) in enumerate(sorted(files))]
    order = dealt(cast(Any, items), workers, lambda item: item.path)
    assert sorted(cast(Any, order), key=lambda item: item.number) == items


def test_each_stretch_begins_with_the_lab() -> None:
    lab = [Item(Path(f"tests/lab/test_{n // 3}.py"), n) for n in range(30)]
    rest = [Item(Path("tests/probe/test_0.py"), n) for n in range(30, 90)]
    order = dealt(cast(Any, rest + lab), 3, lambda item: item.path)
    for number in range(3):
        stretch = [item.path.parent.name for item in order[number * 30 : number * 30 + 30]]
        assert stretch == ["lab"] * stretch.count("lab") + ["probe"] * stretch.count("probe")
        assert stretch.count("lab") >= 9


def test_what_takes_long_is_begun_at_once() -> None:
    lab = [Item(Path(f"tests/lab/test_{n}.py"), n, long=n in (4, 20, 29)) for n in range(30)]
    rest = [Item(Path("tests/probe/test_0.py"), n) for n in range(30, 90)]
    order = dealt(cast(Any, lab + rest), 3, lambda item: item.path)
    assert {4, 20, 29} == {cast(Any, order[number * 30]).number for number in range(3)}
