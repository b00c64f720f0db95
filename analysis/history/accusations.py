"""From parts to events of interference: what is none, what is one, and where it is.

Rule: every claim is checked against what else was seen. Each part is held against looks of
other probes beside it, each target against other networks and other countries, before
anything is said of a decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.history import innocent, looks, summary
from analysis.history.decisions import (
    Course,
    begins,
    by_onset,
    courses,
    decisions,
    last_shown,
)  # fmt: skip
from analysis.history.ends import whole_lift, whole_onset
from analysis.history.event import Event, Kind, Part, Scope
from analysis.history.looks import Abroad, Said, Seen, Window
from analysis.history.scope import Found, Networks, by_network, places, scope
from analysis.history.surroundings import Trouble
from analysis.history.surroundings_targets import DEAD

MANY = 10   # targets at once, that may be a network cut off
MOST = 0.6  # of all that are looked at there
SHUTDOWN = 14 * 86400.0  # what lasts longer is a list


@dataclass(frozen=True)
class Accusations:
    """*rows*: the verdict table. *last*: the time of the last look in *country*. *troubles*:
    what else befell its networks."""

    rows: Any
    networks: Networks
    country: str
    last: float
    troubles: Sequence[Trouble]

    def events(self, parts: Sequence[Part]) -> list[Event]:
        """The events that *parts* are of, without ids."""
        kept = self._not_masked(parts)
        seen = self._seen(kept)
        found = courses(p for p in kept if not innocent.mostly_down(seen[p]))
        found = [c for c in found if not innocent.own_household(c, seen)]
        beside = dict(zip(map(id, found), self._around(found), strict=True))
        for course in found:
            self._say_where(course, seen, beside[id(course)])
        groups = decisions(found)
        windows = [w for g in groups for w in map(self._window, g)]
        abroad = looks.seen_abroad(self.rows, windows, self.country)
        said = looks.said(self.rows, windows, self.country)
        events, at = [], 0
        for group in groups:
            here = slice(at, at := at + len(group))
            events.append(
                self._event(
                    group,
                    seen,
                    [s for c in group for s in beside[id(c)]],
                    [a for each in abroad[here] for a in each],
                    [s for each in said[here] for s in each],
                )
            )
        return events

    def _not_masked(self, parts: Sequence[Part]) -> list[Part]:
        """Without the parts that began in a trouble of their network and ended with it."""
        return [
            p for p in parts
            if not any(
                t.covers(begins(p)) and t.covers(last_shown(p, self.last))
                for t in self._of_network(p.probe_asn)
            )
        ]  # fmt: skip

    def _of_network(self, asn: int) -> list[Trouble]:
        return [t for t in self.troubles if asn in t.networks]

    def _seen(self, parts: Sequence[Part]) -> Mapping[Part, list[Seen]]:
        """What each probe saw of each part, on its network and of its resolver."""
        seen = looks.seen(
            self.rows,
            [Window(p.host, begins(p), last_shown(p, self.last), p.probe_asn, p.hours)
             for p in parts],
            self.country,
        )  # fmt: skip
        return {
            p: [s for s in each if s.resolver == p.resolver_asn] or each if p.resolver_asn else each
            for p, each in zip(parts, seen, strict=True)
        }

    def _window(self, course: Course) -> Window:
        end = max(last_shown(p, self.last) for p in course.parts)
        return Window(
            course.host, begins(course.parts[0]), end, hours=summary.hours(course.parts)
        )

    def _around(self, found: Sequence[Course]) -> list[list[Seen]]:
        """What was seen of each course's target while it lasted, on networks of which no other
        course tells that something happens to it there."""
        seen = looks.seen(self.rows, [self._window(c) for c in found], self.country)
        told: dict[str, set[int]] = {}
        for course in found:
            told.setdefault(course.host, set()).update(course.onsets)
        return [
            [s for s in each if s.asn not in told[course.host]]
            for course, each in zip(found, seen, strict=True)
        ]

    def _say_where(
        self, course: Course, seen: Mapping[Part, list[Seen]], beside: Sequence[Seen]
    ) -> None:
        share = summary.share([s for p in course.parts for s in seen[p]])
        course.clean = frozenset(p.asn for p in places(beside, by_network) if p.spared(share))

    def _event(
        self, group: Sequence[Course], seen: Mapping[Part, list[Seen]], beside: Sequence[Seen],
        abroad: Sequence[Abroad], said: Sequence[Said],
    ) -> Event:  # fmt: skip
        parts = sorted((p for c in group for p in c.parts), key=by_onset)
        within = [s for p in parts for s in seen[p]]
        share = summary.share(within)
        held = {p.probe_asn for p in parts}
        without = [s for s in beside if s.asn not in held]
        found = scope(parts, summary.merged([*within, *without]), share, self.networks)
        kind, where, why = self._kind(group, parts, abroad, said, found)
        reasons = [*why] if why else [*found.reasons]
        if len(group) > 1:
            reasons.append(
                f"{len(group)} targets changed within the same hours on the same networks."
            )
        reasons.append(summary.from_abroad(abroad))
        first = parts[0]
        hidden = [t.kind for t in self._of_network(first.probe_asn) if t.covers(begins(first))]
        if hidden:
            reasons.append(f"Its beginning was first seen during or after an event of {hidden[0]}.")
        probes = {s.probe for s in within if s.struck > 0.2 * (s.struck + s.clean)}
        if len(probes) == 1:
            reasons.append("One probe alone shows it: its own household may be the cause.")
        return Event(
            id="",
            kind=kind,
            targets=tuple(sorted({c.host for c in group})),
            categories=summary.categories(said),
            mechanisms=tuple(dict.fromkeys(p.mechanism for p in parts)),
            trigger=summary.trigger(said),
            scope=where or found.scope,
            networks=found.networks or tuple(sorted(held)),
            clean_networks=found.clean,
            resolvers=found.resolvers,
            onset=whole_onset(parts),
            lift=whole_lift(parts),
            hours=summary.hours(parts),
            share=share,
            order=found.order,
            spread=found.spread,
            probability=summary.probability(parts, len(probes)),
            blocked=sum(p.blocked for p in parts),
            measured=sum(p.measured for p in parts),
            probes=len(probes),
            fingerprints=summary.fingerprints(said),
            reasons=tuple(reasons),
            evidence=summary.evidence(parts),
            parts=tuple(parts),
        )

    def _kind(
        self, group: Sequence[Course], parts: Sequence[Part], abroad: Sequence[Abroad],
        said: Sequence[Said], found: Found,
    ) -> tuple[Kind, Scope | None, tuple[str, ...]]:  # fmt: skip
        """Kind, and where something but interference explains it all, its scope and why."""
        if group[0].slow:
            return "throttling", None, ()
        if why := innocent.met_abroad(parts, abroad, said):
            last = max(last_shown(p, self.last) for p in parts)
            dead = whole_lift(parts) is None and last - begins(parts[0]) >= DEAD
            return "site_death" if dead else "ddos", "global", (why,)
        if why := self._cut_off(group, parts):
            return "shutdown", None, (why,)
        if why := innocent.refuses_all(parts, said, found, self.networks):
            return "geofence", "national", (why,)
        if why := innocent.lost_route(parts, said):
            return "outage", "network", (why,)
        return "blocking", None, ()

    def _cut_off(self, group: Sequence[Course], parts: Sequence[Part]) -> str:
        """In words, why it is no decision about these targets: most of all that was looked at
        was lost at once. For measurements that look at no canaries."""
        if len(group) < MANY:
            return ""
        asns = {p.probe_asn for p in parts}
        begin = begins(parts[0])
        end = max(last_shown(p, self.last) for p in parts)
        if end - begin > SHUTDOWN:
            return ""
        measured, clean = looks.targets_beside(self.rows, asns, begin, end, self.country)
        if len(group) < MOST * measured or not clean:
            return ""
        return (
            f"{len(group)} of {measured} targets that were looked at on these networks were lost at"
            f" once; {clean} were reached meanwhile."
        )
