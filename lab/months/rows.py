"""The measurements while they are numbers: columns of equal length, one entry for each.

Rule: a measurement is what was planned (who, what, when) with the index of one judged verdict,
so that whatever happens to it is one assignment, and millions take seconds. Strings come last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lab.months.probes import Probe, sessions
from lab.months.shapes import Judged, judged
from lab.months.targets import Target

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
At = npt.NDArray[np.int64]

SESSION = 600.0  # seconds that one pass over the list takes
DAY = 86400.0


@dataclass
class Rows:
    """*t*: seconds since the beginning. *verdict*: index into the judged verdicts. *event*: the
    event that the row carries, or -1. *immune*: it went through a tunnel; *elsewhere*: a public
    resolver was asked instead of the usual one."""

    t: Floats
    target: Ints
    probe: Ints
    session: Ints
    address: Ints
    verdict: Ints
    event: Ints
    immune: Mask
    dropped: Mask
    elsewhere: Mask
    rng: np.random.Generator
    shapes: Judged = field(default_factory=judged)
    clear: Mask = field(default_factory=lambda: np.zeros(0, np.bool_))
    _order: At = field(default_factory=lambda: np.zeros(0, np.int64))
    _starts: At = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def size(self) -> int:
        return int(self.t.size)

    @property
    def targets(self) -> int:
        return int(self._starts.size) - 1

    def of(self, target: int) -> At:
        """The numbers of the rows of one target."""
        return self._order[self._starts[target] : self._starts[target + 1]]

    def say_at(self, at: At, shape: str, *, weakly: bool = False) -> None:
        """Rows *at* become verdicts of *shape*; *weakly*: of its least evidence."""
        number = self.shapes.index(shape)
        first, count = int(self.shapes.first[number]), int(self.shapes.count[number])
        if weakly or count == 1:
            self.verdict[at] = first + count - 1
        else:
            self.verdict[at] = first + self.rng.integers(count, size=at.size)

    def say(self, mask: Mask, shape: str, *, weakly: bool = False) -> None:
        self.say_at(np.flatnonzero(mask), shape, weakly=weakly)

    def fine(self, mask: Mask) -> None:
        """These come to the site's own page."""
        self.say(mask & ~self.clear, "ok:https")
        self.say(mask & self.clear, "ok:http")

    def outcome_is(self, outcome: str) -> Mask:
        which = np.array([v.outcome == outcome for v in self.shapes.verdicts])
        found: Mask = which[self.verdict]
        return found

    def shape_is(self, shape: str) -> Mask:
        number = self.shapes.index(shape)
        first, count = self.shapes.first[number], self.shapes.count[number]
        found: Mask = (self.verdict >= first) & (self.verdict < first + count)
        return found


def plan(
    probes: Sequence[Probe], targets: Sequence[Target], days: float, rng: np.random.Generator
) -> Rows:
    """Every measurement that is made, all of them fine as yet."""
    since = np.array([t.since for t in targets]) * DAY
    until = np.array([t.until for t in targets]) * DAY
    many = np.array([len(t.ips) for t in targets])
    count = len(targets)
    parts: list[tuple[Floats, Ints, Ints, Ints]] = []
    begun = 0
    for number, probe in enumerate(probes):
        starts = sessions(probe, days, rng)
        t = np.repeat(starts, count) + np.tile(np.linspace(0, SESSION, count), starts.size)
        target = np.tile(np.arange(count, dtype=np.int32), starts.size)
        session = np.repeat(np.arange(begun, begun + starts.size, dtype=np.int32), count)
        begun += starts.size
        kept = (t >= since[target]) & (t < until[target])
        if probe.subset < 1:
            kept &= rng.random(t.size) < probe.subset
        parts.append(
            (t[kept], target[kept], np.full(int(kept.sum()), number, np.int32), session[kept])
        )
    t, target, probe_, session = (np.concatenate([p[n] for p in parts]) for n in range(4))
    size = t.size
    rows = Rows(
        t=t,
        target=target,
        probe=probe_,
        session=session,
        address=(rng.random(size) * many[target]).astype(np.int32),
        verdict=np.zeros(size, np.int32),
        event=np.full(size, -1, np.int32),
        immune=np.zeros(size, np.bool_),
        dropped=np.zeros(size, np.bool_),
        elsewhere=np.zeros(size, np.bool_),
        rng=rng,
        clear=np.array([each.clear for each in targets])[target],
    )
    rows._order = np.argsort(target, kind="stable")
    rows._starts = np.searchsorted(target[rows._order], np.arange(count + 1))
    rows.fine(np.ones(size, np.bool_))
    return rows
