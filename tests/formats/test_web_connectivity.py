"""Each thing that a web_connectivity document tells, told in our evidence."""

from __future__ import annotations

import base64
import datetime
import hashlib
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from probe.evidence import (
    PROBE,
    CertificateCheck,
    ControlQuery,
    DNSExchange,
    HTTPExchange,
    Measurement,
    QUICHandshake,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure
from probe.formats.ooni import Imported, Refused, read
from tests.formats.documents import (
    FORGED,
    PAGE,
    SITE,
    SITE_2,
    Json,
    connect,
    control,
    document,
    fine,
    handshake,
    keys,
    names,
    query,
    request,
)

URL, HTTP = "https://news.example/", "http://news.example/"


def measured(test_keys: Json, **envelope: Any) -> Measurement:
    found = read(document(test_keys, **envelope))
    assert isinstance(found, Imported), found
    (measurement,) = found.measurements
    return measurement


def of(kind: type, test_keys: Json, vantage: str = PROBE, **envelope: Any) -> list[Any]:
    evidence = measured(test_keys, **envelope).evidence
    return [e for e in evidence if isinstance(e, kind) and e.vantage == vantage]


def certificate(name: str, issuer: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    built = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key()).serial_number(7)
        .not_valid_before(datetime.datetime(2024, 1, 1)).not_valid_after(
            datetime.datetime(2024, 6, 1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    return base64.b64encode(built.public_bytes(Encoding.DER)).decode()


def test_lookups_say_who_was_asked_and_who_asks_for_the_machine() -> None:
    own, clear, secret = of(DNSExchange, fine())
    assert ("system", True, "ANY", "") == (own.engine, own.own, own.rdtype, own.resolver)
    assert ("udp", False, "A") == (clear.engine, clear.own, clear.rdtype)
    assert "1.1.1.1:53" == clear.resolver
    assert ("doh", False) == (secret.engine, secret.own)
    assert [(SITE,)] * 3 == [e.answers[0].addresses for e in (own, clear, secret)]


def test_answer_that_came_after_the_first_is_of_the_same_query() -> None:
    late = query("udp", (SITE,)) | {"t": 0.03}
    whole = keys([query("udp", (FORGED,))], x_dns_duplicate_responses=[late])
    (exchange,) = of(DNSExchange, whole)
    assert [(FORGED,), (SITE,)] == [a.addresses for a in exchange.answers]
    assert [0.01, 0.03] == [a.t for a in exchange.answers]


@pytest.mark.parametrize(
    ("said", "failure", "rcode"),
    [
        ("dns_nxdomain_error", Failure.DNS_NXDOMAIN, "NXDOMAIN"),
        ("dns_no_answer", Failure.DNS_NO_ANSWER, "NOERROR"),
        ("dns_servfail_error", Failure.DNS_SERVFAIL, "SERVFAIL"),
        ("generic_timeout_error", Failure.TIMEOUT, None),
        ("unknown_failure: a bad day", Failure.UNKNOWN, None),
    ],
)
def test_denial_is_an_answer_and_silence_is_none(
    said: str, failure: Failure, rcode: str | None
) -> None:
    (exchange,) = of(DNSExchange, keys([query("udp", said)]))
    assert failure == exchange.failure
    assert ([rcode] if rcode else []) == [a.rcode for a in exchange.answers]


def test_holders_of_addresses_come_from_the_probe_and_the_helper() -> None:
    found = measured(keys(names(), helper=control(addresses=(SITE, SITE_2)))).addresses
    assert {SITE: 15133, SITE_2: 15133} == {ip: info.asn for ip, info in found.items()}


def test_connections_keep_their_ties_times_and_failures() -> None:
    stood, refused = of(
        TCPConnect,
        keys(connects=[connect(SITE, 443, number=4), connect(SITE_2, 80, "connection_refused")]),
    )
    assert (SITE, 443, None, 4, 0.1, 0.2) == (
        stood.ip, stood.port, stood.failure, stood.transaction, stood.t0, stood.t)
    assert Failure.CONNECTION_REFUSED == refused.failure


def test_bad_certificate_is_a_handshake_that_worked_and_a_check_that_did_not() -> None:
    der = certificate("news.example", "The Forger")
    whole = keys(handshakes=[handshake(SITE, "ssl_unknown_authority", certificates=[der, der])])
    (shaken,), (check,) = of(TLSHandshake, whole), of(CertificateCheck, whole)
    assert (None, "news.example", "h2") == (shaken.failure, shaken.sni, shaken.alpn)
    assert 2 == len(shaken.chain)
    assert hashlib.sha256(base64.b64decode(der)).hexdigest() == shaken.chain_sha256[0]
    assert Failure.TLS_UNKNOWN_AUTHORITY == check.failure
    assert ("CN=news.example", "CN=The Forger") == (check.subject, check.issuer)
    assert 1707770027.3 == pytest.approx(check.checked_at)
    assert check.not_before < check.checked_at < check.not_after


def test_handshake_that_verified_nothing_checks_nothing() -> None:
    assert [] == of(CertificateCheck, keys(handshakes=[handshake(SITE) | {"no_tls_verify": True}]))


def test_handshake_over_udp_is_quic() -> None:
    (shaken,) = of(QUICHandshake, keys(handshakes=[handshake(SITE) | {"network": "udp"}]))
    assert (SITE, 443, None) == (shaken.ip, shaken.port, shaken.failure)


@pytest.mark.parametrize("ip", ["192.0.2.7", "2001:db8::7"])
def test_name_that_is_an_address_is_no_server_name(ip: str) -> None:
    (shaken,) = of(TLSHandshake, keys(handshakes=[handshake(ip, name=ip)]))
    assert (ip, None) == (shaken.ip, shaken.sni)


def test_page_in_the_clear_is_kept_and_one_over_a_good_certificate_is_not() -> None:
    (clear,) = of(HTTPExchange, fine("http"), input=HTTP)
    (secure,) = of(HTTPExchange, fine("https"))
    assert (PAGE.encode(), len(PAGE), "The News of Today") == (
        clear.body, clear.body_length, clear.title)
    assert clear.sketch and clear.body_sha256
    assert (None, len(PAGE), "The News of Today") == (
        secure.body, secure.body_length, secure.title)


def test_body_and_headers_that_are_no_text_are_read() -> None:
    body = "<title>Закрыто</title>".encode("cp1251")
    coded = {"format": "base64", "data": base64.b64encode(body).decode()}
    told = {"Content-Type": "text/html; charset=windows-1251", "X": {
        "format": "base64", "data": base64.b64encode(b"\xff\xfe").decode()}}  # fmt: skip
    whole = keys(requests=[request(HTTP, SITE, body=coded, headers=told)])
    (page,) = of(HTTPExchange, whole, input=HTTP)
    assert (body, "Закрыто") == (page.body, page.title)
    assert ("X", "\ufffd\ufffd") == page.headers[1]


def test_body_that_is_no_base64_is_some_body_all_the_same() -> None:
    whole = keys(requests=[request(HTTP, SITE, body={"format": "base64", "data": "Привет!"})])
    (page,) = of(HTTPExchange, whole, input=HTTP)
    assert page.body_length == len("Привет!".encode())


def test_redirects_are_a_chain_of_urls_as_we_spell_them() -> None:
    raw, there = "https://www.news.example/a b", "https://www.news.example/a%20b"
    whole = keys(
        names(), [connect(SITE, 80), connect(SITE_2, 443, depth=1, number=2)],
        [handshake(SITE_2, name="www.news.example", depth=1, number=2)],
        [request("http://news.example", SITE, 301, "", {"Location": raw}),
         request(raw, SITE_2, depth=1, number=2)],
    )  # fmt: skip
    first, second = of(HTTPExchange, whole, input="http://news.example")
    assert (HTTP, 0, there) == (first.url, first.depth, first.location)
    assert (there, 1, None) == (second.url, second.depth, second.location)
    assert [HTTP, there] == [e.url for e in of(TCPConnect, whole, input="http://news.example")]
    assert [there] == [e.url for e in of(TLSHandshake, whole, input="http://news.example")]


def test_connection_behind_a_redirect_is_for_where_it_leads_though_nothing_was_asked() -> None:
    whole = keys(
        names(), [connect(SITE, 80), connect(SITE_2, 80, "connection_reset", depth=1)], [],
        [request(HTTP, SITE, 302, "", {"Location": "/next"})],
    )
    assert [HTTP, HTTP + "next"] == [e.url for e in of(TCPConnect, whole, input=HTTP)]


def test_chain_that_the_probe_left_is_noted_as_left() -> None:
    whole = keys(requests=[
        request(HTTP, SITE, 302, "", {"Location": "/2"},
                "unknown_failure: stopped after too many redirects")])  # fmt: skip
    answered, left = of(HTTPExchange, whole, input=HTTP)
    assert (None, 302, HTTP + "2") == (answered.failure, answered.status, answered.location)
    assert (HTTP + "2", 1, None, "too many redirects") == (
        left.url, left.depth, left.status, left.detail)


def test_connection_at_an_unknown_url_is_for_the_name_that_was_looked_up() -> None:
    lookups = [*names(), query("getaddrinfo", (SITE_2,), "other.example", depth=1)]
    reset = connect(SITE_2, 443, "connection_reset", depth=1)
    whole = keys(lookups, [connect(SITE, 443), reset])
    assert [URL, "https://other.example/"] == [e.url for e in of(TCPConnect, whole)]


@pytest.mark.parametrize("turned", [False, True])
def test_requests_are_in_order_however_the_document_has_them(turned: bool) -> None:
    first = request(HTTP, None, 302, "", {"Location": URL}) | {"t": 0.3, "tags": None}
    second = request(URL) | {"t": 0.6, "tags": None}
    bare: Json = {"transaction_id": 0}
    chain = [first | bare, second | bare]
    whole = old(requests=chain if turned else chain[::-1])
    assert [(HTTP, 0), (URL, 1)] == [
        (e.url, e.depth) for e in of(HTTPExchange, whole, input=HTTP)]


def test_header_of_many_values_is_its_first() -> None:
    page = request(HTTP, SITE, headers={})
    page["response"]["headers"] = {"X": ["a", "b"], "Y": []}
    (exchange,) = of(HTTPExchange, keys(requests=[page]), input=HTTP)
    assert (("X", "a"), ("Y", "")) == exchange.headers


def test_helper_is_a_control_by_its_name_and_its_page_has_no_address() -> None:
    whole = fine("http")
    (asked,) = of(ControlQuery, whole, input=HTTP)
    assert ("0.th.ooni.org", None) == (asked.control, asked.failure)
    (name,) = of(DNSExchange, whole, "0.th.ooni.org", input=HTTP)
    assert ((SITE,), "doh") == (name.answers[0].addresses, name.engine)
    assert [443, 80] == [e.port for e in of(TCPConnect, whole, "0.th.ooni.org", input=HTTP)]
    (page,) = of(HTTPExchange, whole, "0.th.ooni.org", input=HTTP)
    assert ("", 200, len(PAGE), "The News of Today") == (
        page.ip, page.status, page.body_length, page.title)
    assert [None] == [e.failure for e in of(CertificateCheck, whole, "0.th.ooni.org", input=HTTP)]


def test_helper_that_failed_has_said_nothing() -> None:
    whole = keys(names(), control_failure="generic_timeout_error")
    (asked,) = of(ControlQuery, whole)
    assert Failure.TIMEOUT == asked.failure
    assert [] == of(HTTPExchange, whole, "0.th.ooni.org")


def old(**more: Any) -> Json:
    """Of a probe before 0.5: no ties, no tags, one chain of requests."""
    bare: Json = {"tags": None, "transaction_id": 0}
    found = keys(
        [query("system", (SITE, SITE_2)) | bare],
        [connect(SITE, 443, "connection_refused") | bare, connect(SITE_2, 443) | bare],
        [], [request(URL) | bare], control(),
    )
    return found | more


def test_old_request_went_where_a_connection_stood() -> None:
    (page,) = of(HTTPExchange, old())
    assert (SITE_2, 443, 200) == (page.ip, page.port, page.status)
    (check,) = of(CertificateCheck, old())  # such probes check: an answer is a good certificate
    assert (SITE_2, None) == (check.ip, check.failure)


def test_old_probe_in_python_has_checked_no_certificate() -> None:
    whole = dict(software_name="ooniprobe", software_version="2.3.0")
    assert [] == of(CertificateCheck, old(), **whole)


def test_old_request_that_was_reset_over_tls_was_reset_in_the_handshake() -> None:
    gone = request(URL, status=0, body="", headers={}, failure="connection_reset")
    whole = old(requests=[gone | {"tags": None, "transaction_id": 0}])
    assert [] == of(HTTPExchange, whole)
    assert [(SITE_2, Failure.CONNECTION_RESET)] == [
        (e.ip, e.failure) for e in of(TLSHandshake, whole)]


def test_old_request_without_a_connection_adds_nothing_to_that() -> None:
    bare: Json = {"tags": None, "transaction_id": 0}
    gone = request(URL, status=0, body="", headers={}, failure="generic_timeout_error") | bare
    whole = old(
        tcp_connect=[connect(SITE, 443, "generic_timeout_error") | bare], requests=[gone])
    assert ([], []) == (of(HTTPExchange, whole), of(TLSHandshake, whole))


def test_old_aliases_among_addresses_are_no_addresses() -> None:
    helper = control() | {"dns": {"failure": None, "addrs": ["www.news.example", SITE]}}
    (name,) = of(DNSExchange, old(control=helper), "0.th.ooni.org")
    assert (SITE,) == name.answers[0].addresses


def test_old_helper_over_https_vouches_for_the_name_and_for_no_address() -> None:
    helper = control()
    del helper["tls_handshake"], helper["ip_info"]
    (check,) = of(CertificateCheck, old(control=helper), "0.th.ooni.org")
    assert ("", "news.example", None) == (check.ip, check.hostname, check.failure)
    elder = {"backend": {"address": "https://wcth.ooni.io", "type": "https"}}
    assert [] == of(CertificateCheck, old(control=helper), "wcth.ooni.io", test_helpers=elder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"test_keys": None}, "no test_keys"),
        ({"test_keys": {}}, "nothing was measured"),
        ({"test_keys": {"queries": 7}}, "queries"),
        ({"input": None}, "no URL"),
        ({"input": "ftp://news.example/"}, "no URL"),
        ({"measurement_start_time": "yesterday"}, "measurement_start_time"),
        ({"measurement_start_time": "1999-01-01 00:00:00"}, "impossible"),
        ({"measurement_start_time": ..., "test_start_time": ...}, "measurement_start_time"),
        ({"test_name": "seance"}, "no reader for the nettest 'seance'"),
        ({"test_name": ...}, "test_name"),
        ({"test_keys": {"requests": [request(HTTP, SITE, depth=999)]}}, "depth"),
        ({"test_keys": {"queries": [{}] * 20_001}}, "too many"),
    ],
)
def test_document_that_is_none_is_refused_with_its_reason(change: Json, reason: str) -> None:
    data = document(fine() if "test_keys" not in change else change["test_keys"], **{
        k: v for k, v in change.items() if k != "test_keys"})  # fmt: skip
    found = read(data)
    assert isinstance(found, Refused)
    assert reason in found.reason


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b"7", b'"x"', b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000,
     b'{"test_name": "\\ud800"}', b'{"test_name":"web_connectivity","test_keys":' + b"[" * 9999],
)  # fmt: skip
def test_what_is_no_document_is_refused(data: bytes) -> None:
    assert isinstance(read(data), Refused)


def test_absent_and_null_fields_of_the_envelope_are_unknown() -> None:
    for nothing in (None, ...):
        found = read(document(fine(), probe_asn=nothing, probe_cc=nothing, resolver_asn=nothing,
                              annotations=nothing, report_id=nothing, test_helpers=nothing,
                              software_version=nothing, test_runtime=nothing))  # fmt: skip
        assert isinstance(found, Imported)
        assert (0, "ZZ", 0, "") == (
            found.run.probe_asn, found.run.probe_cc, found.run.resolver_asn,
            found.run.network_type)


def test_same_bytes_have_the_same_ids_and_others_have_others() -> None:
    one, again, other = (read(document(fine(), test_runtime=t)) for t in (1, 1, 2))
    assert isinstance(one, Imported) and isinstance(other, Imported)
    assert one == again
    assert one.run == other.run and one.measurements[0].id != other.measurements[0].id
