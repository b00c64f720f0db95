"""An event: one real thing that happened to some targets on some networks.

Not one alert for each series: a decision that reaches twelve operators in a day and forty
sites at once is one event, with the networks and sites as its parts. Times are POSIX
seconds, UTC.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal[
    "blocking",     # interference with targets
    "throttling",   # the same, of their speed
    "shutdown",     # what is foreign is gone, what is domestic works
    "outage",       # a network or its line is gone, with all targets
    "geofence",     # the site refuses the country, or the world; nobody is on the way
    "ddos",         # down for everybody for a while, come and gone, unlike a block
    "site_death",   # down for everybody, for good
    "registry",     # the name is gone for everybody, from its parent zone
]  # fmt: skip
Scope = Literal[
    "network",    # one access network
    "operator",   # several networks of one operator
    "gateway",    # the customers of one gateway
    "national",   # operators that have nothing in common but the country
    "mobile",     # mobile networks, while fixed ones are clean
    "regional",   # some regions, while others of the same network are clean
    "group",      # several operators, and others are clean: neither gateway nor nation
    "global",     # everywhere, also where nobody is asked
    "resolver",   # those who ask one network's resolvers, whatever their access
    "unknown",    # too few independent probes to say
]  # fmt: skip


class Interval(msgspec.Struct, frozen=True):
    """A change between two looks: after *after* (the last look before it; None: nobody
    looked before) and at or before *by* (the first look that shows it; None: not yet seen).

    *probability*: that the change lies in it.
    """

    after: float | None
    by: float | None
    probability: float = 1.0


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to one target, by one mechanism, on one network: what a series showed.

    *alerted_at*: the time of the measurement with which there was enough to say so, had the
    analysis been run then; *lift_alerted_at* likewise for the lift. None: not known.
    """

    host: str
    mechanism: str
    probe_asn: int = 0
    resolver_asn: int = 0
    network_type: str = ""
    region: str = ""
    onset: Interval
    lift: Interval | None = None
    blocked: int = 0
    measured: int = 0
    probes: int = 0
    share: float = 1.0
    hours: tuple[int, ...] = ()
    ips: tuple[str, ...] = ()
    probability: float = 1.0
    evidence: tuple[str, ...] = ()
    alerted_at: float | None = None
    lift_alerted_at: float | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One real thing. *parts* are what it is made of.

    *onset* and *lift* are of the whole: the earliest part's onset, the latest part's lift;
    *lift* is None while it goes on (silence is not a lift). *mechanisms* in the order in
    which they appeared: more than one after another is a shift. *hours*: hours of the day,
    UTC, in which it holds, where that is not always; *share*: of the measurements in its
    time that show it, well below 1 for a part of the addresses. *order*: networks by onset;
    *spread*: seconds between the first and the last network's onset, None where there is
    one network or the intervals do not tell. *probability*: that something happened at all.
    *reasons*: why this kind and scope, in words. *evidence*: ids of measurements, some.
    """

    id: str
    kind: Kind
    targets: tuple[str, ...]
    categories: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] = ()
    trigger: str = ""
    scope: Scope = "unknown"
    networks: tuple[int, ...] = ()
    clean_networks: tuple[int, ...] = ()
    resolvers: tuple[int, ...] = ()
    onset: Interval
    lift: Interval | None = None
    hours: tuple[int, ...] = ()
    share: float = 1.0
    order: tuple[int, ...] = ()
    spread: float | None = None
    probability: float = 1.0
    blocked: int = 0
    measured: int = 0
    probes: int = 0
    fingerprints: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
