"""What was done to Tor, and what befalls it by itself: situations of a private Tor network.

A `Scene` is one network and what happens to it, one `Condition` after the other; each of
these is a run of its own, with the truth of every relay, bridge and bootstrap in it. From the
sources: the injector of December 2016 (ooni.org, "Belarus fries onion"; F14, H15), the
blocks of 2020 and 2021 by address and by channel (net4people issue 72; H16). The others are
what a network may do that knows Tor by its hello, or lets it through slowly.

No control brings a client up, so a bootstrap that does not end accuses nobody: it tells
where it stood.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lab.censors import AddressDrop, RelayReset, Slowness, ThrottleAddress
from lab.middlebox import Rewrite, Rule
from lab.tor.censors import HelloDrop
from lab.tor.plan import (
    AUTHORITIES,
    BRIDGES,
    NEWER_RELAYS,
    RELAYS,
    Daemon,
    relay,
)
from lab.world import Truth, Wire
from lab.worlds.plan import truly

GATEWAYS = (Wire.UPLINK_1, Wire.UPLINK_2)  # hop 2
VANILLA, OBFS4 = "tor://vanilla", "tor://obfs4"
DEFAULT, EMAIL = BRIDGES[:2], BRIDGES[3:5]  # of each channel as many as tell it from one bridge
PLAIN_BRIDGE = BRIDGES[6]
# Not one of the network: somebody who speaks TLS at the port of a relay, and cannot prove it.
PRETENDER = relay("pretender", "195.176.3.99")
_TTL_OF_RESETS = 125 + 1  # at the box; a hop less at the customer's

OK = truly("ok")
STUCK = truly("inconclusive")


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What is so for one run. *truths* are by what is measured (`url_of`, or a way into Tor).

    *rules* are the censor's, who stands *at* these wires. *clock* is added to the household's
    (seconds). *dead* relays are killed before, *renewed* ones come back with other keys, which
    the list does not know. *own* are bridges that the user was given, *public* those of the
    list. *ipv4*: False is a household that has none.
    """

    name: str
    note: str
    truths: Mapping[str, Truth]
    rules: tuple[Rule, ...] = ()
    at: tuple[Wire, ...] = GATEWAYS
    clock: float = 0.0
    dead: tuple[Daemon, ...] = ()
    renewed: tuple[Daemon, ...] = ()
    own: tuple[Daemon, ...] = ()
    public: tuple[Daemon, ...] = ()
    ipv4: bool = True


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A network of *daemons*, and its *conditions* in their order. *pretenders* are no relays."""

    name: str
    daemons: tuple[Daemon, ...]
    conditions: tuple[Condition, ...]
    pretenders: tuple[Daemon, ...] = ()


def url_of(daemon: Daemon, *, ipv6: bool = False) -> str:
    """The target that *daemon* is: the port by which its users come."""
    address = f"[{daemon.address6}]" if ipv6 else daemon.address
    return f"tor://{address}:{daemon.pt_port or daemon.or_port}"


def _all(daemons: Iterable[Daemon], truth: Truth) -> dict[str, Truth]:
    return {url_of(daemon): truth for daemon in daemons}


def _addresses(*daemons: Daemon) -> tuple[str, ...]:
    return tuple(a for daemon in daemons for a in (daemon.address, daemon.address6) if a)


_SNAPSHOT = RELAYS[:5]

def _led(one: Daemon, other: Daemon) -> Rewrite:
    """What goes to *one* ends at *other*."""
    return Rewrite(
        address=one.address, port=one.or_port, to=other.address, to_port=other.or_port
    )


SNAPSHOT_2016 = Condition(
    name="snapshot",
    note="Relays of an old consensus: every connection to their OR ports is reset, first in a way"
    " that clients do not heed. Newer relays, directories, authorities and bridges are open.",
    truths={
        **_all(
            _SNAPSHOT,
            truly("blocked", "tcp.reset|tls.reset", trigger="port"),
        ),
        **_all((*NEWER_RELAYS, *AUTHORITIES, PLAIN_BRIDGE), OK),
        VANILLA: truly("ok|inconclusive"),  # by the newer relays it may come in
        OBFS4: OK,
    },
    rules=(
        RelayReset(
            addresses=tuple(d.address for d in _SNAPSHOT), ports=(9001,), ttl=_TTL_OF_RESETS
        ),
    ),
    own=EMAIL[:1],
)  # fmt: skip

_ENUMERATED = (AddressDrop(addresses=_addresses(*AUTHORITIES, *DEFAULT)),)
ENUMERATED_2021 = Condition(
    name="enumerated",
    note="Nothing passes to or from the authorities and the default bridges; relays and the"
    " bridges of another channel are open.",
    truths={
        **_all(AUTHORITIES, truly("blocked", "tcp.silence", trigger="address")),
        **_all(DEFAULT, truly("blocked", "tcp.silence")),
        **_all((*RELAYS[:4], *EMAIL), OK),
        VANILLA: STUCK,
        OBFS4: OK,
    },
    rules=_ENUMERATED,
    own=EMAIL,
)
DEFAULT_BRIDGES_2021 = Condition(
    name="default_bridges",
    note="The same, for who has only the bridges that everybody has.",
    truths={VANILLA: STUCK, OBFS4: STUCK},
    rules=_ENUMERATED,
    public=DEFAULT,
)

HELLO = Condition(
    name="hello",
    note="Flows that begin with Tor's ClientHello are dropped, wherever they go.",
    truths={
        **_all(
            (*AUTHORITIES, *RELAYS[:4], PLAIN_BRIDGE),
            truly("blocked", "tls.silence", trigger="protocol"),
        ),
        url_of(EMAIL[0]): OK,
        VANILLA: STUCK,
        OBFS4: OK,
    },
    rules=(HelloDrop(),),
    own=EMAIL[:1],
)
STAND_IN = Condition(
    name="stand_in",
    note="What goes to two relays ends at somebody else: at a TLS server that hangs up on Tor, and"
    " at a relay of somebody else's.",
    truths={
        url_of(RELAYS[0]): truly("blocked", "tls.closed|tls.forged"),
        url_of(RELAYS[1]): truly("blocked", "tls.forged"),
        url_of(RELAYS[2]): OK,
    },
    rules=(_led(RELAYS[0], PRETENDER), _led(RELAYS[1], RELAYS[3])),
    at=(Wire.LINE,),  # the pretender may lie behind the other gateway
)  # fmt: skip
SQUEEZE = Condition(
    name="squeeze",
    note="All of Tor's addresses together have two kilobytes a second: each relay answers, and no"
    " client comes up.",
    truths={
        **_all(RELAYS[:1], OK),
        VANILLA: STUCK,
        OBFS4: STUCK,
    },
    rules=(
        ThrottleAddress(
            addresses=_addresses(*AUTHORITIES, *RELAYS[:4], *EMAIL[:1]),
            slowness=Slowness(rate=2000.0, queue=8.0),
        ),
    ),
    own=EMAIL[:1],
)

DEAD_AND_RENEWED = Condition(
    name="dead_and_renewed",
    note="Nobody blocks: one relay has died, one came back with other keys, and at one address"
    " there is a TLS server that is none.",
    truths={
        **_all((RELAYS[2], RELAYS[3], PRETENDER), truly("down")),
        **_all((*AUTHORITIES, *RELAYS[:2]), OK),
        VANILLA: OK,
        OBFS4: OK,
    },
    dead=(RELAYS[2],),
    renewed=(RELAYS[3],),
    own=EMAIL[:1],
)
CLOCK = Condition(
    name="clock",
    note="The household's clock is two days behind.",
    truths={**_all(RELAYS[:2], OK), VANILLA: truly("local_fault")},
    clock=-2 * 86400.0,
)
ONLY_IPV6 = Condition(
    name="only_ipv6",
    note="The household has no IPv4: of relays without IPv6 nothing is known.",
    truths={
        **_all(RELAYS[:2], truly("not_measured")),
        **{url_of(daemon, ipv6=True): OK for daemon in (*AUTHORITIES[:2], *RELAYS[:2])},
        VANILLA: OK,
    },
    ipv4=False,
)

SCENES = {
    scene.name: scene
    for scene in (
        Scene(
            name="2016",
            daemons=(*AUTHORITIES, *_SNAPSHOT, *NEWER_RELAYS, *EMAIL[:1], PLAIN_BRIDGE),
            conditions=(SNAPSHOT_2016,),
        ),
        Scene(
            name="2021",
            daemons=(*AUTHORITIES, *RELAYS[:4], *DEFAULT, *EMAIL),
            conditions=(ENUMERATED_2021, DEFAULT_BRIDGES_2021),
        ),
        Scene(
            name="protocol",
            daemons=(*AUTHORITIES, *RELAYS[:4], *EMAIL[:1], PLAIN_BRIDGE),
            conditions=(HELLO, STAND_IN, SQUEEZE),
            pretenders=(PRETENDER,),
        ),
        Scene(
            name="innocent",
            daemons=(*AUTHORITIES, *RELAYS[:4], *EMAIL[:1]),
            conditions=(DEAD_AND_RENEWED, CLOCK, ONLY_IPV6),
            pretenders=(PRETENDER,),
        ),
    )
}
