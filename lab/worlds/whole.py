"""Situations of the whole country, each with a run of its own.

A `CountryWorld` is a description: worlds to be measured together, with the truth as
it is *here* (not the truth they have in an ordinary country), and what is wrong
with the country meanwhile. Whoever runs it reads the fields; nothing here acts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import urlsplit

from lab.censors import AddressDrop, a_censor
from lab.certificates import COMMON, RECENT, TRUSTED, Certificate
from lab.middlebox import Rewrite, packed
from lab.packet import ACK, SYN, TCP, UDP, parse
from lab.resolvers import ADGUARD, HOME, OWN, Name, Resolver
from lab.sites import HTML, Fixed, Redirect, Site
from lab.topology import (
    CONTROL_1_ADDRESSES,
    CONTROL_2_ADDRESSES,
    OPERATOR_RESOLVER_ADDRESSES,
)
from lab.vpn import VPN
from lab.world import Action, Censor, Truth, Way, Wire, World
from lab.worlds import fixtures
from lab.worlds.plan import build, names, truly

YEAR = 365 * 86400.0
PORTAL = "93.85.255.1"
BOX = "93.85.255.2"  # the operator's, where one stands
FILTER_PAGE = "185.70.40.9"  # where a family filter leads
MUTE = "178.124.130.99"  # asks for the operator's resolver, and answers nobody
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


def _some(seed: int, **truths: Truth | None) -> tuple[World, ...]:
    """Worlds by name, with another truth where one is given."""
    return tuple(
        build(name, seed) if truth is None else replace(build(name, seed), truth=truth)
        for name, truth in truths.items()
    )


_OFTEN = {"ZOND_LIMITS__CANARY_SECONDS": "2.0"}  # looks, so that a short run has many
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
        environment=_OFTEN,
        exits=frozenset({0, 3, 5}),
        findings=frozenset({"shutdown"}),
    )


def abroad_lost_for_a_moment(seed: int) -> CountryWorld:
    return CountryWorld(
        name="abroad_lost_for_a_moment",
        note="the ways abroad are cut for some seconds, as where a route flaps: no shutdown",
        worlds=tuple(build("plain_site", seed + n) for n in range(8)),
        truth=truly("ok|inconclusive"),
        cuts=(Cut(wires=(Wire.BORDER_1, Wire.BORDER_2), after=3, seconds=9.0),),
        environment=_OFTEN,
        findings=frozenset({"abroad_lost"}),
    )


def canaries_blocked(seed: int) -> CountryWorld:
    """The foreign canaries are blocked by address, and nothing else abroad is."""
    silent = tuple(
        address
        for site in fixtures.SITES
        if site.names[0] in ("www.wikipedia.org", "www.debian.org")
        for address in site.addresses
    )
    return CountryWorld(
        name="canaries_blocked",
        note="sites that everybody takes for certain are blocked; abroad is there",
        worlds=_some(seed, plain_site=truly("ok"), domestic_site=truly("ok")),
        censors={Wire.LINE: (a_censor(AddressDrop(addresses=silent)),)},
        environment=_OFTEN,
        findings=frozenset({"abroad_lost"}),
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
        findings=frozenset({"wrong_clock"}),
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
        findings=frozenset({"captive_portal"}),
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
    """E9 and E10 among them: without a control a failure is not called fine, nor blocked, but for
    what the ladder shows."""
    shown = truly("blocked", "tls.reset", trigger="name", note="E9: the ladder shows it")
    return CountryWorld(
        name="controls_down",
        note="no control can be reached",
        worlds=_some(
            seed,
            https_only_site=None,
            http_only_site=truly("ok|inconclusive", note="nothing to compare the page with"),
            tls_reset=shown,
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
        http_only_site=truly("ok|inconclusive", note="the controls may be kept away, too"),
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


def _forged_in_the_network(
    name: str, note: str, issuer: str, worlds: tuple[World, ...]
) -> CountryWorld:
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
        worlds=worlds,
        forger=Forger(issuer=issuer, addresses=(BOX,)),
        ipv6=False,
        censors={Wire.LINE: (a_censor(*rules),)},
        findings=frozenset({"forger"}),
    )


def network_signs_for_all(seed: int) -> CountryWorld:
    return _forged_in_the_network(
        "network_signs_for_all",
        "a box beyond the household, an employer's or the operator's, signs for everybody",
        "Northwind Traffic Inspection",
        _behind_forger(seed, truly("inconclusive", note="nobody can tell whose it is")),
    )


def _forged_at_the_first_hop(name: str, note: str, seed: int, truth: Truth) -> CountryWorld:
    box = OPERATOR_RESOLVER_ADDRESSES[0]
    spared = [
        Rewrite(address=address, port=443, to=address, to_port=443)
        for address in CONTROLS
        if ":" not in address
    ]
    rules = (*spared, Rewrite(address=None, port=443, to=box, to_port=443))
    return CountryWorld(
        name=name,
        note=note,
        worlds=_behind_forger(seed, truth),
        forger=Forger(issuer="Northwind Traffic Inspection", addresses=(box,)),
        ipv6=False,
        censors={Wire.LINE: (a_censor(*rules),)},
        findings=frozenset({"forger"}),
    )


def router_signs_for_all(seed: int) -> CountryWorld:
    return replace(
        _forged_at_the_first_hop(
            "router_signs_for_all",
            "the household's own router signs for everybody by a name that nobody knows",
            seed,
            truly("local_fault"),
        ),
        private_router=True,
    )


def access_network_signs_for_all(seed: int) -> CountryWorld:
    return _forged_at_the_first_hop(
        "access_network_signs_for_all",
        "the first router signs for everybody, and it is the operator's",
        seed,
        truly("inconclusive"),
    )


def router_resets(seed: int) -> CountryWorld:
    """A parents' filter in the home router, and the operator's censor behind it."""
    worlds = [build("tls_reset", seed + n) for n in range(4)]
    rules = [next(iter(world.censors.values())) for world in worlds]
    at_home = truly("local_fault", note="it is the router at home that resets")
    return CountryWorld(
        name="router_resets",
        note="the household's own router resets some names, the border others",
        worlds=(
            *(
                replace(world, censors={Wire.LINE: rule}, truth=at_home)
                for world, rule in zip(worlds[:2], rules[:2], strict=True)
            ),
            *(
                replace(world, censors={Wire.BORDER_1: rule, Wire.BORDER_2: rule})
                for world, rule in zip(worlds[2:], rules[2:], strict=True)
            ),
            build("plain_site", seed),
        ),
        private_router=True,
    )


def state_signs_for_all(seed: int) -> CountryWorld:
    return _forged_in_the_network(
        "state_signs_for_all",
        "the same, and the name is that of a state's authority",
        "Qaznet Trust Network",
        tuple(
            replace(build("https_only_site", seed + n), truth=truly("blocked", "tls.forged"))
            for n in range(3)
        ),
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


def _told(world: World, at: str, truth: Truth, **said: Any) -> World:
    """*world*, of whose name the resolver *at* says something of its own."""
    host = urlsplit(world.url).hostname
    assert host is not None
    return replace(world, zone=(*world.zone, Name(name=host, at=(at,), **said)), truth=truth)


def _forwarded(world: World) -> World:
    """*world*, where the resolver at home tells what the operator's has told it."""
    zone = (
        replace(entry, at=(OWN, HOME)) if isinstance(entry, Name) and entry.at == (OWN,) else entry
        for entry in world.zone
    )
    return replace(world, zone=tuple(zone))


_AT_HOME = truly("local_fault", note="the household's resolver lies, not the country's")
_BEYOND_HOME = truly(
    "ok|blocked", "dns.injected", note="what is asked within the household meets no injector"
)


def _filtered(name: str, note: str, seed: int, resolver: Resolver) -> CountryWorld:
    """Some names are lied about by the household's resolver, others by the operator's."""
    at = resolver.name
    return CountryWorld(
        name=name,
        note=note,
        worlds=(
            _told(build("https_only_site", seed), at, _AT_HOME, kind="nxdomain"),
            _told(build("https_only_site", seed + 1), at, _AT_HOME, addresses=("0.0.0.0",)),  # noqa: S104
            _told(build("plain_site", seed), at, _AT_HOME, addresses=("192.168.1.1",)),
            _told(build("plain_site", seed + 1), at, _AT_HOME, addresses=(FILTER_PAGE,)),
            *(
                _forwarded(build(name, seed))
                for name in ("dns_nxdomain", "dns_refused", "dns_substituted", "dns_bogon")
            ),
            build("plain_site", seed + 2),
            *_some(seed, dns_injected=_BEYOND_HOME, tls_reset=None),
        ),
        sites=(
            Site(names=("filter.invalid",), addresses=(FILTER_PAGE,),
                 http=Fixed(b"<title>Not for children</title>Ask your parents.", 200, (HTML,))),
        ),
        resolver=resolver,
    )


def router_filters(seed: int) -> CountryWorld:
    return _filtered(
        "router_filters",
        "the home router's resolver lies about some names, and forwards the operator's lies",
        seed,
        Resolver(name=HOME, addresses=("192.168.1.1",)),
    )


def program_filters(seed: int) -> CountryWorld:
    return _filtered(
        "program_filters",
        "a program on the machine is its resolver, and lies about some names",
        seed,
        Resolver(name=HOME, addresses=("127.0.0.53",)),
    )


def chosen_resolver_filters(seed: int) -> CountryWorld:
    """A filter abroad that the user chose lies about some names; the operator injects others."""
    return CountryWorld(
        name="chosen_resolver_filters",
        note="the machine is set to a filtering resolver in another country",
        worlds=(
            _told(build("https_only_site", seed), ADGUARD.name, _AT_HOME, kind="nxdomain"),
            _told(
                build("plain_site", seed + 1), ADGUARD.name, _AT_HOME, addresses=(FILTER_PAGE,)
            ),
            *_some(seed, dns_injected=None, plain_site=None, tls_reset=None),
        ),
        resolver=ADGUARD,
    )


def resolver_behind_is_mute(seed: int) -> CountryWorld:
    """Whose the lie is cannot be told: who asks the world answers nobody."""
    unsure = truly("inconclusive", note="the router's lie, or the operator's that it forwards")
    return CountryWorld(
        name="resolver_behind_is_mute",
        note="the home router's resolver lies, and the one behind it answers operators only",
        worlds=(
            _told(build("https_only_site", seed), HOME, unsure, kind="nxdomain"),
            replace(_forwarded(build("dns_nxdomain", seed)), truth=unsure),
            *_some(seed, dns_injected=_BEYOND_HOME, plain_site=None),
        ),
        zone=(Name(name="mute.invalid", addresses=(MUTE,)),),
        resolver=Resolver(name=HOME, addresses=("192.168.1.1",)),
        config='[resolvers]\nwhoami = "mute.invalid"\n',
    )


_MINSK = {"TZ": "Europe/Minsk"}


def _vpn(seed: int) -> VPN:
    """Of a company that hosts servers abroad (AS9009, AS39351)."""
    network = ("146.70.52", "193.138.218")[seed % 2]
    return VPN(
        device=("tun0", "wg0")[seed % 2], server=f"{network}.9", exit=f"{network}.{seed + 10}"
    )


def vpn_left_on(seed: int) -> CountryWorld:
    return CountryWorld(
        name="vpn_left_on",
        note="all traffic leaves in another country; nothing may be measured by mistake",
        worlds=_some(seed, plain_site=None, tls_reset=None, dns_nxdomain=None),
        truth=truly("local_fault|not_measured"),
        ipv6=False,
        vpn=_vpn(seed),
        environment=_MINSK,
        exits=frozenset({3}),
        findings=frozenset({"vpn"}),
    )


def vpn_on_purpose(seed: int) -> CountryWorld:
    """What is found is about the network at the other end, where nobody resets."""
    return CountryWorld(
        name="vpn_on_purpose",
        note="the same, and the user has said that this is meant",
        worlds=_some(
            seed,
            plain_site=None,
            tls_reset=truly("ok", note="the censor is in the country, which is not measured"),
        ),
        ipv6=False,
        vpn=_vpn(seed),
        resolver=ADGUARD,
        arguments=("--vpn-ok",),
        environment=_MINSK,
        findings=frozenset({"vpn"}),
    )


WHOLE: dict[str, Callable[[int], CountryWorld]] = {
    make.__name__: make
    for make in (
        canary_lost,
        line_drops_for_a_while,
        shutdown,
        abroad_lost_for_a_moment,
        canaries_blocked,
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
        router_signs_for_all,
        access_network_signs_for_all,
        router_resets,
        state_signs_for_all,
        some_are_forged,
        router_filters,
        program_filters,
        chosen_resolver_filters,
        resolver_behind_is_mute,
        vpn_left_on,
        vpn_on_purpose,
    )
}
