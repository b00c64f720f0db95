"""What time it is: the clock is evidence too.

A small device without a battery wakes up in the past, and every good certificate is
then "not yet valid": a thousand false findings. So the clock is compared with what
several servers say. None of them is trusted alone, and a lie takes a majority.
Durations never come from this clock; they are monotonic.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

AGREEMENT = 60.0  # seconds; a Date header counts whole ones and may wait in a cache
MAX_OFF = 3600.0  # a certificate is judged wrongly only by more than that
NOT_BEFORE = datetime(2026, 11, 1, tzinfo=UTC).timestamp()  # this program is not older


@dataclass(frozen=True)
class Clock:
    """This machine's clock, corrected by *offset* seconds where that is known."""

    offset: float = 0.0

    def now(self) -> float:
        """POSIX seconds."""
        return time.time() + self.offset


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
