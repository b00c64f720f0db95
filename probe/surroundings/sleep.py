"""Did the machine sleep? Two clocks of the kernel tell: one goes on meanwhile, one stands still.

What was open when the lid closed was cut by us and by nobody else, and is measured again. A
run is of one time: after a long sleep it ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable

LEAST = 2.0  # seconds; the clocks are read one after the other, and a busy machine is slow
LONG = 3600.0  # seconds, after which what was found before is of another time


def asleep_so_far() -> float:
    """Seconds that this machine has slept since it started; 0 where that is not told."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


class Sleep:
    """Tells of each sleep once. *asleep* as `asleep_so_far`."""

    def __init__(self, asleep: Callable[[], float] = asleep_so_far) -> None:
        self._asleep = asleep
        self._known = asleep()

    def slept(self) -> float:
        """Seconds that it slept since this was asked before; 0: it did not."""
        known, self._known = self._known, self._asleep()
        seconds = self._known - known
        return seconds if seconds >= LEAST else 0.0
