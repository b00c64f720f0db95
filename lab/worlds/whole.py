"""Situations of the whole country, each with a run of its own.

A `CountryWorld` is a description: worlds to be measured together, with the truth as
it is *here* (not the truth they have in an ordinary country), and what is wrong
with the country meanwhile. Whoever runs it reads the fields; nothing here acts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from lab.censors import a_censor
from lab.certificates import COMMON, RECENT, TRUSTED, Certificate
from lab.middlebox import Rewrite, packed
from lab.packet import ACK, SYN, TCP, UDP, parse
from lab.resolvers import Name, Resolver
from lab.sites import HTML, Fixed, Redirect, Site
from lab.topology import CONTROL_1_ADDRESSES, CONTROL_2_ADDRESSES
from lab.world import Action, Censor, Truth, Way, Wire, World
from lab.worlds.plan import build, names, truly

YEAR = 365 * 86400.0
PORTAL = "93.85.255.1"
BOX = "93.85.255.2"  # the operator's, where one stands
CONTROLS = (*CONTROL_1_ADDRESSES, *CONTROL_2_ADDRESSES)

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
    *forger*: who opens every encrypted connection. *home_resolver*: what the household's
    machine asks instead of the operator's resolver; it runs there. *arguments* go to
    ``zond run``, *environment* to its process. *exits*: exit statuses of ``zond run`` that
    are right, *findings* what the run as a whole shows. *truth* holds for every world
    instead of its own, where it is given.
    """

    name: str
    note: str
    worlds: tuple[World, ...]
    truth: Truth | None = None
    clock: float = 0.0
    roots: tuple[str, ...] = TRUSTED
    controls: tuple[State, State] = ("up", "up")
    ipv6: bool | Literal["broken"] = True
    own_resolver_silent: bool = False
    cuts: tuple[Cut, ...] = ()
    censors: dict[Wire, tuple[Callable[[], Censor], ...]] = field(default_factory=dict)
    sites: tuple[Site, ...] = ()
    zone: tuple[Name, ...] = ()
    forger: Forger | None = None
    home_resolver: Resolver | None = None
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
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


def _some(seed: int, **truths: Truth | None) -> tuple[World, ...]:
    """Worlds by name, with another truth where one is given."""
    return tuple(
        build(name, seed) if truth is None else replace(build(name, seed), truth=truth)
        for name, truth in truths.items()
    )


_NEVER_BLOCKED = truly("ok|local_fault|not_measured")


def canary_lost(seed: int) -> CountryWorld:
    return CountryWorld(
        name="canary_lost",
        note="the line dies while the run is going on, and does not come back",
        worlds=tuple(build("plain_site", seed + n) for n in range(12)),
        truth=_NEVER_BLOCKED,
        cuts=(Cut(wires=(Wire.LINE,), after=3),),
        exits=frozenset({3}),
    )


def line_drops_for_a_while(seed: int) -> CountryWorld:
    return CountryWorld(
        name="line_drops_for_a_while",
        note="the line is dead for a while in the middle of the run",
        worlds=tuple(build("plain_site", seed + n) for n in range(12)),
        truth=truly("ok", note="what the loss spoiled is measured again"),
        cuts=(Cut(wires=(Wire.LINE,), after=3, seconds=12.0),),
    )


def shutdown(seed: int) -> CountryWorld:
    ours = tuple(build("domestic_site", seed + n) for n in range(2))
    theirs = tuple(build("plain_site", seed + n) for n in range(5))
    beyond = truly("ok|inconclusive", note="the outer ring is lost")
    borders = (Wire.BORDER_1, Wire.BORDER_2)
    return CountryWorld(
        name="shutdown",
        note="the country is cut off from abroad during the run; inside all works",
        worlds=(
            *(replace(w, truth=truly("ok|inconclusive")) for w in ours),
            *(replace(w, truth=beyond) for w in theirs),
        ),
        cuts=(Cut(wires=borders, after=3),),
        exits=frozenset({0, 3, 5}),
    )


def _clock(name: str, seconds: float, seed: int) -> CountryWorld:
    return CountryWorld(
        name=name,
        note="the household's clock is a year off; the probe must notice and correct it",
        worlds=_some(
            seed,
            plain_site=None,
            https_only_site=None,
            expired_certificate=None,
            tls_forged=None,
            tls_reset=None,
        ),
        clock=seconds,
    )


def clock_a_year_behind(seed: int) -> CountryWorld:
    return _clock("clock_a_year_behind", -YEAR, seed)


def clock_a_year_ahead(seed: int) -> CountryWorld:
    return _clock("clock_a_year_ahead", YEAR, seed)


def outdated_store(seed: int) -> CountryWorld:
    """Sites with a certificate of a root that the device has never heard of."""
    recent = Certificate(root=RECENT)
    worlds = [
        replace(
            world,
            sites=tuple(
                replace(site, certificate=recent) for site in world.sites if isinstance(site, Site)
            ),
            truth=truly("ok|local_fault", note="the user's store is old; nobody interferes"),
        )
        for world in (build("https_only_site", seed + n) for n in range(3))
    ]
    return CountryWorld(
        name="outdated_store",
        note="the device's certificate store lacks a root of this year",
        worlds=(*worlds, *_some(seed, plain_site=None, tls_forged=None)),
        roots=(COMMON,),
    )


def qa_controls_fail(seed: int) -> CountryWorld:
    """Cases 7 and 8 of OONI's."""
    return CountryWorld(
        name="qa_controls_fail",
        note="the controls are kept from the user, and the sites are fine",
        worlds=tuple(build(name, seed) for name in names("qa_whole")),
        controls=("down", "down"),
    )


def captive_portal(seed: int) -> CountryWorld:
    page = Fixed(
        b"<html><head><title>Wi-Fi</title></head><body><h1>Please log in</h1></body></html>",
        200,
        (HTML, ("Server", "portal")),
    )
    portal = Site(
        names=("login.portal.invalid",),
        addresses=(PORTAL,),
        http=page if seed % 2 else Redirect("http://login.portal.invalid/", 302),
        https=page,
    )
    rules = tuple(Rewrite(address=None, port=port, to=PORTAL, to_port=port) for port in (80, 443))
    return CountryWorld(
        name="captive_portal",
        note="every connection to a web port ends at the login page of a public network",
        worlds=_some(seed, plain_site=None, http_only_site=None, https_only_site=None),
        truth=truly("local_fault|not_measured"),
        ipv6=False,
        censors={Wire.LINE: (a_censor(*rules),)},
        sites=(portal,),
        zone=(Name(name="login.portal.invalid", addresses=(PORTAL,)),),
        exits=frozenset({3}),
    )


def own_resolver_dead(seed: int) -> CountryWorld:
    return CountryWorld(
        name="own_resolver_dead",
        note="the operator's resolver answers nothing at all; other ways to resolve work",
        worlds=_some(seed, plain_site=None, http_only_site=None, https_only_site=None),
        truth=truly("local_fault|not_measured|inconclusive"),
        own_resolver_silent=True,
        exits=frozenset({0, 3, 5}),
    )


def ipv6_broken(seed: int) -> CountryWorld:
    return CountryWorld(
        name="ipv6_broken",
        note="the line has IPv6 addresses and no IPv6 behind them",
        worlds=_some(
            seed,
            plain_site=None,
            many_addresses=None,
            ipv6_of_site_dead=None,
            https_only_site=None,
            tls_reset=None,
            tcp_silence=None,
            site_refuses=None,
        ),
        ipv6="broken",
    )


def controls_down(seed: int) -> CountryWorld:
    """E9 and E10 among them: without a control a failure is not called fine, nor blocked."""
    unsure = truly("inconclusive|blocked", "tls.reset", note="E9: blocked after diagnosis")
    return CountryWorld(
        name="controls_down",
        note="no control can be reached",
        worlds=_some(
            seed,
            https_only_site=None,
            http_only_site=truly("ok|inconclusive", note="nothing to compare the page with"),
            tls_reset=unsure,
            dns_nxdomain=truly("inconclusive|blocked", "dns.nxdomain", note="E10: never ok"),
            http_redirect_beltelecom=None,
            http_blockpage_listed=None,
            name_does_not_exist=truly("inconclusive|down"),
            site_silent=truly("inconclusive|down"),
        ),
        controls=("down", "down"),
    )


def control_blind(seed: int) -> CountryWorld:
    return CountryWorld(
        name="control_blind",
        note="the second control says that everything is down, the first is right",
        worlds=_some(
            seed,
            plain_site=None,
            https_only_site=None,
            http_only_site=None,
            tls_reset=None,
            http_redirect_beltelecom=None,
            site_silent=None,
            name_does_not_exist=None,
        ),
        controls=("up", "blind"),
        censors={Wire.AWAY_2: (lambda: Blind(CONTROL_2_ADDRESSES),)},
    )


def one_control_down(seed: int) -> CountryWorld:
    return CountryWorld(
        name="one_control_down",
        note="the first control cannot be reached; with one the verdict may be weaker",
        worlds=_some(
            seed,
            plain_site=None,
            tls_reset=None,
            tls_forged=None,
            site_silent=None,
            tcp_silence=truly("blocked|inconclusive", "tcp.silence"),
            tcp_refused=truly("blocked|inconclusive", "tcp.refused"),
        ),
        controls=("down", "up"),
    )


def _behind_forger(seed: int, over_tls: Truth) -> tuple[World, ...]:
    """Sites of all kinds where somebody signs for everybody: what is in the clear is as ever."""
    return _some(
        seed,
        http_only_site=None,
        http_redirect_beltelecom=None,
        https_only_site=over_tls,
        domestic_site=truly("|".join(over_tls.outcome) + "|ok", note="its page in the clear"),
        tls_reset=over_tls,
        expired_certificate=truly("|".join(over_tls.outcome) + "|down"),
    )


def antivirus(seed: int) -> CountryWorld:
    return CountryWorld(
        name="antivirus",
        note="a program on the machine signs for everybody by a name that is known",
        worlds=_behind_forger(seed, truly("local_fault")),
        # It is an error of our own if we take away what the controls would have said.
        forger=Forger(
            issuer="ESET SSL Filter CA",
            spares=CONTROLS if seed % 2 else (),
        ),
        ipv6=seed % 3 != 0,
        findings=frozenset({"forger"}),
    )


def unknown_program(seed: int) -> CountryWorld:
    return CountryWorld(
        name="unknown_program",
        note="a program on the machine signs for everybody by a name that nobody knows",
        worlds=_behind_forger(seed, truly("local_fault")),
        forger=Forger(issuer="Northwind Traffic Inspection", spares=CONTROLS),
        findings=frozenset({"forger"}),
    )


def _forged_in_the_network(name: str, note: str, seed: int, issuer: str, truth: Truth) -> (
    CountryWorld
):
    """A box of the operator's to which every encrypted connection but the controls' is led."""
    spared = [
        Rewrite(address=address, port=443, to=address, to_port=443)
        for address in CONTROLS
        if ":" not in address
    ]
    rules = (*spared, Rewrite(address=None, port=443, to=BOX, to_port=443))
    return CountryWorld(
        name=name,
        note=note,
        worlds=_behind_forger(seed, truth),
        forger=Forger(issuer=issuer, addresses=(BOX,)),
        ipv6=False,
        censors={Wire.LINE: (a_censor(*rules),)},
        findings=frozenset({"forger"}),
    )


def network_signs_for_all(seed: int) -> CountryWorld:
    return _forged_in_the_network(
        "network_signs_for_all",
        "a box beyond the household, an employer's or the operator's, signs for everybody",
        seed,
        "Northwind Traffic Inspection",
        truly("inconclusive", note="nobody can tell whose it is"),
    )


def state_signs_for_all(seed: int) -> CountryWorld:
    return _forged_in_the_network(
        "state_signs_for_all",
        "the same, and the name is that of a state's authority",
        seed,
        "Qaznet Trust Network",
        truly("blocked", "tls.forged"),
    )


def some_are_forged(seed: int) -> CountryWorld:
    """The guilty twin: the list is forged, and what nobody blocks is not."""
    return CountryWorld(
        name="some_are_forged",
        note="several sites get certificates of one authority that no store has",
        worlds=(
            *(build("tls_forged", seed + n) for n in range(4)),
            *_some(seed, tls_forged_a1=None, https_only_site=None),
        ),
    )


WHOLE: dict[str, Callable[[int], CountryWorld]] = {
    make.__name__: make
    for make in (
        canary_lost,
        line_drops_for_a_while,
        shutdown,
        clock_a_year_behind,
        clock_a_year_ahead,
        outdated_store,
        captive_portal,
        own_resolver_dead,
        ipv6_broken,
        controls_down,
        control_blind,
        one_control_down,
        qa_controls_fail,
        antivirus,
        unknown_program,
        network_signs_for_all,
        state_signs_for_all,
        some_are_forged,
    )
}
