"""Censors that are choosy about hellos: whose they are, and in how many segments they come."""

from __future__ import annotations

from lab.censors import SNIReset
from lab.world import World
from lab.worlds.plan import Plan, truly, world


@world("blocked")
def reset_by_name_in_one_packet(plan: Plan) -> World:
    """A box that does not put segments together."""
    plan.scheme = "https"
    censors = plan.censors(SNIReset(names=(plan.host,), reassembles=False))
    truth = truly("blocked", "tls.reset", trigger="name")
    return plan.world_of(truth, plan.site(), censors=censors)


@world("blocked")
def reset_by_name_in_browsers_hellos(plan: Plan) -> World:
    """A box that minds the name only where it takes the client for a browser."""
    plan.scheme = "https"
    censors = plan.censors(SNIReset(names=(plan.host,), hellos="browser"))
    truth = truly("blocked", "tls.reset", trigger="name")
    return plan.world_of(truth, plan.site(), censors=censors)
