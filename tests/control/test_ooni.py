"""OONI's programs can read our controls' answers, and we can read theirs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from probe.control import ooni
from probe.control.ooni import BOGON, BY_CONTROL, BY_PROBE, FINAL_PAGE, VALID
from probe.control.protocol import Answer, BadMessage, encode, read_answer
from probe.evidence import (
    AnyEvidence,
    CertificateCheck,
    DNSAnswer,
    DNSExchange,
    HTTPExchange,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure
from probe.wire.url import parse
from tests.control.stage import ADDRESS, OTHER, URL, good_site


def summary(records: list[AnyEvidence], *, url: str = URL, told: tuple[str, ...] = ()) -> Any:
    """What OONI's probe would read, as plain JSON values."""
    answer = ooni.summary(
        parse(url), records, told, asn=lambda ip: 64496, is_public=lambda ip: ip != "10.0.0.1"
    )
    return msgspec.json.decode(encode(answer))


def lookup(failure: Failure | None = None, *addresses: str, rdtype: str = "A") -> DNSExchange:
    return DNSExchange(
        url=URL,
        hostname="news.example",
        rdtype=rdtype,
        engine="doh",
        answers=(DNSAnswer(addresses=addresses),),
        failure=failure,
    )


def test_a_healthy_site_in_oonis_words() -> None:
    found = summary(good_site(told=[OTHER]), told=(OTHER,))
    assert {
        "tcp_connect": {
            f"{ADDRESS}:443": {"status": True, "failure": None},
            f"{OTHER}:443": {"status": True, "failure": None},
        },
        "tls_handshake": {
            f"{ADDRESS}:443": {"server_name": "news.example", "status": True, "failure": None},
            f"{OTHER}:443": {"server_name": "news.example", "status": True, "failure": None},
        },
        "quic_handshake": {},
        "http_request": {
            "body_length": 5,
            "discovered_h3_endpoint": "",
            "failure": None,
            "title": "News",
            "headers": {"Content-Type": "text/html", "Server": "nginx"},
            "status_code": 200,
        },
        "http3_request": None,
        "dns": {"failure": None, "addrs": [ADDRESS]},
        "ip_info": {
            OTHER: {"asn": 64496, "flags": BY_PROBE | VALID},
            ADDRESS: {"asn": 64496, "flags": BY_CONTROL | VALID},
        },
        "x_zond": None,
    } == found


@pytest.mark.parametrize(
    ("failure", "name"),
    [
        (Failure.DNS_NXDOMAIN, "dns_name_error"),
        (Failure.DNS_SERVFAIL, "dns_server_failure"),
        (Failure.DNS_REFUSED, "dns_server_failure"),
        (Failure.DNS_NO_ANSWER, None),
        (Failure.TIMEOUT, "unknown_error"),
    ],
)
def test_dns_failures_have_the_names_that_oonis_helper_gives(
    failure: Failure, name: str | None
) -> None:
    found = summary([lookup(failure), lookup(failure, rdtype="AAAA")])
    assert {"failure": name, "addrs": []} == found["dns"]
    assert -1 == found["http_request"]["status_code"] == found["http_request"]["body_length"]
    assert "dns_lookup_error" == found["http_request"]["failure"]


def test_one_family_without_an_answer_is_no_dns_failure() -> None:
    found = summary([lookup(None, ADDRESS), lookup(Failure.DNS_NO_ANSWER, rdtype="AAAA")])
    assert {"failure": None, "addrs": [ADDRESS]} == found["dns"]


@pytest.mark.parametrize(
    ("failure", "tcp", "page"),
    [
        (Failure.CONNECTION_REFUSED, "connection_refused_error", "connection_refused_error"),
        (Failure.TIMEOUT, "generic_timeout_error", "generic_timeout_error"),
        (Failure.TIMED_OUT, "generic_timeout_error", "generic_timeout_error"),
        (Failure.HOST_UNREACHABLE, "connect_error", "unknown_error"),
    ],
)
def test_tcp_failures_have_the_names_that_oonis_helper_gives(
    failure: Failure, tcp: str, page: str
) -> None:
    found = summary(
        [lookup(None, ADDRESS), TCPConnect(url=URL, ip=ADDRESS, port=443, failure=failure)]
    )
    assert {"status": False, "failure": tcp} == found["tcp_connect"][f"{ADDRESS}:443"]
    assert page == found["http_request"]["failure"]


def test_a_bad_certificate_is_a_failed_handshake_for_ooni() -> None:
    facts: dict[str, Any] = {"url": URL, "ip": ADDRESS, "port": 443, "transaction": 1}
    found = summary(
        [
            lookup(None, ADDRESS),
            TCPConnect(**facts),
            TLSHandshake(sni="news.example", **facts),
            CertificateCheck(
                hostname="news.example",
                checked_at=0,
                failure=Failure.TLS_INVALID_HOSTNAME,
                **facts,
            ),
        ]
    )
    handshake = found["tls_handshake"][f"{ADDRESS}:443"]
    assert (False, "ssl_invalid_hostname") == (handshake["status"], handshake["failure"])
    assert BY_CONTROL == found["ip_info"][ADDRESS]["flags"]


def test_the_page_is_that_at_the_end_of_the_redirects() -> None:
    end = "https://www.news.example/"
    facts: dict[str, Any] = {"ip": ADDRESS, "port": 443, "tls": True}
    found = summary(
        [
            lookup(None, ADDRESS),
            HTTPExchange(url=URL, status=301, location=end, **facts),
            HTTPExchange(url=end, depth=1, status=None, failure=Failure.EOF, **facts),
            HTTPExchange(url=end, depth=1, status=200, title="End", **facts),
        ]
    )
    assert (200, "End") == (found["http_request"]["status_code"], found["http_request"]["title"])


def test_a_chain_that_breaks_has_no_page() -> None:
    end = "https://www.news.example/"
    found = summary(
        [
            lookup(None, ADDRESS),
            HTTPExchange(url=URL, ip=ADDRESS, port=443, status=301, location=end),
            TCPConnect(url=end, depth=1, ip=OTHER, port=443, failure=Failure.CONNECTION_REFUSED),
        ]
    )
    assert "connection_refused_error" == found["http_request"]["failure"]
    assert -1 == found["http_request"]["status_code"]


def test_connections_to_resolvers_are_no_endpoints_of_the_site() -> None:
    assert "8.8.8.8:853" not in summary(good_site())["tcp_connect"]


def test_an_address_that_is_not_public_is_marked() -> None:
    flags = summary([lookup(None, "10.0.0.1")])["ip_info"]["10.0.0.1"]["flags"]
    assert BY_CONTROL | BOGON == flags


def test_a_host_that_is_an_address_needs_no_dns() -> None:
    url = f"http://{ADDRESS}/"
    found = summary([TCPConnect(url=url, ip=ADDRESS, port=80)], url=url)
    assert {"failure": None, "addrs": [ADDRESS]} == found["dns"]


def helper(**changes: Any) -> Answer:
    said: dict[str, Any] = {
        "tcp_connect": {f"{ADDRESS}:443": {"status": True, "failure": None}},
        "tls_handshake": {
            f"{ADDRESS}:443": {"server_name": "news.example", "status": True, "failure": None}
        },
        "http_request": {
            "body_length": 10,
            "failure": None,
            "title": "News",
            "headers": {"Server": "nginx"},
            "status_code": 200,
        },
        "dns": {"failure": None, "addrs": [ADDRESS]},
    }
    return read_answer(msgspec.json.encode(said | changes))


def records_of(answer: Answer, kind: type, url: str = URL) -> list[Any]:
    return [r for r in ooni.evidence(parse(url), answer, now=7.0) if isinstance(r, kind)]


def test_a_helpers_connection_and_handshake_are_one_transaction() -> None:
    (connect,) = records_of(helper(), TCPConnect)
    (handshake,) = records_of(helper(), TLSHandshake)
    (check,) = records_of(helper(), CertificateCheck)
    assert connect.transaction == handshake.transaction == check.transaction != 0
    assert (None, "news.example", 7.0) == (check.failure, check.hostname, check.checked_at)


def test_a_helpers_page_says_that_its_address_is_not_known() -> None:
    (page,) = records_of(helper(), HTTPExchange)
    assert ("", FINAL_PAGE, URL) == (page.ip, page.detail, page.url)


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        ({"failure": "dns_name_error", "addrs": None}, Failure.DNS_NXDOMAIN),
        ({"failure": "dns_server_failure", "addrs": []}, Failure.DNS_SERVFAIL),
        ({"failure": None, "addrs": None}, Failure.DNS_NO_ANSWER),
        ({"failure": "dns_nxdomain_error", "addrs": []}, Failure.DNS_NXDOMAIN),
        ({"failure": "unknown_error", "addrs": []}, Failure.UNKNOWN),
    ],
)
def test_a_helpers_dns_failure_has_our_name(said: dict[str, Any], failure: Failure) -> None:
    (exchange,) = records_of(helper(dns=said), DNSExchange)
    assert failure == exchange.failure


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        ("connection_refused_error", Failure.CONNECTION_REFUSED),
        ("generic_timeout_error", Failure.TIMEOUT),
        ("connect_error", Failure.UNKNOWN),
        ("something newer", Failure.UNKNOWN),
    ],
)
def test_a_helpers_tcp_failure_has_our_name(said: str, failure: Failure) -> None:
    answer = helper(tcp_connect={f"{ADDRESS}:443": {"status": False, "failure": said}})
    (connect,) = records_of(answer, TCPConnect)
    assert failure == connect.failure
    if failure is Failure.UNKNOWN:
        assert said == connect.detail


def test_a_helpers_page_that_failed_has_no_status() -> None:
    nothing = {"body_length": -1, "status_code": -1, "failure": "dns_lookup_error", "title": ""}
    answer = helper(http_request=nothing, dns={"failure": "dns_name_error", "addrs": None})
    (page,) = records_of(answer, HTTPExchange)
    assert (None, Failure.DNS_NXDOMAIN, None, 0) == (
        page.status, page.failure, page.title, page.body_length
    )  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"tcp_connect": {"news.example:443": {"status": True, "failure": None}}},
        {"tls_handshake": {"443": {"status": True, "failure": None}}},
        {"dns": {"failure": None, "addrs": ["news.example"]}},
    ],
)
def test_a_helper_that_names_no_addresses_is_not_believed(changes: dict[str, Any]) -> None:
    with pytest.raises(BadMessage):
        ooni.evidence(parse(URL), helper(**changes), now=0.0)


@pytest.mark.parametrize("failure", [None, Failure.TLS_UNKNOWN_AUTHORITY, Failure.CONNECTION_RESET])
def test_what_we_say_as_a_helper_we_understand_as_a_client(failure: Failure | None) -> None:
    facts: dict[str, Any] = {"url": URL, "ip": ADDRESS, "port": 443, "transaction": 1}
    broken = failure is Failure.CONNECTION_RESET
    records: list[AnyEvidence] = [
        lookup(None, ADDRESS),
        TCPConnect(**facts),
        TLSHandshake(sni="news.example", failure=failure if broken else None, **facts),
    ]
    if not broken:
        records.append(
            CertificateCheck(hostname="news.example", checked_at=0, failure=failure, **facts)
        )
    answer = read_answer(msgspec.json.encode(summary(records)))
    understood = ooni.evidence(parse(URL), answer, now=0.0)
    kept = [(type(record), record.failure) for record in understood[:-1]]
    assert [(type(record), record.failure) for record in records] == kept
