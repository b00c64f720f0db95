"""Runs ``async def`` tests under trio, with virtual time where a test asks for it."""

from __future__ import annotations

import inspect

import pytest
from trio.testing import MockClock, trio_test


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    if inspect.iscoroutinefunction(pyfuncitem.obj):
        pyfuncitem.obj = trio_test(pyfuncitem.obj)
