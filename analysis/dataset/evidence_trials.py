"""What the evidence of a measurement tells beside its verdict, as tests: `TestRow`.

Rule: facts of the probe's plain pass, one row for each operation that a hypothesis asks for by
name (``docs/hypotheses.md``): addresses connected to, certificates, the page's status, server
and text, whither plain HTTP was sent, what the network's own and a public resolver said, and
what transfers came to. What a verdict says of them is another matter, and no row is made where
nothing was tried. A failure that the line itself may have made (no route, broken IPv6) is no row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from analysis.history.table import TestRow, host_of
from analysis.observe.services import is_service
from analysis.observe.sight import place
from probe.evidence import (
    PROBE,
    CertificateCheck,
    DNSExchange,
    HTTPExchange,
    Measurement,
    Run,
    TCPConnect,
    Transfer,
)  # fmt: skip
from probe.store import Store, StoreError

# Failures of a connection that speak of the other end or the way, not of this machine.
THEIRS = ("generic_timeout_error", "timed_out", "connection_refused", "connection_reset")
LONGEST = 100  # characters of a result that a server chose


def of_runs(store: Store, runs: Iterable[Run]) -> Iterator[TestRow]:
    """The rows of all measurements of *runs*; follow-ups have rungs, and are none. A run that
    cannot be read is told where its observations are read, and is left out here."""
    for run in runs:
        try:
            for measurement in store.measurements(run.id):
                if not measurement.about and not is_service(measurement):
                    yield from evidence_trials(measurement, run)
        except StoreError:
            continue


def evidence_trials(measurement: Measurement, run: Run) -> Iterator[TestRow]:
    """The rows of *measurement*, of *run*; each operation once, in order of the evidence."""
    host = host_of(measurement.url)
    seen: set[TestRow] = set()
    last: HTTPExchange | None = None
    for e in measurement.evidence:
        if e.vantage != PROBE or e.step:
            continue
        if isinstance(e, HTTPExchange):
            if e.status is not None and e.url and host_of(e.url) == host:
                last = e if last is None or e.depth >= last.depth else last
        for test, result, value, ip, port in _of(e, host):
            row = TestRow(
                measurement_id=measurement.id, measured_at=measurement.started_at,
                probe_cc=run.probe_cc, probe_asn=run.probe_asn, url=measurement.url, host=host,
                ip=ip, port=port, test=test, result=result, value=value,
            )  # fmt: skip
            if row not in seen:
                seen.add(row)
                yield row
    if last is not None:
        for test, result, value in _page(last):
            yield TestRow(
                measurement_id=measurement.id, measured_at=measurement.started_at,
                probe_cc=run.probe_cc, probe_asn=run.probe_asn, url=measurement.url, host=host,
                ip=last.ip, port=last.port, test=test, result=result, value=value,
            )  # fmt: skip


_Trial = tuple[str, str, float, str, int]  # test, result, value, address, port


def _of(e: object, host: str) -> Iterator[_Trial]:
    match e:
        case TCPConnect(failure=None, held=0.0) if e.depth == 0:
            yield "tcp_connect", "works", -1.0, e.ip, e.port
            yield "rtt", "works", _milliseconds(e.t - e.t0), e.ip, e.port
        case TCPConnect(held=0.0) if e.depth == 0 and ":" not in e.ip and e.failure in THEIRS:
            yield "tcp_connect", "fails", -1.0, e.ip, e.port
        case CertificateCheck(hostname=name) if name == host:
            unknown = e.failure == "ssl_unknown_authority"
            found = "valid" if e.failure is None else "forged" if unknown else "bad"
            yield "certificate", found, -1.0, e.ip, e.port
        case DNSExchange(hostname=name, rdtype="A" | "ANY") if name == host:
            whose = "isp_a" if e.own else "public_a"
            answered = e.failure is None and any(a.addresses for a in e.answers)
            if answered or e.failure is not None:
                took = _milliseconds(e.t - e.t0) if answered else -1.0
                yield whose, "works" if answered else "fails", took, "", 0
        case HTTPExchange(tls=False, status=int()) if host_of(e.url) == host:
            sent = place(e.location or "")
            upgraded = sent.tls and sent.host in (host, f"www.{host}")
            yield "scheme", "upgraded" if upgraded else "kept", -1.0, e.ip, e.port
        case Transfer(whole=True) if e.received and e.seconds > 0:
            rate = e.received * 8 / 1000 / e.seconds
            yield "goodput", "works", round(rate, 1), e.ip, e.port


def _page(page: HTTPExchange) -> Iterator[tuple[str, str, float]]:
    """Status, server and text of the page at which the target's own path ends."""
    status = page.status or 0
    yield "status", str(status), float(status)
    server = next((v for k, v in page.headers if k.lower() == "server"), "")
    if server.strip():
        yield "server", server.strip().lower()[:LONGEST], -1.0
    text = page.title or page.body_sha256
    if text:
        # A refusal carries the visitor's address and a number of its own: its bytes differ
        # each time, its status and title do not.
        digest = hashlib.sha256(f"{status} {text}".encode("utf-8", "replace"))
        yield "body_hash", digest.hexdigest()[:16], -1.0


def _milliseconds(seconds: float) -> float:
    return round(max(0.0, seconds) * 1000, 1)
