"""The packets of what is tried, as they went over the wire, where this process may see them.

One tap for the whole second pass, none in the plain one. Who tries something opens
`Captures.following` around it, and one `PacketCapture` goes on record beside the
evidence of the test itself. It is an addition: where the process may not capture, or
scapy is not there, the record says so and nothing else changes.

What is kept is ours and nothing else: packets between this process's own sockets and the
address that is tried, and ICMP errors about them. The kernel's filter keeps the packets of
other machines away, the owner of the port those of other programs. This machine's own
address is taken out before anything is kept. All is bounded, since what arrives is not ours.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

import trio

from probe import sockets
from probe.evidence import PacketCapture
from probe.extras import install
from probe.following import KEPT, MAX_LOOKUPS, Following, opens
from probe.net import Frame, OwnPorts, Tap, open_capture
from probe.trace import Trace
from probe.wire import bpf

if TYPE_CHECKING:
    from types import ModuleType

    from probe.wire.packet import Packet

# Somebody else's download from the same address passes the kernel's filter, too.
MAX_READ = 1000  # packets in a second; reading one takes a tenth of a millisecond

log = logging.getLogger(__name__)

Owner = Callable[[Literal["tcp", "udp"], int], bool]


@asynccontextmanager
async def capturing(
    open_tap: Callable[[], Tap] = open_capture,
    *,
    owner: Owner = sockets.is_ours,
    own: Iterable[str] = (),
    ports: OwnPorts | None = None,
) -> AsyncIterator[Captures]:
    """Captures for as long as the block lasts; of nothing, where it may not be.

    *owner* says whether this process has a local port, *ports* which ones it had. *own*:
    addresses of the user that packets may mention beside the one they come to, such as the
    one before a NAT.
    """
    try:
        tap = open_tap()  # first: who may not capture need not load scapy
    except OSError as exc:
        yield Captures(why=_refused(exc))
        return
    try:
        codec = await trio.to_thread.run_sync(_codec)
    except ImportError as exc:
        tap.close()
        yield Captures(why=f"{exc.name} is not installed: {install('packets')}")
        return
    except OSError as exc:  # scapy asks the system for its routes, which takes an open file
        tap.close()
        yield Captures(why=_refused(exc))
        return
    def ours(protocol: Literal["tcp", "udp"], port: int) -> bool:
        return (ports is not None and ports.had(protocol, port)) or owner(protocol, port)

    captures = Captures(tap, codec, owner=ours, own=own)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(captures.read)
            yield captures
            nursery.cancel_scope.cancel()
    finally:
        tap.close()


def _refused(exc: OSError) -> str:
    return f"the system does not let this process: {exc.strerror or exc}"


def _codec() -> ModuleType:
    from probe.wire import packet

    return packet


class Captures:
    """Hands what a tap sees to those who follow it, by the address it is to or from.

    Without a *tap*, *why* says why there is none.
    """

    def __init__(
        self,
        tap: Tap | None = None,
        codec: ModuleType | None = None,
        *,
        owner: Owner = sockets.is_ours,
        own: Iterable[str] = (),
        why: str = "not asked for",
    ) -> None:
        self._tap, self._codec, self._owner, self._why = tap, codec, owner, why
        self._own = frozenset(own)
        self._following: list[Following] = []
        self._second = self._read = 0

    @asynccontextmanager
    async def following(
        self, trace: Trace, ip: str, port: int, **facts: Any
    ) -> AsyncIterator[None]:
        """Put on record what goes to and comes from *port* of *ip* during the block.

        And for a moment after it: up to `MAX_WAIT` seconds, if the server has answered at
        all. *facts* go into the record (the transaction of the test, its URL). Where
        nothing can be captured a trace gets one record that says so. A block that raises
        leaves none.
        """
        if self._tap is None or len(self._following) >= bpf.MAX_ADDRESSES:
            yield
            why = self._why if self._tap is None else "too many at once"
            _not_captured(trace, ip, port, why, facts)
            return
        mine = Following(ip, port, trace.zero, self._own)
        t0 = trace.now()
        self._follow(mine, True)
        try:
            yield
            await trio.sleep(mine.patience())
        finally:
            self._follow(mine, False)
        if self._tap is None:
            _not_captured(trace, ip, port, self._why, facts)
        else:
            trace.append(PacketCapture, t0, {**mine.found(), **facts})

    async def read(self) -> None:
        """Read packets until cancelled, or until the system takes the tap away."""
        assert self._tap is not None and self._codec is not None
        try:
            while True:
                frame = await self._tap.receive()
                at = trio.current_time() - frame.age
                if not self._in_time(at):
                    continue
                packet = self._codec.read(frame.data)
                if packet is not None and (mine := self._whose(frame, packet)) is not None:
                    mine.take(frame, at, packet, self._codec.without)
        except OSError as exc:
            log.warning("packets are no longer captured: %s", exc)
            self._tap, self._why = None, str(exc)

    def _in_time(self, at: float) -> bool:
        """Whether there is time to read one more packet in the second *at*."""
        second = int(at)
        self._second, before = second, self._read if second == self._second else 0
        self._read = before + 1
        if self._read <= MAX_READ:
            return True
        for following in self._following:
            following.dropped += 1
        return False

    def _whose(self, frame: Frame, packet: Packet) -> Following | None:
        """The test that *packet* belongs to."""
        about = packet if packet.quoted is None else packet.quoted
        if frame.outgoing or packet.quoted is not None:
            there, local = (about.destination, about.dport), about.sport
        else:
            there, local = (about.source, about.sport), about.dport
        tests = [f for f in self._following if (f.ip, f.port) == there]
        found = next((f for f in tests if local in f.ports), None)
        if found is not None or not tests or not frame.outgoing or packet.protocol == "icmp":
            return found
        # A connection that was not seen before. Tests of one place are a pause apart, so it
        # belongs to the first that has none yet.
        first = next((f for f in tests if not f.ports), tests[-1])
        known = any(local in f.others for f in tests)
        if first.lookups >= MAX_LOOKUPS or (known and not opens(packet)):
            return None
        first.lookups += 1
        if not self._owner(packet.protocol, local):
            first.others.add(local)
            return None
        first.ports.add(local)
        first.interface = first.interface or frame.interface
        return first

    def _follow(self, following: Following, on: bool) -> None:
        if on:
            self._following.append(following)
        else:
            self._following.remove(following)
        if self._tap is not None:
            watched = {f.ip for f in self._following}
            self._tap.watch(bpf.packets_of(watched, keep=KEPT))


def _not_captured(trace: Trace, ip: str, port: int, why: str, facts: dict[str, Any]) -> None:
    if not any(isinstance(record, PacketCapture) for record in trace.records):
        said = {"ip": ip, "port": port, "status": "not_captured", "detail": why}
        trace.append(PacketCapture, trace.now(), {**said, **facts})
