"""Servers and censors for what is no site: messengers, resolvers, tunnels, proxies.

The servers' side of each protocol is written here a second time, and nothing is shared with
the probe: a mistake that both make would be seen by nobody.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import trio
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import StreamDataReceived
from cryptography import x509
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from lab.certificates import ORDINARY, Authorities
from lab.country import Ready
from lab.flows import Ends
from lab.middlebox import AddressRule, packed
from lab.packet import ACK, RST, TCP, Packet, parse, tcp
from lab.resolvers import Answerer, Resolver, Zone
from lab.serving import bound_socket
from lab.sites import Play, Site
from lab.world import Action, Way

PQ = bytes.fromhex("0817ed48941a08f981000000")  # of Telegram's own example
FINGERPRINTS = bytes.fromhex("15c4b51c0300000085fd64de851d9dd0a5b7f709355fc30b216be86c022bb4c3")


async def data_centre(stream: trio.abc.Stream) -> None:
    """A data centre of Telegram up to its first answer (obfuscated abridged transport)."""
    opening = await _exactly(stream, 64)
    backwards = opening[8:56][::-1]
    heard = Cipher(algorithms.AES(opening[8:40]), modes.CTR(opening[40:56])).decryptor()
    said = Cipher(algorithms.AES(backwards[:32]), modes.CTR(backwards[32:])).encryptor()
    if heard.update(opening)[56:60] != b"\xef\xef\xef\xef":
        return
    size = heard.update(await _exactly(stream, 1))[0] * 4
    packet = heard.update(await _exactly(stream, size))
    if packet[:8] != bytes(8) or packet[20:24] != bytes.fromhex("f18e7ebe"):
        return
    body = bytes.fromhex("63241605") + packet[24:40] + bytes(range(16)) + PQ + FINGERPRINTS
    answer = bytes(8) + packet[8:16] + len(body).to_bytes(4, "little") + body
    await stream.send_all(said.update(bytes([len(answer) // 4]) + answer))
    await stream.receive_some(1)


async def parrot(stream: trio.abc.Stream) -> None:
    """Says back what it hears: no data centre, and yet something answers."""
    while data := await stream.receive_some(4096):
        await stream.send_all(data)


def centre(*addresses: str, say: Callable[[trio.abc.Stream], object] = data_centre) -> Site:
    """A data centre at *addresses*, port 443."""
    play = Play(say)  # type: ignore[arg-type]
    return Site(names=("centre.invalid",), addresses=addresses, http=None, https=play)


def run_doq(
    ready: Ready, resolvers: Sequence[Resolver], zone: Zone, authorities: Authorities
) -> None:
    """DNS over QUIC (RFC 9250) at each address of *resolvers*, port 853, for ever."""

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for resolver in resolvers:
                chain, key = authorities.chain(ORDINARY, resolver.names)
                for address in resolver.addresses:
                    sock = bound_socket(address, 853, socket.SOCK_DGRAM)
                    udp = trio.socket.from_stdlib_socket(sock)
                    nursery.start_soon(serve_doq, udp, Answerer(resolver, zone), chain, key)
            ready()

    trio.run(main)


async def serve_doq(
    udp: trio.socket.SocketType, answerer: Answerer, chain: bytes, key: bytes
) -> None:
    """Answer queries over QUIC on *udp*, with the certificate and key in PEM."""
    visitors: dict[tuple[str, int], QuicConnection] = {}
    while True:
        with trio.move_on_after(0.05):
            data, sender = await udp.recvfrom(65535)
            visitor = visitors.get(sender[:2])
            if visitor is None:
                visitor = visitors[sender[:2]] = _quic(chain, key, data)
            visitor.receive_datagram(data, sender, trio.current_time())
        for peer, visitor in list(visitors.items()):
            if (timer := visitor.get_timer()) is not None and timer <= trio.current_time():
                visitor.handle_timer(trio.current_time())
            while (event := visitor.next_event()) is not None:
                if isinstance(event, StreamDataReceived) and event.end_stream:
                    answer = answerer.answer(event.data[2:]) or b""
                    said = len(answer).to_bytes(2) + answer
                    visitor.send_stream_data(event.stream_id, said, True)
            for out, _ in visitor.datagrams_to_send(trio.current_time()):
                await udp.sendto(out, peer)


def _quic(chain: bytes, key: bytes, first: bytes) -> QuicConnection:
    configuration = QuicConfiguration(is_client=False, alpn_protocols=["doq"])
    configuration.certificate, *configuration.certificate_chain = (
        x509.load_pem_x509_certificates(chain)
    )
    configuration.private_key = load_pem_private_key(key, None)
    return QuicConnection(
        configuration=configuration, original_destination_connection_id=first[6 : 6 + first[5]]
    )


async def _exactly(stream: trio.abc.Stream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = await stream.receive_some(size - len(data))
        if not piece:
            raise trio.BrokenResourceError("the visitor has left")
        data += piece
    return data


@dataclass(frozen=True, kw_only=True)
class FirstBytes(AddressRule):
    """Knows a protocol by how its first bytes look, at *addresses*: see *looks*.

    TCP is reset both ways, or goes no further if *silently*; datagrams go no further.
    """

    looks: Callable[[bytes], bool]
    silently: bool = False

    def on_packet(
        self, packet: Packet, ends: Ends, way: Way, now: float
    ) -> Sequence[Action] | None:
        payload = packet.raw[packet.payload : packet.end]
        if way is Way.BACK or not payload or not self.looks(payload):
            return None
        if packet.protocol != TCP or self.silently:
            return ()
        back = tcp(
            packet.destination, packet.source, packet.dport, packet.sport,
            packet.ack, packet.seq + len(payload), RST | ACK,
        )  # fmt: skip
        on = tcp(
            packet.source, packet.destination, packet.sport, packet.dport, packet.seq, 0, RST
        )
        return [(back, Way.BACK, 0.0), (on, Way.OUT, 0.0)]


@dataclass(frozen=True)
class Respelling:
    """Makes small letters of what is said to *address* on port 80: as long as before,
    so that nothing else of the flow is touched."""

    address: str

    def __call__(self, packet: bytes, way: Way, now: float) -> Sequence[Action] | None:
        seen = parse(packet)
        if way is Way.BACK or seen is None or seen.protocol != TCP or seen.dport != 80:
            return None
        if seen.destination != packed(self.address):
            return None
        said = seen.raw[seen.payload : seen.end]
        if not said:
            return None
        changed = tcp(
            seen.source, seen.destination, seen.sport, seen.dport, seen.seq, seen.ack, seen.flags,
            said.lower().replace(b"http/1.", b"HTTP/1."), window=65535, ttl=seen.ttl,
        )  # fmt: skip
        return [(changed, Way.OUT, 0.0)]
