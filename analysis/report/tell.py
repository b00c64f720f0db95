"""Networks, cells and events in sentences: what, where, since when, how, how sure.

Rule: an interval is said as one, what is not known is said to be unknown, and nothing is
rounded up to certainty. Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from analysis.history.event import Event, Interval
from analysis.regime.documents import Regime
from analysis.regime.findings import EventFindings
from analysis.regime.signs import State
from analysis.report.cells import Cell
from analysis.report.gather import HELD, Network
from analysis.report.words import KINDS, POSITIONS, SCOPES, TRIGGERS, Words

CERTAIN_SHARE = 0.9  # of the looks, below which an event is said to hold in a part of them


class EventTold(msgspec.Struct, frozen=True, kw_only=True):
    """An event in words; *reasons*, and what the documents *say* of it, are in English."""

    id: str
    what: str
    targets: str
    where: str
    since: str
    until: str
    how: str
    sure: str
    open: bool
    reasons: tuple[str, ...] = ()
    networks: str = ""
    clean: str = ""
    stands: State | None = None
    says: str = ""


def onsets(events: Iterable[Event]) -> dict[tuple[str, int], Interval]:
    """Since when each site is held on each network, by the parts of *events* that go on."""
    found: dict[tuple[str, int], Interval] = {}
    for event in events:
        for part in event.parts if event.lift is None else ():
            key = part.host, part.probe_asn
            if part.lift is None and part.onset.by is not None:
                earlier = found.get(key)
                if earlier is None or (earlier.by or 0) > part.onset.by:
                    found[key] = part.onset
    return found


class Teller:
    """Tells what is known, in *words*, of networks that *regime* names; since when something
    has been so, by the *events* that go on."""

    def __init__(self, words: Words, regime: Regime, events: Iterable[Event] = ()) -> None:
        self.words = words
        self._networks = regime.networks
        self._onsets = onsets(events)

    def network(self, asn: int) -> str:
        """The operator with its AS number; the number alone where nobody says whose it is."""
        if not asn:
            return self.words.gettext("an unknown network")
        known = self._networks.get(asn)
        if known:
            return f"{known.operator} (AS{asn})"
        return self.words.gettext("another network") if self.words.days_only else f"AS{asn}"

    def short(self, asn: int) -> str:
        """The operator's name, for the head of a column."""
        known = self._networks.get(asn)
        return known.operator if known else self.network(asn)

    def how(self, mechanisms: str) -> str:
        """The *mechanisms* of a cell (by commas) in words."""
        names = [self.words.mechanism(name) for name in mechanisms.split(",") if name]
        return "; ".join(names)

    def place(self, hop: int, asn: int) -> str:
        """Where on the way; empty where that is not known."""
        if not hop:
            return ""
        said = {"hop": hop, "network": self.network(asn)}
        if not asn:
            return self.words.gettext("at hop %(hop)s") % said
        return self.words.gettext("at hop %(hop)s, in %(network)s") % said

    def trigger(self, code: str) -> str:
        return self.words.of(TRIGGERS, code)

    def position(self, code: str) -> str:
        return self.words.of(POSITIONS, code)

    def onset(self, cell: Cell) -> Interval | None:
        """When what *cell* shows began: by an event that goes on; or, where looks at it have never
        been clear, by the first. None: one look cannot tell, since any may be wrong."""
        known = self._onsets.get((cell.host, cell.probe_asn))
        if known is None and cell.since and not cell.clear:
            return Interval(None, cell.since)
        return known

    def since(self, cell: Cell) -> str:
        """Since when *cell* is as it is, as far as is known; empty where nothing holds."""
        if cell.state not in HELD or not cell.since:
            return ""
        if (began := self.onset(cell)) is not None:
            return self._onset(began)
        w = self.words
        return w.gettext("last found open %(after)s, found so again %(by)s") % {
            "after": w.moment(cell.clear), "by": w.moment(cell.since),
        }  # fmt: skip

    def sure(self, cell: Cell) -> str:
        return "" if cell.probability < 0 else self.words.sure(cell.probability)

    def hops(self, network: Network) -> list[tuple[int, int, str, int]]:
        """Hop, AS number, address and number of sites, most sites first."""
        return [(hop, asn, ip, n) for (hop, asn, ip), n in network.hops.most_common(6)]

    def event(self, event: Event, finding: EventFindings | None = None) -> EventTold:
        """*event* in words, with what the documents say of it (*finding*)."""
        w = self.words
        how = [w.mechanism(name) for name in event.mechanisms[:4]]
        if len(event.mechanisms) > 4:
            more = w.ngettext("%(num)s more way", "%(num)s more ways", len(event.mechanisms) - 4)
            how.append(more % {"num": len(event.mechanisms) - 4})
        said = "; ".join(how)
        if event.trigger:
            said += f" ({self.trigger(event.trigger)})" if said else self.trigger(event.trigger)
        if event.share < CERTAIN_SHARE:
            said += w.gettext(", in %(share)s of the looks") % {"share": w.share(event.share)}
        if event.hours:
            hours = ", ".join(f"{hour:02}:00" for hour in event.hours)
            said += w.gettext("; only at these hours of the day (UTC): %(hours)s") % {
                "hours": hours,
            }
        return EventTold(
            id=event.id,
            what=w.of(KINDS, event.kind),
            targets=w.joined(event.targets) if event.targets else w.gettext("all targets"),
            where=w.of(SCOPES, event.scope),
            since=self._onset(event.onset),
            until=self._lift(event.lift),
            how=said,
            sure=self._sure(event),
            open=event.lift is None,
            reasons=event.reasons,
            networks=w.joined([self.network(asn) for asn in event.networks]),
            clean=w.joined([self.network(asn) for asn in event.clean_networks]),
            stands=finding.state if finding else None,
            says=finding.says if finding else "",
        )

    def _onset(self, onset: Interval) -> str:
        w = self.words
        if onset.by is None:
            return w.gettext("since an unknown time")
        if onset.after is None:
            said = w.gettext("already so at the first look, %(time)s")
            return said % {"time": w.moment(onset.by)}
        return w.gettext("began between %(after)s and %(by)s") % {
            "after": w.moment(onset.after), "by": w.moment(onset.by),
        }  # fmt: skip

    def _lift(self, lift: Interval | None) -> str:
        w = self.words
        if lift is None:
            return w.gettext("still so at the last look")
        if lift.by is None:
            return w.gettext("last seen %(time)s") % {"time": w.moment(lift.after)}
        return w.gettext("ended between %(after)s and %(by)s") % {
            "after": w.moment(lift.after), "by": w.moment(lift.by),
        }  # fmt: skip

    def _sure(self, event: Event) -> str:
        w = self.words
        sure = w.sure(event.probability)
        probes = w.ngettext("%(num)s probe", "%(num)s probes", event.probes)
        probes %= {"num": w.number(event.probes)}
        if not event.measured:
            return f"{sure}; {probes}"
        looks = w.gettext("seen in %(blocked)s of %(measured)s looks by %(probes)s") % {
            "blocked": w.number(event.blocked), "measured": w.number(event.measured),
            "probes": probes,
        }  # fmt: skip
        return f"{sure}; {looks}"
