"""TCP flows as a censor follows them: who talks to whom, and what the client has said.

The client's bytes are put in order before they are read, whatever order, overlap or
repetition they come in. Tables and buffers are bounded, since what crosses a wire is
not ours.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from lab.packet import Packet
from lab.world import Action, Way

MAX_FLOWS = 1 << 16
MAX_EARLY = 32  # segments kept that came before their turn

K = TypeVar("K")
V = TypeVar("V")

Fate = Callable[[Packet, Way, float], Sequence[Action] | None]


class Bounded(OrderedDict[K, V], Generic[K, V]):
    """A dict that forgets its oldest entry when it is full."""

    def __init__(self, size: int = MAX_FLOWS) -> None:
        super().__init__()
        self._size = size

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        if len(self) > self._size:
            self.popitem(last=False)


class Ends(NamedTuple):
    """A flow, seen from the client."""

    client: bytes
    cport: int
    server: bytes
    port: int


class Flow:
    """What is known of one TCP flow. *fate*, once a rule has set it, treats every packet.

    *opening* is the client's SYN, *said* what it had said when its hello was read. Packets
    between the ends of an *alias* that a rule has set belong to the flow as well.
    """

    __slots__ = ("alias", "early", "fate", "layer", "next", "opening", "said", "start", "stream")

    def __init__(self, isn: int, opening: Packet | None = None) -> None:
        self.start = self.next = (isn + 1) & 0xFFFFFFFF
        self.opening = opening
        self.said = b""
        self.alias: Ends | None = None
        self.stream: bytearray | None = bytearray()  # None: no longer of interest
        self.early: dict[int, bytes] = {}
        self.fate: Fate | None = None
        self.layer = ""

    def take(self, packet: Packet) -> bool:
        """Put the packet's payload in its place. True if there is more to read."""
        if self.stream is None:
            return False
        had = len(self.stream)
        if len(self.early) < MAX_EARLY:
            self.early[packet.seq] = packet.data
        while True:
            due = (seq for seq in self.early if (self.next - seq) & 0xFFFFFFFF < 1 << 31)
            seq = next(due, None)
            if seq is None:
                return len(self.stream) > had
            data = self.early.pop(seq)
            behind = (self.next - seq) & 0xFFFFFFFF
            if behind < len(data):
                self.stream += data[behind:]
                self.next = (self.next + len(data) - behind) & 0xFFFFFFFF
