"""What the evidence of a measurement says in the words of the hypotheses."""

from __future__ import annotations

from typing import Any

from analysis.dataset.evidence_trials import evidence_trials
from probe.evidence import (
    CertificateCheck,
    DNSAnswer,
    DNSExchange,
    HTTPExchange,
    Measurement,
    Run,
    TCPConnect,
    Transfer,
)  # fmt: skip
from probe.failure import Failure

HOST, IP = "site.example", "192.0.2.5"
URL = f"https://{HOST}/"
RUN = Run(id="r1", started_at=1.0, probe_asn=6697, probe_cc="BY")


def trials(*evidence: Any, url: str = URL) -> list[tuple[str, str, float]]:
    measurement = Measurement(
        id="m1", run_id="r1", nettest="web_connectivity", nettest_version="1", url=url,
        started_at=1000.0, evidence=evidence,
    )  # fmt: skip
    rows = list(evidence_trials(measurement, RUN))
    assert {("m1", 6697, "BY", HOST)} >= {
        (r.measurement_id, r.probe_asn, r.probe_cc, r.host) for r in rows
    }
    return [(row.test, row.result, row.value) for row in rows]


def test_connection_gives_its_round_trip() -> None:
    connect = TCPConnect(ip=IP, port=443, t0=1.0, t=1.05)
    assert [("tcp_connect", "works", -1.0), ("rtt", "works", 50.0)] == trials(connect)


def test_silent_address_fails_and_a_line_without_route_tells_nothing() -> None:
    silent = TCPConnect(ip=IP, port=443, failure=Failure("generic_timeout_error"))
    unrouted = TCPConnect(ip=IP, port=443, failure=Failure("network_unreachable"))
    over_ipv6 = TCPConnect(ip="2001:db8::5", port=443, failure=Failure("generic_timeout_error"))
    assert [("tcp_connect", "fails", -1.0)] == trials(silent, unrouted, over_ipv6)


def test_certificate_is_valid_forged_or_bad() -> None:
    checks = [
        CertificateCheck(ip=IP, port=443, hostname=HOST, checked_at=1.0, failure=failure)
        for failure in (None, Failure("ssl_unknown_authority"), Failure("ssl_invalid_hostname"))
    ]
    found = [result for _, result, _ in trials(*checks)]
    assert ["valid", "forged", "bad"] == found


def test_own_and_public_resolvers_are_told_apart() -> None:
    own = DNSExchange(
        hostname=HOST, rdtype="A", engine="udp", own=True, failure=Failure("dns_server_misbehaving")
    )
    public = DNSExchange(
        hostname=HOST, rdtype="A", engine="doh", t0=1.0, t=1.02,
        answers=(DNSAnswer(addresses=(IP,)),),
    )
    assert [("isp_a", "fails", -1.0), ("public_a", "works", 20.0)] == trials(own, public)


def test_plain_http_that_is_sent_to_https_is_upgraded() -> None:
    url = f"http://{HOST}/"
    sent = HTTPExchange(ip=IP, port=80, url=url, status=301, location=URL)
    away = HTTPExchange(ip=IP, port=80, url=url, status=302, location="http://82.209.230.23/")
    assert ("scheme", "upgraded", -1.0) in trials(sent, url=url)
    assert ("scheme", "kept", -1.0) in trials(away, url=url)


def test_an_address_that_is_none_ends_nothing() -> None:
    sent = HTTPExchange(ip=IP, port=80, url=f"http://{HOST}/", status=302, location="https://[")
    assert ("scheme", "kept", -1.0) in trials(sent)
    assert [] == [t for t in trials(sent, url="http://[") if t[0] == "scheme"]


def test_refusals_are_alike_where_only_their_numbers_differ() -> None:
    def page(status: int, title: str, sha256: str) -> HTTPExchange:
        return HTTPExchange(
            ip=IP, port=443, tls=True, url=URL, status=status, title=title, body_sha256=sha256,
            headers=(("Server", "cloudflare"),),
        )  # fmt: skip

    first, second = trials(page(403, "Sorry", "a" * 64)), trials(page(403, "Sorry", "b" * 64))
    assert first == second
    assert ("status", "403", 403.0) in first
    assert ("server", "cloudflare", -1.0) in first
    assert trials(page(200, "Welcome", "c" * 64))[-1] != first[-1]


def test_transfer_that_ended_gives_its_rate() -> None:
    whole = Transfer(what="control", source="c1", received=125_000, seconds=2.0, whole=True)
    broken = Transfer(what="control", source="c1", received=125_000, seconds=2.0)
    assert [("goodput", "works", 500.0)] == trials(whole, broken)


def test_controls_and_rungs_of_the_ladder_are_not_the_plain_pass() -> None:
    by_control = TCPConnect(ip=IP, port=443, vantage="control-1")
    by_rung = TCPConnect(ip=IP, port=443, step="other_port")
    assert [] == trials(by_control, by_rung)
