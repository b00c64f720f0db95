"""Behind the resolver that this machine asks: where is it, and who asks the world for it?

A resolver at home (the router, a program on this machine) asks another, most often the
operator's. Where a name is then lied about, the lie may be of either. A name whose
answer is the address that asked for it tells who is behind; and if that one answers us
as well, it is asked beside the resolver at home: who of the two lies is then seen.

A resolver at home may also ask the world itself. Then the address is the household's own,
which nobody keeps and nobody is asked at: whoever is not sure of that does not ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

import trio

from probe.addresses import is_public
from probe.failure import NETWORK_ERRORS
from probe.net import Network
from probe.steps.dns import udp_lookup
from probe.trace import Trace

LOOKUP_TIMEOUT = 6.0
NEIGHBOURS = 24  # bits of an address that a carrier's NAT may leave the same


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """*at*: where the resolver is that this machine is set to use (see `probe.evidence.Run`).

    *address*: from which the world is asked, empty where that is not known. *answers*: it
    answers this machine too.
    """

    at: str = ""
    address: str = ""
    answers: bool = False


async def find_upstream(net: Network, own: Sequence[str], whoami: str) -> Upstream:
    """Where the first of the *own* resolvers is, and who is behind it by the word of *whoami*.

    An empty *whoami* is asked of nobody.
    """
    at = where(own)
    if not whoami or not at:
        return Upstream(at=at)
    try:
        with trio.fail_after(LOOKUP_TIMEOUT):
            told = await net.system_lookup(whoami)
    except NETWORK_ERRORS:
        return Upstream(at=at)
    address = next((ip for ip in told if _is_public(ip) and ":" not in ip), "")
    return Upstream(at=at, address=address)


async def try_upstream(
    net: Network, upstream: Upstream, whoami: str, ours: Iterable[str]
) -> Upstream:
    """*upstream*, asked whether it answers this machine too.

    *ours* are the addresses under which the world sees this household. Without any, or where
    the resolver's is among them or next to them, it is not asked.
    """
    address, seen = upstream.address, [ip for ip in ours if ":" not in ip]
    if upstream.at not in ("machine", "home") or not address or not seen:
        return upstream
    if any(ip_address(address) in ip_network(f"{ip}/{NEIGHBOURS}", strict=False) for ip in seen):
        return upstream
    heard: list[str] = []
    await net.turn(address, 53)
    await udp_lookup(net, Trace(), address, whoami, "A", heard=heard.extend)
    return Upstream(at=upstream.at, address=address, answers=bool(heard))


def where(own: Sequence[str]) -> str:
    """``machine``, ``home`` (a private address) or ``network``; empty where there is none."""
    for text in own[:1]:
        try:
            ip = ip_address(text.partition("%")[0])
        except ValueError:
            return ""
        if ip.is_loopback or ip.is_unspecified:
            return "machine"
        return "network" if is_public(text) else "home"
    return ""


def _is_public(ip: str) -> bool:
    try:
        return is_public(ip)
    except ValueError:
        return False
