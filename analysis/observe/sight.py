"""What one vantage point saw in a measurement, arranged by host, address and URL.

The probe's sight and each control's are the same type and are read by the same
functions: like is compared with like. Connections are arranged by host name and
port and not by URL, since a URL, its twin and a redirect often share them.

Where one address was tried more than once and worked once, it works: a single
failure beside a success is what a lossy line does.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit

import idna

from probe.addresses import is_public
from probe.evidence import (
    PROBE,
    AnyEvidence,
    CertificateCheck,
    DNSExchange,
    HTTPExchange,
    QUICHandshake,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure

Layer = Literal["tcp", "tls", "certificate"]
LAYERS: tuple[Layer, ...] = ("tcp", "tls", "certificate")
OK = "ok"

# What a visit notes of a URL that it was sent to and did not go to.
_CHAIN_ENDS = ("redirect loop", "too many redirects")
_SILENCE = frozenset({Failure.TIMEOUT, Failure.TIMED_OUT})
_RESET = frozenset({Failure.CONNECTION_RESET, Failure.CONNECTION_ABORTED})
_UNREACHABLE = frozenset({Failure.HOST_UNREACHABLE, Failure.NETWORK_UNREACHABLE})


@dataclass(frozen=True)
class Place:
    """Where a URL points: host name (or address), port, and whether over TLS."""

    host: str
    port: int
    tls: bool

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that a visit looks at: an http:// URL's 443 too."""
        return (80, 443) if self.port == 80 and not self.tls else (self.port,)


@lru_cache(maxsize=4096)
def place(url: str) -> Place:
    """*url* taken apart. What cannot be read gives an empty host: evidence may be imported."""
    try:
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        port = parts.port or (443 if tls else 80)
        host = (parts.hostname or "").rstrip(".")
        # The list may have a name in its own script; evidence has it in ASCII.
        ascii_host = host if host.isascii() else idna.encode(host, uts46=True).decode()
        return Place(ascii_host, port, tls)
    except ValueError:  # idna's errors are ValueErrors too
        return Place("", 0, False)


@lru_cache(maxsize=65536)
def public(ip: str) -> bool:
    """Whether *ip* is an address that a site may have; False for what is no address."""
    try:
        return is_public(ip)
    except ValueError:
        return False


@lru_cache(maxsize=65536)
def family(ip: str) -> int:
    """4 or 6; 0 for what is no address."""
    try:
        return ipaddress.ip_address(ip).version
    except ValueError:
        return 0


def is_literal(host: str) -> bool:
    return family(host) != 0


def manner(failure: Failure | None) -> str:
    """How a connection ended, in the words of the mechanisms; ``other`` names no censor."""
    if failure is None:
        return OK
    if failure in _SILENCE:
        return "silence"
    if failure in _RESET:
        return "reset"
    if failure in _UNREACHABLE:
        return "unreachable"
    match failure:
        case Failure.CONNECTION_REFUSED:
            return "refused"
        case Failure.EOF:
            return "closed"
    return "other"


def tls_manner(handshake: TLSHandshake) -> str:
    """As `manner`, for a handshake: an alert, or what is no TLS at all, are answers too."""
    if handshake.failure is Failure.TLS_FAILED_HANDSHAKE:
        # Bytes that are no TLS end the handshake as surely as closing it does.
        return "alert" if handshake.alert is not None else "closed"
    return manner(handshake.failure)


_QUIC_REFUSED = 0x2  # CONNECTION_REFUSED, RFC 9000, 20.1: a server that has no room says so


def quic_manner(handshake: QUICHandshake) -> str:
    """As `manner`, for a QUIC handshake: any end of it by what arrived is ``closed``."""
    if handshake.error_code == _QUIC_REFUSED:
        return "refused"
    if handshake.failure in (Failure.TLS_FAILED_HANDSHAKE, Failure.QUIC_INCOMPATIBLE_VERSION):
        return "closed"
    return manner(handshake.failure)


@dataclass
class Reached:
    """How far a vantage point got at one address and port, layer by layer.

    Each layer holds ``ok``, how it failed, or nothing where it was not tried.
    *leaf* is the SHA-256 of the certificate presented, *name_failure* what was
    wrong with it.
    """

    tcp: str = ""
    tls: str = ""
    certificate: str = ""
    leaf: str = ""
    certificate_failure: Failure | None = None
    certificate_names: tuple[str, ...] = ()
    held_reset: bool = False

    @property
    def issuer(self) -> str:
        """Who signed the certificate, where it is bad."""
        return self.certificate_names[1] if len(self.certificate_names) == 2 else ""

    def at(self, layer: Layer) -> str:
        match layer:
            case "tcp":
                return self.tcp
            case "tls":
                return self.tls
        return self.certificate

    def broken(self) -> tuple[Layer, str] | None:
        """The first layer that failed, and how."""
        if self.held_reset and "reset" in (self.tcp, self.tls):
            return "tcp", "reset"
        for layer in LAYERS:
            how = self.at(layer)
            if how not in ("", OK):
                return layer, how
        return None


@dataclass
class Sight:
    """Everything that *name* saw."""

    name: str
    dns: dict[str, list[DNSExchange]] = field(default_factory=dict)
    endpoints: dict[tuple[str, int], dict[str, Reached]] = field(default_factory=dict)
    pages: dict[str, list[HTTPExchange]] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)  # URL not visited -> why
    quic: dict[str, dict[str, str]] = field(default_factory=dict)  # host -> address -> manner
    certified: set[str] = field(default_factory=set)  # hosts, at addresses that are not told
    _resolved: dict[str, frozenset[str]] = field(default_factory=dict)  # asked for often

    def reached(self, host: str, port: int) -> dict[str, Reached]:
        return self.endpoints.get((host, port), {})

    def looked_at(self, url: str) -> bool:
        """Whether anything is known of *url* or its host from here."""
        at = place(url)
        return bool(self.dns.get(at.host) or self.reached(at.host, at.port) or self.pages.get(url))

    def succeeded(self, url: str, layer: str) -> bool:
        """Whether *layer* (tcp, tls, certificate, http) worked for *url* at any address."""
        if layer == "http":
            return any(answered(page) for page in self.pages.get(url, ()))
        at = place(url)
        works = self.reached(at.host, at.port).values()
        return any(r.at(name) == OK for r in works for name in LAYERS if name == layer)

    def answers(self, host: str) -> Iterator[DNSExchange]:
        """The lookups of *host* that ask for addresses."""
        return (e for e in self.dns.get(host, ()) if e.rdtype != "HTTPS")

    def resolved(self, host: str) -> frozenset[str]:
        """Public addresses that anybody whom this vantage point asked gave for *host*."""
        known = self._resolved.get(host)
        if known is None:
            known = frozenset(ip for e in self.answers(host) for ip in addresses(e) if public(ip))
            self._resolved[host] = known
        return known

    def unresolved(self, host: str) -> bool:
        """Whether *host* was looked up from here and has no public address."""
        return bool(self.dns.get(host)) and not self.resolved(host)

    def absent(self, host: str) -> bool:
        """Whether resolvers said that *host* does not exist, or has no public address."""
        if not self.unresolved(host):
            return False
        return any(
            e.failure in (None, Failure.DNS_NXDOMAIN, Failure.DNS_NO_ANSWER, Failure.DNS_BOGON)
            for e in self.answers(host)
        )


def answered(page: HTTPExchange) -> bool:
    return page.failure is None and page.status is not None


def addresses(exchange: DNSExchange) -> tuple[str, ...]:
    """What a stub would take from *exchange*: the addresses of its first answer."""
    return exchange.answers[0].addresses if exchange.answers else ()


def arrange(evidence: Iterable[AnyEvidence], vantage: str, *, without_ipv6: bool) -> Sight:
    """The sight of *vantage*. *without_ipv6* leaves out its failures over IPv6.

    Where the line's own IPv6 is broken they say nothing about the site.
    """
    sight = Sight(vantage)
    evidence = [e for e in evidence if e.vantage == vantage]
    over_quic = {e.transaction for e in evidence if isinstance(e, QUICHandshake)} - {0}
    for e in evidence:
        if isinstance(e, DNSExchange):
            sight.dns.setdefault(e.hostname.lower().rstrip("."), []).append(e)
            continue
        ip = getattr(e, "ip", "")
        if without_ipv6 and e.failure is not None and family(ip) == 6:
            continue
        host = place(e.url).host
        match e:
            case QUICHandshake():
                known = sight.quic.setdefault(host, {})
                known[ip] = _better(known.get(ip, ""), quic_manner(e))
            case CertificateCheck() | HTTPExchange() if e.transaction in over_quic:
                continue  # a way of its own: what comes by it vouches for nothing over TCP
            case HTTPExchange():
                _page(sight, e)
            case TCPConnect() if e.held:
                reached = _slot(sight, host, e.port, ip)
                reached.held_reset = reached.held_reset or manner(e.failure) == "reset"
            case TCPConnect():
                reached = _slot(sight, host, e.port, ip)
                reached.tcp = _better(reached.tcp, manner(e.failure))
            case TLSHandshake():
                reached = _slot(sight, host, e.port, ip)
                reached.tls = _better(reached.tls, tls_manner(e))
                reached.leaf = e.chain_sha256[0] if e.chain_sha256 else reached.leaf
            case CertificateCheck() if not e.ip and vantage != PROBE:
                sight.certified |= {host} if e.failure is None else set()
            case CertificateCheck():
                _certificate(_slot(sight, host, e.port, ip), e)
    if vantage != PROBE:
        _drop_pages_where_we_sent_it(sight)
    return sight


def _drop_pages_where_we_sent_it(sight: Sight) -> None:
    """Leave out a control's pages from addresses that it only has from us.

    A control connects to what our resolvers say, too: at a forged address it gets the
    censor's page, which would then vouch for itself. A helper that follows redirects
    by itself tells no address.
    """
    for url, pages in sight.pages.items():
        at = place(url)
        good = sight.resolved(at.host) | {at.host, ""}
        for port in at.ports:
            good |= {ip for ip, r in sight.reached(at.host, port).items() if r.certificate == OK}
        sight.pages[url] = [page for page in pages if page.ip in good]


def _slot(sight: Sight, host: str, port: int, ip: str) -> Reached:
    return sight.endpoints.setdefault((host, port), {}).setdefault(ip, Reached())


def _better(known: str, new: str) -> str:
    return known if known == OK else new


def _page(sight: Sight, e: HTTPExchange) -> None:
    if e.status is None and e.failure is Failure.UNKNOWN and e.detail.startswith(_CHAIN_ENDS):
        sight.ends[e.url] = e.detail
    else:
        sight.pages.setdefault(e.url, []).append(e)


def _certificate(reached: Reached, e: CertificateCheck) -> None:
    reached.certificate = _better(reached.certificate, OK if e.failure is None else "bad")
    if reached.certificate != OK:
        reached.certificate_failure = e.failure
        reached.certificate_names = (e.subject, e.issuer)
