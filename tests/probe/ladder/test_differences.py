"""What is accused, and what is not worth a second look."""

from __future__ import annotations

from typing import Any

from probe.evidence import (
    PROBE,
    AnyEvidence,
    CertificateCheck,
    ControlQuery,
    DNSAnswer,
    DNSExchange,
    HTTPExchange,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure
from probe.ladder.differences import MAX_ACCUSED, differences
from probe.wire.page import sketch

URL, TWIN = "https://site.by/", "http://site.by/"
IP, IP6, LIE = "93.184.216.34", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "95.46.44.10"
RESET = Failure.CONNECTION_RESET
ANSWERED = ControlQuery(control="c", control_url="https://c/", url=URL)
SILENT = ControlQuery(control="c", control_url="https://c/", url=URL, failure=Failure.TIMEOUT)


def tcp(who: str = PROBE, ip: str = IP, port: int = 443, **facts: Any) -> TCPConnect:
    return TCPConnect(vantage=who, url=URL, ip=ip, port=port, **facts)


def tls(who: str = PROBE, ip: str = IP, **facts: Any) -> TLSHandshake:
    return TLSHandshake(vantage=who, url=URL, ip=ip, port=443, sni="site.by", **facts)


def page(who: str = PROBE, text: str = "one two three four", **facts: Any) -> HTTPExchange:
    about: dict[str, Any] = {"url": TWIN, "ip": IP, "port": 80, "status": 200, "body_sha256": text}
    return HTTPExchange(vantage=who, sketch=sketch(text.encode()), **(about | facts))


def lookup(who: str = PROBE, *given: str, engine: Any = "udp", **facts: Any) -> DNSExchange:
    answers = tuple(DNSAnswer(addresses=(ip,)) for ip in given)
    about: dict[str, Any] = {"resolver": "178.124.1.1:53", "own": who == PROBE and engine == "udp"}
    return DNSExchange(
        vantage=who, url=URL, hostname="site.by", rdtype="A", engine=engine, answers=answers,
        **(about | facts),
    )  # fmt: skip


def accused(*evidence: AnyEvidence, asked: ControlQuery = ANSWERED) -> list[tuple[str, str, int]]:
    return [(a.layer, a.ip, a.port) for a in differences((asked, *evidence))]


def test_what_fails_here_and_works_for_a_control_is_accused_at_its_layer() -> None:
    assert [("tls", IP, 443)] == accused(tcp(), tls(failure=RESET), tcp("c"), tls("c"))


def test_what_fails_for_everybody_is_not() -> None:
    failing: dict[str, Any] = {"failure": Failure.TIMEOUT}
    assert [] == accused(tcp(**failing), tcp("c", **failing))


def test_where_no_control_answers_every_failure_is_looked_at_again() -> None:
    assert [("tls", IP, 443)] == accused(tcp(), tls(failure=RESET), asked=SILENT)


def test_an_address_that_worked_once_is_not_accused() -> None:
    assert [] == accused(tls(failure=RESET), tls(), tls("c"))


def test_a_connection_that_also_came_about_is_accused_of_what_failed_later() -> None:
    """Residual blocking: the second connection met silence because of what the first said."""
    seen = (tcp(), tls(failure=RESET), tcp(failure=Failure.TIMEOUT), tcp("c"), tls("c"))
    assert [("tls", IP, 443)] == accused(*seen)


def test_a_held_connection_accuses_nobody() -> None:
    assert [] == accused(tcp(failure=RESET, held=1.5), tcp("c"))


def test_ipv4_goes_first_and_one_address_stands_for_all() -> None:
    seen = [tls(ip=ip, failure=RESET) for ip in (IP6, IP)]
    assert [("tls", IP, 443)] == accused(*seen, tls("c"), tls("c", ip=IP6))


def test_an_address_that_nobody_knows_but_a_lying_resolver_is_not_judged() -> None:
    lie = lookup(PROBE, LIE)
    seen = (lie, lookup("c", IP), tcp(ip=LIE, failure=Failure.TIMEOUT), tcp("c"))
    assert [("dns", "178.124.1.1", 53)] == accused(*seen)


def test_a_resolver_that_denies_what_others_know_is_accused() -> None:
    denied = lookup(failure=Failure.DNS_NXDOMAIN)
    assert [("dns", "178.124.1.1", 53)] == accused(denied, lookup("c", IP))


def test_a_name_that_nobody_knows_is_not() -> None:
    nobody: dict[str, Any] = {"failure": Failure.DNS_NXDOMAIN}
    assert [] == accused(lookup(**nobody), lookup("c", **nobody))


def test_another_address_with_a_good_certificate_is_no_lie() -> None:
    good = CertificateCheck(url=URL, ip=LIE, port=443, hostname="site.by", checked_at=0.0)
    assert [] == accused(lookup(PROBE, LIE), lookup("c", IP), good)


def test_another_address_with_the_same_page_is_no_lie() -> None:
    seen = (lookup(PROBE, LIE), lookup("c", IP), page(ip=LIE), page("c"))
    assert [] == accused(*seen)


def test_two_answers_that_contradict_are_looked_at() -> None:
    assert [("dns", "178.124.1.1", 53)] == accused(lookup(PROBE, IP, LIE), lookup("c", IP))


def test_two_answers_to_two_questions_are_not() -> None:
    twice = lookup(PROBE, IP, LIE, detail="asked 2 times")
    assert [] == accused(twice, lookup("c", IP))


def test_another_page_in_the_clear_is_accused_and_over_tls_it_is_not() -> None:
    other = "go away this is a block page"
    assert [("page", IP, 80)] == accused(page(text=other), page("c"))
    assert [] == accused(page(text=other, tls=True), page("c"))


def test_a_redirect_to_the_same_host_is_the_same() -> None:
    here = page(text="", status=302, location="https://site.by/?session=1")
    there = page("c", text="", status=302, location="https://site.by/?session=2")
    assert [] == accused(here, there)
    away = page(text="", status=302, location="http://82.209.230.23/")
    assert [("page", IP, 80)] == accused(away, there)


def test_lower_layers_go_first_and_there_is_a_bound() -> None:
    hosts = [f"https://{n}.by/" for n in range(9)]
    failed = [TCPConnect(url=url, ip=IP, port=443, failure=Failure.TIMEOUT) for url in hosts]
    worked = [TCPConnect(vantage="c", url=url, ip=IP, port=443) for url in hosts]
    assert MAX_ACCUSED == len(accused(*failed, *worked))
    both = (lookup(failure=Failure.DNS_NXDOMAIN), lookup("c", IP), tls(failure=RESET), tls("c"))
    assert ["dns", "tls"] == [layer for layer, _, _ in accused(*both)]


def test_follow_ups_do_not_accuse() -> None:
    again = tls(failure=RESET, step="again")
    assert [] == accused(again, tls("c"))
