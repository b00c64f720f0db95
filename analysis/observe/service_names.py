"""Where the way to each named host of a service ends: its name, its addresses, its certificate."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from analysis import signers
from analysis.observe.service_end import (
    BAD_CERTIFICATE,
    WORKS,
    End,
    blocks,
    connected,
    is_block_page,
    unresolved,
)
from analysis.observe.sight import answered, manner, place, public, tls_manner
from analysis.services import Part, authorities, part_of_host, version
from probe.evidence import (
    AnyEvidence,
    CertificateCheck,
    DNSExchange,
    HTTPExchange,
    Measurement,
    Run,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure

MOST_HOSTS = 100  # names of one service; WhatsApp's nettest asks for 19


def hosts(measurement: Measurement, run: Run, seen: Sequence[AnyEvidence]) -> Iterator[End]:
    hosts: dict[str, list[AnyEvidence]] = {}
    for e in seen:
        host = _host_of(e)
        if host:
            hosts.setdefault(host, []).append(e)
    verified = {
        e.hostname for e in seen if isinstance(e, CertificateCheck) and e.failure is None
    }
    found = 0
    for host, records in hosts.items():
        part = part_of_host(measurement.nettest, host)
        if part is None or part.needed == "ignored" or found == MOST_HOSTS:
            continue
        found += 1
        end = _host_end(measurement, run, seen, host, records, part, bool(verified - {host}))
        if end is not None:
            yield end


def _host_of(e: AnyEvidence) -> str:
    match e:
        case DNSExchange():
            host = e.hostname
        case TLSHandshake():
            host = e.sni or ""
        case CertificateCheck():
            host = e.hostname
        case HTTPExchange():
            host = place(e.url).host
        case _:
            return ""
    return host.lower().rstrip(".")


def _host_end(
    measurement: Measurement, run: Run, seen: Sequence[AnyEvidence], host: str,
    records: Sequence[AnyEvidence], part: Part, others_verified: bool,
) -> End | None:  # fmt: skip
    """How *host* fared; None where it resolved and nothing was tried there."""
    lookups = [e for e in records if isinstance(e, DNSExchange)]
    given = [ip for e in lookups for answer in e.answers for ip in answer.addresses]
    good = {ip for ip in given if public(ip)}
    connects = [e for e in seen if isinstance(e, TCPConnect) and _leads_to(e, host, good)]
    shakes = [e for e in records if isinstance(e, TLSHandshake)]
    checks = [e for e in records if isinstance(e, CertificateCheck)]
    pages = [e for e in records if isinstance(e, HTTPExchange)]
    met = [e.ip for e in shakes] + [e.ip for e in connects] + [e.ip for e in pages] + given
    ip = next(filter(None, met), "")
    url = f"{measurement.nettest}://{host}"

    tried = tuple(dict.fromkeys(filter(None, met)))
    heard = connected(connects) or any(e.failure is None for e in shakes)
    heard = heard or any(map(answered, pages))

    def ended(end: str, how: str = "", proof: str = "") -> End:
        return End(
            url=url, part=part, ip=ip, end=end, how=how, proof=proof, ips=tried, answered=heard
        )

    certified = any(e.failure is None for e in checks)
    if not certified and any(blocks(e, run.probe_cc) for e in given):
        return ended("dns", "substituted", "fingerprint")
    if not certified and any(is_block_page(e, run.probe_cc) for e in pages):
        return ended("http", "blockpage", "fingerprint")
    if lookups and not good and not certified and not any(map(answered, pages)):
        how = unresolved(lookups, given)
        # Whose the lie is, is known only where the resolver is the access network's own.
        own = 0 < run.resolver_asn == run.probe_asn
        return ended("dns", how, "bogon" if how == "bogon" and own else "")
    if connects and not connected(connects) and not shakes and not any(map(answered, pages)):
        return ended("tcp", manner(connects[0].failure))
    bad = [e for e in checks if e.failure is not None]
    if shakes and not certified and all(e.failure is not None for e in shakes):
        broken = [e for e in shakes if e.failure not in BAD_CERTIFICATE]
        if broken and not bad:
            return ended("tls", tls_manner(broken[0]))
    if not certified and (bad or any(e.failure in BAD_CERTIFICATE for e in shakes)):
        how = _certificate(measurement, bad, shakes, others_verified)
        return ended("certificate", how, "forged" if how == "forged" else "")
    secure = [e for e in pages if e.tls]
    if secure and not any(map(answered, secure)):
        failure = next((e.failure for e in secure if e.failure is not None), None)
        return ended("http", manner(failure) if failure else "other")
    if not (connects or shakes or pages) and part.needed != "name":
        return None
    return ended(WORKS)


def _leads_to(e: TCPConnect, host: str, good: set[str]) -> bool:
    return e.ip in good or (bool(e.url) and place(e.url).host == host)


def _certificate(
    measurement: Measurement, bad: Sequence[CertificateCheck], shakes: Sequence[TLSHandshake],
    others_verified: bool,
) -> str:  # fmt: skip
    shown = {hashlib.sha256(der).hexdigest() for e in shakes for der in e.chain}
    shown |= {digest for e in shakes for digest in e.chain_sha256}
    own = [a for digest in shown if (a := authorities().get((measurement.nettest, digest)))]
    if own:
        return "outdated" if version(measurement.nettest_version) < own[0].known_since else "own"
    issuers = [e.issuer for e in bad if e.issuer]
    kinds = {signers.kind_of(issuer) for issuer in issuers}
    if kinds & {"program", "gateway"}:
        return "replaced"
    failures = {e.failure for e in (*bad, *shakes)} & BAD_CERTIFICATE
    expired = failures == {Failure.TLS_INVALID_CERTIFICATE}  # ours or theirs: nobody forges that
    return "forged" if others_verified and not expired and (issuers or shown) else "bad"
