"""The resolver that the household chose lies about some names, and the operator about others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from lab.resolvers import ADGUARD, HOME, OWN, Name, Resolver
from lab.sites import HTML, Fixed, Site
from lab.world import Truth, World
from lab.worlds.plan import build, truly
from lab.worlds.whole.situation import CountryWorld, some

FILTER_PAGE = "185.70.40.9"  # where a family filter leads
MUTE = "178.124.130.99"  # asks for the operator's resolver, and answers nobody


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
            *some(seed, dns_injected=_BEYOND_HOME, tls_reset=None),
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
            *some(seed, dns_injected=None, plain_site=None, tls_reset=None),
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
            *some(seed, dns_injected=_BEYOND_HOME, plain_site=None),
        ),
        zone=(Name(name="mute.invalid", addresses=(MUTE,)),),
        resolver=Resolver(name=HOME, addresses=("192.168.1.1",)),
        config='[resolvers]\nwhoami = "mute.invalid"\n',
    )
