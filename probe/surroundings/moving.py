"""Is this machine still where it was? The kernel tells from which addresses packets would leave.

A laptop is carried to another network, a telephone takes over the line, a VPN is turned on: the
line never looks dead, the routes in the main table may stay as they were, and all that is measured
from then on is about another network. Asking for a route sends no packet.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from ipaddress import IPv6Address

ROUTED = {4: "8.8.8.8", 6: "2001:4860:4860::8888"}  # on the Internet and nowhere else
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_NETWORK = -1 << 64  # of an IPv6 address: its other half changes daily (RFC 8981)


def leaving() -> dict[int, int | str]:
    """From where packets of each family would leave; what has no way out is not there."""
    found: dict[int, int | str] = {}
    for version, routed in ROUTED.items():
        try:
            with socket.socket(_FAMILIES[version], socket.SOCK_DGRAM) as sock:
                sock.connect((routed, 53))
                own: str = sock.getsockname()[0]
        except OSError:
            continue
        found[version] = own if version == 4 else int(IPv6Address(own.partition("%")[0])) & _NETWORK
    return found


class Place:
    """Where this machine was when it was last known. *leaving* as the function of that name."""

    def __init__(self, leaving: Callable[[], Mapping[int, int | str]] = leaving) -> None:
        self._leaving = leaving
        self._known = dict(leaving())

    def left(self) -> bool:
        """Whether packets leave from another network's address than they did.

        A family that has gone is no other place, nor is one that has come.
        """
        now = self._leaving()
        return any(now.get(version, own) != own for version, own in self._known.items())

    def settle(self) -> None:
        """From now on this is the place."""
        self._known |= self._leaving()
