"""OONI's documents of services become evidence: nothing is lost, nothing is guessed."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.observe.services import service_rows
from probe.evidence import (
    AnyEvidence,
    Bootstrap,
    CertificateCheck,
    DNSExchange,
    Echo,
    HTTPExchange,
    Measurement,
    RelayLink,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure
from probe.formats.ooni import Imported, Refused, read
from probe.formats.ooni.registry import readers
from tests.services import documents as d

DOCUMENTS: dict[str, Callable[[], bytes]] = {
    "telegram": lambda: d.telegram({"149.154.171.5": "connection_refused"}),
    "whatsapp": lambda: d.hosts("whatsapp", d.WHATSAPP_HOSTS),
    "signal": lambda: d.hosts("signal", d.SIGNAL_HOSTS),
    "facebook_messenger": lambda: d.hosts("facebook_messenger", d.FACEBOOK_HOSTS),
    "tor": lambda: d.tor([d.relay("or_port", "198.51.100.1", 9001), d.relay(
        "obfs4", "198.51.100.2", 443, "generic_timeout_error", at="handshake")]),
    "vanilla_tor": lambda: d.bootstrap("vanilla_tor", "generic_timeout_error"),
    "torsf": lambda: d.bootstrap("torsf"),
    "dnscheck": lambda: d.dnscheck({"https://198.51.100.1/dns-query": None}),
    "http_header_field_manipulation": lambda: d.headers(d.SENT_HEADERS),
    "http_invalid_request_line": lambda: d.lines([None, "", "something else"]),
    "urlgetter": lambda: d.document("urlgetter", {"queries": [d.query("a.example", "192.0.2.1")]}),
}  # fmt: skip


def measured(data: bytes) -> Measurement:
    found = read(data)
    assert isinstance(found, Imported), found
    (measurement,) = found.measurements
    return measurement


def of_kind(measurement: Measurement, *kinds: type[AnyEvidence]) -> list[Any]:
    return [e for e in measurement.evidence if isinstance(e, kinds)]


def test_every_nettest_of_a_service_has_a_reader() -> None:
    assert set(DOCUMENTS) <= set(readers())


def test_data_centre_is_a_connection_to_an_address() -> None:
    found = measured(d.telegram({"149.154.171.5:443": "generic_timeout_error"}))
    connects = {(e.ip, e.port): e.failure for e in of_kind(found, TCPConnect)}
    assert connects["149.154.171.5", 443] is Failure.TIMEOUT
    assert connects["149.154.171.5", 80] is None
    assert len(connects) == 13
    assert found.comparison["ooni_telegram_tcp_blocking"] is True


def test_request_without_url_went_where_its_host_header_says() -> None:
    sent = d.request("")
    sent["request"] = {"headers_list": [["Host", "149.154.171.5:443"]]}
    found = measured(d.document("telegram", {"requests": [sent]}))
    (page,) = of_kind(found, HTTPExchange)
    assert (page.ip, page.port) == ("149.154.171.5", 443)


def test_handshake_without_address_went_where_a_connection_of_its_name_stood() -> None:
    shaken = d.handshake("chat.signal.org", "0.0.0.0", "ssl_unknown_authority")
    del shaken["address"]
    keys = {
        "queries": [d.query("chat.signal.org", "203.0.113.1", "203.0.113.2")],
        "tcp_connect": [
            d.connect("203.0.113.1", 443, "generic_timeout_error"), d.connect("203.0.113.2", 443)
        ],
        "tls_handshakes": [shaken],
    }  # fmt: skip
    found = measured(d.document("signal", keys))
    (handshake,) = of_kind(found, TLSHandshake)
    (check,) = of_kind(found, CertificateCheck)
    assert (handshake.ip, handshake.failure) == ("203.0.113.2", None)
    assert check.failure is Failure.TLS_UNKNOWN_AUTHORITY


def test_relay_tells_its_class_its_end_and_its_channel() -> None:
    found = measured(
        d.tor([d.relay("obfs4", "198.51.100.2", 443, "eof_error", at="handshake", source="moat")])
    )
    (link,) = of_kind(found, RelayLink)
    assert (link.relay, link.ip, link.port) == ("obfs4", "198.51.100.2", 443)
    assert (link.failure, link.operation, link.channel) == (Failure.EOF, "handshake", "moat")


def test_secret_bridge_is_known_again_by_the_hash_of_its_address() -> None:
    _, keys = d.relay("obfs4", "192.0.2.1", 1, "generic_timeout_error")
    keys |= {"target_address": "[scrubbed]", "tcp_connect": [{"ip": "[scrubbed]", "port": 1}]}
    found = measured(d.tor([("f372c264e9a47033", keys)]))
    (link,) = of_kind(found, RelayLink)
    assert (link.ip, link.port, link.key) == ("", 0, "f372c264e9a47033")
    assert link.url == "tor://f372c264e9a47033"


def test_bootstrap_keeps_its_stage_and_what_tor_complained_of() -> None:
    (client,) = of_kind(measured(d.bootstrap("vanilla_tor", "generic_timeout_error")), Bootstrap)
    assert (client.transport, client.progress, client.stage) == ("vanilla", 5, "conn")
    assert (client.limit, client.troubles) == (200.0, ("CONNECTREFUSED",))


def test_bootstrap_of_early_probes_has_time_and_failure_only() -> None:
    (client,) = of_kind(
        measured(d.document("torsf", {"bootstrap_time": 9.5, "failure": None})), Bootstrap
    )
    assert (client.failure, client.progress, client.seconds) == (None, -1, 9.5)


def test_echo_is_what_was_sent_beside_what_came() -> None:
    rounds = of_kind(measured(d.lines([None, ""])), Echo)
    assert [(e.sent == e.received, e.received) for e in rounds] == [
        (True, b"XKQW / HTTP/1.1\n\r"), (False, b"")]  # fmt: skip
    assert {e.ip for e in rounds} == {"198.51.100.80"}


def test_resolver_is_named_by_its_transport_and_each_address_by_itself() -> None:
    found = measured(d.dnscheck({"https://198.51.100.1/dns-query": "connection_reset"}))
    assert found.url == "doh://dns.example/dns-query"
    asked = [e for e in of_kind(found, DNSExchange) if not e.own]
    assert [(e.url, e.failure) for e in asked] == [
        ("doh://198.51.100.1/dns-query", Failure.CONNECTION_RESET)]  # fmt: skip


def test_nettest_without_rule_is_kept_with_the_evidence_that_can_be_read() -> None:
    keys = {"tcp_connect": d.connect("192.0.2.1", 443), "queries": [{"answers": "no list"}],
            "success": False, "provider": "somebody"}  # fmt: skip
    found = measured(d.document("openvpn", keys, input="vpn://openvpn.somebody/"))
    assert [type(e) for e in found.evidence] == [TCPConnect]
    assert found.comparison["ooni_provider"] == "somebody"


@pytest.mark.parametrize("nettest", DOCUMENTS)
def test_document_without_keys_is_set_aside(nettest: str) -> None:
    found = read(d.document(nettest, None))
    assert isinstance(found, Refused)
    assert found.nettest == nettest


@pytest.mark.parametrize("nettest", DOCUMENTS)
def test_document_always_gives_the_same_measurement(nettest: str) -> None:
    data = DOCUMENTS[nettest]()
    assert read(data) == read(data)


VALUES: list[Any] = [
    None, True, -1, 2**63, 1e308, "", "x" * 5000, "ssl_unknown_authority", "[::1]:9",
    "999.1.1.1:80", "http://[", [], {}, [None], [[]], {"": ""}, "127.0.0.1:0", "\ud800",
]  # fmt: skip


def _paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at]
    if isinstance(value, dict):
        found += [p for k in value for p in _paths(value[k], (*at, k))]
    elif isinstance(value, list):
        found += [p for k in range(len(value)) for p in _paths(value[k], (*at, k))]
    return found


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(DOCUMENTS)), st.integers(0, 2**32))
def test_mutated_document_never_raises(nettest: str, seed: int) -> None:
    """Whatever a probe, or somebody who plays one, sends: it is read and has rows, or is
    refused."""
    luck = random.Random(seed)
    whole = json.loads(DOCUMENTS[nettest]())
    for _ in range(luck.choice((1, 1, 2, 5))):
        path = luck.choice([p for p in _paths(whole) if p])
        holder = whole
        for key in path[:-1]:
            holder = holder[key]
        if isinstance(holder, dict) and luck.random() < 0.2:
            del holder[path[-1]]
        else:
            holder[path[-1]] = copy.deepcopy(luck.choice(VALUES))
    found = read(json.dumps(whole).encode())
    if isinstance(found, Imported):
        rows = [row for m in found.measurements for row in service_rows(m, found.run, ())]
        assert rows
        assert msgspec.json.decode(msgspec.json.encode(found), type=Imported) == found
