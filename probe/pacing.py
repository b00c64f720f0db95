"""When it is polite to send: nothing may look like a scan or fill a weak line.

Rule: new connections keep a distance in time from each other, overall, to the same
address and to the same network; sockets for DNS over UDP are counted apart, being
one packet each. The wait comes before the operation (`PacedNetwork.turn`), so that
our own patience is never measured as somebody's slowness.

Not a bucket of tokens: a bucket lets a burst through, and a burst of SYNs to one
network is what a home router and an operator's scan detector see. For the same reason a
turn that comes up late does not simply count: after a small device has stalled for a
second, all turns of that second come up at once.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Collection
from functools import lru_cache
from ipaddress import ip_network

import msgspec
import trio

from probe.net import Datagrams, Network

DNS_PORT = 53
MAX_KEYS = 512  # half a kilobyte each: addresses and networks whose last time is remembered, each
SLACK = 0.1  # of a second's turns; what usual lateness may bring closer together


class Rates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many a second, at most. A page in a browser opens 20 to 60 connections in a second.

    *per_resolver* is for the encrypted resolvers, which serve every target and are
    built for it.
    """

    connections_per_second: float = 60.0
    per_address: float = 4.0
    per_network: float = 10.0  # IPv4 /24, IPv6 /48
    per_resolver: float = 20.0
    datagrams_per_second: float = 200.0
    datagrams_per_resolver: float = 120.0


class Spacing:
    """Keeps times *interval* seconds apart, filling gaps: who waits for something
    else does not hold up the others. Times are taken before they come; what then really
    happened, late as it may be, is told by `use`."""

    def __init__(self, per_second: float) -> None:
        self.interval = 1.0 / per_second
        self._taken: list[float] = []
        self._used: list[float] = []  # a deque would take half a kilobyte for four of them
        self._a_second = max(1, math.floor(per_second))

    def free_from(self, time: float) -> float:
        """The first moment, not before *time*, that is far enough from every taken one."""
        time = max(time, self._full_until())
        position = bisect_right(self._taken, time - self.interval)
        while position < len(self._taken) and self._taken[position] - time < self.interval:
            time = self._taken[position] + self.interval
            position += 1
        return time

    def take(self, time: float, *, now: float) -> None:
        self._taken.insert(bisect_left(self._taken, time), time)
        del self._taken[: bisect_right(self._taken, now - self.interval)]

    def usable(self, now: float) -> bool:
        """Whether a turn can be used *now*, by those that really were in the last second."""
        return now >= self._full_until()

    def use(self, now: float) -> None:
        self._used.append(now)
        del self._used[: -self._a_second]

    def idle(self, now: float) -> bool:
        last = max((times[-1] for times in (self._taken, self._used) if times), default=-math.inf)
        return last + max(1.0, self.interval) <= now

    def _full_until(self) -> float:
        """When one more turn fits beside those of the last second."""
        if len(self._used) < self._a_second:
            return -math.inf
        return self._used[0] + self._a_second * self.interval * (1 - SLACK)


class Pacer:
    """Hands out moments, each far enough from the others overall, per address, per network."""

    def __init__(
        self,
        *,
        overall: float,
        per_address: float,
        per_network: float,
        per_resolver: float,
        resolvers: Collection[str] = (),
    ) -> None:
        self._overall = Spacing(overall)
        self._per_address = per_address
        self._per_network = per_network
        self._per_resolver = per_resolver
        self._resolvers = frozenset(resolvers)
        self._spacings: dict[str, Spacing] = {}
        self._room = 2 * MAX_KEYS  # more where more are busy, or each turn would look at all

    async def turn(self, ip: str) -> None:
        """Return when it is the turn of a packet to *ip*. Those who ask first go first."""
        while True:
            now = trio.current_time()
            spacings = [self._overall, *self._of(ip, now)]
            time, settled = now, -math.inf
            while settled != time:
                settled = time
                for spacing in spacings:
                    time = spacing.free_from(time)
            for spacing in spacings:
                spacing.take(time, now=now)
            if time > now:
                await trio.sleep_until(time)
            else:
                await trio.lowlevel.checkpoint()  # sleeping until now takes three times as long
            now = trio.current_time()
            if all(spacing.usable(now) for spacing in spacings):
                break
        for spacing in spacings:
            spacing.use(now)

    def _of(self, ip: str, now: float) -> list[Spacing]:
        if len(self._spacings) >= self._room:
            self._spacings = {k: s for k, s in self._spacings.items() if not s.idle(now)}
            self._room = 2 * max(MAX_KEYS, len(self._spacings))
        if ip in self._resolvers:
            return [self._spacing(ip, self._per_resolver)]
        return [
            self._spacing(ip, self._per_address),
            self._spacing(network_of(ip), self._per_network),
        ]

    def _spacing(self, key: str, per_second: float) -> Spacing:
        if key not in self._spacings:
            self._spacings[key] = Spacing(per_second)
        return self._spacings[key]


class PacedNetwork:
    """*network* with manners. *resolvers* are the addresses of encrypted resolvers."""

    def __init__(self, network: Network, rates: Rates, *, resolvers: Collection[str] = ()) -> None:
        self._network = network
        self._connections = Pacer(
            overall=rates.connections_per_second,
            per_address=rates.per_address,
            per_network=rates.per_network,
            per_resolver=rates.per_resolver,
            resolvers=resolvers,
        )
        self._datagrams = Pacer(
            overall=rates.datagrams_per_second,
            per_address=rates.datagrams_per_resolver,
            per_network=rates.datagrams_per_second,
            per_resolver=rates.datagrams_per_resolver,
        )

    async def turn(self, ip: str, port: int) -> None:
        await (self._datagrams if port == DNS_PORT else self._connections).turn(ip)

    async def connect_tcp(self, ip: str, port: int) -> trio.abc.Stream:
        if port == DNS_PORT:
            # The turn before was for a datagram; its answer was cut short, and
            # the second attempt, over TCP, is rare enough to wait here.
            await self._connections.turn(ip)
        return await self._network.connect_tcp(ip, port)

    async def open_udp(self, ip: str, port: int) -> Datagrams:
        return await self._network.open_udp(ip, port)

    async def system_lookup(self, hostname: str) -> tuple[str, ...]:
        return await self._network.system_lookup(hostname)


@lru_cache(maxsize=1024)
def network_of(ip: str) -> str:
    """The network that *ip* is counted in: its /24, or /48 for IPv6."""
    return str(ip_network(f"{ip}/{48 if ':' in ip else 24}", strict=False))
