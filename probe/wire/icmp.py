"""What the kernel keeps of an ICMP error: ``struct sock_extended_err`` (linux/errqueue.h).

An unprivileged process never sees the ICMP packet itself. With ``IP_RECVERR`` the kernel
puts this structure and the address of who sent the error into the socket's error queue.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import NamedTuple

_FIXED = struct.Struct("=IBBBBII")  # errno, origin, type, code, padding, info, data
_ORIGIN_ICMP, _ORIGIN_ICMP6 = 2, 3
_FAMILY_4, _FAMILY_6 = 2, 10  # what Linux calls AF_INET and AF_INET6
_SOURCE_4 = slice(_FIXED.size + 4, _FIXED.size + 8)  # in sockaddr_in, behind family and port
_SOURCE_6 = slice(_FIXED.size + 8, _FIXED.size + 24)  # sockaddr_in6 has a flow label before it
TIME_EXCEEDED = (11, 3)  # RFC 792; RFC 4443, 3.3


class ICMPError(NamedTuple):
    """*expired*: its hops ran out; else something was unreachable. *source*: who says so."""

    errno: int
    expired: bool
    source: str


def read_error(data: bytes) -> ICMPError | None:
    """The control message of kind ``IP_RECVERR`` or ``IPV6_RECVERR``; None for what is no
    ICMP error (the kernel's own trouble) or is cut short."""
    if len(data) < _FIXED.size + 2:
        return None
    errno, origin, kind, _, _, _, _ = _FIXED.unpack_from(data)
    (family,) = struct.unpack_from("=H", data, _FIXED.size)
    if origin == _ORIGIN_ICMP and family == _FAMILY_4:
        source, size, expired = data[_SOURCE_4], 4, kind == TIME_EXCEEDED[0]
    elif origin == _ORIGIN_ICMP6 and family == _FAMILY_6:
        source, size, expired = data[_SOURCE_6], 16, kind == TIME_EXCEEDED[1]
    else:
        return None
    if len(source) != size:
        return None
    return ICMPError(errno, expired, str(ipaddress.ip_address(source)))
