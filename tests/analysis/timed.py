"""Follow-ups in which a page was timed, by hand: what the rung ``speed`` leaves."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec

from probe.evidence import PROBE, HTTPExchange, Measurement, Transfer
from probe.failure import Failure
from tests.analysis.build import BOTH, SITE, Scene

Fact = str | bool | int | float | None

SIZE = 40_000
ROUNDS = range(8)


def made(
    what: str, seconds: float, *, number: int = 0, vantage: str = PROBE, beside: str = "",
    received: int = SIZE, failure: Failure | None = None, status: int | None = 200,
    connect: float = 0.05,
) -> Transfer:  # fmt: skip
    return Transfer(
        what=what, source=SITE, vantage=vantage, round=number, beside=beside, step="speed",
        t0=10.0, t=10.0 + seconds, connect=connect, wait=0.05, seconds=max(0.0, seconds - 0.1),
        asked=SIZE, received=received, whole=received == SIZE, status=status, failure=failure,
    )  # fmt: skip


def timed(
    *, mine: float, unnamed: float | None = None, control: float | None = 0.3,
    server: Sequence[float] = (0.2, 0.2), spread: float = 0.05, rounds: Sequence[int] = ROUNDS,
    rtt: float = 0.05,
) -> list[Transfer]:
    """What the rung leaves: our times, and each control's of the page. A control's bytes
    come in *control* seconds; all times vary by *spread*. *rtt* is ours to the server."""
    chance = random.Random(1)

    def about(seconds: float) -> float:
        return seconds * chance.uniform(1 - spread, 1 + spread)

    found: list[Transfer] = []
    for n in rounds:
        found.append(made("accused", about(mine), number=n, connect=rtt))
        if control is not None:
            found.append(made("control", about(control), number=n, beside="accused"))
        if unnamed is not None:
            found.append(made("unnamed", about(unnamed), number=n))
    for name, seconds in zip(BOTH, server, strict=False):
        found += [made("accused", about(seconds), number=n, vantage=name) for n in range(5)]
    return found


def scene(
    transfers: Sequence[Transfer], *, seconds: float = 1.0, truncated: bool = False
) -> Scene:
    """A page that came, here after *seconds*, and the follow-up that timed it."""
    found = Scene().names().control_names().visit().asked(*BOTH)
    found.evidence = [
        msgspec.structs.replace(e, t=seconds, body_truncated=truncated)
        if isinstance(e, HTTPExchange) and e.vantage == PROBE
        else e
        for e in found.evidence
    ]
    comparison: dict[str, Fact] = {
        "accused": "slow", "accused_url": found.url, "ip": SITE, "port": 443
    }  # fmt: skip
    found.climbs.append(
        Measurement(
            id="climb", run_id="run", nettest="diagnosis", nettest_version="1", url=found.url,
            evidence=tuple(transfers), about="m", comparison=comparison,
        )
    )
    return found
