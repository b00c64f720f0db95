"""What to accuse: where this place differs from the controls. Pure; facts, no verdict.

Generous on purpose, since accusing here only means to look again: what differs because
of a content network, a lost packet or a bad mood is cleared by the ladder. Where no
control answered, every failure is looked at again, for the ladder needs no control.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from probe.addresses import family, is_public
from probe.compare import same_page
from probe.evidence import (
    PROBE,
    AnyEvidence,
    CertificateCheck,
    ControlQuery,
    DNSExchange,
    HTTPExchange,
    QUICHandshake,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure
from probe.ladder.rung import Accused, Layer
from probe.wire.url import URL, BadURL, parse

MAX_ACCUSED = 4  # of one target; each has a ladder of its own
LAYERS: tuple[Layer, ...] = ("dns", "tcp", "tls", "certificate", "http", "page", "quic", "slow")
_OF = {
    TCPConnect: "tcp", TLSHandshake: "tls", CertificateCheck: "certificate",
    HTTPExchange: "http", QUICHandshake: "quic",
}  # fmt: skip
_FAMILY = {"A": 4, "AAAA": 6}

Slot = tuple[str, str, int]  # layer, address, port


@dataclass
class _Host:
    """What everybody saw of one host name: by layer, address and port, did it ever work?"""

    worked: dict[str, set[Slot]] = field(default_factory=dict)
    failed: dict[Slot, AnyEvidence] = field(default_factory=dict)
    theirs: set[Slot] = field(default_factory=set)  # tried by a control, whatever came
    lookups: list[DNSExchange] = field(default_factory=list)
    known: set[str] = field(default_factory=set)  # addresses that somebody vouches for


def differences(evidence: Sequence[AnyEvidence]) -> tuple[Accused, ...]:
    """What differs, the lowest layer first, at most one of each layer and port of a host."""
    plain = [e for e in evidence if not e.step]
    judged = any(isinstance(e, ControlQuery) and e.failure is None for e in plain)
    hosts: dict[str, _Host] = {}
    for e in plain:
        url = _url(e)
        if url is not None:
            _note(hosts.setdefault(url.host, _Host()), e)
    pages = [e for e in plain if isinstance(e, HTTPExchange)]
    found: list[Accused] = []
    for host in hosts.values():
        found += _accused_answers(host, pages)
        found += _accused_connections(host, judged)
    found += _accused_pages(pages, hosts)
    return _chosen(found)


def _url(e: AnyEvidence) -> URL | None:
    try:
        return parse(e.url)
    except BadURL:
        return None


def _note(host: _Host, e: AnyEvidence) -> None:
    if isinstance(e, DNSExchange):
        if e.vantage == PROBE:
            host.lookups.append(e)
        if e.vantage != PROBE or e.engine in ("dot", "doh"):
            host.known.update(ip for a in e.answers for ip in a.addresses if is_public(ip))
        return
    layer = _OF.get(type(e))
    if layer is None or (isinstance(e, TCPConnect) and e.held):
        return
    slot = (layer, e.ip, e.port)  # type: ignore[union-attr]
    if e.vantage != PROBE:
        host.theirs.add(slot)
    if e.failure is None:
        host.worked.setdefault(e.vantage, set()).add(slot)
        if layer == "certificate":
            host.known.add(slot[1])
    elif e.vantage == PROBE:
        host.failed.setdefault(slot, e)


def _accused_answers(host: _Host, pages: Sequence[HTTPExchange]) -> Iterator[Accused]:
    for e in host.lookups:
        version = _FAMILY.get(e.rdtype)
        truth = {ip for ip in host.known if family(ip) == version}
        url = _url(e)
        if not e.own or e.engine != "udp" or version is None or url is None or not truth:
            continue
        given = set(e.answers[0].addresses) if e.answers else set[str]()
        later = {ip for answer in e.answers[1:] for ip in answer.addresses}
        twice = bool(later) and not later & given and "asked" not in e.detail
        lie = not given & truth and not _served_the_page(given, pages)
        if e.failure is not None or twice or lie:
            resolver, _, port = e.resolver.rpartition(":")
            yield Accused(
                layer="dns", url=url, ip=resolver.strip("[]"), port=int(port),
                how=str(e.failure or ""), depth=e.depth, rdtype=e.rdtype,
            )  # fmt: skip


def _served_the_page(given: set[str], pages: Sequence[HTTPExchange]) -> bool:
    """Whether one of the addresses *given* served a page that a control got as well."""
    theirs = [p for p in pages if p.vantage != PROBE and p.status]
    return any(
        p.vantage == PROBE and p.ip in given and p.status and same_page(p, other)
        for p in pages
        for other in theirs
        if other.url == p.url
    )


def _accused_connections(host: _Host, judged: bool) -> Iterator[Accused]:
    controls = [worked for name, worked in host.worked.items() if name != PROBE]
    mine = host.worked.get(PROBE, set())
    for slot, e in host.failed.items():
        layer, ip, port = slot
        url = _url(e)
        if url is None or slot in mine or (host.known and ip not in host.known):
            continue
        if judged and not any(_contradicts(worked, slot, host) for worked in controls):
            continue
        yield Accused(
            layer=layer, url=_at_port(url, port), ip=ip, port=port,  # type: ignore[arg-type]
            how=str(e.failure), depth=e.depth,
        )  # fmt: skip


def _contradicts(worked: set[Slot], slot: Slot, host: _Host) -> bool:
    layer, ip, port = slot
    if slot in host.theirs:
        return slot in worked
    return any(
        what == layer and at == port and family(other) == family(ip) for what, other, at in worked
    )


def _at_port(url: URL, port: int) -> URL:
    """An http:// URL whose port 443 was looked at as well is accused as its twin."""
    if port != url.port and port in (80, 443) and url.default_port:
        return url.with_scheme("https" if port == 443 else "http")
    return url


def _accused_pages(pages: Iterable[HTTPExchange], hosts: dict[str, _Host]) -> Iterator[Accused]:
    pages = list(pages)
    for e in pages:
        url = _url(e)
        if e.vantage != PROBE or e.tls or e.status is None or e.failure is not None:
            continue
        theirs = [p for p in pages if p.url == e.url and p.vantage != PROBE and p.status]
        if url is None or not theirs or any(_alike(e, p) for p in theirs):
            continue
        known = hosts[url.host].known
        if not known or e.ip in known:
            yield Accused(layer="page", url=url, ip=e.ip, port=e.port, depth=e.depth)


def _alike(a: HTTPExchange, b: HTTPExchange) -> bool:
    if a.location or b.location:
        return _host_of(a.location) == _host_of(b.location)
    return same_page(a, b)


def _host_of(location: str | None) -> str:
    try:
        return parse(location or "").host
    except BadURL:
        return ""


def _chosen(found: Sequence[Accused]) -> tuple[Accused, ...]:
    """One for each layer, host and port; IPv4 first, since more paths of it are known."""
    order = sorted(
        found,
        key=lambda a: (a.depth, LAYERS.index(a.layer), family(a.ip), a.how == Failure.TIMEOUT),
    )
    chosen: dict[tuple[str, str, int], Accused] = {}
    for accused in order:
        # Where not even a connection comes about, the ladder looks at the other ports.
        port = 0 if accused.layer == "tcp" else accused.port
        chosen.setdefault((accused.layer, accused.host, port), accused)
    # What fails to connect now and then, and else fails later, is accused of the latter.
    later = {(a.host, a.port) for a in chosen.values() if a.layer in ("tls", "http")}
    kept = [a for a in chosen.values() if a.layer != "tcp" or (a.host, a.port) not in later]
    return tuple(kept[:MAX_ACCUSED])
