"""How one endpoint of a service fared, and what its readers have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analysis import fingerprints
from analysis.services import Part
from probe.evidence import AnyEvidence, DNSExchange, HTTPExchange, TCPConnect
from probe.failure import Failure

WORKS = "works"
BAD_CERTIFICATE = frozenset(
    {Failure.TLS_INVALID_HOSTNAME, Failure.TLS_UNKNOWN_AUTHORITY, Failure.TLS_INVALID_CERTIFICATE}
)
DNS_MANNERS = {
    Failure.DNS_NXDOMAIN: "nxdomain",
    Failure.DNS_REFUSED: "refused",
    Failure.DNS_SERVFAIL: "servfail",
    Failure.DNS_NO_ANSWER: "empty",
    Failure.ANDROID_NO_DATA: "empty",
    Failure.DNS_BOGON: "bogon",
    Failure.DNS_TEMPORARY: "silence",
    Failure.TIMEOUT: "silence",
    Failure.TIMED_OUT: "silence",
}


@dataclass(frozen=True, kw_only=True)
class End:
    """How one endpoint fared; the words are those of the `Observation`'s service columns.

    *ips* are all addresses that were tried for it. *answered*: something beyond our own resolver
    did, so that the line carries. *tries* counts how often it was tried.
    """

    url: str
    part: Part
    ip: str = ""
    port: int = 0
    end: str = WORKS
    how: str = ""
    proof: str = ""
    progress: int = -1
    channel: str = ""
    ips: tuple[str, ...] = ()
    answered: bool = True
    tries: int = 1


def connected(records: Iterable[AnyEvidence]) -> bool:
    return any(isinstance(e, TCPConnect) and e.failure is None for e in records)


def unresolved(lookups: Sequence[DNSExchange], given: Sequence[str]) -> str:
    if given:
        return "bogon"
    hows = [DNS_MANNERS.get(e.failure, "other") for e in lookups if e.failure is not None]
    # Asked for both families, the one without a record says nothing about the name.
    telling = [how for how in hows if how != "empty"]
    return (telling or hows or ["empty"])[0]


def blocks(ip: str, country: str) -> bool:
    return any(f.confirms and f.country == country for f in fingerprints.in_value("dns_answer", ip))


def is_block_page(page: HTTPExchange, country: str) -> bool:
    found = [] if page.tls else fingerprints.in_page(page)
    if page.location:
        found += fingerprints.in_value("location", page.location)
    return any(f.confirms and f.country == country for f in found)


def bracketed(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip
