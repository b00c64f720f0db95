"""What a situation of the whole country is: a description, and a control that is cut off.

A `CountryWorld` is worlds to be measured together, with the truth as it is *here* (not
the truth they have in an ordinary country), and what is wrong with the country
meanwhile. Whoever runs it reads the fields; nothing here acts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from lab.certificates import TRUSTED
from lab.middlebox import packed
from lab.packet import ACK, SYN, TCP, UDP, parse
from lab.resolvers import Name, Resolver
from lab.sites import Site
from lab.vpn import VPN
from lab.world import Action, Censor, Truth, Way, Wire, World
from lab.worlds.plan import build

State = Literal["up", "down", "blind"]


@dataclass(frozen=True, kw_only=True)
class Cut:
    """*wires* are cut when *after* targets are done, for *seconds* (None: for good)."""

    wires: tuple[Wire, ...]
    after: int
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Forger:
    """Somebody who opens every encrypted connection, and signs as *issuer*.

    At *addresses*, whereto a censor leads the connections; without any, on the
    household's own machine, sparing those to *spares*.
    """

    issuer: str
    addresses: tuple[str, ...] = ()
    spares: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CountryWorld:
    """What a runner must arrange.

    *worlds* carry the truths that hold here. *clock*: seconds to add to the
    household's clock (faketime). *roots*: what the household's certificate store
    holds; servers and controls have them all. *controls*: ``"up"``, ``"down"``
    (nothing listens), or ``"blind"`` (it answers, and can reach nothing itself, so
    it says that all is down; see `Blind`). *own_resolver_silent*: it answers
    nobody. *cuts*, *censors*, *sites* and *zone* come on top of those of the worlds.
    *private_router*: the household's first router has a private address, as behind one
    of its own. *forger*: who opens every encrypted connection. *resolver*: whom the
    household's machine asks instead of the operator's; at a private address it runs in the
    household. *vpn*: by which all that the household sends leaves the country. *arguments*
    go to ``zond run``, *environment* to its process, *config* to its settings. *exits*:
    exit statuses of ``zond run`` that are right, *findings* what the run as a whole shows.
    *truth* holds for every world instead of its own, where it is given.
    """

    name: str
    note: str
    worlds: tuple[World, ...]
    truth: Truth | None = None
    clock: float = 0.0
    roots: tuple[str, ...] = TRUSTED
    controls: tuple[State, State] = ("up", "up")
    ipv6: bool | Literal["broken"] = True
    private_router: bool = False
    own_resolver_silent: bool = False
    cuts: tuple[Cut, ...] = ()
    censors: dict[Wire, tuple[Callable[[], Censor], ...]] = field(default_factory=dict)
    sites: tuple[Site, ...] = ()
    zone: tuple[Name, ...] = ()
    forger: Forger | None = None
    resolver: Resolver | None = None
    vpn: VPN | None = None
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    config: str = ""
    exits: frozenset[int] = frozenset({0})
    findings: frozenset[str] = frozenset()

    def truths(self) -> dict[str, Truth]:
        """By URL."""
        return {world.url: self.truth or world.truth for world in self.worlds}


@dataclass(frozen=True)
class Blind:
    """A control that cannot reach anything: what it begins itself is lost on its wire.

    Put it on AWAY_1 or AWAY_2, where what a control sends goes BACK. Answers to
    those who ask it pass.
    """

    addresses: tuple[str, ...]

    def __call__(self, packet: bytes, way: Way, now: float) -> Sequence[Action] | None:
        seen = parse(packet)
        if seen is None or way is Way.OUT or seen.source not in map(packed, self.addresses):
            return None
        begins = seen.protocol == TCP and seen.flags & (SYN | ACK) == SYN
        return () if begins or seen.protocol == UDP else None


def some(seed: int, **truths: Truth | None) -> tuple[World, ...]:
    """Worlds by name, with another truth where one is given."""
    return tuple(
        build(name, seed) if truth is None else replace(build(name, seed), truth=truth)
        for name, truth in truths.items()
    )
