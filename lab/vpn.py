"""A VPN that somebody left on: all that the household sends leaves in another country.

A TUN device at either end and datagrams between. The household's end has the address
that the world sees, so nothing is rewritten. Nothing is encrypted either: no censor here
looks into datagrams, and what is tried is where the traffic comes out.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pyroute2 import IPRoute  # type: ignore[import-untyped]

from lab.namespace import open_tun
from lab.topology import HOME_ROUTER_ADDRESSES
from lab.world import Wire

PORT = 1194
_MTU = 1380
_MAIN, _LOCAL_TABLE, _THROW = 254, 255, 9
_HALVES = ("0.0.0.0/1", "128.0.0.0/1")  # as OpenVPN does: more specific than the default


@dataclass(frozen=True, kw_only=True)
class VPN:
    """*device* is its interface's name at home, *server* where it is reached, *exit* the
    address under which the world sees the household. Both are abroad."""

    device: str
    server: str
    exit: str


def run_server(ready: Callable[[], None], vpn: VPN) -> None:
    """The far end. The whole of a process, to be started abroad."""
    device = open_tun("vpn")
    with IPRoute() as kernel:
        index = kernel.link_lookup(ifname="vpn")[0]
        kernel.link("set", index=index, mtu=_MTU, state="up")
        # Whatever is abroad is local there, but for this address.
        kernel.route("add", dst=f"{vpn.exit}/32", type=_THROW, table=_LOCAL_TABLE)
        kernel.route("add", dst=f"{vpn.exit}/32", oif=index, table=_MAIN, scope="link")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((vpn.server, PORT))
        ready()
        _carry(device, sock, None)


def run_client(ready: Callable[[], None], vpn: VPN) -> None:
    """The household's end. The whole of a process, to be started at home."""
    device = open_tun(vpn.device)
    router = HOME_ROUTER_ADDRESSES[0]
    with IPRoute() as kernel:
        index = kernel.link_lookup(ifname=vpn.device)[0]
        line = kernel.link_lookup(ifname=str(Wire.LINE))[0]
        kernel.link("set", index=index, mtu=_MTU, state="up")
        kernel.addr("add", index=index, address=vpn.exit, prefixlen=32)
        kernel.route("add", dst=f"{vpn.server}/32", gateway=router, oif=line)
        for half in _HALVES:
            kernel.route("add", dst=half, oif=index, prefsrc=vpn.exit, scope="link")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", 0))
        ready()
        _carry(device, sock, (vpn.server, PORT))


def _carry(device: int, sock: socket.socket, peer: tuple[str, int] | None) -> None:
    """Packets between the device and the *peer*, who without one is whoever spoke last."""
    sock.setblocking(False)
    while True:
        able = select.select([device, sock.fileno()], [], [])[0]
        if device in able:
            packet = os.read(device, 65535)
            if peer is not None:
                _send(sock, packet, peer)
        if sock.fileno() in able:
            packet, came_from = sock.recvfrom(65535)
            peer = came_from if sock.getsockname()[1] == PORT else peer
            os.write(device, packet)


def _send(sock: socket.socket, packet: bytes, peer: tuple[str, int]) -> None:
    try:
        sock.sendto(packet, peer)
    except OSError:
        return  # a datagram lost, as any may be
