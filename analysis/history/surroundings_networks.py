"""Networks that are gone, or cut off from abroad: outages and shutdowns, each said once."""

from __future__ import annotations

from typing import Any

from analysis.history.surroundings import HOUR, Trouble
from analysis.history.surroundings_habits import heard_by_hour, hours_of
from analysis.history.surroundings_outages import nationwide, outages
from analysis.history.surroundings_shutdowns import shutdowns


def network_troubles(rows: Any, country: str) -> list[Trouble]:
    """Shutdowns and outages in *country*."""
    networks = hours_of(rows, country)
    elsewhere = heard_by_hour(rows)
    found = shutdowns(networks)
    outs = [o for asn in sorted(networks) for o in outages(asn, networks[asn], elsewhere)]
    outs = [o for o in outs if not any(_within(o, t) for t in found)]
    return found + nationwide(outs)


def _within(inner: Trouble, outer: Trouble) -> bool:
    """Whether *inner* is of networks and a time in which *outer* was."""
    first, last = inner.times[0][0], inner.times[-1][1]
    return set(inner.networks) <= set(outer.networks) and any(
        a - 3 * HOUR <= last and first <= b + 3 * HOUR for a, b in outer.times
    )
