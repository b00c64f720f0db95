"""A path of routers with a censor on it, for `probe.hops.HopNetwork`: no sockets.

Routers may be silent, limit what they say, or differ from flow to flow. Time is trio's.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import trio

from probe.hops import HopError, LimitedDatagrams, LimitedStream
from probe.net import Datagram
from tests.fakenet import dns_answer, os_error

Deed = Literal["reset", "close", "alert", "page", "drop", "refuse", "forge"]
FORGED = "95.46.44.10"
SERVER_HELLO = b"\x16\x03\x03\x00\x7a\x02"
ALERT = b"\x15\x03\x03\x00\x02\x02\x28"


@dataclass
class FakePath:
    """*routers* from the household outwards, ``""`` for a silent one; behind them everybody.

    A packet in which one of *words* is (or to one of *addresses*) meets *deed* where it has
    *hop* hops left to live, or another *hop* for another flow. A reset comes *late* seconds
    after the router's word. *residual* seconds after a trigger the tuple is dead; where
    *prolonged*, by each packet again.
    """

    routers: Sequence[str]
    deed: Deed = "reset"
    hop: int | Callable[[int], int] = 0
    words: tuple[bytes, ...] = ()
    addresses: tuple[str, ...] = ()
    late: float = 0.0
    residual: float = 0.0
    prolonged: bool = False
    in_path: bool = False
    no_resolver: bool = False
    flows: int = 0
    dead_until: dict[tuple[str, int], float] = field(default_factory=dict)
    seen: list[tuple[float, bytes, int]] = field(default_factory=list)  # named, at the censor

    @property
    def length(self) -> int:
        return len(self.routers) + 1

    def caught(self, ip: str, data: bytes, ttl: int, flow: int) -> bool:
        hop = self.hop(flow) if callable(self.hop) else self.hop
        about = ip in self.addresses or any(word in data for word in self.words)
        return bool(hop) and about and ttl >= hop

    def router(self, ttl: int) -> HopError | None:
        """What the router where the packet dies says."""
        name = self.routers[ttl - 1]
        return HopError(errno.EHOSTUNREACH, expired=True, router=name) if name else None

    async def syn(self, ip: str, port: int, ttl: int) -> None:
        self.flows += 1
        if self._dead(ip, port):
            await trio.sleep_forever()
        await trio.sleep(0.01 * ttl)
        if self.caught(ip, b"", ttl, self.flows):
            if self.deed == "refuse":
                raise os_error(errno.ECONNREFUSED)
            await trio.sleep_forever()
        if ttl < self.length:
            said = self.router(ttl)
            if said is None:
                await trio.sleep_forever()
            raise said

    async def connect_tcp(self, ip: str, port: int) -> LimitedStream:
        self.flows += 1
        began = trio.current_time()
        for resent in (0.0, 1.0, 2.0, 3.0, 4.0):  # seconds, as Linux sends a SYN again
            await trio.sleep_until(began + resent)
            if not self._dead(ip, port):
                await trio.sleep(0.01 * self.length)
                return _Stream(self, ip, port, self.flows)
        await trio.sleep_forever()
        raise AssertionError

    def _dead(self, ip: str, port: int) -> bool:
        """Whether the tuple is dead for a packet that comes now."""
        dead = trio.current_time() < self.dead_until.get((ip, port), 0.0)
        if dead and self.prolonged:
            self.dead_until[ip, port] = trio.current_time() + self.residual
        return dead

    async def open_udp(self, ip: str, port: int, ttl: int) -> LimitedDatagrams:
        self.flows += 1
        return _Datagrams(self, ip, ttl, self.flows)


class _End:
    """What arrives, in order: bytes, an error, or nothing any more."""

    def __init__(self, path: FakePath) -> None:
        self.path = path
        self.put, self.got = trio.open_memory_channel[tuple[float, bytes | OSError]](10)

    def later(self, seconds: float, what: bytes | OSError | None) -> None:
        if what is not None:
            self.put.send_nowait((trio.current_time() + seconds, what))

    async def next(self) -> bytes:
        at, what = await self.got.receive()
        await trio.sleep_until(at)
        if isinstance(what, OSError):
            raise what
        return what


class _Stream:
    def __init__(self, path: FakePath, ip: str, port: int, flow: int) -> None:
        self.path, self.ip, self.port, self.flow = path, ip, port, flow
        self.end = _End(path)
        self.ttl = 64
        self.abandoned = False

    def limit(self, ttl: int) -> None:
        self.ttl = ttl

    async def send_all(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        path, ttl = self.path, self.ttl
        died = path.router(ttl) if ttl < path.length else None
        if not path.caught(self.ip, data, ttl, self.flow):
            self.end.later(0.01 * ttl, died)
            if ttl >= path.length:
                tls = data[:1] == b"\x16"
                self.end.later(0.1, SERVER_HELLO if tls else b"HTTP/1.1 200 OK\r\n\r\n")
            return
        path.seen.append((trio.current_time(), data, ttl))
        if path.residual:
            path.dead_until[self.ip, self.port] = trio.current_time() + path.residual
        if not path.in_path and path.late and path.deed != "drop":
            self.end.later(0.01 * ttl, died)
        said: dict[Deed, bytes | OSError] = {
            "reset": os_error(errno.ECONNRESET), "close": b"", "alert": ALERT,
            "page": b"HTTP/1.1 200 OK\r\n\r\nblocked",
        }  # fmt: skip
        self.end.later(path.late, said.get(path.deed))

    async def receive_some(self, max_bytes: int) -> bytes:
        return (await self.end.next())[:max_bytes]

    def abandon(self) -> None:
        self.abandoned = True


class _Datagrams:
    def __init__(self, path: FakePath, ip: str, ttl: int, flow: int) -> None:
        self.path, self.ip, self.ttl, self.flow = path, ip, ttl, flow
        self.end = _End(path)

    async def send(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        path, ttl = self.path, self.ttl
        caught = path.caught(self.ip, data, ttl, self.flow)
        if caught:
            path.seen.append((trio.current_time(), data, ttl))
            if path.deed == "forge":
                self.end.later(0.005, dns_answer(data, FORGED))
        if caught and (path.in_path or path.deed == "drop"):
            return
        if ttl < path.length:
            self.end.later(0.01 * ttl, path.router(ttl))
        elif path.no_resolver:
            self.end.later(0.1, HopError(errno.ECONNREFUSED, router=self.ip))
        else:
            self.end.later(0.1, dns_answer(data, rcode="NXDOMAIN"))

    async def receive(self) -> Datagram:
        return Datagram(await self.end.next(), 0.0, None)

    def close(self) -> None:
        pass
