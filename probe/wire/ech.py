"""The key with which a site lets its name be encrypted (ECH), from its HTTPS record."""

from __future__ import annotations

import dns.exception
import dns.message
import dns.rdatatype
import dns.rdtypes.svcbbase

MAX_CONFIG = 4096  # bytes; a list of one key has some seventy


def from_https_record(message: bytes, *, host: str) -> bytes:
    """The ECHConfigList of *host* in an answer with HTTPS records, empty if there is none.

    As RFC 9848 has it: the record of the highest priority that names the host itself.
    """
    try:
        answer = dns.message.from_wire(message, ignore_trailing=True, raise_on_truncation=False)
    except dns.exception.DNSException:
        return b""
    key = dns.rdtypes.svcbbase.ParamKey.ECH
    found: dict[int, bytes] = {}
    for rrset in answer.answer:
        if rrset.rdtype != dns.rdatatype.HTTPS:
            continue
        for record in rrset:
            if not isinstance(record, dns.rdtypes.svcbbase.SVCBBase):
                continue  # of another class than the Internet's
            target = record.target.to_text(omit_final_dot=True).lower()
            config = record.params.get(key)
            if record.priority and target in (".", "", host) and config is not None:
                found.setdefault(record.priority, config.ech)
    best = found[min(found)] if found else b""
    return best if len(best) <= MAX_CONFIG else b""
