"""tor_reachability against relays and all that is none: what is on record of each."""

from __future__ import annotations

import errno
from pathlib import Path

import msgspec
import pytest
import trio
from trio.testing import MockClock

from probe.compare import compare_service
from probe.control.client import ControlClient
from probe.evidence import (
    AnyEvidence,
    ControlQuery,
    HTTPExchange,
    RelayLink,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure
from probe.ladder.differences import differences
from probe.nettest import Context, discover
from probe.nettests.tor_reachability import PAUSE, is_relay
from probe.steps.certificate import Verifier
from probe.surroundings.clock import Clock
from probe.surroundings.resolvers import Resolvers
from probe.tools import Tools
from probe.trace import Trace
from testlists.target import Target, target_from_url
from tests.certificates import cafile, server_context
from tests.fakenet import (
    FakeInternet,
    Serve,
    ServerEnd,
    Site,
    fake_internet,
    response,
    says,
    silence,
    tls,
)
from tests.tor.relays import DAY, Keys, certs_body, fixed, relay, said, variable, versions

IP = "93.184.216.34"
KEYS, OTHER = Keys(), Keys()
DESCRIPTOR = response(b"router unnamed 93.184.216.34 9001 0 9030\nfingerprint X\n")


def listed(kind: str = "or_port", *, port: int = 9001, dir_port: int = 0) -> Target:
    return Target(
        url=f"tor://{IP}:{port}",
        attributes=(
            ("relay", kind), ("fingerprint", KEYS.fingerprint), ("ed25519", KEYS.ed25519),
            ("nickname", "ralf"), ("dir_port", str(dir_port or "")),
        ),
    )  # fmt: skip


async def measured(
    net: FakeInternet, folder: Path, target: Target, *, vantage: str = "probe",
    clock_offset: float = 0.0, ipv6: bool = False,
) -> list[AnyEvidence]:  # fmt: skip
    tools = Tools(
        net=net, resolvers=Resolvers(own=(), public=(), dot=(), doh=()),
        verifier=Verifier(cafile(folder)), now=Clock(clock_offset).now, ipv6=ipv6,
    )  # fmt: skip
    trace = Trace(vantage=vantage)
    async with ControlClient(()) as nobody:
        context = Context(tools=tools, trace=trace, controls=nobody)
        await discover()["tor_reachability"].run(context, target)
    return trace.records


def links(records: list[AnyEvidence]) -> list[RelayLink]:
    return [e for e in records if isinstance(e, RelayLink)]


async def seen_of(serve: Serve, folder: Path) -> RelayLink:
    """The first look at the OR port where *serve* listens."""
    async with fake_internet() as net:
        net.tcp[IP, 9001] = serve
        return links(await measured(net, folder, listed()))[0]


async def test_a_relay_proves_to_be_itself_and_nothing_more_is_asked(tmp_path: Path) -> None:
    async with fake_internet() as net:
        net.tcp[IP, 9001] = relay(KEYS)
        records = await measured(net, tmp_path, listed(dir_port=9030))
    assert [TCPConnect, TLSHandshake, RelayLink] == [type(e) for e in records]
    assert 1 == len({e.transaction for e in records})
    (link,) = links(records)
    assert (None, "proved", "", "or_port", IP, 9001, "ralf") == (
        link.failure, link.identity, link.operation, link.relay, link.ip, link.port, link.name,
    )
    assert (KEYS.fingerprint, KEYS.ed25519, (3, 4, 5)) == (
        link.fingerprint, link.ed25519, link.versions,
    )
    assert link.skew is not None
    assert abs(link.skew) <= 60


async def test_tors_hello_and_a_made_up_name_are_what_is_sent(tmp_path: Path) -> None:
    async with fake_internet() as net:
        net.tcp[IP, 9001] = relay(KEYS)
        names = set()
        for _ in range(2):
            (hello,) = (
                e for e in await measured(net, tmp_path, listed()) if isinstance(e, TLSHandshake)
            )
            assert ("tor-0.4.9", ()) == (hello.hello, hello.alpn_offered)
            # As sent by tor 0.4.9.11 with OpenSSL 3.0 to a bridge.
            assert "t13d181100_796efca44d18_d41ae481755e" == hello.ja4
            names.add(hello.sni)
    assert 2 == len(names)
    assert all(name and name.startswith("www.") and name.endswith(".com") for name in names)


NOT_TOR = Failure.UNKNOWN, "", "link_handshake"
PRETENDERS: dict[str, tuple[Serve, tuple[Failure, str, str]]] = {
    "a web server": (tls(server_context("a.example"), says(b"HTTP/1.1 400 Bad Request\r\n\r\n",
                         first=b"\0\x05")), NOT_TOR),
    "TLS that says nothing and closes": (tls(server_context("a.example")),
                                        (Failure.EOF, "", "link_handshake")),
    "another relay": (relay(OTHER), (Failure.TLS_INVALID_HOSTNAME, "other", "identity")),
    "a middlebox that repeats what the relay says": (
        tls(server_context("a.example"), says(said(KEYS.certificates()), first=b"\0\x05")),
        (Failure.TLS_INVALID_CERTIFICATE, "unproved", "identity"),
    ),
    "a middlebox that says it of its own connection": (
        relay(OTHER, said({**KEYS.certificates(), 5: OTHER.certificates()[5]})),
        (Failure.TLS_INVALID_CERTIFICATE, "unproved", "identity"),
    ),
    "no certificates": (
        relay(KEYS, said({})), (Failure.TLS_INVALID_CERTIFICATE, "unproved", "identity")
    ),
    "a relay without CERTS": (relay(KEYS, versions(4, 5) + fixed(8, b"")), NOT_TOR),
    "one that never ends": (
        relay(KEYS, versions(4, 5) + b"".join(variable(128, bytes(30_000)) for _ in range(20))),
        NOT_TOR,
    ),
    "no TLS": (says(b"HTTP/1.1 400 Bad Request\r\n\r\n", first=b"\x16\x03"),
               (Failure.TLS_FAILED_HANDSHAKE, "", "tls_handshake")),
}  # fmt: skip


@pytest.mark.parametrize("pretender", PRETENDERS.values(), ids=PRETENDERS.keys())
async def test_what_is_not_the_relay_is_told_from_it(
    pretender: tuple[Serve, tuple[Failure, str, str]], tmp_path: Path, autojump_clock: MockClock
) -> None:
    serve, expected = pretender
    link = await seen_of(serve, tmp_path)
    assert expected == (link.failure, link.identity, link.operation)


async def test_a_wrong_clock_proves_the_relay_all_the_same(tmp_path: Path) -> None:
    for offset in (400 * DAY, -400 * DAY):
        async with fake_internet() as net:
            net.tcp[IP, 9001] = relay(KEYS)
            (link,) = links(await measured(net, tmp_path, listed(), clock_offset=offset))
        assert (None, "proved") == (link.failure, link.identity)
        assert link.skew is not None
        assert abs(link.skew + offset) < 60
        assert ("expired" in link.detail) == (offset > 0)


async def resets_after_hello(stream: ServerEnd) -> None:
    await stream.receive_some(4096)
    await stream.reset()


async def resets_after_versions(stream: ServerEnd) -> None:
    """Lets TLS through, and not what is Tor in it."""
    inside = trio.SSLStream(stream, KEYS.context, server_side=True)
    await inside.do_handshake()
    await inside.receive_some(100)
    await stream.reset()


@pytest.mark.parametrize(
    ("serve", "failure", "operation"),
    [
        (silence, Failure.TIMEOUT, "tls_handshake"),
        (resets_after_hello, Failure.CONNECTION_RESET, "tls_handshake"),
        (resets_after_versions, Failure.CONNECTION_RESET, "link_handshake"),
        (None, Failure.CONNECTION_REFUSED, "connect"),
    ],
)
async def test_how_and_where_it_ends_is_on_record(
    serve: Serve | None, failure: Failure, operation: str, tmp_path: Path,
    autojump_clock: MockClock,
) -> None:  # fmt: skip
    async with fake_internet() as net:
        if serve is not None:
            net.tcp[IP, 9001] = serve
        first, again, *_ = links(await measured(net, tmp_path, listed()))
    assert (failure, operation) == (first.failure, first.operation)
    assert (failure, operation) == (again.failure, again.operation)
    assert again.t0 - first.t >= PAUSE


async def test_of_a_relay_that_fails_it_is_asked_what_fails_there(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async def tor_only(stream: ServerEnd) -> None:
        """Resets Tor's hello, and lets a browser's pass to the relay."""
        hello = await stream.receive_some(8192)
        if b"www.debian.org" not in hello:
            await stream.reset()
            return
        await stream.send_all(b"\x15\x03\x03\x00\x02\x02\x28")

    async with fake_internet() as net:
        net.tcp[IP, 9001] = tor_only
        net.tcp[IP, 9030] = Site({"/tor/server/authority": DESCRIPTOR})
        net.tcp[IP, 443] = silence
        records = await measured(net, tmp_path, listed(dir_port=9030))
    found = [(e.relay, e.step, e.port, e.failure) for e in links(records)]
    reset = Failure.CONNECTION_RESET
    assert [
        ("or_port", "", 9001, reset), ("or_port", "", 9001, reset),
        ("dir_port", "dir_port", 9030, None),
        ("relay_other_port", "relay_other_port", 443, None),
        ("non_tor_tls", "non_tor_tls", 9001, Failure.TLS_FAILED_HANDSHAKE),
    ] == found
    (page,) = (e for e in records if isinstance(e, HTTPExchange))
    assert (IP, 9030, 200) == (page.ip, page.port, page.status)


async def test_what_works_the_second_time_works(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    tries = iter([resets_after_hello, relay(KEYS)])

    async def flaky(stream: ServerEnd) -> None:
        await next(tries)(stream)

    async with fake_internet() as net:
        net.tcp[IP, 9001] = flaky
        records = await measured(net, tmp_path, listed())
    assert [Failure.CONNECTION_RESET, None] == [e.failure for e in links(records)]
    assert compare_service(records, [])["failure"] is None


async def test_an_authority_is_asked_at_both_its_ports(tmp_path: Path) -> None:
    async with fake_internet() as net:
        net.tcp[IP, 443] = relay(KEYS)
        net.tcp[IP, 80] = Site({"/tor/server/authority": DESCRIPTOR})
        found = links(
            await measured(net, tmp_path, listed("or_port_dirauth", port=443, dir_port=80))
        )
    assert [("or_port_dirauth", 443, None), ("dir_port", 80, None)] == [
        (e.relay, e.port, e.failure) for e in found
    ]


@pytest.mark.parametrize("page", [response(b"<title>Blocked</title>"), response(b"", 404)])
async def test_a_block_page_is_no_directory(page: bytes, tmp_path: Path) -> None:
    async with fake_internet() as net:
        net.tcp[IP, 443] = relay(KEYS)
        net.tcp[IP, 80] = Site({"/tor/server/authority": page})
        _, found = links(
            await measured(net, tmp_path, listed("or_port_dirauth", port=443, dir_port=80))
        )
    assert (Failure.UNKNOWN, "http_round_trip") == (found.failure, found.operation)


async def test_of_a_bridge_with_a_transport_only_the_port_is_tried(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with fake_internet() as net:
        net.tcp[IP, 9001] = silence
        assert [("obfs4", None)] == [
            (e.relay, e.failure) for e in links(await measured(net, tmp_path, listed("obfs4")))
        ]
        del net.tcp[IP, 9001]
        refused = Failure.CONNECTION_REFUSED
        assert [("obfs4", refused)] * 2 == [
            (e.relay, e.failure) for e in links(await measured(net, tmp_path, listed("obfs4")))
        ]


async def test_a_control_looks_at_all_of_it_since_it_does_not_know_what_failed_here(
    tmp_path: Path,
) -> None:
    async with fake_internet() as net:
        net.tcp[IP, 9001] = relay(KEYS)
        found = links(await measured(net, tmp_path, listed(dir_port=9030), vantage="control"))
    refused = Failure.CONNECTION_REFUSED
    assert {
        ("or_port", 9001, None), ("dir_port", 9030, refused),
        ("relay_other_port", 443, refused), ("non_tor_tls", 9001, None),
    } == {(e.relay, e.port, e.failure) for e in found}
    for order in (found, found[::-1]):  # which of them ends first is chance
        told = [msgspec.structs.replace(e, vantage="probe") for e in order]
        assert compare_service(told, [])["failure"] is None


async def test_an_address_that_cannot_or_must_not_be_tried_is_not(tmp_path: Path) -> None:
    six = Target(url="tor://[2001:500:2::c]:9001")
    home = Target(url="tor://192.168.1.1:9001")
    async with fake_internet() as net:
        assert [] == await measured(net, tmp_path, six)
        assert [] == await measured(net, tmp_path, home)
        assert [] == net.connections
        net.unreachable["2001:500:2::c"] = errno.ENETUNREACH
        (first, *_) = links(await measured(net, tmp_path, six, ipv6=True))
    assert (Failure.NETWORK_UNREACHABLE, "2001:500:2::c") == (first.failure, first.ip)
    assert "tor://[2001:500:2::c]:9001" == first.url


async def test_every_look_waits_for_its_turn(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with fake_internet() as net:
        await measured(net, tmp_path, listed(dir_port=9030))
        assert net.connections == net.turns
        assert 5 == len(net.turns)


@pytest.mark.parametrize("dir_port", ["0", "65536", "99999999999", "-1", "none", "٣"])
async def test_a_list_that_says_nonsense_of_a_port_has_no_port(
    dir_port: str, tmp_path: Path
) -> None:
    target = Target(
        url=f"tor://{IP}:9001", attributes=(("relay", "or_port_dirauth"), ("dir_port", dir_port))
    )
    async with fake_internet() as net:
        net.tcp[IP, 9001] = relay(KEYS)
        assert 1 == len(links(await measured(net, tmp_path, target)))


def test_an_address_and_port_is_a_relay_and_a_word_is_none() -> None:
    assert is_relay(target_from_url(f"tor://{IP}:9001"))
    assert is_relay(target_from_url("tor://[2001:500:2::c]:9001"))
    assert not is_relay(target_from_url("tor://obfs4"))
    assert not is_relay(target_from_url(f"tor://{IP}"))
    assert not is_relay(target_from_url(f"https://{IP}:9001/"))


def test_certificates_in_the_test_are_as_long_as_real_ones() -> None:
    body = certs_body(KEYS.certificates())
    assert 700 < len(body) < 2000


async def test_nothing_of_a_relay_is_followed_up_as_a_site(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Its directory port speaks HTTP, and is no page to climb a ladder for."""
    async with fake_internet() as net:
        net.tcp[IP, 80] = resets_after_hello
        here = await measured(net, tmp_path, listed("or_port_dirauth", port=443, dir_port=80))
        net.tcp[IP, 443] = relay(KEYS)
        net.tcp[IP, 80] = Site({"/tor/server/authority": DESCRIPTOR})
        there = await measured(
            net, tmp_path, listed("or_port_dirauth", port=443, dir_port=80), vantage="control"
        )
    asked = ControlQuery(control="control", control_url="https://c.example/")
    assert () == differences([*here, asked, *there])
