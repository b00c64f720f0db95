"""What the first page says: the answer first, then what it rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from analysis.history.event import Event
from analysis.regime.signs import State
from analysis.report import charts
from analysis.report.gather import Facts, Network
from analysis.report.tell import HELD, Teller
from analysis.run_findings import RunFinding

MOST_ANSWERS = 3   # networks that have a paragraph of their own; more have a table
MOST_EVENTS = 60   # told on the first page
MOST_COLUMNS = 40  # networks in the table of sites
DAY = 86400.0


def overview(facts: Facts, tell: Teller) -> dict[str, Any]:
    """What the template ``overview`` is filled with, but for rows, sites and pages."""
    _ = tell.words.gettext
    networks = facts.networks[:MOST_COLUMNS]
    events = in_order(facts.events)
    told = events[:MOST_EVENTS]
    totals: Counter[str] = Counter()
    for network in networks:
        totals.update(network.states)
    many = len(facts.networks) > MOST_ANSWERS
    return {
        "title": _title(facts, tell),
        "period": _period(facts, tell),
        "networks": networks,
        "more_networks": many,
        "answers": [_answer(n, tell) for n in facts.networks[: 1 if many else MOST_ANSWERS]]
        if not many else [_all(facts, tell)],
        "run_warnings": [_run_warning(f, tell) for f in facts.run_findings],
        "totals": totals,
        "events": [tell.event(e) for e in told],
        "timeline": charts.timeline(told, facts.last, tell),
        "events_left_out": _left_out(len(events) - len(told), tell),
        "no_events": _("There is no event to tell: for one it takes looks before and after, or"
                       " several probes. What one run found stands above."),
        "mechanisms_chart": charts.mechanisms(networks, tell),
        "mechanism_codes": list(dict.fromkeys(m for n in networks for m in sorted(n.mechanisms))),
        "path_chart": charts.path(networks, tell),
        "path_lines": [line for n in networks for line in _path(n, tell)],
        "regime": _regime(facts),
    }  # fmt: skip


def in_order(events: Sequence[Event]) -> list[Event]:
    """Those that go on first, then the latest."""
    return sorted(events, key=lambda e: (e.lift is not None, -(e.onset.by or 0), e.id))


class Answer:
    """A paragraph: the *headline*, and *lines* of a name and what is said."""

    def __init__(self, network: Network, headline: str, lines: list[tuple[str, str]]) -> None:
        self.network, self.headline, self.lines = network, headline, lines


def _title(facts: Facts, tell: Teller) -> str:
    _ = tell.words.gettext
    if len(facts.networks) == 1:
        n = facts.networks[0]
        return _("What is blocked on %(network)s") % {"network": tell.network(n.asn)}
    country = facts.networks[0].cc if facts.networks else facts.regime.country.cc
    return _("What is blocked: %(country)s") % {"country": tell.words.country(country)}


def _period(facts: Facts, tell: Teller) -> str:
    w = tell.words
    said = [w.country(facts.networks[0].cc)] if facts.networks else []
    sites = w.ngettext("%(num)s site", "%(num)s sites", facts.hosts)
    said.append(sites % {"num": w.number(facts.hosts)})
    nets = w.ngettext("%(num)s network", "%(num)s networks", len(facts.networks))
    said.append(nets % {"num": w.number(len(facts.networks))})
    if facts.last:
        begin, end = w.day(facts.first), w.day(facts.last)
        said.append(begin if begin == end else f"{begin} – {end}")
    return " · ".join(said)


def _answer(n: Network, tell: Teller) -> Answer:
    w = tell.words
    _ = w.gettext
    lines = []
    if n.mechanisms:
        ways = [f"{w.mechanism(name)} ({count})" for name, count in n.mechanisms.most_common(5)]
        lines.append((_("how"), "; ".join(ways)))
    if n.hops:
        places = [f"{tell.place(hop, asn)} ({count})" for hop, asn, _ip, count in tell.hops(n)[:3]]
        lines.append((_("where"), "; ".join(places)))
    if any(n.states[state] for state in HELD):
        when = _("the sites below say it one by one; first look %(first)s, last %(last)s")
        lines.append((_("since when"), when % {
            "first": w.moment(n.first), "last": w.moment(n.last)}))  # fmt: skip
        lines.append((_("how sure"), _("each for itself; the least sure: %(sure)s") % {
            "sure": w.sure(n.least_sure)}))  # fmt: skip
    return Answer(n, _headline(n, tell), lines)


def _headline(n: Network, tell: Teller) -> str:
    w = tell.words
    blocked, of = n.states["blocked"], n.looked_at
    said = {"num": w.number(blocked), "of": w.number(of), "network": tell.network(n.asn)}
    if not of:
        return w.gettext("On %(network)s nothing was measured.") % said
    if not blocked:
        head = w.gettext("No site of %(of)s was found blocked on %(network)s.") % said
    else:
        head = w.ngettext(
            "%(num)s site of %(of)s is blocked on %(network)s.",
            "%(num)s sites of %(of)s are blocked on %(network)s.", blocked,
        ) % said  # fmt: skip
    unsure = n.states["inconclusive"] + n.states["local_fault"]
    if unsure:
        head += " " + w.ngettext(
            "%(num)s more could not be decided.", "%(num)s more could not be decided.", unsure
        ) % {"num": w.number(unsure)}  # fmt: skip
    return head


def _all(facts: Facts, tell: Teller) -> Answer:
    w = tell.words
    whole = Network(0, facts.networks[0].cc)
    for n in facts.networks:
        whole.states.update(n.states)
    headline = w.gettext(
        "Sites were looked at from %(networks)s networks. Counted below: each site on each network."
    ) % {"networks": w.number(len(facts.networks))}  # fmt: skip
    going = [e for e in facts.events if e.lift is None and e.kind in ("blocking", "throttling")]
    lines = []
    if going:
        said = w.ngettext(
            "%(num)s event of blocking goes on", "%(num)s events of blocking go on", len(going)
        ) % {"num": w.number(len(going))}  # fmt: skip
        lines.append((w.gettext("now"), said))
    return Answer(whole, headline, lines)


def _run_warning(f: RunFinding, tell: Teller) -> str:
    said = {
        "shutdown": tell.words.gettext(
            "Shutdown: nothing abroad answered, while sites in the country did."),
        "abroad_lost": tell.words.gettext(
            "For a while no foreign canary answered, while domestic ones did; it is not known to be"
            " a shutdown."),
        "line_lost": tell.words.gettext(
            "For a while the line itself was dead: nothing is said of anybody else."),
        "forger": tell.words.gettext("Somebody signs for every site on this line."),
        "vpn": tell.words.gettext(
            "A VPN carried the traffic: what was found is about the network at its other end."),
        "captive_portal": tell.words.gettext(
            "A captive portal answered in place of the sites."),
        "wrong_clock": tell.words.gettext("The clock was wrong, which was allowed for."),
    }[f.finding]  # fmt: skip
    if f.since:
        said += f" ({f.since}{' – ' + f.until if f.until else ''})"
    return said


def _left_out(n: int, tell: Teller) -> str:
    if n <= 0:
        return ""
    return tell.words.ngettext(
        "%(num)s more event is told by zond events.",
        "%(num)s more events are told by zond events.", n,
    ) % {"num": tell.words.number(n)}  # fmt: skip


def _path(n: Network, tell: Teller) -> list[str]:
    w = tell.words
    lines = []
    for hop, asn, ip, count in tell.hops(n):
        sites = w.ngettext("%(num)s site", "%(num)s sites", count) % {"num": w.number(count)}
        at = tell.place(hop, asn) + (f", {ip}" if ip else "")
        lines.append(f"{tell.network(n.asn)}: {at}: {sites}")
    return lines


def _regime(facts: Facts) -> dict[str, Any]:
    told = {h.id: h for h in facts.hypotheses}
    counts = Counter(r.state for r in facts.results)
    order: tuple[State, ...] = ("contradicts", "consistent", "cannot_tell")
    actors = {a.id: a.name for a in facts.regime.actors}
    could = Counter(i.id for f in facts.findings.values() for i in f.instruments)
    return {
        "counts": [(state, counts[state]) for state in order if counts[state]],
        "hypotheses": [
            {
                "id": r.id, "title": r.title, "state": r.state, "reason": r.reason,
                "missing": r.missing, "legal_basis": r.legal_basis,
                "prediction": told[r.id].prediction if r.id in told else "",
                "falsified_if": told[r.id].falsified_if if r.id in told else "",
            }
            for r in sorted(facts.results, key=lambda r: (order.index(r.state), r.id))
        ],
        "instruments": [
            {
                "title": i.title, "in_force": i.in_force, "until": i.until, "appeal": i.appeal,
                "decides": ", ".join(actors.get(a, a) for a in i.decides), "events": could[i.id],
            }
            for i in facts.regime.instruments
        ],
    }  # fmt: skip
