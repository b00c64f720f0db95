"""The lists of what is no site: written so that their nettests know what to do."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from ipaddress import ip_address

import pytest

import testlists
from testlists import Target


def listed(name: str) -> list[Target]:
    return testlists.builtin(name)[0]


def test_every_relay_has_an_address_a_port_a_class_and_an_identity() -> None:
    for name in ("tor-authorities", "tor-relays", "tor-bridges"):
        for target in listed(name):
            assert "tor" == target.scheme and target.port
            assert ip_address(target.hostname).is_global
            assert target.attribute("relay") in ("or_port", "or_port_dirauth", "obfs4")
            assert re.fullmatch("[0-9A-F]{40}", target.attribute("fingerprint"))
            assert (target.attribute("dir_port") or "1").isdecimal()


def test_the_authorities_are_those_that_vote_and_the_one_of_bridges() -> None:
    idents = {t.attribute("nickname"): t.attribute("v3ident") for t in listed("tor-authorities")}
    assert 10 == len(idents)
    assert ["Serge"] == [name for name, ident in idents.items() if not ident]
    families = Counter(ip_address(t.hostname).version for t in listed("tor-authorities"))
    assert 10 == families[4] and families[6]


def test_relays_are_of_two_ages() -> None:
    ages = Counter(date.fromisoformat(t.attribute("first_seen")) for t in listed("tor-relays"))
    assert {date(2019, 6, 25), date(2026, 6, 25)} == set(ages)
    assert min(ages.values()) > 100
    identities = Counter(t.attribute("fingerprint") for t in listed("tor-relays"))
    assert {1} == set(identities.values())


def test_default_bridges_are_public_and_say_so() -> None:
    assert {"default"} == {t.attribute("channel") for t in listed("tor-bridges")}
    assert all(t.attribute("arguments").startswith("cert=") for t in listed("tor-bridges"))


def test_a_bootstrap_names_the_bridges_that_it_begins_with() -> None:
    ways = {t.hostname: t for t in listed("tor-bootstrap")}
    assert {"vanilla", "obfs4", "snowflake", "meek", "webtunnel"} == set(ways)
    bridges = {t.hostname: t.attribute("bridge1").split() for t in ways.values()}
    assert ("obfs4", "snowflake", "meek_lite") == (
        bridges["obfs4"][0], bridges["snowflake"][0], bridges["meek"][0],
    )  # fmt: skip
    written = {t.url.removeprefix("tor://") for t in listed("tor-bridges")}
    said = {value.split()[1] for name, value in ways["obfs4"].attributes if name != "channel"}
    assert written == said


@pytest.mark.parametrize("scheme", ["doh", "dot", "doq"])
def test_resolvers_are_of_many_operators_and_known_by_address(scheme: str) -> None:
    found = [t for t in listed("resolvers") if t.scheme == scheme]
    assert len({t.attribute("operator") for t in found}) >= (4 if scheme == "doq" else 15)
    for target in found:
        assert all(ip_address(ip).is_global for ip in target.attribute("addresses").split())
        assert ("/" in target.url.removeprefix(f"{scheme}://")) == (scheme == "doh")


def test_messengers_name_the_part_that_an_endpoint_is() -> None:
    parts: dict[str, Counter[str]] = {}
    for target in listed("messengers"):
        parts.setdefault(target.scheme, Counter())[target.attribute("part")] += 1
    assert (15, 16) == (parts["telegram"]["dc"], parts["whatsapp"]["endpoint"])
    assert {"chat", "contacts", "storage", "calls", "files"} == set(parts["signal"])
