"""The censor who knows Tor by its hello, whoever it is sent to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from lab.flows import Flow
from lab.middlebox import NameRule
from lab.packet import Packet
from lab.world import Action, Way
from probe.wire.ja4 import ja4
from probe.wire.tls import client_hello, handshake_message

TOR = "t13d181100_796efca44d18_d41ae481755e"  # of tor 0.4.9 with OpenSSL 3.0


@dataclass(frozen=True, kw_only=True)
class HelloDrop(NameRule):
    """From a ClientHello with one of these JA4s on, nothing of the flow passes either way."""

    layer: ClassVar[str] = "tls"
    every: Literal["", "any", "named", "nameless"] = "any"
    fingerprints: frozenset[str] = frozenset({TOR})

    def on_name(self, packet: Packet, flow: Flow, now: float) -> Sequence[Action] | None:
        try:
            said = ja4(client_hello(handshake_message(flow.said)))
        except ValueError:
            return None
        if said not in self.fingerprints:
            return None
        flow.fate = _nothing
        return ()


def _nothing(packet: Packet, way: Way, now: float) -> Sequence[Action]:
    return ()
