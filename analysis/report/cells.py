"""One row for each site on each network: how it fared at the last look, and since when.

A cell speaks of what each probe last saw of each address of a site within the last day of looks
there, since the question is what is so now: a block of this morning among a year of clean looks
would not be seen in an average. What was so before is told by events. A look that does not decide
counts only where none of that day does.

Rule: everything is an expression, counted in the engine; a dataset of a year is as many rows here
as it has sites and networks.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Literal

import ibis  # type: ignore[import-untyped]  # Ibis ships no types
import msgspec

State = Literal[
    "blocked",       # every look that decides shows it
    "mixed",         # some do
    "interfered",    # somebody is on the way, and it is reached all the same
    "server_side",   # the site itself refuses
    "down",          # gone for everybody
    "ok",
    "inconclusive",  # measured, and the evidence does not decide
    "local_fault",   # the volunteer's own line
    "not_measured",  # planned, and not measured
]  # fmt: skip
STATES: tuple[State, ...] = State.__args__  # type: ignore[attr-defined]

DAY = 86400.0
FEW = 10            # looks: among fewer than these a single one is not set aside as noise
NOISE = 0.1         # share of the looks that many looks may contradict
BATCH = 65_536      # rows that are structs at one time
COUNTED = ("blocked", "interfered", "server_side", "down", "ok", "inconclusive",
           "local_fault", "not_measured")  # fmt: skip

DECIDE = ("blocked", "ok", "down", "server_side")

Table = Any  # Ibis ships no types
Column = Any


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A site (*host*) on a network. Counts by outcome are of the last looks there;
    *looks* and *struck* of all time. *clear* is the last look that met nobody, 0: none;
    *since* the first after it that did. Times are POSIX seconds, UTC.
    """

    host: str
    category: str = ""
    probe_cc: str = "ZZ"
    probe_asn: int = 0
    last: float = 0.0
    first: float = 0.0
    looks: int = 0
    struck: int = 0
    clear: float = 0.0
    since: float = 0.0
    urls: int = 0
    probes: int = 0
    blocked: int = 0
    interfered: int = 0
    server_side: int = 0
    down: int = 0
    ok: int = 0
    inconclusive: int = 0
    local_fault: int = 0
    not_measured: int = 0
    mechanisms: str = ""
    trigger: str = ""
    position: str = ""
    hop: int = 0
    hop_ip: str = ""
    hop_asn: int = 0
    fingerprints: str = ""
    probability: float = -1.0
    measurement_id: str = ""
    run_id: str = ""

    @property
    def decisive(self) -> int:
        """Last looks that say how the site fares."""
        return self.blocked + self.interfered + self.server_side + self.down + self.ok

    @property
    def state(self) -> State:
        """The last looks in one word."""
        n = self.decisive
        if not n:
            return _first(self, ("inconclusive", "local_fault", "not_measured"))
        heeded = NOISE * n if n >= FEW else 0
        if self.blocked > heeded:
            return "blocked" if self.blocked >= (1 - NOISE) * n else "mixed"
        if self.interfered > heeded:
            return "interfered"
        return max(("ok", "down", "server_side"), key=lambda name: getattr(self, name))


def _first(cell: Cell, names: tuple[State, ...]) -> State:
    return next((name for name in names if getattr(cell, name)), names[-1])


def cells(verdicts: Table) -> Table:
    """The cells of the verdict table *verdicts*, by host and network, as `Cell` has them."""
    key = ["host", "probe_cc", "probe_asn"]
    interfered = (verdicts.outcome == "ok") & (verdicts.mechanisms != "")
    struck = (verdicts.outcome == "blocked") | interfered
    # The runs of a database are of one household, and have no probe's name.
    own = (verdicts.source == "zond") & verdicts.probe_id.isin(["", verdicts.run_id])
    looks = verdicts.mutate(
        struck_=struck,
        decides_=verdicts.outcome.isin(DECIDE),
        clear_=(verdicts.outcome == "ok") & ~struck,
        probe_=ibis.ifelse(own, "", verdicts.probe_id),
        outcome_=ibis.ifelse(interfered, "interfered", verdicts.outcome),
    )
    seen = looks.measured_at > 0
    whole = looks.group_by(key).agg(
        last=looks.measured_at.max(),
        first=looks.measured_at.min(where=seen).fill_null(0.0),
        looks=seen.sum().cast("int64"),
        struck=looks.struck_.sum().cast("int64"),
        clear=looks.measured_at.max(where=looks.clear_).fill_null(0.0),
    )
    joined = looks.inner_join(whole.select(*key, "last", "clear"), key)
    since = joined.filter(joined.struck_ & (joined.measured_at > joined.clear))
    since = since.group_by(key).agg(since=since.measured_at.min())
    recent = joined.filter(joined.measured_at >= joined["last"] - DAY)
    place = ibis.row_number().over(
        group_by=[*key, "url", "probe_"],
        order_by=[ibis.desc("decides_"), ibis.desc("measured_at"), "measurement_id"],
    )
    recent = recent.mutate(back=place).filter(lambda t: t.back == 0)
    met = recent.struck_
    located = met & (recent.hop > 0)

    def latest(name: str, where: Column) -> Column:
        return recent[name].argmax(recent.measured_at, where=where)

    telling = ibis.ifelse(met, recent.measured_at, recent.measured_at - 2 * DAY)
    lately = recent.group_by(key).agg(
        category=recent.category.max(),
        urls=recent.url.nunique().cast("int64"),
        probes=recent.probe_.nunique(where=recent.measured_at > 0).cast("int64"),
        **{name: (recent.outcome_ == name).sum().cast("int64") for name in COUNTED},
        # Not the most frequent: a million groups would each keep a table of what they met.
        mechanisms=latest("mechanisms", met),
        trigger=latest("trigger", met & (recent.trigger != "")),
        position=latest("position", met & (recent.position != "")),
        hop=latest("hop", located),
        hop_ip=latest("hop_ip", located),
        hop_asn=latest("hop_asn", located),
        fingerprints=latest("fingerprints", met & (recent.fingerprints != "")),
        probability=recent.probability.max(where=(recent.outcome == "blocked")),
        # The last that met something; where none did, the last.
        measurement_id=recent.measurement_id.argmax(telling),
        run_id=recent.run_id.argmax(telling),
    )
    table = whole.inner_join(lately, key).left_join(since, key)
    table = table.drop(*(f"{name}_right" for name in key if f"{name}_right" in table.columns))
    return table.fill_null({"since": 0.0, "hop": 0, "hop_asn": 0, "probability": -1.0} | {
        name: "" for name in ("mechanisms", "trigger", "position", "hop_ip", "fingerprints",
                              "measurement_id", "run_id", "category")
    })  # fmt: skip


def sites(table: Any) -> Iterator[tuple[str, list[Cell]]]:
    """The cells of each host, from an Arrow *table* that is ordered by host."""
    batches = (batch.to_pylist() for batch in table.to_batches(BATCH))
    rows = (msgspec.convert(row, Cell) for batch in batches for row in batch)
    for host, found in groupby(rows, key=lambda cell: cell.host):
        yield host, list(found)
