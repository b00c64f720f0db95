"""What is made of the records of an endpoint: where it failed, and whose word that is."""

from __future__ import annotations

import msgspec

from analysis.verdict import Verdict
from probe.evidence import AddressInfo, AnyEvidence, DNSAnswer, DNSExchange, Measurement, Reach
from probe.failure import Failure
from tests.services.test_own import asked, judged, of

URL = "signal://chat.signal.org"
OWN, TRUE, SISTER, OTHER = "82.209.230.23", "76.223.92.165", "13.248.212.111", "104.16.0.1"
WHOSE = {
    OWN: AddressInfo(asn=6697, cc="BY"), TRUE: AddressInfo(asn=16509, cc="US"),
    SISTER: AddressInfo(asn=16509, cc="US"), OTHER: AddressInfo(asn=13335, cc="US"),
}  # fmt: skip


def tried(
    failure: Failure | None, operation: str = "connect", *, ip: str = OWN, step: str = "",
    vantage: str = "probe", service: str = "signal", part: str = "chat", url: str = URL,
) -> Reach:  # fmt: skip
    return Reach(
        service=service, part=part, ip=ip, port=443, url=url, failure=failure, step=step,
        operation=operation if failure else "", vantage=vantage,
    )  # fmt: skip


def verdict(
    *mine: AnyEvidence, url: str = URL, nettest: str = "messenger", service: str = "signal",
    part: str = "chat",
) -> Verdict:  # fmt: skip
    there: list[AnyEvidence] = []
    for control in ("c0", "c1"):
        there += [
            asked(control),
            tried(None, ip=TRUE, vantage=control, service=service, part=part, url=url),
        ]
    measurement: Measurement = of(*mine, *there, nettest=nettest, url=url)
    return judged(msgspec.structs.replace(measurement, addresses=WHOSE))[url]


def test_another_networks_address_that_does_not_serve_is_a_lie_of_the_resolver() -> None:
    mine = [tried(Failure.TIMEOUT), tried(None, ip=TRUE, step="other_address")] * 2
    found = verdict(*mine)
    assert ("blocked", ["dns.substituted"]) == (found.outcome, list(found.mechanisms))


def test_who_answers_in_the_place_of_the_service_was_put_there() -> None:
    mine = [
        tried(Failure.TLS_INVALID_HOSTNAME, "certificate", ip=OTHER),
        tried(None, ip=TRUE, step="other_address"),
    ] * 2
    found = verdict(*mine)
    assert ("blocked", ["dns.substituted"]) == (found.outcome, list(found.mechanisms))


def test_a_dead_server_of_another_content_network_accuses_nobody() -> None:
    mine = [tried(Failure.TIMEOUT, ip=OTHER), tried(None, ip=TRUE, step="other_address")] * 2
    assert "inconclusive" == verdict(*mine).outcome


def test_a_dead_address_of_the_services_own_network_is_no_block() -> None:
    mine = [tried(Failure.TIMEOUT, ip=SISTER), tried(None, ip=TRUE, step="other_address")] * 2
    assert "ok" == verdict(*mine).outcome


def test_the_layer_is_named_where_the_true_address_fails_too() -> None:
    mine = [
        tried(Failure.TIMEOUT, ip=SISTER),
        tried(Failure.TIMEOUT, ip=TRUE, step="other_address"),
    ]
    found = verdict(*mine * 2)
    assert ("blocked", ["tcp.silence"]) == (found.outcome, list(found.mechanisms))


def test_what_the_own_resolver_says_counts_where_others_know_better() -> None:
    facts = {"hostname": "chat.signal.org", "rdtype": "A", "url": URL}
    lookups = [
        DNSExchange(**facts, engine="udp", own=True, failure=Failure.DNS_NXDOMAIN),  # type: ignore[arg-type]
        DNSExchange(**facts, engine="doh", answers=(DNSAnswer(addresses=(TRUE,)),)),  # type: ignore[arg-type]
    ]
    lost = tried(Failure.DNS_NXDOMAIN, "resolve", ip="")
    found = verdict(*lookups, lost, lost, tried(None, ip=TRUE, step="other_address"))
    assert ("blocked", ["dns.nxdomain"]) == (found.outcome, list(found.mechanisms))


def test_a_resolver_that_proves_itself_and_lies_is_its_own_doing() -> None:
    url = "dot://dns.example"
    untrue = tried(Failure.UNKNOWN, "truth", service="dot", part="resolver", url=url)
    found = verdict(
        untrue, untrue, url=url, nettest="encrypted_dns", service="dot", part="resolver"
    )
    assert ("server_side", []) == (found.outcome, list(found.mechanisms))


def test_parts_of_one_name_are_of_their_own_service() -> None:
    url = "whatsapp://web.whatsapp.com"
    mine = tried(None, service="whatsapp", part="web", url=url)
    found = verdict(mine, url=url, service="whatsapp", part="web")
    assert "ok" == found.outcome
