"""What truly happened: effects, which make rows, and true events, which no row tells.

An `Effect` says which measurements meet what. A `TrueEvent` is what somebody decided, or what
broke, as one thing; it is made with its effects by one function of the script
(`lab.months.script`), so that the two cannot come apart. Times are POSIX seconds, UTC.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import msgspec

from analysis.history.event import Kind, Scope

HOUR, DAY = 3600.0, 86400.0
ALWAYS = math.inf
ALL_HOURS: tuple[int, ...] = ()


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """Measurements of *targets* (by index; none: all) from *start* until *end* meet *shape*.

    Where *asns* are given, only from those networks; where *resolvers* are, only by who asks
    those networks' resolvers; where *probes*, only these volunteers. *home*, *abroad*:
    volunteers at home, and in other countries. *share*: of the measurements (where there is no
    row at all, *drop*: of the volunteers); *addresses*: only the target's of these numbers.
    *hours* of the day, UTC, and *weekdays* (Monday is 0) where not always. *hosted*: only
    targets that are hosted there. *event*: its number; negative: it is none.
    """

    event: int
    shape: str = ""
    shape_clear: str = ""  # of targets in the clear; empty: the same
    targets: tuple[int, ...] = ()
    asns: tuple[int, ...] = ()
    resolvers: tuple[int, ...] = ()
    home: bool = True
    abroad: bool = False
    start: float
    end: float = ALWAYS
    share: float = 1.0
    addresses: tuple[int, ...] = ()
    hours: tuple[int, ...] = ALL_HOURS
    weekdays: tuple[int, ...] = ()
    network_type: str = ""
    region: str = ""
    hosted: Literal["", "abroad", "home"] = ""
    probes: tuple[str, ...] = ()
    drop: bool = False

    def begins(self) -> float:
        """The first moment at which it holds, which is not *start* where it has its hours."""
        return next((t for t in self._hours_from(self.start) if self.holds(t)), self.start)

    def ceases(self) -> float:
        """The last moment at which it holds."""
        if math.isinf(self.end) or not (self.hours or self.weekdays):
            return self.end
        back = (self.end - n * HOUR for n in range(1, 24 * 8))
        last = next((t for t in back if self.holds(t)), self.end - HOUR)
        return min(self.end, (last // HOUR + 1) * HOUR)

    def holds(self, t: float) -> bool:
        """Whether the clock's hour and the day of the week are those in which it acts."""
        hour, day = int(t // HOUR) % 24, (int(t // DAY) + 3) % 7  # 1 January 1970: Thursday
        return (not self.hours or hour in self.hours) and (
            not self.weekdays or day in self.weekdays
        )

    def _hours_from(self, start: float) -> Iterator[float]:
        yield start
        first = (start // HOUR + 1) * HOUR
        yield from (first + n * HOUR for n in range(24 * 8))


class TruePart(msgspec.Struct, frozen=True, kw_only=True):
    """What one network's measurements of one host met, by the script; and what of that the
    rows show: *shown* rows, the last row before the onset (*before*) and the *first* row that
    shows it, None where there is none; the same for the lift."""

    host: str
    asn: int
    mechanisms: tuple[str, ...]
    onset: float
    lift: float
    measured: int = 0
    shown: int = 0
    first: float | None = None
    hourly: float = 0.0  # rows an hour in the first two days after the onset


class TrueEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One real thing. *story*: which kind of script made it. *lift* is infinite while it lasts.

    *counted*: False for what is real and may be found or not: a volunteer's line that
    fails, what was blocked before anybody looked. *shown*: rows that carry it after all
    noise; *probes* that have such rows.
    """

    number: int
    story: str
    kind: Kind
    scope: Scope
    targets: tuple[str, ...]
    networks: tuple[int, ...] = ()
    mechanisms: tuple[str, ...] = ()
    onset: float
    lift: float = ALWAYS
    hours: tuple[int, ...] = ()
    share: float = 1.0
    counted: bool = True
    parts: tuple[TruePart, ...] = ()
    shown: int = 0
    probes: int = 0
    first: float | None = None
    hourly: float = 0.0

    @property
    def evident(self) -> bool:
        """Whether the rows hold enough of it that somebody could see it: three."""
        return self.shown >= EVIDENT


EVIDENT = 3
