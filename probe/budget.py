"""What a run may use: processor, line, disk, memory; bounds of a day hold over its runs.

A small device has other work, its line may cost by the byte, and its card wears out by
being written to. What is used is written down while it is used, a line a minute, so that a
kill or a power cut forgets a minute of it at most. A bound that is reached ends the run in
order, as `budget`; where the day's is used up already none begins.

Each figure is this process's own, as the kernel counts it: processor seconds of all threads,
bytes handed to the block layer (``write_bytes``, proc(5)), the anonymous memory that is its
own. Bytes on the line are counted at the door (`probe.net`), headers estimated; what a control
is asked and answers is estimated from its questions. What a system does not count has no bound
there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from probe.config import Budget
from probe.evidence import ControlQuery, Measurement
from probe.net import Traffic
from probe.store import Use

DAY = 86400.0
LATER = 3600.0  # seconds; what was written down of a later time, a wrong clock wrote
PERIOD = 2.0  # seconds between two looks
NOTED = 60.0  # seconds between two lines
QUESTION = 9000  # bytes of a question to a control and its answer, as measured in the lab
PROCESS = Path("/proc/self")


def total(uses: list[Use], now: float) -> Use:
    """All that was used in the day before *now*, by lines of any time."""
    counted = [use for use in uses if now - DAY < use.at <= now + LATER]
    return Use(
        at=now,
        processor=sum(use.processor for use in counted),
        line=sum(use.line for use in counted),
        written=sum(use.written for use in counted),
    )


@dataclass
class Spending:
    """What this run uses, held against *bounds*.

    *before* is what other runs of the day have used, *traffic* counts what goes over the line,
    *size* tells the bytes that the database takes.
    """

    bounds: Budget
    before: Use
    traffic: Traffic
    size: Callable[[], int] = lambda: 0  # bytes
    process: Path = PROCESS
    questions: int = 0
    _noted: Use = field(default_factory=lambda: Use(at=0.0), init=False)

    def measured(self, measurement: Measurement) -> None:
        """Count the questions that *measurement* has put to controls."""
        self.questions += sum(isinstance(e, ControlQuery) for e in measurement.evidence)

    def used(self) -> Use:
        """By this process, until now."""
        return Use(
            at=0.0,
            processor=time.process_time(),
            line=self.traffic.bytes + QUESTION * self.questions,
            written=_number(self.process / "io", "write_bytes:", 1) or 0,
        )

    def since_noted(self, now: float) -> Use:
        """What was used since this was asked for before, to be written down."""
        used, noted = self.used(), self._noted
        self._noted = used
        return Use(
            at=now, processor=used.processor - noted.processor, line=used.line - noted.line,
            written=used.written - noted.written,
        )  # fmt: skip

    def at_its_end(self) -> str:
        """Which bound is reached, in words for the user; empty: none is."""
        before, used, bounds = self.before, self.used(), self.bounds
        if _over(before.processor + used.processor, bounds.processor_seconds_per_day):
            return f"the day's {bounds.processor_seconds_per_day:g} s of processor are used up"
        if _over(before.line + used.line, bounds.line_bytes_per_day):
            return f"the day's {_size(bounds.line_bytes_per_day)} on the line are used up"
        if _over(before.written + used.written, bounds.written_bytes_per_day):
            return f"the day's {_size(bounds.written_bytes_per_day)} to the disk are written"
        if _over(_memory(self.process), bounds.memory_bytes):
            return f"{_size(bounds.memory_bytes)} of memory are in use"
        if bounds.database_bytes is not None and self.size() >= bounds.database_bytes:
            return f"the database has reached {_size(bounds.database_bytes)}"
        return ""


def _over(used: float | None, bound: float | None) -> bool:
    return used is not None and bound is not None and used >= bound


def _memory(process: Path) -> int | None:
    return _number(process / "status", "RssAnon:", 1024)


def _number(path: Path, name: str, unit: int) -> int | None:
    try:
        for line in path.read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * unit
    except OSError:
        return None  # a system that does not count it
    return None


def _size(count: int | None) -> str:
    return f"{(count or 0) / 1e6:g} MB"
