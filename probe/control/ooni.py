"""OONI's form of a control's findings, to and from our evidence. Pure.

Going out, evidence is summed up in the fields that OONI's probe reads, with the
failure names that its helper uses (older than df-007). Coming in, the few fields an
OONI helper gives become the same records that our own controls send; what it does not
tell stays empty and is never guessed.

Facts: OONI's ``oohelperd`` and its types ``THDNSResult``, ``THTCPConnectResult``,
``THTLSHandshakeResult``, ``THHTTPRequestResult``, ``THIPInfo``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from probe.control.protocol import (
    MAX_HEADERS,
    AddressPart,
    Answer,
    DNSPart,
    HTTPPart,
    RemoteEvidence,
    TCPPart,
    TLSPart,
    address,
    endpoint,
    join,
)
from probe.evidence import (
    AnyEvidence,
    CertificateCheck,
    DNSAnswer,
    DNSExchange,
    HTTPExchange,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure
from probe.wire.url import URL

# A helper follows redirects by itself and shows the last page only, without saying
# where it was. The record of that page carries this detail, and its address is empty.
FINAL_PAGE = "the last page after redirects; its address is not told"

BY_PROBE, BY_CONTROL, BOGON, VALID = 1, 2, 4, 8  # ip_info flags

_CERTIFICATE = (
    Failure.TLS_INVALID_HOSTNAME,
    Failure.TLS_UNKNOWN_AUTHORITY,
    Failure.TLS_INVALID_CERTIFICATE,
)
_DNS_FAILURES = frozenset(failure for failure in Failure if failure.value.startswith("dns_"))

_LEGACY = {
    "dns_name_error": Failure.DNS_NXDOMAIN,
    "dns_server_failure": Failure.DNS_SERVFAIL,
    "connection_refused_error": Failure.CONNECTION_REFUSED,
}


def summary(
    url: URL,
    records: Sequence[AnyEvidence],
    told: Sequence[str],
    *,
    asn: Callable[[str], int],
    is_public: Callable[[str], bool],
) -> Answer:
    """What *records* of a visit to *url* say, in OONI's fields.

    *told* are the addresses that the probe knew. Addresses and endpoints are those of
    the first hop, the page is the last one.
    """
    # The connections to encrypted resolvers are on record too, under URLs of their own.
    first = [record for record in records if record.url == url.text]
    resolved, dns_failure = _resolved(url, first)
    tcp: dict[str, TCPPart] = {}
    tls: dict[str, TLSPart] = {}
    for record in first:
        match record:
            case TCPConnect():
                tcp[join(record.ip, record.port)] = TCPPart(
                    status=record.failure is None, failure=_tcp_name(record.failure)
                )
            case TLSHandshake() if record.sni is not None or url.ip_literal is not None:
                tls[join(record.ip, record.port)] = TLSPart(
                    server_name=record.sni or record.ip,
                    status=record.failure is None,
                    failure=record.failure,
                )
            case CertificateCheck(failure=Failure() as failure):
                # OONI's handshake verifies; ours is followed by the check.
                if (part := tls.get(join(record.ip, record.port))) is not None:
                    part.status, part.failure = False, failure
    valid = {endpoint(at)[0] for at, part in tls.items() if part.status}
    info = {
        ip: AddressPart(
            asn=asn(ip),
            flags=(BY_PROBE if ip in told else 0)
            | (BY_CONTROL if ip in resolved else 0)
            | (0 if is_public(ip) else BOGON)
            | (VALID if ip in valid else 0),
        )
        for ip in dict.fromkeys((*told, *resolved))
    }
    return Answer(
        tcp_connect=tcp,
        tls_handshake=tls,
        quic_handshake={},
        http_request=_page(url, records, dns_failure),
        dns=DNSPart(failure=dns_failure, addrs=resolved),
        ip_info=info,
    )


def _resolved(url: URL, first: Sequence[AnyEvidence]) -> tuple[list[str], str | None]:
    if url.ip_literal is not None:
        return [url.ip_literal], None
    queries = [r for r in first if isinstance(r, DNSExchange) and r.hostname == url.host]
    found = [
        ip
        for query in queries
        if query.failure is None
        for answer in query.answers[:1]
        for ip in answer.addresses
    ]
    if found:
        return list(dict.fromkeys(found)), None
    failures = {query.failure for query in queries if query.rdtype != "HTTPS"}
    for failure, name in (
        (Failure.DNS_NXDOMAIN, "dns_name_error"),
        (Failure.DNS_SERVFAIL, "dns_server_failure"),
        (Failure.DNS_REFUSED, "dns_server_failure"),
        (Failure.DNS_MISBEHAVING, "dns_server_failure"),
    ):
        if failure in failures:
            return [], name
    if Failure.DNS_NO_ANSWER in failures:
        return [], None  # OONI's helper does not call it a failure
    return [], "unknown_error"


def _tcp_name(failure: Failure | None) -> str | None:
    match failure:
        case None | Failure.TIMEOUT:
            return failure
        case Failure.TIMED_OUT:
            return Failure.TIMEOUT
        case Failure.CONNECTION_REFUSED:
            return "connection_refused_error"
        case _:
            return "connect_error"


def _page(url: URL, records: Sequence[AnyEvidence], dns_failure: str | None) -> HTTPPart:
    pages = [record for record in records if isinstance(record, HTTPExchange)]
    hops = {url.text, *(page.location for page in pages)}
    deepest = max((record.depth for record in records if record.url in hops), default=0)
    last = [record for record in records if record.url in hops and record.depth == deepest]
    # Several addresses may have been tried: one that answered tells what is there.
    page = next(
        (p for p in last if isinstance(p, HTTPExchange) and not p.failure and p.status), None
    )
    if page is not None:
        return HTTPPart(
            body_length=page.body_length,
            title=page.title or "",
            headers=dict(page.headers),
            status_code=page.status or -1,
        )
    if deepest == 0 and dns_failure is not None:
        return HTTPPart(failure="dns_lookup_error", headers={})
    return HTTPPart(failure=_http_name(_why_no_page(last)), headers={})


def _why_no_page(last: Sequence[AnyEvidence]) -> Failure | None:
    for kind in (HTTPExchange, CertificateCheck, TLSHandshake, TCPConnect, DNSExchange):
        for record in last:
            if isinstance(record, kind) and record.failure is not None:
                return record.failure
    return None


def _http_name(failure: Failure | None) -> str:
    match failure:
        case Failure.TIMEOUT | Failure.TIMED_OUT:
            return Failure.TIMEOUT
        case Failure.CONNECTION_REFUSED:
            return "connection_refused_error"
        case failure if failure in _DNS_FAILURES:
            return "dns_lookup_error"
        case _:
            return "unknown_error"


def evidence(url: URL, answer: Answer, *, now: float) -> list[RemoteEvidence]:
    """What an OONI helper says about *url*, as records. Raises `BadMessage`.

    Transactions are numbered from 1 and join the TCP and TLS records of one endpoint.
    *now* is POSIX seconds: a helper checks certificates by its own clock as it goes.
    """
    records: list[RemoteEvidence] = []
    if url.ip_literal is None:
        records.append(_dns(url, answer.dns))
    handshakes = {endpoint(at): part for at, part in (answer.tls_handshake or {}).items()}
    connects = {endpoint(at): part for at, part in (answer.tcp_connect or {}).items()}
    for number, (ip, port) in enumerate(dict.fromkeys((*connects, *handshakes)), 1):
        if (connect := connects.get((ip, port))) is not None:
            failure, detail = _failure(connect.failure, connect.status)
            records.append(
                TCPConnect(ip=ip, port=port, transaction=number, failure=failure, detail=detail)
            )
        if (handshake := handshakes.get((ip, port))) is not None:
            records.extend(_tls(url, ip, port, number, handshake, now))
    records.append(_http(url, answer))
    return [msgspec.structs.replace(record, url=url.text) for record in records]


def _dns(url: URL, part: DNSPart) -> DNSExchange:
    addresses = tuple(address(ip) for ip in part.addrs or ())
    failure, detail = _failure(part.failure, part.failure is None)
    if failure is None and not addresses:
        failure = Failure.DNS_NO_ANSWER
    rcode = {Failure.DNS_NXDOMAIN: "NXDOMAIN", Failure.DNS_SERVFAIL: "SERVFAIL"}.get(
        failure or Failure.UNKNOWN, "NOERROR"
    )
    answered = failure is None or rcode != "NOERROR" or failure is Failure.DNS_NO_ANSWER
    return DNSExchange(
        hostname=url.host,
        rdtype="ANY",
        engine="doh",  # oohelperd asks dns.google
        answers=(DNSAnswer(rcode=rcode, addresses=addresses),) if answered else (),
        failure=failure,
        detail=detail,
    )


def _tls(
    url: URL, ip: str, port: int, transaction: int, part: TLSPart, now: float
) -> list[RemoteEvidence]:
    failure, detail = _failure(part.failure, part.status)
    name = part.server_name or url.host
    bad_certificate = failure in _CERTIFICATE
    records: list[RemoteEvidence] = [
        TLSHandshake(
            ip=ip,
            port=port,
            sni=None if url.ip_literal is not None else name,
            transaction=transaction,
            failure=None if bad_certificate else failure,
            detail="" if bad_certificate else detail,
        )
    ]
    if failure is None or bad_certificate:
        records.append(
            CertificateCheck(
                ip=ip,
                port=port,
                hostname=name,
                checked_at=now,
                problems=(failure.value,) if failure is not None else (),
                transaction=transaction,
                failure=failure,
                detail=detail,
            )
        )
    return records


def _http(url: URL, answer: Answer) -> HTTPExchange:
    part = answer.http_request
    failure, said = _failure(part.failure, part.status_code > 0)
    if part.failure == "dns_lookup_error":
        failure = _failure(answer.dns.failure, False)[0]
    headers = tuple((part.headers or {}).items())[:MAX_HEADERS]
    return HTTPExchange(
        ip="",
        port=url.port,
        tls=url.tls,
        status=part.status_code if part.status_code > 0 else None,
        headers=headers,
        body_length=max(0, part.body_length),
        title=part.title if failure is None else None,
        failure=failure,
        detail=f"{FINAL_PAGE}; {said}" if said else FINAL_PAGE,
    )


def _failure(name: str | None, good: bool) -> tuple[Failure | None, str]:
    """Our name for a helper's failure, and its own where that says more."""
    if name is None:
        return (None, "") if good else (Failure.UNKNOWN, "not done")
    if name in _LEGACY:
        return _LEGACY[name], ""
    try:
        return Failure(name), ""
    except ValueError:
        return Failure.UNKNOWN, name[:100]
