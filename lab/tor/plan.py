"""Who is in the private Tor network, and under which addresses: data.

Each daemon has an address of its own in a network of its own, as relays of people who do
not know each other have: Tor refuses a path through one /16, and a rule that asks how many
independent networks fail alike needs them to be several. The ports and the directory port
are those that real relays have.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["authority", "relay", "bridge"]


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """One ``tor``: *name* is its nickname, *address* its IPv4 and *address6* its IPv6 one.

    *dir_port* 0 is none. A *transport* makes a bridge listen for that, on *pt_port*;
    *channel* is how a bridge is given out. *exit*: it lets traffic out of the network.
    *first_seen* is the day since when the public knows a relay, as Onionoo would say it.
    """

    name: str
    kind: Kind
    address: str
    address6: str = ""
    or_port: int = 9001
    dir_port: int = 0
    exit: bool = False
    transport: Literal["", "obfs4"] = ""
    pt_port: int = 0
    channel: str = ""
    first_seen: str = ""


def authority(name: str, address: str, address6: str = "") -> Daemon:
    return Daemon(
        name=name, kind="authority", address=address, address6=address6, or_port=443, dir_port=80
    )


def relay(name: str, address: str, address6: str = "", **more: object) -> Daemon:
    facts: dict[str, object] = {"dir_port": 9030, "first_seen": "2015-06-01"}
    return Daemon(name=name, kind="relay", address=address, address6=address6, **(facts | more))  # type: ignore[arg-type]


def bridge(name: str, address: str, channel: str, transport: Literal["", "obfs4"]) -> Daemon:
    return Daemon(
        name=name, kind="bridge", address=address, channel=channel, transport=transport,
        or_port=9001, pt_port=8443 if transport else 0,
    )  # fmt: skip


AUTHORITIES = (
    authority("isppro", "81.7.10.20", "2a02:180:6:1::20"),  # AS35366
    authority("utwente", "130.89.20.2", "2001:67c:2564:20::2"),  # AS1133 SURF
    authority("unc", "204.85.191.20"),  # AS36850
)
RELAYS = (
    relay("zwiebelfreunde", "185.220.101.20", "2a0b:f4c2:1::20", exit=True),  # AS60729
    relay("appliedprivacy", "109.70.100.20", "2a03:e600:100::20", exit=True),  # AS208323
    relay("scaleway", "62.210.105.116"),  # AS12876
    relay("coloclue", "94.142.241.20", "2a02:898:241::20"),  # AS8283
    relay("gitoyen", "80.67.172.20"),  # AS20766
    relay("switch", "195.176.3.20"),  # AS559
)
NEWER_RELAYS = (
    relay("vultr", "45.32.20.3", first_seen="2016-12-20"),  # AS20473
    relay("amazon", "52.28.20.4", first_seen="2017-01-03"),  # AS16509
)
BRIDGES = (
    bridge("ovh", "37.187.20.20", "default", "obfs4"),  # AS16276
    bridge("digitalocean", "138.68.10.12", "default", "obfs4"),  # AS14061
    bridge("concorde", "216.239.90.19", "default", "obfs4"),  # AS10996
    bridge("akamai", "139.162.10.13", "email", "obfs4"),  # AS63949
    bridge("amarutu", "31.220.1.20", "email", "obfs4"),  # AS206264
    bridge("ielo", "178.20.55.20", "email", "obfs4"),  # AS29075
    bridge("emerald", "23.129.64.20", "email", ""),  # AS396507
)
# What a client's bootstrap needs, and no more: each daemon costs some seconds of start.
SMALL = (*AUTHORITIES, *RELAYS[:4], BRIDGES[0])


def by_kind(daemons: Iterable[Daemon], *kinds: Kind) -> tuple[Daemon, ...]:
    return tuple(daemon for daemon in daemons if daemon.kind in kinds)
