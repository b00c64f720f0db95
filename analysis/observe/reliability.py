"""Which controls can be believed, from their record over a run.

A control that finds nearly every site down, sites that we or another control reach,
is broken, blocked or lying. What it says is then not counted, neither for nor against.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from analysis.observe.paths import walk
from analysis.observe.sight import arrange
from probe.evidence import PROBE, ControlQuery, Measurement

FEWEST = 4  # targets that are up, before a control is judged by them
TOO_MANY = 0.7  # share of them that a control may not reach


@dataclass
class Record:
    """Of *up* targets that somebody reached while this control answered, it *missed* some."""

    up: int = 0
    missed: int = 0

    @property
    def reliable(self) -> bool:
        return self.up < FEWEST or self.missed <= TOO_MANY * self.up


def reliability(measurements: Iterable[Measurement]) -> dict[str, Record]:
    """The record of every control that answered in *measurements* (of one run)."""
    records: dict[str, Record] = {}
    for m in measurements:
        answered = {
            e.control for e in m.evidence if isinstance(e, ControlQuery) and e.failure is None
        }
        if not answered:
            continue
        start = first_url(m)
        reached = {
            name: walk(arrange(m.evidence, name, without_ipv6=False), start).end == "page"
            for name in (PROBE, *answered)
        }
        if any(reached.values()):
            for name in answered:
                record = records.setdefault(name, Record())
                record.up += 1
                record.missed += not reached[name]
    return records


def first_url(measurement: Measurement) -> str:
    """The target's URL as the evidence spells it: normalised, its host in ASCII."""
    scheme = measurement.url.partition(":")[0].lower()
    for e in measurement.evidence:
        if e.depth == 0 and e.url.startswith(f"{scheme}://"):
            return e.url
    return measurement.url
