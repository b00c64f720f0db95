"""An event beside what is documented of its country: consistent, contradicts, cannot tell.

In this order: a look that is another country's or a platform's contradicts; what is no
restriction (an outage, a flood, a site's death) decides nothing. An instrument that could be
the basis is not enough, since the words of some fit anything: it is consistent where a look,
a way, a documented event, a dated decision or an operator's word agrees as well, and none of
them, nor the hour, nor a feed of outages speaks against it. Without such an instrument it is
consistent with a documented practice where there is one, and contradicts where nothing of
the kind is documented. What is unknown is named.

No word here says who did it. `NOT_ATTRIBUTION` goes with every result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from analysis.history.event import Event
from analysis.regime import law, signs
from analysis.regime.clock import clock
from analysis.regime.documents import Regime
from analysis.regime.feeds import feeds
from analysis.regime.law import MEANS, Fit, Protection, Recourse
from analysis.regime.outside import Known, Outside
from analysis.regime.query import NOT_ATTRIBUTION
from analysis.regime.signs import Finding, State

SURE = 0.8  # of an event, below which it is not laid beside anything


class Instrumented(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument that could be the basis: what a reader needs of it."""

    id: str
    title: str
    in_force: str
    until: str = ""
    grounds: tuple[str, ...] = ()
    open: bool = False
    appeal: str = "unknown"
    sources: tuple[str, ...] = ()


class EventFindings(msgspec.Struct, frozen=True, kw_only=True):
    """One event beside the documents of *country*.

    *instruments*: those that could be the basis, nearest first; *may_decide*: who decides
    under them. *missing*: what would let it be told better.
    """

    event: str
    country: str
    state: State
    says: str
    findings: tuple[Finding, ...]
    instruments: tuple[Instrumented, ...] = ()
    may_decide: tuple[str, ...] = ()
    recourse: Recourse
    protection: Protection
    missing: tuple[str, ...] = ()
    caution: str = NOT_ATTRIBUTION


def findings(event: Event, regime: Regime, outside: Outside | Known | None = None) -> EventFindings:
    """What the documents of *regime*, and what is known from *outside*, say of *event*."""
    known = outside if isinstance(outside, Known) else Known(outside)
    fits = law.fits(event, regime, known)
    fitting = [fit for fit in fits if fit.fits]
    found = (
        signs.origin(event, regime, known),
        _instrument(event, fits),
        signs.pattern(event, regime),
        signs.precedent(event, regime),
        signs.announcement(event, regime, known),
        clock(event, regime),
        feeds(event, regime, known),
    )
    protection = law.protection(event, fits, regime)
    state, says, missing = _overall(event, found, regime)
    return EventFindings(
        event=event.id,
        country=regime.country.id,
        state=state,
        says=says,
        findings=found,
        instruments=tuple(_shown(fit) for fit in fitting),
        may_decide=tuple(actor.name for actor in law.may_decide(fitting, regime)),
        recourse=law.recourse([fit.instrument for fit in fitting], regime),
        protection=protection,
        missing=tuple(dict.fromkeys((*missing, *protection.missing))),
    )


def all_findings(
    events: Iterable[Event], regime: Regime, outside: Outside | None = None
) -> list[EventFindings]:
    """`findings` for each, in order."""
    known = Known(outside)
    return [findings(event, regime, known) for event in events]


def _instrument(event: Event, fits: Sequence[Fit]) -> Finding:
    fitting = [fit for fit in fits if fit.fits]
    open_ = [fit for fit in fits if fit.fits is None]
    if event.kind not in MEANS:
        return Finding(
            aspect="instrument", state="cannot_tell", says="No restriction is shown.",
            missing=("a sign that somebody restricts",),
        )  # fmt: skip
    if fitting:
        words = [f"{f.instrument.title} ({f.why})" for f in fitting[:4]]
        return Finding(
            aspect="instrument", state="consistent", refs=tuple(f.instrument.id for f in fitting),
            says=f"Could be the basis: {'; '.join(words)}.",
        )  # fmt: skip
    if open_:
        return Finding(
            aspect="instrument", state="cannot_tell", refs=tuple(f.instrument.id for f in open_),
            says=f"Whether an instrument applies is not known: {open_[0].instrument.title}.",
            missing=tuple(dict.fromkeys(m for f in open_ for m in f.missing))[:4],
        )  # fmt: skip
    nearest = [f"{f.instrument.title}: {f.why}" for f in fits[:4]]
    return Finding(
        aspect="instrument", state="contradicts", refs=tuple(f.instrument.id for f in fits),
        says="No documented instrument allows it: "
        + ("; ".join(nearest) if nearest else "none allows such a thing at all")
        + ".",
    )  # fmt: skip


def _overall(
    event: Event, found: Sequence[Finding], regime: Regime
) -> tuple[State, str, tuple[str, ...]]:
    origin, instrument, pattern, precedent, announcement, hours, others = found
    if origin.state == "contradicts":
        return "contradicts", origin.says, ()
    if event.kind not in MEANS:
        return "cannot_tell", f"An event of the kind {event.kind} shows no restriction.", (
            "a sign that somebody restricts", "feeds of outages for that time",
        )  # fmt: skip
    unknown = (*origin.missing, *announcement.missing)
    if event.probability < SURE:
        says = f"That something happened is itself not certain ({event.probability:.2f})."
        return "cannot_tell", says, ("more measurements of it",)
    if instrument.state == "cannot_tell":
        cited = _cited(precedent, regime)
        if cited:
            says = f"{precedent.says} The sources name its basis: {', '.join(cited)}."
            return "consistent", says, (*instrument.missing, *unknown)
        return "cannot_tell", instrument.says, (*instrument.missing, *unknown)
    if instrument.state == "contradicts":
        return _without_instrument(event, instrument, precedent, others, regime)
    against = [f.says for f in (pattern, announcement, hours, others) if f.state == "contradicts"]
    if against:
        says = f"An instrument could be the basis, but: {' '.join(against)}"
        return "cannot_tell", says, (*pattern.missing, *unknown)
    signs_ = (origin, pattern, precedent, announcement, others)
    shown = [f for f in signs_ if f.state == "consistent"]
    if not shown and event.kind != "geofence":  # of which an order names the hour
        says = f"{instrument.says} Nothing that was seen tells such a restriction from another."
        missing = (*others.missing, *pattern.missing, *precedent.missing, *unknown)
        return "cannot_tell", says, missing
    return "consistent", " ".join((instrument.says, *(f.says for f in shown))), unknown


def _without_instrument(
    event: Event, instrument: Finding, precedent: Finding, others: Finding, regime: Regime
) -> tuple[State, str, tuple[str, ...]]:
    if others.state == "contradicts":
        says = f"{instrument.says} But: {others.says}"
        return "cannot_tell", says, ("a measurement after the outage",)
    practice = signs.practice(event, regime)
    if not practice and precedent.state == "consistent":
        says = f"{instrument.says} It is documented all the same: {precedent.says}"
        return "cannot_tell", says, ("under which instrument it was done",)
    if practice:
        named = ", ".join(f"{d.id} ({d.start})" for d in practice[:5])
        return (
            "consistent",
            f"{instrument.says} The documents know such restrictions without one: {named}.",
            ("an instrument, or an order, that could be the basis",),
        )
    return "contradicts", instrument.says, ("a report, or an instrument that is not documented",)


def _cited(precedent: Finding, regime: Regime) -> list[str]:
    """Titles of the instruments that the sources name for the documented events of it."""
    if precedent.state != "consistent":
        return []
    events = [d for d in regime.events if d.id in precedent.refs and d.lawful == "instrument"]
    ids = {i for d in events for i in d.instruments}
    return [i.title for i in regime.instruments if i.id in ids]


def _shown(fit: Fit) -> Instrumented:
    i = fit.instrument
    return Instrumented(
        id=i.id, title=i.title, in_force=i.in_force, until=i.until, grounds=fit.grounds,
        open=fit.open, appeal=i.appeal, sources=i.sources,
    )  # fmt: skip
