"""What a page shows of a site: its cells, its events, and the evidence where there is some."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from analysis.explain import Node
from analysis.history.event import Event
from analysis.report.cells import STATES, Cell
from analysis.report.evidence import Proof
from analysis.report.inert import PageSeen, plain
from analysis.report.tell import EventTold, Teller
from analysis.verdict import Verdict

MAX_LINE = 400  # characters of one line of a chain


@dataclass(frozen=True)
class Row:
    """A site in a table: its cells *on* each network, by AS number."""

    host: str
    category: str
    on: Mapping[int, Cell]

    @property
    def rank(self) -> tuple[int, int, str]:
        """What is held first, on most networks first."""
        states = [STATES.index(cell.state) for cell in self.on.values()]
        worst = min(states)
        return worst, -states.count(worst), self.host


@dataclass(frozen=True)
class ProofShown:
    asn: int
    verdict: Verdict
    chain: Markup
    pages: tuple[PageSeen, ...]


@dataclass
class Site:
    """A site with all that is known of it; *anchor* names it within a page or a folder."""

    host: str
    anchor: str
    cells: Sequence[Cell]
    summary: str
    events: Sequence[EventTold] = ()
    proofs: list[ProofShown] = field(default_factory=list)


def row(host: str, found: Sequence[Cell]) -> Row:
    return Row(
        host=host, category=max((c.category for c in found), default=""),
        on={cell.probe_asn: cell for cell in found},
    )  # fmt: skip


def anchor(host: str) -> str:
    """A name for *host* that nobody outside chooses, the same in each report."""
    return f"site-{hashlib.sha256(host.encode()).hexdigest()[:12]}"


def site(host: str, found: Sequence[Cell], events: Iterable[Event], tell: Teller) -> Site:
    by_state: dict[str, int] = defaultdict(int)
    for cell in found:
        by_state[tell.words.state(cell.state)] += 1
    if len(found) == 1:
        summary = next(iter(by_state))
    else:
        summary = ", ".join(f"{state}: {count}" for state, count in by_state.items())
    return Site(
        host=host, anchor=anchor(host), cells=found, summary=summary,
        events=[tell.event(e) for e in events],
    )  # fmt: skip


def shown(proof: Proof) -> ProofShown:
    asn = proof.verdict.probe_asn.removeprefix("AS")
    return ProofShown(
        asn=int(asn) if asn.isdigit() else 0, verdict=proof.verdict, chain=tree(proof.chain),
        pages=proof.pages,
    )  # fmt: skip


def tree(node: Node) -> Markup:
    """*node* as nested lists. By hand, since templates take long for a hundred thousand lines."""
    out: list[str] = []
    _tree(node, out)
    return Markup(f"<ul>{''.join(out)}</ul>")  # noqa: S704 - each line was escaped


def _tree(node: Node, out: list[str]) -> None:
    out.append(f"<li>{escape(plain(node.text, MAX_LINE))}")
    if node.below:
        out.append("<ul>")
        for below in node.below:
            _tree(below, out)
        out.append("</ul>")
    out.append("\n")  # an li ends where the next begins


def by_host(events: Iterable[Event]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        for target in event.targets:
            found[target].append(event)
    return found
