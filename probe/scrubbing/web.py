"""URLs, heads and pages without what a site or an operator gave to one user only.

Rule: names stay, since forged answers are known by them; values stay where a control was
told the same, which then is about nobody, or where they are plain words. A session, a
ticket, a subscriber's number in a redirect to a block page would tell the operator, who
made them, whose measurement it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from email.utils import formatdate, parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

REMOVED = "x"
NO_MAC = "00:00:00:00:00:00"
MAX_HOST = 253

# A word, a short number, a host: what a page's address is made of. Not a ticket.
_PLAIN = re.compile(r"[A-Za-z]{0,16}|[0-9]{1,3}|[A-Za-z]{1,12}[_-][A-Za-z]{1,12}")
_HOST = re.compile(r"(?=.{4,253}\Z)(?:[A-Za-z0-9_-]{1,63}\.)+[A-Za-z]{2,24}\.?")
_NUMBER = re.compile(r"(?<![0-9])[0-9]{6,}(?![0-9])")
_LONG = re.compile(r"[A-Za-z0-9_=+-]{16,}+")
_MAC = re.compile(r"(?<![0-9A-Fa-f:\-])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![0-9A-Fa-f:\-])")

# Values of these are a server's own or the protocol's.
_KEPT = frozenset(
    "accept-ranges access-control-allow-methods access-control-allow-headers age allow alt-svc"
    " cache-control connection content-encoding content-language content-length content-type"
    " keep-alive pragma server strict-transport-security transfer-encoding upgrade vary via"
    " x-cache x-content-type-options x-frame-options x-powered-by x-xss-protection"
    " cf-ray cf-cache-status cf-mitigated proxy-connection".split()
)
_URLS = frozenset(("location", "content-location", "refresh"))
_DATES = frozenset(("date", "expires", "last-modified"))
_NOW, _LATELY = 600.0, 2 * 86400.0  # seconds from a moment of the run
# Who we are to the server: nothing else stands there.
_ECHOES = frozenset(
    "x-forwarded-for x-real-ip x-client-ip x-remote-ip x-remote-addr x-originating-ip"
    " true-client-ip cf-connecting-ip client-ip forwarded x-cluster-client-ip x-user-ip"
    " fastly-client-ip x-appengine-user-ip x-visitor-ip x-your-ip".split()
)
_COOKIE_NAME = re.compile(r"\s*([^=;\s]{1,100})\s*=[^;]*")
_COOKIE_WORDS = re.compile(
    r";\s*(secure|httponly|partitioned|path=/|samesite=(?:lax|strict|none)|max-age=[0-9-]{1,10})"
    r"(?=\s*(?:;|$))",
    re.IGNORECASE,
)

# What forms and scripts call that which is one user's.
_PERSONAL = re.compile(
    r"token|csrf|xsrf|sess|sid|uid|user|login|account|msisdn|phone|imsi|imei|mac|auth|key|nonce"
    r"|client|subscr|abon|ticket|hash|sign|cookie|uuid|ray",
    re.IGNORECASE,
)
_NAME = r"[A-Za-z0-9_.\-\[\]]{1,60}+"
# name="sid" value="…"; "sid": "…"; sid = "…". Possessive, since pages are hostile.
_IN_FIELD = re.compile(
    rf"(\bname\s{{0,4}}=\s{{0,4}}[\"']?({_NAME})[\"']?[^<>]{{0,80}}?\bvalue\s{{0,4}}=\s{{0,4}}[\"']?)"
    r"([^\"'<>\s]+)",
    re.IGNORECASE,
)
_IN_SCRIPT = re.compile(
    rf"((?<![A-Za-z0-9_.\-\[\]])({_NAME})[\"']?\s{{0,4}}[:=]\s{{0,4}}[\"'])([^\"'<>\s]{{4,}}+)(?=[\"'])"
)
_IN_QUERY = re.compile(r"((?:[?&;]|&amp;)[\w.\-\[\]]{1,40}=)([^&;\"'<>\s#]{1,2000})")


class Moment(NamedTuple):
    """POSIX second *at*, and by how many seconds moments of its run are moved back."""

    at: float
    early: float


def url(text: str, vouched: Collection[str] = ()) -> str:
    """*text* without user name, fragment and what looks as if given to one user.

    *vouched* are URLs and values that are about nobody. The same URL always becomes the
    same, so that a redirect still leads to the next exchange.
    """
    if not text or text in vouched:
        return text
    head, mark, fragment = text.partition("#")
    head, question, query = head.partition("?")
    scheme, separator, rest = head.partition("://")
    if not separator:
        scheme, rest = "", head
    host, slash, path = rest.partition("/")
    host = host.rpartition("@")[2]
    path = "/".join(_segment(s, vouched) for s in path.split("/"))
    return "".join((
        scheme, separator, host, slash, path, question,
        "&".join(_pair(p, vouched) for p in query.split("&")) if question else "",
        mark + (REMOVED if fragment else "") if mark else "",
    ))  # fmt: skip


def _segment(text: str, vouched: Collection[str]) -> str:
    if text in vouched:
        return text
    return tokens(text)


def _pair(text: str, vouched: Collection[str]) -> str:
    name, equals, value = text.partition("=")
    if not equals:
        return text if _is_plain(text, vouched) else REMOVED
    return f"{name}={value if _is_plain(value, vouched) else _query_value(value, vouched)}"


def _query_value(value: str, vouched: Collection[str]) -> str:
    """A URL in a URL is what was asked for; treated as one. Anything else goes."""
    plain = unquote(value)
    if plain.startswith(("http://", "https://")):
        clean = url(plain, vouched)
        return value if clean == plain else clean.replace("&", "%26").replace("#", "%23")
    return REMOVED


def _is_plain(value: str, vouched: Collection[str]) -> bool:
    plain = unquote(value)
    return (
        plain in vouched or _PLAIN.fullmatch(plain) is not None
        or _HOST.fullmatch(plain) is not None
    )  # fmt: skip


def header(
    name: str, value: str, vouched: Collection[str], told: Collection[str],
    when: Moment,
) -> str:
    """The *value* of the header *name* as it may leave.

    *told* are values of headers that a control was given, *when* is when it came.
    """
    key = name.lower()
    if key in ("set-cookie", "cookie", "set-cookie2"):
        found = _COOKIE_NAME.match(value)
        words = "".join(f"; {w}" for w in _COOKIE_WORDS.findall(value))
        return f"{found[1]}={REMOVED}{words}" if found else REMOVED
    if key in _ECHOES:
        return REMOVED
    if key in _DATES:
        return _date(value, when)
    if key in _KEPT or value in told:
        return value
    if key in _URLS:
        return re.sub(r"(?:https?:)?/[^\s\"'<>]*", lambda m: url(m[0], vouched), value)
    if "auth" in key or "token" in key or "session" in key or "csrf" in key:
        return REMOVED
    return tokens(_IN_QUERY.sub(lambda m: m[1] + _value(m[2], vouched), value))


def tokens(text: str) -> str:
    """*text* without long numbers, tickets and hardware addresses."""
    return _LONG.sub(_ticket, _NUMBER.sub(REMOVED, _MAC.sub(NO_MAC, text)))


def _ticket(found: re.Match[str]) -> str:
    """Letters and digits mixed are no word."""
    text = found[0]
    mixed = any(c.isdigit() for c in text) and any(c.isalpha() for c in text)
    return REMOVED if mixed else text


def page(text: str, vouched: Collection[str]) -> str:
    """A page without what its forms, scripts and links were given for one user."""
    text = _MAC.sub(NO_MAC, text)
    for pattern in (_IN_FIELD, _IN_SCRIPT):
        text = pattern.sub(lambda m: m[1] + _of_form(m[2], m[3], vouched), text)
    return _IN_QUERY.sub(lambda m: m[1] + _value(m[2], vouched), text)


def echoes(headers: Collection[tuple[str, str]]) -> list[str]:
    """The values that say who we are to the server."""
    return [value for name, value in headers if name.lower() in _ECHOES]


def host(text: str) -> str:
    """The host of a URL; empty where it is none."""
    try:
        return (urlsplit(text).hostname or "")[:MAX_HOST]
    except ValueError:
        return ""


def _of_form(name: str, value: str, vouched: Collection[str]) -> str:
    personal = _PERSONAL.search(name) and not _is_plain(value, vouched)
    return REMOVED if personal else value


def _value(value: str, vouched: Collection[str]) -> str:
    return value if _is_plain(value, vouched) else _query_value(value, vouched)


def _date(value: str, when: Moment) -> str:
    """Moved like all moments, where it is of now; kept, where it is of long ago.

    A fixed date that was moved would tell by how much; one of yesterday may be either, and goes.
    """
    try:
        at = parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return value if _PLAIN.fullmatch(value) else REMOVED
    if abs(at - when.at) > _LATELY:
        return value
    return formatdate(at - when.early, usegmt=True) if abs(at - when.at) <= _NOW else REMOVED
