"""A series in memory: the looks at one target from one network, as parallel arrays.

Rule: what is not independent does not count as if it were. Measurements of one probe within one
hour are one look and hardly more (Kish's design effect: n of them that are alike by rho are
worth n / (1 + (n - 1) rho)), and a probe whose clock stands still has one hour in a day.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

ALIKE = 0.8    # correlation of what one probe sees within an hour (Kish 1965)
MANY_RUNS = 4  # in one hour, of one probe: more than anybody starts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

_ARRAYS = (
    "at", "met", "for_", "against", "probe", "ip", "kind", "region", "mechanism", "evidence",
)  # fmt: skip


class Series(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """Looks in the order of time; the arrays are parallel, one entry for each look.

    *at*: POSIX seconds. *met*: whether it shows the mechanism. *for_*, *against*: what it
    weighs, in looks that are independent and sure. *probe*, *ip*, *kind*, *region*,
    *mechanism* are numbers of names in the tuples; *evidence* is the measurement's id.
    """

    host: str
    group: str
    probe_asn: int
    resolver_asn: int
    at: Floats
    met: Mask
    for_: Floats
    against: Floats
    probe: Ints
    ip: Ints
    kind: Ints
    region: Ints
    mechanism: Ints
    evidence: NDArray[np.object_]
    ips: tuple[str, ...]
    kinds: tuple[str, ...]
    regions: tuple[str, ...]
    mechanisms: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.at)

    def only(self, which: Mask | Ints | slice) -> Series:
        """The series of some of its looks: a mask, their numbers in order, or a slice."""
        return msgspec.structs.replace(
            self, **{name: getattr(self, name)[which] for name in _ARRAYS}
        )


class Encoded(msgspec.Struct, frozen=True, eq=False):
    """A column of words: their numbers, and each word once."""

    number: Ints
    words: NDArray[np.object_]

    def of(self, which: slice | Ints) -> tuple[Ints, tuple[str, ...]]:
        """Numbers and words of some rows, renumbered from 0 in the order of the words' numbers."""
        used, number = np.unique(self.number[which], return_inverse=True)
        return number.reshape(-1).astype(np.int64), tuple(str(w) for w in self.words[used])


def group_of(mechanism: str) -> str:
    """The class of a mechanism: its layer."""
    return mechanism.partition(".")[0] or "unknown"


def series_of(
    group: str, rows: slice, numbers: dict[str, NDArray[Any]], words: dict[str, Encoded],
    evidence: Encoded,
) -> Series:  # fmt: skip
    """The series of these *rows* of what the engine counted, in the order of time."""
    # What was sent twice is one measurement.
    _, fresh = np.unique(evidence.number[rows], return_index=True)
    kept: Ints = np.sort(fresh).astype(np.int64) + rows.start
    met = numbers["met"][kept].astype(np.bool_)
    door, doors = words["door"].of(kept)
    shown = np.zeros(len(doors), dtype=np.bool_)
    shown[door[met]] = True
    kept = kept[shown[door]]
    met = numbers["met"][kept].astype(np.bool_)
    probe, _ = words["probe"].of(kept)
    ip, ips = words["ip"].of(kept)
    kind, kinds = words["network_type"].of(kept)
    region, regions = words["region"].of(kept)
    mechanism, mechanisms = words["mechanisms"].of(kept)
    at = numbers["measured_at"][kept].astype(np.float64)
    cluster = _clusters(probe, (at // 3600).astype(np.int64), words["run"].number[kept])
    weight = numbers["weight"][kept] * _independent(cluster)
    first = rows.start
    return Series(
        host=str(words["host"].words[words["host"].number[first]]),
        group=group,
        probe_asn=int(numbers["probe_asn"][first]),
        resolver_asn=int(numbers["resolver_asn"][first]),
        at=at,
        for_=np.where(met, weight, 0.0),
        against=np.where(met, 0.0, weight),
        met=met,
        probe=probe, ip=ip, kind=kind, region=region, mechanism=mechanism,
        evidence=evidence.words[evidence.number[kept]], ips=ips, kinds=kinds, regions=regions,
        mechanisms=tuple(_named(m, group) for m in mechanisms),
    )  # fmt: skip


def _named(mechanisms: str, group: str) -> str:
    """The first mechanism of the class in what a verdict names."""
    return next((m for m in mechanisms.split(",") if group_of(m) == group), "")


def _clusters(probe: Ints, hour: Ints, run: Ints) -> Ints:
    """A number for each look; looks with the same one are of one probe and one hour.

    Where a probe was in `MANY_RUNS` runs within some hour of a day, its clock stands still
    (it wakes up at the same moment of the past each time): its day is as one hour.
    """
    _, cluster = _pairs(probe, hour)
    runs, _ = _pairs(cluster, run)
    many = np.bincount(runs[0]) >= MANY_RUNS
    if not many.any():
        return cluster
    _, day = _pairs(probe, hour // 24)
    stuck = np.zeros(int(day.max()) + 1, dtype=np.bool_)
    stuck[day[many[cluster]]] = True
    return np.where(stuck[day], day + len(many), cluster)


def _pairs(a: Ints, b: Ints) -> tuple[tuple[Ints, Ints], Ints]:
    """The pairs that occur, and for each place the number of its pair."""
    order = np.lexsort((b, a))
    x, y = a[order], b[order]
    fresh = np.ones(len(x), dtype=np.bool_)
    fresh[1:] = (x[1:] != x[:-1]) | (y[1:] != y[:-1])
    number = np.empty(len(x), dtype=np.int64)
    number[order] = np.cumsum(fresh) - 1
    return (x[fresh], y[fresh]), number


def _independent(cluster: Ints) -> Floats:
    """By how much a look counts that has others of its cluster beside it."""
    size = np.bincount(cluster)[cluster]
    return np.asarray(1.0 / (1.0 + (size - 1.0) * ALIKE), dtype=np.float64)
