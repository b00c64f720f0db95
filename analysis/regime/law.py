"""What the instruments of a regime say of an event: which could be its basis, who may decide,
what recourse there is, and whether such information may be restricted at all.

An instrument fits where it was in force when the event was seen, allows what was done, for a
ground that the targets' category is known for (or any), and reaches the networks on which it
was done. Each of these is true, false or unknown, as for hypotheses; what is unknown is what
is missing. That an instrument fits says that it could have been used.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from analysis.history.event import Event, Interval
from analysis.regime.documents import Actor, Appeal, Instrument, Protected, Regime, Score
from analysis.regime.outside import Known, Mirror

Truth = bool | None
Grounds = frozenset[str] | None

MEANS = {
    "blocking": "block", "throttling": "throttle", "shutdown": "shutdown",
    "registry": "annul_name", "geofence": "geofence",
}  # fmt: skip
"""Kinds of event that somebody with power can order, and by which means."""
ANY = "any"  # a ground that can be read into any subject
_LEGISLATIVE = ("law", "decree")
_BEYOND = ("national", "gateway", "mobile", "global")  # scopes with networks of every kind
_WITHOUT_GROUND = ("shutdown", "geofence")  # whole networks: no target's category matters


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """Whether *instrument* could be the basis, and why (not): *why* in words; *missing* what
    would decide it; *grounds* on which it could be; *open* where only its open words fit."""

    instrument: Instrument
    fits: Truth
    why: str
    missing: tuple[str, ...] = ()
    grounds: tuple[str, ...] = ()
    open: bool = False


class Recourse(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a decision can be appealed. *scores*: how the country's law on information is
    rated for appeals and exceptions: it is about requests for information, and so about
    whether the reason of a restriction can be learnt and argued with."""

    appeal: Appeal
    says: str
    scores: tuple[str, ...] = ()


class Protection(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the information is of a kind that may not be restricted. *kinds*: what targets
    of these categories usually carry of it, with the place in the law."""

    state: Literal["protected", "not_protected", "cannot_tell"]
    says: str
    kinds: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """The legal side of a hypothesis: *instruments* it is about (title, since, until), who may
    decide under them, what recourse there is, what of it may not be restricted."""

    instruments: tuple[str, ...] = ()
    may_decide: tuple[str, ...] = ()
    recourse: Recourse
    protected: str


def basis(instruments: Sequence[str], categories: Sequence[str], regime: Regime) -> Basis:
    """`Basis` of the *instruments* with these ids, for targets of *categories* (none: any)."""
    chosen = [i for i in regime.instruments if i.id in instruments]
    known = {c.code: c.protected for c in regime.categories}
    kinds = {k for code in categories for k in known.get(code, ())}
    told = [p.what for p in regime.protected if p.id in kinds]
    if not regime.protected:
        protected = "No law is documented that says what may not be restricted."
    elif not categories:
        protected = "It depends on the target: see the findings of each event."
    elif told:
        protected = f"Usually carried, and not to be restricted: {'; '.join(told)}."
    else:
        protected = "No kind that may not be restricted is tied to such targets."
    ids = dict.fromkeys(a for i in chosen for a in i.decides)
    names = {a.id: a.name for a in regime.actors}
    return Basis(
        instruments=tuple(_dated(i) for i in chosen),
        may_decide=tuple(names[a] for a in ids),
        recourse=recourse(chosen, regime),
        protected=protected,
    )


def _dated(instrument: Instrument) -> str:
    until = f" to {instrument.until}" if instrument.until else ""
    return f"{instrument.title} ({instrument.in_force}{until})"


def fits(event: Event, regime: Regime, outside: Known) -> list[Fit]:
    """Every instrument of the means that the event's kind needs; the fitting ones first, and
    of those the ones with a ground of their own before the open ones."""
    means = MEANS.get(event.kind)
    grounds = _of_targets(event, regime, outside)
    found = [_fit(event, i, regime, grounds) for i in regime.instruments if means in i.means]
    order = {True: 0, None: 1, False: 2}
    return sorted(found, key=lambda f: (order[f.fits], f.open))


def may_decide(found: Iterable[Fit], regime: Regime) -> list[Actor]:
    """Who may decide under the fitting instruments, in their order."""
    ids = dict.fromkeys(i for fit in found if fit.fits for i in fit.instrument.decides)
    actors = {actor.id: actor for actor in regime.actors}
    return [actors[i] for i in ids]


def recourse(instruments: Sequence[Instrument], regime: Regime) -> Recourse:
    """What can be done against a decision under *instruments*."""
    scores = tuple(_score(s) for s in regime.scores if _bears_on_recourse(s))
    appeals = list(dict.fromkeys(i.appeal for i in instruments))
    says = " ".join(dict.fromkeys(f"{i.title}: {i.recourse}" for i in instruments if i.recourse))
    if not appeals:
        says = "No instrument is known to apply."
    appeal = appeals[0] if len(appeals) == 1 else _together(appeals)
    rated = "; ".join(_score(s) for s in regime.scores if _bears_on_recourse(s, whole=True))
    if rated:
        says = f"{says} Rated, of requests for information and not of restrictions: {rated}."
    return Recourse(appeal=appeal, says=says.strip() or "The sources do not say.", scores=scores)


def protection(event: Event, found: Sequence[Fit], regime: Regime) -> Protection:
    """Whether what the targets usually carry may be restricted under the law in force."""
    if event.kind not in MEANS:
        return Protection(state="not_protected", says="No restriction of information is shown.")
    kinds = _kinds(event, regime)
    if kinds is None:
        return Protection(
            state="cannot_tell", says="What the targets carry is not known.",
            missing=("the category of the targets",),
        )  # fmt: skip
    in_law = [k for k in kinds if _law_in_force(k, event, regime)]
    if not in_law:
        return Protection(
            state="not_protected",
            says="No kind of information that may not be restricted is tied to these targets.",
        )
    legislative = any(f.fits and f.instrument.kind in _LEGISLATIVE for f in found)
    articles = ", ".join(dict.fromkeys(f"article {k.article}" for k in in_law))
    says = (
        f"Such targets usually carry information that may not be restricted ({articles}):"
        f" {'; '.join(k.what for k in in_law)}."
    )
    if not legislative:
        says += " No law or decree that could be the basis is known to have been in force."
    return Protection(
        state="protected",
        says=says,
        kinds=tuple(f"{k.law} article {k.article}, {k.place}: {k.what}" for k in in_law),
    )


def in_force(instrument: Instrument, onset: Interval, regime: Regime) -> tuple[Truth, str]:
    """Whether it was in force when the event was first seen, and what that rests on.

    Unknown where the last look before and the first look that shows it lie on two sides of a
    date. Where nobody looked before, the first look that shows it counts. An order with a
    timetable is met by what begins at its first minute.
    """
    begins = regime.span(instrument.in_force)
    ends = regime.span(instrument.until) if instrument.until else None
    seen = onset.by if onset.by is not None else onset.after
    if seen is None:
        return None, "when it was first seen is not known"
    if seen < begins.first:
        return False, f"in force only since {instrument.in_force}"
    before = onset.after if onset.after is not None else seen
    if instrument.kind == "order" and ends and before <= begins.last and seen <= ends.last:
        return True, f"ordered from {instrument.in_force} to {instrument.until}"
    if ends and before >= ends.last:
        return False, f"in force only until {instrument.until}"
    if before < begins.last and not (onset.after is None and seen >= begins.last):
        return None, f"a look between the last clean one and {instrument.in_force}"
    if ends and seen > ends.first:
        return None, f"a look before {instrument.until}"
    return True, f"in force since {instrument.in_force}"


def _fit(event: Event, instrument: Instrument, regime: Regime, of_targets: Grounds) -> Fit:
    force, when = in_force(instrument, event.onset, regime)
    ground, grounds, open_ = _grounds(event, instrument, of_targets)
    reach, whom = _reach(event, instrument, regime)
    checks = ((force, when), (ground, "a ground for the category of the targets"), (reach, whom))
    false = [why for truth, why in checks if truth is False]
    missing = tuple(why for truth, why in checks if truth is None)
    why = "; ".join(false or missing or (when,))
    return Fit(
        instrument=instrument,
        fits=False if false else None if missing else True,
        why=why if not false or ground is not False else why.replace("a ground", "no ground"),
        missing=() if false else missing,
        grounds=grounds,
        open=open_,
    )


def _of_targets(event: Event, regime: Regime, outside: Known) -> Grounds:
    """The grounds that the targets are known for; None where their category is not known."""
    known = {c.code: c.grounds for c in regime.categories}
    found = {g for code in event.categories for g in known.get(code, ())}
    if outside.about(Mirror, event.targets):
        found |= {g.id for g in regime.grounds if g.of == "mirrors"}
    return frozenset(found) if found or any(c in known for c in event.categories) else None


def _grounds(event: Event, i: Instrument, known: Grounds) -> tuple[Truth, tuple[str, ...], bool]:
    if event.kind in _WITHOUT_GROUND or event.kind == "throttling":
        return True, i.grounds, False
    if not i.grounds:
        return None, (), False  # the sources do not say for what
    direct = tuple(g for g in i.grounds if g in (known or ()))
    if direct:
        return True, direct, False
    if ANY in i.grounds:
        return True, (ANY,), True
    return (None if known is None else False), (), False


def _reach(event: Event, i: Instrument, regime: Regime) -> tuple[Truth, str]:
    if i.reach == "names":
        outside = [t for t in event.targets if not _in_zone(t, regime)]
        return not outside, f"{', '.join(outside[:3])} is not in the country's zone"
    if i.reach == "hosting":
        abroad = [n for n in event.networks if n in regime.networks]
        return not abroad, "fails for networks of the country, not for the world"
    if i.reach != "bound_bodies":
        return True, ""
    if event.scope in _BEYOND:
        return False, f"it binds {' and '.join(i.bound)} networks alone"
    kinds = {n: regime.networks[n].kind for n in event.networks if n in regime.networks}
    free = [f"AS{n}" for n, kind in kinds.items() if kind not in i.bound]
    if free:
        return False, f"it binds {' and '.join(i.bound)} networks alone, not {', '.join(free[:5])}"
    unknown = set(event.networks) - set(kinds)
    return (None if unknown or not kinds else True), "what kind of network this is"


def _in_zone(target: str, regime: Regime) -> bool:
    return target.rstrip(".").rpartition(".")[2].lower() in regime.country.zones


def _kinds(event: Event, regime: Regime) -> list[Protected] | None:
    if event.kind in _WITHOUT_GROUND:
        return list(regime.protected)  # whatever it is, it is among what cannot be reached
    known = {c.code: c.protected for c in regime.categories}
    if not any(code in known for code in event.categories):
        return None
    ids = {i for code in event.categories for i in known.get(code, ())}
    return [p for p in regime.protected if p.id in ids]


def _law_in_force(kind: Protected, event: Event, regime: Regime) -> bool:
    law = next((i for i in regime.instruments if i.id == kind.law), None)
    return law is None or in_force(law, event.onset, regime)[0] is not False


def _bears_on_recourse(score: Score, whole: bool = False) -> bool:
    named = score.section_name.lower()
    falls_short = not whole and score.points < score.max_points
    return ("appeal" in named or "exception" in named) and (score.indicator == 0 or falls_short)


def _score(score: Score) -> str:
    what = score.section_name if score.indicator == 0 else f"{score.indicator}. {score.what}"
    return f"{what}: {score.points} of {score.max_points}"


def _together(appeals: Sequence[Appeal]) -> Appeal:
    # An appeal under one instrument says nothing of a decision under another.
    if not appeals or "court" in appeals:
        return "unknown"
    return "none" if "none" in appeals else "not_stated"
