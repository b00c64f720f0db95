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

KEY = ("host", "probe_cc", "probe_asn")
KEPT = ("url", "category", "measured_at", "measurement_id", "run_id", "mechanisms", "trigger",
        "position", "hop", "hop_ip", "hop_asn", "fingerprints", "probability")  # fmt: skip

Table = Any  # Ibis ships no types


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


def cells(verdicts: Table) -> Any:
    """The cells of the verdict table *verdicts* as an Arrow table with the columns of `Cell`,
    ordered by host and network.

    One query after the other, each reading the verdicts once: in one, an engine would keep all
    of them in memory for what reads them again.
    """
    looks = _looks(verdicts)
    whole = ibis.memtable(_whole(looks).to_pyarrow())
    since = ibis.memtable(_since(looks, whole).to_pyarrow())
    lately = ibis.memtable(_lately(looks, whole).to_pyarrow())
    table = whole.inner_join(lately, KEY).left_join(since, KEY)
    table = table.drop(*(f"{name}_right" for name in KEY if f"{name}_right" in table.columns))
    table = table.fill_null({"since": 0.0, "hop": 0, "hop_asn": 0, "probability": -1.0} | {
        name: "" for name in ("mechanisms", "trigger", "position", "hop_ip", "fingerprints",
                              "measurement_id", "run_id", "category")
    })  # fmt: skip
    return table.order_by(["host", "probe_asn"]).to_pyarrow()


def _looks(verdicts: Table) -> Table:
    """What is counted of each verdict, and whether it *met* somebody, was *clear*, *decides*."""
    interfered = (verdicts.outcome == "ok") & (verdicts.mechanisms != "")
    # The runs of a database are of one household, and have no probe's name.
    own = (verdicts.source == "zond") & verdicts.probe_id.isin(["", verdicts.run_id])
    return verdicts.select(
        *KEY, *KEPT,
        met=(verdicts.outcome == "blocked") | interfered,
        clear=(verdicts.outcome == "ok") & ~interfered,
        decides=verdicts.outcome.isin(DECIDE),
        probe=ibis.ifelse(own, "", verdicts.probe_id),
        outcome=ibis.ifelse(interfered, "interfered", verdicts.outcome),
    )  # fmt: skip


def _whole(looks: Table) -> Table:
    """Of all time."""
    seen = looks.measured_at > 0
    return looks.group_by(KEY).agg(
        last=looks.measured_at.max(),
        first=looks.measured_at.min(where=seen).fill_null(0.0),
        looks=seen.sum().cast("int64"),
        struck=looks.met.sum().cast("int64"),
        clear=looks.measured_at.max(where=looks.clear).fill_null(0.0),
    )


def _since(looks: Table, whole: Table) -> Table:
    """The first look that met somebody after the last that was clear."""
    struck = looks.filter(looks.met).select(*KEY, "measured_at")
    after = struck.inner_join(whole.select(*KEY, last_clear=whole.clear), KEY)
    after = after.filter(after.measured_at > after.last_clear)
    return after.group_by(KEY).agg(since=after.measured_at.min())


def _lately(looks: Table, whole: Table) -> Table:
    """Of the last day: what each probe last saw of each address, if it could tell."""
    recent = looks.inner_join(whole.select(*KEY, last=whole["last"]), KEY)
    recent = recent.filter(recent.measured_at >= recent["last"] - DAY)
    place = ibis.row_number().over(
        group_by=[*KEY, "url", "probe"],
        order_by=[ibis.desc("decides"), ibis.desc("measured_at"), "measurement_id"],
    )
    recent = recent.mutate(place=place).filter(lambda t: t.place == 0)
    met, at = recent.met, recent.measured_at
    located = met & (recent.hop > 0)
    telling = ibis.ifelse(met, at, at - 2 * DAY)  # the last that met something; else the last
    return recent.group_by(KEY).agg(
        category=recent.category.max(),
        urls=recent.url.nunique().cast("int64"),
        probes=recent.probe.nunique(where=at > 0).cast("int64"),
        **{name: (recent.outcome == name).sum().cast("int64") for name in COUNTED},
        mechanisms=recent.mechanisms.argmax(at, where=met),
        trigger=recent.trigger.argmax(at, where=met & (recent.trigger != "")),
        position=recent.position.argmax(at, where=met & (recent.position != "")),
        hop=recent.hop.argmax(at, where=located),
        hop_ip=recent.hop_ip.argmax(at, where=located),
        hop_asn=recent.hop_asn.argmax(at, where=located),
        fingerprints=recent.fingerprints.argmax(at, where=met & (recent.fingerprints != "")),
        probability=recent.probability.max(where=recent.outcome == "blocked"),
        measurement_id=recent.measurement_id.argmax(telling),
        run_id=recent.run_id.argmax(telling),
    )


def sites(table: Any) -> Iterator[tuple[str, list[Cell]]]:
    """The cells of each host, from an Arrow *table* that is ordered by host."""
    batches = (batch.to_pylist() for batch in table.to_batches(BATCH))
    rows = (msgspec.convert(row, Cell) for batch in batches for row in batch)
    for host, found in groupby(rows, key=lambda cell: cell.host):
        yield host, list(found)
