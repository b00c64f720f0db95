"""How much the line itself lost during the run, by what the probe's own traffic shows.

Unprivileged: a SYN that is lost is sent again after one second (RFC 6298, 2.1), so a
connection that stands, and took longer than that, had lost its SYN or the answer to it.
Connections that never stood are left out: a censor may have dropped those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from probe.evidence import PROBE, CanaryCheck, Measurement, TCPConnect

RETRANSMITTED = 0.9  # seconds; see `analysis.observe.ladder`


@dataclass
class LineOverRun:
    """*connects* of the probe that stood, in the plain pass of a run; of those *late* ones."""

    connects: int = 0
    late: int = 0


def note_line_of_run(record: LineOverRun, measurement: Measurement) -> None:
    """Add the connections of *measurement* to *record*."""
    for e in measurement.evidence:
        if isinstance(e, TCPConnect) and e.vantage == PROBE and e.failure is None and not e.held:
            record.connects += 1
            record.late += e.t - e.t0 > RETRANSMITTED


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
