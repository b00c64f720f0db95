"""What works on this machine and network, what does not, and what to do about it.

Rule: a line is said only of what was looked at, each has a next step, and nothing here
decides what a run does: the doctor asks the parts of a run what they see
(`probe.doctor.machine`, `probe.doctor.line`), so that it cannot be of another opinion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from probe.ending import DONE, FAILED, NO_CONSENT, NOTHING_MEASURED

# "unknown" is not a fault: it was not looked at, or could not be told.
State = Literal["ok", "warning", "fault", "unknown"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A line. *about* is its subject, *seen* what was seen, *do* the next step where there is
    one. *stops*: a run would measure nothing because of it."""

    about: str
    state: State
    seen: str
    do: str = ""
    stops: bool = False


def ok(about: str, seen: str) -> Finding:
    return Finding(about=about, state="ok", seen=seen)


def warning(about: str, seen: str, do: str) -> Finding:
    return Finding(about=about, state="warning", seen=seen, do=do)


def fault(about: str, seen: str, do: str, *, stops: bool = False) -> Finding:
    return Finding(about=about, state="fault", seen=seen, do=do, stops=stops)


def unknown(about: str, seen: str, do: str = "") -> Finding:
    return Finding(about=about, state="unknown", seen=seen, do=do)


def together(machine: Sequence[Finding], line: Sequence[Finding]) -> list[Finding]:
    """All lines; where both looked at something, what the line showed is said."""
    seen = {finding.about: finding for finding in line}
    first = [seen.pop(finding.about, finding) for finding in machine]
    return [*first, *seen.values()]


def status(findings: Sequence[Finding]) -> int:
    """The exit status: 0 no fault, 4 nobody agreed, 3 a run would measure nothing, 1 another."""
    faults = [finding for finding in findings if finding.state == "fault"]
    if not faults:
        return DONE
    stopping = {finding.about for finding in faults if finding.stops}
    if not stopping:
        return FAILED
    return NO_CONSENT if stopping == {"consent"} else NOTHING_MEASURED
