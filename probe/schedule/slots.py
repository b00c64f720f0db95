"""When cron's turn is: time is cut into slots, and each has one turn at a moment of its own.

cron wakes us every quarter of an hour, asleep machines excepted. A turn is due once the
slot's moment has passed and the slot had none yet: so what was missed while the machine
slept is caught up at the next quarter, turns do not drift, and the moment differs from slot
to slot, since a line on which something happens at the same minute each day tells of it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

TICK = 15  # minutes between two wakings
HOUR = 3600.0


@dataclass(frozen=True)
class Slots:
    """Slots of *every* hours, the first of a day *start* minutes into it (UTC); *secret* is
    what the moments of this schedule differ by from others'."""

    every: int
    start: int = 0
    secret: str = ""

    @property
    def length(self) -> float:
        return self.every * HOUR

    def of(self, now: float) -> int:
        """The number of the slot in which POSIX second *now* lies."""
        return int((now - self.start * 60) // self.length)

    def moment(self, slot: int) -> float:
        """POSIX second of the slot's turn: within its first quarter, or its first hour."""
        digest = hashlib.sha256(f"{self.secret}:{slot}".encode()).digest()
        share = int.from_bytes(digest[:4], "big") / 2**32
        return slot * self.length + self.start * 60 + share * min(HOUR, self.length / 4)

    def due(self, now: float, last: float | None) -> bool:
        """Whether the turn of *now*'s slot has come and was not had; *last* is when the last
        one was. A clock that was put back makes no slot wait for one in the future."""
        slot = self.of(now)
        return now >= self.moment(slot) and (last is None or self.of(last) != slot)

    def next(self, now: float, last: float | None) -> float:
        """When the next turn is, if the machine is awake: then or within `TICK` minutes."""
        slot = self.of(now)
        had = last is not None and self.of(last) == slot
        return max(now, self.moment(slot + 1 if had else slot))
