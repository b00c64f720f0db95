"""Where am I? What is asked of the surroundings before anything is measured.

Which address families this machine has, whether a captive portal answers in place of
everybody, what time it is, and whose network this is. Each answer may be "unknown",
and a run goes on without it; what must not be is a guess, since every finding of the
run rests on it.

Only the AS and the country are kept of our own addresses: an address is a person.
"""

from __future__ import annotations

import platform
import socket
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, ip_address
from urllib.parse import urlsplit

import trio

from probe.addresses import is_public
from probe.asn import AddressBook
from probe.config import PortalCheck
from probe.control.introduction import Introduction
from probe.evidence import AddressInfo, HTTPExchange
from probe.failure import NETWORK_ERRORS
from probe.hops import HopNetwork
from probe.net import Network
from probe.steps.http import http_fetch
from probe.steps.tcp import tcp_connect
from probe.surroundings.clock import date_offset
from probe.surroundings.neighbours import default_routes
from probe.tcpinfo import tcp_info
from probe.trace import StepFailed, Trace
from probe.wire.url import parse

# Addresses that are routed on the Internet and nowhere else. Connecting a UDP socket
# asks the kernel for a route and sends nothing.
ROUTED = ("8.8.8.8", "2001:4860:4860::8888")

PORTAL_TIMEOUT = 10.0  # seconds for all checks together
PORTAL_AGREEMENT = 2  # checks that must have been answered by the same stranger

NEAR_TIMEOUT = 5.0  # seconds to connect, to see how near the answer comes from
LOOPBACK_RTT = 0.0001  # seconds; the next switch alone takes longer
LONGEST_SEGMENT = 16000  # bytes: beyond what any link carries (jumbo frames: 9000)

# What portals resolve every name to, where they do not catch the connection. Not
# 0.0.0.0 and 127.0.0.1: those are what an advertisement blocker answers.
HOME_NETWORKS = tuple(
    map(IPv4Network, ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16"))
)

CARRIERS = IPv4Network("100.64.0.0/10")
UNKNOWN = AddressInfo()


async def families(net: Network) -> tuple[bool, bool]:
    """Whether this machine has a route for IPv4 and for IPv6. No packet is sent."""
    found = []
    for ip in ROUTED:
        try:
            (await net.open_udp(ip, 53)).close()
        except OSError:
            found.append(False)
        else:
            found.append(True)
    return found[0], found[1]


@dataclass
class Portal:
    """*found*: whether a captive portal answers in place of known pages, None if nobody
    answered at all. *offsets*: how far ahead of ours the clocks of those who did are."""

    found: bool | None = None
    offsets: list[float] = field(default_factory=list)


async def look_for_portal(net: Network, checks: Sequence[PortalCheck]) -> Portal:
    """Fetch pages with known answers over plain HTTP, where portals step in.

    Silence, refusal and a name that does not resolve are no portal. Nor is one
    strange answer: the site may have changed, or be blocked. Two that are strange in
    the same way are.
    """
    portal = Portal()
    answers: list[str] = []

    async def one(check: PortalCheck) -> None:
        answer = await _answer(net, check, portal.offsets)
        if answer is not None:
            answers.append(answer)

    with trio.move_on_after(PORTAL_TIMEOUT):
        async with trio.open_nursery() as nursery:
            for check in checks:
                nursery.start_soon(one, check)
    strange = Counter(answer for answer in answers if answer != "as expected")
    if answers:
        portal.found = any(count >= PORTAL_AGREEMENT for count in strange.values())
    return portal


async def _answer(net: Network, check: PortalCheck, offsets: list[float]) -> str | None:
    """``as expected``, or in which way it is not; None where nothing answered."""
    url = parse(check.url)
    try:
        addresses = await net.system_lookup(url.host)
    except (OSError, UnicodeError):
        return None
    if any(_is_home(ip) for ip in addresses):
        return "an address of the local network"  # where we do not go
    trace = Trace()
    for ip in [ip for ip in addresses if is_public(ip)][:2]:
        try:
            await net.turn(ip, url.port)
            stream = await tcp_connect(net, trace, ip, url.port)
            async with stream:
                exchange = await http_fetch(trace, stream, url, ip=ip, port=url.port)
        except StepFailed:
            continue
        headers = dict(exchange.headers)
        if (offset := date_offset(headers.get("date", ""))) is not None:
            offsets.append(offset)
        return _judged(check, exchange)
    return None


def _judged(check: PortalCheck, exchange: HTTPExchange) -> str:
    body = (exchange.body or b"").strip()
    if exchange.status == check.status and body.startswith(check.body.strip().encode()):
        return "as expected"
    if exchange.location:
        return f"a redirect to {urlsplit(exchange.location).hostname}"
    return f"status {exchange.status}"


def _is_home(ip: str) -> bool:
    address = ip_address(ip.partition("%")[0])
    return address.version == 4 and any(address in network for network in HOME_NETWORKS)


def own_network(introductions: Iterable[Introduction], book: AddressBook) -> AddressInfo:
    """Whose network this is, by the addresses that at least two controls saw us come from."""
    seen = [
        {info.asn: info for ip in i.client_addresses if (info := _lookup(book, ip)).asn}
        for i in introductions
    ]
    votes = Counter(asn for infos in seen for asn in infos)
    for asn, count in votes.most_common(1):
        if count >= 2 and 2 * count > sum(1 for infos in seen if infos):
            return next(infos[asn] for infos in seen if asn in infos)
    return UNKNOWN


def resolver_network(resolvers: Iterable[str], book: AddressBook) -> AddressInfo:
    """Whose the first public one of *resolvers* is; unknown where there is none."""
    for ip in resolvers:
        if _is_public(ip):
            return _lookup(book, ip)
    return UNKNOWN


def _lookup(book: AddressBook, ip: str) -> AddressInfo:
    return book.lookup(ip) if _is_public(ip) else UNKNOWN


def _is_public(ip: str) -> bool:
    try:
        return is_public(ip)
    except ValueError:
        return False


def describe_system() -> str:
    """The kind of system, for the record; nothing that tells one machine from another."""
    return f"{platform.system()} {platform.machine()} Python {platform.python_version()}"


def gateways(folder: str = "/proc/net") -> tuple[str, ...]:
    """The routers that this machine's default routes lead to; none where it cannot be told."""
    found = [_scoped(*route) for route in default_routes(folder) if route[1]]
    return tuple(dict.fromkeys(found))


def home_router(folder: str = "/proc/net") -> bool | None:
    """Whether the first router has a private address: then it is the household's own.

    None where no IPv4 route tells. Addresses of RFC 6598 are a carrier's.
    """
    routers = [router for _, router in default_routes(folder) if "." in router]
    return _is_home(routers[0]) and ip_address(routers[0]) not in CARRIERS if routers else None


async def nearness(net: Network, addresses: Sequence[str], hops: HopNetwork | None) -> str:
    """How near whoever answers for all of *addresses* is: ``machine``, ``hop`` or ``beyond``.

    They are of sites abroad. Who opens connections to them within a tenth of a
    millisecond, or with segments as long as only the loopback carries, is a program on this
    machine: no cable is as short. Who answers a SYN that lives for one hop is the first
    router at most. Empty where the system does not tell.
    """
    told: dict[str, bool] = {}
    for ip in [ip for ip in addresses if is_public(ip)][:4]:
        if (here := await _is_here(net, ip)) is not None:
            told[ip] = here
    if not told:
        return ""
    if all(told.values()):
        return "machine"
    if hops is not None and all([await _is_next(net, hops, ip) for ip in told]):
        return "hop"
    return "beyond"


async def _is_next(net: Network, hops: HopNetwork, ip: str) -> bool:
    await net.turn(ip, 443)
    try:
        with trio.fail_after(NEAR_TIMEOUT):
            await hops.syn(ip, 443, 1)
    except NETWORK_ERRORS:
        return False
    return True


async def _is_here(net: Network, ip: str) -> bool | None:
    await net.turn(ip, 443)
    try:
        with trio.fail_after(NEAR_TIMEOUT):
            stream = await net.connect_tcp(ip, 443)
    except NETWORK_ERRORS:
        return None
    async with stream:
        sock = getattr(stream, "socket", None)
        rtt = tcp_info(sock).rtt
        if sock is None or rtt is None:
            return None
        segment: int = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
    return rtt < LOOPBACK_RTT or segment > LONGEST_SEGMENT


def _scoped(interface: str, router: str) -> str:
    return f"{router}%{interface}" if router.startswith("fe80:") else router
