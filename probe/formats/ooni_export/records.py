"""From our records of network operations to OONI's, one function for each kind.

df-001 (requests), df-002 (queries), df-005 (tcp_connect), df-006 (tls_handshakes), df-008
(network_events). OONI's handshake verifies the certificate as it goes: our handshake and our
check of what it presented are one record there.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv6Address, ip_address
from typing import Any

from probe.evidence import (
    AddressInfo,
    CertificateCheck,
    DNSAnswer,
    DNSExchange,
    Evidence,
    HTTPExchange,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure
from probe.formats.ooni.failures import alert_name

Row = dict[str, Any]

_ENGINES = {"system": "getaddrinfo"}  # the others have the same name there
_RCODES = {"NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5}


def failure_text(e: Evidence | None) -> str | None:
    """How OONI names what went wrong (df-007); None where nothing did."""
    if e is None or e.failure is None:
        return None
    alert = alert_name(e.alert) if isinstance(e, TLSHandshake) else ""
    if e.failure is Failure.TLS_FAILED_HANDSHAKE and alert:
        return f"unknown_failure: {alert}"
    if e.failure is Failure.UNKNOWN:
        return f"unknown_failure: {e.detail or 'not told'}"
    return e.failure.value


def endpoint(ip: str, port: int) -> str:
    """``192.0.2.1:443``, ``[2001:db8::1]:443``; empty where there is no address."""
    if not ip:
        return ""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def query(e: DNSExchange, number: int, holders: Mapping[str, AddressInfo]) -> Row:
    """The query with the first answer, which is what a stub resolver would believe."""
    return _query(e, number, e.answers[0] if e.answers else None, holders, failure_text(e), e.t)


def later_answers(
    e: DNSExchange, number: int, holders: Mapping[str, AddressInfo]
) -> Iterable[Row]:
    """What came after the first answer: ``x_dns_duplicate_responses``."""
    for answer in e.answers[1:]:
        yield _query(e, number, answer, holders, _failure_of_rcode(answer), answer.t)


def _query(
    e: DNSExchange, number: int, answer: DNSAnswer | None, holders: Mapping[str, AddressInfo],
    failure: str | None, t: float,
) -> Row:  # fmt: skip
    answers = [] if answer is None else [
        *({"answer_type": "CNAME", "hostname": name, "ttl": answer.ttl} for name in answer.cnames),
        *(_address(ip, answer.ttl, holders) for ip in answer.addresses if _is_ip(ip)),
    ]  # fmt: skip
    row: Row = {
        "answers": answers or None,
        "engine": _ENGINES.get(e.engine, e.engine),
        "failure": failure,
        "hostname": e.hostname,
        "query_type": e.rdtype,
        "resolver_address": e.resolver,
        "resolver_hostname": None,
        "resolver_port": None,
        "t0": e.t0,
        "t": t,
        "tags": [*(["classic"] if e.engine == "system" else []), f"depth={e.depth}"],
        "transaction_id": number,
    }
    if answer is not None and answer.raw:
        row["raw_response"] = base64.b64encode(answer.raw).decode()
    if answer is not None and e.engine != "system" and answer.rcode in _RCODES:
        row["rcode"] = _RCODES[answer.rcode]
    return row


def _address(ip: str, ttl: int | None, holders: Mapping[str, AddressInfo]) -> Row:
    six = isinstance(ip_address(ip), IPv6Address)
    row: Row = {
        "answer_type": "AAAA" if six else "A",
        "ipv6" if six else "ipv4": ip,
        "ttl": ttl,
    }
    whose = holders.get(ip)
    if whose is not None and whose.asn:
        row |= {"asn": whose.asn, "as_org_name": whose.holder}
    return row


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _failure_of_rcode(answer: DNSAnswer) -> str | None:
    said = {
        "NXDOMAIN": Failure.DNS_NXDOMAIN,
        "REFUSED": Failure.DNS_REFUSED,
        "SERVFAIL": Failure.DNS_SERVFAIL,
    }.get(answer.rcode)
    if said is not None:
        return said.value
    if answer.rcode != "NOERROR":
        return Failure.DNS_MISBEHAVING.value
    return None if answer.addresses else Failure.DNS_NO_ANSWER.value


def tcp_connect(e: TCPConnect, number: int, tags: Sequence[str]) -> Row:
    failure = failure_text(e)
    return {
        "ip": e.ip,
        "port": e.port,
        "status": {"failure": failure, "success": failure is None},
        "t0": e.t0,
        "t": e.t,
        "tags": list(tags),
        "transaction_id": number,
    }


def tls_handshake(
    e: TLSHandshake, check: CertificateCheck | None, number: int, tags: Sequence[str]
) -> Row:
    """*check* is that of the certificate which this handshake presented, if there was one."""
    failed = e if e.failure is not None else check
    row: Row = {
        "network": "tcp",
        "address": endpoint(e.ip, e.port),
        "cipher_suite": e.cipher or "",
        "failure": failure_text(failed),
        "negotiated_protocol": e.alpn or "",
        # One that failed before a certificate came would have been verified as well.
        "no_tls_verify": e.failure is None and check is None,
        "peer_certificates": [
            {"data": base64.b64encode(der).decode(), "format": "base64"} for der in e.chain
        ],
        "server_name": e.sni or (check.hostname if check is not None else ""),
        "t0": e.t0,
        "t": e.t,
        "tags": list(tags),
        "tls_version": e.version or "",
        "transaction_id": number,
    }
    if e.ech and e.outer_sni:
        row["outer_server_name"] = e.outer_sni
    return row


def request(e: HTTPExchange, number: int, tags: Sequence[str]) -> Row:
    """A request and its answer. A body that was not kept is one that was cut, at nothing."""
    body = e.body or b""
    response: Row = {
        "body": text(body),
        "body_is_truncated": e.body_truncated or len(body) < e.body_length,
        "code": e.status or 0,
        "headers": {name: value for name, value in reversed(e.headers)},
        "headers_list": [[name, value] for name, value in e.headers],
    }
    if not body and e.body_length:
        response |= {
            "x_zond_body_length": e.body_length,
            "x_zond_body_sha256": e.body_sha256,
            "x_zond_title": e.title,
        }
    sent = {"Host": e.host} if e.host else {}
    return {
        "network": "udp" if e.protocol == "h3" else "tcp",
        "address": endpoint(e.ip, e.port),
        "alpn": e.protocol,
        "failure": failure_text(e),
        "request": {
            "body": "",
            "body_is_truncated": False,
            "headers": sent,
            "headers_list": [[name, value] for name, value in sent.items()],
            "method": e.method,
            "tor": {"exit_ip": None, "exit_name": None, "is_tor": False},
            "x_transport": "udp" if e.protocol == "h3" else "tcp",
            "url": e.url,
        },
        "response": response,
        "t0": e.t0,
        "t": e.t,
        "tags": list(tags),
        "transaction_id": number,
    }


def text(body: bytes) -> str | Row:
    """df-001: a string where it is one, else base64."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return {"data": base64.b64encode(body).decode(), "format": "base64"}


def network_events(
    e: TCPConnect | TLSHandshake | HTTPExchange, number: int, tags: Sequence[str]
) -> Iterable[Row]:
    """When operations began and ended; bytes read and written we do not keep."""
    common: Row = {"tags": list(tags), "transaction_id": number}
    failure, where = failure_text(e), endpoint(e.ip, e.port)
    match e:
        case TCPConnect():
            yield {"address": where, "failure": failure, "operation": "connect", "proto": "tcp",
                   "t0": e.t0, "t": e.t, **common}  # fmt: skip
        case TLSHandshake():
            yield _moment("tls_handshake_start", None, e.t0, common)
            yield _moment("tls_handshake_done", failure, e.t, common)
        case HTTPExchange():
            yield _moment("http_transaction_start", None, e.t0, common)
            yield _moment("http_transaction_done", failure, e.t, common)


def _moment(operation: str, failure: str | None, t: float, common: Row) -> Row:
    return {"failure": failure, "operation": operation, "t0": t, "t": t, **common}
