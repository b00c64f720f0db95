"""From OONI's records of network operations to ours, one function for each kind.

OONI's handshake verifies the certificate as it goes; ours is a handshake and a check. So
a handshake that failed for its certificate is one that succeeded and a check that failed,
at the probe's own time and against the authorities that it carries.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from cryptography import x509

from probe.evidence import (
    AddressInfo,
    AnyEvidence,
    CertificateCheck,
    DNSAnswer,
    DNSEngine,
    DNSExchange,
    HTTPExchange,
    QUICHandshake,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure
from probe.formats.ooni.archival import (
    Binary,
    Connect,
    Handshake,
    Query,
    Request,
    ResponsePart,
    Text,
    as_bytes,
    as_text,
    endpoint,
)
from probe.formats.ooni.document import MAX_TEXT, seconds
from probe.formats.ooni.failures import CERTIFICATE, alert_of, failure_of, is_no_tls
from probe.wire import page
from probe.wire.url import MAX_URL, BadURL, parse

MAX_ADDRESSES = 256  # of one answer
MAX_HEADERS = 200
MAX_CHAIN = 16  # certificates
MAX_CERTIFICATE = 64 * 1024  # characters of base64
KEPT_BODY = 128 * 1024  # bytes of a page that may be a block page
TITLE_WITHIN = 64 * 1024  # bytes
OONI_SNAPSHOT = 1 << 19  # bytes of a body that OONI's probes keep; what is longer they cut
REDIRECTS = frozenset({301, 302, 303, 307, 308})

_ENGINES: dict[str, DNSEngine] = {
    "udp": "udp", "tcp": "tcp", "dot": "dot", "doh": "doh", "doh3": "doh",
}  # fmt: skip
_RCODES = {
    None: "NOERROR",
    Failure.DNS_NO_ANSWER: "NOERROR",
    Failure.DNS_NXDOMAIN: "NXDOMAIN",
    Failure.DNS_REFUSED: "REFUSED",
    Failure.DNS_SERVFAIL: "SERVFAIL",
}
_VERSIONS = {"TLSv1": "TLSv1", "TLSv1.1": "TLSv1.1", "TLSv1.2": "TLSv1.2", "TLSv1.3": "TLSv1.3"}
_PLAIN_URL = re.compile(r"https?://[a-z0-9.-]+/[A-Za-z0-9/_.~-]*")


@lru_cache(maxsize=65536)
def ip_text(text: str | None) -> str:
    """*text* if it is an IP address, in its usual form; empty if it is none."""
    if not text or len(text) > 64:
        return ""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address) and found.scope_id is not None:
        return ""
    return str(found)


@lru_cache(maxsize=16384)
def normal(url: str, base: str | None = None) -> str:
    """*url* as our evidence spells it; as it is, if it is none that can be visited."""
    if base is None and len(url) <= MAX_URL and _PLAIN_URL.fullmatch(url):
        host = url.split("/", 3)[2]
        if ".." not in host and not host[-1:].isdigit() and not host.endswith("."):
            return url
    try:
        return parse(url, base=base).text
    except BadURL:
        return url[:MAX_URL]


def engine_of(query: Query) -> DNSEngine:
    """``system`` for getaddrinfo and what older probes call otherwise or not at all."""
    return _ENGINES.get(query.engine or "", "system")


def dns_exchange(query: Query, *, url: str = "", depth: int = 0) -> DNSExchange:
    """One query with the answer that the document has; others may follow (`with_answer`)."""
    failure, detail = failure_of(query.failure)
    engine = engine_of(query)
    answer = dns_answer(query, failure)
    return DNSExchange(
        url=url,
        depth=depth,
        transaction=query.transaction_id or 0,
        t0=seconds(query.t0),
        t=seconds(query.t),
        failure=failure,
        detail=detail,
        hostname=(query.hostname or "")[:MAX_TEXT],
        rdtype=(query.query_type or "A")[:16],
        engine=engine,
        resolver=(query.resolver_address or "")[:MAX_TEXT],
        own=engine == "system",
        answers=(answer,) if answer is not None else (),
    )


def dns_answer(query: Query, failure: Failure | None) -> DNSAnswer | None:
    """What came back; None where nothing did, or nothing that could be read."""
    addresses: list[str] = []
    cnames: list[str] = []
    ttl = None
    for answer in (query.answers or ())[:MAX_ADDRESSES]:
        if ip := ip_text(answer.ipv4 or answer.ipv6):
            addresses.append(ip)
            ttl = answer.ttl if ttl is None else ttl
        elif answer.hostname and answer.answer_type == "CNAME":
            cnames.append(answer.hostname[:MAX_TEXT].rstrip("."))
    if not addresses and failure not in _RCODES:
        return None
    return DNSAnswer(
        t=seconds(query.t),
        rcode=_RCODES.get(failure, "NOERROR"),
        addresses=tuple(addresses),
        cnames=tuple(cnames),
        ttl=int(ttl) if ttl is not None and 0 <= ttl < 2**31 else None,
    )


def holders(query: Query) -> Iterator[tuple[str, AddressInfo]]:
    """Whose the addresses are, where the probe looked that up."""
    for answer in (query.answers or ())[:MAX_ADDRESSES]:
        if answer.asn and 0 < answer.asn < 2**32 and (ip := ip_text(answer.ipv4 or answer.ipv6)):
            yield ip, AddressInfo(asn=answer.asn, holder=(answer.as_org_name or "")[:MAX_TEXT])


def tcp_connect(connect: Connect, *, url: str = "", depth: int = 0) -> TCPConnect | None:
    """None for what has no address."""
    ip, port = ip_text(connect.ip), connect.port or 0
    status = connect.status
    if not ip or not 0 < port < 65536 or status is None:
        return None
    said = status.failure if isinstance(status.failure, str) else None
    if said is None and status.success is False:
        said = "not told"
    failure, detail = failure_of(said)
    return TCPConnect(
        url=url,
        depth=depth,
        transaction=connect.transaction_id or 0,
        t0=seconds(connect.t0),
        t=seconds(connect.t),
        failure=failure,
        detail=detail,
        ip=ip,
        port=port,
    )


def handshake_records(
    handshake: Handshake, *, started_at: float, url: str = "", depth: int = 0
) -> list[AnyEvidence]:
    """The handshake, over TCP or QUIC, and the check of its certificate where there was one."""
    host, port = endpoint(handshake.address)
    ip = ip_text(host)
    if not ip or not port:
        return []
    said, detail = failure_of(handshake.failure)
    bad = said if said in CERTIFICATE else None
    alert = alert_of(detail) if detail else None
    if alert is not None or is_no_tls(detail):
        said = Failure.TLS_FAILED_HANDSHAKE
    name = (handshake.server_name or "")[:MAX_TEXT]
    chain = tuple(
        found
        for item in (handshake.peer_certificates or ())[:MAX_CHAIN]
        if (found := _certificate(item))
    )
    t0, t = seconds(handshake.t0), seconds(handshake.t)
    common: dict[str, Any] = {
        "url": url, "depth": depth, "transaction": handshake.transaction_id or 0,
        "t0": t0, "t": t, "ip": ip, "port": port,
    }  # fmt: skip
    secret = bool(handshake.echconfig and handshake.echconfig != "GREASE")
    shaken = dict(
        common,
        failure=None if bad else said,
        detail="" if bad else detail,
        sni=None if not name or ip_text(name) else name,
        alpn=(handshake.negotiated_protocol or "")[:16] or None,
        version=_VERSIONS.get(handshake.tls_version or ""),
        cipher=(handshake.cipher_suite or "")[:64] or None,
        chain=tuple(der for der, _ in chain),
        chain_sha256=tuple(digest for _, digest in chain),
    )
    records: list[AnyEvidence] = [
        QUICHandshake(**shaken)
        if handshake.network in ("udp", "quic")
        else TLSHandshake(
            **shaken, alert=alert, ech=secret,
            outer_sni=handshake.outer_server_name if secret else None,
        )
    ]
    if name and not handshake.no_tls_verify and (bad is not None or said is None):
        facts = subject_and_issuer(chain[0][0]) if bad is not None and chain else {}
        records.append(
            CertificateCheck(
                **common,
                **facts,
                hostname=name,
                checked_at=started_at + t,
                failure=bad,
                problems=(bad.value,) if bad is not None else (),
            )
        )
    return records


def _certificate(item: Binary | str) -> tuple[bytes, str] | None:
    text = item if isinstance(item, str) else item.data
    return _decoded_certificate(text) if 0 < len(text) <= MAX_CERTIFICATE else None


@lru_cache(maxsize=2048)
def _decoded_certificate(text: str) -> tuple[bytes, str] | None:
    """DER and its SHA-256: a site's connections all show the same few certificates."""
    try:
        der = base64.b64decode(text)
    except (binascii.Error, ValueError):
        return None
    return der, hashlib.sha256(der).hexdigest()


@lru_cache(maxsize=1024)
def subject_and_issuer(der: bytes) -> dict[str, Any]:
    """What `CertificateCheck` tells of a certificate; empty where it cannot be read."""
    try:
        leaf = x509.load_der_x509_certificate(der)
        return {
            "subject": leaf.subject.rfc4514_string()[:MAX_TEXT],
            "issuer": leaf.issuer.rfc4514_string()[:MAX_TEXT],
            "not_before": leaf.not_valid_before_utc.timestamp(),
            "not_after": leaf.not_valid_after_utc.timestamp(),
        }
    except (ValueError, x509.InvalidVersion, OverflowError):
        return {}


def http_exchange(
    request: Request,
    *,
    url: str,
    depth: int = 0,
    address: tuple[str, int] | None = None,
    location: str | None = None,
    certified: bool = False,
) -> HTTPExchange:
    """A request and its answer. *address* is where it went, where the document does not say.

    *location* is where the answer redirects to, absolute. *certified*: it came over a
    certificate that is good for the name; then the page vouches for itself, and only its
    title and length are kept, unless it is an error.
    """
    failure, detail = failure_of(request.failure)
    response = request.response or ResponsePart()
    status = response.code if response.code and 100 <= response.code < 1000 else None
    host, port = endpoint(request.address) if request.address else (address or ("", 0))
    tls = url.startswith("https:")
    truncated = bool(response.body_is_truncated)
    return HTTPExchange(
        url=url,
        depth=depth,
        transaction=request.transaction_id or 0,
        t0=seconds(request.t0),
        t=seconds(request.t),
        failure=failure,
        detail=detail,
        ip=ip_text(host),
        port=port or (443 if tls else 80),
        tls=tls,
        method=((request.request.method if request.request else None) or "GET")[:16],
        protocol=(request.alpn or "")[:16],
        status=status,
        headers=_headers(response),
        location=location,
        body_truncated=truncated,
        **_page_facts(response, failure, whole=not certified or (status or 0) >= 400),
    )


def _page_facts(response: ResponsePart, failure: Failure | None, *, whole: bool) -> dict[str, Any]:
    """What is told of a body. A page in the clear is told whole, as it may be a block page."""
    text = response.body
    if not text:
        # A document may leave out a body that was cut: it was as long as what is kept.
        cut = bool(response.body_is_truncated) and failure is None
        return {"body_length": OONI_SNAPSHOT} if cut else {}
    if not whole:
        head = text[:TITLE_WITHIN].encode() if isinstance(text, str) else as_bytes(text)
        simple = isinstance(text, str) and text.isascii()
        length = len(text) if simple and isinstance(text, str) else len(as_bytes(text))
        return {"body_length": length, "title": page.title(head[:TITLE_WITHIN])}
    body = as_bytes(text)
    return {
        "body_length": len(body),
        "body_sha256": hashlib.sha256(body).hexdigest(),
        "title": page.title(body[:TITLE_WITHIN], _header(response, "content-type")),
        "sketch": page.sketch(body),
        "body": body[:KEPT_BODY],
    }


def _headers(response: ResponsePart) -> tuple[tuple[str, str], ...]:
    pairs: Sequence[tuple[Text, Text | list[Text]]]
    pairs = response.headers_list or list((response.headers or {}).items())
    return tuple((as_text(name), as_text(value)) for name, value in pairs[:MAX_HEADERS])


def _header(response: ResponsePart, wanted: str) -> str:
    return next((v for n, v in _headers(response) if n.lower() == wanted), "")


def redirect_of(request: Request, url: str) -> str | None:
    """Where the answer to *request* for *url* leads, absolute; None if nowhere."""
    response = request.response
    if response is None or response.code not in REDIRECTS:
        return None
    said = _header(response, "location")
    return normal(said, url) if said else None
