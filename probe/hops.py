"""The door's small side gate: packets that are to live for a few hops only.

Everything here works for an ordinary user, on Linux: the time to live is an option of
any socket, and an ICMP error that answers a SYN or a datagram is told with its sender
(``IP_RECVERR``). On an established connection the kernel says only that there was one
(``EHOSTUNREACH``). Elsewhere than on Linux who sent an error is not known.

Two dangers. The kernel sends payload again until it is acknowledged: with the limit
lifted it would pass the censor, so a limited stream is only ever abandoned, which throws
away what is unsent. And a router next to the household has an address of the
household's own network, which names the line: such an address is withheld.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from ipaddress import ip_network
from typing import NoReturn, Protocol

import trio

from probe.addresses import is_public
from probe.net import Datagram
from probe.wire.icmp import read_error

IP_RECVERR = getattr(socket, "IP_RECVERR", 11)
IPV6_RECVERR = getattr(socket, "IPV6_RECVERR", 25)
MSG_ERRQUEUE = getattr(socket, "MSG_ERRQUEUE", 0x2000)
MAX_ERRORS = 16  # read from one error queue
_CONTROL = 512  # bytes; an error takes 48
_DEFAULT_HOPS = -1


class HopError(OSError):
    """An ICMP error came back. *expired*: the packet's hops ran out (else: unreachable).

    *router* is who says so; empty if that is not known, or *withheld* says why it is not told.
    """

    def __init__(
        self, code: int, *, expired: bool = False, router: str = "", withheld: str = ""
    ) -> None:
        super().__init__(code, os.strerror(code))
        self.expired = expired
        self.router = router
        self.withheld = withheld


class LimitedStream(Protocol):
    """A connection made at full length, on which what is sent may be limited."""

    def limit(self, ttl: int) -> None:
        """What is sent from now on lives for *ttl* hops."""
        ...

    async def send_all(self, data: bytes) -> None: ...

    async def receive_some(self, max_bytes: int) -> bytes:
        """Raises `HopError` once for an ICMP error; the connection lives on after it."""
        ...

    def abandon(self) -> None:
        """End it: what is unsent is thrown away, the other side gets a reset."""
        ...


class LimitedDatagrams(Protocol):
    """A connected UDP socket whose datagrams are limited. `HopError` as in `LimitedStream`."""

    async def send(self, data: bytes) -> None: ...
    async def receive(self) -> Datagram: ...
    def close(self) -> None: ...


class HopNetwork(Protocol):
    """What may be sent to die on its way. *ttl* counts routers: 1 is the household's own."""

    async def syn(self, ip: str, port: int, ttl: int) -> None:
        """Return if a SYN that lives for *ttl* hops is accepted. Raises OSError, `HopError`."""
        ...

    async def connect_tcp(self, ip: str, port: int) -> LimitedStream:
        """Raises OSError."""
        ...

    async def open_udp(self, ip: str, port: int, ttl: int) -> LimitedDatagrams: ...


class TrioHops:
    """The real network."""

    async def syn(self, ip: str, port: int, ttl: int) -> None:
        raw, sock = _socket(ip, socket.SOCK_STREAM)
        with sock:
            _limit(raw, ttl)
            try:
                await sock.connect((ip, port))
            except OSError as exc:
                _raise(raw, exc, ip)

    async def connect_tcp(self, ip: str, port: int) -> LimitedStream:
        raw, sock = _socket(ip, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await sock.connect((ip, port))
        except BaseException:
            sock.close()
            raise
        return _Stream(raw, sock)

    async def open_udp(self, ip: str, port: int, ttl: int) -> LimitedDatagrams:
        raw, sock = _socket(ip, socket.SOCK_DGRAM)
        try:
            _limit(raw, ttl)
            await sock.connect((ip, port))
        except BaseException:
            sock.close()
            raise
        return _Datagrams(raw, sock, ip)


class _Stream:
    def __init__(self, raw: socket.socket, sock: trio.socket.SocketType) -> None:
        self._raw, self._sock = raw, sock

    def limit(self, ttl: int) -> None:
        _limit(self._raw, ttl)

    async def send_all(self, data: bytes) -> None:
        while data:
            data = data[await self._sock.send(data) :]

    async def receive_some(self, max_bytes: int) -> bytes:
        try:
            return await self._sock.recv(max_bytes)
        except OSError as exc:
            if exc.errno == errno.EHOSTUNREACH:
                raise HopError(errno.EHOSTUNREACH, expired=True) from exc
            raise

    def abandon(self) -> None:
        try:
            # In this order, and at once: with the limit lifted the kernel may send again.
            self._raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            _set_hops(self._raw, _DEFAULT_HOPS)
        except OSError:
            return  # it has been reset meanwhile: there is nothing left to end
        finally:
            self._sock.close()


class _Datagrams:
    def __init__(self, raw: socket.socket, sock: trio.socket.SocketType, ip: str) -> None:
        self._raw, self._sock, self._ip = raw, sock, ip

    async def send(self, data: bytes) -> None:
        await self._sock.send(data)

    async def receive(self) -> Datagram:
        try:
            return Datagram(await self._sock.recv(65535), 0.0, None)
        except OSError as exc:
            _raise(self._raw, exc, self._ip)

    def close(self) -> None:
        self._sock.close()


def _socket(ip: str, kind: int) -> tuple[socket.socket, trio.socket.SocketType]:
    """One socket twice: trio's does not give its error queue away without waiting."""
    raw = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, kind)
    return raw, trio.socket.from_stdlib_socket(raw)


def _limit(raw: socket.socket, ttl: int) -> None:
    _set_hops(raw, ttl)
    if not sys.platform.startswith("linux"):
        return  # these numbers mean something else there
    if raw.family == socket.AF_INET6:
        raw.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    else:
        raw.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)


def _set_hops(raw: socket.socket, ttl: int) -> None:
    if raw.family == socket.AF_INET6:
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
    else:
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)


def _raise(raw: socket.socket, exc: OSError, ip: str) -> NoReturn:
    """Raise what the error queue knows of *exc*, else *exc*. The queue is emptied: what is
    left in it would wake the socket for ever."""
    own = raw.getsockname()[0]
    found = None
    for _ in range(MAX_ERRORS if sys.platform.startswith("linux") else 0):
        try:
            _, ancillary, _, _ = raw.recvmsg(1, _CONTROL, MSG_ERRQUEUE | socket.MSG_DONTWAIT)
        except OSError:
            break  # it is empty
        for level, kind, data in ancillary:
            if (level, kind) in (
                (socket.IPPROTO_IP, IP_RECVERR),
                (socket.IPPROTO_IPV6, IPV6_RECVERR),
            ):
                found = found or read_error(data)
    if found is None:
        raise exc
    withheld = "" if found.source == ip else why_withheld(found.source, own)
    raise HopError(
        found.errno, expired=found.expired, router="" if withheld else found.source,
        withheld=withheld,
    ) from exc


def why_withheld(router: str, own: str) -> str:
    """Why the address of *router* is not to be told by a machine whose own is *own*; else ``""``.

    A household's network (IPv6 /48, RFC 6177) or an IPv4 network of 256 names the line, and
    private addresses tell of the equipment, and nothing of who runs it.
    """
    if not is_public(router):
        return "not a public address"
    if (":" in router) == (":" in own):
        width = 48 if ":" in own else 24
        network = ip_network(f"{own}/{width}", strict=False)
        if ip_network(router).subnet_of(network):  # type: ignore[arg-type]
            return "of this machine's own network"
    return ""
