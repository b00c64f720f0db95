"""Where the way to a service ends that has a record of the whole: relays, and nettests of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from analysis.observe.service_end import (
    BAD_CERTIFICATE,
    WORKS,
    End,
    bracketed,
    is_block_page,
    unresolved,
)
from analysis.observe.sight import manner, quic_manner, tls_manner
from analysis.services import part_of
from probe.evidence import (
    AnyEvidence,
    CertificateCheck,
    DNSExchange,
    HTTPExchange,
    Measurement,
    QUICHandshake,
    Reach,
    RelayLink,
    Run,
    TCPConnect,
    TLSHandshake,
)

# Schemes by which a service of `analysis.services` is reached that is not named so.
_SERVICES = {
    "doh": "dns", "dot": "dns", "doq": "dns", "socks5": "proxy", "http-proxy": "proxy",
}  # fmt: skip
_MISLED = ("dns", "substituted")
_SCHEMES = {"non_tor_tls": "tls"}  # of looks that are not Tor's, at a relay's own port
_CLASSES = {"vanilla": "vanilla_bridge"}  # a bridge without a transport


def relays(measurement: Measurement, run: Run, seen: Sequence[AnyEvidence]) -> Iterator[End]:
    by_url = _by_url(seen)
    links: dict[tuple[str, str], list[RelayLink]] = {}
    for e in seen:
        if isinstance(e, RelayLink):
            where = e.key or f"{bracketed(e.ip)}:{e.port}"
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
        elif any(is_block_page(page, run.probe_cc) for page in pages):
            end, how, proof = "http", "blockpage", "fingerprint"
        yield End(
            url=f"{_SCHEMES.get(relay, 'tor')}://{where}", part=part, ip=e.ip, port=e.port, end=end,
            how=how, proof=proof, channel=e.channel, tries=len(tries),
        )


def reaches(measurement: Measurement, run: Run, seen: Sequence[AnyEvidence]) -> Iterator[End]:
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
        return "dns", unresolved(lookups, given)
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
    if link.failure in BAD_CERTIFICATE:
        return "certificate", "bad"  # whoever answered is not the relay
    return by_operation.get(link.operation, "link"), manner(link.failure)
