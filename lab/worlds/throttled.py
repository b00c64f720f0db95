"""Worlds where somebody slows a page down, and worlds where it is slow by itself.

``throttled``: by name or by address, by a shaper (what is too fast waits), a policer
(what is too fast is dropped), delay or loss. ``unhurried``: as slow for everybody, far
away, or behind a bad route; nobody does that on purpose. Lines that are bad as a
whole are settings of a country and not worlds (`LINES`).
"""

from __future__ import annotations

from lab.censors import Slowness, ThrottleAddress, ThrottleHost, ThrottleName
from lab.sites import Page, big, drip
from lab.topology import OPERATOR_PREFIXES
from lab.wire import WireSettings
from lab.world import Way, Wire, World
from lab.worlds.plan import Plan, truly, world

HOSTING = (Wire.HOSTING,)
ENDLESS = 4_000_000  # bytes: the end of such a page is not seen


def long(plan: Plan) -> Page:
    """An ordinary page of some 15 to 25 KB."""
    return plan.article(paragraphs=60)


def endless(plan: Plan) -> Page:
    return big(plan.article(), ENDLESS)


def by_name(plan: Plan, slowness: Slowness, page: Page | None = None, outcome: str = "ok") -> World:
    plan.scheme, plan.path = "https", "/"
    site = plan.site(page or long(plan), addresses=(plan.address(),))
    censors = plan.censors(ThrottleName(names=(plan.host,), slowness=slowness))
    return plan.world_of(truly(outcome, "throttled", trigger="name"), site, censors=censors)


def by_address(
    plan: Plan, slowness: Slowness, page: Page | None = None, outcome: str = "ok"
) -> World:
    plan.path = "/"
    site = plan.site(page or long(plan), addresses=(plan.address(),))
    rule = ThrottleAddress(addresses=site.addresses, slowness=slowness)
    truth = truly(outcome, "throttled", trigger="address")
    return plan.world_of(truth, site, censors=plan.censors(rule))


def seed(plan: Plan) -> int:
    return plan.chance.randrange(10**6)


@world("throttled")
def name_shaped(plan: Plan) -> World:
    return by_name(plan, Slowness(rate=plan.chance.uniform(8e3, 16e3)))


@world("throttled")
def name_policed(plan: Plan) -> World:
    """As Twitter was in Russia in 2021: 16 KB/s, and what is faster is dropped."""
    return by_name(plan, Slowness(rate=16e3, queue=0.3))


@world("throttled")
def name_delayed(plan: Plan) -> World:
    return by_name(plan, Slowness(delay=plan.chance.uniform(0.2, 0.4)), plan.article())


@world("throttled")
def name_with_loss(plan: Plan) -> World:
    """One packet in four or five, both ways. With few, TCP is but two or three times as slow."""
    slowness = Slowness(delay=0.05, loss=plan.chance.uniform(0.2, 0.25), seed=seed(plan))
    return by_name(plan, slowness, big(plan.article(), 200_000), "ok|blocked")  # by luck


@world("throttled")
def name_shaped_away(plan: Plan) -> World:
    """A page so long that nobody waits for its end."""
    page = endless(plan)
    return by_name(plan, Slowness(rate=plan.chance.uniform(5e3, 12e3)), page, "blocked")


@world("throttled")
def host_shaped(plan: Plan) -> World:
    """By the name in a request in the clear, whatever the address."""
    plan.scheme, plan.path = "http", "/"
    site = plan.site(long(plan), addresses=(plan.address(),))
    rule = ThrottleHost(names=(plan.host,), slowness=Slowness(rate=10e3))
    truth = truly("ok", "throttled", trigger="name")
    return plan.world_of(truth, site, censors=plan.censors(rule))


@world("throttled")
def address_shaped(plan: Plan) -> World:
    return by_address(plan, Slowness(rate=plan.chance.uniform(10e3, 14e3)))


@world("throttled")
def address_delayed(plan: Plan) -> World:
    """As Telegram's addresses at Beltelecom in 2020: 300 to 450 ms more, there and back."""
    return by_address(plan, Slowness(delay=plan.chance.uniform(0.15, 0.225)))


@world("throttled")
def address_shaped_away(plan: Plan) -> World:
    page = endless(plan)
    return by_address(plan, Slowness(rate=plan.chance.uniform(5e3, 12e3)), page, "blocked")


# Slow, and nobody's doing.


@world("unhurried")
def server_with_little_to_give(plan: Plan) -> World:
    """12 KB/s for everybody."""
    plan.path = "/"
    site = plan.site(drip(long(plan), 1200, 0.1), addresses=(plan.address(),))
    return plan.world_of(truly("ok"), site)


@world("unhurried")
def server_far_away(plan: Plan) -> World:
    """300 ms more for everybody, there and back."""
    plan.path = "/"
    site = plan.site(long(plan), addresses=(plan.address(),))
    rule = ThrottleAddress(addresses=site.addresses, slowness=Slowness(delay=0.15))
    return plan.world_of(truly("ok"), site, censors=plan.censors(rule, at=HOSTING))


@world("unhurried")
def server_behind_loss(plan: Plan) -> World:
    """One packet in ten is lost before the site, whoever asks."""
    plan.path = "/"
    site = plan.site(long(plan), addresses=(plan.address(),))
    slowness = Slowness(loss=0.1, seed=seed(plan))
    rule = ThrottleAddress(addresses=site.addresses, slowness=slowness)
    return plan.world_of(truly("ok"), site, censors=plan.censors(rule, at=HOSTING))


@world("unhurried")
def server_that_thinks(plan: Plan) -> World:
    """A second or more before the page, for everybody and each time another."""
    plan.path = "/"
    page = drip(long(plan), 4000, plan.chance.uniform(0.1, 0.3))
    return plan.world_of(truly("ok"), plan.site(page, addresses=(plan.address(),)))


@world("unhurried")
def bad_route_from_here(plan: Plan) -> World:
    """120 ms more from this country, which the controls do not meet: a route by the wrong sea."""
    plan.path = "/"
    site = plan.site(long(plan), addresses=(plan.address(),))
    rule = ThrottleAddress(
        addresses=site.addresses, clients=OPERATOR_PREFIXES, slowness=Slowness(delay=0.06)
    )
    return plan.world_of(truly("ok"), site, censors=plan.censors(rule, at=HOSTING))


LINES: dict[str, WireSettings] = {
    "slow line": WireSettings(delay=0.02, rate=40_000.0),
    "slow line with loss": WireSettings(delay=0.02, rate=60_000.0, loss=0.02),
    "congested evening": WireSettings(delay=0.03, jitter=0.1, rate=100_000.0, loss=0.03),
    "far from everything": WireSettings(delay=0.25),
    "bad wireless": WireSettings(delay=0.005, jitter=0.03, loss={Way.OUT: 0.05, Way.BACK: 0.05}),
}
"""Lines on which all is slow: no target of theirs is throttled."""
