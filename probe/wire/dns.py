"""DNS messages. dnspython is our codec; its transports we leave alone."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from probe.evidence import DNSAnswer
from probe.failure import Failure

MAX_ADDRESSES = 32  # in one answer; more than any honest one holds

# Id 0, RD set, one question, one additional record (RFC 1035, 4.1.1): the latter with room
# for 1,232 bytes, which pass unfragmented (RFC 6891, 6.1.2). By hand: dnspython takes ten
# times as long to build the same bytes.
_HEADER = struct.pack("!6H", 0, dns.flags.RD, 1, 0, 0, 1)
_OPT = struct.pack("!BHHIH", 0, dns.rdatatype.OPT, 1232, 0, 0)

_BY_RCODE = {
    "NXDOMAIN": Failure.DNS_NXDOMAIN,
    "REFUSED": Failure.DNS_REFUSED,
    "SERVFAIL": Failure.DNS_SERVFAIL,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What one message says: *failure* is None only if it brings a record of the type asked for."""

    message: DNSAnswer
    failure: Failure | None
    truncated: bool


def query(name: str, rdtype: str, id: int) -> bytes:
    """A recursive query with EDNS, as wire bytes. Raises ValueError for what is no DNS name."""
    return id.to_bytes(2) + _query(name, rdtype)[2:]


# One name is asked for in a dozen ways at once, and its answers are held against the
# question: what is the same for all of them is worked out once.


@lru_cache(maxsize=256)
def _query(name: str, rdtype: str) -> bytes:
    try:
        asked = dns.name.from_text(name).to_wire()
    except dns.exception.DNSException as exc:
        raise ValueError(f"not a DNS name: {name!r}") from exc
    assert asked is not None  # it is for names written to a file
    kind = dns.rdatatype.from_text(rdtype)
    return _HEADER + asked + struct.pack("!HH", kind, dns.rdataclass.IN) + _OPT


@lru_cache(maxsize=256)
def _asked(query: bytes) -> dns.message.Message:
    return dns.message.from_wire(query, question_only=True)


def read(wire: bytes, *, to: bytes, t: float = 0.0, ip_ttl: int | None = None) -> Answer | None:
    """Read *wire* as a response to the query *to*; None if it does not answer it.

    *t* and *ip_ttl* are passed into the record. A message with our id and question
    that cannot be read further is an answer too, a misbehaving one.
    """
    if wire[:2] != to[:2]:
        return None
    try:
        response = dns.message.from_wire(wire, ignore_trailing=True, raise_on_truncation=False)
        response.id = 0
        if not _asked(b"\0\0" + to[2:]).is_response(response):
            return None
    except dns.exception.DNSException:
        return _unreadable(wire, t, ip_ttl)
    wanted = response.question[0].rdtype if response.question else dns.rdatatype.A
    addresses, cnames, ttls, found = [], [], [], False
    for rrset in response.answer:
        if rrset.rdclass != dns.rdataclass.IN:
            continue  # an A record of another class holds no IP address
        if rrset.rdtype == dns.rdatatype.CNAME:
            cnames += [rdata.to_text().rstrip(".").lower() for rdata in rrset]
        if rrset.rdtype == wanted:
            found = True
            ttls.append(rrset.ttl)
            if wanted in (dns.rdatatype.A, dns.rdatatype.AAAA):
                addresses += [rdata.address for rdata in rrset]
    rcode = dns.rcode.to_text(response.rcode())
    failure: Failure | None = None
    if rcode != "NOERROR":
        failure = _BY_RCODE.get(rcode, Failure.DNS_MISBEHAVING)
    elif not found:
        failure = Failure.DNS_NO_ANSWER
    message = DNSAnswer(
        t=t,
        rcode=rcode,
        addresses=tuple(addresses[:MAX_ADDRESSES]),
        cnames=tuple(cnames[:MAX_ADDRESSES]),
        ttl=min(ttls) if ttls else None,
        authoritative=bool(response.flags & dns.flags.AA),
        ip_ttl=ip_ttl,
        raw=wire,
    )
    return Answer(message, failure, bool(response.flags & dns.flags.TC))


def _unreadable(wire: bytes, t: float, ip_ttl: int | None) -> Answer | None:
    if len(wire) < 12 or not wire[2] & 0x80:
        return None  # not even an answer of ours: some other packet
    message = DNSAnswer(t=t, rcode="UNREADABLE", ip_ttl=ip_ttl, raw=wire[:512])
    return Answer(message, Failure.DNS_MISBEHAVING, False)
