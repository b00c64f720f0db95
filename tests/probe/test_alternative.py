from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import dns.message
import dns.rrset
import pytest
import trio
from trio.testing import MockClock

from probe import alternative
from probe.alternative import Endpoint, offered
from probe.evidence import (
    PROBE,
    AnyEvidence,
    CertificateCheck,
    HTTPExchange,
    QUICHandshake,
    TLSHandshake,
)
from probe.failure import Failure
from probe.steps.certificate import Verifier
from probe.surroundings.resolvers import Resolvers
from probe.tools import Tools
from probe.trace import Trace
from probe.visit import visit
from probe.wire.url import parse
from tests.certificates import cafile, server_context
from tests.fakenet import (
    FakeInternet,
    Reply,
    ServerEnd,
    Site,
    fake_internet,
    heard,
    response,
    tls,
    zone,
)
from tests.probe.fakequic import QUICServer

SITE, SITE_6 = "93.184.216.34", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
OWN, PUBLIC = "93.184.216.53", "93.184.217.53"
HTTPS = "https://site.by/"
ALT_SVC = ("alt-svc", 'h3=":443"; ma=86400')


@pytest.fixture(scope="session")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Verifier:
    return Verifier(cafile(tmp_path_factory.mktemp("trust")))


@pytest.fixture
def go(verifier: Verifier) -> Any:
    async def run(
        build: Callable[[FakeInternet], None], url: str = HTTPS, **tools: Any
    ) -> list[AnyEvidence]:
        trace = Trace()
        async with fake_internet() as net:
            net.udp[OWN] = net.udp[PUBLIC] = zone({"site.by": [SITE, SITE_6]})
            net.names["site.by"] = (SITE,)
            net.quic[SITE, 443] = net.quic[SITE_6, 443] = QUICServer(("site.by",))
            build(net)
            resolvers = Resolvers(own=(OWN,), public=(PUBLIC,), dot=(), doh=())
            with trio.fail_after(2000):
                await visit(
                    Tools(net=net, resolvers=resolvers, verifier=verifier, **tools), trace, url
                )
        return trace.records

    return run


def site(*headers: tuple[str, str]) -> Callable[[FakeInternet], None]:
    page = Site({"/": response(b"<title>Home</title>", headers=headers)})

    def build(net: FakeInternet) -> None:
        for ip in (SITE, SITE_6):
            net.tcp[ip, 80] = page
            net.tcp[ip, 443] = tls(server_context("site.by"), page)

    return build


def of(records: Iterable[AnyEvidence], kind: type[Any]) -> list[Any]:
    return [e for e in records if isinstance(e, kind)]


async def test_an_offer_in_a_header_is_tried_after_the_page(
    go: Any, autojump_clock: MockClock
) -> None:
    records = await go(site(ALT_SVC))
    (page,), (shake,) = of(records, HTTPExchange), of(records, QUICHandshake)
    assert (None, SITE, 443, "site.by", HTTPS, "h3") == (
        shake.failure, shake.ip, shake.port, shake.sni, shake.url, shake.alpn,
    )
    assert shake.t0 >= max(e.t for e in records if not _of_quic(e, shake))
    check = of(records, CertificateCheck)[-1]
    assert (shake.transaction, None) == (check.transaction, check.failure)
    assert page.transaction != shake.transaction


def _of_quic(e: AnyEvidence, shake: QUICHandshake) -> bool:
    return e.transaction == shake.transaction


async def test_both_families_are_tried(go: Any, autojump_clock: MockClock) -> None:
    shakes = of(await go(site(ALT_SVC), ipv6=True), QUICHandshake)
    assert {SITE, SITE_6} == {e.ip for e in shakes if e.failure is None}


async def test_a_site_that_offers_nothing_is_left_alone(
    go: Any, autojump_clock: MockClock
) -> None:
    assert [] == of(await go(site()), QUICHandshake)


async def test_an_offer_in_the_clear_does_not_count(go: Any, autojump_clock: MockClock) -> None:
    def build(net: FakeInternet) -> None:
        net.tcp[SITE, 80] = Site({"/": response(b"<title>Home</title>", headers=[ALT_SVC])})

    assert [] == of(await go(build, "http://site.by/"), QUICHandshake)


async def test_silence_by_quic_changes_nothing_of_the_rest(
    go: Any, autojump_clock: MockClock
) -> None:
    def dark(net: FakeInternet) -> None:
        site(ALT_SVC)(net)
        net.quic.clear()

    with_quic, without = await go(dark), await go(site())
    (shake,) = of(with_quic, QUICHandshake)
    assert (Failure.TIMEOUT, 5.0) == (shake.failure, round(shake.t - shake.t0, 3))
    assert sorted(type(e).__name__ for e in without) == sorted(
        type(e).__name__ for e in with_quic if e is not shake
    )
    assert max(e.t for e in without) == pytest.approx(shake.t0, abs=0.001)


def https_record(net: FakeInternet) -> None:
    """The own resolver has an HTTPS record for the name."""
    plain = zone({"site.by": [SITE]})

    def resolver(query: bytes) -> Iterable[Reply]:
        asked = dns.message.from_wire(query)
        if asked.question[0].rdtype.name != "HTTPS":
            yield from plain(query)
            return
        answer = dns.message.make_response(asked)
        record = dns.rrset.from_text("site.by.", 60, "IN", "HTTPS", "1 . alpn=h3,h2")
        answer.answer.append(record)
        yield 0.02, answer.to_wire()

    net.udp[OWN] = resolver


async def reset_by_name(stream: ServerEnd) -> None:
    await heard(stream, b"\x16")
    await stream.reset()


async def test_an_offer_in_the_dns_is_tried_also_where_tls_fails(
    go: Any, autojump_clock: MockClock
) -> None:
    def build(net: FakeInternet) -> None:
        site()(net)
        https_record(net)
        net.tcp[SITE, 443] = reset_by_name

    records = await go(build)
    (handshake,), (shake,) = of(records, TLSHandshake), of(records, QUICHandshake)
    assert Failure.CONNECTION_RESET == handshake.failure
    assert (None, SITE) == (shake.failure, shake.ip)


async def test_nothing_is_tried_where_aioquic_is_not(
    go: Any, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alternative, "available", lambda: False)
    assert [] == of(await go(site(ALT_SVC)), QUICHandshake)


def page(vantage: str = PROBE, url: str = HTTPS, **facts: Any) -> HTTPExchange:
    about: dict[str, Any] = {"ip": SITE, "port": 443, "tls": True, "status": 200}
    about["headers"] = (ALT_SVC,)
    return HTTPExchange(vantage=vantage, url=url, **(about | facts))


def test_each_vantage_point_goes_by_what_it_has_seen_itself() -> None:
    evidence = [page("control-1", ip=SITE_6), page(headers=())]
    assert [] == offered(evidence, PROBE)
    assert [Endpoint(parse(HTTPS), 0, SITE_6, 443)] == offered(evidence, "control-1")


def test_many_hosts_on_the_way_are_bounded() -> None:
    evidence = [page(url=f"https://{n}.by/") for n in range(50)]
    assert alternative.MAX_ENDPOINTS == len(offered(evidence, PROBE))


def test_one_address_of_a_family_is_enough() -> None:
    evidence = [page(), page(ip="93.184.216.35"), page(url="https://site.by/other")]
    assert [SITE] == [endpoint.ip for endpoint in offered(evidence, PROBE)]


def test_what_a_control_says_may_be_nonsense() -> None:
    evidence: list[AnyEvidence] = [
        page("control-1", url="javascript:alert(1)"),
        TLSHandshake(vantage="control-1", url="::", ip=SITE, port=443, sni="::"),
    ]
    assert [] == offered(evidence, "control-1")
