"""What the first page says: the answer first, then what it rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.history.event import Event
from analysis.regime.query import Result
from analysis.regime.signs import State
from analysis.report import charts
from analysis.report.gather import Facts, Network
from analysis.report.tell import Teller
from analysis.run_findings import RunFinding

MOST_ANSWERS = 3   # networks that have an answer of their own; more have a table
MOST_EVENTS = 60   # told on the first page
MOST_COLUMNS = 40  # networks in the table of sites
MOST_NAMED = 6     # things named one by one in the answer
ORDERED = ("shutdown", "blocking", "throttling")  # of these the answer speaks
ORDER: tuple[State, ...] = ("contradicts", "consistent", "cannot_tell")


@dataclass(frozen=True)
class Answer:
    """The answer for *network*, which may stand for all: a *headline*, what is *counted*, and
    *lines* of a name and a sentence, or several."""

    network: Network
    headline: str
    lines: list[tuple[str, str | list[str]]]
    counted: str = ""


def overview(facts: Facts, tell: Teller) -> dict[str, Any]:
    """What the template ``overview`` is filled with, but for rows, sites and pages."""
    networks = facts.networks[:MOST_COLUMNS]
    events = in_time(facts.events)
    told = events[:MOST_EVENTS]
    many = len(facts.networks) > MOST_ANSWERS
    of_each = [_answer(n, tell) for n in facts.networks]
    return {
        "title": _title(facts, tell),
        "period": _period(facts, tell),
        "warning": _warning(facts, tell),
        "all_networks": facts.networks,
        "many": many,
        "answers": [_of_all(facts, tell)] if many else of_each,
        "run_warnings": list(dict.fromkeys(_run_warning(f, tell) for f in facts.run_findings)),
        "totals": sum((n.states for n in networks), Counter()),
        "events": [tell.event(e, facts.findings.get(e.id)) for e in told],
        "events_left_out": len(events) - len(told),
        "timeline": charts.timeline(told, facts.last, tell),
        "mechanisms": _mechanisms(facts.networks, tell),
        "mechanisms_chart": charts.mechanisms(networks, tell) if len(networks) > 1 else "",
        "path_chart": charts.path(networks, tell),
        "path_lines": [line for n in networks for line in _path(n, tell)],
        "hypotheses": _hypotheses(facts, tell),
        "instruments": _instruments(facts),
        "caution": facts.regime.country.caution,
    }


def in_time(events: Sequence[Event]) -> list[Event]:
    """Those that go on first, then the latest."""
    return sorted(events, key=lambda e: (e.lift is not None, -(e.onset.by or 0), e.id))


def _title(facts: Facts, tell: Teller) -> str:
    _ = tell.words.gettext
    if len(facts.networks) == 1:
        network = tell.network(facts.networks[0].asn)
        return _("What is blocked on %(network)s") % {"network": network}
    country = facts.networks[0].cc if facts.networks else facts.regime.country.cc
    return _("What is blocked: %(country)s") % {"country": tell.words.country(country)}


def _period(facts: Facts, tell: Teller) -> str:
    w = tell.words
    said = [w.country(facts.networks[0].cc)] if len(facts.networks) == 1 else []
    sites = w.ngettext("%(num)s site", "%(num)s sites", facts.hosts)
    said.append(sites % {"num": w.number(facts.hosts)})
    networks = w.ngettext("%(num)s network", "%(num)s networks", len(facts.networks))
    said.append(networks % {"num": w.number(len(facts.networks))})
    if facts.abroad:
        abroad = w.ngettext(
            "compared with %(num)s network abroad", "compared with %(num)s networks abroad",
            len(facts.abroad),
        )  # fmt: skip
        said.append(abroad % {"num": w.number(len(facts.abroad))})
    if facts.last:
        begin, end = w.day(facts.first), w.day(facts.last)
        said.append(begin if begin == end else f"{begin} – {end}")
    return " · ".join(said)


def _warning(facts: Facts, tell: Teller) -> str:
    _ = tell.words.gettext
    if tell.words.days_only:
        return _("It has no times of day, no addresses and no evidence, and still says that"
                 " somebody measured these sites on these networks and days.")  # fmt: skip
    if facts.dataset:
        return _("Where few probes measured, it can lead to who measured. zond report"
                 " --for-sharing leaves out what fewer than five saw.")  # fmt: skip
    return _("It can lead to you: it names your network, when you measured to the second, and what"
             " you measured. zond report --for-sharing makes one that says less.")  # fmt: skip


def _answer(n: Network, tell: Teller) -> Answer:
    w = tell.words
    lines: list[tuple[str, str | list[str]]] = []
    if n.mechanisms:
        lines.append((w.gettext("how"), [
            f"{w.mechanism(name)}: {_sites(count, tell)}"
            for name, count in n.mechanisms.most_common(MOST_NAMED)
        ]))  # fmt: skip
    if n.places:
        lines.append((w.gettext("where"), [
            f"{tell.place(hop, asn)}: {_sites(count, tell)}"
            for (hop, asn), count in n.places.most_common(MOST_NAMED)
        ]))  # fmt: skip
    if n.held:
        lines.append((w.gettext("since when"), _since(n, tell)))
        if n.sure:
            lines.append((w.gettext("how sure"), _sure(n, tell)))
    return Answer(n, _headline(n, tell), lines)


def _headline(n: Network, tell: Teller) -> str:
    w = tell.words
    blocked, of = n.states["blocked"], n.looked_at
    said = {"num": w.number(blocked), "of": w.number(of), "network": tell.network(n.asn)}
    if not of:
        return w.gettext("On %(network)s nothing was measured.") % said
    if blocked:
        head = w.ngettext(
            "%(num)s of %(of)s sites is blocked on %(network)s.",
            "%(num)s of %(of)s sites are blocked on %(network)s.", blocked,
        ) % said  # fmt: skip
    else:
        head = w.gettext("None of %(of)s sites was found blocked on %(network)s.") % said
    unsure = n.states["inconclusive"] + n.states["local_fault"]
    if unsure:
        more = w.ngettext("%(num)s could not be decided.", "%(num)s could not be decided.", unsure)
        head += " " + more % {"num": w.number(unsure)}
    return head


def _since(n: Network, tell: Teller) -> list[str]:
    """From when on what is held has been so, the latest changes first."""
    w = tell.words
    lines = []
    began = [(cell, tell.onset(cell)) for cell in n.held]
    before = sum(1 for _cell, onset in began if onset is not None and onset.after is None)
    if before:
        said = w.ngettext(
            "%(num)s site was so at the first look already (%(time)s)",
            "%(num)s sites were so at the first look already (the first %(time)s)", before,
        )  # fmt: skip
        lines.append(said % {"num": w.number(before), "time": w.moment(n.first)})
    changed = [
        (cell, (onset.by if onset else None) or cell.since)
        for cell, onset in began
        if onset is None or onset.after is not None
    ]
    changed.sort(key=lambda c: (-c[1], c[0].host))
    lines += [f"{cell.host}: {tell.since(cell)}" for cell, _at in changed[:MOST_NAMED]]
    if len(changed) > MOST_NAMED:
        left = len(changed) - MOST_NAMED
        more = w.ngettext("%(num)s more, see below", "%(num)s more, see below", left)
        lines.append(more % {"num": w.number(left)})
    return lines


def _sure(n: Network, tell: Teller) -> str:
    w = tell.words
    least = {"least": w.sure(min(n.sure))}
    if len(n.sure) == 1:
        return least["least"]
    return w.gettext("%(least)s or more, each site for itself") % least


def _of_all(facts: Facts, tell: Teller) -> Answer:
    w = tell.words
    whole = Network(0, facts.networks[0].cc)
    for n in facts.networks:
        whole.states.update(n.states)
    said = {"num": w.number(facts.held), "of": w.number(facts.hosts),
            "networks": w.number(len(facts.networks))}  # fmt: skip
    headline = w.ngettext(
        "%(num)s of %(of)s sites is blocked on at least one of %(networks)s networks.",
        "%(num)s of %(of)s sites are blocked on at least one of %(networks)s networks.", facts.held,
    ) % said  # fmt: skip
    going = [e for e in in_time(facts.events) if e.lift is None and e.kind in ORDERED]
    going.sort(key=lambda e: -len(e.networks))
    lines: list[tuple[str, str | list[str]]] = []
    if going:
        named = [
            f"{t.targets}: {t.what} {t.where}; {t.since}; {w.sure(e.probability)}"
            for e in going[:MOST_NAMED]
            for t in [tell.event(e)]
        ]
        if len(going) > MOST_NAMED:
            left = len(going) - MOST_NAMED
            more = w.ngettext("%(num)s more, see below", "%(num)s more, see below", left)
            named.append(more % {"num": w.number(left)})
        lines.append((w.gettext("goes on"), named))
    return Answer(
        whole, headline, lines, counted=w.gettext("Counted here: each site on each network.")
    )


def _run_warning(f: RunFinding, tell: Teller) -> str:
    _ = tell.words.gettext
    said = {
        "shutdown": _("Shutdown: nothing abroad answered, while sites in the country did."),
        "abroad_lost": _("For a while no foreign canary answered, while domestic ones did; whether"
                         " that was a shutdown is not known."),
        "line_lost": _("For a while the line itself was dead: that says nothing of anybody else."),
        "forger": _("Somebody signs certificates for every site on this line."),
        "vpn": _("A VPN carried the traffic: what was found is about the network at its other"
                 " end."),
        "captive_portal": _("A captive portal answered in place of sites."),
        "wrong_clock": _("The clock was wrong, which was allowed for."),
    }[f.finding]  # fmt: skip
    times = [at[:10] if tell.words.days_only else at for at in (f.since, f.until) if at]
    return f"{said} ({' – '.join(dict.fromkeys(times))})" if times else said


def _mechanisms(networks: Sequence[Network], tell: Teller) -> list[tuple[str, str]]:
    """Each mechanism, with on which networks it was met at how many sites."""
    w = tell.words
    total = sum((n.mechanisms for n in networks), Counter[str]())
    if len(networks) == 1:
        return [(name, w.number(count)) for name, count in total.most_common()]
    return [
        (name, w.joined([
            f"{tell.network(n.asn)}: {w.number(n.mechanisms[name])}"
            for n in sorted(networks, key=lambda n: -n.mechanisms[name]) if n.mechanisms[name]
        ]))
        for name, _count in total.most_common()
    ]  # fmt: skip


def _path(n: Network, tell: Teller) -> list[str]:
    lines = []
    for hop, asn, ip, count in tell.hops(n):
        at = tell.place(hop, asn) + (f", {ip}" if ip else "")
        lines.append(f"{tell.network(n.asn)}: {at}: {_sites(count, tell)}")
    return lines


def _sites(count: int, tell: Teller) -> str:
    said = tell.words.ngettext("%(num)s site", "%(num)s sites", count)
    return said % {"num": tell.words.number(count)}


def _hypotheses(facts: Facts, tell: Teller) -> list[tuple[State, list[dict[str, Any]]]]:
    """By their state, those that the data speak to first."""
    told = {h.id: h for h in facts.hypotheses}
    by: dict[State, list[dict[str, Any]]] = {state: [] for state in ORDER}
    for r in sorted(facts.results, key=lambda r: r.id):
        of = told.get(r.id)
        by[r.state].append({
            "id": r.id, "title": r.title, "reason": r.reason, "missing": r.missing,
            "legal_basis": r.legal_basis, "counts": _cases(r, tell),
            "prediction": of.prediction if of else "",
            "falsified_if": of.falsified_if if of else "",
        })  # fmt: skip
    return [(state, found) for state, found in by.items() if found]


def _cases(r: Result, tell: Teller) -> str:
    w = tell.words
    names = {"for": w.gettext("for it"), "against": w.gettext("against it"),
             "open": w.gettext("undecided"), "set_aside": w.gettext("set aside")}  # fmt: skip
    said = [f"{names[state]} {w.number(r.counts[state])}" for state in names if r.counts.get(state)]
    return ", ".join(said) or w.gettext("none")


def _instruments(facts: Facts) -> list[dict[str, Any]]:
    actors = {a.id: a.name for a in facts.regime.actors}
    could = Counter(i.id for f in facts.findings.values() for i in f.instruments)
    return [
        {
            "title": i.title, "in_force": i.in_force, "until": i.until, "appeal": i.appeal,
            "decides": ", ".join(actors.get(a, a) for a in i.decides), "events": could[i.id],
        }
        for i in facts.regime.instruments
    ]  # fmt: skip
