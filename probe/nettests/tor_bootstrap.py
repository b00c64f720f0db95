"""Bringing Tor up.

Starts the real ``tor`` without bridges, or with one pluggable transport, and watches how far
it comes. The targets are ``tor://vanilla``, ``tor://obfs4`` and so on (`probe.tor.bootstrap`).
No control does the same: it would start programs for strangers, and would show no more than
that the Tor network is there.
"""

from __future__ import annotations

from contextlib import suppress

from probe.nettest import Context, nettest
from probe.tor.bootstrap import bootstrap
from probe.tor.bridges import BadBridges, Bridge, parse
from probe.tor.ways import WAYS
from testlists.target import Target


def a_way(target: Target) -> bool:
    return target.scheme == "tor" and target.hostname in WAYS


@nettest("tor_bootstrap", version="1.0.0", takes=a_way)
async def tor_bootstrap(ctx: Context, target: Target) -> None:
    """Does Tor's own client come up from here, and if not, where does it stop?"""
    tools = ctx.tools
    await bootstrap(
        ctx.trace, target.url, target.hostname, tools.tor, ipv4=tools.ipv4, ipv6=tools.ipv6,
        public=public_bridges(target),
    )  # fmt: skip


def public_bridges(target: Target) -> list[Bridge]:
    """The bridges in the columns ``bridge1``, ``bridge2``… of the list; bad lines are left out."""
    found = []
    for name, line in target.attributes:
        if line and name.startswith("bridge"):
            with suppress(BadBridges):
                found.append(parse(line))
    return found
