"""Is it the page that others get, and does it come the way that others go?

A page over a valid certificate vouches for itself. In the clear it is compared with
each control's and with our own page over https. What every server sends (a length,
a date, a cache rule) is no likeness, and two absent titles are none either.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal

import msgspec
from publicsuffixlist import PublicSuffixList

from analysis.observe.paths import Path
from analysis.observe.sight import Sight, answered, is_literal, place
from probe.evidence import HTTPExchange
from probe.wire.page import SKETCH_SIZE, similarity

Likeness = Literal["same", "similar", "differs", "unknown"]

SIMILAR = 0.5  # share of word triples: pages of one template lie above, two sites near 0
MUCH_RICHER = 4  # times as long as the other page, which may then be a refusal or a challenge
SHORTEST = 256  # bytes of a page whose length alone tells it from others
VAST = 256 * 1024  # bytes; nobody writes so much into a stranger's connection
RICH = 8192  # bytes; block pages are short
FULL_SKETCH = 8 * SKETCH_SIZE  # hex digits of one that has not met the end of the page's words
_REFUSALS = frozenset({403, 451})  # what a block page may call itself, besides 200

# Names of headers that servers, caches and CDNs send for any site.
_COMMON_HEADERS = frozenset(
    """accept-ranges age allow alt-svc cache-control cf-cache-status cf-ray connection
    content-disposition content-encoding content-language content-length content-location
    content-security-policy content-type date etag expires keep-alive last-modified link
    location nel p3p pragma proxy-connection referrer-policy report-to server set-cookie
    strict-transport-security trailer transfer-encoding upgrade vary via warning www-authenticate
    x-cache x-cache-hits x-content-type-options x-frame-options x-powered-by x-request-id
    x-served-by x-timer x-ua-compatible x-varnish x-xss-protection""".split()
)


class PageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One path's page against everybody else's.

    *match* is its best likeness with a control's page, empty where none can be compared;
    *compared* counts those controls, *differing* those with another page; *agree*: their
    pages are alike among themselves. *twin* is its likeness with our own page over a
    valid certificate, *twin_backs*: that page of ours is what a control got.
    *altered*: the page has parts changed, *replaced*: most of it. *unvouched_at* is the
    index of the first redirect in the clear that nobody vouches for, None without one;
    *unseen* counts controls that were answered there and not sent where we were.
    *richer*: much more than controls got. *bare*: not one header, where controls got some.
    *origin*: it carries the site's own header, which controls were sent with their refusal.
    *statuses* are those of the controls' pages.
    """

    match: str = ""
    compared: int = 0
    differing: int = 0
    agree: bool = True
    twin: str = ""
    twin_backs: bool = False
    altered: bool = False
    replaced: bool = False
    unvouched_at: int | None = None
    unseen: int = 0
    richer: bool = False
    bare: bool = False
    origin: bool = False
    statuses: tuple[int, ...] = ()


def likeness(a: HTTPExchange, b: HTTPExchange) -> Likeness:
    """How far two responses are the same page."""
    if a.body_sha256 and a.body_sha256 == b.body_sha256 and a.body_length:
        return "same"
    if a.status != b.status:
        return "differs"
    if not a.body_length and not b.body_length:
        return "similar" if not a.headers or not b.headers or _own_headers(a, b) else "unknown"
    if similarity(a.sketch, b.sketch) >= SIMILAR or _same_title(a, b) or _own_headers(a, b):
        return "similar"
    if not a.body_length or not b.body_length:
        return "unknown"
    if not (a.sketch and b.sketch) and _of_one_length(a, b):
        return "similar"
    if a.body_truncated and b.body_truncated and min(len(a.sketch), len(b.sketch)) < FULL_SKETCH:
        # Of a page without end and almost without words, what is compared is where it was cut.
        return "unknown"
    return "differs"


def _of_one_length(a: HTTPExchange, b: HTTPExchange) -> bool:
    """Without words to compare: as long to the byte, or both longer than any block page.

    OONI's helper tells no words; both it and its probes cut what is very long.
    """
    if a.body_length == b.body_length >= SHORTEST:
        return True
    return min(a.body_length, b.body_length) >= VAST and _media_type(a) == _media_type(b)


def _media_type(page: HTTPExchange) -> str:
    value = next((v for n, v in page.headers if n.lower() == "content-type"), "")
    return value.partition(";")[0].strip().lower()


def _same_title(a: HTTPExchange, b: HTTPExchange) -> bool:
    return bool(a.title and b.title) and _folded(a.title) == _folded(b.title)


def _folded(title: str | None) -> str:
    return " ".join((title or "").casefold().split())


def _own_headers(a: HTTPExchange, b: HTTPExchange) -> bool:
    """Whether both carry a header of the site's own, with the same value."""
    mine = {(n.lower(), v) for n, v in a.headers if n.lower() not in _COMMON_HEADERS}
    return any((n.lower(), v) in mine for n, v in b.headers)


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


@cache
def site(host: str) -> str:
    """The registrable domain of *host*; an address, or a name without one, is its own."""
    if is_literal(host):
        return host
    return str(_suffixes().privatesuffix(host) or host)


def is_sister(a: str, b: str) -> bool:
    """example.com and example.by: one brand under two suffixes."""
    if is_literal(a) or is_literal(b):
        return False
    return site(a).split(".")[0] == site(b).split(".")[0]


def page_facts(
    path: Path, twin: Path, controls: Sequence[Sight], theirs: Sequence[Path]
) -> PageFacts:
    """Compare *path* with *theirs* (each control's from the same URL) and with our own *twin*."""
    others = [p.page for p in theirs if p.end == "page" and p.page is not None]
    backed = [
        page for page in others
        if twin.certified and twin.page is not None
        and likeness(twin.page, page) in ("same", "similar")
    ]
    redirect = _unvouched_redirect(path, twin, controls, theirs)
    facts = PageFacts(
        unvouched_at=redirect[0] if redirect is not None else None,
        unseen=redirect[1] if redirect is not None else 0,
        twin_backs=bool(backed),
        statuses=tuple(p.status for p in others if p.status is not None),
    )
    page = path.page
    if page is None:
        return facts
    comparable = [p for p in others if (p.status or 0) < 400 or p.status == page.status]
    likenesses = [likeness(page, other) for other in comparable]
    mine = twin.page if twin.certified else None
    altered, replaced = _altered(page, comparable, mine)
    longest = max((p.body_length for p in comparable), default=0)
    return msgspec.structs.replace(
        facts,
        match=next((m for m in ("same", "similar", "unknown", "differs") if m in likenesses), ""),
        compared=len(comparable),
        differing=likenesses.count("differs"),
        agree=all(likeness(a, b) != "differs" for a in comparable for b in comparable),
        twin=likeness(page, mine) if mine is not None else "",
        altered=altered,
        replaced=replaced,
        richer=bool(comparable) and page.body_length > max(RICH, MUCH_RICHER * longest),
        bare=bool(comparable) and not page.headers and all(p.headers for p in comparable),
        origin=(page.status or 0) < 400
        and any((p.status or 0) >= 400 and _own_headers(page, p) for p in others),
    )


def may_be_block_page(page: HTTPExchange) -> bool:
    """Whether the status is one that block pages come with."""
    return page.status is not None and (200 <= page.status < 300 or page.status in _REFUSALS)


def _altered(
    page: HTTPExchange, others: Sequence[HTTPExchange], twin: HTTPExchange | None
) -> tuple[bool, bool]:
    """Whether *page* is the others' with parts changed, and whether most of it is.

    Only of a page that is the same everywhere byte for byte: for our own *twin* and a
    control, whatever was changed; or for two controls, if most of the words are left.
    """
    hashes = [p.body_sha256 for p in others if p.body_sha256 and p.body_length]
    cut = page.body_truncated or any(p.body_truncated for p in others)
    if cut or len(set(hashes)) != 1 or page.body_sha256 in hashes:
        return False, False
    # All others are one page, so one stands for them.
    true = next(p for p in others if p.body_sha256 == hashes[0])
    alike = similarity(page.sketch, true.sketch) >= SIMILAR
    claims = page.status == true.status and (
        alike or _same_title(page, true) or _own_headers(page, true)
    )
    if twin is not None and twin.body_sha256 == true.body_sha256:
        return claims, claims and not alike
    titled = _same_title(page, true) or not (page.title or true.title)
    return claims and alike and titled and len(hashes) >= 2, False


def _unvouched_redirect(
    path: Path, twin: Path, controls: Sequence[Sight], theirs: Sequence[Path]
) -> tuple[int, int] | None:
    """The first redirect of *path* without a voucher, and how many controls contradict it.

    Only one in the clear to another registrable domain needs a voucher: a control that
    was sent there too, our own twin over https, or the page at its end.
    """
    page = path.page
    alike = page is not None and any(
        p.page is not None and likeness(page, p.page) in ("same", "similar")
        for p in (*theirs, *([twin] if twin.certified else []))
    )
    passed = {site(place(url).host) for p in theirs for url in p.hops[1:]}
    passed |= {site(place(e.location).host) for e in twin.exchanges if e.tls and e.location}
    for index, exchange in enumerate(path.exchanges):
        if exchange.tls or exchange.location is None:
            continue
        source, target = place(exchange.url).host, place(exchange.location).host
        if site(source) == site(target) or is_sister(source, target) or alike:
            continue
        there = [[e for e in c.pages.get(exchange.url, ()) if answered(e)] for c in controls]
        sent = {site(place(e.location).host) for es in there for e in es if e.location}
        if site(target) not in passed | sent:
            return index, sum(1 for es in there if es)
    return None
