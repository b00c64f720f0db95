"""What the controls saw, as OONI's one test helper would have said it (``test_keys.control``).

OONI has one helper, we have several: the first that answered stands for all in OONI's
fields. What the others saw is in ``x_zond``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from probe.compare import final_page
from probe.evidence import (
    AddressInfo,
    AnyEvidence,
    CertificateCheck,
    ControlQuery,
    DNSExchange,
    Evidence,
    HTTPExchange,
    Measurement,
    TCPConnect,
    TLSHandshake,
)
from probe.formats.ooni_export.records import endpoint, failure_text

# Who knew an address: OONI's ``ip_info`` flags (``THIPInfoFlag...``).
BY_PROBE, BY_HELPER, BOGON = 1, 2, 4

Row = dict[str, Any]


def asked(measurement: Measurement) -> list[ControlQuery]:
    """The controls that were asked about the target, the first that answered first."""
    queries = [
        e for e in measurement.evidence
        if isinstance(e, ControlQuery) and e.depth == 0 and e.url == measurement.url
    ]  # fmt: skip
    return sorted(queries, key=lambda e: e.failure is not None)


def seen_by(measurement: Measurement, name: str) -> list[AnyEvidence]:
    return [e for e in measurement.evidence if e.vantage == name]


def control_of(measurement: Measurement, name: str, twin: str) -> Row:
    """``test_keys.control``, of the control *name*; *twin* is the target over http or https."""
    seen = seen_by(measurement, name)
    at_target = [e for e in seen if e.depth == 0 and e.url in ("", measurement.url, twin)]
    names = [e for e in at_target if isinstance(e, DNSExchange) and e.rdtype != "HTTPS"]
    addresses = addresses_in(names)
    return {
        "dns": _names(names, addresses),
        "tcp_connect": {
            endpoint(e.ip, e.port): {"status": e.failure is None, "failure": failure_text(e)}
            for e in at_target
            if isinstance(e, TCPConnect) and e.ip and not e.held
        },
        "tls_handshake": _handshakes(at_target),
        "quic_handshake": {},
        "http_request": page(measurement, name),
        "http3_request": None,
        "ip_info": _whose(measurement, addresses),
    }


def addresses_in(names: Sequence[DNSExchange]) -> list[str]:
    """Every address in the answers of *names*, each once."""
    return list(dict.fromkeys(ip for e in names for a in e.answers for ip in a.addresses))


def _names(names: Sequence[DNSExchange], addresses: Sequence[str]) -> Row | None:
    if not names:
        return None  # the host is an address, or nobody looked: nothing is said of it
    failed = next((e for e in names if e.failure is not None), None)
    return {"failure": None if addresses else failure_text(failed), "addrs": list(addresses)}


def _handshakes(seen: Sequence[AnyEvidence]) -> Row:
    checks = {(e.ip, e.port): e for e in seen if isinstance(e, CertificateCheck)}
    found: Row = {}
    for e in seen:
        if isinstance(e, TLSHandshake) and e.ip:
            failed: Evidence | None = e if e.failure is not None else checks.get((e.ip, e.port))
            said = failure_text(failed)
            found[endpoint(e.ip, e.port)] = {
                "server_name": e.sni or "", "status": said is None, "failure": said,
            }  # fmt: skip
    return found


def page(measurement: Measurement, name: str) -> Row:
    """The last page of the chain, which is all that OONI's helper tells of it."""
    found = final_page(measurement.evidence, name, measurement.url)
    if found is None:
        return {
            "body_length": -1, "discovered_h3_endpoint": "", "failure": why_no_page(
                measurement, name), "title": "", "headers": {}, "status_code": -1,
        }  # fmt: skip
    return {
        "body_length": found.body_length,
        "discovered_h3_endpoint": "",
        "failure": None,
        "title": found.title or "",
        "headers": dict(reversed(found.headers)),
        "status_code": found.status,
    }


def why_no_page(measurement: Measurement, name: str) -> str:
    """The failure that ended the chain of *name*, where it ended without a page.

    The deepest of the last URL: at an address that answered all but the page, the page's.
    """
    order = (DNSExchange, TCPConnect, TLSHandshake, CertificateCheck, HTTPExchange)
    chain = chain_of(measurement, name)
    failed = [
        e for e in seen_by(measurement, name)
        if e.failure is not None and isinstance(e, order) and e.url == chain[-1]
    ]  # fmt: skip
    if not failed:
        return "unknown_failure: no page"
    return failure_text(max(failed, key=lambda e: order.index(type(e)))) or ""


def chain_of(measurement: Measurement, vantage: str) -> list[str]:
    """The URLs from the target on, as *vantage* was led by redirects, in order."""
    chain = [measurement.url]
    pages = [e for e in seen_by(measurement, vantage) if isinstance(e, HTTPExchange)]
    for url in chain:  # grows while it is walked
        for e in pages:
            if e.url == url and e.location and e.location not in chain:
                chain.append(e.location)
    return chain


def _whose(measurement: Measurement, by_helper: Sequence[str]) -> Row:
    ours = addresses_in(
        [
            e for e in seen_by(measurement, "probe")
            if isinstance(e, DNSExchange) and e.depth == 0
        ]
    )  # fmt: skip
    found: Row = {}
    for ip in dict.fromkeys((*ours, *by_helper)):
        flags = (BY_PROBE if ip in ours else 0) | (BY_HELPER if ip in by_helper else 0)
        whose = measurement.addresses.get(ip, AddressInfo())
        found[ip] = {"asn": whose.asn, "flags": flags | (BOGON if _is_bogon(ip) else 0)}
    return found


def _is_bogon(ip: str) -> bool:
    from ipaddress import ip_address

    try:
        return not ip_address(ip).is_global
    except ValueError:
        return False
