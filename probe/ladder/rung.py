"""The seam: what is accused, what a rung is, and how the rungs are found.

A rung is one decorated coroutine in ``probe.ladder.rungs``. Its docstring is the
question that it answers; its id is the ``step`` of every record that it makes. It
changes one thing, and what changes the outcome names the trigger.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from probe.wire.url import URL

if TYPE_CHECKING:
    from probe.ladder.climb import Climb

Layer = Literal["dns", "tcp", "tls", "certificate", "http", "page", "quic", "slow"]

# First whether one test colours the next, since all others depend on that; then whether
# it happens again; only then what it depends on, where it happens, and how fast.
Phase = Literal["residual", "confirm", "trigger", "where", "speed"]
PHASES: tuple[Phase, ...] = get_args(Phase)


@dataclass(frozen=True, kw_only=True)
class Accused:
    """What differs: *layer* of *url* at one address and port, and *how* it failed.

    *how* is the failure's string, or empty where something came that others do not get
    (another page, another address). For ``dns`` the address is the resolver's and the
    port 53. *depth*: as in the evidence.
    """

    layer: Layer
    url: URL
    ip: str
    port: int
    how: str = ""
    depth: int = 0
    rdtype: str = "A"

    @property
    def host(self) -> str:
        return self.url.host


Run = Callable[["Climb", Accused], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Rung:
    """*asks* is its question, in a sentence; *of* the layers where it is asked."""

    id: str
    asks: str
    of: frozenset[Layer]
    phase: Phase
    run: Run


REGISTRY: dict[str, Rung] = {}


def rung(id: str, *, of: tuple[Layer, ...], phase: Phase) -> Callable[[Run], Run]:
    """Register the decorated coroutine function as the rung *id*."""

    def register(run: Run) -> Run:
        if id in REGISTRY:
            raise ValueError(f"two rungs are named {id!r}")
        asks = (run.__doc__ or "").strip().partition("\n")[0]  # Python's -OO leaves none
        REGISTRY[id] = Rung(id=id, asks=asks, of=frozenset(of), phase=phase, run=run)
        return run

    return register


def rungs(layer: Layer) -> list[Rung]:
    """The rungs for *layer*, in the order in which they are climbed."""
    package = importlib.import_module("probe.ladder.rungs")
    for module in sorted(found.name for found in pkgutil.iter_modules(package.__path__)):
        importlib.import_module(f"{package.__name__}.{module}")
    return sorted(
        (r for r in REGISTRY.values() if layer in r.of), key=lambda r: PHASES.index(r.phase)
    )
