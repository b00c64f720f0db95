"""web_connectivity, 0.5 (ts-017) and what came before: one URL, visited and asked about.

0.5 measures every address that the system's resolver, a public one over UDP and one
over HTTPS give, ties what belongs together by transaction, and says by a tag how many
redirects led to a record. Before that there is the system's resolver alone, one chain of
requests, newest first, and no tie: there a request went to the address to which a
connection stood, as far as there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from probe.evidence import (
    AddressInfo,
    AnyEvidence,
    CertificateCheck,
    DNSAnswer,
    DNSExchange,
    HTTPExchange,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure
from probe.formats.ooni import helper
from probe.formats.ooni.archival import (
    Connect,
    Handshake,
    Query,
    Request,
    bounded,
    depth,
    depth_of,
)
from probe.formats.ooni.document import Document, Part, Unreadable, seconds
from probe.formats.ooni.failures import CERTIFICATE, OF_NAMES, failure_of
from probe.formats.ooni.records import (
    dns_answer,
    dns_exchange,
    handshake_records,
    holders,
    http_exchange,
    normal,
    redirect_of,
    tcp_connect,
)
from probe.formats.ooni.registry import reader

NOT_TIED = "the document does not tell which address it went to"
NO_LAYER = "the document tells of the request only"
TOO_MANY = "stopped after too many redirects"


class Resolver(msgspec.Struct):
    """``x_do53``, ``x_doh``: what asking another resolver took."""

    queries: list[Query] | None = None


class Keys(msgspec.Struct):
    """``test_keys``, without what the probe made of them."""

    queries: list[Query] | None = None
    tcp_connect: list[Connect] | None = None
    tls_handshakes: list[Handshake] | None = None
    requests: list[Request] | None = None
    control: helper.Control | None = None
    control_failure: str | None = None
    x_do53: Resolver | None = None
    x_doh: Resolver | None = None
    x_dns_duplicate_responses: list[Query] | None = None


_keys = msgspec.json.Decoder(Keys | None)


@reader("web_connectivity")
def web_connectivity(document: Document) -> Iterable[Part]:
    keys = document.keys(_keys)
    if keys is None:
        raise Unreadable("no test_keys")
    if not document.input.lower().startswith(("http://", "https://")):
        raise Unreadable("the input is no URL")
    bounded(keys.queries, keys.tcp_connect, keys.tls_handshakes, keys.requests)
    visit = _Visit(document, keys)
    evidence = tuple(visit.evidence())
    if evidence:
        yield Part(url=document.input, evidence=evidence, addresses=visit.addresses)


class _Visit:
    def __init__(self, document: Document, keys: Keys) -> None:
        self.document, self.keys = document, keys
        self.start = normal(document.input)
        self.tied = any(r.transaction_id and r.address for r in keys.requests or ()) or any(
            depth_of(tag) >= 0
            for record in (*(keys.queries or ()), *(keys.tcp_connect or ()))
            for tag in record.tags or ()
        )
        self.requests = self._in_order(keys.requests or ())
        self.hops = self._hops()
        self.elsewhere = {
            at: f"https://{q.hostname}/"
            for q in keys.queries or ()
            if q.hostname and (at := depth(q.tags)) >= len(self.hops)
        }
        self.addresses: dict[str, AddressInfo] = {}

    def _in_order(self, requests: Sequence[Request]) -> list[Request]:
        """As they were made: by redirects where tied; else turned round, since the newest is
        first, unless the times say otherwise."""
        if self.tied:
            return sorted(requests, key=lambda r: depth(r.tags))
        times = [r.t or 0.0 for r in requests]
        oldest_first = len(times) > 1 and 0 < times[0] and times == sorted(times)
        return list(requests) if oldest_first and times[0] < times[-1] else list(requests)[::-1]

    def _hops(self) -> list[str]:
        """The chain's URLs by depth: those requested, and where the last one would have led."""
        hops = [self.start]
        self.skipped = self._skipped()
        for number, request in enumerate(self.requests):
            at = depth(request.tags) if self.tied else number + self.skipped
            if 0 < at == len(hops) and request.request is not None and request.request.url:
                hops.append(normal(request.request.url))
            elif at == len(hops) - 1 and (after := redirect_of(request, hops[at])):
                following = self.requests[number + 1 : number + 2]
                if not following:
                    hops.append(after)
        return hops

    def _skipped(self) -> int:
        """1 where an old probe left out how it came from the input to the first request."""
        asked = self.requests[0].request if self.requests and not self.tied else None
        if asked is None or not asked.url:
            return 0
        return int(_origin(normal(asked.url)) != _origin(self.start))

    def _url(self, at: int) -> str:
        """What was at *at* redirects; where only a lookup tells, its host."""
        if at < len(self.hops):
            return self.hops[at]
        return self.elsewhere.get(at, self.hops[-1])

    def evidence(self) -> Iterable[AnyEvidence]:
        keys = self.keys
        names = self._names()
        yield from names
        connects = [
            found
            for c in keys.tcp_connect or ()
            if (found := tcp_connect(c, url=self._url(d := depth(c.tags)), depth=d)) is not None
        ]
        yield from connects
        shaken = self._handshakes()
        yield from shaken
        certified = {
            e.transaction for e in shaken if isinstance(e, CertificateCheck) and e.failure is None
        } - {0}
        if self.tied:
            yield from self._exchanges(certified)
        else:
            yield from self._untied(connects, shaken)
        self.addresses.update(helper.holders(keys.control))
        yield from helper.helper_records(
            self.document, keys.control, keys.control_failure, self.start, _host(self.start)
        )

    def _names(self) -> list[DNSExchange]:
        """The lookups, each with the answers that came after the first."""
        found: dict[tuple[object, ...], DNSExchange] = {}
        asked = [*(self.keys.queries or ())]
        for beside in (self.keys.x_do53, self.keys.x_doh):
            asked += (beside.queries or ()) if beside is not None else ()
        for number, query in enumerate(asked):
            at = depth(query.tags)
            exchange = dns_exchange(query, url=self._url(at), depth=at)
            key = (_key(query), 0 if query.transaction_id else number)
            found.setdefault(key, exchange)
            self.addresses.update(holders(query))
        for query in self.keys.x_dns_duplicate_responses or ():
            key = (_key(query), 0)
            answer = dns_answer(query, failure_of(query.failure)[0])
            first = found.get(key)
            self.addresses.update(holders(query))
            if answer is not None and first is not None:
                found[key] = msgspec.structs.replace(first, answers=_later(first, answer))
        return list(found.values())

    def _handshakes(self) -> list[AnyEvidence]:
        records: list[AnyEvidence] = []
        for h in self.keys.tls_handshakes or ():
            at = depth(h.tags)
            if not self.tied and h.server_name:
                hosts = [_host(url) for url in self.hops]
                at = hosts.index(h.server_name) if h.server_name in hosts else 0
            records += handshake_records(
                h, started_at=self.document.started_at, url=self._url(at), depth=at
            )
        return records

    def _exchanges(self, certified: set[int]) -> Iterable[AnyEvidence]:
        for request in self.requests:
            at = depth(request.tags)
            url = self._url(at)
            location = redirect_of(request, url)
            if location is not None and at + 1 < len(self.hops):
                location = self.hops[at + 1]
            good = (request.transaction_id or 0) in certified
            exchange = http_exchange(
                request, url=url, depth=at, location=location, certified=good
            )
            yield from _ended(exchange)

    def _checks(self) -> bool:
        """Whether this probe checks certificates: all do, but those in Python (before 3.0)."""
        told = self.document.envelope
        old = (told.software_version or "").startswith(("0.", "1.", "2."))
        return not (told.software_name == "ooniprobe" and old)

    def _untied(
        self, connects: Sequence[TCPConnect], shaken: Sequence[AnyEvidence]
    ) -> Iterable[AnyEvidence]:
        """The requests of a probe that does not say where they went."""
        told = {e.url for e in shaken}
        for at, request in enumerate(self.requests, self.skipped):
            url = self._url(at)
            stood = [c for c in connects if c.url == url and c.port == _port(url)]
            reached = [c for c in stood if c.failure is None] or stood
            failure = failure_of(request.failure)[0]
            status = request.response.code if request.response is not None else 0
            if failure is not None and not status:
                if stood and reached[0].failure is not None:
                    continue  # no connection stood, and that is on record
                if failure in OF_NAMES:
                    if at:
                        yield DNSExchange(
                            url=url, depth=at, t=seconds(request.t), failure=failure,
                            hostname=_host(url), rdtype="ANY", engine="system", own=True,
                            detail=NO_LAYER,
                        )  # fmt: skip
                    continue
                if url.startswith("https:") and failure is not Failure.UNKNOWN:
                    if url not in told and reached:
                        stood_at = (reached[0].ip, reached[0].port)
                        at_time = self.document.started_at
                        yield from _shown(request, url, at, stood_at, at_time, failure)
                    if url in told or reached:
                        continue
            location = redirect_of(request, url)
            if location is not None and at + 1 < len(self.hops):
                location = self.hops[at + 1]
            address = (reached[0].ip, reached[0].port) if reached else ("", _port(url))
            good = any(
                isinstance(e, CertificateCheck) and e.url == url and e.failure is None
                for e in shaken
            )
            if status and url.startswith("https:") and url not in told and self._checks():
                yield from _shown(request, url, at, address, self.document.started_at)
                good = True
            exchange = http_exchange(
                request, url=url, depth=at, address=address, location=location, certified=good
            )
            if len(reached) > 1 and not exchange.detail:
                exchange = msgspec.structs.replace(exchange, detail=NOT_TIED)
            yield from _ended(exchange)


def _shown(
    request: Request, url: str, at: int, address: tuple[str, int], started_at: float,
    failure: Failure | None = None,
) -> Iterable[AnyEvidence]:  # fmt: skip
    """What an https request shows of its handshake, where nothing else tells of that.

    One that was answered had a certificate that the probe found good. One that failed
    after a connection stood failed in the handshake: in the tunnel nobody on the way can
    single out a request.
    """
    bad = failure if failure in CERTIFICATE else None
    common: dict[str, Any] = {
        "url": url, "depth": at, "t": seconds(request.t), "ip": address[0], "port": address[1],
        "detail": NO_LAYER,
    }  # fmt: skip
    yield TLSHandshake(**common, sni=_host(url), failure=None if bad else failure)
    if failure is None or bad is not None:
        yield CertificateCheck(
            **common, hostname=_host(url), checked_at=started_at + seconds(request.t), failure=bad,
            problems=(bad.value,) if bad is not None else (),
        )  # fmt: skip


def _ended(exchange: HTTPExchange) -> Iterable[AnyEvidence]:
    """*exchange*; and that the probe would not follow one more redirect, where it says so."""
    if exchange.location is not None and TOO_MANY in exchange.detail:
        yield msgspec.structs.replace(exchange, failure=None, detail="")
        yield HTTPExchange(
            url=exchange.location, depth=exchange.depth + 1, t0=exchange.t, t=exchange.t,
            failure=Failure.UNKNOWN, detail="too many redirects", ip="",
            port=_port(exchange.location),
        )  # fmt: skip
    else:
        yield exchange


def _key(query: Query) -> tuple[object, ...]:
    return (query.transaction_id, query.engine, query.hostname, query.query_type)


def _later(first: DNSExchange, answer: DNSAnswer) -> tuple[DNSAnswer, ...]:
    return (*first.answers, answer) if len(first.answers) < 64 else first.answers


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _origin(url: str) -> tuple[str, str]:
    """Scheme, and host with port."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc


def _port(url: str) -> int:
    try:
        parts = urlsplit(url)
        return parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return 0
