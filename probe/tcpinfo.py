"""What the kernel knows of a TCP connection: Linux's TCP_INFO, which needs no privilege.

Read by offset from ``struct tcp_info`` (include/uapi/linux/tcp.h): fields are only ever
added at its end, and an older kernel gives a shorter one. Elsewhere there is nothing.
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import NamedTuple

_SIZE = 256
_RTT, _TOTAL_RETRANS, _MIN_RTT, _RCV_OOOPACK = 68, 100, 148, 224  # bytes; all 32 bits wide
_NO_RTT = 0xFFFFFFFF  # of the minimum, before the first sample


class TCPInfo(NamedTuple):
    """*rtt*, *rtt_min* in seconds; *retransmits* segments of ours, *out_of_order* of theirs.
    None: the kernel does not tell."""

    rtt: float | None = None
    rtt_min: float | None = None
    retransmits: int | None = None
    out_of_order: int | None = None


def tcp_info(sock: object) -> TCPInfo:
    """Of *sock*, anything with a socket's ``getsockopt``; else nothing is known."""
    ask = getattr(sock, "getsockopt", None)
    if ask is None or sys.platform != "linux":
        return TCPInfo()
    try:
        return read(ask(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE))
    except OSError:
        return TCPInfo()


def read(raw: bytes) -> TCPInfo:
    """The facts in *raw*, a ``struct tcp_info`` of any length."""

    def number(at: int) -> int | None:
        value = raw[at : at + 4]
        return int(struct.unpack("=I", value)[0]) if len(value) == 4 else None

    def seconds(at: int) -> float | None:
        microseconds = number(at)
        return microseconds / 1e6 if microseconds and microseconds != _NO_RTT else None

    return TCPInfo(
        seconds(_RTT), seconds(_MIN_RTT), number(_TOTAL_RETRANS), number(_RCV_OOOPACK)
    )
