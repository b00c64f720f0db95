"""In which order the workers of a parallel run take the tests.

Each worker of ``pytest-xdist --dist worksteal`` begins with an equal stretch of the list, and
who is done takes from the end of another's. Tests of the lab mostly wait, the others mostly
compute: where each stretch begins with its share of the lab and ends with what computes, no
worker is left at the end with a queue of waiting, and the lab has the processor for itself.
What is marked ``long`` is the very first of it.
Tests that share a country, a fixture of their module, stay together.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import groupby, islice

import pytest


def company(item: pytest.Item) -> Hashable:
    """What *item* shares with those that it should stay with: its module, else nothing."""
    assert isinstance(item, pytest.Function)
    fixtures = item._fixtureinfo.name2fixturedefs.values()
    shared = any(definition[-1].scope == "module" for definition in fixtures)
    return item.path if shared else item.nodeid


def is_long(item: pytest.Item) -> bool:
    return item.get_closest_marker("long") is not None


def dealt(
    items: Sequence[pytest.Item], workers: int, company: Callable[[pytest.Item], Hashable] = company
) -> list[pytest.Item]:
    """*items* in an order of which each of *workers* equal stretches begins with the lab."""
    waiting = [i for i in items if "lab" in i.path.parts]
    computing = iter([i for i in items if "lab" not in i.path.parts])
    groups = [list(group) for _, group in groupby(waiting, key=company)]
    stretches: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for group in sorted(groups, key=lambda group: (is_long(group[0]), len(group)), reverse=True):
        min(stretches, key=len).extend(group)
    order: list[pytest.Item] = []
    for number, stretch in enumerate(stretches, start=1):
        order += stretch
        room = len(items) * number // workers - len(order)
        order += islice(computing, max(0, room))
    return [*order, *computing]
