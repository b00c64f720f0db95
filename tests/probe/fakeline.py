"""A line to the Internet in memory: names, hosts that answer on ports, and what is cut."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio
from trio.testing import memory_stream_pair

from probe.net import Datagrams

Serve = Callable[[trio.abc.Stream], Awaitable[None]]


def error(code: int) -> OSError:
    return OSError(code, os.strerror(code))


class NoAnswers:
    async def send(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()

    async def receive(self) -> object:
        await trio.sleep_forever()

    def close(self) -> None:
        return


@dataclass
class FakeLine:
    """*hosts* maps (address, port) to a server, to None for one that hangs up at once, or to
    the errno of connecting there.
    Addresses in *silent* never answer; whatever else is refused."""

    nursery: trio.Nursery
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    hosts: dict[tuple[str, int], Serve | int | None] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    routes: tuple[bool, bool] = (True, True)
    resolver_works: bool = True
    latency: float = 0.02
    connected: list[tuple[str, int]] = field(default_factory=list)

    async def turn(self, ip: str, port: int) -> None:
        await trio.lowlevel.checkpoint()

    async def connect_tcp(self, ip: str, port: int) -> trio.abc.Stream:
        self.connected.append((ip, port))
        if ip in self.silent:
            await trio.sleep_forever()
        await trio.sleep(self.latency)
        if (ip, port) not in self.hosts:
            raise error(errno.ECONNREFUSED)
        serve = self.hosts[ip, port]
        if isinstance(serve, int):
            raise error(serve)
        ours, theirs = memory_stream_pair()
        if serve is None:
            await trio.aclose_forcefully(theirs)
        else:
            self.nursery.start_soon(serve, theirs)
        return ours

    async def open_udp(self, ip: str, port: int) -> Datagrams:
        await trio.lowlevel.checkpoint()
        if not self.routes[":" in ip]:
            raise error(errno.ENETUNREACH)
        return NoAnswers()  # type: ignore[return-value]

    async def system_lookup(self, hostname: str) -> tuple[str, ...]:
        await trio.sleep(self.latency)
        if not self.resolver_works:
            raise socket.gaierror(socket.EAI_AGAIN, "temporary failure")
        if hostname not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return self.names[hostname]


def web_server(head: str, body: bytes = b"") -> Serve:
    """Answers one request with *head* (status line and headers) and *body*."""

    async def serve(stream: trio.abc.Stream) -> None:
        got = b""
        while b"\r\n\r\n" not in got:
            got += await stream.receive_some(4096)
        text = head.replace("\n", "\r\n") + f"\r\nContent-Length: {len(body)}\r\n\r\n"
        if "204" in head:
            text = head.replace("\n", "\r\n") + "\r\n\r\n"
        await stream.send_all(text.encode() + body)

    return serve
