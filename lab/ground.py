"""Lays the map into the kernel: addresses, routes, rules and switches of one namespace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pyroute2 import IPRoute  # type: ignore[import-untyped]

from lab.topology import (
    BELTELECOM,
    LINKS,
    TABLE_GATEWAY_2,
    THROUGH_GATEWAY_1,
    THROUGH_GATEWAY_2,
    Household,
    Link,
    routes_of,
)
from lab.wire import MTU
from lab.world import Place, Wire

_TABLE_MAIN = 254
_LOOPBACK = 1
NEVER = 10**9  # milliseconds between ICMP errors: a router that is silent
_QUEUE = 4000  # packets that a device holds; 500, the default, loses bursts
_KINDS = {"unicast": 1, "local": 2, "unreachable": 7, "throw": 9}


def links_of(
    place: Place, household: Household = BELTELECOM
) -> Iterator[tuple[Link, tuple[str, str], tuple[str, str]]]:
    """The links at *place*, each with the addresses on our end and on the other."""
    for link in LINKS:
        if link.wire is Wire.LINE:
            link = link._replace(
                near_addresses=household.addresses, far_addresses=household.router
            )
        if link.near is place:
            yield link, link.near_addresses, link.far_addresses
        elif link.far is place:
            yield link, link.far_addresses, link.near_addresses


def configure(
    place: Place,
    *,
    ipv6: bool,
    icmp_ratelimit: int | None,
    household: Household = BELTELECOM,
    balanced: bool = False,
) -> None:
    """Make the current namespace, which has its TUN devices already, into *place*.

    *ipv6*: whether it has any. *icmp_ratelimit*: milliseconds between ICMP errors to
    one destination; None leaves the kernel's own (1000), 0 lifts it. *balanced*: what goes
    abroad through gateway 1 takes either gateway, each flow its own (IPv4 only: between
    devices without neighbours Linux has no such routes of IPv6).
    """
    _switch(place, ipv6, icmp_ratelimit)
    if balanced:
        _write("ipv4/fib_multipath_hash_policy", 1)  # by ports: packets of a flow stay together
    with IPRoute() as kernel:
        kernel.link("set", index=_LOOPBACK, state="up")
        devices: dict[Wire | None, int] = {None: _LOOPBACK}
        for link, own, others in links_of(place, household):
            index = kernel.link_lookup(ifname=str(link.wire))[0]
            devices[link.wire] = index
            kernel.link("set", index=index, mtu=MTU, txqlen=_QUEUE, state="up")
            for address, other in zip(own, others, strict=True):
                if ":" in address and not ipv6:
                    continue
                kernel.addr("add", index=index, address=address, prefixlen=_whole(address))
                scope = {} if ":" in other else {"scope": "link"}
                kernel.route("add", dst=f"{other}/{_whole(other)}", oif=index, **scope)
        if place is Place.OPERATOR:
            for address in household.resolver:
                kernel.addr("add", index=_LOOPBACK, address=address, prefixlen=_whole(address))
        for route in routes_of(place, household):
            if ":" in route.prefix and not ipv6:
                continue
            options: dict[str, object] = {"type": _KINDS[route.kind], "table": route.table}
            if balanced and place is Place.OPERATOR and route.prefix == THROUGH_GATEWAY_1[0]:
                uplinks = (Wire.UPLINK_1, Wire.UPLINK_2)
                options["multipath"] = [{"oif": devices[uplink]} for uplink in uplinks]
            elif route.kind in ("unicast", "local"):
                options["oif"] = devices[route.wire]
            if route.kind == "local":
                options["scope"] = "host"
            if route.kind == "local" and ":" not in route.prefix:
                options["scope"] = "host"
            if place is Place.HOME:  # so that programs find the router
                options["gateway"] = household.router[":" in route.prefix]
            kernel.route("add", dst=route.prefix, **options)
        if place in (Place.ABROAD, Place.DOMESTIC):
            # The kernel keeps the local and the main table as one until there is a rule,
            # and would then end its search at the "throw".
            kernel.rule("add", table=_TABLE_MAIN, priority=1000)
        if place is Place.EXCHANGE:
            for prefix in THROUGH_GATEWAY_2:
                kernel.rule("add", src=prefix, table=TABLE_GATEWAY_2, priority=1000)


def _switch(place: Place, ipv6: bool, icmp_ratelimit: int | None) -> None:
    router = place in (Place.OPERATOR, Place.GATEWAY_1, Place.GATEWAY_2, Place.EXCHANGE)
    settings: dict[str, object] = {
        "ipv4/conf/all/rp_filter": 0,
        "ipv4/conf/default/rp_filter": 0,
        "ipv4/ip_forward": int(router),
        "ipv4/ip_nonlocal_bind": int(place in (Place.ABROAD, Place.DOMESTIC, Place.RESOLVERS)),
        # The answer comes from where the packet came in, as traceroute readers expect.
        "ipv4/icmp_errors_use_inbound_ifaddr": 1,
        "ipv4/ip_unprivileged_port_start": 0,
    }
    if icmp_ratelimit is not None:
        settings["ipv4/icmp_ratelimit"] = icmp_ratelimit
        settings["ipv6/icmp/ratelimit"] = icmp_ratelimit
    if ipv6:
        settings |= {
            "ipv6/conf/all/disable_ipv6": 0,
            "ipv6/conf/all/forwarding": int(router),
            "ipv6/ip_nonlocal_bind": settings["ipv4/ip_nonlocal_bind"],
        }
    else:
        settings["ipv6/conf/all/disable_ipv6"] = 1
    for name, value in settings.items():
        _write(name, value)
    for device in (str(link.wire) for link, _, _ in links_of(place)):
        if ipv6:  # global addresses only, usable at once, and no chatter of the kernel's own
            for name in ("accept_ra", "router_solicitations", "accept_dad", "dad_transmits"):
                _write(f"ipv6/conf/{device}/{name}", 0)
            _write(f"ipv6/conf/{device}/addr_gen_mode", 1)
    if place is Place.HOME:
        _write("ipv4/ping_group_range", _groups())


def _groups() -> str:
    """All groups that exist in this user namespace, as ``first last``."""
    first, _, count = Path("/proc/self/gid_map").read_text().split()[:3]
    return f"{first} {min(int(first) + int(count) - 1, 2**31 - 1)}"


def _write(name: str, value: object) -> None:
    (Path("/proc/sys/net") / name).write_text(str(value))


def _whole(address: str) -> int:
    return 128 if ":" in address else 32
