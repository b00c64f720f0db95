"""The demo's country: the Belarus list, blocked in the ways that are documented.

Not a claim about any site today. Which names are blocked follows from a column of the
list (its risk), how from what was reported of operators: Beltelecom redirected HTTP to
its page and reset TLS from August 2020 (F01, F15), MTS answered DNS with its page (F08),
addresses were blocked in December 2014, a registry took a name away in May 2021.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

from lab.censors import AddressDrop, HTTPDrop, SNIDrop, SNIReset, http_redirect
from lab.middlebox import Rule
from lab.resolvers import OWN, Name
from lab.sites import Redirect, Site, captcha
from lab.world import Censor, Truth, Wire, World
from lab.worlds import fixtures
from lab.worlds.plan import MAX_WORLDS, Plan, known, truly
from testlists import Target

UPLINKS = (Wire.UPLINK_1, Wire.UPLINK_2)
BLOCK_PAGE = f"http://{fixtures.BELTELECOM}/"
GONE = frozenset({"www.tut.by"})  # taken away by the registry: exists nowhere
BY_ADDRESS = frozenset({"naviny.by", "belapan.com"})
CHALLENGED = frozenset({"nordvpn.com", "discord.com"})  # the platform asks who is there
SILENCED = frozenset({"ANON"})  # categories, by name in the TLS hello
FORGED = frozenset({"GMB", "PROV", "ALDR"})  # categories, in DNS

Censors = dict[Wire, tuple[Callable[[], Censor], ...]]


def demo_worlds(targets: Iterable[Target]) -> list[World]:
    """A world for each of *targets*; URLs of one host share its site."""
    hosts: dict[str, World] = {}
    worlds = []
    ours = {name for site in fixtures.SITES for name in site.names}
    for target in targets:
        host = target.hostname
        if host in ours:
            worlds.append(World(name="demo", url=target.url, truth=truly("ok")))
            continue
        first = host not in hosts
        if first:
            hosts[host] = _world(target, Plan("demo", MAX_WORLDS - 1, len(hosts)))
        shared = hosts[host]
        worlds.append(
            World(
                name="demo", url=target.url, truth=shared.truth,
                sites=shared.sites if first else (), zone=shared.zone if first else (),
                censors=shared.censors if first else {},
            )
        )  # fmt: skip
    return worlds


def _world(target: Target, plan: Plan) -> World:
    host = target.hostname
    page = captcha() if host in CHALLENGED else plan.article(host)
    site = Site(
        names=(host,),
        addresses=plan.addresses(),
        # A plain URL on the list is there because the page is served over HTTP too.
        http=page if target.url.startswith("http://") else Redirect(),
        https=page,
        h2=plan.chance.random() < 0.7,
    )
    truth, rules, lies = _fate(target, site)
    zone = (Name(name=host, kind="nxdomain"),) if host in GONE else (known(site), *lies)
    censors: Censors = plan.censors(*rules, at=UPLINKS) if rules else {}
    return World(
        name="demo", url=target.url, truth=truth, sites=(site,), zone=zone, censors=censors
    )


def _fate(target: Target, site: Site) -> tuple[Truth, tuple[Rule, ...], tuple[Name, ...]]:
    host, category = target.hostname, target.category
    rules: tuple[Rule, ...]
    if host in GONE:
        return truly("down"), (), ()
    if host in CHALLENGED:
        return truly("server_side", note="or ok: the controls meet the challenge too"), (), ()
    if host in BY_ADDRESS:
        rules = tuple(AddressDrop(addresses=(address,)) for address in site.addresses)
        return truly("blocked", "tcp.silence"), rules, ()
    if category in SILENCED:
        rules = (SNIDrop(names=(host,)), HTTPDrop(names=(host,)))
        return truly("blocked", "tls.silence|http.silence"), rules, ()
    if category in FORGED:
        lie = Name(name=host, addresses=(fixtures.MTS,), at=(OWN,))
        return truly("blocked", "dns.substituted"), (), (lie,)
    if target.risk == "high":
        rules = (SNIReset(names=(host,)), http_redirect((host,), BLOCK_PAGE))
        return truly("blocked", "tls.reset|http.redirect"), rules, ()
    return truly("ok"), (), ()


def write_list(path: Path, targets: Iterable[Target]) -> None:
    """*targets* as a list file in Citizen Lab's columns and ours."""
    columns = ("url", "category_code", "category_description", "date_added", "source", "notes")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow((*columns, "risk"))
        for t in targets:
            writer.writerow((t.url, t.category, "", t.date_added, t.source, t.notes, t.risk))
