from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.observe.location import NOWHERE, READDRESSED, Location, columns, locate
from analysis.verdict import Location as VerdictLocation
from analysis.verdict import judge
from probe.asn import AddressBook
from probe.evidence import AddressInfo, HopAnswer, HopProbe, HopTrigger, Measurement
from probe.failure import Failure
from probe.nettest import whose
from tests.analysis.build import site

IP, ROUTER, FAR = "93.184.215.14", "93.84.4.2", "62.115.40.1"
SERVER_HELLO, ALERT = b"\x16\x03\x03\x00\x7a\x02", b"\x15\x03\x03\x00\x02\x02\x28"
NEAR = "router's address withheld: of this machine's own network"


def probe(ttl: int, answer: str, **more: Any) -> HopProbe:
    facts = {"ip": IP, "port": 443, "trigger": "tls", "name": "news.example", "step": "where_tls"}
    return HopProbe(ttl=ttl, answer=answer, **(facts | more))  # type: ignore[arg-type]


def syn(ttl: int, answer: str, router: str = "", **more: Any) -> HopProbe:
    return probe(ttl, answer, trigger="syn", name=None, router=router, **more)


def times(count: int, ttl: int, answer: str, **more: Any) -> list[HopProbe]:
    return [probe(ttl, answer, **more) for _ in range(count)]


PATH = [syn(1, "expired", detail=NEAR), syn(2, "expired", ROUTER), syn(3, "expired", FAR)]


def test_the_first_ttl_at_which_the_answer_comes() -> None:
    probes = [*PATH, *times(3, 1, "expired"), *times(3, 2, "reset")]
    found = locate(probes, "tls", "connection_reset")
    assert Location(low=1, high=2, router=ROUTER, met=6, tries=6) == found
    assert found is not None and found.hop == 2


def test_one_connection_is_no_location() -> None:
    assert locate([*PATH, *times(3, 1, "expired"), probe(2, "reset")], "tls", "x") is None


def test_a_minority_of_connections_is_no_location() -> None:
    probes = [*PATH, *times(3, 2, "expired"), *times(2, 2, "reset"), *times(3, 3, "reset")]
    found = locate(probes, "tls", "connection_reset")
    assert found is not None
    # At the hop before, two of five met it: paths differ, and the numbers say so.
    assert (3, 6, 8) == (found.hop, found.met, found.tries)


def test_connections_that_could_not_be_made_do_not_count() -> None:
    failed = times(3, 2, "nothing", failure="generic_timeout_error")
    found = locate([*PATH, *times(3, 1, "expired"), *failed, *times(2, 2, "reset")], "tls", "r")
    assert found is not None and found.hop == 2


def test_silence_needs_somebody_who_is_heard_of_there() -> None:
    silence = times(3, 2, "nothing")
    heard = times(3, 2, "expired", name="www.example.org", contrast=True)
    probes = [*PATH, *times(3, 1, "expired"), *silence]
    assert locate(probes, "tls", "generic_timeout_error") is None
    found = locate([*probes, *heard], "tls", "generic_timeout_error")
    assert found is not None
    assert (2, "in-path") == (found.hop, found.position)


def test_silence_at_the_end_of_the_path_says_nothing_of_what_passed() -> None:
    """The server may have been reset in our name: our packets went on to it."""
    heard = times(3, 4, "answered", name="www.example.org", contrast=True)
    probes = [*PATH, syn(4, "accepted"), *times(3, 3, "expired"), *times(3, 4, "nothing"), *heard]
    found = locate(probes, "tls", "generic_timeout_error")
    assert found is not None
    assert (4, "") == (found.hop, found.position)


def test_a_silent_router_leaves_a_range() -> None:
    heard = times(3, 3, "expired", name="www.example.org", contrast=True)
    probes = [PATH[0], syn(2, "nothing"), PATH[2], *times(3, 1, "expired"), *heard]
    found = locate([*probes, *times(3, 3, "nothing")], "tls", "generic_timeout_error")
    assert found is not None
    assert (None, 1, 3) == (found.hop, found.low, found.high)


@pytest.mark.parametrize(
    ("layer", "received", "met"),
    [
        ("tls", SERVER_HELLO, False),
        ("tls", ALERT, True),
        ("tls", b"HTTP/1.1 400", True),
        ("certificate", SERVER_HELLO, True),
        ("http", b"HTTP/1.1 200", False),
        ("page", b"HTTP/1.1 200", True),
    ],
)
def test_what_should_come_is_no_interference(layer: str, received: bytes, met: bool) -> None:
    probes = [*PATH, *times(3, 2, "answered", received=received)]
    assert met == (locate(probes, layer, "") is not None)


def test_at_the_end_of_the_path_is_the_address_itself() -> None:
    probes = [*PATH, syn(4, "accepted"), *times(3, 3, "expired"), *times(3, 4, "reset")]
    found = locate(probes, "tls", "connection_reset")
    assert found is not None
    assert (4, IP, 4) == (found.hop, found.router, found.path_length)


def test_the_neighbours_hop_has_a_number_and_no_address() -> None:
    found = locate([PATH[0], *times(3, 1, "reset")], "tls", "connection_reset")
    assert found is not None
    assert (1, "", True) == (found.hop, found.router, found.near)


def test_a_private_address_is_not_known_to_be_near() -> None:
    hidden = syn(2, "expired", detail="router's address withheld: not a public address")
    found = locate([hidden, *times(3, 2, "reset")], "tls", "connection_reset")
    assert found is not None and not found.near


def tcp(ttl: int, answer: str, router: str = "", **more: Any) -> HopProbe:
    return syn(ttl, answer, router, step="where_tcp", **more)


def test_an_address_that_is_refused() -> None:
    probes = [tcp(1, "expired"), *[tcp(2, "refused")] * 3]
    found = locate(probes, "tcp", "connection_refused")
    assert found is not None and found.hop == 2


def test_who_says_unreachable_is_where_it_is() -> None:
    probes = [*[tcp(1, "expired")] * 3, *[tcp(2, "unreachable", ROUTER)] * 3]
    found = locate(probes, "tcp", "host_unreachable")
    assert found is not None
    assert (2, ROUTER) == (found.hop, found.router)


def test_of_a_dropped_address_the_next_router_is_named_only_where_the_way_is_the_same() -> None:
    for router, named in ((ROUTER, FAR), ("195.50.23.2", "")):
        probes = [
            tcp(2, "expired", ROUTER), *[tcp(3, "nothing")] * 3,
            tcp(2, "expired", router, ip="1.2.3.4", contrast=True),
            *[tcp(3, "expired", FAR, ip="1.2.3.4", contrast=True)] * 3,
        ]  # fmt: skip
        found = locate(probes, "tcp", "generic_timeout_error")
        assert found is not None
        assert (3, named) == (found.hop, found.router)


def dns(ttl: int, answer: str, step: str = "where_dns", **more: Any) -> HopProbe:
    return probe(ttl, answer, trigger="dns", ip="8.8.8.8", port=53, step=step, **more)


def test_a_query_that_was_answered_and_died_further_on() -> None:
    scout = dns(2, "expired", router=ROUTER, name="www.example.org", contrast=True)
    before = [dns(1, "expired")] * 3
    beside = locate([*before, scout, *[dns(2, "answered", router=ROUTER)] * 3], "dns", "")
    instead = locate([*before, scout, *[dns(2, "answered")] * 3], "dns", "")
    unknown = locate([*before, *[dns(2, "answered")] * 3], "dns", "")
    assert ["on-path", "in-path", ""] == [
        found.position for found in (beside, instead, unknown) if found is not None
    ]


def test_who_answers_where_no_resolver_is_stands_before_the_resolver() -> None:
    end = dns(4, "answered", name="www.example.org", contrast=True)
    resolver = [*[dns(3, "expired")] * 3, end, *[dns(4, "answered")] * 3]
    nowhere = [*[dns(1, "expired", "where_dns_nowhere")] * 3]
    nowhere += [dns(2, "answered", "where_dns_nowhere")] * 3
    alone = locate(resolver, "dns", "")
    both = locate([*resolver, *nowhere], "dns", "")
    assert alone is not None and (4, "8.8.8.8") == (alone.hop, alone.router)
    assert both is not None and both.hop == 2


def test_who_readdresses_packets_is_where_they_are_no_longer_heard_of() -> None:
    """Routers behind him quote packets that are not ours: the errors do not find back."""
    hello = [*PATH[:2], syn(3, "nothing"), syn(4, "accepted"), *times(3, 2, "expired")]
    hello += [*times(2, 3, "nothing"), *times(3, 4, "answered", received=SERVER_HELLO)]
    alone = locate(hello, "certificate", "ssl_unknown_authority")
    assert alone is not None
    assert (None, 2, 4) == (alone.hop, alone.low, alone.high)
    step = {"step": "where_readdressed"}
    syns = [syn(2, "expired", ROUTER, **step), *[syn(3, "nothing", **step)] * 3]
    syns += [syn(2, "expired", ROUTER, ip="1.2.3.4", contrast=True, **step)]
    syns += [syn(3, "expired", FAR, ip="1.2.3.4", contrast=True, **step)] * 3
    both = locate([*hello, *syns], "certificate", "ssl_unknown_authority")
    assert both is not None
    assert (3, FAR, "in-path") == (both.hop, both.router, both.position)


def test_a_proxy_that_speaks_for_itself_is_where_it_answers() -> None:
    hello = [*PATH, *times(3, 1, "expired"), *times(3, 2, "answered", received=SERVER_HELLO)]
    found = locate(hello, "certificate", "ssl_unknown_authority")
    assert found is not None and found.hop == 2


def test_a_packet_that_lives_as_long_as_any_is_at_no_hop() -> None:
    assert locate([dns(64, "answered")] * 3, "dns", "") is None


def test_the_columns_of_a_follow_up() -> None:
    evidence = (*PATH, *times(3, 2, "expired"), *times(3, 3, "reset"))
    follow_up = Measurement(
        id="f", run_id="r", nettest="diagnosis", nettest_version="1", url="https://news.example/",
        about="m", evidence=evidence, addresses={FAR: AddressInfo(asn=1299)},
        comparison={"accused": "tls", "how": "connection_reset"},
    )  # fmt: skip
    told = columns(follow_up)
    assert (3, 3, FAR, 1299) == tuple(
        told[name] for name in ("hop_low", "hop_high", "hop_ip", "hop_asn")
    )
    assert {} == columns(Measurement(
        id="f", run_id="r", nettest="diagnosis", nettest_version="1", url="https://news.example/",
    ))  # fmt: skip


def verdict_with(**columns: Any) -> VerdictLocation | None:
    """The location in the verdict about a site whose name is met by a reset."""
    scene = site()
    scene.connect(by=("one", "two")).page(by=("one", "two"))
    scene.connect(tls=Failure.CONNECTION_RESET)
    verdict = judge([msgspec.structs.replace(scene.row(), **columns)])[0]
    assert "tls.reset" in verdict.mechanisms
    return verdict.location


def test_a_verdict_has_the_hop_its_router_and_as() -> None:
    found = verdict_with(hop_low=3, hop_high=3, hop_ip=FAR, hop_asn=1299)
    assert VerdictLocation(hop=3, ip=FAR, asn="AS1299") == found


def test_a_verdict_may_have_a_range_or_nothing() -> None:
    assert VerdictLocation(hops=(2, 3)) == verdict_with(hop_low=2, hop_high=3)
    assert verdict_with() is None


def test_the_neighbour_is_of_the_probes_own_network() -> None:
    found = verdict_with(hop_low=1, hop_high=1, hop_near=True)
    assert VerdictLocation(hop=1, asn="AS6697") == found


def test_the_routers_on_the_way_are_looked_up() -> None:
    found = whose([*PATH, syn(4, "accepted")], AddressBook())
    assert {IP, ROUTER, FAR} == set(found)


@given(
    st.lists(
        st.builds(
            probe,
            st.integers(0, 70),
            st.sampled_from(get_args(HopAnswer)),
            trigger=st.sampled_from(get_args(HopTrigger)),
            step=st.sampled_from(("where_tls", NOWHERE, READDRESSED, "")),
            contrast=st.booleans(),
            router=st.sampled_from(("", ROUTER, FAR)),
            received=st.sampled_from((b"", SERVER_HELLO, ALERT)),
            failure=st.sampled_from((None, Failure.TIMEOUT)),
        ),
        max_size=40,
    ),
    st.sampled_from(("dns", "tcp", "tls", "certificate", "http", "page", "quic", "other")),
    st.sampled_from(("", Failure.TIMEOUT, Failure.CONNECTION_RESET)),
)
def test_no_probes_are_a_crash_or_nonsense(
    probes: list[HopProbe], layer: str, how: str
) -> None:
    found = locate(probes, layer, how)
    if found is not None:
        assert 0 <= found.low < found.high <= 30
        assert 2 <= found.met <= found.tries
