"""Events: one for each real thing, made of what single series showed.

Rule: first what befell whole networks and sites (`surroundings`), then what of the parts
belongs to that, then which of the rest are one decision (`decisions`), then on whose
networks it is (`scope`). Nothing is said of a target that is not shown by looks of its own,
and each event says in words why it is what it is called.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.history import looks
from analysis.history.decisions import (
    Course,
    begins,
    by_onset,
    courses,
    decisions,
    last_shown,
)  # fmt: skip
from analysis.history.ends import whole_lift, whole_onset
from analysis.history.event import Event, Part
from analysis.history.identity import named
from analysis.history.looks import Seen, Window
from analysis.history.scope import Networks, by_network, places, scope
from analysis.history.surroundings import Trouble
from analysis.history.surroundings_networks import network_troubles
from analysis.history.surroundings_targets import target_troubles

HOUR = 3600.0
ONE_PROBE = 0.9      # what is shown to one probe alone may be its own household's doing
MOST_EVIDENCE = 50   # ids of measurements that an event carries
CLEAN_LOOKS = 4      # of another probe beside, that make it the one probe's own doing
LIKELY = 0.5         # below it there is more to say against an event than for it


def events(
    rows: Any, parts: Iterable[Part], networks: Networks, *, country: str | None = None,
    known: Sequence[Event] = (), now: float | None = None,
) -> list[Event]:  # fmt: skip
    """The events that *parts* and the verdict table *rows* tell of, by onset.

    *rows*: an Ibis table with the columns of `VerdictRow`. *networks*: what is documented of
    the networks. *country*: whose events; None: the one that most of *rows* are about. *known*:
    events of an earlier run, whose ids are kept. *now*: later rows are left out (POSIX
    seconds); None: all count.
    """
    if now is not None:
        rows = rows.filter(rows.measured_at <= now)
    rows = rows.filter(rows.measured_at > 0)
    whose = country or looks.country_of(rows, networks)
    last = rows.filter(rows.probe_cc == whose).measured_at.max().to_pyarrow().as_py()
    if last is None:
        return []
    homes = looks.network_countries(rows)
    at_home = [p for p in parts if homes.get(p.probe_asn, whose) == whose]
    troubles = network_troubles(rows, whose) + target_troubles(rows, whose)
    found = _Finder(rows, networks, whose, float(last), troubles).find(at_home)
    found += [_of_trouble(t, networks) for t in troubles]
    found.sort(key=lambda e: (e.onset.by or math.inf, e.kind, e.targets, e.networks))
    return named(found, known)


@dataclass
class _Finder:
    rows: Any
    networks: Networks
    country: str
    last: float
    troubles: Sequence[Trouble]

    def find(self, parts: Sequence[Part]) -> list[Event]:
        """Events of interference with targets."""
        kept = self._not_masked(parts)
        kept, seen = self._independent(kept)
        found = courses(kept)
        around = self._around(found)
        self._say_where(found, seen, around)
        beside = {id(c): s for c, s in zip(found, around, strict=True)}
        groups = decisions(found)
        abroad = self._abroad(groups)
        said = looks.said(
            self.rows, [w for g in groups for w in self._windows(g)], self.country
        )
        events, at = [], 0
        for group, away in zip(groups, abroad, strict=True):
            many = len(self._windows(group))
            words = [s for each in said[at : at + many] for s in each]
            at += many
            events.append(self._event(group, seen, beside, away, words))
        return events

    # -- What is no event of its own ------------------------------------------------------------

    def _not_masked(self, parts: Sequence[Part]) -> list[Part]:
        """Without the parts that began in a trouble of their network and ended with it."""
        of_networks: dict[int, list[Trouble]] = {}
        for trouble in self.troubles:
            for asn in trouble.networks:
                of_networks.setdefault(asn, []).append(trouble)
        return [
            p for p in parts
            if not any(
                t.covers(begins(p)) and t.covers(last_shown(p, self.last))
                for t in of_networks.get(p.probe_asn, ())
            )
        ]  # fmt: skip

    def _independent(self, parts: list[Part]) -> tuple[list[Part], Mapping[Part, list[Seen]]]:
        """Parts that are the network's doing, with what each probe saw of them: not those of
        one probe alone beside others that are clean, nor those that mostly were down."""
        seen = looks.seen(
            self.rows,
            [Window(p.host, begins(p), last_shown(p, self.last), p.probe_asn, p.hours)
             for p in parts],
            self.country,
        )  # fmt: skip
        kept, of_part = [], {}
        for part, looked in zip(parts, seen, strict=True):
            if part.resolver_asn:
                looked = [s for s in looked if s.resolver == part.resolver_asn] or looked
            if not _one_probes_own(part, looked) and not _mostly_down(looked):
                kept.append(part)
                of_part[part] = looked
        return kept, of_part

    # -- Where ----------------------------------------------------------------------------------

    def _around(self, found: Sequence[Course]) -> list[list[Seen]]:
        """What was seen of each course's target on all networks while it lasted."""
        return looks.seen(
            self.rows,
            [
                Window(
                    c.host, begins(c.parts[0]), max(last_shown(p, self.last) for p in c.parts),
                    hours=_hours(c.parts),
                )
                for c in found
            ],
            self.country,
        )  # fmt: skip

    def _say_where(
        self, found: Sequence[Course], seen: Mapping[Part, list[Seen]],
        around: Sequence[list[Seen]],
    ) -> None:  # fmt: skip
        for course, beside in zip(found, around, strict=True):
            held = {p.probe_asn for p in course.parts}
            share = _share([s for p in course.parts for s in seen[p]])
            course.shown = frozenset(held)
            course.clean = frozenset(
                p.asn for p in places(beside, by_network)
                if p.asn not in held and p.spared(share)
            )

    def _windows(self, group: Sequence[Course]) -> list[Window]:
        return [
            Window(
                c.host, begins(c.parts[0]), max(last_shown(p, self.last) for p in c.parts),
                hours=_hours(c.parts),
            )
            for c in group
        ]  # fmt: skip

    def _abroad(self, groups: Sequence[Sequence[Course]]) -> list[Counter[str]]:
        windows = [self._windows(g) for g in groups]
        counts = looks.seen_abroad(self.rows, [w for each in windows for w in each], self.country)
        found, at = [], 0
        for each in windows:
            total: Counter[str] = Counter()
            for count in counts[at : at + len(each)]:
                total.update(count)
            found.append(total)
            at += len(each)
        return found

    # -- The event ------------------------------------------------------------------------------

    def _event(
        self, group: Sequence[Course], seen: Mapping[Part, list[Seen]],
        beside: Mapping[int, list[Seen]], abroad: Counter[str], words: Sequence[looks.Said],
    ) -> Event:  # fmt: skip
        parts = sorted((p for c in group for p in c.parts), key=by_onset)
        held = {p.probe_asn for p in parts}
        within = [s for p in parts for s in seen[p]]
        without = [s for c in group for s in beside[id(c)] if s.asn not in held]
        share = _share(within)
        found = scope(parts, _merged(within + without), share, self.networks)
        reasons = [*found.reasons]
        if len(group) > 1:
            reasons.append(
                f"{len(group)} targets changed within the same hours on the same networks."
            )
        if abroad:
            reached = abroad["ok"]
            total = sum(abroad[o] for o in ("ok", "blocked", "down", "server_side"))
            reasons.append(f"Meanwhile {reached} of {total} looks from abroad reached it.")
        hidden = [
            t.kind for t in self.troubles
            if parts[0].probe_asn in t.networks and t.covers(begins(parts[0]))
        ]  # fmt: skip
        if hidden:
            reasons.append(f"Its beginning was first seen during or after an event of {hidden[0]}.")
        probes = {s.probe for s in within if s.struck}
        probability = _probability(parts, len(probes))
        if len(probes) == 1:
            reasons.append("One probe alone shows it: its own household may be the cause.")
        return Event(
            id="",
            kind="throttling" if group[0].slow else "blocking",
            targets=tuple(sorted({c.host for c in group})),
            categories=_most(Counter({w.category: w.looks for w in words if w.category})),
            mechanisms=tuple(dict.fromkeys(p.mechanism for p in parts)),
            trigger=next(
                iter(_most(Counter({w.trigger: w.looks for w in words if w.trigger}))), ""
            ),
            scope=found.scope,
            networks=found.networks or tuple(sorted(held)),
            clean_networks=found.clean,
            resolvers=found.resolvers,
            onset=whole_onset(parts),
            lift=whole_lift(parts),
            hours=_hours(parts),
            share=share,
            order=found.order,
            spread=found.spread,
            probability=probability,
            blocked=sum(p.blocked for p in parts),
            measured=sum(p.measured for p in parts),
            probes=len(probes),
            fingerprints=_fingerprints(words),
            reasons=tuple(reasons),
            evidence=_evidence(parts),
            parts=tuple(parts),
        )


def _of_trouble(trouble: Trouble, networks: Networks) -> Event:
    """The event that a trouble of networks or of targets is."""
    order = tuple(
        asn for asn, _onset in sorted(trouble.onsets, key=lambda o: (o[1].by or math.inf, o[0]))
    )
    held = trouble.scope
    if trouble.networks:
        held = _scope_of_networks(trouble.networks, networks)
    return Event(
        id="", kind=trouble.kind, targets=trouble.targets, scope=held,
        networks=trouble.networks, clean_networks=trouble.clean, onset=trouble.onset,
        lift=trouble.lift, hours=trouble.hours, order=order,
        share=round(trouble.hits / trouble.looks, 4) if trouble.looks else 1.0,
        probability=trouble.probability, blocked=trouble.hits, measured=trouble.looks,
        probes=trouble.probes, reasons=trouble.reasons,
    )  # fmt: skip


def _scope_of_networks(asns: Sequence[int], networks: Networks) -> Any:
    owners = {networks[a].operator if a in networks else f"AS{a}" for a in asns}
    if len(asns) == 1:
        return "network"
    if len(owners) == 1:
        return "operator"
    return "national" if len(owners) >= 3 else "group"


def _one_probes_own(part: Part, seen: Sequence[Seen]) -> bool:
    """Whether one probe alone met it, while others beside it, asking the same resolvers where
    that matters and at the same kind of access, did not."""
    struck = [s for s in seen if s.struck > 0.2 * (s.struck + s.clean)]
    if len({s.probe for s in struck}) != 1:
        return False
    one = struck[0]
    clean = [
        s for s in seen
        if s.probe != one.probe and s.clean >= CLEAN_LOOKS and not s.struck
        and s.network_type in ("", one.network_type) and s.region in ("", one.region)
    ]  # fmt: skip
    return bool(clean)


def _mostly_down(seen: Sequence[Seen]) -> bool:
    """Whether more looks found the target down, or refusing, than met anybody on the way."""
    return sum(s.down for s in seen) > sum(s.struck for s in seen)


def _merged(seen: Iterable[Seen]) -> list[Seen]:
    """*seen* with one row for each probe in each place, of all windows."""
    total: dict[tuple[int, str, str, int, str], list[int]] = {}
    for s in seen:
        at = total.setdefault((s.asn, s.network_type, s.region, s.resolver, s.probe), [0, 0, 0, 0])
        for i, count in enumerate((s.struck, s.clean, s.down, s.sessions)):
            at[i] += count
    return [Seen(*key, *counts) for key, counts in sorted(total.items())]


def _share(seen: Sequence[Seen]) -> float:
    """The part of the looks that show it, where it holds."""
    struck = sum(s.struck for s in seen)
    total = struck + sum(s.clean for s in seen)
    return round(struck / total, 4) if total else 1.0


def _hours(parts: Sequence[Part]) -> tuple[int, ...]:
    """The hours of the day in which it holds, where that is not always: those of the parts that
    have some, if they are most of it."""
    timed = sum(p.blocked for p in parts if p.hours)
    if 2 * timed <= sum(p.blocked for p in parts):
        return ()
    hours = {h for p in parts for h in p.hours}
    return tuple(sorted(hours)) if len(hours) < 24 else ()


def _probability(parts: Sequence[Part], probes: int) -> float:
    """That something happened: networks are independent witnesses, series of one are not.

    So each network has the word of its surest part, and the doubts of networks multiply; but
    no more of them than there are probes.
    """
    surest: dict[int, float] = {}
    for part in parts:
        surest[part.probe_asn] = max(surest.get(part.probe_asn, 0.0), part.probability)
    witnesses = sorted(surest.values(), reverse=True)[: max(1, probes)]
    sure = 1 - math.prod(1 - p for p in witnesses)
    if probes == 1:
        sure *= ONE_PROBE
    return round(min(sure, 0.9999), 4)


def _most(counts: Counter[str]) -> tuple[str, ...]:
    return tuple(name for name, _n in sorted(counts.items(), key=lambda c: (-c[1], c[0])))


def _fingerprints(words: Sequence[looks.Said]) -> tuple[str, ...]:
    counts: Counter[str] = Counter()
    for word in words:
        for name in word.fingerprints.split(","):
            if name:
                counts[name] += word.looks
    return _most(counts)


def _evidence(parts: Sequence[Part]) -> tuple[str, ...]:
    """Some of the measurements, of each part in turn."""
    found: dict[str, None] = {}
    for i in range(max((len(p.evidence) for p in parts), default=0)):
        for part in parts:
            if i < len(part.evidence):
                found.setdefault(part.evidence[i])
            if len(found) >= MOST_EVIDENCE:
                return tuple(found)
    return tuple(found)
