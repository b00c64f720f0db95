"""By which interface traffic leaves, and whether that is a VPN that was left on.

A finding behind a VPN is about the network at its other end. That is sure only where
two things agree: the way out is a tunnel, and the controls see us come from another
country than usual, or from a company that hosts servers. A tunnel alone may lead home,
another country alone may be a journey, and PPP is how many lines are dialled.

The sockets here ask this machine's kernel; no packet is sent. What is compared with the
country (the time zone, earlier runs) stays on this machine.
"""

from __future__ import annotations

import array
import os
import re
import socket
import struct
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from probe.evidence import AddressInfo, Run

ROUTED = "8.8.8.8"  # connecting a UDP socket asks for a route and sends nothing
LATEST_RUNS = 10
ZONES = Path("/usr/share/zoneinfo")
_UNKNOWN = "ZZ"

_SIOCGIFADDR, _SIOCETHTOOL, _ETHTOOL_GDRVINFO = 0x8915, 0x8946, 3  # linux/sockios.h, ethtool.h
_DRVINFO = 196  # bytes of struct ethtool_drvinfo; the driver's name are 32 from the fourth on

# Names that VPN programs give, and drivers that serve nothing else.
_TUNNEL = re.compile(
    r"(?:tun|tap|wg|awg|utun|ovpn|vpn|ipsec|nordlynx|nordtun|proton|pvpn|mullvad|tailscale|zt"
    r"|amn|warp|cloudflarewarp|outline|cscotun|gpd|ppp-vpn)[-_0-9a-z]*",
    re.IGNORECASE,
)
_TUNNEL_DRIVERS = frozenset({"wireguard", "ovpn", "ovpn-dco-v2", "amneziawg"})
_UNCLEAR = re.compile(r"(?:ppp|l2tp|pptp)\d*", re.IGNORECASE)
_MOBILE = re.compile(r"(?:ppp|wwan|wwp|rmnet|usb|ccmni)[-_0-9a-z]*", re.IGNORECASE)
# Whose servers VPNs are, more often than households' lines.
_HOSTS = re.compile(
    r"\b(?:m247|datacamp|packethub|31173|mullvad|proton|digitalocean|hetzner|ovh|linode|vultr"
    r"|constant company|choopa|leaseweb|contabo|amazon|google|microsoft|oracle|clouvider|tzulo"
    r"|quadranet|scaleway|worldstream|hostinger|\w*hosting|vps|vpn|dedicated|colocation)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class WayOut:
    """The interface's *name*, and its *kind* (see `probe.evidence.Run`)."""

    name: str = ""
    kind: str = ""

    @property
    def mobile(self) -> bool:
        """Whether its first router is the operator's, though it has a private address."""
        return _MOBILE.fullmatch(self.name) is not None


def way_out() -> WayOut:
    """The interface by which IPv4 packets to the Internet leave; nameless where unknown."""
    if sys.platform != "linux":
        return WayOut()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect((ROUTED, 53))
            own = sock.getsockname()[0]
            for _, name in socket.if_nameindex():
                if _address(sock, name) == own:
                    return WayOut(name, kind(name, _driver(sock, name)))
    except OSError:
        return WayOut()  # no route, or a kernel that does not say
    return WayOut()


def kind(name: str, driver: str) -> str:
    """``tunnel``, ``unclear`` or ``plain``, by the interface's name and driver."""
    if driver in _TUNNEL_DRIVERS or _TUNNEL.fullmatch(name):
        return "tunnel"
    if driver in ("tun", "ppp") or _UNCLEAR.fullmatch(name):
        return "unclear"
    return "plain"


def _address(sock: socket.socket, name: str) -> str:
    import fcntl  # not everywhere

    try:
        request = struct.pack("256s", name[:15].encode())
        return socket.inet_ntoa(fcntl.ioctl(sock, _SIOCGIFADDR, request)[20:24])
    except OSError:
        return ""  # an interface without an address


def _driver(sock: socket.socket, name: str) -> str:
    import fcntl

    info = array.array("B", struct.pack("I", _ETHTOOL_GDRVINFO).ljust(_DRVINFO, b"\0"))
    try:
        request = struct.pack("16sP", name[:15].encode(), info.buffer_info()[0])
        fcntl.ioctl(sock, _SIOCETHTOOL, request)
    except OSError:
        return ""
    return info.tobytes()[4:36].split(b"\0")[0].decode("ascii", "replace")


def usual_countries(runs: Sequence[Run]) -> frozenset[str]:
    """Where this machine is as a rule: by its latest *runs*, else by its time zone.

    Empty where neither tells.
    """
    seen = [r.probe_cc for r in runs if r.vpn is not True and r.probe_cc != _UNKNOWN]
    if seen:
        ((country, _),) = Counter(seen[-LATEST_RUNS:]).most_common(1)
        return frozenset({country})
    return zone_countries(zone_name(), ZONES)


def zone_name() -> str:
    """This machine's time zone, as in ``Europe/Minsk``; empty where it cannot be told."""
    named = os.environ.get("TZ", "").lstrip(":")
    if named:
        return named
    try:
        return os.readlink("/etc/localtime").partition("zoneinfo/")[2]
    except OSError:
        return ""


def zone_countries(zone: str, zones: Path) -> frozenset[str]:
    """The countries in which *zone* is used, by the tables of the tz database."""
    found: set[str] = set()
    for table in ("zone.tab", "zone1970.tab"):
        try:
            lines = (zones / table).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            continue
        for line in lines:
            words = line.split("\t")
            if len(words) > 2 and not line.startswith("#") and words[2] == zone:
                found.update(words[0].split(","))
    return frozenset(found)


def elsewhere(own: AddressInfo, usual: frozenset[str]) -> bool:
    """Whether the controls see us come from another country than where we usually are."""
    return bool(usual) and own.cc != _UNKNOWN and own.cc not in usual


def is_vpn(way: WayOut, own: AddressInfo, usual: frozenset[str]) -> bool | None:
    """Whether a VPN carries the traffic to *own*'s network. None: perhaps."""
    abroad = elsewhere(own, usual)
    hosted = _HOSTS.search(own.holder) is not None and own.cc not in usual
    match way.kind:
        case "tunnel":
            return True if abroad or hosted else None
        case "unclear":
            return True if abroad and hosted else None if abroad or hosted else False
        case "plain":
            return None if abroad else False
    return None
