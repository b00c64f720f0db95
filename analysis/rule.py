"""What a rule is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ibis.common.deferred import Deferred  # type: ignore[import-untyped]

Outcome = Literal[
    "ok", "blocked", "down", "server_side", "local_fault", "inconclusive", "not_measured"
]
Trigger = Literal["name", "address", "port", "protocol", "any"]


@dataclass(frozen=True)
class Rule:
    """*when* it fires, it gives an *outcome* or names a *mechanism* or a *trigger*; *comment*
    says why."""

    id: str
    when: Deferred
    comment: str
    source: str
    outcome: Outcome | None = None
    mechanism: str | None = None
    trigger: Trigger | None = None
