"""What only the whole run shows: which controls to believe, which pages are everybody's.

A control that finds nearly every site down, sites that we or another control reach,
is broken, blocked or lying: what it says is not counted, neither for nor against. A
page in the clear that several sites of the run show is the page of somebody between.
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
    """Of *up* targets that somebody reached while this control answered, it *missed* some."""

    up: int = 0
    missed: int = 0

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
    answering = {e.control for e in m.evidence if isinstance(e, ControlQuery) and e.failure is None}
    if not answering:
        return
    start = first_url(m)
    reached = {
        name: walk(arrange(m.evidence, name, without_ipv6=False), start).end == "page"
        for name in (PROBE, *answering)
    }
    if any(reached.values()):
        for name in answering:
            record = records.setdefault(name, Record())
            record.up += 1
            record.missed += not reached[name]


def first_url(measurement: Measurement) -> str:
    """The target's URL as the evidence spells it: normalised, its host in ASCII."""
    wanted = place(measurement.url)
    for e in measurement.evidence:
        # Connections to encrypted resolvers are evidence too, with URLs of their own.
        if e.depth == 0 and e.url and place(e.url) == wanted:
            return e.url
    return measurement.url
