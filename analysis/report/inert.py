"""What strangers and censors wrote, made harmless before it is shown.

Rule: text is text. Every expression of a template passes through `plain`, which leaves
nothing that could turn the reading direction, hide letters or grow without end, and then
through the template engine's escaping. A page that came in place of a site is shown twice: as its
words, and as it looked, rebuilt from a short list of elements and properties, in a frame that
runs nothing, loads nothing and leads nowhere. Measured addresses are never links: whoever
follows one would ask a blocked site for it from where he reads.
"""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata

import msgspec
import nh3

from probe.evidence import PROBE, HTTPExchange, Measurement

MAX_TEXT = 4000       # characters of any one expression
MAX_MARKS = 3         # combining marks on one letter
MAX_PAGE = 65_536     # bytes of a page that are shown
MAX_WORDS = 2000      # characters of its words

_TAGS = frozenset(
    "html head body div span p br hr h1 h2 h3 h4 h5 h6 ul ol li dl dt dd table thead tbody"
    " tfoot tr td th caption colgroup col center font b i u s strong em small big sub sup pre code"
    " blockquote a section article header footer main nav aside address figure figcaption".split()
)
_ATTRIBUTES = frozenset(
    "align valign bgcolor color face size width height border cellpadding cellspacing colspan"
    " rowspan dir lang style".split()
)
# None of these can name an address to load from.
_PROPERTIES = frozenset(
    "color background-color font-family font-size font-style font-weight line-height text-align"
    " text-decoration text-transform letter-spacing white-space margin margin-top margin-right"
    " margin-bottom margin-left padding padding-top padding-right padding-bottom padding-left"
    " border border-top border-right border-bottom border-left border-color border-style"
    " border-width border-radius border-collapse width max-width height display float clear"
    " vertical-align".split()
)
_FRAME = (
    '<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy"'
    " content=\"default-src 'none'; style-src-attr 'unsafe-inline'\"><title>-</title>"
)
_BLOCK = re.compile(r"<(?:/?(?:p|div|h[1-6]|li|tr|table|ul|ol|title|center)|[bh]r)\b", re.I)
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([a-zA-Z0-9_.:-]{1,40})")


class PageSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A page that came from where a site was asked for: its *title* and *words*, and *frame*, a
    document for an ``iframe``'s ``srcdoc``. *id* is by its bytes; *cut* that it was longer."""

    id: str
    url: str
    status: int | None
    title: str
    words: str
    frame: str
    cut: bool


def plain(text: str, most: int = MAX_TEXT) -> str:
    """*text* of bounded length, without controls (those of the reading direction among them)
    and without letters under heaps of marks; line breaks stay."""
    out: list[str] = []
    marks = 0
    for c in text[: most + 1]:
        marks = marks + 1 if unicodedata.combining(c) else 0
        if marks <= MAX_MARKS:
            shown = c.isprintable() or c == "\n" or unicodedata.category(c) == "Zs"
            out.append(c if shown else "\N{REPLACEMENT CHARACTER}")
    return "".join(out) if len(text) <= most else "".join(out[:most]) + "…"


def pages(measurement: Measurement) -> list[PageSeen]:
    """The pages whose bytes *measurement* kept, in order of their coming, each once."""
    found: dict[str, PageSeen] = {}
    for e in measurement.evidence:
        if isinstance(e, HTTPExchange) and e.vantage == PROBE and e.body:
            page = _page(e, e.body)
            found.setdefault(page.id, page)
    return list(found.values())


def _page(e: HTTPExchange, body: bytes) -> PageSeen:
    text = _decoded(body[:MAX_PAGE], e)
    rebuilt = nh3.clean(
        text, tags=set(_TAGS), attributes={"*": set(_ATTRIBUTES)}, link_rel=None, url_schemes=set(),
        clean_content_tags={"script", "style", "title"}, strip_comments=True,
        filter_style_properties=set(_PROPERTIES),
    )  # fmt: skip
    lines = _BLOCK.sub(r"\n\g<0>", text)  # where the page begins a line, its words do too
    words = nh3.clean(lines, tags=set(), clean_content_tags={"script", "style", "title"})
    return PageSeen(
        id=hashlib.sha256(body).hexdigest()[:16],
        url=e.url,
        status=e.status,
        title=e.title or "",
        words=plain(_unescaped(words), MAX_WORDS),
        frame=_FRAME + plain(rebuilt, 4 * MAX_PAGE),
        cut=len(body) > MAX_PAGE or e.body_truncated,
    )


def _unescaped(text: str) -> str:
    """What the reader of a page without markup sees, its blank lines joined."""
    lines = (" ".join(line.split()) for line in html.unescape(text).splitlines())
    return "\n".join(line for line in lines if line)


def _decoded(body: bytes, e: HTTPExchange) -> str:
    declared = [v.encode() for name, v in e.headers if name.lower() == "content-type"]
    for place in (*declared, body[:2048]):
        if match := _CHARSET.search(place):
            try:
                return body.decode(match[1].decode(), errors="replace")
            except (LookupError, ValueError):  # unknown, or a codec that is none for pages
                continue
    return body.decode("utf-8", errors="replace")
