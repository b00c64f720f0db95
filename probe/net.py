"""The one door to the network. Nothing else in ``probe`` makes a socket.

The real one is `TrioNetwork`; unit tests walk in through a fake with the same
three methods, and pacing is a wrapper of the same shape.
"""

from __future__ import annotations

import socket
import struct
import time
from functools import partial
from typing import NamedTuple, Protocol

import trio

SO_TIMESTAMPNS = 35  # linux/asm-generic/socket.h; Python 3.11 does not name it
IP_RECVTTL = getattr(socket, "IP_RECVTTL", 12)
IPV6_RECVHOPLIMIT = getattr(socket, "IPV6_RECVHOPLIMIT", 51)
IPV6_HOPLIMIT = getattr(socket, "IPV6_HOPLIMIT", 52)
MAX_LOOKUPS = 64  # threads in the system's resolver at once


class Datagram(NamedTuple):
    """What arrived, how long ago (seconds, by the kernel's stamp) and its remaining TTL."""

    data: bytes
    age: float
    ip_ttl: int | None


class Datagrams(Protocol):
    """A connected UDP socket."""

    async def send(self, data: bytes) -> None: ...
    async def receive(self) -> Datagram: ...
    def close(self) -> None: ...


class Network(Protocol):
    async def turn(self, ip: str, port: int) -> None:
        """Wait until it is polite to send there. Not part of any operation's time."""
        ...

    async def connect_tcp(self, ip: str, port: int) -> trio.abc.Stream:
        """Connect to one address. Raises OSError with the errno of what happened."""
        ...

    async def open_udp(self, ip: str, port: int) -> Datagrams: ...

    async def system_lookup(self, hostname: str) -> tuple[str, ...]:
        """What the system's resolver says, both families. Raises socket.gaierror."""
        ...


class TrioNetwork:
    """The real network."""

    def __init__(self) -> None:
        # Apart from trio's own forty: a dead resolver keeps a thread for ten seconds
        # after we have stopped waiting, and others must not queue behind it.
        self._lookups = trio.CapacityLimiter(MAX_LOOKUPS)

    async def turn(self, ip: str, port: int) -> None:
        await trio.lowlevel.checkpoint()

    async def connect_tcp(self, ip: str, port: int) -> trio.abc.Stream:
        # Not trio.open_tcp_stream: it races addresses (happy eyeballs) and
        # hides the errno inside an ExceptionGroup. We measure one address.
        sock = trio.socket.socket(_family(ip), trio.socket.SOCK_STREAM)
        try:
            await sock.connect((ip, port))
        except BaseException:
            sock.close()
            raise
        return trio.SocketStream(sock)

    async def open_udp(self, ip: str, port: int) -> Datagrams:
        sock = trio.socket.socket(_family(ip), trio.socket.SOCK_DGRAM)
        try:
            _set_if_known(sock, socket.SOL_SOCKET, SO_TIMESTAMPNS)
            if ":" in ip:
                _set_if_known(sock, socket.IPPROTO_IPV6, IPV6_RECVHOPLIMIT)
            else:
                _set_if_known(sock, socket.IPPROTO_IP, IP_RECVTTL)
            await sock.connect((ip, port))
        except BaseException:
            sock.close()
            raise
        return _UDPSocket(sock)

    async def system_lookup(self, hostname: str) -> tuple[str, ...]:
        found = await trio.to_thread.run_sync(
            partial(socket.getaddrinfo, hostname, None, type=socket.SOCK_STREAM),
            abandon_on_cancel=True,
            limiter=self._lookups,
        )
        return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


class _UDPSocket:
    def __init__(self, sock: trio.socket.SocketType) -> None:
        self._sock = sock

    async def send(self, data: bytes) -> None:
        await self._sock.send(data)

    async def receive(self) -> Datagram:
        data, ancillary, _, _ = await self._sock.recvmsg(65535, 256)
        age, ip_ttl = 0.0, None
        for level, kind, value in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                seconds, nanoseconds = struct.unpack("qq", value[:16])
                age = max(0.0, time.time() - (seconds + nanoseconds / 1e9))
            elif (level, kind) in (
                (socket.IPPROTO_IP, socket.IP_TTL),
                (socket.IPPROTO_IPV6, IPV6_HOPLIMIT),
            ):
                ip_ttl = struct.unpack("i", value[:4])[0]
        return Datagram(data, age, ip_ttl)

    def close(self) -> None:
        self._sock.close()


def _family(ip: str) -> int:
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


def _set_if_known(sock: trio.socket.SocketType, level: int, option: int) -> None:
    """Ask for a fact about packets that not every system gives."""
    try:
        sock.setsockopt(level, option, 1)
    except OSError:
        return  # then `Datagram` says age 0 and no TTL
