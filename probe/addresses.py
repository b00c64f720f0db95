"""Which addresses a site on the public Internet may have.

An address that is not public is recorded and never connected to: a lying resolver
can aim the probe at the volunteer's own router. The list is ours, since the
standard library's ``is_global`` calls 64:ff9b::7f00:1, 2002:7f00:1::, fec0::1 and
224.0.0.1 global, and what it says changes between versions of Python. The rule is
narrower than the registries' "globally reachable": no site is served from a block
with a special purpose, and some of those (the PCP anycast address 192.0.0.9) lead
to the nearest device, which is the home router.

Sources: IANA's IPv4 and IPv6 special-purpose address registries, its multicast
registry and IPv6 address space registry.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal

NOT_PUBLIC_V4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network, RFC 791
        "10.0.0.0/8",  # private, RFC 1918
        "100.64.0.0/10",  # shared with a carrier's NAT, RFC 6598
        "127.0.0.0/8",  # loopback, RFC 1122
        "169.254.0.0/16",  # link-local, RFC 3927; also where clouds serve their metadata
        "172.16.0.0/12",  # private, RFC 1918
        "192.0.0.0/24",  # protocol assignments, RFC 6890: DS-Lite, PCP and TURN anycast, NAT64
        "192.0.2.0/24",  # documentation, RFC 5737
        "192.31.196.0/24",  # AS112, RFC 7535
        "192.52.193.0/24",  # AMT relays, RFC 7450
        "192.88.99.0/24",  # 6to4 relays, deprecated by RFC 7526
        "192.168.0.0/16",  # private, RFC 1918
        "192.175.48.0/24",  # AS112, RFC 7534
        "198.18.0.0/15",  # benchmarking, RFC 2544
        "198.51.100.0/24",  # documentation, RFC 5737
        "203.0.113.0/24",  # documentation, RFC 5737
        "224.0.0.0/4",  # multicast, RFC 5771
        "240.0.0.0/4",  # reserved, RFC 1112; limited broadcast, RFC 8190
    )
)

# Outside these nothing is allocated to anybody, or only to a link or a site.
PUBLIC_V6 = IPv6Network("2000::/3")  # global unicast, RFC 4291
NAT64 = IPv6Network("64:ff9b::/96")  # the IPv4 Internet seen from IPv6 only, RFC 6052

SIX_TO_FOUR = IPv6Network("2002::/16")  # RFC 3056

NOT_PUBLIC_V6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments, RFC 2928: Teredo, benchmarking, ORCHID, AS112, DRIP
        "2001:db8::/32",  # documentation, RFC 3849
        "2620:4f:8000::/48",  # AS112, RFC 7534
        "3ffe::/16",  # 6bone, returned in 2006, RFC 3701
        "3fff::/20",  # documentation, RFC 9637
    )
)

# Plain integers: a membership test of ``ipaddress`` costs three times as much.
_V4 = tuple((int(n.network_address), int(n.broadcast_address)) for n in NOT_PUBLIC_V4)
_V6 = tuple((int(n.network_address), int(n.broadcast_address)) for n in NOT_PUBLIC_V6)


@lru_cache(maxsize=1024)  # each is asked about many times while a host is measured
def is_public(ip: str) -> bool:
    """Whether *ip* may belong to a site on the public Internet.

    An IPv6 address that stands for an IPv4 one (NAT64, 6to4) is as public as
    that; v4-mapped, v4-compatible and Teredo addresses never are, as nobody
    publishes them in good faith, nor is an address with a zone (``%eth0``).
    Raises ValueError for what is no address.
    """
    address = ip_address(ip)
    if isinstance(address, IPv4Address):
        return _is_public_v4(int(address))
    if address.scope_id is not None:
        return False
    return _is_public_v6(address)


@lru_cache(maxsize=1024)
def family(ip: str) -> Literal[4, 6]:
    """4 or 6. Raises ValueError for what is no address."""
    return 4 if isinstance(ip_address(ip), IPv4Address) else 6


def _is_public_v4(value: int) -> bool:
    return not any(first <= value <= last for first, last in _V4)


def _is_public_v6(address: IPv6Address) -> bool:
    value = int(address)
    if address in NAT64:
        return _is_public_v4(value & 0xFFFFFFFF)
    if address in SIX_TO_FOUR:
        return _is_public_v4(value >> 80 & 0xFFFFFFFF)
    return address in PUBLIC_V6 and not any(first <= value <= last for first, last in _V6)
