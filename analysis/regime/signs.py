"""What an event looks like beside what is documented: looks, ways, precedents, decisions.

Rule: a look that belongs to another country, or to a platform, speaks against the regime
whatever else fits; that nothing is documented speaks neither way. A documented event agrees
where it names one of the targets and their times touch; one that is merely alike is named,
and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from analysis.fingerprints import known
from analysis.history.event import Event, Interval
from analysis.regime.documents import Documented, Fact, Regime
from analysis.regime.outside import Announcement, Known, RegisterEntry

State = Literal["consistent", "contradicts", "cannot_tell"]

NEAR = 7 * 86400.0  # seconds: a documented date and the onset are of one thing
PRACTICE = 2 * 365.25 * 86400.0  # a practice is taken to hold this long around a case of it
BEFORE = 30 * 86400.0  # a decision this long before the onset can belong to it
_ORDERED = {
    "blocking": ("restrict",), "throttling": ("throttle",), "shutdown": ("shutdown",),
    "registry": ("annul", "restrict"), "geofence": ("geofence",),
}  # fmt: skip
_FOREVER = float("inf")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One aspect of an event beside the documents. *refs*: ids of what it rests on."""

    aspect: Literal[
        "origin", "instrument", "pattern", "precedent", "announcement", "clock", "feeds"
    ]
    state: State
    says: str
    missing: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()


def origin(event: Event, regime: Regime, outside: Known) -> Finding:
    """Whose the looks are that were seen: own, another country's, a platform's."""
    facts = {fact.id: fact.origin for fact in regime.facts}
    of = {f.id: (f.kind, f.country) for f in known()}
    seen = [(i, facts.get(i) or _origin(*of.get(i, ("", "")), regime)) for i in event.fingerprints]
    own = [i for i, whose in seen if whose == "own"]
    foreign = [i for i, whose in seen if whose == "foreign"]
    platform = [i for i, whose in seen if whose == "platform"]
    if own and (foreign or platform):
        return Finding(
            aspect="origin", state="cannot_tell", refs=(*own, *foreign, *platform),
            says="Looks of this country and of others were seen together.",
            missing=("the looks by network and time",),
        )  # fmt: skip
    if foreign:
        listed = _registers(event, outside, regime)
        beside = f" The target is in the register of {', '.join(listed)}." if listed else ""
        return Finding(
            aspect="origin", state="contradicts", refs=tuple(foreign),
            says="The page is another country's: a carrier on the way, or a provider that acts"
            f" on a foreign request; no decision of this country is needed for it.{beside}",
        )  # fmt: skip
    if platform:
        return Finding(
            aspect="origin", state="contradicts", refs=tuple(platform),
            says="The site or its platform itself withholds the page; nobody is on the way.",
        )  # fmt: skip
    if own:
        return Finding(
            aspect="origin", state="consistent", refs=tuple(own),
            says="The looks are those by which operators of this country are known.",
        )  # fmt: skip
    return Finding(
        aspect="origin", state="cannot_tell", says="Nothing that was seen names whose it is.",
        missing=("a page, an answer or a certificate that is known",),
    )  # fmt: skip


def pattern(event: Event, regime: Regime) -> Finding:
    """Whether the way it was done is the one documented for these networks at that time."""
    facts = [
        fact
        for fact in regime.facts
        if fact.origin == "own" and fact.mechanisms
        if not fact.categories or set(fact.categories) & set(event.categories)
    ]
    pairs = {(p.probe_asn, p.mechanism, _first(p.onset)) for p in event.parts if p.mechanism} or {
        (asn, mechanism, _seen(event)) for asn in event.networks for mechanism in event.mechanisms
    }
    agree: dict[str, None] = {}
    unlike: list[str] = []
    undocumented: set[int] = set()
    for asn, mechanism, seen in sorted(pairs):
        then = [f for f in facts if _in_time(f, seen, regime)]
        own = [f for f in then if asn in f.asns]
        fitting = [f for f in own if mechanism in f.mechanisms] or [
            f for f in then if not f.asns and mechanism in f.mechanisms
        ]
        if fitting:
            agree |= dict.fromkeys(f.id for f in fitting)
        elif own:
            unlike.append(f"{mechanism} on AS{asn}")
        else:
            undocumented.add(asn)
    borrowed = _borrowed(event, facts)
    if unlike or borrowed:
        state: State = "cannot_tell" if agree else "contradicts"
        words = [*(f"{u} is not documented there" for u in unlike), *borrowed]
        return Finding(
            aspect="pattern", state=state, refs=tuple(agree), says="; ".join(words[:8]) + ".",
            missing=("which equipment these networks use now",) if state == "cannot_tell" else (),
        )  # fmt: skip
    if agree:
        return Finding(
            aspect="pattern", state="consistent", refs=tuple(agree),
            says="It was done in a way that is documented for these networks.",
        )  # fmt: skip
    which = ", ".join(f"AS{n}" for n in sorted(undocumented)[:8])
    return Finding(
        aspect="pattern", state="cannot_tell",
        says="Of these networks it is not documented how they restrict.",
        missing=(f"how {which} restricts" if which else "the networks, and the mechanism",),
    )  # fmt: skip


def precedent(event: Event, regime: Regime) -> Finding:
    """Documented events of the same targets at that time; else those that are alike."""
    same = [d for d in regime.events if _same_target(event, d) and _touches(event, d, regime)]
    if same:
        told = "; ".join(f"{d.id} ({d.start}) {d.target}" for d in same[:4])
        return Finding(
            aspect="precedent", state="consistent", refs=tuple(d.id for d in same),
            says=f"Documented: {told}.",
        )  # fmt: skip
    alike = [d.id for d in regime.events if _alike(event, d)]
    before = [d.id for d in regime.events if _same_target(event, d)]
    words = []
    if before:
        words.append(f"; the same targets at another time: {', '.join(before)}")
    if alike:
        words.append(f"; others that are alike: {', '.join(alike)}")
    return Finding(
        aspect="precedent", state="cannot_tell", refs=tuple(dict.fromkeys(before + alike)),
        says=f"No event of these targets is documented at that time{''.join(words)}.",
        missing=("a report of it",),
    )  # fmt: skip


def practice(event: Event, regime: Regime) -> list[Documented]:
    """Documented events of the same kind and way, done without an instrument, near in time:
    what is known to be done although no instrument allows it."""
    seen = _seen(event)
    return [
        d
        for d in regime.events
        if d.lawful == "none"
        and d.kind == event.kind
        and ((_same_target(event, d) and _touches(event, d, regime)) or _alike(event, d))
        and abs(regime.span(d.start).first - seen) <= PRACTICE
    ]


def announcement(event: Event, regime: Regime, outside: Known) -> Finding:
    """Whether a decision about a target is known, and on which side of the onset it lies."""
    wanted = _ORDERED.get(event.kind, ())
    longest = BEFORE + _width(event)
    near: list[tuple[float, Announcement]] = []
    for row in outside.about(Announcement, event.targets):
        dates = (row.effective, row.listed, row.decided, row.announced)
        firsts = [regime.span(date).first for date in dates if date]
        if row.what in wanted and firsts and -NEAR <= _seen(event) - min(firsts) <= longest:
            near.append((min(firsts), row))
    if not near:
        return Finding(
            aspect="announcement", state="cannot_tell",
            says="No decision about these targets is known near the onset.",
            missing=("a dated decision, announcement or entry in the list",),
        )  # fmt: skip
    at, row = min(near, key=lambda pair: abs(_seen(event) - pair[0]))
    when = row.decided or row.listed or row.announced or row.effective
    known_as = f"{row.what} {row.host}, {row.body or 'by whom is not known'}, {when}"
    refs = tuple(i for i in (row.body, row.instrument) if i)
    if _seen(event) < at:
        return Finding(
            aspect="announcement", state="contradicts", refs=refs,
            says=f"It was seen before the decision that is known ({known_as}).",
        )  # fmt: skip
    return Finding(
        aspect="announcement", state="consistent", refs=refs,
        says=f"A decision is known before the onset: {known_as}.",
    )  # fmt: skip


def _origin(kind: str, country: str, regime: Regime) -> str:
    if kind in ("platform_notice", "platform_false_alarm"):
        return "platform"
    if kind == "foreign_block_page" or country not in ("", "ZZ", regime.country.cc):
        return "foreign"
    return "own" if kind == "block_page" and country == regime.country.cc else ""


def _borrowed(event: Event, facts: Iterable[Fact]) -> list[str]:
    by_id = {f.id: f.asns for f in facts if f.fingerprint and f.asns}
    networks = set(event.networks)
    return [
        f"{i} is known from {', '.join(f'AS{a}' for a in by_id[i])} alone"
        for i in event.fingerprints
        if i in by_id and networks and not networks & set(by_id[i])
    ]


def _in_time(fact: Fact, seen: float, regime: Regime) -> bool:
    since = regime.span(fact.since).first
    until = regime.span(fact.until).last if fact.until else _FOREVER
    return since - NEAR <= seen <= until + NEAR


def _touches(event: Event, documented: Documented, regime: Regime) -> bool:
    """Whether the onset can lie in the time of *documented*. One without a documented end is
    no promise that it still goes on: it counts for as long as a practice."""
    start = regime.span(documented.start).first
    end = regime.span(documented.end).last + NEAR if documented.end else start + PRACTICE
    before = event.onset.after if event.onset.after is not None else _seen(event)
    return start - NEAR <= _seen(event) and before <= end


def _same_target(event: Event, documented: Documented) -> bool:
    return any(_covers(host, event.targets) for host in documented.hosts)


def _covers(host: str, targets: Sequence[str]) -> bool:
    return any(t == host or t.endswith(f".{host}") for t in targets)


def _alike(event: Event, documented: Documented) -> bool:
    # Of a block the way tells; the other kinds are their own way.
    way = event.kind != "blocking" or bool(set(documented.mechanisms) & set(event.mechanisms))
    return (
        documented.kind == event.kind
        and way
        and (not documented.scope or documented.scope == event.scope)
    )


def _registers(event: Event, outside: Known, regime: Regime) -> list[str]:
    return sorted(
        {
            r.register
            for r in outside.about(RegisterEntry, event.targets)
            if r.register != regime.country.cc
            and regime.span(r.listed).first <= _seen(event)
            and (not r.removed or _seen(event) <= regime.span(r.removed).last)
        }
    )


def _seen(event: Event) -> float:
    return _first(event.onset)


def _first(onset: Interval) -> float:
    if onset.by is not None:
        return onset.by
    return onset.after if onset.after is not None else -_FOREVER


def _width(event: Event) -> float:
    by, after = event.onset.by, event.onset.after
    return by - after if by is not None and after is not None else 0.0
