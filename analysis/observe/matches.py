"""Which fingerprints fit, where, and whether the user's own path met them.

A fingerprint counts only as a contrast: not where a control saw the same, and a
page not where a valid certificate vouches for it, since newspapers quote block pages.
What is served at an address from a lying answer confirms the lie and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from analysis import fingerprints
from analysis.fingerprints import Fingerprint
from analysis.observe.names import NameFacts
from analysis.observe.pages import likeness
from analysis.observe.paths import Path
from analysis.observe.sight import OK, Sight, place
from probe.evidence import HTTPExchange


@dataclass
class Matches:
    """Ids of matching fingerprints, by where they matched. *path*: on the user's path."""

    redirect: set[str] = field(default_factory=set)
    page: set[str] = field(default_factory=set)
    certificate: set[str] = field(default_factory=set)
    dns: set[str] = field(default_factory=set)
    forged: set[str] = field(default_factory=set)
    path: set[str] = field(default_factory=set)
    platform: set[str] = field(default_factory=set)

    def add(
        self, found: Iterable[Fingerprint], into: set[str], *, on_path: bool, forged: bool
    ) -> None:
        for fingerprint in found:
            if fingerprint.confirms:
                (self.forged if forged else into).add(fingerprint.id)
                if on_path:
                    self.path.add(fingerprint.id)


def find_matches(
    path: Path,
    behind: Sequence[str],
    urls: Iterable[str],
    here: Sight,
    controls: Sequence[Sight],
    theirs: Sequence[Path],
    names: Callable[[str], NameFacts],
) -> Matches:
    """Fingerprints at *urls* and at those *behind* an unvouched redirect of *path*."""
    found = Matches()
    on_path = [*path.exchanges, *([path.page] if path.page is not None else [])]
    for url in dict.fromkeys((*urls, *behind)):
        facts = names(place(url).host)
        for page in here.pages.get(url, ()):
            mine = any(page is e for e in on_path) or url in behind
            _in_exchange(found, page, facts, here, controls, theirs, mine, url in behind)
        if url not in behind:
            _in_certificates(found, url, path, facts, here)
    for host in {place(url).host for url in path.hops}:
        _in_answers(found, names(host), controls)
    return found


def _in_exchange(
    found: Matches,
    page: HTTPExchange,
    facts: NameFacts,
    here: Sight,
    controls: Sequence[Sight],
    theirs: Sequence[Path],
    mine: bool,
    behind: bool,
) -> None:
    at = place(page.url)
    reached = here.reached(at.host, at.port).get(page.ip)
    certified = at.tls and reached is not None and reached.certificate == OK
    forged = facts.kind == "lie" and page.ip in facts.own and page.ip not in facts.genuine
    seen = [e for c in controls for e in c.pages.get(page.url, ())]
    if page.location is not None and all(e.location != page.location for e in seen):
        hits = fingerprints.in_value("location", page.location)
        if mine and certified:
            found.platform.update(f.id for f in hits if f.kind == "platform_notice")
        if not certified:
            found.add(hits, found.redirect, on_path=mine, forged=forged)
    hits = fingerprints.in_page(page)
    if mine:
        found.platform.update(
            f.id
            for f in hits
            if f.kind == "platform_false_alarm"
            and ((page.status or 0) >= 400 or f.field == "title")
        )
    if certified and not behind:
        return
    pages = [e for e in (*seen, *(p.page for p in theirs)) if e is not None]
    if behind or not any(likeness(page, e) in ("same", "similar") for e in pages):
        found.add(hits, found.page, on_path=mine, forged=forged)


def _in_certificates(
    found: Matches, url: str, path: Path, facts: NameFacts, here: Sight
) -> None:
    at = place(url)
    for port in at.ports:
        for ip, reached in here.reached(at.host, port).items():
            if reached.certificate == "bad" and len(reached.certificate_names) == 2:
                mine = path.end == "certificate" and url == path.last and ip == path.ip
                forged = facts.kind == "lie" and ip in facts.own and ip not in facts.genuine
                hits = fingerprints.in_certificate(*reached.certificate_names)
                found.add(hits, found.certificate, on_path=mine, forged=forged)


def _in_answers(found: Matches, facts: NameFacts, controls: Sequence[Sight]) -> None:
    true = frozenset().union(*(c.resolved(facts.host) for c in controls))
    for ip in facts.given - true:
        hits = fingerprints.in_value("dns_answer", ip)
        found.add(hits, found.dns, on_path=ip in facts.own, forged=False)
