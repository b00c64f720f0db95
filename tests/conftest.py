"""Runs ``async def`` tests under trio, with virtual time where a test asks for it."""

from __future__ import annotations

import inspect
import os
import sys

import pytest
from hypothesis import HealthCheck, settings
from trio.testing import MockClock, trio_test

from tests.dealing import dealt

# How fast examples come depends on what else the machine does, and is no property of ours.
# In CI the examples are the same every time: new ones are for those who are there to look.
settings.register_profile(
    "zond",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("zond")

# What is said is compared in English; a test of other languages says so by itself.
os.environ["LC_ALL"] = os.environ["LANG"] = "C.UTF-8"  # the lab passes on the second alone
# And as it is said to a file of the usual width: who runs the tests may have asked for colours.
for _name in ("COLUMNS", "FORCE_COLOR", "LANGUAGE", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
    os.environ.pop(_name, None)
# Servers of tests are on the loopback, where no proxy of this machine leads; to packages it may.
_direct = [os.environ.get("no_proxy", ""), "127.0.0.1", "localhost", "::1"]
os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(filter(None, _direct))

# pyspark takes a main module without a file, as pytest-xdist's workers have, for its doctests.
_main = sys.modules["__main__"]
if not hasattr(_main, "__file__"):
    _main.__file__ = __file__


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
        items[:] = dealt(items, workers)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    if inspect.iscoroutinefunction(pyfuncitem.obj):
        pyfuncitem.obj = trio_test(pyfuncitem.obj)
