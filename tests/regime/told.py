"""A simulated history in the engine's workspace."""

from __future__ import annotations

from functools import cache
from typing import Any

from analysis.regime.load import networks
from analysis.regime.model import Network
from analysis.regime.tables import outside_tables, table
from analysis.regime.workspace import Workspace
from tests.regime.histories import History


@cache
def _networks() -> Any:
    return table(networks("belarus").values(), Network)


def workspace(history: History) -> Workspace:
    """The engine's views over *history*."""
    return Workspace(
        verdicts=history.verdicts, tests=history.tests, events=history.events,
        tables={"networks": _networks(), **outside_tables(history.outside)}, threads=1,
    )  # fmt: skip
