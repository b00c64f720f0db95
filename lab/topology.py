"""The map of the country: who is joined to whom, under which addresses, and the routes.

Addresses are from the real ranges of those they stand for, so that looking up
their AS is real. The plan is data and a pure function of it (`routes_of`);
`lab.ground` lays it into the kernel.

The foreign half of the world that lies below 128.0.0.0 (in IPv6 below 2800::) goes
through gateway 1, the other through gateway 2, and comes back the same way, so
that a censor on an uplink sees both directions.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import NamedTuple

from lab.world import Place, Wire


class Link(NamedTuple):
    """A wire, its two ends (the household's side first) and the addresses of each."""

    wire: Wire
    near: Place
    far: Place
    near_addresses: tuple[str, str]  # IPv4, IPv6
    far_addresses: tuple[str, str]


HOME_ADDRESSES = ("178.124.180.77", "2a02:2208:b4::77")  # AS6697 Beltelecom
HOME_ROUTER_ADDRESSES = ("178.124.180.1", "2a02:2208:b4::1")  # the operator's end of the line
OPERATOR_RESOLVER_ADDRESSES = ("178.124.130.53", "2a02:2208:53::53")
CONTROL_1_ADDRESSES = ("88.198.40.10", "2a01:4f8:c17:40::10")  # AS24940 Hetzner
CONTROL_2_ADDRESSES = ("159.89.1.10", "2a03:b0c0:3:d0::10")  # AS14061 DigitalOcean



class Household(NamedTuple):
    """Where the volunteer lives, each an IPv4 and an IPv6 address.

    *addresses* of the home, *router*: the operator's end of the line, *resolver*: the
    operator's. The operator is known by the AS that these belong to.
    """

    addresses: tuple[str, str]
    router: tuple[str, str]
    resolver: tuple[str, str]


BELTELECOM = Household(HOME_ADDRESSES, HOME_ROUTER_ADDRESSES, OPERATOR_RESOLVER_ADDRESSES)
MTS = Household(  # AS25106
    ("134.17.90.77", "2a02:bf0:100::77"), ("134.17.90.1", "2a02:bf0:100::1"),
    ("134.17.1.53", "2a02:bf0:1::53"),
)  # fmt: skip
A1 = Household(  # AS42772
    ("37.17.60.77", "2a00:1760:60::77"), ("37.17.60.1", "2a00:1760:60::1"),
    ("37.17.1.53", "2a00:1760:1::53"),
)  # fmt: skip
BUSINESS_NETWORK = Household(  # AS12406
    ("212.98.170.77", "2a00:6440:170::77"), ("212.98.170.1", "2a00:6440:170::1"),
    ("212.98.161.53", "2a00:6440:1::53"),
)  # fmt: skip

LINKS = (
    Link(Wire.LINE, Place.HOME, Place.OPERATOR, HOME_ADDRESSES, HOME_ROUTER_ADDRESSES),
    Link(  # AS6697 is its own gateway
        Wire.UPLINK_1,
        Place.OPERATOR,
        Place.GATEWAY_1,
        ("93.84.4.1", "2a02:2208:1:1::1"),
        ("93.84.4.2", "2a02:2208:1:1::2"),
    ),
    Link(  # AS60280 NTEC
        Wire.UPLINK_2,
        Place.OPERATOR,
        Place.GATEWAY_2,
        ("195.50.23.1", "2a02:e300:0:1::1"),
        ("195.50.23.2", "2a02:e300:0:1::2"),
    ),
    Link(  # AS1299 Arelion
        Wire.BORDER_1,
        Place.GATEWAY_1,
        Place.EXCHANGE,
        ("62.115.40.2", "2001:2034:0:40::2"),
        ("62.115.40.1", "2001:2034:0:40::1"),
    ),
    Link(  # AS3356 Level 3
        Wire.BORDER_2,
        Place.GATEWAY_2,
        Place.EXCHANGE,
        ("212.187.128.2", "2001:1900:5:2::2"),
        ("212.187.128.1", "2001:1900:5:2::1"),
    ),
    Link(
        Wire.PEERING,
        Place.OPERATOR,
        Place.DOMESTIC,
        ("93.84.8.1", "2a02:2208:1:8::1"),
        ("93.84.8.2", "2a02:2208:1:8::2"),
    ),
    Link(
        Wire.HOSTING,
        Place.EXCHANGE,
        Place.ABROAD,
        ("62.115.60.1", "2001:2034:0:60::1"),
        ("62.115.60.2", "2001:2034:0:60::2"),
    ),
    Link(
        Wire.TRANSIT,
        Place.EXCHANGE,
        Place.RESOLVERS,
        ("62.115.61.1", "2001:2034:0:61::1"),
        ("62.115.61.2", "2001:2034:0:61::2"),
    ),
    Link(
        Wire.AWAY_1,
        Place.EXCHANGE,
        Place.CONTROL_1,
        ("88.198.40.1", "2a01:4f8:c17:40::1"),
        CONTROL_1_ADDRESSES,
    ),
    Link(
        Wire.AWAY_2,
        Place.EXCHANGE,
        Place.CONTROL_2,
        ("159.89.1.1", "2a03:b0c0:3:d0::1"),
        CONTROL_2_ADDRESSES,
    ),
)

OPERATOR_PREFIXES = ("178.120.0.0/13", "93.84.0.0/16", "2a02:2208::/29")
DOMESTIC_PREFIXES = (
    "86.57.128.0/17",  # AS6697 Beltelecom
    "93.85.0.0/16",  # AS6697
    "82.209.192.0/18",  # AS6697; the block page of fingerprint F01 is in here
    "93.125.0.0/17",  # hosting: several
    "178.172.128.0/17",  # hosting: hoster.by, A1, Business Network
    "185.66.68.0/22",  # hosting
    "212.98.160.0/19",  # AS12406 Business Network; block page of F13
    "134.17.0.0/16",  # AS25106 MTS
    "37.17.0.0/17",  # AS42772 A1
    "185.32.224.0/22",  # AS60330 beCloud
    "2a0a:7d80::/32",  # AS35594 hoster.by
    "2a00:6440::/32",  # AS12406
    "2a02:bf0::/32",  # AS25106
    "2a00:1760::/30",  # AS42772
    "2a00:c820::/29",  # AS60330
)
RESOLVER_PREFIXES = (
    "8.8.8.0/24",
    "8.8.4.0/24",
    "1.1.1.0/24",
    "1.0.0.0/24",
    "9.9.9.0/24",
    "149.112.112.0/24",
    "208.67.222.0/24",
    "208.67.220.0/24",
    "94.140.14.0/24",
    "94.140.15.0/24",
    "77.88.8.0/24",
    "2001:4860:4860::/48",
    "2606:4700:4700::/48",
    "2620:fe::/48",
    "2620:119::/32",
    "2a10:50c0::/32",
    "2a02:6b8::/64",
)
CONTROL_1_PREFIXES = ("88.198.40.0/24", "2a01:4f8:c17:40::/64")
CONTROL_2_PREFIXES = ("159.89.1.0/24", "2a03:b0c0:3:d0::/64")
INFRASTRUCTURE_PREFIXES = (  # the routers' own
    "195.50.23.0/24",
    "62.115.40.0/24",
    "212.187.128.0/24",
    "62.115.60.0/23",
    "2a02:e300::/29",
    "2001:2034::/32",
    "2001:1900:5:2::/64",
)
NOT_ROUTED = (  # what no operator carries
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "240.0.0.0/4",
    "2001:db8::/32",
    "64:ff9b::/96",
    "fc00::/7",
    "fec0::/10",
)
EVERYTHING = ("0.0.0.0/0", "::/0")
THROUGH_GATEWAY_1 = ("0.0.0.0/1", "2000::/5")
THROUGH_GATEWAY_2 = ("128.0.0.0/1", "2800::/5")

_BELARUS = (*OPERATOR_PREFIXES, *DOMESTIC_PREFIXES)
_NOT_ABROAD = (
    *_BELARUS,
    *RESOLVER_PREFIXES,
    *CONTROL_1_PREFIXES,
    *CONTROL_2_PREFIXES,
    *INFRASTRUCTURE_PREFIXES,
)
_TABLE_LOCAL = 255
TABLE_GATEWAY_2 = 102


class Route(NamedTuple):
    """One route: to a prefix, over a wire (or of a kind that needs none)."""

    prefix: str
    wire: Wire | None = None
    kind: str = "unicast"  # or local, throw, unreachable
    table: int = 254


def place_of(address: str) -> Place | None:
    """Where a server must run to have *address*: the place its packets are routed to.

    None for what belongs to a router, the household or nobody.
    """
    found = ipaddress.ip_address(address)
    if any(found in ipaddress.ip_network(prefix) for prefix in NOT_ROUTED):
        return None
    if address in OPERATOR_RESOLVER_ADDRESSES:
        return Place.OPERATOR
    for place, prefixes in (
        (Place.DOMESTIC, DOMESTIC_PREFIXES),
        (Place.RESOLVERS, RESOLVER_PREFIXES),
    ):
        if any(found in ipaddress.ip_network(prefix) for prefix in prefixes):
            return place
    for place, own in (
        (Place.CONTROL_1, CONTROL_1_ADDRESSES),
        (Place.CONTROL_2, CONTROL_2_ADDRESSES),
    ):
        if found in map(ipaddress.ip_address, own):
            return place
    if any(found in ipaddress.ip_network(prefix) for prefix in _NOT_ABROAD):
        return None
    return Place.ABROAD


def routes_of(place: Place, household: Household = BELTELECOM) -> Iterator[Route]:
    """All routes of *place* but those to its direct neighbours."""
    match place:
        case Place.OPERATOR:
            for prefix in (*OPERATOR_PREFIXES, *NOT_ROUTED):
                yield Route(prefix, kind="unreachable")
            yield from _over(Wire.PEERING, DOMESTIC_PREFIXES)
            yield from _over(Wire.UPLINK_1, THROUGH_GATEWAY_1)
            yield from _over(Wire.UPLINK_2, THROUGH_GATEWAY_2)
        case Place.GATEWAY_1 | Place.GATEWAY_2:
            uplink, border = (
                (Wire.UPLINK_1, Wire.BORDER_1)
                if place is Place.GATEWAY_1
                else (Wire.UPLINK_2, Wire.BORDER_2)
            )
            yield from _over(uplink, _BELARUS)
            yield from _over(border, EVERYTHING)
        case Place.EXCHANGE:
            yield from _over(Wire.BORDER_1, _BELARUS)
            for prefix in _BELARUS:
                yield Route(prefix, Wire.BORDER_2, table=TABLE_GATEWAY_2)
            yield from _over(Wire.TRANSIT, RESOLVER_PREFIXES)
            yield from _over(Wire.AWAY_1, CONTROL_1_PREFIXES)
            yield from _over(Wire.AWAY_2, CONTROL_2_PREFIXES)
            yield from _over(Wire.HOSTING, EVERYTHING)
        case Place.DOMESTIC:
            # The household's operator may have given it an address that would be ours.
            yield from _here(DOMESTIC_PREFIXES)
            for address in household.addresses:
                yield Route(host_prefix(address), kind="throw", table=_TABLE_LOCAL)
            yield from _over(Wire.PEERING, EVERYTHING)
        case Place.RESOLVERS:
            yield from _here(RESOLVER_PREFIXES)
            yield from _over(Wire.TRANSIT, EVERYTHING)
        case Place.ABROAD:
            # All addresses are ours, except for those that the next table knows.
            yield from _here(EVERYTHING)
            for prefix in _NOT_ABROAD:
                yield Route(prefix, kind="throw", table=_TABLE_LOCAL)
            yield from _over(Wire.HOSTING, EVERYTHING)
        case Place.HOME:
            yield from _over(Wire.LINE, EVERYTHING)
        case Place.CONTROL_1:
            yield from _over(Wire.AWAY_1, EVERYTHING)
        case Place.CONTROL_2:
            yield from _over(Wire.AWAY_2, EVERYTHING)


def host_prefix(address: str) -> str:
    return f"{address}/{128 if ':' in address else 32}"


def _over(wire: Wire, prefixes: tuple[str, ...]) -> Iterator[Route]:
    return (Route(prefix, wire) for prefix in prefixes)


def _here(prefixes: tuple[str, ...]) -> Iterator[Route]:
    """AnyIP: a server can bind to any of these, and an unbound port answers with a reset."""
    return (Route(prefix, kind="local", table=_TABLE_LOCAL) for prefix in prefixes)
