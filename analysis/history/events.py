"""Events: one for each real thing, made of what single series showed.

Rule: first what befell whole networks and sites (`surroundings`), then what of the parts
belongs to that, then which of the rest are one decision (`decisions`), then on whose
networks it is (`scope`). Nothing is said of a target that is not shown by looks of its own,
and each event says in words why it is what it is called.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from analysis.history import looks
from analysis.history.accusations import Accusations
from analysis.history.event import Event, Part, Scope
from analysis.history.identity import named
from analysis.history.scope import Networks, operator
from analysis.history.summary import SUREST
from analysis.history.surroundings import Trouble
from analysis.history.surroundings_networks import network_troubles
from analysis.history.surroundings_targets import target_troubles


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
    found = Accusations(rows, networks, whose, float(last), troubles).events(at_home)
    found += [_of_trouble(t, networks) for t in troubles]
    found.sort(key=lambda e: (e.onset.by or math.inf, e.kind, e.targets, e.networks))
    return named(found, known)


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
        probability=round(min(trouble.probability, SUREST), 4), blocked=trouble.hits,
        measured=trouble.looks, probes=trouble.probes, reasons=trouble.reasons,
    )  # fmt: skip


def _scope_of_networks(asns: Sequence[int], networks: Networks) -> Scope:
    owners = {operator(networks, asn) for asn in asns}
    if len(asns) == 1:
        return "network"
    if len(owners) == 1:
        return "operator"
    return "national" if len(owners) >= 3 else "group"
