"""``test_keys`` as the nettests share them that measure a service, and not a site.

They have the records of network operations (df-001, df-002, df-005, df-006) and no tie
between these: a name's records are those that carry the name, and a handshake whose
address a probe left out went to an address of its name to which a connection stood.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

import msgspec

from probe.evidence import AddressInfo, AnyEvidence, DNSExchange, HTTPExchange, TCPConnect
from probe.formats.ooni.archival import (
    Connect,
    Handshake,
    Query,
    Request,
    RequestPart,
    Text,
    as_text,
    bounded,
    endpoint,
)
from probe.formats.ooni.document import MAX_TEXT, Document
from probe.formats.ooni.records import (
    dns_exchange,
    handshake_records,
    holders,
    http_exchange,
    ip_text,
    normal,
    redirect_of,
    tcp_connect,
)

Fact = str | bool | int | float | None


class SentPart(RequestPart):
    """A request with its headers: some documents tell only by ``Host`` where it went."""

    headers: dict[str, Text] | None = None
    headers_list: list[tuple[Text, Text]] | None = None


class SentRequest(Request):
    request: SentPart | None = None


class Operations(msgspec.Struct):
    """The four lists, and what many nettests say of the whole."""

    queries: list[Query] | None = None
    tcp_connect: list[Connect] | None = None
    tls_handshakes: list[Handshake] | None = None
    requests: list[SentRequest] | None = None
    failure: str | None = None
    failed_operation: str | None = None


class Records:
    """The evidence of *keys*, with the addresses whose holders the document tells.

    *url* is what the records served, where they do not tell; *at* an address for those that
    tell none, being all about one endpoint.
    """

    def __init__(
        self, document: Document, keys: Operations, *, url: str = "", at: tuple[str, int] = ("", 0)
    ) -> None:
        bounded(keys.queries, keys.tcp_connect, keys.tls_handshakes, keys.requests)
        self.addresses: dict[str, AddressInfo] = {}
        self._at = at
        names = [dns_exchange(query, url=url) for query in keys.queries or ()]
        for query in keys.queries or ():
            self.addresses.update(holders(query))
        connects = [
            found for c in keys.tcp_connect or () if (found := tcp_connect(c, url=url)) is not None
        ]
        self._places = _places(names, connects)
        self.evidence: list[AnyEvidence] = [*names, *connects]
        for handshake in keys.tls_handshakes or ():
            placed = self._placed(handshake)
            self.evidence += handshake_records(placed, started_at=document.started_at, url=url)
        for request in keys.requests or ():
            self.evidence.append(self._exchange(request, url))

    def _placed(self, handshake: Handshake) -> Handshake:
        if handshake.address:
            return handshake
        ip = self._places.get((handshake.server_name or "").lower(), "")
        where = (ip, 443) if ip else self._at
        return msgspec.structs.replace(handshake, address=_joined(where) if where[0] else None)

    def _exchange(self, request: SentRequest, url: str) -> HTTPExchange:
        target = normal(_url(request)) or url
        host, port = _host(target), _port(target)
        ip = ip_text(host) or self._places.get(host, "")
        where = (ip, port) if ip else self._at
        return http_exchange(
            request, url=target, address=where, location=redirect_of(request, target)
        )


def _places(names: Iterable[DNSExchange], connects: Iterable[TCPConnect]) -> Mapping[str, str]:
    """For each name an address of it: one to which a connection stood, if there is any."""
    stood = {c.ip for c in connects if c.failure is None}
    tried = {c.ip for c in connects}
    found: dict[str, tuple[int, str]] = {}
    for exchange in names:
        for ip in (ip for answer in exchange.answers for ip in answer.addresses):
            rank = (ip in tried) + (ip in stood)
            name = exchange.hostname.lower()
            if name not in found or found[name][0] < rank:
                found[name] = (rank, ip)
    return {name: ip for name, (_, ip) in found.items()}


def _url(request: SentRequest) -> str:
    """The request's URL; where that is left out, that of its ``Host``, in the clear."""
    part = request.request
    if part is None:
        return ""
    if part.url:
        return part.url
    pairs = part.headers_list or list((part.headers or {}).items())
    host = next((as_text(v) for k, v in pairs if as_text(k).lower() == "host"), "")
    return f"http://{host}/" if host else ""


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _port(url: str) -> int:
    try:
        return urlsplit(url).port or (443 if url.startswith("https:") else 80)
    except ValueError:
        return 0


def _joined(at: tuple[str, int]) -> str:
    return f"[{at[0]}]:{at[1]}" if ":" in at[0] else f"{at[0]}:{at[1]}"


def target_of(text: str | None) -> tuple[str, int]:
    """``192.0.2.1:9001`` -> address, port; empty and 0 for what is no address."""
    host, port = endpoint((text or "")[:MAX_TEXT])
    ip = ip_text(host)
    return (ip, port) if ip else ("", 0)


def said(keys: msgspec.Struct, *names: str) -> dict[str, Fact]:
    """What the probe itself made of it, as facts: never read by a rule, and kept to compare."""
    found: dict[str, Fact] = {}
    for name in names:
        value = getattr(keys, name)
        if isinstance(value, list):
            value = len(value)
        if value is not None:
            found[f"ooni_{name}"] = value[:MAX_TEXT] if isinstance(value, str) else value
    return found
