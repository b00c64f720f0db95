"""Changing a page on the wire and keeping both ends of the connection content.

A box that makes a page longer or shorter must lie about every later sequence
number to the client and every acknowledgement to the server. The change is made
in the server's first segment, which holds the response head and the beginning of
the page; a page that comes later or chunked is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from lab.packet import Packet, changed
from lab.world import Action, Way

MAX_PIECE = 1400  # bytes of payload in a segment of the changed page


class Alteration:
    """The fate of one flow: the page in the server's segment at *seq* is changed.

    *change* gets what the segment holds of the page and returns what to send in
    its place; Content-Length is made to fit. SACK options are left alone: the
    lines where this is used lose nothing.
    """

    def __init__(self, seq: int, change: Callable[[bytes], bytes]) -> None:
        self._seq = seq
        self._change = change
        self._old = 0  # bytes of the segment as it came
        self._new = b""

    def __call__(self, packet: Packet, way: Way, now: float) -> Sequence[Action] | None:
        if way is Way.OUT:
            return self._acknowledge(packet)
        offset = (packet.seq - self._seq) & 0xFFFFFFFF
        if offset >= 1 << 31:
            return None
        if offset == 0 and packet.end > packet.payload:
            if not self._old:
                self._old, self._new = len(packet.data), altered(packet.data, self._change)
            whole = self._new + packet.data[self._old :]
            cuts = range(0, len(whole), MAX_PIECE)
            return [
                (changed(packet, seq=packet.seq + at, payload=whole[at : at + MAX_PIECE]), way, 0.0)
                for at in cuts
            ]
        grown = len(self._new) - self._old
        return [(changed(packet, seq=packet.seq + grown), way, 0.0)] if grown and offset else None

    def _acknowledge(self, packet: Packet) -> Sequence[Action] | None:
        heard = (packet.ack - self._seq) & 0xFFFFFFFF
        if not self._old or heard >= 1 << 31 or len(self._new) == self._old:
            return None
        # Until the whole of the changed segment is heard, nothing of it is.
        believed = heard - len(self._new) + self._old if heard >= len(self._new) else 0
        return [(changed(packet, ack=self._seq + believed), Way.OUT, 0.0)]


def altered(segment: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """An HTTP response's first *segment* with its page changed and its length made right."""
    head, ended, page = segment.partition(b"\r\n\r\n")
    stated = re.search(rb"(?im)^content-length:[ \t]*([0-9]{1,9})", head)
    if not ended or not head.startswith(b"HTTP/1.") or stated is None:
        return segment
    new = change(page)
    length = int(stated[1]) + len(new) - len(page)
    return head[: stated.start(1)] + str(length).encode() + head[stated.end(1) :] + ended + new
