"""What OONI's test helper said, as it stands in a document: the evidence of a control.

The helper is one control. It looks names up over DoH, connects to the addresses that the
probe and itself were given, and follows redirects by itself: it shows the last page and
not where that was, so that page has no address here. Old helpers list aliases among the
addresses, and tell nothing of TLS.

Facts: OONI's ``oohelperd`` and its types ``THDNSResult``, ``THTCPConnectResult``,
``THTLSHandshakeResult``, ``THHTTPRequestResult``, ``THIPInfo``; ts-017.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from probe.evidence import (
    PROBE,
    AddressInfo,
    AnyEvidence,
    CertificateCheck,
    ControlQuery,
    DNSAnswer,
    DNSExchange,
    HTTPExchange,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure
from probe.formats.ooni.archival import Text, as_text, endpoint
from probe.formats.ooni.document import MAX_TEXT, Document, Unreadable
from probe.formats.ooni.failures import CERTIFICATE, failure_of
from probe.formats.ooni.records import MAX_ADDRESSES, MAX_HEADERS, ip_text

FINAL_PAGE = "the last page after redirects; its address is not told"
MAX_ENDPOINTS = 1000
# Those by these names run oohelperd, which checks certificates; of their forerunner
# (wcth.ooni.io) that is not known.
_CHECKS_CERTIFICATES = re.compile(r"\d+\.th\.ooni\.org|d33d1gs9kpq1c5\.cloudfront\.net")
UNNAMED = "ooni"  # a helper whose address the document does not tell


class Names(msgspec.Struct):
    failure: str | None = None
    addrs: list[str] | None = None


class Reachable(msgspec.Struct, gc=False):
    status: bool | None = None
    failure: str | bool | None = None


class Greeted(msgspec.Struct, gc=False):
    server_name: str | None = ""
    status: bool | None = None
    failure: str | None = None


class Fetched(msgspec.Struct):
    body_length: int | None = -1
    failure: str | None = None
    title: str | None = ""
    headers: dict[str, Text | list[Text]] | None = None
    status_code: int | None = -1


class Whose(msgspec.Struct, gc=False):
    asn: int | None = 0


class Control(msgspec.Struct):
    """``test_keys.control``; empty where no helper answered."""

    tcp_connect: dict[str, Reachable] | None = None
    tls_handshake: dict[str, Greeted] | None = None
    http_request: Fetched | None = None
    dns: Names | None = None
    ip_info: dict[str, Whose] | None = None

    @property
    def answered(self) -> bool:
        """Whether it says anything; a probe may write down an empty answer where none came."""
        names, page = self.dns, self.http_request
        return (
            bool(self.tcp_connect)
            or (names is not None and bool(names.failure or names.addrs is not None))
            or (page is not None and bool(page.failure or page.status_code))
        )


def helper_of(document: Document) -> tuple[str, str]:
    """The helper's name, which its evidence carries as vantage, and its URL."""
    backend = (document.envelope.test_helpers or {}).get("backend")
    url = backend.get("address") if isinstance(backend, dict) else backend
    if not isinstance(url, str) or not url:
        return UNNAMED, ""
    host = url.partition("://")[2].partition("/")[0][:MAX_TEXT]
    # What a helper saw is never what the probe saw, whatever the helper is called.
    return host if host not in ("", PROBE) else UNNAMED, url[:MAX_TEXT]


def helper_records(
    document: Document, control: Control | None, control_failure: str | None, url: str, host: str
) -> Iterator[AnyEvidence]:
    """The helper's evidence about *url*, whose host is *host*; nothing if none was asked."""
    name, address = helper_of(document)
    answered = control is not None and control.answered and control_failure is None
    if not answered and control_failure is None:
        return
    failure, detail = failure_of(control_failure)
    yield ControlQuery(
        url=url, failure=failure, detail=detail, control=name, control_url=address, software="ooni"
    )
    if not answered or control is None:
        return
    common: dict[str, Any] = {"vantage": name, "url": url}
    literal = bool(ip_text(host))
    if control.dns is not None and not literal:
        yield _names(control.dns, host, common)
    yield from _endpoints(document, control, host, common)
    if control.http_request is None:
        return
    page = _page(control, url, common)
    yield page
    if (
        page.failure is None and page.tls and not control.tls_handshake and not literal
        and _CHECKS_CERTIFICATES.fullmatch(name)
    ):  # fmt: skip
        yield CertificateCheck(
            **common, ip="", port=page.port, hostname=host, checked_at=document.started_at,
            detail=FINAL_PAGE,
        )  # fmt: skip


def holders(control: Control | None) -> Iterator[tuple[str, AddressInfo]]:
    """Whose addresses are, as the helper says."""
    info = (control.ip_info if control is not None else None) or {}
    for text, whose in info.items():
        if whose.asn and 0 < whose.asn < 2**32 and (ip := ip_text(text)):
            yield ip, AddressInfo(asn=whose.asn)


def _names(names: Names, host: str, common: dict[str, Any]) -> DNSExchange:
    addresses = tuple(ip for text in (names.addrs or ())[:MAX_ADDRESSES] if (ip := ip_text(text)))
    failure, detail = failure_of(names.failure)
    if failure is None and not addresses:
        failure = Failure.DNS_NO_ANSWER
    rcode = {Failure.DNS_NXDOMAIN: "NXDOMAIN", Failure.DNS_SERVFAIL: "SERVFAIL"}.get(
        failure or Failure.UNKNOWN, "NOERROR"
    )
    heard = failure in (
        None, Failure.DNS_NO_ANSWER, Failure.DNS_NXDOMAIN, Failure.DNS_SERVFAIL,
    )  # fmt: skip
    return DNSExchange(
        **common,
        hostname=host,
        rdtype="ANY",
        engine="doh",
        answers=(DNSAnswer(rcode=rcode, addresses=addresses),) if heard else (),
        failure=failure,
        detail=detail,
    )


def _endpoints(
    document: Document, control: Control, host: str, common: dict[str, Any]
) -> Iterator[AnyEvidence]:
    connects, handshakes = control.tcp_connect or {}, control.tls_handshake or {}
    if len(connects) + len(handshakes) > MAX_ENDPOINTS:
        raise Unreadable("too many endpoints in control")
    for number, address in enumerate(dict.fromkeys((*connects, *handshakes)), 1):
        text, port = endpoint(address)
        ip = ip_text(text)
        if not ip or not port:
            continue
        at: dict[str, Any] = {**common, "ip": ip, "port": port, "transaction": number}
        if (connect := connects.get(address)) is not None:
            failure, detail = _failure(connect.failure, connect.status)
            yield TCPConnect(**at, failure=failure, detail=detail)
        if (greeted := handshakes.get(address)) is not None:
            failure, detail = _failure(greeted.failure, greeted.status)
            bad = failure if failure in CERTIFICATE else None
            name = (greeted.server_name or host)[:MAX_TEXT]
            yield TLSHandshake(
                **at, failure=None if bad else failure, detail="" if bad else detail,
                sni=None if ip_text(name) else name,
            )  # fmt: skip
            if failure is None or bad is not None:
                yield CertificateCheck(
                    **at, hostname=name, checked_at=document.started_at, failure=bad,
                    problems=(bad.value,) if bad is not None else (),
                )  # fmt: skip


def _page(control: Control, url: str, common: dict[str, Any]) -> HTTPExchange:
    part = control.http_request
    assert part is not None
    status = part.status_code or -1
    failure, said = _failure(part.failure, status > 0)
    if part.failure == "dns_lookup_error" and control.dns is not None:
        failure = failure_of(control.dns.failure)[0] or failure
    tls = url.startswith("https:")
    headers = tuple(
        (name, as_text(value)) for name, value in list((part.headers or {}).items())[:MAX_HEADERS]
    )
    return HTTPExchange(
        **common,
        ip="",
        port=443 if tls else 80,
        tls=tls,
        status=status if 100 <= status < 1000 else None,
        headers=headers,
        body_length=max(0, part.body_length or 0),
        title=(part.title or "")[:MAX_TEXT] if failure is None else None,
        failure=failure,
        detail=f"{FINAL_PAGE}; {said}" if said else FINAL_PAGE,
    )


def _failure(name: str | bool | None, good: bool | None) -> tuple[Failure | None, str]:
    """Old helpers say only whether it worked."""
    if isinstance(name, str):
        return failure_of(name)
    return (None, "") if good is not False else (Failure.UNKNOWN, "not told")
