"""One browser, and each database read once, for all of these tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from analysis.report.gather import Facts, gather
from tests.report import browser as browsers
from tests.report import databases
from tests.report.making import made, written


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with browsers.chromium() as started:
        yield started


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="session")
def run(folder: Path) -> Path:
    """A database of one run in which every state is met."""
    return databases.varied(folder / "run.db")


@pytest.fixture(scope="session")
def run_facts(run: Path) -> Facts:
    return gather(run, None, "belarus")


@pytest.fixture(scope="session")
def run_page(run_facts: Facts, folder: Path) -> Path:
    return written(run_facts, folder / "run.html")


@pytest.fixture(scope="session")
def history_page(folder: Path) -> Path:
    """Of two days on two networks."""
    return made(databases.history(folder / "history.db"), folder / "history.html")


@pytest.fixture(scope="session")
def hostile_page(folder: Path) -> Path:
    return made(databases.hostile(folder / "hostile.db"), folder / "hostile.html")
