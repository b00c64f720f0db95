"""What is wrong with the line: it is lost, cut off from abroad, led to a portal, or half there."""

from __future__ import annotations

from dataclasses import replace

from lab.censors import AddressDrop, a_censor
from lab.middlebox import Rewrite
from lab.resolvers import Name
from lab.sites import HTML, Fixed, Redirect, Site
from lab.world import Wire
from lab.worlds import fixtures
from lab.worlds.plan import build, truly
from lab.worlds.whole.situation import CountryWorld, Cut, some

PORTAL = "93.85.255.1"
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
        worlds=some(seed, plain_site=truly("ok"), domestic_site=truly("ok")),
        censors={Wire.LINE: (a_censor(AddressDrop(addresses=silent)),)},
        environment=_OFTEN,
        findings=frozenset({"abroad_lost"}),
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
        worlds=some(seed, plain_site=None, http_only_site=None, https_only_site=None),
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
        worlds=some(seed, plain_site=None, http_only_site=None, https_only_site=None),
        truth=truly("local_fault|not_measured|inconclusive"),
        own_resolver_silent=True,
        exits=frozenset({0, 3, 5}),
    )


def ipv6_broken(seed: int) -> CountryWorld:
    return CountryWorld(
        name="ipv6_broken",
        note="the line has IPv6 addresses and no IPv6 behind them",
        worlds=some(
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
