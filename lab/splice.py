"""A proxy in the path that takes a connection over once it has heard a name.

As transparent proxies do that look at the SNI first: connections that do not name what
they are after pass untouched, the others end at a server of theirs which shows a
certificate of its own making. The client has shaken hands with the true server, so
all sequence numbers are shifted from then on.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from lab.flows import Ends, Flow
from lab.middlebox import NameRule, packed
from lab.packet import ACK, PSH, RST, SYN, Packet, changed, tcp
from lab.topology import THROUGH_GATEWAY_1
from lab.world import Action, Way

SEGMENT = 1400  # bytes of payload
_WINDOW = 502
_END, _NOTHING, _SACK_PERMITTED, _TIMESTAMPS = 0, 1, 4, 8


@dataclass(frozen=True, kw_only=True)
class SNIForge(NameRule):
    """Connections whose ClientHello names one of *names* are led to the server at *to*.

    *to* has an address for each family and gateway: answers must come back the way the
    connection went. Where none fits the connection is left alone.
    """

    layer: ClassVar[str] = "tls"
    to: tuple[str, ...]
    drop_original: bool = True

    def on_name(self, packet: Packet, flow: Flow, now: float) -> Sequence[Action] | None:
        to = next((a for a in self.to if _same_way(packed(a), packet.destination)), None)
        if to is None or not flow.opening:
            return None
        splice = Splice(packet, flow, packed(to))
        flow.fate = splice
        flow.alias = Ends(packet.source, packet.sport, packed(to), packet.dport)
        return splice.begin(packet, flow)


class Splice:
    """The fate of one flow: what the client says goes to *to*, what *to* says comes from there.

    The timestamps of two servers are not in one order, so the client's are not offered to
    the second, nor selective acknowledgements, whose numbers would be wrong.
    """

    def __init__(self, packet: Packet, flow: Flow, to: bytes) -> None:
        self._to = to
        self._server, self._port = packet.destination, packet.dport
        self._start, self._heard, self._said = flow.start, packet.ack, flow.said
        self._shift: int | None = None

    def begin(self, packet: Packet, flow: Flow) -> list[Action]:
        """Open the second connection; the true server hears no more of the first."""
        opening = flow.opening
        assert opening is not None
        reset = tcp(
            packet.source, self._server, packet.sport, self._port, packet.seq, 0, RST
        )  # fmt: skip
        syn = changed(_plain(opening), destination=self._to)
        return [(reset, Way.OUT, 0.0), (syn, Way.OUT, 0.0)]

    def __call__(self, packet: Packet, way: Way, now: float) -> Sequence[Action]:
        if way is Way.OUT:
            if self._shift is None:
                return ()
            ack = packet.ack - self._shift
            return [(changed(packet, destination=self._to, ack=ack), way, 0.0)]
        if packet.source != self._to:
            return ()
        if packet.flags & SYN:
            self._shift = self._heard - packet.seq - 1
            return self._speak(packet)
        if self._shift is None:
            return ()
        forged = changed(packet, source=self._server, seq=packet.seq + self._shift)
        return [(forged, way, 0.0)]

    def _speak(self, answer: Packet) -> list[Action]:
        """What the client has said so far, to the second server."""
        pieces = [self._said[at : at + SEGMENT] for at in range(0, len(self._said), SEGMENT)]
        return [
            (
                tcp(
                    answer.destination, self._to, answer.dport, answer.sport,
                    self._start + at * SEGMENT, answer.seq + 1, PSH | ACK, piece, window=_WINDOW,
                ),
                Way.OUT,
                0.0,
            )
            for at, piece in enumerate(pieces)
        ]  # fmt: skip


def _plain(syn: Packet) -> Packet:
    """*syn* with the options that cannot be kept made into nothing."""
    raw = bytearray(syn.raw)
    at = syn.transport + 20
    while at < syn.payload and raw[at] != _END:
        size = 1 if raw[at] == _NOTHING else raw[at + 1] if at + 1 < syn.payload else 0
        if size < 1 or at + size > syn.payload:
            break
        if raw[at] in (_SACK_PERMITTED, _TIMESTAMPS):
            raw[at : at + size] = bytes((_NOTHING,)) * size
        at += size
    return syn._replace(raw=bytes(raw))


def _same_way(one: bytes, other: bytes) -> bool:
    """Whether both are of one family and reached over one gateway."""
    if len(one) != len(other):
        return False
    half = ipaddress.ip_network(THROUGH_GATEWAY_1[len(one) == 16])
    return (ipaddress.ip_address(one) in half) == (ipaddress.ip_address(other) in half)
