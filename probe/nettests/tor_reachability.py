"""Relays, directory authorities and public bridges of Tor, each by the way of its class.

Of a relay that does not answer more is asked, so that it can be said what fails there: its
directory port, another port of the same address, and what is not Tor at the same port.
A control asks all of that at once, since it does not know what failed here.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

import trio

from probe.evidence import PROBE
from probe.nettest import Context, nettest
from probe.steps.relay import Way, directory, foreign_tls, link, nothing_more, reach
from testlists.target import Target

PAUSE = 4.0  # seconds before what failed is tried again
AUTHORITY, RELAY, VANILLA = "or_port_dirauth", "or_port", "vanilla_bridge"
LINKS = (AUTHORITY, RELAY, VANILLA)  # classes that are spoken to in Tor's own link protocol
DIRECTORY, OTHER_PORT, NOT_TOR = "dir_port", "relay_other_port", "non_tor_tls"
OTHER_PORTS = (443, 80, 8080)  # the first that is not the relay's own
HARMLESS = "www.debian.org"  # a name that nobody blocks; what it is sent to is not its site


def is_relay(target: Target) -> bool:
    """Whether *target* is an address and port of Tor's (``docs/tor.md``)."""
    if target.scheme != "tor" or target.port is None:
        return False
    try:
        ip_address(target.hostname)
    except ValueError:
        return False
    return True


@nettest("tor_reachability", version="1.0.0", takes=is_relay, elsewhere=True)
async def tor_reachability(ctx: Context, target: Target) -> None:
    """Can this Tor relay be reached from here, and does it prove to be itself?"""
    if not ctx.tools.usable(target.hostname):
        return
    look = _Look(ctx, target)
    if ctx.trace.vantage != PROBE:
        async with trio.open_nursery() as nursery:
            for part in (look.twice, look.directory, *look.beside()):
                nursery.start_soon(part)
        return
    works = await look.twice()
    if not works or look.kind == AUTHORITY:
        await look.directory()
    if not works:
        for part in look.beside():
            await part()


class _Look:
    """One relay, seen from one vantage."""

    def __init__(self, ctx: Context, target: Target) -> None:
        self._ctx, self._target = ctx, target
        self._port = target.port or 0
        self._directory_port = _port(target.attribute("dir_port"))
        self.kind = target.attribute("relay") or RELAY

    async def twice(self) -> bool:
        """Whether the relay's own port works; what fails is tried once more after a pause."""
        if await self._own_port():
            return True
        await trio.sleep(PAUSE)
        return await self._own_port()

    async def directory(self) -> None:
        if self._directory_port:
            await self._beside(directory, self._directory_port, DIRECTORY)

    def beside(self) -> list[Callable[[], Awaitable[None]]]:
        """What else there is at the address of a relay, and not its own."""
        return [self._other_port, self._not_tor] if self.kind in (AUTHORITY, RELAY) else []

    async def _own_port(self) -> bool:
        way: Way = nothing_more  # who speaks a transport's own language is asked by `tor_bootstrap`
        if self.kind in LINKS:
            way = link(
                fingerprint=self._target.attribute("fingerprint"),
                ed25519=self._target.attribute("ed25519"),
                now=self._ctx.tools.now,
            )
        return await self._reach(way, self._port, self.kind)

    async def _other_port(self) -> None:
        taken = (self._port, self._directory_port)
        port = next(port for port in OTHER_PORTS if port not in taken)
        await self._beside(nothing_more, port, OTHER_PORT)

    async def _not_tor(self) -> None:
        await self._beside(foreign_tls(HARMLESS), self._port, NOT_TOR)

    async def _beside(self, way: Way, port: int, kind: str) -> None:
        # A step of that name, since how the target fared is what its own port says.
        await self._reach(way, port, kind, step=kind)

    async def _reach(self, way: Way, port: int, kind: str, step: str = "") -> bool:
        ctx, target = self._ctx, self._target
        ip = target.hostname
        await ctx.tools.net.turn(ip, port)
        where = f"[{ip}]" if ":" in ip else ip
        seen = await reach(
            ctx.tools.net, ctx.trace.serving(step), way, ip=ip, port=port, relay=kind,
            url=f"tor://{where}:{port}", name=target.attribute("nickname"),
            channel=target.attribute("channel"),
        )  # fmt: skip
        return seen.failure is None


def _port(text: str) -> int:
    """The port that a list names; 0 where it names none."""
    port = int(text) if re.fullmatch(r"[0-9]{1,5}", text) else 0
    return port if port < 65536 else 0
