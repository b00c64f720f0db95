"""A sample of the relays of a consensus: of every kind some, the same for everybody by a word.

Rule: strata by flag and by age take turns until there are enough, so that the few exits and
the few new relays are in it as the many old ones are. Within a stratum the order is that
of a hash of the *seed* and the fingerprint: whoever draws with the same word from the same
consensus, knowing as much of ages, draws the same relays, and one more relay in the network
changes little. So with a seed that everybody has (the month), what is measured tells one
person less from another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from itertools import zip_longest

from probe.tor.consensus import Relay

DAY = 86_400.0
YOUNG, GROWN = 30 * DAY, 365 * DAY


def sample(
    relays: Iterable[Relay], count: int, seed: str, *, born: Mapping[str, float], now: float
) -> list[Relay]:
    """At most *count* of the *relays*; authorities, and what does not run, are none of them.

    *born* says since when relays are known (POSIX seconds by fingerprint), where that is known.
    """
    strata: dict[tuple[str, str], list[Relay]] = {}
    for relay in relays:
        if "Running" in relay.flags and "Authority" not in relay.flags:
            since = born.get(relay.fingerprint)
            old = "unknown" if since is None else age(now - since)
            strata.setdefault((role(relay), old), []).append(relay)
    ordered = [
        sorted(strata[key], key=lambda relay: _order(seed, relay.fingerprint))
        for key in sorted(strata)
    ]
    turns = zip_longest(*ordered)
    return [relay for turn in turns for relay in turn if relay is not None][:count]


def role(relay: Relay) -> str:
    """What clients use it for: ``exit``, ``guard`` or ``middle``."""
    if "Exit" in relay.flags and "BadExit" not in relay.flags:
        return "exit"
    return "guard" if "Guard" in relay.flags else "middle"


def age(seconds: float) -> str:
    return "young" if seconds < YOUNG else "grown" if seconds < GROWN else "old"


def _order(seed: str, fingerprint: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{fingerprint}".encode()).digest()
