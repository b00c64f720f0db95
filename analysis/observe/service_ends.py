"""Where the way to each endpoint of a service ends, from the evidence of one measurement.

An endpoint is a host name with all its addresses (WhatsApp, Signal), an address and port
(Telegram's data centres), a relay, a resolver, a client's bootstrap, a server that echoes.
What worked once works: a failure beside a success is what a lossy line does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from analysis import fingerprints, signers
from analysis.observe.echo import echo_end
from analysis.observe.sight import (
    answered,
    is_literal,
    manner,
    place,
    public,
    quic_manner,
    tls_manner,
)
from analysis.services import Part, authorities, known, part_of, part_of_host, version
from probe.evidence import (
    PROBE,
    AnyEvidence,
    Bootstrap,
    CertificateCheck,
    DNSExchange,
    Echo,
    HTTPExchange,
    Measurement,
    QUICHandshake,
    Reach,
    RelayLink,
    Run,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure

WORKS = "works"
MOST = 1_000  # endpoints of one measurement that have a row
MOST_HOSTS = 100  # names of one service; WhatsApp's nettest asks for 19
_CERTIFICATE = frozenset(
    {Failure.TLS_INVALID_HOSTNAME, Failure.TLS_UNKNOWN_AUTHORITY, Failure.TLS_INVALID_CERTIFICATE}
)
_DNS = {
    Failure.DNS_NXDOMAIN: "nxdomain",
    Failure.DNS_REFUSED: "refused",
    Failure.DNS_SERVFAIL: "servfail",
    Failure.DNS_NO_ANSWER: "empty",
    Failure.ANDROID_NO_DATA: "empty",
    Failure.DNS_BOGON: "bogon",
    Failure.DNS_TEMPORARY: "silence",
    Failure.TIMEOUT: "silence",
    Failure.TIMED_OUT: "silence",
}

# Schemes by which a service of `analysis.services` is reached that is not named so.
_SERVICES = {
    "doh": "dns", "dot": "dns", "doq": "dns", "socks5": "proxy", "http-proxy": "proxy",
}  # fmt: skip
_MISLED = ("dns", "substituted")
_SCHEMES = {"non_tor_tls": "tls"}  # of looks that are not Tor's, at a relay's own port
_CLOCK = "clock_skew"  # as Tor calls it, in capitals
_CLASSES = {"vanilla": "vanilla_bridge"}  # a bridge without a transport


@dataclass(frozen=True, kw_only=True)
class End:
    """How one endpoint fared; the words are those of the `Observation`'s service columns.

    *ips* are all addresses that were tried for it. *answered*: something beyond our own resolver
    did, so that the line carries. *tries* counts how often it was tried.
    """

    url: str
    part: Part
    ip: str = ""
    port: int = 0
    end: str = WORKS
    how: str = ""
    proof: str = ""
    progress: int = -1
    channel: str = ""
    ips: tuple[str, ...] = ()
    answered: bool = True
    tries: int = 1


def ends(measurement: Measurement, run: Run, vantage: str = PROBE) -> list[End]:
    """Every endpoint of *measurement* that *vantage* tried, in the order in which it appears."""
    seen = [e for e in measurement.evidence if e.vantage == vantage]
    targets = {part.target for part in known()[measurement.nettest]}
    found: list[End] = []
    for target, read in _READERS.items():
        if target in targets:
            found += islice(read(measurement, run, seen), MOST)
    return found


def _relays(measurement: Measurement, run: Run, seen: Sequence[AnyEvidence]) -> Iterator[End]:
    by_url = _by_url(seen)
    links: dict[tuple[str, str], list[RelayLink]] = {}
    for e in seen:
        if isinstance(e, RelayLink):
            where = e.key or f"{_bracketed(e.ip)}:{e.port}"
            links.setdefault((where, e.relay), []).append(e)
    for (where, relay), tries in links.items():
        part = part_of(measurement.nettest, "relay", _CLASSES.get(relay, relay))
        if part is None:
            continue
        e = next((link for link in tries if link.failure is None), tries[0])
        end, how, proof = WORKS, "", ""
        records = _on_the_way(e, by_url)
        pages = [p for p in records if isinstance(p, HTTPExchange)]
        if e.failure is not None:
            end, how = _link_end(e, records)
        elif any(_is_block_page(page, run.probe_cc) for page in pages):
            end, how, proof = "http", "blockpage", "fingerprint"
        yield End(
            url=f"{_SCHEMES.get(relay, 'tor')}://{where}", part=part, ip=e.ip, port=e.port, end=end,
            how=how, proof=proof, channel=e.channel, tries=len(tries),
        )


def _reaches(measurement: Measurement, run: Run, seen: Sequence[AnyEvidence]) -> Iterator[End]:
    """Endpoints of a nettest of ours, each with a record of the whole."""
    by_url = _by_url(seen)
    reached: dict[str, list[Reach]] = {}
    beside: dict[str, list[Reach]] = {}
    for e in seen:
        if isinstance(e, Reach):
            (beside if e.step else reached).setdefault(e.url or measurement.url, []).append(e)
    for url, tries in reached.items():
        e = next((reach for reach in tries if reach.failure is None), tries[0])
        part = part_of(measurement.nettest, "reach", e.part, _service_of(e))
        if part is None:
            continue
        records = _on_the_way(e, by_url)
        end, how = (WORKS, "") if e.failure is None else _reach_end(e, records)
        there = next((reach for reach in beside.get(url, ()) if reach.failure is None), None)
        if there is not None and end not in (WORKS, "dns"):
            end, how = _elsewhere_works(measurement, run, e, there, (end, how))
        met = tuple(dict.fromkeys(reach.ip for reach in tries if reach.ip))
        yield End(
            url=url, part=part, ip=e.ip, port=e.port, end=end, how=how, ips=met,
            answered=e.failure is None, tries=len(tries),
        )


def _service_of(reach: Reach) -> str:
    return _SERVICES.get(reach.service, reach.service)


def _elsewhere_works(
    measurement: Measurement, run: Run, lost: Reach, there: Reach, stood: tuple[str, str]
) -> tuple[str, str]:
    """What it means that *lost*, which ended as *stood* says, works where others say it is.

    An address of the same network's is one more of the service's own. Who answers at another
    network's and is not the service, or is at home in the country, was put in its place. What
    is silent abroad may also be a content network's dead server: that tells nothing.
    """
    if _of_one_network(measurement, lost, there):
        return WORKS, ""
    whose = measurement.addresses.get(lost.ip)
    domestic = whose is not None and whose.cc == run.probe_cc != "ZZ"
    return _MISLED if stood[0] != "tcp" or domestic else ("elsewhere", stood[1])


def _of_one_network(measurement: Measurement, one: Reach, other: Reach) -> bool:
    """Whether one autonomous system announces the addresses of both; False where not known."""
    systems = [measurement.addresses.get(reach.ip) for reach in (one, other)]
    return len({system.asn if system else 0 for system in systems} - {0}) == 1 and all(systems)


def _reach_end(reach: Reach, records: Sequence[AnyEvidence]) -> tuple[str, str]:
    """The layer at which *reach* failed: by the *records* of its way, else by its own word."""
    failed = [e for e in records if e.failure is not None]
    if reach.operation == "resolve":
        asked = [e for e in records if isinstance(e, DNSExchange)]
        lookups = [e for e in asked if e.own] or asked
        given = [ip for e in lookups for answer in e.answers for ip in answer.addresses]
        return "dns", _unresolved(lookups, given)
    for e in failed:
        if isinstance(e, CertificateCheck):
            return "certificate", "bad"
    if reach.operation == "truth":
        return "answer", "untrue"
    if reach.operation == "answer":
        return "http" if reach.service == "http-proxy" else "answer", manner(reach.failure)
    return _link_end(reach, failed)


def _by_url(seen: Sequence[AnyEvidence]) -> dict[str, list[AnyEvidence]]:
    found: dict[str, list[AnyEvidence]] = {}
    for e in seen:
        found.setdefault(e.url, []).append(e)
    return found


def _on_the_way(
    whole: RelayLink | Reach, by_url: Mapping[str, Sequence[AnyEvidence]]
) -> list[AnyEvidence]:
    """What was done for *whole*: its transaction, or all of its URL where it has none."""
    if not whole.transaction:
        return list(by_url[whole.url])
    # A directory is asked over http:// at a port whose URL is tor://.
    return [e for found in by_url.values() for e in found if e.transaction == whole.transaction]


def _link_end(link: RelayLink | Reach, records: Sequence[AnyEvidence]) -> tuple[str, str]:
    """The layer at which *link* failed: by the *records* of its way, else by its own word."""
    for e in records:
        if e.failure is None:
            continue
        if isinstance(e, TCPConnect):
            return "tcp", manner(e.failure)
        if isinstance(e, TLSHandshake):
            return "tls", tls_manner(e)
        if isinstance(e, HTTPExchange):
            return "http", manner(e.failure)
        if isinstance(e, QUICHandshake):
            return "quic", quic_manner(e)
    by_operation = {"connect": "tcp", "tls_handshake": "tls", "http_round_trip": "http"}
    if link.failure in _CERTIFICATE:
        return "certificate", "bad"  # whoever answered is not the relay
    return by_operation.get(link.operation, "link"), manner(link.failure)


def _addresses(measurement: Measurement, run: Run, seen: Sequence[AnyEvidence]) -> Iterator[End]:
    """Endpoints that have no name: addresses that no lookup gave, each with its port."""
    part = part_of(measurement.nettest, "address")
    assert part is not None
    lookups = [e for e in seen if isinstance(e, DNSExchange)]
    named = {ip for e in lookups for answer in e.answers for ip in answer.addresses}
    named |= {
        e.ip for e in seen
        if isinstance(e, TLSHandshake | HTTPExchange) and place(e.url).host not in ("", e.ip)
    }
    tried: dict[tuple[str, int], list[AnyEvidence]] = {}
    for e in seen:
        if isinstance(e, TCPConnect | HTTPExchange) and e.ip and e.ip not in named:
            tried.setdefault((e.ip, e.port), []).append(e)
    scheme = measurement.nettest
    for (ip, port), records in tried.items():
        end, how = _best(records)
        pages = [e for e in records if isinstance(e, HTTPExchange)]
        proof = ""
        if any(_is_block_page(e, run.probe_cc) for e in pages):
            end, how, proof = "http", "blockpage", "fingerprint"
        elif end == WORKS and pages and all(300 <= (e.status or 0) < 400 for e in pages):
            end, how = "http", "redirect"  # what speaks no HTTP has nowhere to send us
        url = f"{scheme}://{_bracketed(ip)}:{port}"
        yield End(url=url, part=part, ip=ip, port=port, end=end, how=how, proof=proof)


def _tried(measurement: Measurement, run: Run, seen: Sequence[AnyEvidence]) -> Iterator[End]:
    """Addresses of names, one by one: a block of some of them shows in no name's row."""
    part = part_of(measurement.nettest, "tried")
    assert part is not None
    lookups = [e for e in seen if isinstance(e, DNSExchange)]
    named = {ip for e in lookups for answer in e.answers for ip in answer.addresses}
    tries: dict[tuple[str, int], list[TCPConnect]] = {}
    for e in seen:
        if isinstance(e, TCPConnect) and e.ip in named and public(e.ip):
            tries.setdefault((e.ip, e.port), []).append(e)
    for (ip, port), connects in tries.items():
        stood = _connected(connects)
        yield End(
            url=f"{measurement.nettest}://{_bracketed(ip)}:{port}", part=part, ip=ip, port=port,
            end=WORKS if stood else "tcp", how="" if stood else manner(connects[0].failure),
        )


def _best(records: Sequence[AnyEvidence]) -> tuple[str, str]:
    """How far connections without a name get: the highest layer tried, by its best try."""
    for kind, layer in ((HTTPExchange, "http"), (TCPConnect, "tcp")):
        tries = [e for e in records if isinstance(e, kind)]
        if any(e.failure is None for e in tries):
            return WORKS, ""
        # A request that failed because nothing could be connected to is no request.
        if tries and (layer == "tcp" or _connected(records)):
            return layer, manner(tries[0].failure)
    tries = [e for e in records if isinstance(e, HTTPExchange)]
    return "tcp", manner(tries[0].failure) if tries else ""


def _connected(records: Iterable[AnyEvidence]) -> bool:
    return any(isinstance(e, TCPConnect) and e.failure is None for e in records)


def _hosts(measurement: Measurement, run: Run, seen: Sequence[AnyEvidence]) -> Iterator[End]:
    hosts: dict[str, list[AnyEvidence]] = {}
    for e in seen:
        host = _host_of(e)
        if host:
            hosts.setdefault(host, []).append(e)
    verified = {
        e.hostname for e in seen if isinstance(e, CertificateCheck) and e.failure is None
    }
    found = 0
    for host, records in hosts.items():
        part = part_of_host(measurement.nettest, host)
        if part is None or part.needed == "ignored" or found == MOST_HOSTS:
            continue
        found += 1
        end = _host_end(measurement, run, seen, host, records, part, bool(verified - {host}))
        if end is not None:
            yield end


def _host_of(e: AnyEvidence) -> str:
    match e:
        case DNSExchange():
            host = e.hostname
        case TLSHandshake():
            host = e.sni or ""
        case CertificateCheck():
            host = e.hostname
        case HTTPExchange():
            host = place(e.url).host
        case _:
            return ""
    return host.lower().rstrip(".")


def _host_end(
    measurement: Measurement, run: Run, seen: Sequence[AnyEvidence], host: str,
    records: Sequence[AnyEvidence], part: Part, others_verified: bool,
) -> End | None:  # fmt: skip
    """How *host* fared; None where it resolved and nothing was tried there."""
    lookups = [e for e in records if isinstance(e, DNSExchange)]
    given = [ip for e in lookups for answer in e.answers for ip in answer.addresses]
    good = {ip for ip in given if public(ip)}
    connects = [e for e in seen if isinstance(e, TCPConnect) and _leads_to(e, host, good)]
    shakes = [e for e in records if isinstance(e, TLSHandshake)]
    checks = [e for e in records if isinstance(e, CertificateCheck)]
    pages = [e for e in records if isinstance(e, HTTPExchange)]
    met = [e.ip for e in shakes] + [e.ip for e in connects] + [e.ip for e in pages] + given
    ip = next(filter(None, met), "")
    url = f"{measurement.nettest}://{host}"

    tried = tuple(dict.fromkeys(filter(None, met)))
    heard = _connected(connects) or any(e.failure is None for e in shakes)
    heard = heard or any(map(answered, pages))

    def ended(end: str, how: str = "", proof: str = "") -> End:
        return End(
            url=url, part=part, ip=ip, end=end, how=how, proof=proof, ips=tried, answered=heard
        )

    certified = any(e.failure is None for e in checks)
    if not certified and any(_blocks(e, run.probe_cc) for e in given):
        return ended("dns", "substituted", "fingerprint")
    if not certified and any(_is_block_page(e, run.probe_cc) for e in pages):
        return ended("http", "blockpage", "fingerprint")
    if lookups and not good and not certified and not any(map(answered, pages)):
        how = _unresolved(lookups, given)
        # Whose the lie is, is known only where the resolver is the access network's own.
        own = 0 < run.resolver_asn == run.probe_asn
        return ended("dns", how, "bogon" if how == "bogon" and own else "")
    if connects and not _connected(connects) and not shakes and not any(map(answered, pages)):
        return ended("tcp", manner(connects[0].failure))
    bad = [e for e in checks if e.failure is not None]
    if shakes and not certified and all(e.failure is not None for e in shakes):
        broken = [e for e in shakes if e.failure not in _CERTIFICATE]
        if broken and not bad:
            return ended("tls", tls_manner(broken[0]))
    if not certified and (bad or any(e.failure in _CERTIFICATE for e in shakes)):
        how = _certificate(measurement, bad, shakes, others_verified)
        return ended("certificate", how, "forged" if how == "forged" else "")
    secure = [e for e in pages if e.tls]
    if secure and not any(map(answered, secure)):
        failure = next((e.failure for e in secure if e.failure is not None), None)
        return ended("http", manner(failure) if failure else "other")
    if not (connects or shakes or pages) and part.needed != "name":
        return None
    return ended(WORKS)


def _leads_to(e: TCPConnect, host: str, good: set[str]) -> bool:
    return e.ip in good or (bool(e.url) and place(e.url).host == host)


def _unresolved(lookups: Sequence[DNSExchange], given: Sequence[str]) -> str:
    if given:
        return "bogon"
    hows = [_DNS.get(e.failure, "other") for e in lookups if e.failure is not None]
    # Asked for both families, the one without a record says nothing about the name.
    telling = [how for how in hows if how != "empty"]
    return (telling or hows or ["empty"])[0]


def _certificate(
    measurement: Measurement, bad: Sequence[CertificateCheck], shakes: Sequence[TLSHandshake],
    others_verified: bool,
) -> str:  # fmt: skip
    shown = {hashlib.sha256(der).hexdigest() for e in shakes for der in e.chain}
    shown |= {digest for e in shakes for digest in e.chain_sha256}
    own = [a for digest in shown if (a := authorities().get((measurement.nettest, digest)))]
    if own:
        return "outdated" if version(measurement.nettest_version) < own[0].known_since else "own"
    issuers = [e.issuer for e in bad if e.issuer]
    kinds = {signers.kind_of(issuer) for issuer in issuers}
    if kinds & {"program", "gateway"}:
        return "replaced"
    failures = {e.failure for e in (*bad, *shakes)} & _CERTIFICATE
    expired = failures == {Failure.TLS_INVALID_CERTIFICATE}  # ours or theirs: nobody forges that
    return "forged" if others_verified and not expired and (issuers or shown) else "bad"


def _blocks(ip: str, country: str) -> bool:
    return any(f.confirms and f.country == country for f in fingerprints.in_value("dns_answer", ip))


def _is_block_page(page: HTTPExchange, country: str) -> bool:
    found = [] if page.tls else fingerprints.in_page(page)
    if page.location:
        found += fingerprints.in_value("location", page.location)
    return any(f.confirms and f.country == country for f in found)


def _resolvers(measurement: Measurement, run: Run, seen: Sequence[AnyEvidence]) -> Iterator[End]:
    part = part_of(measurement.nettest, "resolver")
    assert part is not None
    tried: dict[str, list[AnyEvidence]] = {}
    for e in seen:
        tried.setdefault(e.url or measurement.url, []).append(e)
    asked_any = False
    for url, records in tried.items():
        asked = [e for e in records if isinstance(e, DNSExchange) and not e.own]
        if not asked:
            continue
        asked_any = True
        met = [e.ip for e in records if isinstance(e, TCPConnect | TLSHandshake)]
        ip = next(iter(met), place(url).host if is_literal(place(url).host) else "")
        end, how = _asked(asked, records)
        yield End(url=url, part=part, ip=ip, port=place(url).port, end=end, how=how)
    named = [e for e in seen if isinstance(e, DNSExchange) and e.own]
    if named and not asked_any and all(e.failure is not None for e in named):
        how = _unresolved(named, ())  # the resolver's own name does not resolve
        yield End(url=measurement.url, part=part, end="dns", how=how)


def _asked(asked: Sequence[DNSExchange], records: Sequence[AnyEvidence]) -> tuple[str, str]:
    if any(e.failure is None for e in asked):
        return WORKS, ""
    for e in records:
        if e.failure is None:
            continue
        if isinstance(e, TCPConnect) and not _connected(records):
            return "tcp", manner(e.failure)
        if isinstance(e, TLSHandshake):
            if e.failure in _CERTIFICATE:
                return "certificate", "bad"
            return "tls", tls_manner(e)
    failure = asked[0].failure
    return "dns", _DNS.get(failure, manner(failure)) if failure else "other"


def _bootstraps(measurement: Measurement, run: Run, seen: Sequence[AnyEvidence]) -> Iterator[End]:
    for e in seen:
        if isinstance(e, Bootstrap):
            part = part_of(measurement.nettest, "bootstrap", e.transport)
            assert part is not None
            done = e.failure is None and e.progress in (-1, 100)
            how = _CLOCK if _CLOCK.upper() in e.troubles else (e.stage or "unknown")[:40]
            yield End(
                url=measurement.url, part=part, end=WORKS if done else "bootstrap",
                how="" if done else how, progress=e.progress,
            )
            return


def _echoes(measurement: Measurement, run: Run, seen: Sequence[AnyEvidence]) -> Iterator[End]:
    part = part_of(measurement.nettest, "echo")
    assert part is not None
    echoes = [e for e in seen if isinstance(e, Echo)]
    if echoes:
        end, how = echo_end(echoes)
        ip = next((e.ip for e in echoes if e.ip), "")
        yield End(url=measurement.url, part=part, ip=ip, end=end, how=how)


def _bracketed(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip


_READERS: dict[str, Callable[[Measurement, Run, Sequence[AnyEvidence]], Iterator[End]]] = {
    "relay": _relays, "address": _addresses, "host": _hosts, "tried": _tried,
    "reach": _reaches, "resolver": _resolvers, "bootstrap": _bootstraps, "echo": _echoes,
}  # fmt: skip
