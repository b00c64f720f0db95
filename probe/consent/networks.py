"""On which networks may this machine measure when nobody sits before it?

A network is known by the hardware address of its router, which the system has in its tables:
looking at it sends no packet. What is kept is a slow, salted hash of it (scrypt, RFC 7914),
so that who takes the disk cannot look up in a table of Wi-Fi routers where its owner goes; a
suspicion that names one router can be tried all the same.

A router's address that is the same in many places tells nothing: those of virtual machines, of
containers and of protocols that share one between routers are not taken for any network.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from probe.consent.agreement import keep
from probe.surroundings import neighbours

# Why a network cannot be told: there is no way out, it has no router (PPP, a modem, a tunnel),
# the router's address has not been learned, it is alike in many places.
Doubt = Literal["", "no_route", "no_router", "router_unknown", "router_shared"]
NOTHING_LEAVES: frozenset[Doubt] = frozenset({"no_route", "router_unknown"})

# The first bytes of hardware addresses that do not belong to one router. Besides these, no
# address that somebody made up (IEEE 802, locally administered) is taken for one: so are those of
# containers, of most virtual machines and of phones that share their line, wherever they are.
SHARED = tuple(
    bytes.fromhex(prefix)
    for prefix in (
        "00005e0001", "00005e0002",  # VRRP, RFC 9568
        "00000c07ac", "00000c9f", "000573a0",  # HSRP
        "0007b4",  # GLBP
        "00155d",  # Hyper-V, and the Linux in Windows
        "005056", "000c29",  # VMware
        "080027",  # VirtualBox
        "001c42",  # Parallels
        "00163e",  # Xen
    )
)  # fmt: skip
MADE_UP = 0x02  # in the first byte

WORK = 2**14  # scrypt's N: 16 MB and some 50 ms for one guess


class Here(NamedTuple):
    """The links that default routes lead over, by the known routers of each; or why they do
    not tell the network."""

    links: tuple[frozenset[bytes], ...]
    doubt: Doubt

    @property
    def routers(self) -> frozenset[bytes]:
        return frozenset().union(*self.links)

    def is_where(self, routers: frozenset[bytes]) -> bool:
        """Whether every link that packets may take is that of one of *routers*."""
        return not self.doubt and all(link & routers for link in self.links)


class Approved(msgspec.Struct, frozen=True):
    """The hash of a router's address, in hex, and when it was approved."""

    digest: str
    at: float


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    salt: str = ""
    approved: tuple[Approved, ...] = ()
    anywhere: bool = False


def here() -> Here:
    """The network that this machine is on. No packet is sent."""
    routes = neighbours.default_routes()
    if not routes:
        return Here((), "no_route" if neighbours.system_tells() else "no_router")
    known = neighbours.hardware_addresses()
    links: dict[str, set[bytes]] = {interface: set() for interface, _ in routes}
    for interface, router in routes:
        if any(address := known.get((interface, router), b"")):
            links[interface].add(address)
    found = Here(tuple(frozenset(routers) for routers in links.values()), "")
    if not all(router for _, router in routes):
        return found._replace(doubt="no_router")
    if not all(found.links):
        return found._replace(doubt="router_unknown")
    if any(router.startswith(SHARED) or router[0] & MADE_UP for router in found.routers):
        return found._replace(doubt="router_shared")
    return found


class Networks:
    """What was agreed to about networks, in the directory *folder*.

    Raises OSError where that cannot be written; what cannot be read was not agreed to.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "consent_networks.json"
        try:
            self._kept = msgspec.json.decode(self._path.read_bytes(), type=_Kept)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._kept = _Kept()

    @property
    def anywhere(self) -> bool:
        """Whether every network was agreed to, also those to come."""
        return self._kept.anywhere

    @property
    def approved(self) -> Sequence[Approved]:
        return self._kept.approved

    def permits(self, here: Here) -> bool:
        """Whether it was agreed to measure there: on every link that packets may take."""
        if self.anywhere:
            return True
        if here.doubt or not self.approved:
            return False
        digests = {approved.digest for approved in self.approved}
        return here.is_where(frozenset(r for r in here.routers if self._digest(r) in digests))

    def approve(self, here: Here) -> None:
        """From now on measure there. Raises ValueError for a network that cannot be told."""
        if here.doubt:
            raise ValueError(here.doubt)
        if not self._kept.salt:
            self._change(salt=secrets.token_hex(16))
        there = {approved.digest for approved in self.approved}
        digests = {self._digest(router) for router in here.routers} - there
        added = [Approved(digest, time.time()) for digest in sorted(digests)]
        self._change(approved=(*self.approved, *added))

    def forget(self, here: Here | None = None) -> int:
        """No longer measure there, or on none that was approved; how many are forgotten."""
        digests = {self._digest(router) for router in here.routers} if here else None
        left = [a for a in self.approved if digests is not None and a.digest not in digests]
        count = len(self.approved) - len(left)
        self._change(approved=tuple(left))
        return count

    def allow_anywhere(self, anywhere: bool) -> None:
        """Measure on every network, or again on approved ones alone."""
        self._change(anywhere=anywhere)

    def _digest(self, router: bytes) -> str:
        salt = bytes.fromhex(self._kept.salt)
        return hashlib.scrypt(router, salt=salt, n=WORK, r=8, p=1, dklen=16).hex()

    def _change(self, **facts: object) -> None:
        self._kept = msgspec.structs.replace(self._kept, **facts)
        keep(self._path, msgspec.json.encode(self._kept))
