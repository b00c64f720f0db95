"""The accused name asked of others and by other ways: who lies, and about what."""

from __future__ import annotations

from probe.ladder.climb import Climb
from probe.ladder.rung import Accused, rung

TRIES = 2


@rung("harmless_dns", of=("dns",), phase="trigger")
async def harmless_dns(climb: Climb, accused: Accused) -> None:
    """Does the resolver answer truly about a site that nobody accuses?"""
    for name in climb.settings.neutral[:TRIES]:
        await climb.lookup(accused.ip, name, accused.rdtype)


@rung("dns_over_tcp", of=("dns",), phase="trigger")
async def dns_over_tcp(climb: Climb, accused: Accused) -> None:
    """Does the same resolver say the same over TCP, where nobody can answer in its place?"""
    for _ in range(TRIES):
        await climb.lookup(accused.ip, accused.host, accused.rdtype, over="tcp")


@rung("other_resolver", of=("dns",), phase="trigger")
async def other_resolver(climb: Climb, accused: Accused) -> None:
    """What do other resolvers say in the clear? (Encrypted ones are asked in the plain pass.)"""
    others = [ip for ip in climb.tools.resolvers.public if ip != accused.ip]
    for ip in others[:TRIES]:
        await climb.lookup(ip, accused.host, accused.rdtype)
        await climb.lookup(ip, accused.host, accused.rdtype, over="tcp")
