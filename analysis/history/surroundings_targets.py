"""Targets that are down, dead, deregistered, or refuse a country: nobody is on the way.

Rule: who fails for probes at home and abroad alike is down. What comes back was an attack or
a fault; what does not come back in a week is taken for dead, and until then it is not said
which. A name that exists nowhere was taken out of its registry. Who answers some countries
and refuses others has put up the fence himself, which the looks from abroad tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analysis.history.event import Interval, Kind
from analysis.history.spells import Look, Spell, binomial, spells
from analysis.history.surroundings import HOUR, Trouble, span, together
from analysis.history.surroundings_looks import LEAST, hours_of_targets, suspects

DEAD = 7 * 24 * HOUR     # down for longer, and not back: for good, as far as that can be known
SLACK = 2 * HOUR         # targets that went down and came back together
PAUSE = 48 * HOUR        # up between two attacks, or for some lucky looks: one event
FEWEST = 8               # looks that show it
SELDOM, OFTEN = 0.03, 0.6  # bounds of how often a target usually is in trouble, as learned
DOWN, REFUSED = 0.75, 0.95  # and how often it is when it is in it
MOSTLY = 0.6             # of the looks that an attacked target is down in
WHOLLY = 0.8             # of the looks, that a fence meets: a captcha meets some
AT_ONCE = 3              # probes counted in one hour: they ask the same controls
CACHES = 6 * HOUR        # that resolvers may still know a name that is gone


def target_troubles(rows: Any, country: str) -> list[Trouble]:
    """What befell single targets, or several at once, as looks of *country* and others tell."""
    found = []
    for some in suspects(rows, country):
        hosts: dict[str, list[dict[str, Any]]] = {}
        for row in hours_of_targets(rows, country, some):
            hosts.setdefault(row["host"], []).append(row)
        for host in sorted(hosts):
            found += _of_target(host, sorted(hosts[host], key=lambda r: (r["hour"], not r["home"])))
    return [_joined(group) for group in together(found, SLACK)]


def _of_target(host: str, hours: Sequence[dict[str, Any]]) -> list[Trouble]:
    home = [h for h in hours if h["home"]]
    abroad = [h for h in hours if not h["home"]]
    found = []
    for spell in _again(_spells(hours, "down")):
        inside = hours[spell.begin : spell.end + 1]
        if (trouble := _down(host, spell, inside)) is not None:
            found.append(trouble)
    for spell in _spells(home, "refused"):
        inside = home[spell.begin : spell.end + 1]
        if (trouble := _refusing(host, spell, inside, abroad)) is not None:
            found.append(trouble)
    for spell in _spells(abroad, "out"):
        inside = abroad[spell.begin : spell.end + 1]
        if (trouble := _fenced(host, spell, inside, home)) is not None:
            found.append(trouble)
    return found


def _again(found: Sequence[Spell]) -> list[Spell]:
    """*found*, those that follow each other soon as one."""
    joined: list[Spell] = []
    for spell in found:
        lift = joined[-1].lift if joined else None
        back, gone = lift.by if lift else None, spell.onset.after
        if back is not None and gone is not None and gone - back <= PAUSE:
            last = joined.pop()
            odds = last.odds + spell.odds
            joined.append(Spell(last.begin, spell.end, last.onset, spell.lift, odds))
        else:
            joined.append(spell)
    return joined


def _spells(hours: Sequence[dict[str, Any]], what: str) -> list[Spell]:
    """Spells of *hours* in which a target is in such trouble; indices are of *hours*."""
    looks = []
    seen, met = 2.0, 1.0
    for h in hours:
        hits = _hits([h], what)
        misses = h["reached"] + h["blocked"]
        misses += {"down": h["refused"], "refused": h["down"], "out": 0}[what]
        scale = AT_ONCE / max(AT_ONCE, hits + misses)
        usual = min(OFTEN, max(SELDOM, met / seen))
        odds = binomial(hits, misses, usual, DOWN if what == "down" else REFUSED) * scale
        seen, met = seen + scale * (hits + misses), met + scale * hits
        looks.append(
            Look(
                odds,
                h[f"first_{what}"],
                h[f"last_{what}"],
                h[f"first_not_{what}"],
                h[f"last_not_{what}"],
            )
        )
    return [
        s for s in spells(looks)
        if s.end - s.begin + 1 >= LEAST and _hits(hours[s.begin : s.end + 1], what) >= FEWEST
    ]  # fmt: skip


def _hits(hours: Sequence[dict[str, Any]], what: str) -> int:
    if what == "out":
        return _sum(hours, "down") + _sum(hours, "refused")
    return _sum(hours, what)


def _down(host: str, spell: Spell, inside: Sequence[dict[str, Any]]) -> Trouble | None:
    hits = _sum(inside, "down")
    if hits < MOSTLY * (hits + sum(_sum(inside, w) for w in ("reached", "blocked", "refused"))):
        return None
    home = [h for h in inside if h["home"]]
    abroad = [h for h in inside if not h["home"]]
    if not _mostly(home, ("down",)):
        return None
    reasons = []
    if abroad and _mostly(abroad, ("down", "refused")):
        reasons.append(f"Down from abroad as well, in {_sum(abroad, 'down')} looks.")
    elif abroad:
        return None  # abroad it lives, so the controls of those at home were wrong
    else:
        reasons.append("Down for the controls as well.")
    kind: Kind
    lasted = inside[-1]["last"] - inside[0]["first"]
    if sum(h["nowhere"] for h in inside) > hits / 2:
        kind = "registry"
        spell = _before_caches(spell)
        reasons.append("The name exists nowhere: gone from its parent zone.")
    elif spell.lift is not None:
        kind = "ddos"
        reasons.append(f"It came back after {lasted / HOUR:.0f} hours.")
    elif lasted >= DEAD:
        kind = "site_death"
        reasons.append(f"Not seen up again in {lasted / HOUR / 24:.0f} days.")
    else:
        kind = "ddos"
        reasons.append("Still down: whether it comes back is not known yet.")
    return _trouble(kind, host, spell, inside, hits, tuple(reasons), everywhere=True)


def _before_caches(spell: Spell) -> Spell:
    """*spell* with the time in which resolvers still gave an answer that they had kept."""
    after, by = spell.onset.after, spell.onset.by
    if after is None or by is None:
        return spell
    return spell._replace(onset=Interval(min(after, by - CACHES), by, spell.onset.probability))


def _refusing(
    host: str, spell: Spell, inside: Sequence[dict[str, Any]], abroad: Sequence[dict[str, Any]]
) -> Trouble | None:
    meanwhile = _during(abroad, inside)
    everywhere = bool(meanwhile) and _mostly(meanwhile, ("refused",))
    reasons = ["The server itself refuses, over its own certificate."]
    if everywhere:
        reasons.append("It refuses looks from abroad as well.")
    elif meanwhile:
        reasons.append("It answers looks from abroad.")
    hits = _sum(inside, "refused")
    if hits < WHOLLY * (hits + _sum(inside, "reached")):
        return None
    return _trouble("geofence", host, spell, inside, hits, tuple(reasons), everywhere)


def _fenced(
    host: str, spell: Spell, inside: Sequence[dict[str, Any]], home: Sequence[dict[str, Any]]
) -> Trouble | None:
    """Lost abroad, and reached from home all the while."""
    meanwhile = _during(home, inside)
    reached = _sum(meanwhile, "reached")
    lost = _sum(meanwhile, "down") + _sum(meanwhile, "refused") + _sum(meanwhile, "blocked")
    if reached < LEAST or reached < 4 * lost or not _on_several(inside):
        return None
    hits = _sum(inside, "down") + _sum(inside, "refused")
    reasons = (f"Lost from abroad in {hits} looks, reached from home in {reached} meanwhile.",)
    return _trouble("geofence", host, spell, inside, hits, reasons, everywhere=True)


def _trouble(
    kind: Kind, host: str, spell: Spell, inside: Sequence[dict[str, Any]], hits: int,
    reasons: tuple[str, ...], everywhere: bool,
) -> Trouble:  # fmt: skip
    return Trouble(
        kind=kind, scope="global" if everywhere else "national", targets=(host,),
        onset=spell.onset, lift=spell.lift, times=((inside[0]["first"], inside[-1]["last"]),),
        probability=spell.probability, hits=hits, reasons=reasons,
        looks=hits + _sum(inside, "reached") + _sum(inside, "blocked"),
        probes=max(max(h["down"], h["refused"]) for h in inside),
    )  # fmt: skip


def _joined(group: Sequence[Trouble]) -> Trouble:
    """Targets that had the same at the same time, as one."""
    if len(group) == 1:
        return group[0]
    onset, lift = span(group)
    beside = f"{len(group)} targets began and ended together: one cause, as of one server."
    first = group[0]
    return Trouble(
        kind=first.kind, scope=first.scope,
        targets=tuple(sorted(host for t in group for host in t.targets)),
        onset=onset, lift=lift,
        times=((min(t.times[0][0] for t in group), max(t.times[-1][1] for t in group)),),
        probability=max(t.probability for t in group), hits=sum(t.hits for t in group),
        looks=sum(t.looks for t in group), probes=max(t.probes for t in group),
        reasons=(*first.reasons, beside),
    )  # fmt: skip


def _during(
    hours: Sequence[dict[str, Any]], inside: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    return [h for h in hours if inside[0]["hour"] <= h["hour"] <= inside[-1]["hour"]]


def _sum(hours: Sequence[dict[str, Any]], what: str) -> int:
    return int(sum(h[what] for h in hours))


def _on_several(hours: Sequence[dict[str, Any]]) -> bool:
    """Whether more than one network met it."""
    lows = [h["low"] for h in hours if h["low"] is not None]
    return bool(lows) and min(lows) != max(h["high"] for h in hours if h["high"] is not None)


def _mostly(hours: Sequence[dict[str, Any]], what: tuple[str, ...]) -> bool:
    """Whether most looks in *hours* show one of *what*; without looks, no."""
    hits = sum(_sum(hours, w) for w in what)
    looks = sum(_sum(hours, w) for w in ("down", "refused", "reached", "blocked"))
    return 2 * hits > looks
