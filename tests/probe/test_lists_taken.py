"""What zond carries, zond measures: no target of a carried list is left to nobody."""

from __future__ import annotations

import pytest

from probe.nettest import discover
from testlists import builtin, builtin_names


@pytest.mark.parametrize("name", builtin_names())
def test_each_target_is_taken_by_one_nettest(name: str) -> None:
    tests = discover().values()
    taken = {t.url: [test.name for test in tests if test.takes(t)] for t in builtin(name)[0]}
    assert {url: takers for url, takers in taken.items() if len(takers) != 1} == {}
