"""Who listens may leave, by closing the terminal or the pipe: the run goes on unheard.

What is written to a terminal that is gone is an error, and an error there must not end what is
being measured. So what has nobody at its other end is led to where all is taken.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from typing import ParamSpec

from probe.evidence import Measurement, Run
from probe.request import Reporter

P = ParamSpec("P")
STANDARD = (1, 2)  # output and errors
GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL


class Audience:
    """*reporter*, for whom it is no error that nobody hears it."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def note(self, text: str) -> None:
        tell(self._reporter.note, text)

    def began(self, run: Run, planned: int, remaining: int) -> None:
        tell(self._reporter.began, run, planned, remaining)

    def used(self, bytes: int) -> None:
        tell(self._reporter.used, bytes)

    def looking_closer(self, differing: int, seconds: float) -> None:
        tell(self._reporter.looking_closer, differing, seconds)

    def stored(self, measurement: Measurement) -> None:
        tell(self._reporter.stored, measurement)


def tell(say: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call *say*, for whom it is no error that nobody hears it."""
    try:
        say(*args, **kwargs)
    except OSError:
        silence()


def silence() -> None:
    """Lead what nobody hears any more to the null device, so that nothing written fails."""
    if not hasattr(select, "poll"):
        return  # Windows
    poll = select.poll()
    for number in STANDARD:
        poll.register(number, 0)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number, events in poll.poll(0):
        if events & GONE:
            os.dup2(nowhere, number)
    os.close(nowhere)
