"""What a page shows of a site: its cells, its events, and the evidence where there is some."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from analysis.explain import Node
from analysis.history.event import Event
from analysis.report.cells import STATES as ORDER
from analysis.report.cells import Cell
from analysis.report.evidence import DOUBT, TOLD, Proof
from analysis.report.inert import PageSeen, plain
from analysis.report.tell import EventTold, Teller
from analysis.report.words import Words
from analysis.verdict import Verdict

SURE = frozenset(TOLD) - DOUBT
MAX_LINE = 400  # characters of one line of a chain
FOLDED = 2      # lines below one, from which on they are folded away


@dataclass(frozen=True)
class Row:
    """A site in a table: its cells *on* each network, by AS number."""

    host: str
    category: str
    on: Mapping[int, Cell]

    @property
    def rank(self) -> tuple[int, int, str]:
        """What is held first, on most networks first."""
        states = [ORDER.index(cell.state) for cell in self.on.values()]
        return min(states), -states.count(min(states)), self.host

    @property
    def told(self) -> bool:
        """Whether there is more to tell than that it was open, or not measured. Of many
        networks one is always in doubt: that alone is no page."""
        states = {cell.state for cell in self.on.values()}
        return bool(states & SURE) or states <= DOUBT


@dataclass(frozen=True)
class ProofShown:
    """A proof as it stands in a page: its *chain* in view, or *packed* for a script to show."""

    asn: int
    verdict: Verdict
    chain: Markup
    packed: str
    pages: tuple[PageSeen, ...]

    @property
    def size(self) -> int:
        return len(self.chain) + len(self.packed)


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


def site(found: Row, events: Iterable[Event], tell: Teller) -> Site:
    states = Counter(cell.state for cell in found.on.values())
    names = [(tell.words.state(state), states[state]) for state in ORDER if states[state]]
    summary = names[0][0] if len(found.on) == 1 else ", ".join(f"{s}: {n}" for s, n in names)
    return Site(
        host=found.host, anchor=anchor(found.host), summary=summary,
        cells=sorted(found.on.values(), key=lambda c: (ORDER.index(c.state), c.probe_asn)),
        events=[tell.event(e) for e in events],
    )  # fmt: skip


def fields(asns: Sequence[int], words: Words) -> Callable[[Row], Markup]:
    """What makes a row's fields, one for each of the networks *asns*: a word, before which the
    style puts a sign (`Pages`), so that it is seen as one and read as the other. Not by a template,
    which takes long for a million fields."""
    field = Markup('<td class="cell {}">{}</td>')
    of = {state: field.format(state, words.state(state)) for state in ORDER}
    nobody = field.format("nobody", words.gettext("nobody looked"))
    empty = Markup("")
    return lambda row: empty.join(
        of[row.on[asn].state] if asn in row.on else nobody for asn in asns
    )


def in_view(proof: Proof) -> ProofShown:
    """*proof* with its chain as nested lists."""
    steps = Markup("").join(_step(node) for node in proof.chain.below)
    return _shown(proof, steps, "")


def packed(proof: Proof) -> ProofShown:
    """*proof* with its chain as lines, indented, in zlib's format and base64: a tenth of it."""
    text = "\n".join(_lines(proof.chain, 0)).encode()
    return _shown(proof, Markup(""), base64.b64encode(zlib.compress(text, 9)).decode())


def _shown(proof: Proof, chain: Markup, packed: str) -> ProofShown:
    asn = proof.verdict.probe_asn.removeprefix("AS")
    return ProofShown(
        asn=int(asn) if asn.isdigit() else 0, verdict=proof.verdict, chain=chain, packed=packed,
        pages=proof.pages,
    )  # fmt: skip


def _step(node: Node) -> Markup:
    """A part of the chain that can be folded away, and those of its parts that are long."""
    if len(node.below) < FOLDED:
        return Markup("<ul>{}</ul>").format(_list(node))
    parts = [
        _step(below) if len(below.below) >= FOLDED else Markup("<ul>{}</ul>").format(_list(below))
        for below in node.below
    ]
    return Markup("<details><summary>{}</summary>{}</details>").format(
        plain(node.text, MAX_LINE), Markup("").join(parts)
    )


def _list(node: Node) -> Markup:
    # Not by a template either. An li ends where the next begins.
    text = f"<li>{escape(plain(node.text, MAX_LINE))}"
    if node.below:
        text += f"<ul>{''.join(map(_list, node.below))}</ul>"
    return Markup(text)  # noqa: S704 - each line was escaped


def _lines(node: Node, depth: int) -> Iterator[str]:
    yield "  " * depth + plain(node.text, MAX_LINE).replace("\n", " ")
    for below in node.below:
        yield from _lines(below, depth + 1)


def by_host(events: Iterable[Event]) -> dict[str, list[Event]]:
    """Events by the sites that they are of."""
    found: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        for target in event.targets:
            found[target].append(event)
    return found
