"""What one control is worth that asked at the same moment and got the page.

OONI's probes ask one helper. It keeps no answers of before, connects to the addresses that
the probe was given, and follows redirects by itself. Its answer comes over the probe's own
line, so that lived, and a page that it got cannot be a whim of its network: only failures
can. What it did not meet, at the same address and port, is met here alone. Behind a
redirect it does not say where it was: there an address counts that a resolver other than the
machine's own gives as well, or that has a valid certificate.

All of that only in rows of other software: who could ask several controls and has one answer
has lost the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from analysis.observe.connections import WEAK
from analysis.observe.names import NameFacts
from analysis.observe.paths import Path
from analysis.observe.sight import (
    LAYERS,
    OK,
    Layer,
    Sight,
    addresses,
    answered,
    is_literal,
    manner,
    place,
    public,
)
from probe.evidence import Run

# Public resolvers that tell no site where who asks is (no EDNS client subnet, RFC 7871, as
# their operators say): what they are told depends on where they are.
_UNTOLD = frozenset({"1.1.1.1", "1.0.0.1", "9.9.9.9", "149.112.112.112"})


def lone_columns(
    run: Run,
    path: Path,
    theirs: Sequence[Path],
    here: Sight,
    controls: Sequence[Sight],
    names: Callable[[str], NameFacts],
) -> dict[str, Any]:
    """Columns of the row; *theirs* is each control's path from the same URL."""
    if not run.source or len(controls) != 1 or len(theirs) != 1:
        return {}
    page = theirs[0].page
    if theirs[0].end != "page" or page is None or (page.status or 0) >= 400:
        return {"lone_control": True}
    met = set(_met(path, here, controls[0], names))
    cut = path.page is None and f"{path.end}.{path.how}" in met
    return {
        "lone_control": True,
        "lone_page": True,
        "lone_contrasts": ",".join(sorted(met)),
        "lone_contradicts": cut,
    }


def _met(
    path: Path, here: Sight, control: Sight, names: Callable[[str], NameFacts]
) -> Iterator[str]:
    """``layer.how`` of what fails here alone, at any hop of *path*."""
    for depth, url in enumerate(path.hops):
        at = place(url)
        facts = names(at.host)
        for port in at.ports:
            slots = here.reached(at.host, port)
            for ip, reached in slots.items():
                broken = reached.broken()
                if broken is None or broken[0] == "certificate":
                    continue
                layer, how = broken
                elsewhere = any(r.at(layer) == OK for other, r in slots.items() if other != ip)
                if how in WEAK and elsewhere:
                    continue
                if _knows(control, here, facts, depth, port, ip, layer):
                    yield f"{layer}.{how}"
        for page in here.pages.get(url, ()):
            reached_here = here.reached(at.host, at.port).get(page.ip)
            whole = reached_here is None or reached_here.broken() is None
            # A head without the rest of its page is no silence.
            if answered(page) or page.failure is None or page.status is not None or not whole:
                continue
            layer = LAYERS[1] if at.tls else LAYERS[0]
            if _knows(control, here, facts, depth, at.port, page.ip, layer):
                yield f"http.{manner(page.failure)}"


def _knows(
    control: Sight, here: Sight, facts: NameFacts, depth: int, port: int, ip: str, layer: Layer
) -> bool:
    """Whether *control* got past *layer* at *ip*; behind a redirect, whether *ip* is the site's."""
    there = control.reached(facts.host, port)
    if ip in there:
        return there[ip].at(layer) == OK
    if there or not depth:
        return False
    return is_literal(facts.host) or ip in facts.genuine or ip in _told_by_others(here, facts.host)


def _told_by_others(here: Sight, host: str) -> frozenset[str]:
    """Addresses that resolvers gave which are not the machine's own."""
    return frozenset(ip for e in here.answers(host) if not e.own for ip in addresses(e))


def clear_columns(
    hosts: Sequence[str],
    here: Sight,
    controls: Sequence[Sight],
    names: Callable[[str], NameFacts],
    asn: Callable[[str], int],
    probe_asn: int,
) -> dict[str, Any]:
    """What public resolvers say in the clear that nobody says who is asked otherwise."""
    return {
        "dns_diverted": sum(_diverted(h, here, controls, asn, probe_asn) for h in hosts),
        "dns_ghost_public": any(
            names(h).exists_nowhere and _answers_for_nothing(h, here) for h in hosts
        ),
    }


def _diverted(
    host: str, here: Sight, controls: Sequence[Sight], asn: Callable[[str], int], probe_asn: int
) -> int:
    """Public resolvers that give an address in the probe's own network, of which they know
    nothing, while controls and encrypted resolvers are given others in other networks."""
    resolvers = {
        at
        for e in here.answers(host)
        if e.engine == "udp" and not e.own and (at := e.resolver.rpartition(":")[0]) in _UNTOLD
        and (given := addresses(e)) and all(asn(ip) == probe_asn and public(ip) for ip in given)
    }
    if not resolvers or not probe_asn:
        return 0
    true = frozenset().union(*(c.resolved(host) for c in controls))
    secret = frozenset(
        ip for e in here.answers(host) if e.engine in ("dot", "doh") for ip in addresses(e)
    )
    networks = {asn(ip) for ip in true | secret}
    if not (true and secret) or probe_asn in networks or 0 in networks:
        return 0
    return len(resolvers)


def _answers_for_nothing(host: str, here: Sight) -> bool:
    """A public resolver gives an address in the clear, and an encrypted one denies the name."""
    denied = any(
        e.engine in ("dot", "doh") and e.answers and not addresses(e) for e in here.answers(host)
    )
    return denied and any(
        e.engine == "udp" and not e.own and any(map(public, addresses(e)))
        for e in here.answers(host)
    )
