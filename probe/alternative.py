"""QUIC where a site offers it, as a browser would use it: after all else of a visit.

The rule: it must not change what is measured otherwise. A censor may punish an address
after a name that it saw, so QUIC comes last, to the very addresses whose pages or
handshakes have been measured by then. Only the handshake is tried: it is the last that
a network can read, and a second copy of the page would cost the volunteer its bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import trio

from probe.addresses import family
from probe.evidence import AnyEvidence, DNSExchange, HTTPExchange, TCPConnect, TLSHandshake
from probe.steps.certificate import check_certificate
from probe.steps.http import header
from probe.steps.quic import available, quic_handshake
from probe.tools import Tools
from probe.trace import StepFailed, Trace
from probe.wire.alternatives import from_alt_svc, from_https_record
from probe.wire.url import URL, BadURL, parse

MAX_ENDPOINTS = 6  # in one visit


class Endpoint(NamedTuple):
    """Where HTTP/3 is on offer for *url*, which is *depth* redirects away."""

    url: URL
    depth: int
    ip: str
    port: int


async def measure_alternatives(tools: Tools, trace: Trace) -> None:
    """Shake hands by QUIC wherever the evidence of *trace* says that it is on offer.

    Without aioquic nothing is tried.
    """
    if not available():
        return
    async with trio.open_nursery() as nursery:
        for endpoint in offered(trace.records, trace.vantage):
            nursery.start_soon(_measure, tools, trace, endpoint)


def offered(evidence: Sequence[AnyEvidence], vantage: str) -> list[Endpoint]:
    """Where HTTP/3 is on offer by what *vantage* has seen, at one address of each family.

    By an Alt-Svc header that came over TLS: where that page came from, and for the other
    family where a handshake was done; so that two vantage points that took different ways
    can be compared. By the name's HTTPS record: where our own resolvers led, whatever
    came of it there.
    """
    mine = [e for e in evidence if e.vantage == vantage]
    found: dict[tuple[str, int], Endpoint] = {}
    for endpoint in (*_by_header(mine), *_by_record(mine)):
        found.setdefault((endpoint.url.host, family(endpoint.ip)), endpoint)
    return list(found.values())[:MAX_ENDPOINTS]


def _by_header(evidence: Sequence[AnyEvidence]) -> Iterable[Endpoint]:
    ports: dict[str, int] = {}
    for e in evidence:
        if isinstance(e, HTTPExchange) and e.tls and e.ip and (url := _url(e)) is not None:
            port = from_alt_svc(header(e.headers, "alt-svc"), host=url.host, port=url.port)
            if port is not None:
                ports.setdefault(url.host, port)
                yield Endpoint(url, e.depth, e.ip, port)
    for e in evidence if ports else ():
        if isinstance(e, TLSHandshake) and e.failure is None and (url := _url(e)) is not None:
            if url.host in ports and url.host == e.sni:
                yield Endpoint(url, e.depth, e.ip, ports[url.host])


def _by_record(evidence: Sequence[AnyEvidence]) -> Iterable[Endpoint]:
    records: dict[str, bytes] = {}
    own: dict[str, set[str]] = {}
    for e in evidence:
        if isinstance(e, DNSExchange) and e.rdtype == "HTTPS" and e.answers:
            # A failure: there is none in it. Most sites have none, and reading is dear.
            records.setdefault(e.hostname, e.answers[0].raw if e.failure is None else b"")
        elif isinstance(e, DNSExchange) and e.own:
            given = {ip for answer in e.answers for ip in answer.addresses}
            own.setdefault(e.hostname, set()).update(given)
    for e in evidence if records else ():
        if not isinstance(e, TCPConnect) or (url := _url(e)) is None or not records.get(url.host):
            continue
        if e.ip in own.get(url.host, ()) and (url.tls or e.port == 443):
            port = from_https_record(records[url.host], host=url.host, port=e.port)
            if port is not None:
                yield Endpoint(url, e.depth, e.ip, port)


def _url(e: AnyEvidence) -> URL | None:
    """None for a connection to an encrypted resolver by TLS, or where a control talks nonsense."""
    try:
        return parse(e.url)
    except BadURL:
        return None


async def _measure(tools: Tools, trace: Trace, endpoint: Endpoint) -> None:
    url, depth, ip, port = endpoint
    facts: dict[str, Any] = {
        "url": url.text, "depth": depth, "transaction": trace.new_transaction(),
    }
    await tools.net.turn(ip, port)
    try:
        connection = await quic_handshake(
            tools.net, trace, ip=ip, port=port, sni=None if url.ip_literal else url.host, **facts
        )
    except StepFailed:
        return  # it is on the record
    await connection.aclose()
    check_certificate(
        tools.verifier, trace, chain=connection.chain(), hostname=url.host,
        at=tools.now(), ip=ip, port=port, **facts,
    )  # fmt: skip
