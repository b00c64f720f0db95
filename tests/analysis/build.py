"""Measurements by hand: a site as it is, then what differs here or at a control.

`Scene` collects the records that a probe and its controls would leave. Every helper
writes what the real steps write, so that a test states only what is special about it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from analysis.observations import Observation
from analysis.observe.derive import observe
from analysis.observe.over_run import forger
from analysis.observe.sight import family, place
from analysis.verdict import Verdict, judge
from probe.evidence import (
    PROBE,
    AddressInfo,
    AnyEvidence,
    CanaryCheck,
    CertificateCheck,
    ControlQuery,
    DNSAnswer,
    DNSExchange,
    HTTPExchange,
    Measurement,
    QUICHandshake,
    Run,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure
from probe.wire.page import sketch, title

SITE = "93.184.215.14"  # where the site is
SITE_6 = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
OTHER = "151.101.1.69"  # another address of it, in another network
FORGED = "95.46.44.10"  # where a lie leads
BOTH = ("one", "two")
RINGS = ("domestic", "foreign")
HARMLESS = "www.example.org"
STARTED = 1_790_000_000.0
NETWORKS = {SITE: 15133, SITE_6: 15133, OTHER: 54113, FORGED: 64500}
RUN = Run(
    id="run", started_at=STARTED - 60, ended="done", probe_asn=6697, probe_cc="BY", ipv6=False,
    clock_offset=0.0, captive_portal=False, controls=BOTH,
)


@dataclass(frozen=True)
class Page:
    """A response: text, status and what else the server says."""

    text: str = "<title>Daily News</title>" + "".join(f"<p>story {n} of today" for n in range(60))
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("server", "nginx"), ("content-type", "text/html"))
    location: str | None = None
    failure: Failure | None = None
    detail: str = ""
    truncated: bool = False


NEWS = Page()
BLOCK = Page("<title>Access restricted</title><p>This resource is restricted here. Go away now.")


def to(location: str, status: int = 301) -> Page:
    return Page("", status=status, location=location, headers=(("location", location),))


@dataclass
class Scene:
    url: str = "https://news.example/"
    evidence: list[AnyEvidence] = field(default_factory=list)
    canaries: list[CanaryCheck] = field(default_factory=list)
    run: Run = RUN
    networks: dict[str, int] = field(default_factory=lambda: dict(NETWORKS))
    quic_elsewhere: str = ""
    climbs: list[Measurement] = field(default_factory=list)

    # What the resolvers say

    def names(
        self,
        host: str = "news.example",
        *,
        own: Sequence[str] | Failure = (SITE,),
        then: Sequence[str] | Failure | None = None,
        public: Sequence[str] | Failure = (SITE,),
        public_then: Sequence[str] | Failure | None = None,
        encrypted: Sequence[str] | Failure | None = (SITE,),
        system: Sequence[str] | Failure | None = None,
    ) -> Scene:
        """The probe's lookups; *then* is a second answer to the same UDP query."""
        said = own if system is None else system
        self._lookup(host, "system", "", "ANY", True, [said])
        self._lookup(host, "udp", "178.124.1.1:53", "A", True, _answers(own, then))
        self._lookup(host, "udp", "8.8.8.8:53", "A", False, _answers(public, public_then))
        if encrypted is not None:
            self._lookup(host, "dot", "9.9.9.9:853", "A", False, [encrypted])
        return self

    def behind(
        self, home: Sequence[str] | Failure, network: Sequence[str] | Failure | None = None,
        host: str = "news.example",
    ) -> Scene:
        """The own resolver is at *home*; the one behind it, where it answers, in the *network*."""
        self.evidence = [e for e in self.evidence if not (isinstance(e, DNSExchange) and e.own)]
        self._lookup(host, "system", "", "ANY", True, [home])
        self._lookup(host, "udp", "192.168.1.1:53", "A", True, [home])
        if network is not None:
            self._lookup(host, "udp", "178.124.1.1:53", "A", False, [network], upstream=True)
        return self

    def _lookup(
        self, host: str, engine: str, resolver: str, rdtype: str, own: bool,
        answers: Sequence[Sequence[str] | Failure], vantage: str = PROBE,
        upstream: bool = False,
    ) -> None:
        read = [_answer(a) for a in answers]
        heard = tuple(a for a, failure in read if failure not in (Failure.TIMEOUT,))
        self.evidence.append(
            DNSExchange(
                vantage=vantage, url=self.url, hostname=host, rdtype=rdtype,
                engine=engine,  # type: ignore[arg-type]
                resolver=resolver, own=own, answers=heard, failure=read[0][1], upstream=upstream,
            )
        )

    def control_names(
        self, *vantages: str, host: str = "news.example",
        says: Sequence[str] | Failure = (SITE,),
    ) -> Scene:
        for vantage in vantages or BOTH:
            self._lookup(host, "doh", "https://dns.example/", "A", False, [says], vantage)
        return self

    # What connections do

    def connect(
        self, url: str | None = None, ip: str = SITE, *, by: Sequence[str] = (PROBE,),
        port: int | None = None, tcp: Failure | None = None, tls: Failure | None = None,
        alert: int | None = None, bad: Failure | None = None, leaf: str = "site",
        subject: str = "CN=news.example", issuer: str = "CN=Good CA", held: Failure | None = None,
        holds: bool = False, depth: int = 0,
    ) -> Scene:
        """TCP, and on port 443 the handshake and the certificate, as far as they go."""
        url = url or self.url
        at = place(url)
        port = port or at.port
        for who in by:
            where = {"vantage": who, "url": url, "depth": depth}
            self.evidence.append(TCPConnect(ip=ip, port=port, failure=tcp, **where))  # type: ignore[arg-type]
            if tcp is not None:
                continue
            if at.tls or port == 443:
                digest = hashlib.sha256(leaf.encode()).hexdigest() if leaf else ""
                self.evidence.append(
                    TLSHandshake(
                        ip=ip, port=port, sni=at.host, failure=tls, alert=alert,
                        chain_sha256=(digest,) if digest and tls is None else (), **where,  # type: ignore[arg-type]
                    )
                )
                if tls is None:
                    self.evidence.append(
                        CertificateCheck(
                            ip=ip, port=port, hostname=at.host, checked_at=STARTED, failure=bad,
                            subject=subject, issuer=issuer, **where,  # type: ignore[arg-type]
                        )
                    )
            if held is not None or holds:
                self.evidence.append(
                    TCPConnect(ip=ip, port=port, failure=held, held=1.5, **where)  # type: ignore[arg-type]
                )
        return self

    def hellos(self, name: str) -> Scene:
        """Whose ClientHello all handshakes so far were that nobody has been named for."""
        self.evidence = [
            msgspec.structs.replace(e, hello=name)
            if isinstance(e, TLSHandshake) and not e.hello else e
            for e in self.evidence
        ]  # fmt: skip
        return self

    def quic(
        self, url: str | None = None, ip: str = SITE, *, by: Sequence[str] = (PROBE,),
        failure: Failure | None = None, error_code: int | None = None,
        bad: Failure | None = None,
    ) -> Scene:
        """A QUIC handshake and, where it is done, its certificate."""
        url = url or self.url
        for who in by:
            where = {"vantage": who, "url": url, "ip": ip, "port": 443, "transaction": 900}
            self.evidence.append(
                QUICHandshake(
                    sni=place(url).host, failure=failure, error_code=error_code,
                    **where,  # type: ignore[arg-type]
                )
            )
            if failure is None:
                self.evidence.append(
                    CertificateCheck(
                        hostname=place(url).host, checked_at=STARTED, failure=bad,
                        **where,  # type: ignore[arg-type]
                    )
                )
        return self

    def page(
        self, page: Page = NEWS, url: str | None = None, ip: str = SITE, *,
        by: Sequence[str] = (PROBE,), depth: int = 0, told: bool = True,
    ) -> Scene:
        """A fetch. *told* is False for a helper that tells no address, hash or sketch."""
        url = url or self.url
        body = page.text.encode()
        got = page.failure is None or page.failure is Failure.HTTP_INVALID_REDIRECT
        for who in by:
            self.evidence.append(
                HTTPExchange(
                    vantage=who, url=url, depth=depth, ip=ip if told else "",
                    port=place(url).port, tls=place(url).tls, failure=page.failure,
                    detail=page.detail, status=page.status if got else None,
                    headers=page.headers if got else (), location=page.location,
                    body_length=len(body) if got else 0, body_truncated=page.truncated,
                    body_sha256=hashlib.sha256(body).hexdigest() if got and told else "",
                    title=title(body) if got else None,
                    sketch=sketch(body) if got and told else "",
                    body=body if got and who == PROBE else None,
                )
            )
        return self

    def visit(
        self, url: str | None = None, page: Page = NEWS, ip: str = SITE, *,
        by: Sequence[str] = (PROBE, *BOTH), depth: int = 0,
    ) -> Scene:
        """All goes well at *url*."""
        self.connect(url, ip, by=by, depth=depth)
        return self.page(page, url, ip, by=by, depth=depth)

    def twin(self, page: Page | None = None, *, by: Sequence[str] = (PROBE, *BOTH)) -> Scene:
        """The other scheme, all well: http:// redirects, https:// shows the page."""
        at = place(self.url)
        other = f"{'http' if at.tls else 'https'}://{at.host}/"
        return self.visit(other, page or (to(self.url) if at.tls else NEWS), by=by)

    def asked(self, *answering: str, silent: Sequence[str] = (), url: str | None = None) -> Scene:
        """The controls that were asked: those that answer and those that do not."""
        for name in (*answering, *silent):
            self.evidence.append(
                ControlQuery(
                    url=url or self.url, control=name, control_url=f"https://{name}.example/",
                    failure=Failure.TIMEOUT if name in silent else None,
                )
            )
        return self

    def canary(
        self, ring: str, at: float = 0.0, failure: Failure | None = None, *,
        name: str = "", family: int = 4, resolver: Failure | None = None, **greeting: Any,
    ) -> Scene:
        """A canary of *ring*, *at* seconds after the measurement's start."""
        self.canaries.append(
            CanaryCheck(
                run_id="run", ring=ring, name=name or f"{ring}.example",  # type: ignore[arg-type]
                at=STARTED + at, family=family, failure=failure, resolver_failure=resolver,
                **greeting,
            )
        )
        return self

    def greeted(
        self, issuer: str = "CN=Good CA", *problems: str, rings: Sequence[str] = RINGS
    ) -> Scene:
        """Two canaries of each of *rings* show certificates of *issuer* with *problems*."""
        for ring in rings:
            for n in range(2):
                self.canary(
                    ring, -5, name=f"{ring}{n}.example", handshake=True, issuer=issuer,
                    problems=problems,
                )
        return self

    # The ladder

    def follow(
        self, layer: str, how: Failure | None, rungs: Mapping[str, str], *, ip: str = SITE,
        port: int = 443, url: str | None = None,
    ) -> Scene:
        """A follow-up of what failed with *how*. Each rung's tests, in order: ``s`` meets the
        same end, ``f`` is answered, ``o`` is silence, ``a`` an alert; ``h`` before it: a
        harmless name."""
        url = url or self.url
        records: list[AnyEvidence] = []
        for rung, tests in rungs.items():
            for number, test in enumerate(tests.split()):
                said = HARMLESS if "h" in test or rung == "harmless" else place(url).host
                where = {"url": url, "step": rung, "transaction": 10 * len(records) + number + 1,
                         "t0": float(len(records)), "t": len(records) + 0.1}
                ends = {
                    "s": how, "f": None, "o": Failure.TIMEOUT, "a": Failure.TLS_FAILED_HANDSHAKE,
                }[test[-1]]
                records += _climbed(layer, ends, said, ip, port, where)
        self.climbs.append(
            Measurement(
                id=f"climb-{len(self.climbs)}", run_id=self.run.id, nettest="diagnosis",
                nettest_version="1", url=self.url, evidence=tuple(records), about="m",
                comparison={
                    "accused": layer, "how": str(how or ""), "accused_url": url, "ip": ip,
                    "port": port, "number": len(self.climbs) + 1,
                },
            )
        )
        return self

    # What comes of it

    def without(self, *controls: str) -> Scene:
        """The same scene had *controls* not been there."""
        left = [
            e for e in self.evidence
            if e.vantage not in controls
            and not (isinstance(e, ControlQuery) and e.control in controls)
        ]
        return replace(self, evidence=left)

    def measurement(self, started: float = STARTED, ident: str = "m") -> Measurement:
        found = {
            ip for e in self.evidence if isinstance(e, DNSExchange)
            for a in e.answers for ip in a.addresses
        }
        found |= {getattr(e, "ip", "") for e in self.evidence} - {""}
        return Measurement(
            id=ident, run_id=self.run.id, nettest="web_connectivity", nettest_version="1.0.0",
            url=self.url, category="NEWS", started_at=started, runtime=5.0,
            evidence=tuple(self.evidence),
            addresses={
                ip: AddressInfo(asn=self.networks.get(ip, 0)) for ip in found if family(ip)
            },
        )

    def row(self) -> Observation:
        return observe(
            self.measurement(), self.run, self.canaries, forger=forger(self.canaries),
            quic_elsewhere=self.quic_elsewhere,
            follow_ups=self.climbs,
        )

    def verdict(self) -> Verdict:
        return judge([self.row()])[0]


def _climbed(
    layer: str, ends: Failure | None, said: str, ip: str, port: int, where: dict[str, object]
) -> list[AnyEvidence]:
    """The records of one test, which ends at *layer* if it fails."""
    if layer == "dns":
        given = () if ends is not None else (SITE if said != HARMLESS else OTHER,)
        return [
            DNSExchange(
                hostname=said, rdtype="A", engine="udp", resolver=f"{ip}:53", own=True,
                answers=(DNSAnswer(addresses=given),), failure=ends, **where,  # type: ignore[arg-type]
            )
        ]
    at = {"ip": ip, "port": port, **where}
    if layer == "tcp":
        return [TCPConnect(failure=ends, **at)]  # type: ignore[arg-type]
    if layer == "tls":
        alert = 40 if ends is Failure.TLS_FAILED_HANDSHAKE else None
        hello = TLSHandshake(sni=said, failure=ends, alert=alert, **at)  # type: ignore[arg-type]
        return [TCPConnect(**at), hello]  # type: ignore[arg-type]
    return [
        TCPConnect(**at),  # type: ignore[arg-type]
        HTTPExchange(host=said, failure=ends, status=None if ends else 404, **at),  # type: ignore[arg-type]
    ]


def _answers(
    first: Sequence[str] | Failure, then: Sequence[str] | Failure | None
) -> list[Sequence[str] | Failure]:
    return [first] if then is None else [first, then]


def _answer(said: Sequence[str] | Failure) -> tuple[DNSAnswer, Failure | None]:
    if not isinstance(said, Failure):
        return DNSAnswer(addresses=tuple(said)), None
    rcodes = {
        Failure.DNS_NXDOMAIN: "NXDOMAIN",
        Failure.DNS_REFUSED: "REFUSED",
        Failure.DNS_SERVFAIL: "SERVFAIL",
    }
    return DNSAnswer(rcode=rcodes.get(said, "NOERROR")), said


def site(url: str = "https://news.example/", controls: Sequence[str] = BOTH) -> Scene:
    """Names and controls of a healthy site; connections and pages are the test's to add."""
    scene = Scene(url=url).names()
    if controls:
        scene.control_names(*controls)
    return scene.asked(*controls)
