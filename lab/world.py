"""The vocabulary of the lab: what a world is made of.

A *world* is a few sites, the censors between them and the probe, and the truth.
A *country* runs many worlds at once, each with its own names and addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Way(StrEnum):
    """Which way a packet goes on a wire, seen from the household."""

    OUT = "out"
    BACK = "back"


Action = tuple[bytes, Way, float]  # an IP packet to send, which way, after how many seconds


class Censor(Protocol):
    """A function on packets at a wire.

    Gets each IP packet (bytes), its way, and the time in seconds. Returns None to
    let it pass untouched, or the packets to send instead: an empty sequence drops
    it; the packet itself with an injected one beside it is an on-path injector.
    """

    def __call__(self, packet: bytes, way: Way, now: float) -> Sequence[Action] | None: ...


class Place(StrEnum):
    """The network namespaces of the country."""

    HOME = "home"  # the volunteer's device
    OPERATOR = "operator"  # the access network, with its resolver
    GATEWAY_1 = "gateway-1"
    GATEWAY_2 = "gateway-2"
    EXCHANGE = "exchange"  # beyond the border: where the foreign networks meet
    DOMESTIC = "domestic"  # sites inside the country, behind the operator
    ABROAD = "abroad"  # foreign sites
    RESOLVERS = "resolvers"  # public resolvers
    CONTROL_1 = "control-1"
    CONTROL_2 = "control-2"


class Wire(StrEnum):
    """The links that our programs carry, where censors and bad lines live."""

    LINE = "line"  # home - operator: the last mile
    UPLINK_1 = "uplink-1"  # operator - gateway-1
    UPLINK_2 = "uplink-2"
    BORDER_1 = "border-1"  # gateway-1 - exchange
    BORDER_2 = "border-2"
    PEERING = "peering"  # operator - domestic
    HOSTING = "hosting"  # exchange - abroad: all vantage points pass it
    TRANSIT = "transit"  # exchange - resolvers
    AWAY_1 = "away-1"  # exchange - control-1
    AWAY_2 = "away-2"


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is so. *mechanisms*: each inner set is satisfied by any one of its members.

    The rest is the diagnosis, and not scored where it is empty or None. *trigger*
    (``name``, ``address``, ``port``, ``protocol``, ``any``) and *position* (``in-path``,
    ``on-path``) are those that are right. *hop* is the smallest TTL with which a packet
    from home passes the censor. *residual*: whether it punishes for a while what comes
    after a trigger. *fingerprints* are meant as *mechanisms* are.
    """

    outcome: frozenset[str]
    mechanisms: tuple[frozenset[str], ...] = ()
    trigger: frozenset[str] = frozenset()
    hop: int | None = None
    position: frozenset[str] = frozenset()
    residual: bool | None = None
    fingerprints: tuple[frozenset[str], ...] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class World:
    """One situation: a target, its sites and names, what happens on the wires, the truth.

    *sites* and *zone* are defined by ``lab.sites`` and ``lab.resolvers``;
    *censors* makes fresh censors per wire, so that their state is not shared.
    """

    name: str
    url: str
    truth: Truth
    sites: tuple[object, ...] = ()
    zone: tuple[object, ...] = ()
    censors: dict[Wire, tuple[Callable[[], Censor], ...]] = field(default_factory=dict)
