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
from itertools import pairwise
from typing import Any

import ibis  # type: ignore[import-untyped]  # Ibis ships no types
import numpy as np
from ibis.expr.types import BooleanValue, Table  # type: ignore[import-untyped]

from analysis.history.changes_series import Encoded, Series, series_of

LAYERS = ("dns", "tcp", "tls", "http")  # in the order in which a visit meets them
CLASSES = (*LAYERS, "quic", "throttled", "unknown")
UNKNOWN_WEIGHT = 0.9   # of a verdict without a probability: as of one with 0.95
LEAST_WEIGHT = 0.05    # a claim that is hardly one still is a look
FEWEST = 3             # looks that show it, below which no series can alarm
YEAR_2100 = 4_102_444_800  # after which nobody measured, whatever a clock says
MOST_LOOKS = 2_000_000  # that are in Python at one time

_KEY = ("host", "probe_asn", "resolver_asn")
_NUMBERS = ("probe_asn", "resolver_asn", "met", "weight", "measured_at")
_WORDS = ("host", "probe", "door", "ip", "network_type", "region", "mechanisms")


def series(
    rows: Table, *, until: float | None = None, most_looks: int = MOST_LOOKS
) -> Iterator[Series]:
    """Every series of the verdict table *rows* in which something was blocked often enough to
    be a change, in the order of class, host and networks.

    *until*: later rows are left out, as if the analysis were run then (POSIX seconds).
    """
    usable = rows.filter(
        rows.outcome.isin(["ok", "blocked"]) & rows.measured_at.between(1, YEAR_2100)
    )
    if until is not None:
        usable = usable.filter(usable.measured_at <= until)
    # Few rows name anything: they tell which series are asked for all of theirs.
    named = usable.filter((usable.mechanisms != "") | (usable.outcome == "blocked"))
    met = {group: _names(named, group).sum() for group in CLASSES}
    (total,) = named.agg(**met, rows=usable.count().as_scalar()).to_pyarrow().to_pylist()
    for group in CLASSES:
        if (total[group] or 0) >= FEWEST:
            whole = total["rows"] <= most_looks
            yield from _of_class(usable, named, group, None if whole else most_looks)


def _of_class(
    usable: Table, named: Table, group: str, most_looks: int | None
) -> Iterator[Series]:
    key = _KEY if group == "dns" else _KEY[:2]
    hits = named.filter(_names(named, group))
    shown = hits.group_by(*key).agg(shown=hits.count())
    rows = usable.semi_join(shown.filter(shown.shown >= FEWEST), list(key))
    rows = rows.filter(_names(rows, group) | _passed(rows, group))
    if most_looks is None:
        yield from _fetch(rows, group)
        return
    counted = rows.group_by("host").agg(looks=rows.count()).order_by("host")
    for hosts in _batches(counted.to_pyarrow().to_pylist(), most_looks):
        yield from _fetch(rows.filter(rows.host.between(*hosts)), group)


def _batches(counted: list[dict[str, Any]], most_looks: int) -> Iterator[tuple[str, str]]:
    """First and last host of each batch, in the engine's order of hosts."""
    begin, waiting = 0, 0
    for i, one in enumerate(counted):
        if i > begin and waiting + one["looks"] > most_looks:
            yield counted[begin]["host"], counted[i - 1]["host"]
            begin, waiting = i, 0
        waiting += one["looks"]
    if counted:
        yield counted[begin]["host"], counted[-1]["host"]


def _names(rows: Table, group: str) -> BooleanValue:
    """The verdict names a mechanism of the class."""
    if group == "unknown":
        return (rows.outcome == "blocked") & (rows.mechanisms == "")
    if group == "throttled":
        return rows.mechanisms.contains("throttled")
    return rows.mechanisms.contains(f"{group}.")


def _passed(rows: Table, group: str) -> BooleanValue:
    """The verdict shows that nothing of the class interfered (it is known not to name it)."""
    clean = rows.outcome == "ok"  # if it names one of the class it is for it all the same
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


def _fetch(rows: Table, group: str) -> Iterator[Series]:
    met = _names(rows, group)
    looks = rows.select(
        "measurement_id", "host", "probe_asn", "ip", "region", "network_type", "measured_at",
        "run_id",
        resolver_asn=rows.resolver_asn if group == "dns" else ibis.literal(0, "int64"),
        probe=_first_known(rows.probe_id, rows.run_id, rows.measurement_id),
        door=_door(rows, group),
        met=met,
        mechanisms=met.ifelse(rows.mechanisms, ""),
        weight=rows.probability.between(0, 1).ifelse(
            ibis.greatest(2 * rows.probability - 1, LEAST_WEIGHT), UNKNOWN_WEIGHT
        ),
    )  # fmt: skip
    # As they are: grouped by probe and hour they would hardly be fewer, and cost more.
    table = looks.to_pyarrow()
    if not table.num_rows:
        return
    words = {name: _encoded(table, name) for name in _WORDS}
    words["run"] = _encoded(table, "run_id")
    numbers = {name: table.column(name).to_numpy() for name in _NUMBERS}
    order = np.lexsort(
        [*(words[name].number for name in reversed(_WORDS[1:])), numbers["met"],
         numbers["measured_at"], numbers["resolver_asn"], numbers["probe_asn"],
         words["host"].number]
    )  # fmt: skip
    numbers = {name: column[order] for name, column in numbers.items()}
    words = {name: Encoded(column.number[order], column.words) for name, column in words.items()}
    ids = table.column("measurement_id").combine_chunks().dictionary_encode()
    sent = ids.indices.to_numpy().astype(np.int64)[order]
    evidence = Encoded(sent, ids.dictionary.to_numpy(zero_copy_only=False))
    key = np.stack([words["host"].number, numbers["probe_asn"], numbers["resolver_asn"]])
    cuts = (np.flatnonzero((key[:, 1:] != key[:, :-1]).any(axis=0)) + 1).tolist()
    for start, end in pairwise([0, *cuts, len(order)]):
        yield series_of(group, slice(start, end), numbers, words, evidence)


def _encoded(table: Any, name: str) -> Encoded:
    """A column of words, numbered in the order of the words."""
    column = table.column(name).combine_chunks().dictionary_encode()
    words = column.dictionary.to_numpy(zero_copy_only=False)
    order = np.argsort(words)
    rank = np.empty(len(words), dtype=np.int64)
    rank[order] = np.arange(len(words))
    return Encoded(rank[column.indices.to_numpy()], words[order])
