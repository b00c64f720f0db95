"""Connections that fail here and work for the controls, at addresses that are the site's.

At an address that only a lying resolver gave, nothing is judged: what happens there
belongs to the lie. A control contradicts a failure if it succeeded at the very
address, or, where it did not try that one, at another of the same family.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from analysis import signers
from analysis.observe.names import NameFacts
from analysis.observe.sight import OK, Layer, Reached, Sight, family, manner, place
from probe.evidence import HTTPExchange
from probe.failure import Failure

# What only silence or a refusal shows, a dead site shows too. The stronger the later.
_STRENGTH = ("", "other", "silence", "unreachable", "refused", "closed", "reset", "alert", "bad")
WEAK = frozenset({"silence", "unreachable", "refused"})


def strength(how: str) -> int:
    return _STRENGTH.index(how) if how in _STRENGTH else 1


@dataclass
class Contrasts:
    """For each way to fail (``tcp_silence``, ...): the most controls that contradict it anywhere.

    *forged*, *outdated*: as `certificate_kind`, with the number of controls.
    """

    seen: dict[str, int] = field(default_factory=dict)
    forged: int = 0
    outdated: int = 0

    def note(self, what: str, controls: int) -> None:
        if controls:
            self.seen[what] = max(controls, self.seen.get(what, 0))


def contradicting(
    layer: Layer, host: str, ip: str, port: int, controls: Sequence[Sight], *, exactly: bool = False
) -> int:
    """How many *controls* succeed at *layer* where we did not; at *ip* itself if *exactly*.

    None where no fewer fail at that layer as well: one of them may be lying, and it is not
    known which. Who comes no further than an earlier layer, as one whom the site shuts out,
    has not seen this one and speaks for nobody.
    """
    passed = failed = 0
    for control in controls:
        slots = control.reached(host, port)
        if ip in slots:
            tried = [slots[ip]]
        elif exactly:
            tried = []
        else:
            tried = [r for other, r in slots.items() if family(other) == family(ip)]
        if any(reached.at(layer) == OK for reached in tried):
            passed += 1
        elif any(reached.at(layer) != "" for reached in tried):
            failed += 1
    return passed if passed > failed else 0


def getting_pages(url: str, controls: Sequence[Sight]) -> int:
    """How many *controls* get an answer from *url*; none where no fewer connect and get none."""
    passed = sum(1 for c in controls if c.succeeded(url, "http"))
    failed = sum(1 for c in controls if c.pages.get(url) and not c.succeeded(url, "http"))
    return passed if passed > failed else 0


def certificate_kind(
    host: str,
    ip: str,
    port: int,
    reached: Reached,
    controls: Sequence[Sight],
    forger: str = "",
) -> str:
    """What a certificate that is bad here is: forged, replaced, outdated, bad or unclear.

    The controls got a good one and never this one: forged. They find this very
    certificate good: our store of authorities is outdated, or our clock is wrong.
    Theirs is as bad: the site's own fault. Where controls do not say which they got, only
    a certificate for another name is surely another one. Replaced is one by *forger*, who
    signs for everybody here, or by a product that replaces certificates for its owner.
    """
    theirs = [r for c in controls for r in c.reached(host, port).values()]
    if any(r.certificate == OK and r.leaf and r.leaf == reached.leaf for r in theirs):
        return "outdated"
    issuer = reached.issuer
    if issuer and (issuer == forger or signers.kind_of(issuer) in ("program", "gateway")):
        return "replaced"
    if not contradicting("certificate", host, ip, port, controls):
        elsewhere = any(r.certificate == OK for r in theirs)
        return "unclear" if elsewhere else "bad"
    leaves = {r.leaf for r in theirs if r.leaf}
    if reached.leaf and reached.leaf in leaves:
        return "bad"
    if leaves or reached.certificate_failure is Failure.TLS_INVALID_HOSTNAME:
        return "forged"
    return "unclear"


def note_contrasts(
    into: Contrasts,
    url: str,
    facts: NameFacts,
    here: Sight,
    controls: Sequence[Sight],
    forger: str = "",
) -> None:
    """Add to *into* what fails here for the host and the ports of *url*, and for its page.

    Where a *forger* ends every TLS connection, how one fails is his doing.
    """
    at = place(url)
    for port in at.ports:
        slots = here.reached(at.host, port)
        for ip, reached in slots.items():
            broken = reached.broken()
            if broken is None or ip not in facts.genuine:
                continue
            layer, how = broken
            # Where another address of the user's path answers, only the same address counts.
            partly = how in WEAK and _works_elsewhere(slots, layer, facts)
            count = contradicting(layer, at.host, ip, port, controls, exactly=partly)
            if layer == "certificate":
                kind = certificate_kind(at.host, ip, port, reached, controls, forger)
                into.forged = max(into.forged, count if kind == "forged" else 0)
                into.outdated = max(into.outdated, 1 if kind == "outdated" else 0)
            elif not (forger and layer == "tls"):
                into.note(f"{layer}_{how}", count)
    _note_pages(into, url, facts, here, controls)


def _works_elsewhere(slots: dict[str, Reached], layer: Layer, facts: NameFacts) -> bool:
    """Whether another address of the user's path does answer."""
    path = [ip for ip in facts.own if ip in slots] or list(slots)
    return any(slots[ip].at(layer) == OK for ip in path if ip in facts.genuine)


def _note_pages(
    into: Contrasts, url: str, facts: NameFacts, here: Sight, controls: Sequence[Sight]
) -> None:
    pages = [page for page in here.pages.get(url, ()) if page.ip in facts.genuine]
    theirs = getting_pages(url, controls)
    worked = any(page.failure is None for page in pages)
    at = place(url)
    for page in _failed(pages):
        reached = here.reached(at.host, at.port).get(page.ip)
        how = manner(page.failure)
        if reached is not None and reached.broken() is not None:
            continue
        if reached is not None and reached.held_reset and how == "reset":
            into.note("tcp_reset", contradicting("tcp", at.host, page.ip, at.port, controls))
        elif how not in WEAK or not worked:
            into.note(f"http_{how}", theirs)


def _failed(pages: Iterable[HTTPExchange]) -> Iterable[HTTPExchange]:
    return (page for page in pages if page.failure is not None)
