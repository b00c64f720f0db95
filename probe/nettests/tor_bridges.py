"""The bridges of Tor that the user was given, whose addresses nobody may learn from us.

No control is asked: it would be told. What is on record has the bridge's name
(`probe.tor.keeping`) in place of its address, times to a tenth of a second, and nothing of what
the bridge said of itself.
"""

from __future__ import annotations

import trio

from probe.evidence import RelayLink
from probe.nettest import Context, nettest
from probe.steps.relay import Way, link, nothing_more, reach
from probe.tor.bridges import VANILLA
from probe.tor.keeping import PREFIX, Kept
from probe.trace import Trace
from testlists.target import Target

PAUSE = 4.0  # seconds before what failed is tried again
CLASSES = {VANILLA: "vanilla_bridge"}  # as lists call it; a transport has its own name


def is_kept(target: Target) -> bool:
    return target.scheme == "tor" and target.hostname.startswith(PREFIX)


@nettest("tor_bridges", version="1.0.0", takes=is_kept)
async def tor_bridges(ctx: Context, target: Target) -> None:
    """Can this bridge, which only the user knows, be reached from here?"""
    kept = next((k for k in ctx.tools.tor.kept if k.url == target.url), None)
    if kept is None or not ctx.tools.usable(kept.bridge.ip):
        return
    if not await _reached(ctx, kept):
        await trio.sleep(PAUSE)
        await _reached(ctx, kept)


async def _reached(ctx: Context, kept: Kept) -> bool:
    bridge, unseen = kept.bridge, Trace(zero=ctx.trace.zero)
    way: Way = nothing_more
    if bridge.transport == VANILLA:
        way = link(fingerprint=bridge.fingerprint, now=ctx.tools.now)
    await ctx.tools.net.turn(bridge.ip, bridge.port)
    seen = await reach(
        ctx.tools.net, unseen, way, ip=bridge.ip, port=bridge.port, url=kept.url,
        relay=CLASSES.get(bridge.transport, bridge.transport), channel=kept.channel,
    )  # fmt: skip
    ctx.trace.records.append(told(seen, kept.name, ctx.trace.new_transaction()))
    return seen.failure is None


def told(seen: RelayLink, name: str, transaction: int) -> RelayLink:
    """What may be on record of *seen*: no address, nothing that is the bridge's own."""
    return RelayLink(
        url=seen.url, transaction=transaction, t0=round(seen.t0, 1), t=round(seen.t, 1),
        failure=seen.failure, relay=seen.relay, key=name, channel=seen.channel,
        operation=seen.operation, identity=seen.identity,
    )  # fmt: skip
