"""Was the line itself alive while this was measured?

The canaries tell, ring by ring, for the time of one measurement. A ring counts as
lost only if every canary of it that was looked at then failed at least once, and if it
had been alive before: a ring that never answered is unknown, not lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from probe.evidence import CanaryCheck, Measurement, Run

MARGIN = 12.0  # seconds round a measurement; canaries are looked at about every ten
NEARLY_ALL = 0.8  # of the lookups of canaries' names, to call the resolver dead


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """*lost* rings, whether the own resolver is *resolver_dead* or surely *resolver_alive*."""

    lost: frozenset[str] = frozenset()
    alive: frozenset[str] = frozenset()
    resolver_dead: bool = False
    resolver_alive: bool = False
    ipv6: bool = True


def surroundings(
    measurement: Measurement, run: Run, canaries: Sequence[CanaryCheck]
) -> Surroundings:
    """What *canaries* (all of the run) say about the time of *measurement*."""
    begin = measurement.started_at - MARGIN
    end = measurement.started_at + measurement.runtime + MARGIN
    during = [c for c in canaries if begin <= c.at <= end]
    family = 4 if run.ipv4 else 6
    lost, alive = set(), set()
    for ring in ("home", "domestic", "foreign"):
        checks = [c for c in during if c.ring == ring and c.family == family]
        lived = any(
            c.failure is None
            for c in canaries
            if c.ring == ring and c.family == family and c.at <= end
        )
        if checks and lived and _all_failed(checks):
            lost.add(ring)
        elif any(c.failure is None for c in checks):
            alive.add(ring)
    outside = [c for c in during if c.ring != "home"]
    unresolved = sum(1 for c in outside if c.resolver_failure is not None)
    sixth = [c for c in during if c.family == 6 and c.ring != "home"]
    return Surroundings(
        lost=frozenset(lost),
        alive=frozenset(alive),
        resolver_dead=bool(outside) and unresolved >= NEARLY_ALL * len(outside),
        resolver_alive=any(c.resolver_failure is None for c in outside),
        ipv6=run.ipv6 and not (sixth and all(c.failure is not None for c in sixth)),
    )


def local_columns(run: Run, forger: str) -> dict[str, Any]:
    """Columns of what stands in the household; *forger* signs for everybody (`over_run`)."""
    near = run.forger_at == "machine" or (run.forger_at == "hop" and run.home_router is True)
    countries = {run.resolver_cc, run.probe_cc}
    return {
        "forger": bool(forger),
        "forger_near": bool(forger) and near,
        "home_router": run.home_router is True,
        "resolver_foreign": len(countries) == 2 and "ZZ" not in countries,
    }


def _all_failed(checks: Sequence[CanaryCheck]) -> bool:
    """Whether each canary failed at least once; one of several may be down by itself."""
    names = {c.name for c in checks}
    return names == {c.name for c in checks if c.failure is not None}
