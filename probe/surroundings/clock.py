"""What time it is: the clock is evidence too.

A small device without a battery wakes up in the past, and every good certificate is
then "not yet valid": a thousand false findings. So the clock is compared with what
several servers say. None of them is trusted alone, and a lie takes a majority.

Such a device's clock is also set while a run goes on, by hours or by years. So it is read
once, and from then on time is counted by one that nobody sets and that a sleeping machine does
not stop. Durations never come from this clock; they are monotonic.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

AGREEMENT = 60.0  # seconds; a Date header counts whole ones and may wait in a cache
MAX_OFF = 3600.0  # a certificate is judged wrongly only by more than that
NOT_BEFORE = datetime(2026, 11, 1, tzinfo=UTC).timestamp()  # this program is not older


def counted() -> float:
    """Seconds since this machine started, by a clock that cannot be set."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def _zero() -> float:
    return time.time() - counted()


@dataclass(frozen=True)
class Clock:
    """This machine's clock as it was when this was made, corrected by *offset* seconds where that
    is known; *zero* is when the machine started, by that clock."""

    offset: float = 0.0
    zero: float = field(default_factory=_zero)

    def now(self) -> float:
        """POSIX seconds."""
        return self.zero + counted() + self.offset

    def moved(self) -> float:
        """Seconds by which somebody has put this machine's clock forward since."""
        return _zero() - self.zero

    def machine_is_wrong(self) -> bool:
        """Whether who judges certificates by the machine's clock judges wrongly."""
        return abs(self.moved() - self.offset) > MAX_OFF


def agreed_offset(samples: Sequence[float]) -> float | None:
    """Seconds to add to this machine's clock, by those servers that agree.

    *samples* are what each server says it is ahead. None where fewer than two agree,
    or no majority does.
    """
    ordered = sorted(samples)
    groups = [[s for s in ordered if first <= s <= first + AGREEMENT] for first in ordered]
    best = max(groups, key=lambda group: (len(group), group[0] - group[-1]), default=[])
    if len(best) < 2 or 2 * len(best) <= len(ordered):
        return None
    return round(statistics.median(best), 3)


def date_offset(header: str) -> float | None:
    """How far the ``Date`` *header* is ahead of this machine's clock, in seconds."""
    try:
        said = parsedate_to_datetime(header)
        said = said if said.tzinfo is not None else said.replace(tzinfo=UTC)
        return said.timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
