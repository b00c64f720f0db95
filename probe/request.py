"""What a run is asked to do, who is told how it goes, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from probe.evidence import Measurement, Run
from probe.nettest import Nettest
from testlists import Risk, Target


class Reporter(Protocol):
    """Who is told how it goes. Called on the event loop; must not block."""

    def note(self, text: str) -> None:
        """Something the user should know, in a sentence."""

    def began(self, run: Run, planned: int, remaining: int) -> None: ...

    def used(self, bytes: int) -> None:
        """So many bytes went over the line since the run began, either way."""

    def looking_closer(self, differing: int, seconds: float) -> None:
        """The second pass begins: so many differences, for *seconds* at most."""

    def stored(self, measurement: Measurement) -> None:
        """*measurement* is on disk."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a run is asked to do. *lists* maps list names to their versions (digests).

    Of a run that is resumed, only targets of *tiers* of risk are measured (None: all), those
    that somebody typed apart. The run ends when *still_permitted* says no
    (`probe.consent.permission`).
    """

    targets: Sequence[Target]
    nettests: Sequence[Nettest]
    refused: Sequence[tuple[str, int, str]] = ()  # list, line, reason
    lists: dict[str, str] = field(default_factory=dict)
    seed: int = 0
    resume: bool = False
    tiers: Collection[Risk] | None = None
    still_permitted: Callable[[], bool] = lambda: True

    def includes(self, target: Target) -> bool:
        """Whether *target*, planned before, is of what was agreed to."""
        return self.tiers is None or not target.list_name or target.risk in self.tiers


@dataclass(frozen=True, kw_only=True)
class Result:
    """How it ended. *crashes* counts measurements lost to bugs, *signal* is what ended the
    run (0: none), *problem* what the user must be told of a failure."""

    run: Run
    measured: int = 0
    crashes: int = 0
    signal: int = 0
    problem: str = ""
