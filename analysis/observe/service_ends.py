"""Where the way to each endpoint of a service ends, from the evidence of one measurement.

An endpoint is a host name with all its addresses (WhatsApp, Signal), an address and port
(Telegram's data centres), a relay, a resolver, a client's bootstrap, a server that echoes.
What worked once works: a failure beside a success is what a lossy line does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from analysis.observe.echo import echo_end
from analysis.observe.service_end import (
    BAD_CERTIFICATE,
    DNS_MANNERS,
    WORKS,
    End,
    bracketed,
    connected,
    is_block_page,
    unresolved,
)
from analysis.observe.service_names import hosts
from analysis.observe.service_reach import reaches, relays
from analysis.observe.sight import is_literal, manner, place, public, tls_manner
from analysis.services import known, part_of
from probe.evidence import (
    PROBE,
    AnyEvidence,
    Bootstrap,
    DNSExchange,
    Echo,
    HTTPExchange,
    Measurement,
    Run,
    TCPConnect,
    TLSHandshake,
)

MOST = 1_000  # endpoints of one measurement that have a row
_CLOCK = "clock_skew"  # as Tor calls it, in capitals


def ends(measurement: Measurement, run: Run, vantage: str = PROBE) -> list[End]:
    """Every endpoint of *measurement* that *vantage* tried, in the order in which it appears."""
    seen = [e for e in measurement.evidence if e.vantage == vantage]
    targets = {part.target for part in known()[measurement.nettest]}
    found: list[End] = []
    for target, read in _READERS.items():
        if target in targets:
            found += islice(read(measurement, run, seen), MOST)
    return found


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
        if any(is_block_page(e, run.probe_cc) for e in pages):
            end, how, proof = "http", "blockpage", "fingerprint"
        elif end == WORKS and pages and all(300 <= (e.status or 0) < 400 for e in pages):
            end, how = "http", "redirect"  # what speaks no HTTP has nowhere to send us
        url = f"{scheme}://{bracketed(ip)}:{port}"
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
        stood = connected(connects)
        yield End(
            url=f"{measurement.nettest}://{bracketed(ip)}:{port}", part=part, ip=ip, port=port,
            end=WORKS if stood else "tcp", how="" if stood else manner(connects[0].failure),
        )


def _best(records: Sequence[AnyEvidence]) -> tuple[str, str]:
    """How far connections without a name get: the highest layer tried, by its best try."""
    for kind, layer in ((HTTPExchange, "http"), (TCPConnect, "tcp")):
        tries = [e for e in records if isinstance(e, kind)]
        if any(e.failure is None for e in tries):
            return WORKS, ""
        # A request that failed because nothing could be connected to is no request.
        if tries and (layer == "tcp" or connected(records)):
            return layer, manner(tries[0].failure)
    tries = [e for e in records if isinstance(e, HTTPExchange)]
    return "tcp", manner(tries[0].failure) if tries else ""


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
        how = unresolved(named, ())  # the resolver's own name does not resolve
        yield End(url=measurement.url, part=part, end="dns", how=how)


def _asked(asked: Sequence[DNSExchange], records: Sequence[AnyEvidence]) -> tuple[str, str]:
    if any(e.failure is None for e in asked):
        return WORKS, ""
    for e in records:
        if e.failure is None:
            continue
        if isinstance(e, TCPConnect) and not connected(records):
            return "tcp", manner(e.failure)
        if isinstance(e, TLSHandshake):
            if e.failure in BAD_CERTIFICATE:
                return "certificate", "bad"
            return "tls", tls_manner(e)
    failure = asked[0].failure
    return "dns", DNS_MANNERS.get(failure, manner(failure)) if failure else "other"


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


_READERS: dict[str, Callable[[Measurement, Run, Sequence[AnyEvidence]], Iterator[End]]] = {
    "relay": relays, "address": _addresses, "host": hosts, "tried": _tried,
    "reach": reaches, "resolver": _resolvers, "bootstrap": _bootstraps, "echo": _echoes,
}  # fmt: skip
