"""The routers that this machine's packets go to, as Linux has them in its tables.

Reading these sends no packet. The neighbour table is asked for over netlink (rtnetlink(7)):
``/proc`` has it for IPv4 alone.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

RTM_NEWNEIGH, RTM_GETNEIGH = 28, 30  # linux/rtnetlink.h
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300  # linux/netlink.h
NLMSG_ERROR, NLMSG_DONE = 2, 3
NDA_DST, NDA_LLADDR = 1, 2  # linux/neighbour.h
NUD_INCOMPLETE, NUD_FAILED, NUD_NOARP = 0x01, 0x20, 0x40
RTF_UP, RTF_UP_REJECT = 0x1, 0x201  # linux/route.h
NO_ROUTER = "0.0.0.0"  # noqa: S104 - as the kernel writes that a line has none
SECONDS = 2.0
MAX_MESSAGES = 1000

HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
NEIGHBOUR = struct.Struct("=BxxxiHBB")  # struct ndmsg
ATTRIBUTE = struct.Struct("=HH")  # struct rtattr


def system_tells() -> bool:
    """Whether this system has tables that we can read: Linux."""
    return Path("/proc/net/route").exists()


def default_routes(folder: str = "/proc/net") -> tuple[tuple[str, str], ...]:
    """Interface and router of each default route; no router where the line has none (PPP)."""
    found = [*_ipv4_routes(f"{folder}/route"), *_ipv6_routes(f"{folder}/ipv6_route")]
    return tuple(dict.fromkeys(found))


def hardware_addresses() -> dict[tuple[str, str], bytes]:
    """The hardware address of each known neighbour, by interface and IP address.

    Empty where the system does not tell, or knows of nobody.
    """
    if not hasattr(socket, "AF_NETLINK"):
        return {}
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
            sock.settimeout(SECONDS)
            sock.bind((0, 0))
            length = HEADER.size + NEIGHBOUR.size
            header = HEADER.pack(length, RTM_GETNEIGH, NLM_F_REQUEST | NLM_F_DUMP, 1, 0)
            sock.send(header + NEIGHBOUR.pack(socket.AF_UNSPEC, 0, 0, 0, 0))
            return dict(_neighbours(sock))
    except OSError:
        return {}


def _neighbours(sock: socket.socket) -> Iterator[tuple[tuple[str, str], bytes]]:
    for _ in range(MAX_MESSAGES):
        data = sock.recv(1 << 16)
        at = 0
        while at + HEADER.size <= len(data):
            length, kind, *_rest = HEADER.unpack_from(data, at)
            if kind in (NLMSG_DONE, NLMSG_ERROR) or length < HEADER.size:
                return
            if kind == RTM_NEWNEIGH and (found := _neighbour(data[at + HEADER.size : at + length])):
                yield found
            at += _aligned(length)


def _neighbour(message: bytes) -> tuple[tuple[str, str], bytes] | None:
    if len(message) < NEIGHBOUR.size:
        return None
    family, index, state, *_rest = NEIGHBOUR.unpack_from(message)
    if state & (NUD_INCOMPLETE | NUD_FAILED | NUD_NOARP):
        return None
    attributes = dict(_attributes(message[NEIGHBOUR.size :]))
    address, hardware = attributes.get(NDA_DST, b""), attributes.get(NDA_LLADDR, b"")
    if not hardware or len(address) != {socket.AF_INET: 4, socket.AF_INET6: 16}.get(family):
        return None
    return (socket.if_indextoname(index), socket.inet_ntop(family, address)), hardware


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + ATTRIBUTE.size <= len(data):
        length, kind = ATTRIBUTE.unpack_from(data, at)
        if length < ATTRIBUTE.size:
            return
        yield kind, data[at + ATTRIBUTE.size : at + length]
        at += _aligned(length)


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _ipv4_routes(path: str) -> list[tuple[str, str]]:
    # Interface Destination Gateway Flags ... Mask: words in host order, in hex
    found = []
    for line in _lines(path)[1:]:
        words = line.split()
        with suppress(ValueError, OSError):  # a line that is none
            anywhere = len(words) > 7 and words[1] == words[7] == "00000000"
            if anywhere and _leads_out(words[3], words[0]):
                router = socket.inet_ntoa(bytes.fromhex(words[2])[::-1])
                found.append((words[0], "" if router == NO_ROUTER else router))
    return found


def _ipv6_routes(path: str) -> list[tuple[str, str]]:
    # destination prefix source prefix gateway metric count use flags interface
    found = []
    for line in _lines(path):
        words = line.split()
        with suppress(ValueError, OSError):
            anywhere = len(words) == 10 and words[0] == "0" * 32 and words[1] == "00"
            if anywhere and _leads_out(*words[8:]):
                router = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(words[4]))
                found.append((words[9], "" if router == "::" else router))
    return found


def _leads_out(flags: str, interface: str) -> bool:
    return interface != "lo" and int(flags, 16) & RTF_UP_REJECT == RTF_UP


def _lines(path: str) -> list[str]:
    try:
        with open(path, errors="replace") as file:  # an interface may be called anything
            return file.read(1 << 20).splitlines()
    except OSError:
        return []
