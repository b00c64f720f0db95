"""How much the line itself lost during the run, by what the probe's own traffic shows.

Unprivileged: a SYN that is lost is sent again after one second, and again after three (RFC
6298, 2.1 and 5.5), so a connection that stands that much later than most had lost its SYN
or the answer to it. One that is late by something else met a slow machine or a queue.
Connections that never stood are left out: a censor may have dropped those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from probe.evidence import PROBE, CanaryCheck, Measurement, TCPConnect

SENT_AGAIN = (1.0, 3.0)  # seconds after the first
STEP = 0.02  # seconds: times are counted, not kept
LATEST = 5.0


@dataclass
class LineOverRun:
    """How long the connections of the probe that stood took, in the plain pass of a run."""

    took: Counter[int] = field(default_factory=Counter)  # steps

    @property
    def connects(self) -> int:
        return self.took.total()

    @property
    def late(self) -> int:
        """Those that stood as much later than most as a lost SYN makes it.

        The window is as wide as twice what one in four takes at most: a queue may add
        something, and a busy machine is late at any time. Where three in four take more
        than half of such a second, nothing can be told: 0.
        """
        usual = self._quartile()
        if usual > SENT_AGAIN[0] / 2:
            return 0
        return sum(
            count
            for step, count in self.took.items()
            if any(0 <= (step + 0.5) * STEP - after <= 2 * usual + STEP for after in SENT_AGAIN)
        )

    def _quartile(self) -> float:
        seen = 0
        for step in sorted(self.took):
            seen += self.took[step]
            if 4 * seen >= self.connects:
                return (step + 0.5) * STEP
        return 0.0


def note_line_of_run(record: LineOverRun, measurement: Measurement) -> None:
    """Add the connections of *measurement* to *record*."""
    for e in measurement.evidence:
        if isinstance(e, TCPConnect) and e.vantage == PROBE and e.failure is None and not e.held:
            record.took[int(min(max(e.t - e.t0, 0.0), LATEST) / STEP)] += 1


def line_columns(record: LineOverRun, canaries: Sequence[CanaryCheck]) -> dict[str, Any]:
    """Columns of an `Observation`, the same for all of a run; *canaries* are the run's.

    IPv6 canaries are left out: a household without working IPv6 has a good line all the same.
    """
    looked = [c for c in canaries if c.family == 4]
    return {
        "line_connects": record.connects,
        "line_late": record.late,
        "canary_looks": len(looked),
        "canary_failures": sum(1 for c in looked if c.failure is not None),
    }
