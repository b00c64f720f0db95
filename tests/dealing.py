"""In which order the workers of a parallel run take the tests.

Each worker of ``pytest-xdist --dist worksteal`` begins with an equal stretch of the list, and
who is done takes from the end of another's. Tests of the lab mostly wait, the others mostly
compute: where each stretch begins with its share of the lab and ends with what computes, no
worker is left at the end with a queue of waiting, and the lab has the processor for itself.
Modules stay whole, since their fixtures build countries.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, islice

import pytest


def dealt(items: Sequence[pytest.Item], workers: int) -> list[pytest.Item]:
    """*items* in an order of which each of *workers* equal stretches begins with the lab."""
    waiting = [i for i in items if "lab" in i.path.parts]
    computing = iter([i for i in items if "lab" not in i.path.parts])
    modules = [list(group) for _, group in groupby(waiting, key=lambda item: item.path)]
    stretches: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for module in sorted(modules, key=len, reverse=True):
        min(stretches, key=len).extend(module)
    order: list[pytest.Item] = []
    for number, stretch in enumerate(stretches, start=1):
        order += stretch
        room = len(items) * number // workers - len(order)
        order += islice(computing, max(0, room))
    return [*order, *computing]
