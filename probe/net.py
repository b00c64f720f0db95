"""The one door to the network. Nothing else in ``probe`` makes a socket.

The real one is `TrioNetwork`; unit tests walk in through a fake with the same
methods, and pacing is a wrapper of the same shape.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Literal, NamedTuple, Protocol

import trio

SO_TIMESTAMPNS = 35  # linux/asm-generic/socket.h; Python 3.11 does not name it
IP_RECVTTL = getattr(socket, "IP_RECVTTL", 12)
IPV6_RECVHOPLIMIT = getattr(socket, "IPV6_RECVHOPLIMIT", 51)
IPV6_HOPLIMIT = getattr(socket, "IPV6_HOPLIMIT", 52)
MAX_PORTS = 4096
PORT_SECONDS = 60.0
MAX_LOOKUPS = 64  # threads in the system's resolver at once
SO_ATTACH_FILTER = 26  # linux/asm-generic/socket.h
ETH_P_ALL = 3  # linux/if_ether.h
PACKET_OUTGOING = 4  # linux/if_packet.h
MAX_FRAME = 256  # bytes of a captured packet


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
    """What a step may ask of the network; what goes wrong comes as OSError. No call has a time
    limit of its own: the trace that a step opens bounds it (`probe.trace`)."""

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


class OwnPorts:
    """The local ports that connections of ours had in the last seconds.

    Who reads captured packets comes late: by then a socket that was reset may be closed, and
    the system no longer knows whose its port was.
    """

    def __init__(self) -> None:
        self._used: OrderedDict[tuple[str, int], float] = OrderedDict()

    def note(self, protocol: Literal["tcp", "udp"], sock: trio.socket.SocketType) -> None:
        try:
            port = sock.getsockname()[1]
        except OSError:
            return  # it was never bound
        now = trio.current_time()
        self._used[protocol, port] = now
        self._used.move_to_end((protocol, port))
        while len(self._used) > MAX_PORTS or next(iter(self._used.values())) < now - PORT_SECONDS:
            self._used.popitem(last=False)

    def had(self, protocol: Literal["tcp", "udp"], port: int) -> bool:
        """Whether a socket of ours had *port* within `PORT_SECONDS`."""
        at = self._used.get((protocol, port))
        return at is not None and trio.current_time() - at < PORT_SECONDS


class Traffic:
    """Bytes that went over the line, either way. Headers are estimated: a datagram, or 1,400
    bytes of a stream, has `HEADERS` of them, and acknowledgements; opening and closing a
    connection take `OPENING`."""

    HEADERS = 80
    OPENING = 400

    def __init__(self) -> None:
        self.bytes = 0

    def count(self, payload: int) -> None:
        self.bytes += payload + self.HEADERS * (1 + payload // 1400)

    def open(self) -> None:
        self.bytes += self.OPENING


class _CountedStream(trio.abc.HalfCloseableStream):
    """A `trio.SocketStream` whose bytes are counted; that class may not be derived from."""

    def __init__(self, sock: trio.socket.SocketType, traffic: Traffic) -> None:
        self._stream = trio.SocketStream(sock)
        self._traffic = traffic

    @property
    def socket(self) -> trio.socket.SocketType:
        return self._stream.socket

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self._traffic.count(len(data))
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        data = await self._stream.receive_some(max_bytes)
        self._traffic.count(len(data))
        return data

    async def aclose(self) -> None:
        await self._stream.aclose()


class TrioNetwork:
    """The real network. *ports* is told of every local port that is used, *traffic* of what
    goes over the line."""

    def __init__(self, ports: OwnPorts | None = None, traffic: Traffic | None = None) -> None:
        self._ports = ports or OwnPorts()
        self._traffic = traffic or Traffic()
        # Apart from trio's own forty: a dead resolver keeps a thread for ten seconds
        # after we have stopped waiting, and others must not queue behind it.
        self._lookups = trio.CapacityLimiter(MAX_LOOKUPS)

    async def turn(self, ip: str, port: int) -> None:
        await trio.lowlevel.checkpoint()

    async def connect_tcp(self, ip: str, port: int) -> trio.abc.Stream:
        # Not trio.open_tcp_stream: it races addresses (happy eyeballs) and
        # hides the errno inside an ExceptionGroup. We measure one address.
        sock = trio.socket.socket(_family(ip), trio.socket.SOCK_STREAM)
        self._traffic.open()
        try:
            await sock.connect((ip, port))
        except BaseException:
            self._ports.note("tcp", sock)
            sock.close()
            raise
        self._ports.note("tcp", sock)
        return _CountedStream(sock, self._traffic)

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
        self._ports.note("udp", sock)
        return _UDPSocket(sock, self._traffic)

    async def system_lookup(self, hostname: str) -> tuple[str, ...]:
        found = await trio.to_thread.run_sync(
            partial(socket.getaddrinfo, hostname, None, type=socket.SOCK_STREAM),
            abandon_on_cancel=True,
            limiter=self._lookups,
        )
        return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


class _UDPSocket:
    def __init__(self, sock: trio.socket.SocketType, traffic: Traffic) -> None:
        self._sock = sock
        self._traffic = traffic

    async def send(self, data: bytes) -> None:
        self._traffic.count(len(data))
        await self._sock.send(data)

    async def receive(self) -> Datagram:
        data, ancillary, _, _ = await self._sock.recvmsg(65535, 256)
        self._traffic.count(len(data))
        age, ip_ttl = 0.0, None
        for level, kind, value in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                age = _age(value)
            elif (level, kind) in (
                (socket.IPPROTO_IP, socket.IP_TTL),
                (socket.IPPROTO_IPV6, IPV6_HOPLIMIT),
            ):
                ip_ttl = struct.unpack("i", value[:4])[0]
        return Datagram(data, age, ip_ttl)

    def close(self) -> None:
        self._sock.close()


class Frame(NamedTuple):
    """A packet that passed an interface of this machine.

    *data*: its first `MAX_FRAME` bytes from the IP header on. *age*: how long ago
    (seconds, by the kernel's stamp).
    """

    data: bytes
    outgoing: bool
    interface: str
    age: float


Filter = Sequence[tuple[int, int, int, int]]  # classic BPF: code, jumps if true and false, value
NOTHING: Filter = ((0x06, 0, 0, 0),)  # return 0: no byte of any packet


class Tap(Protocol):
    """Sees packets of this machine, also those that its own sockets are not given."""

    def watch(self, filter: Filter) -> None:
        """From now on only what *filter* lets pass, the IP header being its offset 0."""
        ...

    async def receive(self) -> Frame: ...
    def close(self) -> None: ...


def open_capture() -> Tap:
    """A tap that sees nothing yet. Raises OSError where this process may not have one.

    On Linux that is CAP_NET_RAW (packet(7)); elsewhere there is none.
    """
    if not hasattr(socket, "AF_PACKET"):
        raise OSError("packets can be captured on Linux only")
    # SOCK_DGRAM: without the link's header, and so without anybody's hardware address.
    kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
    return _PacketSocket(socket.socket(socket.AF_PACKET, kind, socket.htons(ETH_P_ALL)))


class _PacketSocket:
    def __init__(self, plain: socket.socket) -> None:
        try:
            _attach(plain, NOTHING)
            while _one_is_waiting(plain):
                pass  # it came before the filter was in place
            plain.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            self._sock = trio.socket.from_stdlib_socket(plain)
        except BaseException:
            plain.close()
            raise

    def watch(self, filter: Filter) -> None:
        _attach(self._sock, filter)

    async def receive(self) -> Frame:
        data, ancillary, _, source = await self._sock.recvmsg(MAX_FRAME, 256)
        assert isinstance(source, tuple)
        ages = (
            _age(value)
            for level, option, value in ancillary
            if (level, option) == (socket.SOL_SOCKET, SO_TIMESTAMPNS)
        )
        return Frame(data, source[2] == PACKET_OUTGOING, source[0], next(ages, 0.0))

    def close(self) -> None:
        self._sock.close()


def _attach(sock: socket.socket | trio.socket.SocketType, filter: Filter) -> None:
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *i) for i in filter))
    about = struct.pack("HP", len(filter), ctypes.addressof(program))  # struct sock_fprog
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, about)


def _one_is_waiting(sock: socket.socket) -> bool:
    try:
        sock.recv(1)
    except BlockingIOError:
        return False
    return True


def _age(stamp: bytes) -> float:
    """Seconds since the kernel's *stamp*, a struct timespec of this machine's kind."""
    seconds, nanoseconds = struct.unpack("qq" if len(stamp) >= 16 else "ll", stamp)
    return max(0.0, time.time() - (float(seconds) + float(nanoseconds) / 1e9))


def _family(ip: str) -> int:
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


def _set_if_known(sock: trio.socket.SocketType, level: int, option: int) -> None:
    """Ask for a fact about packets that not every system gives."""
    try:
        sock.setsockopt(level, option, 1)
    except OSError:
        return  # then `Datagram` says age 0 and no TTL
