"""How a service fared that is no site: each of its endpoints, and the whole.

A nettest of ours tries one endpoint, as controls do at the same time. OONI's document about
Telegram or Tor tries many, and has no controls; so its rows say what stands for them within it:
how the other endpoints of the same part fared, whether those of other parts work, and what no
server and no dead host shows by itself. What that
comes to, the rules say (`analysis.service_rules`); what others saw of the same endpoint
at that time is a matter of the whole table (`analysis.service_witnesses`).

The parts of each service are data (`analysis.services`). Pure.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec

from analysis.observations import Observation
from analysis.observe.service_end import WORKS, End
from analysis.observe.service_ends import ends
from analysis.observe.surroundings import local_columns, surroundings
from analysis.observe.whence import whence
from analysis.services import UNJUDGED, known
from probe.evidence import CanaryCheck, ControlQuery, Measurement, Run

SITES = frozenset({"web_connectivity"})  # nettests of sites: `analysis.observe.derive`
MOST_PORTS = 50  # of one address
NEARLY_ALL = 0.8  # share of the endpoints that fail that makes one manner that of all


def is_service(measurement: Measurement) -> bool:
    """Whether *measurement* is of no site, so that its rows are those of `service_rows`."""
    return measurement.nettest not in SITES


def service_rows(
    measurement: Measurement, run: Run, canaries: Sequence[CanaryCheck]
) -> list[Observation]:
    """A row for the whole service, and then one for each endpoint of it that was tried.

    *canaries* are those of the whole run. The whole is named by the measurement's URL, an
    endpoint by a URL of the same scheme (``docs/services.md``). What was not tried has no row;
    without any endpoint the whole is a row of nothing measured. A nettest that no rule is
    for has one row, which says so.
    """
    parts = known().get(measurement.nettest, ())
    found = ends(measurement, run) if parts else []
    around = surroundings(measurement, run, canaries)
    blank = Observation(
        run_id=run.id,
        measurement_id=measurement.id,
        nettest=measurement.nettest,
        url=measurement.url,
        category=measurement.category or (parts[0].category if parts else ""),
        measured_at=measurement.started_at,
        probe_cc=run.probe_cc,
        probe_asn=run.probe_asn,
        measured=bool(found) or not parts,
        run_ended=run.ended,
        captive_portal=bool(run.captive_portal),
        home_lost="home" in around.lost,
        domestic_lost="domestic" in around.lost,
        domestic_alive="domestic" in around.alive,
        foreign_lost="foreign" in around.lost,
        resolver_dead=around.resolver_dead,
        resolver_alive=around.resolver_alive,
        service=(found[0].part if found else parts[0]).service if parts else UNJUDGED,
        **local_columns(run, ""),
        **whence(run, measurement),
    )
    if not found:
        return [msgspec.structs.replace(blank, service_whole=True)]
    elsewhere = _elsewhere(measurement, run)
    blank = msgspec.structs.replace(blank, controls=len(elsewhere))
    columns = _Parts(found, elsewhere)
    endpoints = [
        msgspec.structs.replace(blank, url=end.url, path_ip=end.ip, **columns.of(end))
        for end in found
    ]
    worst = columns.worst()
    whole = msgspec.structs.replace(
        blank, service_whole=True, service_lost=columns.lost(), **columns.of_part(worst)
    )
    # Where what was to be measured is an endpoint there is no whole beside it.
    named = any(end.url == measurement.url for end in found)
    return endpoints if named else [whole, *endpoints]


def _elsewhere(measurement: Measurement, run: Run) -> list[dict[tuple[str, str], End]]:
    """The endpoints as each control that answered saw them, by URL and part."""
    answered = {
        e.control for e in measurement.evidence
        if isinstance(e, ControlQuery) and e.failure is None
    }
    return [
        {(end.url, end.part.part): end for end in ends(measurement, run, control)}
        for control in sorted(answered)
    ]


class _Parts:
    """The endpoints by part, and what is counted of them."""

    def __init__(
        self, found: Sequence[End], elsewhere: Sequence[Mapping[tuple[str, str], End]] = ()
    ) -> None:
        self.found, self._elsewhere = found, elsewhere
        self.parts: dict[str, list[End]] = {}
        self._at: dict[str, list[End]] = {}
        for end in found:
            self.parts.setdefault(end.part.part, []).append(end)
            self._at.setdefault(end.ip, []).append(end)
        self._alike = Counter((end.part.part, end.end, end.how) for end in found)
        self._counted = {name: self._of_part(name) for name in self.parts}

    def of(self, end: End) -> dict[str, object]:
        """Columns of the row of *end*."""
        key = end.url, end.part.part
        theirs = [seen[key] for seen in self._elsewhere if key in seen]
        return {
            **self._counted[end.part.part],
            "service_end": end.end,
            "service_how": end.how,
            "service_alike": self._alike[end.part.part, end.end, end.how],
            "service_proof": end.proof,
            "service_other_port": self._other_ports(end),
            "service_same_port": self._same_port(end),
            "service_tries": end.tries,
            "service_controls": len(theirs),
            "service_controls_working": sum(other.end == WORKS for other in theirs),
            "service_progress": end.progress,
            "service_channel": end.channel,
        }

    def of_part(self, name: str) -> dict[str, object]:
        """Columns of the row of the whole, whose part *name* fares worst."""
        ends = self.parts[name]
        failing = [end for end in ends if end.end != WORKS]
        if not failing:
            return {**self._counted[name], "service_end": WORKS, "service_alike": len(ends)}
        common, count = Counter((e.end, e.how) for e in failing).most_common(1)[0]
        proven = [end for end in failing if end.proof]
        shown = proven[0] if proven else next(e for e in failing if (e.end, e.how) == common)
        mixed = not proven and count < NEARLY_ALL * len(failing)
        ports = [self._other_ports(end) for end in failing]
        return {
            **self._counted[name],
            "service_end": shown.end,
            "service_how": "mixed" if mixed else shown.how,
            "service_alike": count,
            "service_proof": shown.proof,
            "service_other_port": ports[0] if len(set(ports)) == 1 else "mixed",
            "service_progress": shown.progress,
            "path_ip": shown.ip,
        }

    def worst(self) -> str:
        """The part to speak of: one that is needed and lost, else lost, else one that fails."""

        def badness(name: str) -> tuple[bool, bool, bool, float]:
            ends = self.parts[name]
            lost = all(end.end != WORKS for end in ends)
            needed = ends[0].part.needed in ("yes", "any")
            proven = any(end.proof for end in ends)
            failing = sum(end.end != WORKS for end in ends) / len(ends)
            return lost and needed, proven, lost, failing

        return max(self.parts, key=badness)

    def lost(self) -> bool:
        """Whether the service is lost: a part that it needs, or all of which it needs any."""
        working = {name for name, ends in self.parts.items() if any(e.end == WORKS for e in ends)}
        needs = {name: ends[0].part.needed for name, ends in self.parts.items()}
        if any(need == "yes" and name not in working for name, need in needs.items()):
            return True
        any_of = {name for name, need in needs.items() if need == "any"}
        return bool(any_of) and not any_of & working

    def _of_part(self, name: str) -> dict[str, object]:
        ends = self.parts[name]
        return {
            "service_part": name,
            "service_endpoints": len(ends),
            "service_working": sum(end.end == WORKS for end in ends),
            "service_networks": len({_network(ip) for e in ends for ip in e.ips or (e.ip,)} - {""}),
            "service_independent": ends[0].part.independent,
            "service_alive": sum(
                e.end == WORKS and e.answered and e.part.target != "echo"
                for other, found in self.parts.items() if other != name for e in found
            ),
        }  # fmt: skip

    def _other_ports(self, end: End) -> str:
        """How other ports of the same address fared."""
        beside = self._at[end.ip][:MOST_PORTS] if end.ip else []
        return _together([self._comes_through(o) for o in beside if o.port != end.port])

    def _same_port(self, end: End) -> str:
        """How something else fared at the port of *end*."""
        beside = self._at[end.ip][:MOST_PORTS] if end.ip else []
        return _together(
            [
                self._comes_through(o)
                for o in beside
                if o.port == end.port and o.part.needed == "beside"
            ]
        )

    def _comes_through(self, end: End) -> bool:
        """Whether *end* works, or is refused by its host itself: as from controls."""
        if end.end == WORKS:
            return True
        seen = [s[end.url, end.part.part] for s in self._elsewhere if (end.url, end.part.part) in s]
        same = all((other.end, other.how) == (end.end, end.how) for other in seen)
        return end.how == "refused" and bool(seen) and same


def _together(works: Sequence[bool]) -> str:
    if not works:
        return ""
    return "free" if all(works) else "mixed" if any(works) else "same"


@lru_cache(maxsize=65536)
def _network(ip: str) -> str:
    """The /16 or /32 that *ip* is in; empty for what is no address."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ""
    return address.exploded[:9] if address.version == 6 else ".".join(ip.split(".")[:2])
