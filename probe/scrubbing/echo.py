"""Addresses that servers told us are ours.

A carrier's NAT gives one household several addresses, and the controls saw but one of them.
Where a server says in so many words that an address is the client's, it is, unless it is
one that the measurement went to.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

from probe.addresses import is_public
from probe.evidence import PROBE, DNSExchange, Echo, HopProbe, HTTPExchange, Measurement
from probe.scrubbing import web
from probe.scrubbing.views import views

MAX_ECHOED = 32  # addresses of one measurement
MAX_TEXT = 128 * 1024  # characters of a page that are looked at

_V4 = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
_V6 = r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}"
_ADDRESS = f"({_V4}|{_V6})"
_SAID = re.compile(
    r"(?:\b(?:your|client|remote|real|user|visitor|forwarded|origin|src|source)[ _\-]?"
    r"(?:ip|addr(?:ess)?)(?:[ _\-]?addr(?:ess)?)?\b|[?&;\"']ip(?:addr(?:ess)?)?\b"
    r"|ваш(?:его|им)?[ ](?:ip|айпи)[\- ]?(?:адрес)?|ваш[ ]адрес)"
    r"[^0-9A-Za-zА-Яа-я]{0,24}(?:is|это)?[^0-9A-Za-z]{0,8}" + _ADDRESS,
    re.IGNORECASE,
)
# Not after a product's name ("nginx/1.2.3.4"), nor in a longer number.
_ANY = re.compile(
    rf"((?<![0-9A-Za-z.])(?<![0-9A-Za-z]/){_V4}(?![0-9]|\.[0-9])|(?<=/){_V4}(?=/)"
    rf"|(?<![0-9A-Za-z.:]){_V6}(?![0-9A-Za-z:]))"
)


class TooMany(Exception):
    """More addresses than are searched for: whatever holds them does not leave."""


def learned(measurement: Measurement, *, all_of_them: bool = False) -> frozenset[str]:
    """The user's addresses by the word of the servers that *measurement* met.

    With *all_of_them*, every address that they named and that it did not go to: where nobody
    told the user's own, any may be it. Raises `TooMany`.
    """
    found: set[str] = set()
    for e in measurement.evidence:
        if e.vantage != PROBE:
            continue
        if isinstance(e, HTTPExchange):
            texts = [e.location or "", e.url, e.title or "", *(value for _, value in e.headers)]
            echoed = " ".join(web.echoes(e.headers))
            if e.body:
                texts.append(e.body[:MAX_TEXT].decode("utf-8", "replace"))
        elif isinstance(e, Echo):
            texts, echoed = [e.received[:MAX_TEXT].decode("latin-1")], ""
        else:
            continue
        found.update(_ANY.findall(echoed))
        for text in texts:
            found.update(_said(text, _ANY if all_of_them else _SAID))
    theirs = _servers(measurement)
    ours = frozenset(ip for ip in found if _is_telling(ip) and ip not in theirs)
    if len(ours) > MAX_ECHOED:
        raise TooMany(f"{len(ours)} addresses")
    return ours


def _said(text: str, pattern: re.Pattern[str]) -> list[str]:
    return [ip for view in views(text) for ip in pattern.findall(view.text)]


def _servers(measurement: Measurement) -> set[str]:
    met: set[str] = set()
    for e in measurement.evidence:
        met.add(getattr(e, "ip", ""))
        if isinstance(e, HopProbe):
            met.add(e.router)
        if isinstance(e, DNSExchange):
            met.update(ip for answer in e.answers for ip in answer.addresses)
        # An address that stands in place of a name: a block page's, most often.
        met.add(web.host(e.url))
        if isinstance(e, HTTPExchange) and e.location:
            met.add(web.host(e.location))
    return met


def _is_telling(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return is_public(text)
