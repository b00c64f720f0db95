"""What the findings on sites rest on, down to packets, where the measurements are at hand.

Rule: `analysis.explain` tells the chain; here is only chosen whose. A report has room for so
much, and thousands of sites that fare alike need not be shown thousands of times: first comes
one of each kind, then the rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import msgspec

from analysis.explain import Node, explain
from analysis.history.table import host_of
from analysis.report.cells import Cell, State
from analysis.report.inert import PageSeen, pages
from analysis.verdict import Verdict, judge, observations
from probe.store import Store

TOLD: tuple[State, ...] = ("blocked", "mixed", "interfered", "server_side", "inconclusive",
                           "down", "local_fault")  # fmt: skip
DOUBT: frozenset[State] = frozenset({"inconclusive", "local_fault"})
MOST_RUNS = 40  # that are read whole for it: a dataset has many


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement (*id*) told: the *verdict*, the *chain* behind it, the *pages* that came."""

    host: str
    id: str
    verdict: Verdict
    chain: Node
    pages: tuple[PageSeen, ...] = ()


def in_order(found: Iterable[Cell]) -> list[Cell]:
    """The cells with something to prove, one of each kind before the second of any."""
    by_kind: dict[tuple[str, ...], list[Cell]] = defaultdict(list)
    for cell in found:
        if cell.state in TOLD and cell.measurement_id:
            kind = (cell.state, cell.mechanisms, cell.trigger, str(cell.hop), str(cell.probe_asn))
            by_kind[kind].append(cell)
    order = {state: place for place, state in enumerate(TOLD)}
    turns = [
        (turn, order[cell.state], cell)
        for some in by_kind.values()
        for turn, cell in enumerate(some)
    ]
    turns.sort(key=lambda t: (t[0], t[1], t[2].host, t[2].probe_asn))
    return [cell for _turn, _order, cell in turns]


def proofs(store: Store, wanted: Iterable[Cell]) -> Iterator[Proof]:
    """The proof of each of the cells *wanted* whose measurement is in *store*, run by run.

    Raises `StoreError`.
    """
    of_run: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for cell in wanted:
        of_run[cell.run_id].add((cell.measurement_id, cell.host))
    runs = [run for run in reversed(store.runs()) if run.id in of_run]
    for run in runs[:MOST_RUNS]:
        keys = [(row, (row.measurement_id, host_of(row.url))) for row in observations(store, run)]
        rows = [(row, key) for row, key in keys if key in of_run[run.id]]
        judged = judge([row for row, _key in rows])
        for (row, (id, host)), verdict in zip(rows, judged, strict=True):
            measurement = store.measurement(id)
            yield Proof(
                host=host, id=id, verdict=verdict, pages=tuple(pages(measurement)),
                chain=explain(row, verdict, measurement, store.follow_ups(id)),
            )  # fmt: skip
