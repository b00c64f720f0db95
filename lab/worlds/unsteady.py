"""What does not do the same each time: sites that come and go, and censors that miss.

``unsteady`` ones are innocent: whoever is met by a bad moment is met by it at the site, and
the controls may have come at a better one. ``overloaded`` censors let some of what they
mean through; that a page came is then as true as that it is blocked.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.censors import HTTPReset, Slowness, SNIDrop, SNIReset, ThrottleAddress
from lab.flows import Ends, Flow
from lab.middlebox import AddressRule, Treatment
from lab.packet import Packet
from lab.sites import slow
from lab.world import Action, Way, Wire, World
from lab.worlds.plan import Plan, truly, world

HOSTING = (Wire.HOSTING,)
SILENT = "ok|down|inconclusive"
BLOCKED_OR_MISSED = "blocked|ok|inconclusive"


@dataclass(frozen=True, kw_only=True)
class ComesAndGoes(AddressRule):
    """Nothing gets through to *addresses* for a while, then all does, over and over.

    *down* and *up* are the mean seconds of each; how long a turn takes is drawn anew.
    """

    down: float
    up: float
    seed: int = 0

    def treatment(self) -> Treatment:
        chance = random.Random(self.seed)
        works, until = chance.random() < self.up / (self.up + self.down), 0.0

        def treat(packet: Packet, ends: Ends, way: Way, now: float) -> Sequence[Action] | None:
            nonlocal works, until
            if now >= until:
                works = not works if until else works
                until = now + chance.uniform(0.5, 1.5) * (self.up if works else self.down)
            return None if works else ()

        return treat


@dataclass(frozen=True, kw_only=True)
class _Overloaded:
    """Misses a trigger with probability *misses*; the same triggers for the same *seed*."""

    misses: float
    seed: int = 0
    chance: random.Random = field(default_factory=random.Random, compare=False, repr=False)

    def __post_init__(self) -> None:
        self.chance.seed(self.seed)

    def overlooks(self) -> bool:
        return self.chance.random() < self.misses


@dataclass(frozen=True, kw_only=True)
class OverloadedSNIReset(_Overloaded, SNIReset):
    def on_name(self, packet: Packet, flow: Flow, now: float) -> Sequence[Action] | None:
        return None if self.overlooks() else super().on_name(packet, flow, now)


@dataclass(frozen=True, kw_only=True)
class OverloadedSNIDrop(_Overloaded, SNIDrop):
    def on_name(self, packet: Packet, flow: Flow, now: float) -> Sequence[Action] | None:
        return None if self.overlooks() else super().on_name(packet, flow, now)


@dataclass(frozen=True, kw_only=True)
class OverloadedHTTPReset(_Overloaded, HTTPReset):
    def on_name(self, packet: Packet, flow: Flow, now: float) -> Sequence[Action] | None:
        return None if self.overlooks() else super().on_name(packet, flow, now)


def seed(plan: Plan) -> int:
    return plan.chance.randrange(10**6)


def comes_and_goes(plan: Plan, down: float, up: float) -> World:
    site = plan.site(addresses=(plan.address(),))
    rule = ComesAndGoes(addresses=site.addresses, down=down, up=up, seed=seed(plan))
    return plan.world_of(truly(SILENT), site, censors=plan.censors(rule, at=HOSTING))


@world("unsteady")
def site_gone_for_seconds(plan: Plan) -> World:
    return comes_and_goes(plan, plan.chance.uniform(4.0, 15.0), plan.chance.uniform(4.0, 15.0))


@world("unsteady")
def site_gone_for_a_minute(plan: Plan) -> World:
    return comes_and_goes(plan, plan.chance.uniform(30.0, 80.0), plan.chance.uniform(10.0, 40.0))


@world("unsteady")
def site_drops_what_is_too_much(plan: Plan) -> World:
    """A server so busy that between a third and nearly all packets are lost before it."""
    site = plan.site(addresses=(plan.address(),))
    slowness = Slowness(loss=plan.chance.uniform(0.3, 0.8), seed=seed(plan))
    rule = ThrottleAddress(addresses=site.addresses, slowness=slowness)
    return plan.world_of(truly(SILENT), site, censors=plan.censors(rule, at=HOSTING))


@world("unsteady")
def site_answers_after_long(plan: Plan) -> World:
    """Some answers come before our patience ends, and some after."""
    page = slow(plan.article(), plan.chance.uniform(11.0, 18.0))
    return plan.world_of(truly(SILENT), plan.site(page))


@world("unsteady")
def site_resets_what_is_too_much(plan: Plan) -> World:
    """A balancer that resets some connections when the client has spoken, whoever it is."""
    site = plan.site(addresses=(plan.address(),))
    facts: dict[str, Any] = {
        "every": "any", "servers": site.addresses, "misses": plan.chance.uniform(0.3, 0.7),
    }  # fmt: skip
    rules = (OverloadedSNIReset(seed=seed(plan), **facts),
             OverloadedHTTPReset(seed=seed(plan), **facts))  # fmt: skip
    return plan.world_of(truly(SILENT), site, censors=plan.censors(*rules, at=HOSTING))


@world("overloaded")
def some_hellos_reset(plan: Plan) -> World:
    plan.scheme = "https"
    rule = OverloadedSNIReset(
        names=(plan.host,), misses=plan.chance.uniform(0.1, 0.5), seed=seed(plan)
    )
    truth = truly(BLOCKED_OR_MISSED, "tls.reset", trigger="name")
    return plan.world_of(truth, plan.site(), censors=plan.censors(rule))


@world("overloaded")
def some_hellos_dropped(plan: Plan) -> World:
    plan.scheme = "https"
    rule = OverloadedSNIDrop(
        names=(plan.host,), misses=plan.chance.uniform(0.1, 0.5), seed=seed(plan)
    )
    truth = truly(BLOCKED_OR_MISSED, "tls.silence", trigger="name")
    return plan.world_of(truth, plan.site(), censors=plan.censors(rule))


@world("overloaded")
def some_requests_reset(plan: Plan) -> World:
    plan.scheme = "http"
    rule = OverloadedHTTPReset(
        names=(plan.host,), misses=plan.chance.uniform(0.1, 0.5), seed=seed(plan)
    )
    truth = truly(BLOCKED_OR_MISSED, "http.reset", trigger="name")
    site = plan.site(https=None)
    return plan.world_of(truth, site, censors=plan.censors(rule))
