"""What leaves decodes as what it was, and without whose it is."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.evidence import (
    AddressInfo,
    CanaryCheck,
    ControlQuery,
    DNSAnswer,
    DNSExchange,
    Echo,
    HTTPExchange,
    Measurement,
    PacketCapture,
    PacketFacts,
    Run,
    TCPConnect,
    Transfer,
)
from probe.scrubbing.fields import ALLOWED, How
from probe.scrubbing.known import Known
from probe.scrubbing.public import is_public_target
from probe.scrubbing.scrub import Choices, Scrubber
from tests.probe.records import structs_in

PUBLIC = "https://charter97.org/"
KNOWN = Known(
    addresses=("93.85.101.20", "2a02:d247:1234:5600:1:2:3:4", "192.168.7.23", "192.168.7.1"),
    macs=("a4:5e:60:c1:2b:3d",),
    names=("annas-laptop", "anna.k", "/home/anna.k"),
)
RUN = Run(id="00ff", started_at=1_790_000_017.25, probe_asn=6697, probe_cc="BY", seed=5)


def scrubber(**choices: object) -> Scrubber:
    made = Scrubber(KNOWN, Choices(**choices))  # type: ignore[arg-type]
    made.run(RUN)
    return made


def measured(*evidence: object, url: str = PUBLIC, **facts: object) -> Measurement:
    return Measurement(
        id="aa", run_id=RUN.id, nettest="web_connectivity", nettest_version="1", url=url,
        started_at=RUN.started_at + 5.5, evidence=evidence, **facts,  # type: ignore[arg-type]
    )  # fmt: skip


def sent(measurement: Measurement, **choices: object) -> Measurement:
    line = scrubber(**choices).measurement(measurement)
    assert line is not None
    assert line.startswith(b'{"kind":"measurement",') and b"\n" not in line
    return msgspec.json.decode(line, type=Measurement)


def page(**facts: object) -> HTTPExchange:
    said = {"ip": "178.172.160.2", "port": 80, "url": PUBLIC, "status": 200} | facts
    return HTTPExchange(**said)  # type: ignore[arg-type]


def test_every_field_of_every_record_is_allowed_or_refused() -> None:
    leaving: dict[type, set[str]] = {}
    for kind in (Run, Measurement, CanaryCheck):
        structs_in(kind, leaving)
    assert leaving == {kind: set(rules) for kind, rules in ALLOWED.items()}


def test_what_is_left_out_has_a_default() -> None:
    for kind, rules in ALLOWED.items():
        fields = {f.name: f for f in msgspec.structs.fields(kind)}
        refused = [name for name, rule in rules.items() if rule.how is How.OUT]
        assert not [name for name in refused if fields[name].required], kind


def test_moments_of_a_run_are_moved_together_to_its_full_minute() -> None:
    s = Scrubber(KNOWN)
    run = msgspec.json.decode(s.run(RUN), type=Run)
    canary = msgspec.json.decode(
        s.canary(CanaryCheck(run_id="00ff", ring="home", name="192.168.7.1",
                             at=RUN.started_at + 61.5)),
        type=CanaryCheck,
    )  # fmt: skip
    measurement = sent(measured())
    assert run.started_at % 60 == 0 and RUN.started_at - run.started_at < 60
    assert canary.at - run.started_at == 61.5
    assert measurement.started_at - run.started_at == 5.5
    assert run.seed == 0
    assert canary.name == "192.168.0.0"


def test_a_personal_target_does_not_leave_unless_its_user_says_so() -> None:
    mine = measured(url="https://my.bridge.example/")
    assert not is_public_target(mine.url)
    assert scrubber().measurement(mine) is None
    assert sent(mine, personal=True).url == mine.url


def test_a_document_of_another_program_does_not_leave() -> None:
    assert scrubber(personal=True).measurement(measured(document="ab" * 32)) is None


def test_a_measurement_whose_run_did_not_come_first_is_refused() -> None:
    with pytest.raises(KeyError):
        Scrubber(KNOWN).measurement(measured())


def test_the_operators_block_page_stays_and_the_users_address_in_it_goes() -> None:
    body = b"<h1>Blocked</h1> by http://82.209.230.23/ for 93.85.101.20, Chrome/119.0.0.0"
    location = "http://82.209.230.23/?ip=93.85.101.20&sid=8f3a1b2c9d"
    found = sent(measured(page(location=location, body=body, body_length=len(body),
                               body_sha256="00" * 32))).evidence[0]  # fmt: skip
    assert isinstance(found, HTTPExchange)
    assert found.location == "http://82.209.230.23/?ip=x&sid=x"
    assert found.body == body.replace(b"93.85.101.20", b"192.0.2.0")


def test_resolvers_at_home_are_told_only_if_the_user_says_so() -> None:
    lookup = DNSExchange(
        hostname="charter97.org", rdtype="A", engine="udp", resolver="192.168.7.1:53", own=True,
        answers=(DNSAnswer(addresses=("192.168.7.1", "10.1.1.1", "178.172.160.2")),),
    )  # fmt: skip
    hidden = sent(measured(lookup)).evidence[0]
    told = sent(measured(lookup), home_resolvers=True).evidence[0]
    assert isinstance(hidden, DNSExchange) and isinstance(told, DNSExchange)
    assert hidden.resolver == "192.168.0.0:53"
    assert told.resolver == "192.168.7.1:53"
    assert hidden.answers[0].addresses == ("192.168.0.0", "10.1.1.1", "178.172.160.2")


def test_cookies_keep_their_names_and_lose_their_values() -> None:
    headers = (("Set-Cookie", "sid=8f3a1b2c; Path=/; HttpOnly"), ("Server", "nginx/1.18.0"))
    found = sent(measured(page(headers=headers))).evidence[0]
    assert isinstance(found, HTTPExchange)
    assert found.headers == (
        ("Set-Cookie", "sid=x; Path=/; HttpOnly"), ("Server", "nginx/1.18.0"),
    )  # fmt: skip


def test_a_page_that_a_control_saw_too_keeps_its_hash() -> None:
    mine, theirs = page(body_sha256="11" * 32), page(body_sha256="11" * 32, vantage="control-1")
    other = page(body_sha256="22" * 32)
    found = sent(measured(mine, theirs, other)).evidence
    assert found[0].body_sha256 == "11" * 32  # type: ignore[union-attr]
    assert found[2].body_sha256 not in ("", "22" * 32)  # type: ignore[union-attr]


def test_a_control_of_the_users_own_is_not_named() -> None:
    run = msgspec.structs.replace(RUN, controls=("https://vps.anna.example/",))
    s = Scrubber(KNOWN)
    assert b"anna" not in s.run(run)
    line = s.measurement(measured(
        ControlQuery(control="annas-vps", control_url="https://vps.anna.example/",
                     detail="no address of vps.anna.example"),
        TCPConnect(ip="178.172.160.2", port=443, vantage="annas-vps"),
        Transfer(what="control", source="annas-vps", ip="45.9.9.9", port=443),
        Transfer(what="accused", source="178.172.160.2", ip="178.172.160.2", port=443),
        comparison={"annas-vps.failure": None, "differs": False},
        addresses={"45.9.9.9": AddressInfo(asn=1), "178.172.160.2": AddressInfo(asn=2)},
    ))  # fmt: skip
    assert line is not None and b"anna" not in line and b"45.9.9.9" not in line
    found = msgspec.json.decode(line, type=Measurement)
    assert found.evidence[1].vantage == "control-1"
    assert "control-1.failure" in found.comparison
    sources = [e.source for e in found.evidence if isinstance(e, Transfer)]
    assert sources == ["control-1", "178.172.160.2"]
    assert set(found.addresses) == {"178.172.160.2"}


def test_a_public_control_is_named() -> None:
    url = "https://control.zond.example/"
    s = Scrubber(KNOWN, Choices(controls=(url,)))
    run = msgspec.json.decode(s.run(msgspec.structs.replace(RUN, controls=(url,))), type=Run)
    line = s.measurement(measured(ControlQuery(control="zond", control_url=url)))
    assert line is not None
    found = msgspec.json.decode(line, type=Measurement).evidence[0]
    assert run.controls == (url,)
    assert isinstance(found, ControlQuery)
    assert (found.control, found.control_url) == ("zond", url)


def test_packets_of_a_connection_share_a_port_that_is_not_ours() -> None:
    out = bytes.fromhex("450000280000400040060000" "00000000" "b2aca002" "c738" "01bb") + bytes(16)
    back = bytes.fromhex("450000280000400038060000" "b2aca002" "00000000" "01bb" "c738") + bytes(16)
    error = bytes.fromhex("45000038000000003f010000" "0a000001" "00000000" "0b000000" "00000000")
    capture = PacketCapture(
        ip="178.172.160.2", port=443, raw=(out, back, error + out[:28]),
        packets=(
            PacketFacts(way="out", sport=51000, dport=443),
            PacketFacts(way="back", sport=443, dport=51000),
            PacketFacts(way="back", protocol="icmp", sport=51000, dport=443, source="5.6.7.8"),
        ),
    )  # fmt: skip
    found = sent(measured(capture)).evidence[0]
    assert isinstance(found, PacketCapture)
    ports = [(p.sport, p.dport) for p in found.packets]
    assert ports == [(49152, 443), (443, 49152), (49152, 443)]
    assert found.raw[0] == out.replace(b"\xc7\x38", b"\xc0\x00")
    assert found.raw[1] == back.replace(b"\xc7\x38", b"\xc0\x00")
    assert b"\xc7\x38" not in found.raw[2]


def test_who_does_not_know_the_users_address_takes_every_address_for_it() -> None:
    """Behind a proxy no control tells it. What the measurement went to is not it."""
    body = b"<p>5.6.7.8 may not open 178.172.160.2 in Chrome/119.0.0.0</p>"
    headers = (("X-Info", "for 2a00:1450:4001::1"),)
    unknown = Scrubber(Known())
    unknown.run(msgspec.structs.replace(RUN, probe_asn=0))
    line = unknown.measurement(measured(page(body=body, headers=headers)))
    assert line is not None
    found = msgspec.json.decode(line, type=Measurement).evidence[0]
    assert isinstance(found, HTTPExchange)
    assert found.body == body.replace(b"5.6.7.8", b"192.0.2.0")
    assert found.headers == (("X-Info", "for 2001:db8::"),)
    known = sent(measured(page(body=body, headers=headers))).evidence[0]
    assert isinstance(known, HTTPExchange) and known.body == body
    many = b" ".join(b"5.6.%d.%d" % (n // 200, n % 200) for n in range(1, 400))
    line = unknown.measurement(measured(page(body=many)))
    assert line is not None and b"5.6.1.1" not in line
    assert msgspec.json.decode(line, type=Measurement).evidence[0].body is None  # type: ignore[union-attr]


ECHOES = {
    "X-Forwarded-For": "5.6.7.8:51234, 10.0.0.1",
    "Forwarded": 'for="[2a00:1450:4001::7]:4711";by=10.0.0.1',
    "X-Info": "client_ip=5.6.7.8",
    "Location": "http://block.by/?ip=5.6.7.8",
    "Refresh": "0; url=http://block.by/?client-ip=5.6.7.8",
}


@pytest.mark.parametrize("name", ECHOES)
def test_another_address_that_a_server_says_is_ours_goes_from_all_of_the_measurement(
    name: str,
) -> None:
    told = ECHOES[name]
    ours = "2a00:1450:4001::7" if "2a00" in told else "5.6.7.8"
    body = f"Sorry, {ours}. http://82.209.230.23/ knows why.".encode()
    location = told if name == "Location" else None
    found = sent(measured(page(headers=((name, told),), body=body, location=location)))
    (exchange,) = found.evidence
    assert isinstance(exchange, HTTPExchange) and exchange.body is not None
    assert ours.encode() not in msgspec.json.encode(found) + exchange.body
    assert b"http://82.209.230.23/ knows why." in exchange.body


def test_a_server_that_calls_a_sites_address_ours_takes_no_evidence_away() -> None:
    headers = (("X-Client-IP", "178.172.160.2"),)
    found = sent(measured(page(headers=headers, body=b"178.172.160.2 is blocked"))).evidence[0]
    assert isinstance(found, HTTPExchange)
    assert (found.ip, found.body) == ("178.172.160.2", b"178.172.160.2 is blocked")


STRANGE = st.text(max_size=60) | st.sampled_from(
    ["http://[", "http://[::1", "//", "http://a:b@/?&=;#", "%", "&#99999999999;", "\\u{ffffff}",
     "=?utf-8?b?", "Mon, 99 Foo 2026 99:99:99 GMT", "\ud800".encode("utf-8", "replace").decode()]
)  # fmt: skip


@given(STRANGE, STRANGE, st.binary(max_size=80))
def test_whatever_a_server_says_leaves_or_is_left_out(name: str, value: str, body: bytes) -> None:
    for field in (name, "Location", "Date", "Set-Cookie", "Forwarded"):
        exchange = page(url=value, location=value, headers=((field, value),), body=body,
                        title=value, detail=name)  # fmt: skip
        capture = PacketCapture(ip="178.172.160.2", port=443, raw=(body,))
        found = sent(measured(exchange, capture, Echo(received=body)))
        assert len(found.evidence) == 3


def test_a_body_is_cut_at_its_bound_and_says_so() -> None:
    body = b"<p>Blocked</p>" * 10_000
    found = sent(measured(*[page(body=body, body_length=len(body), transaction=n)
                            for n in range(40)])).evidence  # fmt: skip
    kept = [len(e.body or b"") for e in found]  # type: ignore[union-attr]
    assert max(kept) == 64 * 1024 and sum(kept) == 1024 * 1024
    assert all(e.body_truncated for e in found if e.body)  # type: ignore[union-attr]


def test_a_document_that_is_too_long_leaves_without_its_pages_and_packets() -> None:
    raw = (bytes(range(256)) * 8,) * 1700
    capture = PacketCapture(ip="178.172.160.2", port=443, raw=raw)
    found = sent(measured(capture, page(body=b"<p>Blocked</p>"))).evidence
    assert isinstance(found[0], PacketCapture) and isinstance(found[1], HTTPExchange)
    assert found[0].raw == ()
    assert found[1].body is None
