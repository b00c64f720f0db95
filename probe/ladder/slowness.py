"""Did a page come much later here than at the controls? Pure; facts, no verdict.

This only chooses what to look at again (`probe.ladder.rungs.speed`), from one sample each
and minutes before. So the margins are wide: our own line, a busy moment and the distance
must not send us to half of the list, and throttling that is worth the name is beyond them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from probe.evidence import (
    PROBE,
    AnyEvidence,
    HTTPExchange,
    TCPConnect,
    TLSHandshake,
)
from probe.ladder.rung import Accused
from probe.wire.url import parse

TIMES = 3.0  # as long as at the slowest control
MORE = 0.8  # seconds longer: four round trips of 200 ms, or a packet lost here and there
MANY = 40
TOO_MANY = 0.25  # of a run's targets
MOST_SCALED = 20.0  # times; how much more a page that was cut off is taken to have needed

Page = tuple[str, int]  # URL and depth


class Slow(NamedTuple):
    """A page of *url* at *ip* took *ours* seconds here and *theirs* at the slowest control."""

    url: str
    depth: int
    ip: str
    port: int
    ours: float
    theirs: float

    @property
    def times(self) -> float:
        return self.ours / max(self.theirs, 0.001)


def slowest(evidence: Iterable[AnyEvidence]) -> Slow | None:
    """The page of a target that took longest here, measured by the controls'."""
    return max(compared(evidence), key=lambda page: page.times, default=None)


def suspects(pages: Sequence[Slow | None]) -> list[Accused | None]:
    """Of the slowest *pages* of each target of a run, those to accuse, at the same places.

    Where very many are suspected it is the line, or all that is abroad: then the slowest
    stand for the rest.
    """
    found = [page for page in pages if page is not None and _suspicious(page)]
    if len(found) > max(MANY, TOO_MANY * len(pages)):
        found = sorted(found, key=lambda page: -page.times)[:MANY]
    kept = frozenset(found)
    return [_accused(page) if page in kept else None for page in pages]


def _suspicious(page: Slow) -> bool:
    return page.times > TIMES and page.ours > page.theirs + MORE


def _accused(page: Slow | None) -> Accused | None:
    if page is None:
        return None
    url = parse(page.url)
    return Accused(layer="slow", url=url, ip=page.ip, port=page.port, depth=page.depth)


def compared(evidence: Iterable[AnyEvidence]) -> tuple[Slow, ...]:
    """Each page that came here and to a control, with the seconds that it took."""
    mine: dict[Page, HTTPExchange] = {}
    theirs: dict[Page, dict[str, HTTPExchange]] = {}
    before: dict[tuple[str, int], float] = {}
    for e in evidence:
        if e.step:
            continue
        if isinstance(e, TCPConnect | TLSHandshake):
            key = e.vantage, e.transaction
            before[key] = before.get(key, 0.0) + e.t - e.t0
        elif isinstance(e, HTTPExchange) and e.status is not None and e.failure is None:
            if e.vantage == PROBE:
                mine.setdefault((e.url, e.depth), e)
            else:
                # A control counts its redirects from where it was sent.
                theirs.setdefault((e.url, 0), {}).setdefault(e.vantage, e)

    def seconds(e: HTTPExchange, length: int) -> float:
        """All of its connection's; what was cut off counts as if it had gone on."""
        head = e.head_t or e.t
        scale = min(MOST_SCALED, length / e.body_length) if 0 < e.body_length < length else 1.0
        body = (e.t - head) * (scale if e.body_truncated else 1.0)
        return before.get((e.vantage, e.transaction), 0.0) + (head - e.t0) + body

    found = []
    for (url, depth), e in mine.items():
        others = [o for o in theirs.get((url, 0), {}).values() if _same_kind(e, o)]
        if others:
            length = max(o.body_length for o in others)
            found.append(
                Slow(
                    url, depth, e.ip, e.port, round(seconds(e, length), 3),
                    round(max(seconds(o, length) for o in others), 3),
                )
            )  # fmt: skip
    return tuple(found)


def _same_kind(e: HTTPExchange, other: HTTPExchange) -> bool:
    """Not a page here and a refusal there: those take what time they take."""
    return e.status == other.status
