"""What only the whole run shows: which controls to believe, which pages are everybody's.

A control that finds nearly every site down, sites that we or two others reach, is broken,
blocked or lying: what it says is not counted, neither for nor against. One that alone reaches
what everybody else finds down is counted, as it may be the only one that is not shut out; but
it accuses nobody alone (`connections.contradicting`), and it is said. A page in the clear that
several sites of the run show is the page of somebody between.
Somebody who signs for nearly every canary, on both sides of the border, signs for
everybody: he does not choose sites, as a censor does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from analysis.observe.line import LineOverRun, note_line_of_run
from analysis.observe.pages import site
from analysis.observe.paths import walk
from analysis.observe.quic import QUICOverRun, note_quic_of_run
from analysis.observe.sight import answered, arrange, place
from probe.evidence import PROBE, CanaryCheck, ControlQuery, HTTPExchange, Measurement
from probe.failure import Failure

FEWEST = 4  # targets that are up, before a control is judged by them
TOO_MANY = 0.7  # share of them that a control may not reach
NEARLY_ALL = 0.75  # share of the canaries greeted that one unknown authority signs for


@dataclass
class Record:
    """Of *up* targets that we or two controls reached while it answered, it *missed* some.

    *alone*: targets of which nobody else got the page, neither we nor another control that
    answered. *asked*: targets that it was asked about, *useless*: the answers that were none,
    or not to be used, by their failure.
    """

    up: int = 0
    missed: int = 0
    alone: int = 0
    asked: int = 0
    useless: Counter[str] = field(default_factory=Counter)

    @property
    def reliable(self) -> bool:
        return self.up < FEWEST or self.missed <= TOO_MANY * self.up


@dataclass(frozen=True)
class OverRun:
    """*records* of the controls by name; marks of pages (`page_marks`) that several sites show;
    how *quic* and the *line* fared."""

    records: dict[str, Record]
    repeated: frozenset[str]
    quic: QUICOverRun = field(default_factory=QUICOverRun)
    line: LineOverRun = field(default_factory=LineOverRun)

    @property
    def unreliable(self) -> frozenset[str]:
        return frozenset(name for name, record in self.records.items() if not record.reliable)

    def doubts(self) -> list[str]:
        """Which controls were not believed, and why; a line each."""
        said = []
        for name, r in sorted(self.records.items()):
            if not r.reliable:
                said.append(f"{name} left out: finds down {r.missed} of {r.up} sites that others"
                            " reach")  # fmt: skip
            if r.alone >= FEWEST and not self.unreliable:
                said.append(f"{name} alone reached {r.alone} sites: no block rests on its word")
            if r.useless.total() >= FEWEST:
                why = ", ".join(f"{n} {failure}" for failure, n in r.useless.most_common())
                said.append(f"{name} was of no use for {r.useless.total()} of {r.asked} targets:"
                            f" {why}")  # fmt: skip
        return said


def over_run(measurements: Iterable[Measurement]) -> OverRun:
    """Read the measurements of one run once; nothing of them is kept but counts and hashes."""
    records: dict[str, Record] = {}
    first_site: dict[str, str] = {}
    repeated: set[str] = set()
    quic, line = QUICOverRun(), LineOverRun()
    for m in measurements:
        _note_controls(records, m)
        note_quic_of_run(quic, m)
        note_line_of_run(line, m)
        for e in m.evidence:
            if not isinstance(e, HTTPExchange) or e.vantage != PROBE or e.tls or not answered(e):
                continue
            shown_by = site(place(m.url).host)
            for mark in page_marks(e):
                if first_site.setdefault(mark, shown_by) != shown_by:
                    repeated.add(mark)
    return OverRun(records, frozenset(repeated), quic, line)


def forger(canaries: Iterable[CanaryCheck]) -> str:
    """The issuer that signs for nearly all canaries, unknown to the store; empty: nobody.

    Each canary counts once, as it was greeted last, and both rings must be among them: a
    censor at the border leaves domestic sites alone, and one that forges for a list of names
    leaves canaries alone.
    """
    last = {c.name: c for c in canaries if c.handshake and c.tls_failure is None}
    signed = Counter(
        c.issuer for c in last.values() if Failure.TLS_UNKNOWN_AUTHORITY in c.problems
    )
    for issuer, count in signed.most_common(1):
        rings = {c.ring for c in last.values() if c.issuer == issuer}
        if issuer and rings == {"domestic", "foreign"} and count >= NEARLY_ALL * len(last):
            return issuer
    return ""


def page_marks(page: HTTPExchange) -> Iterator[str]:
    """What tells *page* from others: its bytes and its title."""
    if page.body_length:
        yield page.body_sha256
        if page.title:
            yield f"title {page.title}"


def _note_controls(records: dict[str, Record], m: Measurement) -> None:
    # By the first question to each: that about the target itself.
    asked: dict[str, ControlQuery] = {}
    for e in m.evidence:
        if isinstance(e, ControlQuery):
            asked.setdefault(e.control, e)
    for name, query in asked.items():
        record = records.setdefault(name, Record())
        record.asked += 1
        if query.failure is not None:
            record.useless[query.failure] += 1
    answering = {e.control for e in m.evidence if isinstance(e, ControlQuery) and e.failure is None}
    if not answering:
        return
    start = first_url(m)
    reached = {
        name: walk(arrange(m.evidence, name, without_ipv6=False), start).end == "page"
        for name in (PROBE, *answering)
    }
    # One control's word condemns no other: it may be the one that lies.
    if reached[PROBE] or sum(reached.values()) > 1:
        for name in answering:
            records[name].up += 1
            records[name].missed += not reached[name]
    if sum(reached.values()) == 1 and len(answering) > 1 and not reached[PROBE]:
        records[max(answering, key=lambda name: reached[name])].alone += 1


def first_url(measurement: Measurement) -> str:
    """The target's URL as the evidence spells it: normalised, its host in ASCII."""
    wanted = place(measurement.url)
    for e in measurement.evidence:
        # Connections to encrypted resolvers are evidence too, with URLs of their own.
        if e.depth == 0 and e.url and place(e.url) == wanted:
            return e.url
    return measurement.url
