"""Did this test meet the end that the accused met? One judge for each layer.

A judge answers ``same``, ``free`` or ``other``. Free is only what shows that somebody
else than the censor has answered; what tells neither is other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from analysis.observe.pages import likeness
from analysis.observe.sight import OK, addresses, manner, place, public, quic_manner, tls_manner
from probe.evidence import (
    PROBE,
    AnyEvidence,
    CertificateCheck,
    DNSExchange,
    HTTPExchange,
    Measurement,
    QUICHandshake,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure

SAME, FREE, OTHER = "same", "free", "other"


@dataclass
class Test:
    """One connection or query of a rung. *said* is the name in it, None where there was none.

    *end* is ``ok`` or how the lowest layer that failed did (``tls reset``); *connected* after
    how many seconds the connection stood.
    """

    __test__ = False  # no test of pytest's

    step: str
    ip: str
    port: int
    began: float
    ended: float
    said: str | None = None
    end: str = OK
    alert: int | None = None
    issuer: str = ""
    certified: bool = False
    connected: float = 0.0
    held: bool = False
    page: HTTPExchange | None = None
    exchange: DNSExchange | None = None

    def names(self, host: str) -> bool:
        return self.said is not None and host in self.said.lower()


@dataclass
class Case:
    """What is accused, and what the plain pass knows of it."""

    layer: str
    how: str
    host: str
    url: str
    ip: str
    port: int
    plain: Measurement
    truth: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.truth = frozenset(_known_addresses(self.plain.evidence, self.host))


def _known_addresses(evidence: tuple[AnyEvidence, ...], host: str) -> list[str]:
    """Addresses of *host* that a control, an encrypted resolver or a certificate vouches for."""
    known: list[str] = []
    for e in evidence:
        if place(e.url).host != host:
            continue
        if isinstance(e, DNSExchange) and (e.vantage != PROBE or e.engine in ("dot", "doh")):
            known += (ip for ip in addresses(e) if public(ip))
        elif isinstance(e, CertificateCheck) and e.failure is None:
            known.append(e.ip)
    return known


def judge_of(case: Case) -> Callable[[Test], str]:
    """The judge for the tests of *case*."""
    match case.layer:
        case "tls" | "quic":
            return _Connection(case).judge
        case "certificate":
            return _Certificate(case).judge
        case "http":
            return _Request(case).judge
        case "page":
            return _Page(case).judge
        case "tcp":
            return _Connect(case).judge
        case "dns":
            return _Answer(case).judge
    return lambda test: OTHER


def end(layer: str, how: str) -> str:
    return OK if how == OK else f"{layer} {how}"


class _Connection:
    """A handshake that fails. An alert is an answer, unless it is the accused one."""

    def __init__(self, case: Case) -> None:
        self.layer = case.layer
        self.alert: int | None = None
        self.expected = end(case.layer, manner(_failure(case.how)))
        for e in case.plain.evidence:
            if isinstance(e, TLSHandshake) and (e.ip, e.port) == (case.ip, case.port):
                if e.vantage == PROBE and str(e.failure or "") == case.how:
                    self.expected, self.alert = end("tls", tls_manner(e)), e.alert
            if isinstance(e, QUICHandshake) and (e.ip, case.layer) == (case.ip, "quic"):
                if e.vantage == PROBE and str(e.failure or "") == case.how:
                    self.expected, self.alert = end("quic", quic_manner(e)), e.error_code

    def judge(self, test: Test) -> str:
        if test.held:
            return SAME if test.end in ("tcp reset", "tcp closed") else FREE
        if test.end == self.expected and test.alert == self.alert:
            return SAME
        # A certificate, be it for the name in front of an encrypted one, is an answer.
        answered = test.end == OK or bool(test.issuer) or test.end.startswith("http")
        # So is an alert, but for the name itself at its own place: that is refused by it.
        refused = test.alert is not None and not test.step.startswith("again")
        if answered or (refused and self.alert != test.alert):
            return FREE
        # A web server answers a hello on a port of another protocol with what is no TLS.
        return FREE if test.end == "tls closed" and test.step == "name_on_other_port" else OTHER


class _Certificate:
    """A certificate by somebody else: the same end is one by the same issuer."""

    def __init__(self, case: Case) -> None:
        self.issuers = {
            e.issuer
            for e in case.plain.evidence
            if isinstance(e, CertificateCheck) and e.vantage == PROBE and e.failure is not None
            and (e.ip, e.port) == (case.ip, case.port)
        }  # fmt: skip

    def judge(self, test: Test) -> str:
        if test.certified:
            return FREE
        if test.issuer:
            return SAME if test.issuer in self.issuers else FREE
        return FREE if test.alert is not None else OTHER


class _Request:
    """A request that fails: any answer to it is free."""

    def __init__(self, case: Case) -> None:
        self.expected = end("http", manner(_failure(case.how)))

    def judge(self, test: Test) -> str:
        if test.held:
            return SAME if test.end in ("tcp reset", "tcp closed") else FREE
        if test.end == self.expected:
            return SAME
        return FREE if test.page is not None and test.end == OK else OTHER


class _Page:
    """A page that others do not get: the same redirect, or a page like it."""

    def __init__(self, case: Case) -> None:
        self.page = next(
            (
                e
                for e in case.plain.evidence
                if isinstance(e, HTTPExchange) and e.vantage == PROBE and e.url == case.url
                and e.ip == case.ip and e.status is not None
            ),
            None,
        )  # fmt: skip

    def judge(self, test: Test) -> str:
        page, accused = test.page, self.page
        if page is None or page.status is None or accused is None:
            return OTHER
        if accused.location or page.location:
            # Sites that do not know a name redirect to it, too: only the same place counts.
            there, here = place(accused.location or ""), place(page.location or "")
            return SAME if there.host and there.host == here.host else FREE
        return SAME if likeness(page, accused) in ("same", "similar") else FREE


class _Connect:
    """A connection that does not come about."""

    def __init__(self, case: Case) -> None:
        self.expected = end("tcp", manner(_failure(case.how)))
        self.open = {
            (e.ip, e.port)
            for e in case.plain.evidence
            if isinstance(e, TCPConnect) and e.vantage != PROBE and e.failure is None
        }

    def judge(self, test: Test) -> str:
        if test.end == OK or (test.end == "tcp refused" and self.expected != test.end):
            return FREE
        if test.end != self.expected:
            return OTHER
        # A port that no control has seen open may be as closed for everybody.
        told = test.step != "other_port" or (test.ip, test.port) in self.open
        return SAME if told else OTHER


class _Answer:
    """A lie: the same failure, or an address that nobody vouches for."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.failure = _failure(case.how)
        self.lies = {
            ip
            for e in case.plain.evidence
            if isinstance(e, DNSExchange) and e.vantage == PROBE and e.engine not in ("dot", "doh")
            and e.hostname.rstrip(".") == case.host
            for ip in addresses(e)
        } - case.truth  # fmt: skip

    def judge(self, test: Test) -> str:
        e = test.exchange
        if e is None:
            return OTHER
        given = set(addresses(e))
        if test.step == "bare_dns":  # where nobody is to answer, any answer is one too many
            return SAME if e.answers else FREE
        if (self.failure is not None and e.failure == self.failure) or given & self.lies:
            return SAME
        if test.said and test.said.lower() == self.case.host:
            if given & self.case.truth:
                return FREE
            return SAME if given and self.case.truth else OTHER
        told = given or e.failure in (Failure.DNS_NXDOMAIN, Failure.DNS_NO_ANSWER)
        return FREE if told else OTHER


def _failure(how: str) -> Failure | None:
    try:
        return Failure(how)
    except ValueError:
        return None
