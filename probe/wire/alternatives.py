"""Where a site says that it also speaks HTTP/3: in a header, or in its HTTPS record.

Only the same host counts. A browser would follow an alternative to another host as
well, but what fails there says nothing about the name that is measured.
"""

from __future__ import annotations

import re

import dns.exception
import dns.message
import dns.rdatatype
import dns.rdtypes.svcbbase

H3 = "h3"  # RFC 9114, section 3.1
_SYSTEM_PORTS = 1024
_H3_SERVICE = re.compile(r'(?:^|,)\s*h3\s*=\s*"(?P<host>[^":]*):(?P<port>[0-9]{1,5})"')


def from_alt_svc(value: str, *, host: str, port: int) -> int | None:
    """The UDP port where an Alt-Svc header (RFC 7838, 3) of *host* offers HTTP/3, or None."""
    for match in _H3_SERVICE.finditer(value):
        offered = int(match["port"])
        if match["host"].lower() in ("", host) and _follows(offered, port):
            return offered
    return None


def _follows(offered: int, port: int) -> bool:
    """Whether a site on *port* may send us to *offered*.

    To a high one only from a high one, since anybody may open that (RFC 7838, 9.1). To
    another system port never: what listens there on UDP is no web server, and need not
    be asked by us.
    """
    return offered == port or (port >= _SYSTEM_PORTS and _SYSTEM_PORTS <= offered < 65536)


def from_https_record(message: bytes, *, host: str, port: int) -> int | None:
    """The UDP port where an answer with HTTPS records (RFC 9460) offers HTTP/3, or None."""
    try:
        answer = dns.message.from_wire(message, ignore_trailing=True, raise_on_truncation=False)
    except dns.exception.DNSException:
        return None
    keys = dns.rdtypes.svcbbase.ParamKey
    for rrset in answer.answer:
        if rrset.rdtype != dns.rdatatype.HTTPS:
            continue
        for record in rrset:
            if not isinstance(record, dns.rdtypes.svcbbase.SVCBBase):
                continue  # of another class than the Internet's
            target = record.target.to_text(omit_final_dot=True).lower()
            if record.priority == 0 or target not in (".", "", host):
                continue  # an alias, or somewhere else
            alpn = record.params.get(keys.ALPN)
            if alpn is None or H3.encode() not in alpn.ids:
                continue
            named = record.params.get(keys.PORT)
            offered = named.port if named is not None else port
            if _follows(offered, port):
                return int(offered)
    return None
