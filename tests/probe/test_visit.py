from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from probe.evidence import (
    AnyEvidence,
    CertificateCheck,
    DNSExchange,
    HTTPExchange,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure
from probe.steps.certificate import Verifier
from probe.surroundings.resolvers import Resolvers
from probe.tools import Tools
from probe.trace import Trace
from probe.visit import MAX_ADDRESSES, visit
from probe.wire.url import BadURL
from tests.certificates import cafile, server_context
from tests.fakenet import (
    FakeInternet,
    Serve,
    ServerEnd,
    Site,
    dns_answer,
    fake_internet,
    heard,
    over_tcp,
    response,
    says,
    silence,
    tls,
    zone,
)

SITE, SECOND, FORGED = "93.184.216.34", "93.184.216.35", "93.184.216.66"
OWN, PUBLIC = "93.184.216.53", "93.184.217.53"
PAGE = response(b"<title>Home</title>")

Build = Callable[[FakeInternet], None]


@pytest.fixture(scope="session")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Verifier:
    return Verifier(cafile(tmp_path_factory.mktemp("trust")))


class Seen:
    """A finished visit: its records by kind, and the Internet it took place in."""

    def __init__(self, records: Sequence[AnyEvidence], net: FakeInternet) -> None:
        self.records, self.net = records, net

    def of(self, kind: type[Any], **facts: object) -> list[Any]:
        return [
            e
            for e in self.records
            if isinstance(e, kind)
            if all(getattr(e, name) == value for name, value in facts.items())
        ]

    @property
    def pages(self) -> list[tuple[str, int | None]]:
        return [(e.url, e.status) for e in self.of(HTTPExchange)]


@pytest.fixture
def go(verifier: Verifier) -> Any:
    async def run(
        build: Build, url: str = "http://site.by/", *, ipv6: bool = False, **options: Any
    ) -> Seen:
        trace = Trace()
        async with fake_internet() as net:
            net.udp[OWN] = net.udp[PUBLIC] = zone({"site.by": [SITE]})
            net.names["site.by"] = (SITE,)
            build(net)
            tools = Tools(
                net=net,
                resolvers=Resolvers(own=(OWN,), public=(PUBLIC,), dot=(), doh=()),
                verifier=verifier,
                ipv6=ipv6,
            )
            with trio.fail_after(2000):
                await visit(tools, trace, url, **options)
        return Seen(trace.records, net)

    return run


def site(ip: str = SITE, **pages: Any) -> tuple[Build, Site]:
    """A site on *ip*, over http and https; pages by path without the slash, ``home`` for /."""
    here = Site({"/" if name == "home" else f"/{name}": page for name, page in pages.items()})

    def build(net: FakeInternet) -> None:
        net.tcp[ip, 80] = here
        net.tcp[ip, 443] = tls(server_context("site.by"), here)

    return build, here


async def test_every_operation_of_a_plain_visit_is_on_record(
    go: Any, autojump_clock: MockClock
) -> None:
    build, here = site(home=PAGE)
    seen = await go(build, "https://site.by/")
    assert [("https://site.by/", 200)] == seen.pages
    assert 1 == len(here.requests)
    kinds = {(e.engine, e.rdtype, e.own) for e in seen.of(DNSExchange)}
    assert kinds == {
        ("system", "ANY", True), ("udp", "A", True), ("udp", "AAAA", True),
        ("udp", "HTTPS", True), ("udp", "A", False), ("udp", "AAAA", False),
    }
    (connect,), (shake,), (check,), (page,) = (
        seen.of(kind) for kind in (TCPConnect, TLSHandshake, CertificateCheck, HTTPExchange)
    )
    assert 1 == len({e.transaction for e in (connect, shake, check, page)})
    assert [None] * 4 == [e.failure for e in (connect, shake, check, page)]
    assert "site.by" == shake.sni


async def test_the_twin_is_measured_beside_it(go: Any, autojump_clock: MockClock) -> None:
    build, _ = site(home=PAGE)
    seen = await go(build, "http://site.by/", twin=True)
    assert {("http://site.by/", 200), ("https://site.by/", 200)} == set(seen.pages)
    assert 6 == len(seen.of(DNSExchange))  # asked once for both
    assert 2 == len(seen.net.connections)


async def test_beside_http_the_look_at_443_fetches_nothing(
    go: Any, autojump_clock: MockClock
) -> None:
    build, _ = site(home=PAGE)
    seen = await go(build)
    assert [("http://site.by/", 200)] == seen.pages
    assert [80, 443] == sorted(port for _, port in seen.net.connections)
    assert 1 == len(seen.of(TLSHandshake))


async def test_an_odd_port_has_neither_twin_nor_look(go: Any, autojump_clock: MockClock) -> None:
    def build(net: FakeInternet) -> None:
        net.tcp[SITE, 8080] = Site({"/": PAGE})

    seen = await go(build, "http://site.by:8080/", twin=True)
    assert [(SITE, 8080)] == seen.net.connections


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_hops_of_their_own(
    status: int, go: Any, autojump_clock: MockClock
) -> None:
    build, _ = site(
        home=response(status=status, headers=[("location", "next")]),
        next=response(status=status, headers=[("location", "https://other.by/")]),
    )

    def both(net: FakeInternet) -> None:
        build(net)
        net.names["other.by"] = (SECOND,)
        other = tls(server_context("other.by"), Site({"/": PAGE}))
        net.tcp[SECOND, 443] = other

    seen = await go(both)
    assert [("http://site.by/", 0), ("http://site.by/next", 1), ("https://other.by/", 2)] == [
        (e.url, e.depth) for e in seen.of(HTTPExchange)
    ]


async def test_a_redirect_loop_is_said_once(go: Any, autojump_clock: MockClock) -> None:
    build, here = site(
        home=response(status=302, headers=[("location", "/next")]),
        next=response(status=302, headers=[("location", "/")]),
    )
    seen = await go(build)
    assert ["redirect loop"] == [e.detail for e in seen.of(HTTPExchange) if e.failure]
    assert 2 == len(here.requests)


async def test_a_page_that_redirects_to_itself_without_cookie_is_no_loop(
    go: Any, autojump_clock: MockClock
) -> None:
    def home(request: bytes) -> bytes:
        if b"cookie: k=v" in request:
            return PAGE
        return response(status=302, headers=[("location", "/"), ("set-cookie", "k=v")])

    build, _ = site(home=home)
    seen = await go(build)
    assert [("http://site.by/", 302), ("http://site.by/", 200)] == seen.pages


async def test_a_cookie_that_changes_for_ever_ends(go: Any, autojump_clock: MockClock) -> None:
    count = iter(range(1000))

    def home(request: bytes) -> bytes:
        return response(
            status=302, headers=[("location", "/"), ("set-cookie", f"k={next(count)}")]
        )

    build, here = site(home=home)
    seen = await go(build)
    assert "too many redirects" == seen.of(HTTPExchange)[-1].detail
    assert 21 == len(here.requests)


async def test_more_than_twenty_redirects_are_too_many(go: Any, autojump_clock: MockClock) -> None:
    def serve(net: FakeInternet) -> None:
        async def chain(stream: ServerEnd) -> None:
            path = (await heard(stream)).split()[1].decode()
            count = int(path[1:] or 0) + 1
            await stream.send_all(response(status=302, headers=[("location", f"/{count}")]))

        net.tcp[SITE, 80] = chain

    seen = await go(serve)
    last = seen.of(HTTPExchange)[-1]
    assert ("too many redirects", Failure.UNKNOWN, None) == (last.detail, last.failure, last.status)
    assert 22 == len(seen.of(HTTPExchange))


HOSTILE_PLACES = [
    "http://127.0.0.1/", "http://10.0.0.1:8080/x", "http://[::1]/", "http://[::ffff:127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/", "http://192.168.1.1/login?mac=00:11:22:33:44:55",
    "http://169.254.169.254/latest", "http://2130706433/", "http://0x7f.1/", "http://127.1/",
    "http://" + "a" * 64 + ".by/", "http://a\x00b.by/", "http://site.by:99999/", "http://site.by:0/",
    "http://router.by/", "http://%31%32%37.0.0.1/", "http://[fe80::1]/", "http://0/",
    "http://" + "x" * 300 + "/", "http://xn--a/", "http://a_b.by/", "http://-.by/",
]


@pytest.mark.parametrize("place", HOSTILE_PLACES)
async def test_no_redirect_leads_home(place: str, go: Any, autojump_clock: MockClock) -> None:
    asked: list[str] = []

    async def known(url: str, depth: int, addresses: Sequence[str]) -> Sequence[str]:
        asked.append(url)
        assert not {"192.168.1.1", "::1"} & set(addresses)
        return ["10.1.1.1", "::1", SITE]

    build, _ = site(home=response(status=302, headers=[("location", place)]))

    def home(net: FakeInternet) -> None:
        build(net)
        net.names["router.by"] = ("192.168.1.1", "::1", "::ffff:127.0.0.1")

    seen = await go(home, known=known, ipv6=True)
    # HTTP/1.1 has no NUL in a header: there the whole answer is bad framing.
    assert (None if "\x00" in place else 302) == seen.pages[0][1]
    assert not any("mac=" in url for url in asked)


@pytest.mark.parametrize(
    "lie", ["127.0.0.1", "10.1.2.3", "192.168.1.1", "0.0.0.0", "169.254.169.254", "224.0.0.1",
            "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fe80::1", "fc00::1", "2002:7f00:1::"],
)
async def test_a_lying_resolver_leads_nowhere(lie: str, go: Any, autojump_clock: MockClock) -> None:
    def liar(net: FakeInternet) -> None:
        net.names["site.by"] = (lie,)
        net.udp[OWN] = zone({"site.by": [lie]})
        net.udp[PUBLIC] = zone({"site.by": [lie]})

    seen = await go(liar, ipv6=True)
    assert [] == seen.net.connections
    assert lie in {ip for e in seen.of(DNSExchange) for a in e.answers for ip in a.addresses}


async def test_without_ipv6_its_addresses_are_recorded_and_not_tried(
    go: Any, autojump_clock: MockClock
) -> None:
    build, _ = site(home=PAGE)

    def dual(net: FakeInternet) -> None:
        build(net)
        net.names["site.by"] = (SITE, "2606:2800::1")

    seen = await go(dual)
    assert {SITE} == {ip for ip, _ in seen.net.connections}
    seen = await go(dual, ipv6=True)
    assert {SITE, "2606:2800::1"} == {ip for ip, _ in seen.net.connections}


def resets(stream: ServerEnd) -> Any:
    return stream.reset()


async def reset_after_hello(stream: ServerEnd) -> None:
    await stream.receive_some()
    await stream.reset()


async def test_after_a_reset_the_address_is_held_in_silence(
    go: Any, autojump_clock: MockClock
) -> None:
    def build(net: FakeInternet) -> None:
        net.tcp[SITE, 443] = reset_after_hello

    seen = await go(build, "https://site.by/")
    assert [Failure.CONNECTION_RESET] == [e.failure for e in seen.of(TLSHandshake)]
    first, held = seen.of(TCPConnect)
    assert (0.0, 1.5, None) == (first.held, held.held, held.failure)
    assert first.transaction != held.transaction
    assert (SITE, 443) == seen.net.turns[-1]


async def test_a_reset_of_the_silent_connection_is_its_own_failure(
    go: Any, autojump_clock: MockClock
) -> None:
    def build(net: FakeInternet) -> None:
        net.tcp[SITE, 80] = resets

    seen = await go(build)
    (held,) = [e for e in seen.of(TCPConnect, port=80) if e.held]
    assert Failure.CONNECTION_RESET == held.failure


@pytest.mark.parametrize(
    ("serve", "failure"), [(silence, Failure.TIMEOUT), (says(), Failure.EOF)]
)
async def test_what_is_no_reset_is_not_held(
    serve: Serve, failure: Failure, go: Any, autojump_clock: MockClock
) -> None:
    def build(net: FakeInternet) -> None:
        net.tcp[SITE, 80] = serve

    seen = await go(build)
    assert [failure] == [e.failure for e in seen.of(HTTPExchange)]
    assert [0.0, 0.0] == [e.held for e in seen.of(TCPConnect)]


async def test_a_lie_and_the_truth_behind_it_are_both_seen(
    go: Any, autojump_clock: MockClock
) -> None:
    build, _ = site(home=PAGE)

    def injected(net: FakeInternet) -> None:
        build(net)
        net.names["site.by"] = (FORGED,)
        net.udp[OWN] = zone({"site.by": [FORGED]})
        net.tcp[FORGED, 80] = Site({"/": response(b"<title>Blocked</title>")})

    seen = await go(injected)
    assert {(FORGED, "Blocked"), (SITE, "Home")} == {
        (e.ip, e.title) for e in seen.of(HTTPExchange)
    }


async def test_where_sets_meet_the_page_is_fetched_once(go: Any, autojump_clock: MockClock) -> None:
    build, here = site(home=PAGE)

    def cdn(net: FakeInternet) -> None:
        build(net)
        net.tcp[SECOND, 80] = here
        net.udp[PUBLIC] = zone({"site.by": [SITE, SECOND]})

    seen = await go(cdn)
    assert [SITE] == [e.ip for e in seen.of(HTTPExchange)]
    assert {SITE, SECOND} == {e.ip for e in seen.of(TCPConnect)}


async def test_a_failed_fetch_passes_the_turn_to_another_own_address(
    go: Any, autojump_clock: MockClock
) -> None:
    def build(net: FakeInternet) -> None:
        net.names["site.by"] = (FORGED,)
        net.udp[OWN] = zone({"site.by": [FORGED, SITE]}, delay=0.5)
        net.tcp[FORGED, 80] = says()
        net.tcp[SITE, 80] = Site({"/": PAGE})

    seen = await go(build)
    assert [(FORGED, Failure.EOF), (SITE, None)] == [
        (e.ip, e.failure) for e in seen.of(HTTPExchange)
    ]


async def test_a_connection_that_waited_long_is_renewed(go: Any, autojump_clock: MockClock) -> None:
    build, _ = site(home=PAGE)

    def others_only(net: FakeInternet) -> None:
        build(net)
        del net.names["site.by"]
        net.udp[OWN] = zone({})

    async def slow(url: str, depth: int, addresses: Sequence[str]) -> Sequence[str]:
        await trio.sleep(5)
        return []

    seen = await go(others_only, known=slow)
    assert 2 == len(seen.of(TCPConnect, port=80))
    (page,) = seen.of(HTTPExchange)
    assert (200, seen.of(TCPConnect, port=80)[-1].transaction) == (page.status, page.transaction)


async def test_addresses_that_only_controls_know_are_measured(
    go: Any, autojump_clock: MockClock
) -> None:
    build, _ = site(home=PAGE)
    told: list[Sequence[str]] = []

    async def known(url: str, depth: int, addresses: Sequence[str]) -> Sequence[str]:
        told.append(addresses)
        return [SECOND]

    def quiet(net: FakeInternet) -> None:
        build(net)
        net.unreachable[SECOND] = errno.EHOSTUNREACH

    seen = await go(quiet, known=known)
    assert [[SITE]] == told
    assert {Failure.HOST_UNREACHABLE} == {e.failure for e in seen.of(TCPConnect, ip=SECOND)}


async def test_addresses_of_others_leave_room_for_the_users_own(
    go: Any, autojump_clock: MockClock
) -> None:
    many = [f"93.184.{n}.1" for n in range(60)]

    def build(net: FakeInternet) -> None:
        net.udp[PUBLIC] = zone({"site.by": many[:30]}, delay=0.001)
        net.udp[OWN] = zone({"site.by": [SITE]}, delay=1)
        del net.names["site.by"]
        net.tcp[SITE, 80] = Site({"/": PAGE})

    seen = await go(build)
    assert (SITE, 80) in seen.net.connections
    assert {SITE} == {e.ip for e in seen.of(HTTPExchange)}
    assert 2 * MAX_ADDRESSES >= len({ip for ip, _ in seen.net.connections})


async def test_one_answer_is_enough_to_connect(go: Any, autojump_clock: MockClock) -> None:
    def build(net: FakeInternet) -> None:
        net.udp[OWN] = lambda query: ()
        net.tcp[SITE, 80] = Site({"/": PAGE})

    seen = await go(build)
    (page,) = seen.of(HTTPExchange)
    assert page.t < 1
    assert 3 == len([e for e in seen.of(DNSExchange) if e.failure is Failure.TIMEOUT])


async def test_an_nxdomain_everywhere_ends_without_a_connection(
    go: Any, autojump_clock: MockClock
) -> None:
    def build(net: FakeInternet) -> None:
        net.udp[OWN] = net.udp[PUBLIC] = zone({})

    seen = await go(build, "http://nowhere.by/")
    assert [] == seen.net.connections
    assert {Failure.DNS_NXDOMAIN} <= {e.failure for e in seen.of(DNSExchange)}


async def test_an_address_in_the_url_is_not_resolved(go: Any, autojump_clock: MockClock) -> None:
    build, _ = site(home=PAGE)
    seen = await go(build, f"https://{SITE}/")
    assert [] == seen.of(DNSExchange)
    (shake,) = seen.of(TLSHandshake)
    assert (None, "ssl_invalid_hostname") == (shake.sni, seen.of(CertificateCheck)[0].failure)
    assert [(f"https://{SITE}/", 200)] == seen.pages


async def test_what_is_no_url_is_said_at_once(go: Any, autojump_clock: MockClock) -> None:
    with pytest.raises(BaseExceptionGroup) as caught:  # the fake Internet's nursery
        await go(lambda net: None, "http://a..by/")
    assert [BadURL] == [type(exc) for exc in caught.value.exceptions]


async def test_a_bug_is_loud_and_never_evidence(go: Any, autojump_clock: MockClock) -> None:
    async def known(url: str, depth: int, addresses: Sequence[str]) -> Sequence[str]:
        raise TypeError("a bug of ours")

    build, _ = site(home=PAGE)
    with pytest.raises(BaseExceptionGroup) as caught:
        await go(build, known=known)
    assert caught.value.subgroup(TypeError)


async def test_truncated_everywhere_is_resolved_over_tcp(
    go: Any, autojump_clock: MockClock
) -> None:
    build, _ = site(home=PAGE)

    def cut(net: FakeInternet) -> None:
        build(net)
        net.udp[OWN] = lambda query: [(0.01, dns_answer(query, truncated=True))]
        net.tcp[OWN, 53] = over_tcp(zone({"site.by": [SITE]}))

    seen = await go(cut)
    assert ("http://site.by/", 200) in seen.pages
    assert 3 == len(seen.of(DNSExchange, engine="tcp"))


