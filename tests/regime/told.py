"""A simulated history in the engine's workspace."""

from __future__ import annotations

from functools import cache
from typing import Any

from analysis.regime.documents import CalendarEntry
from analysis.regime.load import load
from analysis.regime.tables import outside_tables, regime_tables, table
from analysis.regime.workspace import Workspace
from tests.regime.histories import History


@cache
def _documented() -> dict[str, Any]:
    return regime_tables(load("belarus"))


def workspace(history: History) -> Workspace:
    """The engine's views over *history*; its calendar is the story's own."""
    calendar = table(history.outside.get("calendar", ()), CalendarEntry)
    return Workspace(
        verdicts=history.verdicts, tests=history.tests, events=history.events,
        tables={**_documented(), **outside_tables(history.outside), "calendar": calendar},
        threads=1,
    )  # fmt: skip
