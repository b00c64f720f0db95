"""What feeds of outages, and operators themselves, said of the hours in which an event began.

A network that was down shows what a block shows: where a feed saw an outage of these networks
(or of the country) while it began, a block is doubtful, and a shutdown is seen twice. A notice
of an operator is its own word.
"""

from __future__ import annotations

from analysis.history.event import Event
from analysis.regime.documents import Regime
from analysis.regime.outside import Known, Notice, Outage
from analysis.regime.signs import Finding

DAY = 86400.0
_TOLD = {"blocking": "block", "throttling": "throttle", "shutdown": "shutdown"}


def feeds(event: Event, regime: Regime, outside: Known) -> Finding:
    """Whether others saw the networks fail, or were told that they would."""
    first, last = _began(event)
    told = [
        n
        for n in outside.all(Notice)
        if n.about == _TOLD.get(event.kind)
        and (n.asn == 0 or n.asn in event.networks)
        and regime.span(n.at).first - DAY <= last
        and first <= regime.span(n.end or n.at).last
    ]
    if told:
        words = "; ".join(f"{n.operator} ({n.at}): {n.says or n.about}" for n in told[:3])
        return Finding(
            aspect="feeds", state="consistent", says=f"Operators told their customers: {words}.",
            refs=tuple(dict.fromkeys(n.operator for n in told)),
        )  # fmt: skip
    seen = [
        o
        for o in outside.all(Outage)
        if (o.asn == 0 or o.asn in event.networks)
        and regime.span(o.start).first <= last
        and (not o.end or first <= regime.span(o.end).last)
    ]
    if seen:
        words = "; ".join(f"{o.feed}, {f'AS{o.asn}' if o.asn else 'the country'}" for o in seen[:3])
        refs = tuple(dict.fromkeys(o.feed for o in seen))
        says = f"Feeds saw an outage while it began: {words}."
        if event.kind in ("shutdown", "outage"):
            return Finding(aspect="feeds", state="consistent", says=says, refs=refs)
        return Finding(aspect="feeds", state="contradicts", says=says, refs=refs)
    asked_for = event.kind in ("shutdown", "outage")
    return Finding(
        aspect="feeds", state="cannot_tell", says="No feed, and no word of an operator, is known.",
        missing=("feeds of outages for that time",) if asked_for else (),
    )  # fmt: skip


def _began(event: Event) -> tuple[float, float]:
    after, by = event.onset.after, event.onset.by
    last = by if by is not None else after if after is not None else float("-inf")
    return (after if after is not None else last), last
