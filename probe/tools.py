"""What an operation may work with, passed in: the door, the resolvers, the trust, the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from probe import addresses
from probe.hops import HopNetwork, TrioHops
from probe.net import Network
from probe.steps.certificate import Verifier
from probe.steps.encrypted import Kept
from probe.steps.engine import Hello
from probe.surroundings.resolvers import Resolvers
from probe.tor.ways import Ways


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What a visit works with.

    *ipv4* and *ipv6* say which families this machine has: addresses of the other
    are recorded and not tried. *now* tells the time (POSIX seconds) by which a certificate's
    dates are judged. *seed* chooses among resolvers;
    *kept* holds connections to encrypted ones from one visit to the next (by default, none);
    *hops* is the way out for packets that are to die on their way; *hello* is whose
    ClientHello is sent (`probe.steps.engine`). *tor* are the ways into Tor from here.
    """

    net: Network
    resolvers: Resolvers
    verifier: Verifier
    ipv4: bool = True
    ipv6: bool = False
    now: Callable[[], float] = time.time
    seed: int = 0
    kept: Kept = field(default_factory=lambda: Kept(0))
    hops: HopNetwork = field(default_factory=TrioHops)
    hello: Hello = "browser"
    tor: Ways = field(default_factory=Ways)

    def usable(self, ip: str) -> bool:
        """Public, and of a family that this machine has. The only test before a connection."""
        family = addresses.family(ip)
        return addresses.is_public(ip) and (self.ipv6 if family == 6 else self.ipv4)
