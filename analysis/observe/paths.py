"""The user's path: from the URL typed to the page shown, as far as it goes.

Own resolver, then an address that it gave, then the page, then the next redirect.
The first thing that fails is where the path ends, and what lies behind a lie or
behind a redirect that nobody vouches for is not looked at: what happens at a
censor's server says nothing about the site.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from analysis.observe.connections import contradicting, getting_pages, strength
from analysis.observe.names import NameFacts
from analysis.observe.sight import LAYERS, OK, Sight, answered, manner, place
from probe.evidence import HTTPExchange
from probe.failure import Failure

_MAX_HOPS = 64  # more than a visit can have; evidence may be imported
Names = Callable[[str], NameFacts]


class Path(msgspec.Struct, frozen=True, kw_only=True):
    """How far a chain of redirects leads.

    *hops* are its URLs, *exchanges* the response taken at each. *end* is ``page``, the
    layer that failed (``dns``, ``tcp``, ``tls``, ``certificate``, ``http``), ``redirect``
    (``loop``, ``many``, ``broken``, ``unvouched``) or ``nothing`` (not measured to its
    end); *how* says in which way. *page* is the final response. *certified*: it came
    over a certificate valid for its name.
    """

    hops: tuple[str, ...]
    exchanges: tuple[HTTPExchange, ...] = ()
    end: str = "nothing"
    how: str = ""
    ip: str = ""
    page: HTTPExchange | None = None
    certified: bool = False

    @property
    def last(self) -> str:
        return self.hops[-1]


def walk(sight: Sight, url: str, names: Names | None = None) -> Path:
    """The path from *url* as *sight* has it; through own resolvers' addresses if *names* tells."""
    hops: list[str] = []
    taken: list[HTTPExchange] = []
    at = url
    while len(hops) < _MAX_HOPS:
        hops.append(at)
        step = _hop(sight, at, names, taken)
        if isinstance(step, Path):
            return Path(
                hops=tuple(hops), exchanges=tuple(taken), end=step.end, how=step.how,
                ip=step.ip, page=step.page, certified=step.certified,
            )
        taken.append(step)
        assert step.location is not None
        at = step.location
        if at in sight.ends and not _unused(sight.pages.get(at, ()), taken):
            loop = "loop" in sight.ends[at]
            return Path(
                hops=tuple(hops), exchanges=tuple(taken), end="redirect",
                how="loop" if loop else "many",
            )
    return Path(hops=tuple(hops), exchanges=tuple(taken), end="redirect", how="many")


def _hop(
    sight: Sight, url: str, names: Names | None, taken: Sequence[HTTPExchange]
) -> HTTPExchange | Path:
    """The redirect that *url* answered with, or the end of the path there."""
    at = place(url)
    facts = names(at.host) if names is not None else None
    if facts is not None and facts.kind not in ("true", "unclear", "none", "lie"):
        return Path(hops=(url,), end="dns", how=facts.kind)
    slots = sight.reached(at.host, at.port)
    pages = sight.pages.get(url, [])
    if facts is not None and facts.own:
        slots = {ip: reached for ip, reached in slots.items() if ip in facts.own}
        mine = [page for page in pages if page.ip in facts.own]
        # One connection fetches the page. Where an own address has a good certificate too,
        # what comes over one from another of the site's addresses is the page there.
        shared = not mine and any(reached.certificate == OK for reached in slots.values())
        pages = [p for p in pages if _certified(sight, url, p)] if shared else mine
    if facts is not None and facts.kind == "lie":
        page = next((page for page in pages if answered(page)), None)
        return Path(hops=(url,), end="dns", how="lie", page=page, ip=page.ip if page else "")
    if names is None and sight.unresolved(at.host):
        return Path(hops=(url,), end="dns", how="unresolved")
    fresh = _unused(pages, taken)
    if pages and not fresh:
        return Path(hops=(url,), end="redirect", how="loop")
    good = [page for page in fresh if answered(page)]
    if good:
        # A page over a certificate that is good outweighs one over a bad one.
        page = max(good, key=lambda page: _certified(sight, url, page))
        reached = slots.get(page.ip)
        if at.tls and reached is not None and reached.certificate == "bad":
            return Path(hops=(url,), end="certificate", how="bad", ip=page.ip, page=page)
        if page.location is not None:
            return page
        certified = _certified(sight, url, page)
        return Path(hops=(url,), end="page", page=page, ip=page.ip, certified=certified)
    for page in fresh:
        if page.failure is Failure.HTTP_INVALID_REDIRECT:
            return Path(hops=(url,), end="redirect", how="broken", page=page, ip=page.ip)
    return _failed(sight, url, facts, fresh)


def _failed(
    sight: Sight, url: str, facts: NameFacts | None, pages: Sequence[HTTPExchange]
) -> Path:
    """Where the path ends when no address of *url* answered: at the one that got furthest."""
    at = place(url)
    ends: list[tuple[bool, int, int, str, str, str]] = []
    genuine = facts.genuine if facts is not None else None
    given = facts.own if facts is not None and facts.own else None
    for ip, reached in sight.reached(at.host, at.port).items():
        broken = reached.broken()
        if broken is None or (given is not None and ip not in given):
            continue
        layer, how = broken
        real = genuine is None or ip in genuine
        ends.append((real, LAYERS.index(layer), strength(how), layer, how, ip))
    for page in pages:
        reached_here = sight.reached(at.host, at.port).get(page.ip)
        if reached_here is not None and reached_here.broken() is not None:
            continue  # that is what broke it
        if reached_here is not None and reached_here.held_reset and manner(page.failure) == "reset":
            layer_name, how, rank = "tcp", "reset", 0
        else:
            layer_name, how, rank = "http", manner(page.failure), len(LAYERS)
        real = genuine is None or page.ip in genuine
        ends.append((real, rank, strength(how), layer_name, how, page.ip))
    if not ends:
        return Path(hops=(url,), end="nothing")
    _, _, _, end, how, ip = max(ends)
    return Path(hops=(url,), end=end, how=how, ip=ip)


def _certified(sight: Sight, url: str, page: HTTPExchange) -> bool:
    at = place(url)
    reached = sight.reached(at.host, at.port).get(page.ip)
    return at.tls and reached is not None and reached.certificate == OK


def _unused(
    pages: Sequence[HTTPExchange], taken: Sequence[HTTPExchange]
) -> list[HTTPExchange]:
    """Exchanges not yet taken on the way: cookies make a URL answer otherwise the second time."""
    used = {id(page) for page in taken}
    return [page for page in pages if id(page) not in used]


def passed(sight: Sight, url: str, end: str) -> bool | None:
    """Whether *sight* got past *end* at *url*; None where it did not try or cannot tell."""
    if not sight.looked_at(url):
        return None
    at = place(url)
    if end == "dns":
        return bool(sight.resolved(at.host)) if sight.dns.get(at.host) else None
    if sight.succeeded(url, end):
        return True
    tried = bool(sight.reached(at.host, at.port)) or sight.unresolved(at.host)
    return False if tried or sight.pages.get(url) else None


def contradictions(
    here: Path, facts: NameFacts, controls: Sequence[Sight]
) -> int:
    """How many controls succeed where *here* failed, at an address that is the site's own."""
    if here.end in LAYERS and here.ip in facts.genuine:
        at = place(here.last)
        layer = next(name for name in LAYERS if name == here.end)
        return contradicting(layer, at.host, here.ip, at.port, controls)
    if here.end == "http" and here.ip in facts.genuine:
        return getting_pages(here.last, controls)
    return 0
