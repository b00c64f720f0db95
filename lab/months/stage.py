"""Where things happen, and how an event is told together with its effects.

What a story of `lab.months.script`, `surroundings` or `hard` needs: sites that are still free,
networks that somebody measures, and the parts of an event, made of its effects so that the two
cannot come apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from lab.months.networks import Home, Map
from lab.months.probes import Probe
from lab.months.shapes import judged
from lab.months.targets import Target
from lab.months.truth import Effect, TrueEvent, TruePart

HOUR, DAY = 3600.0, 86400.0
Happening = tuple[list[TrueEvent], list[Effect]]


@dataclass
class Stage:
    """Where things happen. *begin*, *end*: of the history. *people*: the volunteers at home.
    *used*: targets to which something happens. Numbers of events are given out in order."""

    map: Map
    targets: Sequence[Target]
    people: Sequence[Probe]
    begin: float
    end: float
    rng: np.random.Generator
    used: set[int] = field(default_factory=set)
    given: int = 0

    @cached_property
    def hourly(self) -> Mapping[int, Sequence[Probe]]:
        """Volunteers who measure hourly and whose machine lets them see, by network."""
        seen: dict[int, list[Probe]] = {}
        for probe in self.people:
            if probe.habit == "hourly" and probe.fault not in ("antivirus", "boot_clock"):
                seen.setdefault(probe.asn, []).append(probe)
        return seen

    @cached_property
    def watched(self) -> tuple[int, ...]:
        """Networks that are measured hourly; all, where none is."""
        return tuple(sorted(self.hourly)) or self.map.asns()

    @cached_property
    def crowded(self) -> tuple[int, ...]:
        """Those where two volunteers do so."""
        return tuple(sorted(asn for asn, each in self.hourly.items() if len(each) > 1))

    def number(self) -> int:
        self.given += 1
        return self.given - 1

    def pick(self, count: int, fits: Callable[[Target], bool] = lambda t: True) -> tuple[int, ...]:
        """*count* targets to which nothing has happened yet, as far as there are any."""
        free = [
            n for n, t in enumerate(self.targets)
            if n not in self.used and fits(t) and t.challenge < 0.5
            and t.since == 0.0 and t.until * DAY >= self.end - self.begin
        ]  # fmt: skip
        drawn = self.rng.permutation(free)[:count]
        chosen = tuple(sorted(int(n) for n in drawn))
        self.used.update(chosen)
        return chosen

    def one_of(self, asns: Sequence[int]) -> int:
        """A network that is measured hourly, of *asns* if there is one."""
        seen = [a for a in asns if a in self.watched] or list(asns) or list(self.watched)
        return int(self.rng.choice(seen))

    def hosts(self, targets: Iterable[int]) -> tuple[str, ...]:
        return tuple(self.targets[n].host for n in targets)

    def lasts(self, least: float, most: float) -> float:
        return float(self.rng.uniform(least, most))


def style_of(home: Home, which: int = 0) -> tuple[str, str]:
    return home.https[which % len(home.https)], home.http[which % len(home.http)]


def effect_of(
    number: int, home: Home, targets: tuple[int, ...], start: float, end: float,
    style: tuple[str, str], **more: object,
) -> Effect:  # fmt: skip
    """*home* does to *targets* what its *style* says; a lie of its resolver meets only who asks
    that."""
    lied = style[0].startswith("dns.")
    return Effect(
        event=number, shape=style[0], shape_clear=style[1], targets=targets, asns=(home.asn,),
        resolvers=(home.asn,) if lied else (), start=start, end=end, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def told(
    stage: Stage, story: str, scope: str, effects: Sequence[Effect], **more: object
) -> TrueEvent:
    """The event that *effects* make, part by part."""
    seen: dict[tuple[int, int], list[Effect]] = {}
    for effect in effects:
        for target in effect.targets:
            for asn in effect.asns:
                seen.setdefault((target, asn), []).append(effect)
    parts = tuple(
        TruePart(
            host=stage.targets[target].host,
            asn=asn,
            mechanisms=_mechanisms(stage.targets[target], each),
            onset=min(e.begins() for e in each),
            lift=max(e.ceases() for e in each),
        )
        for (target, asn), each in seen.items()
    )
    targets = sorted({n for e in effects for n in e.targets})
    fields: dict[str, object] = {
        "kind": "blocking",
        "targets": stage.hosts(targets),
        "networks": tuple(sorted({a for e in effects for a in e.asns})),
        "mechanisms": tuple(dict.fromkeys(m for p in sorted(parts, key=lambda p: p.onset)
                                          for m in p.mechanisms)),
        "onset": min(p.onset for p in parts),
        "lift": max(p.lift for p in parts),
        "hours": effects[0].hours,
        "parts": parts,
    }  # fmt: skip
    return TrueEvent(
        number=effects[0].event, story=story, scope=scope, **{**fields, **more}  # type: ignore[arg-type]
    )


def _mechanisms(target: Target, effects: Sequence[Effect]) -> tuple[str, ...]:
    shapes = [
        (e.shape_clear or e.shape) if target.clear else e.shape
        for e in sorted(effects, key=lambda e: e.start)
    ]
    found = (judged().mechanism(shape) for shape in shapes)
    return tuple(dict.fromkeys(m for m in found if m))


def lone(stage: Stage) -> list[int]:
    """Networks that are their operator's only one."""
    homes = stage.map.homes
    return [h.asn for h in homes if len(stage.map.of(h.operator)) == 1]
