from __future__ import annotations

import ipaddress
from collections import Counter
from urllib.parse import urlsplit

import pytest

from lab.certificates import Authorities
from lab.middlebox import Middlebox, ascii_name, merged
from lab.resolvers import OWN, Name, Zone
from lab.score import truth_text
from lab.serving import bindings
from lab.sites import Article, Request, Site
from lab.topology import place_of
from lab.world import Place, Wire, World
from lab.worlds import fixtures, qa
from lab.worlds.plan import build, names
from lab.worlds.whole import WHOLE

SEEDS = range(20)
OUTCOMES = {"ok", "blocked", "down", "server_side", "local_fault", "inconclusive", "not_measured"}
MECHANISMS = {
    "dns.nxdomain", "dns.refused", "dns.servfail", "dns.empty", "dns.silence", "dns.bogon",
    "dns.substituted", "dns.injected", "tcp.silence", "tcp.refused", "tcp.reset",
    "tcp.unreachable", "tls.silence", "tls.reset", "tls.closed", "tls.alert", "tls.forged",
    "http.silence", "http.reset", "http.closed", "http.redirect", "http.blockpage",
    "http.altered",
}  # fmt: skip
# QUIC fails beside a page that comes over TCP, and a throttled page comes in the end.
ALL_MECHANISMS = MECHANISMS | {"throttled", "quic.silence", "quic.closed"}
ALL = [build(name, seed) for name in names() for seed in SEEDS]


def sites(world: World) -> list[Site]:
    return [site for site in world.sites if isinstance(site, Site)]


def entries(world: World) -> list[Name]:
    return [entry for entry in world.zone if isinstance(entry, Name)]


def test_there_are_worlds_enough_and_each_mechanism_is_the_only_one_somewhere() -> None:
    alone = {
        next(iter(world.truth.mechanisms[0]))
        for world in map(build, names("blocked"))
        if len(world.truth.mechanisms) == 1 and len(world.truth.mechanisms[0]) == 1
    }
    assert alone == MECHANISMS
    assert len(names("blocked", "hindered", "innocent")) >= 34
    assert len(names("innocent")) >= 12
    assert 50 == len(names("qa", "qa_whole")) == len(qa.EXPECTED)
    assert set(range(1, 51)) == set(qa.NUMBER.values())


def test_truths_use_the_words_of_the_field() -> None:
    for world in ALL:
        assert world.truth.outcome <= OUTCOMES, world.name
        assert frozenset().union(*world.truth.mechanisms) <= ALL_MECHANISMS, world.name


@pytest.mark.parametrize("name", names("innocent"))
def test_the_innocent_are_never_truly_blocked(name: str) -> None:
    truth = build(name).truth
    assert "blocked" not in truth.outcome
    assert () == truth.mechanisms


def test_no_name_and_no_address_is_in_two_worlds() -> None:
    seen_names: Counter[str] = Counter()
    seen_addresses: Counter[str] = Counter()
    for world in ALL:
        seen_names.update({ascii_name(entry.name) for entry in entries(world)})
        own = {a for site in sites(world) for a in site.addresses}
        seen_addresses.update(own - set(fixtures.FORGERS))
    assert [] == [name for name, count in seen_names.items() if count > 1]
    assert [] == [address for address, count in seen_addresses.items() if count > 1]


def test_all_worlds_fit_in_one_country() -> None:
    together = [site for world in ALL for site in sites(world)]
    bindings([*together, *fixtures.SITES])
    Zone([*fixtures.ZONE, *(entry for world in ALL for entry in entries(world))])
    for wire in Wire:
        boxes = merged(make for world in ALL for make in world.censors.get(wire, ()))
        assert all(isinstance(box, Middlebox) for box in boxes)
        assert len(boxes) <= 1


def test_sites_stand_where_packets_to_them_go() -> None:
    for site in [*fixtures.SITES, *(site for world in ALL for site in sites(world))]:
        for address in site.addresses:
            assert place_of(address) in (Place.ABROAD, Place.DOMESTIC), (site.names, address)


def test_the_target_is_a_name_of_the_world() -> None:
    for world in ALL:
        host = ascii_name(urlsplit(world.url).hostname or "")
        assert host in {ascii_name(entry.name) for entry in entries(world)}, world.name


def test_the_same_seed_is_the_same_world_and_another_is_not() -> None:
    for name in names():
        first, again, other = build(name, 3), build(name, 3), build(name, 4)
        assert (first.url, first.truth) == (again.url, again.truth)
        assert [site.addresses for site in sites(first)] == [s.addresses for s in sites(again)]
        assert first.url != other.url
        assert truth_text(first.truth) == truth_text(other.truth)


def test_seeds_change_where_the_censor_sits_and_whether_there_is_ipv6() -> None:
    wires = {frozenset(build("tls_reset", seed).censors) for seed in SEEDS}
    assert 3 == len(wires)
    versions = {
        frozenset(ipaddress.ip_address(a).version for a in site.addresses)
        for seed in SEEDS
        for site in sites(build("tls_reset", seed))
    }
    assert {frozenset({4}), frozenset({4, 6})} == versions


def test_lies_are_told_by_the_operators_resolver_only() -> None:
    for world in map(build, names("blocked")):
        for entry in entries(world):
            assert entry.at in ((), (OWN,)), world.name


def test_a_page_that_is_altered_fits_the_segment_that_is_changed() -> None:
    for name in ("http_altered", "script_added_to_page"):
        for seed in SEEDS:
            page = sites(build(name, seed))[0].http
            assert isinstance(page, Article)
            assert len(page(Request()).body) < 1448 - 300, name


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_country_worlds_can_be_described(name: str) -> None:
    described = WHOLE[name](7)
    assert name == described.name
    assert len(described.worlds) == len(described.truths()) > 0
    for truth in described.truths().values():
        assert truth.outcome <= OUTCOMES


def test_block_pages_carry_the_documented_marks() -> None:
    assert 'О средствах массовой информации"</div>' in fixtures.BELTELECOM_PAGE.decode()
    assert "://www.velcom.by/mininfo/css/main.css" in fixtures.A1_PAGE.decode()
    assert "https://help.mts.by/hc/ru/requests/new" in fixtures.MTS_PAGE.decode()
    assert "законом «О средствах массовой информации»" not in fixtures.UNLISTED_PAGE.decode()


def test_every_certificate_can_be_made() -> None:
    authorities = Authorities()
    for world in map(build, names()):
        for site in sites(world):
            pem, _ = authorities.chain(site.certificate, site.names)
            assert pem.startswith(b"-----BEGIN CERTIFICATE-----")
