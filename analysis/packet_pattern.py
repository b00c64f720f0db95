"""A small language in which a fingerprint says what forged packets look like.

``flags=RA window=502 ip_id=0`` is one packet; ``… then …`` are two, of one connection and
in that order, with any others between them. Only packets that came to us are looked at.

| word | holds for a packet with |
|---|---|
| ``flags=RA`` | these TCP flags, in scapy's letters and order |
| ``ttl=112-127`` | this TTL on arrival: it was higher by the hops between |
| ``window=502``, ``ip_id=0`` | this window as on the wire, this IP identification |
| ``seq=0``, ``ack=0`` | this number on the wire |
| ``seq=isn+1`` | the number after the server's SYN |
| ``payload=some``, ``payload=none`` | data, or none |
| ``before=synack`` | an arrival before that of the server's SYN,ACK, or without one |

Numbers may be ranges. A fact that is not known (the IP identification in IPv6) never fits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from probe.evidence import PacketFacts

Holds = Callable[[PacketFacts, bool], bool]  # the packet; whether a SYN,ACK came before it
Pattern = tuple[tuple[Holds, ...], ...]

_RANGE = re.compile(r"(\d{1,10})(?:-(\d{1,10}))?")
_FLAGS = re.compile(r"[FSRPAUEC]+")


class PatternError(ValueError):
    """No pattern; the text says which word."""


@cache
def pattern(text: str) -> Pattern:
    """Read *text*. Raises `PatternError`."""
    return tuple(tuple(_word(word) for word in _words(part)) for part in text.split(" then "))


def occurs(wanted: Pattern, packets: Sequence[PacketFacts]) -> bool:
    """Whether *packets* of one connection have the packets of *wanted*, in its order."""
    left = list(wanted)
    answered = False
    for p in packets:
        if p.way != "back":
            continue
        if left and all(holds(p, answered) for holds in left[0]):
            left.pop(0)
        answered = answered or {"S", "A"} <= set(p.flags)
    return not left


def _words(part: str) -> Iterator[str]:
    words = part.split()
    if not words:
        raise PatternError("a packet that is not described")
    yield from words


def _word(word: str) -> Holds:
    name, _, value = word.partition("=")
    match name, value:
        case "flags", _ if _FLAGS.fullmatch(value):
            return lambda p, _: p.protocol == "tcp" and p.flags == value
        case "seq", "0":
            return lambda p, _: p.seq_zero
        case "ack", "0":
            return lambda p, _: p.ack_zero
        case "seq", "isn+1":
            return lambda p, _: p.seq == 1
        case "payload", "some" | "none":
            return lambda p, _: bool(p.payload) == (value == "some")
        case "before", "synack":
            return lambda p, answered: not answered
        case "ttl" | "window" | "ip_id", _ if number := _RANGE.fullmatch(value):
            least, most = int(number[1]), int(number[2] or number[1])
            return lambda p, _: (got := getattr(p, name)) is not None and least <= got <= most
    raise PatternError(f"no such word: {word!r}")
