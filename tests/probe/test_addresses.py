"""Public or not, at both ends of every range with a special purpose."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from probe.addresses import NAT64, NOT_PUBLIC_V4, NOT_PUBLIC_V6, SIX_TO_FOUR, family, is_public

Network = IPv4Network | IPv6Network

# The blocks again, as the registries order them and not as our list does, so that a
# line that gets lost there is missed here.
REGISTERED = """
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12
    192.0.0.0/24 192.0.0.0/29 192.0.0.8/32 192.0.0.9/32 192.0.0.10/32 192.0.0.170/32
    192.0.0.171/32 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24
    192.88.99.2/32 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24
    203.0.113.0/24 224.0.0.0/4 224.0.0.0/24 239.0.0.0/8 240.0.0.0/4 255.255.255.255/32
    ::1/128 ::/128 ::ffff:0:0/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23
    2001::/32 2001:1::1/128 2001:1::2/128 2001:1::3/128 2001:2::/48 2001:3::/32
    2001:4:112::/48 2001:10::/28 2001:20::/28 2001:30::/28 2001:db8::/32
    2620:4f:8000::/48 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8
    ::/8 100::/8 ::/96 200::/7 400::/6 800::/5 1000::/4 3ffe::/16 4000::/3 6000::/3 8000::/3
    a000::/3 c000::/3 e000::/4 f000::/5 f800::/6 fe00::/9
""".split()


def network(block: str) -> Network:
    return IPv6Network(block) if ":" in block else IPv4Network(block)


def ends(block: Network) -> tuple[str, str]:
    return str(block.network_address), str(block.broadcast_address)


@pytest.mark.parametrize("block", REGISTERED)
def test_both_ends_of_a_registered_block_are_not_public(block: str) -> None:
    assert [False, False] == [is_public(end) for end in ends(network(block))]


@pytest.mark.parametrize("block", [*NOT_PUBLIC_V4, *NOT_PUBLIC_V6], ids=str)
def test_the_addresses_around_a_block_are_public_unless_another_block_has_them(
    block: Network,
) -> None:
    for around in (int(block.network_address) - 1, int(block.broadcast_address) + 1):
        if not 0 <= around < 1 << block.max_prefixlen:
            continue
        neighbour = IPv4Address(around) if block.version == 4 else IPv6Address(around)
        elsewhere = any(neighbour in other for other in map(network, REGISTERED))
        if neighbour in SIX_TO_FOUR:
            continue  # judged by the IPv4 address inside
        assert (not elsewhere) == is_public(str(neighbour)), neighbour


ORDINARY = """
    1.0.0.0 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
    172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0
    223.255.255.255 2000:: 2001:200:: 2001:db7:ffff:: 2001:db9:: 2620:4f:7fff::1 3ffd::1
    3fff:1000:: 2606:4700:4700::1111 2a00:1450:4001::1
""".split()


@pytest.mark.parametrize("ip", ORDINARY)
def test_ordinary_addresses_are_public(ip: str) -> None:
    assert is_public(ip)


@pytest.mark.parametrize(
    "ip",
    ["64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1", "fec0::1", "192.0.0.8", "224.0.0.1"],
)
def test_what_the_standard_library_calls_global_leads_home_all_the_same(ip: str) -> None:
    assert not is_public(ip)


@pytest.mark.parametrize("block", NOT_PUBLIC_V4, ids=str)
def test_a_private_address_stays_private_inside_ipv6(block: IPv4Network) -> None:
    for end in (int(block.network_address), int(block.broadcast_address)):
        assert not is_public(str(IPv6Address(int(NAT64.network_address) + end)))
        assert not is_public(str(IPv6Address(int(SIX_TO_FOUR.network_address) + (end << 80))))
        assert not is_public(str(IPv6Address(0xFFFF00000000 + end)))


def test_a_public_address_is_public_through_nat64_and_6to4_only() -> None:
    assert is_public("64:ff9b::8.8.8.8")
    assert is_public("2002:808:808::1")
    assert not is_public("::ffff:8.8.8.8")
    assert not is_public("::8.8.8.8")
    assert not is_public("64:ff9b:0:0:0:1:808:808")
    assert not is_public("2001:0:808:808::f7f7:f7f7")


def test_an_address_with_a_zone_is_not_public() -> None:
    assert not is_public("fe80::1%eth0")
    assert not is_public("2606:4700:4700::1111%1")


def test_family_is_that_of_the_packets() -> None:
    assert (4, 6, 6) == (family("8.8.8.8"), family("2606:4700::1"), family("fe80::1%eth0"))


@pytest.mark.parametrize(
    "text", ["", "8.8.8", "08.8.8.8", "8.8.8.8 ", "example.com", "1", ":", "٨.8.8.8"]
)
def test_what_is_no_address_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        is_public(text)
    with pytest.raises(ValueError):
        family(text)


@settings(deadline=None)
@given(st.ip_addresses())
@example(IPv6Address("::1:0:0"))  # reserved by the IETF, beyond the v4-compatible ones
def test_nothing_is_public_that_the_standard_library_calls_private(
    address: IPv4Address | IPv6Address,
) -> None:
    if address in NAT64 or address in SIX_TO_FOUR:
        return
    listed = any(address in block for block in map(network, REGISTERED))
    assert (not listed) == is_public(str(address))
    assert not (is_public(str(address)) and ip_address(str(address)).is_private)
