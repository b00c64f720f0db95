"""From the verdict table to series of looks: what change detection counts.

Rule: the engine finds the series in which anything was ever blocked and counts their looks;
only those counts come to Python, a bounded number at a time. In a dataset of millions of
series nearly all were never blocked, and have no change to find.

A *series* is one host, one class of mechanism (the layer at which it interferes), one access
network and, for names (``dns.*``), one resolver's network: a forged answer is the resolver's.
A *look* is what one probe saw of it within one hour, at one address. What a verdict says of a
class:

- for it: the verdict is `blocked` or `ok` and names a mechanism of the class (interfered with
  and still reachable is interfered with);
- against it: `ok` and none of the class; or `blocked` at a later layer, so that this layer was
  passed. What was blocked at an earlier layer never came to this one: masked, no look at all;
- neither: `down`, `server_side`, `local_fault`, `inconclusive`, `not_measured`.

Only doors (scheme, port; for QUIC the measuring software too) at which the class was ever met
in the series count against it: a page fetched over TLS is no look at what is done to one in
the clear.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ibis  # type: ignore[import-untyped]  # Ibis ships no types
import msgspec
import numpy as np
from ibis.expr.types import BooleanValue, Table  # type: ignore[import-untyped]
from numpy.typing import NDArray

LAYERS = ("dns", "tcp", "tls", "http")  # in the order in which a visit meets them
CLASSES = (*LAYERS, "quic", "throttled", "unknown")
UNKNOWN_WEIGHT = 0.9   # of a verdict without a probability: as of one with 0.95
LEAST_WEIGHT = 0.05    # a claim that is hardly one still is a look
ALIKE = 0.8            # correlation of what one probe sees within an hour (Kish 1965)
MANY_RUNS = 4          # in one hour, of one probe: more than anybody starts
FEWEST = 3             # looks that show it, below which no series can alarm
MOST_LOOKS = 2_000_000  # that are in Python at one time

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Series(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """Looks in the order of time; the arrays are parallel, one number for each look.

    *first*, *last*: of the measurements in a look, POSIX seconds. *against*, *for_*: what they
    weigh, in looks that are independent and sure. *seen*, *blocked*: how many they are.
    *probe*, *ip*, *kind*, *region*, *mechanism* are numbers of names in the tuples.
    """

    host: str
    group: str
    probe_asn: int
    resolver_asn: int
    first: Floats
    last: Floats
    for_: Floats
    against: Floats
    seen: Ints
    blocked: Ints
    probe: Ints
    ip: Ints
    kind: Ints
    region: Ints
    mechanism: Ints
    evidence: tuple[str, ...]
    probes: tuple[str, ...]
    ips: tuple[str, ...]
    kinds: tuple[str, ...]
    regions: tuple[str, ...]
    mechanisms: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.first)

    def only(self, which: NDArray[Any]) -> Series:
        """The series of some of its looks: a mask, or their numbers in order."""
        picked = np.flatnonzero(which) if which.dtype == np.bool_ else which
        arrays = {
            name: getattr(self, name)[picked]
            for name in ("first", "last", "for_", "against", "seen", "blocked", "probe", "ip",
                         "kind", "region", "mechanism")
        }  # fmt: skip
        evidence = tuple(self.evidence[i] for i in picked)
        return msgspec.structs.replace(self, evidence=evidence, **arrays)


def series(
    rows: Table, *, until: float | None = None, most_looks: int = MOST_LOOKS
) -> Iterator[Series]:
    """Every series of the verdict table *rows* in which something was blocked often enough to
    be a change, in the order of class, host and networks.

    *until*: later rows are left out, as if the analysis were run then (POSIX seconds).
    """
    usable = rows.filter(rows.outcome.isin(["ok", "blocked"]) & (rows.measured_at > 0))
    if until is not None:
        usable = usable.filter(usable.measured_at <= until)
    for group in CLASSES:
        yield from _of_class(usable, group, most_looks)


def group_of(mechanism: str) -> str:
    """The class of a mechanism: its layer."""
    return mechanism.partition(".")[0] or "unknown"


def _of_class(usable: Table, group: str, most_looks: int) -> Iterator[Series]:
    met = _names(usable, group)
    looks = usable.select(
        "measurement_id", "host", "probe_asn",
        "ip", "region", "network_type", "measured_at", "hour", "run_id",
        resolver_asn=usable.resolver_asn if group == "dns" else ibis.literal(0, "int64"),
        probe=_first_known(usable.probe_id, usable.run_id, usable.measurement_id),
        door=_door(usable, group),
        met=met,
        passed=~met & _passed(usable, group),
        mechanisms=met.ifelse(usable.mechanisms, ""),
        weight=(usable.probability < 0).ifelse(
            UNKNOWN_WEIGHT, ibis.greatest(2 * usable.probability - 1, LEAST_WEIGHT)
        ),
    )  # fmt: skip
    looks = looks.filter(looks.met | looks.passed)
    key = ("host", "probe_asn", "resolver_asn")
    counted = looks.group_by(*key).agg(shown=looks.met.sum(), looks=looks.count())
    counted = counted.filter(counted.shown >= FEWEST)
    found = counted.order_by(*key).to_pyarrow().to_pylist()
    batch: list[dict[str, Any]] = []
    waiting = 0
    for one in found:
        if batch and waiting + one["looks"] > most_looks:
            yield from _fetch(looks, batch, group)
            batch, waiting = [], 0
        batch.append({name: one[name] for name in key})
        waiting += one["looks"]
    if batch:
        yield from _fetch(looks, batch, group)


def _names(rows: Table, group: str) -> BooleanValue:
    """The verdict names a mechanism of the class."""
    if group == "unknown":
        return (rows.outcome == "blocked") & (rows.mechanisms == "")
    if group == "throttled":
        return rows.mechanisms.contains("throttled")
    return rows.mechanisms.contains(f"{group}.")


def _passed(rows: Table, group: str) -> BooleanValue:
    """The verdict shows that nothing of the class interfered (it is known not to name it)."""
    clean = rows.outcome == "ok"
    if group not in LAYERS:
        return clean
    at = LAYERS.index(group)
    blocked = rows.outcome == "blocked"
    masked = [_names(rows, earlier) for earlier in LAYERS[:at]]
    for layer in LAYERS[at + 1 :]:
        later = _names(rows, layer)
        for earlier in masked:
            later = later & ~earlier
        if group == "tls":
            later = later & rows.url.startswith("https:")
        clean = clean | (blocked & later)
    return clean


def _door(rows: Table, group: str) -> Any:
    door = rows.url.re_extract(r"^([A-Za-z][A-Za-z0-9+.-]*:)", 1)
    port = rows.url.re_extract(r"^[^:/]+://[^/?#]*?(:[0-9]+)(?:[/?#]|$)", 1)
    door = door.concat(port)
    return door.concat(rows.source) if group == "quic" else door


def _first_known(*columns: Any) -> Any:
    return ibis.coalesce(*(column.nullif("") for column in columns[:-1]), columns[-1])


def _fetch(looks: Table, keys: list[dict[str, Any]], group: str) -> Iterator[Series]:
    wanted = ibis.memtable(
        keys, schema={"host": "string", "probe_asn": "int64", "resolver_asn": "int64"}
    )
    chosen = looks.semi_join(wanted, ["host", "probe_asn", "resolver_asn"])
    # What was sent twice is one measurement.
    chosen = chosen.distinct()
    counts = chosen.group_by(
        "host", "probe_asn", "resolver_asn", "probe", "hour", "door", "ip", "network_type",
        "region", "met", "mechanisms",
    ).agg(
        seen=chosen.count(), weight=chosen.weight.sum(), first=chosen.measured_at.min(),
        last=chosen.measured_at.max(), evidence=chosen.measurement_id.min(),
        run=chosen.run_id.min(), other_run=chosen.run_id.max(),
    )  # fmt: skip
    counts = counts.order_by(
        "host", "probe_asn", "resolver_asn", "first", "last", "probe", "door", "ip", "met",
        "mechanisms", "network_type", "region", "evidence",
    )  # fmt: skip
    table = counts.to_pyarrow()
    columns = {
        name: table.column(name).to_numpy()
        for name in ("probe_asn", "resolver_asn", "hour", "met", "seen", "weight", "first", "last")
    }
    words = {
        name: table.column(name).to_pylist()
        for name in ("host", "probe", "door", "ip", "network_type", "region", "mechanisms",
                     "evidence", "run", "other_run")
    }  # fmt: skip
    start = 0
    hosts, asns, resolvers = words["host"], columns["probe_asn"], columns["resolver_asn"]
    for i in range(1, len(hosts) + 1):
        if i == len(hosts) or (hosts[i], asns[i], resolvers[i]) != (
            hosts[start], asns[start], resolvers[start],
        ):  # fmt: skip
            here = slice(start, i)
            yield _one(
                group,
                {name: column[here] for name, column in columns.items()},
                {name: column[here] for name, column in words.items()},
            )
            start = i


def _one(group: str, columns: dict[str, NDArray[Any]], words: dict[str, list[str]]) -> Series:
    met = columns["met"].astype(bool)
    doors, door = _numbered(words["door"])
    shown = np.zeros(len(doors), dtype=bool)
    shown[door[met]] = True
    kept = np.flatnonzero(shown[door])
    met = met[kept]
    words = {name: [column[i] for i in kept] for name, column in words.items()}
    columns = {name: column[kept] for name, column in columns.items()}
    probes, probe = _numbered(words["probe"])
    ips, ip = _numbered(words["ip"])
    kinds, kind = _numbered(words["network_type"])
    regions, region = _numbered(words["region"])
    mechanisms, mechanism = _numbered(
        [_of_group(named, group) if hit else "" for named, hit in zip(
            words["mechanisms"], met, strict=True)]
    )  # fmt: skip
    seen = columns["seen"].astype(np.int64)
    runs = [{a, b} for a, b in zip(words["run"], words["other_run"], strict=True)]
    cluster = _clusters(probe, columns["hour"].astype(np.int64), runs)
    weight = columns["weight"].astype(np.float64) * _independent(cluster, seen)
    return Series(
        host=words["host"][0],
        group=group,
        probe_asn=int(columns["probe_asn"][0]),
        resolver_asn=int(columns["resolver_asn"][0]),
        first=columns["first"].astype(np.float64),
        last=columns["last"].astype(np.float64),
        for_=np.where(met, weight, 0.0),
        against=np.where(met, 0.0, weight),
        seen=seen,
        blocked=np.where(met, seen, 0),
        probe=probe, ip=ip, kind=kind, region=region, mechanism=mechanism,
        evidence=tuple(words["evidence"]),
        probes=probes, ips=ips, kinds=kinds, regions=regions, mechanisms=mechanisms,
    )  # fmt: skip


def _clusters(probe: Ints, hour: Ints, runs: list[set[str]]) -> Ints:
    """A number for each look; looks with the same one are of one probe and one hour.

    Where a probe was in `MANY_RUNS` runs within some hour of a day, its clock stands still
    (it wakes up at the same moment of the past each time): its day is as one hour.
    """
    in_hour: dict[tuple[int, int], set[str]] = {}
    for p, h, run in zip(probe.tolist(), hour.tolist(), runs, strict=True):
        in_hour.setdefault((p, h), set()).update(run)
    stuck = {(p, h // 24) for (p, h), names in in_hour.items() if len(names) >= MANY_RUNS}
    number: dict[tuple[int, int, int], int] = {}
    result = np.empty(len(probe), dtype=np.int64)
    for i, (p, h) in enumerate(zip(probe.tolist(), hour.tolist(), strict=True)):
        key = (p, h // 24, -1) if (p, h // 24) in stuck else (p, h // 24, h % 24)
        result[i] = number.setdefault(key, len(number))
    return result


def _independent(cluster: Ints, seen: Ints) -> Floats:
    """By how much a measurement counts that has others of its cluster beside it.

    Kish's design effect: n measurements that are alike by rho are worth n / (1 + (n - 1) rho).
    """
    size = np.bincount(cluster, weights=seen)[cluster]
    return np.asarray(1.0 / (1.0 + (size - 1.0) * ALIKE), dtype=np.float64)


def _of_group(mechanisms: str, group: str) -> str:
    """The first mechanism of the class in what a verdict names."""
    return next((m for m in mechanisms.split(",") if group_of(m) == group), "")


def _numbered(values: list[str]) -> tuple[tuple[str, ...], Ints]:
    names = tuple(sorted(set(values)))
    number = {name: i for i, name in enumerate(names)}
    return names, np.fromiter((number[value] for value in values), np.int64, len(values))
