"""HTTP/3 for the lab's sites: aioquic behind one UDP socket for each address.

One task for each visitor, who is known by his address and port. Which site he wants is
read from his hello, since aioquic's server has one certificate and asks nobody.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import trio
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, ProtocolNegotiated
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from lab.quic import Reader, opening
from lab.serving_h2 import MAX_BODY, Visit

LIFETIME = 120.0  # seconds
MAX_VISITORS = 1000  # at one address
MAX_WAITING = 200  # datagrams of one visitor

logging.getLogger("quic").addHandler(logging.NullHandler())
logging.getLogger("quic").propagate = False

Peer = tuple[str, int]
Chain = Callable[[str], tuple[bytes, bytes]]  # of a site's name: certificate and key, PEM


async def serve_h3(sock: socket.socket, chain: Chain, visit: Callable[[str], Visit]) -> None:
    """Speak HTTP/3 on the bound UDP socket *sock*.

    *chain* gives the certificate for the name in a hello (empty: none), *visit* what a
    client at an address is answered.
    """
    udp = trio.socket.from_stdlib_socket(sock)
    visitors: dict[Peer, trio.MemorySendChannel[bytes]] = {}

    async def one(peer: Peer, first: bytes, coming: trio.MemoryReceiveChannel[bytes]) -> None:
        try:
            with trio.move_on_after(LIFETIME):
                await _Visitor(udp, peer, visit(peer[0])).converse(first, coming, chain)
        except OSError:
            return  # he has left
        finally:
            del visitors[peer]

    async with trio.open_nursery() as nursery:
        while True:
            try:
                data, sender = await udp.recvfrom(65535)
            except OSError:
                continue  # an ICMP error to something that we sent
            peer = (sender[0], sender[1])
            known = visitors.get(peer)
            if known is not None:
                try:
                    known.send_nowait(data)
                except trio.WouldBlock:
                    continue  # as a full socket would lose it
            elif opening(data) is not None and len(visitors) < MAX_VISITORS:
                visitors[peer], coming = trio.open_memory_channel[bytes](MAX_WAITING)
                nursery.start_soon(one, peer, data, coming)


class _Visitor:
    def __init__(self, udp: trio.socket.SocketType, peer: Peer, visit: Visit) -> None:
        self._udp = udp
        self._peer = peer
        self._visit = visit
        self._heads: dict[int, dict[bytes, bytes]] = {}
        self._bodies: dict[int, bytes] = {}
        self._h3: H3Connection | None = None

    async def converse(
        self, first: bytes, coming: trio.MemoryReceiveChannel[bytes], chain: Chain
    ) -> None:
        """From the *first* datagram to the end of the connection."""
        reader, held = Reader(), [first]
        while not reader.take(held[-1]):
            held.append(await coming.receive())
        header = opening(first)
        assert header is not None
        self._quic = QuicConnection(
            configuration=_configuration(*chain(reader.name or "")),
            original_destination_connection_id=header.destination,
        )
        async with trio.open_nursery() as nursery:
            for data in held:
                await self._take(data, nursery)
            while await self._listen(coming, nursery):
                pass
            nursery.cancel_scope.cancel()

    async def _listen(
        self, coming: trio.MemoryReceiveChannel[bytes], nursery: trio.Nursery
    ) -> bool:
        """Whether it goes on after what comes next."""
        timer = self._quic.get_timer()
        if timer is None:
            return False
        with trio.move_on_at(timer) as waiting:
            data = await coming.receive()
        if waiting.cancelled_caught:
            self._quic.handle_timer(trio.current_time())
            return await self._react(nursery)
        return await self._take(data, nursery)

    async def _take(self, data: bytes, nursery: trio.Nursery) -> bool:
        self._quic.receive_datagram(data, self._peer, trio.current_time())
        return await self._react(nursery)

    async def _react(self, nursery: trio.Nursery) -> bool:
        while (event := self._quic.next_event()) is not None:
            if isinstance(event, ConnectionTerminated):
                return False
            if isinstance(event, ProtocolNegotiated):
                self._h3 = H3Connection(self._quic)
            for said in self._h3.handle_event(event) if self._h3 is not None else ():
                self._heard(said, nursery)
        await self._flush()
        return True

    def _heard(self, event: Any, nursery: trio.Nursery) -> None:
        match event:
            case HeadersReceived(headers=headers, stream_id=stream):
                self._heads.setdefault(stream, dict(headers))
            case DataReceived(data=data, stream_id=stream):
                self._bodies[stream] = (self._bodies.get(stream, b"") + data)[:MAX_BODY]
            case _:
                return
        if event.stream_ended:
            nursery.start_soon(self._respond, stream)

    async def _respond(self, stream: int) -> None:
        assert self._h3 is not None
        head = {key.decode(): value.decode("latin-1") for key, value in self._heads[stream].items()}
        request = self._visit.request(
            head[":method"], head[":path"], head.get(":authority", ""),
            self._bodies.pop(stream, b""),
        )  # fmt: skip
        response = self._visit.answer(request)
        await trio.sleep(response.wait)
        headers = [(b":status", b"%d" % response.status)]
        headers += [(name.lower().encode(), value.encode()) for name, value in response.headers]
        self._h3.send_headers(stream, headers)
        for piece in self._visit.pieces(response):
            self._h3.send_data(stream, piece, end_stream=False)
            await self._flush()
            await trio.sleep(response.pause)
        if response.cut is None:
            self._h3.send_data(stream, b"", end_stream=True)
        else:
            self._quic.reset_stream(stream, 0x102)  # H3_INTERNAL_ERROR
        await self._flush()

    async def _flush(self) -> None:
        for data, to in self._quic.datagrams_to_send(trio.current_time()):
            await self._udp.sendto(data, to)


@lru_cache(maxsize=1000)
def _configuration(chain: bytes, key: bytes) -> QuicConfiguration:
    certificates = x509.load_pem_x509_certificates(chain)
    return QuicConfiguration(
        is_client=False,
        alpn_protocols=["h3"],
        certificate=certificates[0],
        certificate_chain=certificates[1:],
        private_key=load_pem_private_key(key, None),
        idle_timeout=30.0,
    )
