"""What a report tells, gathered from where it is known: nothing is judged here.

Verdicts, events, findings and hypotheses are those of `analysis`; of a dataset those that
``zond analyse`` left beside it, as long as the dataset is not younger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from analysis import history_cli as files
from analysis.dataset import manifest
from analysis.dataset.collect import STORE
from analysis.history.event import Event
from analysis.history.whole import History
from analysis.regime import outside_store
from analysis.regime.documents import Regime
from analysis.regime.findings import EventFindings
from analysis.regime.query import Hypothesis, Result, hypotheses
from analysis.report.cells import Cell, State, cells, sites
from analysis.rules import RULES_VERSION
from analysis.run_findings import RunFinding, run_findings
from probe.store import Store

T = TypeVar("T")
HELD: tuple[State, ...] = ("blocked", "mixed", "interfered")
UNKNOWN = "ZZ"


@dataclass
class Network:
    """What was found on one network: *states*, *mechanisms*, *hops* (hop, AS number, address)
    and *places* (hop, AS number) count sites; *held* are the cells in which something is met,
    and *sure* the probabilities of those that are blocked. Times are POSIX seconds, UTC."""

    asn: int
    cc: str
    first: float = 0.0
    last: float = 0.0
    looks: int = 0
    states: Counter[State] = field(default_factory=Counter)
    mechanisms: Counter[str] = field(default_factory=Counter)
    hops: Counter[tuple[int, int, str]] = field(default_factory=Counter)
    places: Counter[tuple[int, int]] = field(default_factory=Counter)
    held: list[Cell] = field(default_factory=list)
    sure: list[float] = field(default_factory=list)

    @property
    def sites(self) -> int:
        return sum(self.states.values())

    @property
    def looked_at(self) -> int:
        return self.sites - self.states["not_measured"]

    def add(self, cell: Cell) -> None:
        state = cell.state
        self.states[state] += 1
        self.looks += cell.looks
        self.last = max(self.last, cell.last)
        self.first = min(filter(None, (self.first, cell.first)), default=0.0)
        if state in HELD:
            self.mechanisms.update(name for name in cell.mechanisms.split(",") if name)
            self.held.append(cell)
            if cell.hop:
                self.hops[cell.hop, cell.hop_asn, cell.hop_ip] += 1
                self.places[cell.hop, cell.hop_asn] += 1
            if cell.probability >= 0:
                self.sure.append(cell.probability)


@dataclass(frozen=True)
class Facts:
    """All that a report tells. *table* holds the cells, ordered by host (`cells.sites` reads
    them); *networks* are those of the country, *abroad* the others; *store* holds what the
    findings rest on, None where only tables are at hand."""

    regime: Regime
    table: Any
    networks: tuple[Network, ...]
    abroad: tuple[Network, ...]
    hosts: int
    events: Sequence[Event]
    findings: Mapping[str, EventFindings]
    hypotheses: Sequence[Hypothesis]
    results: Sequence[Result]
    run_findings: Sequence[RunFinding]
    rules_version: str
    store: Path | None
    dataset: bool

    @property
    def held(self) -> int:
        """Sites that are blocked, all or in part, on some network of the country."""
        names = ("blocked", "mixed")
        return len({c.host for n in self.networks for c in n.held if c.state in names})

    @property
    def first(self) -> float:
        return min((n.first for n in self.networks if n.first), default=0.0)

    @property
    def last(self) -> float:
        return max((n.last for n in self.networks), default=0.0)


def gather(db: Path | None, dataset: Path | None, country: str | Path) -> Facts:
    """The facts of the database *db*, or of *dataset* with *db* beside it for the evidence.

    Raises `StoreError`, `DatasetError`, `DataError`.
    """
    source = dataset or db
    assert source is not None
    outside = outside_store.load(db)[0] if db is not None and db.exists() else {}
    kept = _kept(dataset) if dataset else None
    history = History(source, country, outside=outside, known=kept[0] if kept else ())
    regime = history.regime  # first, since a mistake in it is told at once
    table = cells(history.verdicts)
    events = kept[0] if kept else history.events
    findings = kept[1] if kept else history.findings
    results = kept[2] if kept else history.hypotheses()
    networks, hosts = networks_of(table)
    cc = _country(networks, regime.country.cc)
    store = db if db is not None and db.exists() else None
    if store is None and dataset is not None and (dataset / STORE).exists():
        store = dataset / STORE
    return Facts(
        regime=regime,
        table=table,
        networks=tuple(n for n in networks if n.cc == cc),
        abroad=tuple(n for n in networks if n.cc != cc),
        hosts=hosts,
        events=events,
        findings={f.event: f for f in findings},
        hypotheses=hypotheses(country),
        results=results,
        run_findings=_run_findings(store) if dataset is None and store else (),
        rules_version=RULES_VERSION,
        store=store,
        dataset=dataset is not None,
    )


def _kept(dataset: Path) -> tuple[list[Event], list[EventFindings], list[Result]] | None:
    """What `zond analyse` left beside the dataset; None where it is older, or not there."""
    paths = [dataset / name for name in (files.EVENTS, files.FINDINGS, files.HYPOTHESES)]
    if not all(path.exists() for path in paths):
        return None
    if min(p.stat().st_mtime for p in paths) < (dataset / manifest.NAME).stat().st_mtime:
        return None
    try:
        return _lines(paths[0], Event), _lines(paths[1], EventFindings), _lines(paths[2], Result)
    except msgspec.DecodeError as exc:
        raise manifest.DatasetError(
            f"{dataset}: what analyse left is of another form: {exc}"
        ) from exc


def _lines(path: Path, of: type[T]) -> list[T]:
    return [msgspec.json.decode(line, type=of) for line in path.read_bytes().splitlines()]


def networks_of(table: Any) -> tuple[list[Network], int]:
    """The networks, those with most looks first, and how many hosts there are."""
    by: dict[tuple[str, int], Network] = {}
    hosts = 0
    for _host, found in sites(table):
        hosts += 1
        for cell in found:
            key = cell.probe_cc, cell.probe_asn
            by.setdefault(key, Network(cell.probe_asn, cell.probe_cc)).add(cell)
    return sorted(by.values(), key=lambda n: (-n.looks, n.asn)), hosts


def _country(networks: Sequence[Network], documented: str) -> str:
    """The country of the report: the documented one if anybody looked from there."""
    known = [n.cc for n in networks if n.cc != UNKNOWN]
    return documented if documented in known or not known else known[0]


def _run_findings(path: Path) -> list[RunFinding]:
    with Store(path) as store:
        found = []
        for run in store.runs():
            measured = partial(store.measurements, run.id)
            found += run_findings(run, store.canaries(run.id), measured)
        return found
