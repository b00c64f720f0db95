"""What is documented of single operators, each seen by one of its customers.

From the sources of the regime: how Beltelecom, A1, MTS and Business Network blocked in
2020 (Qurium, OONI; fingerprints F01 to F15), the injector against Tor relays of 2016
(F14), and the days of August 2020 when all TLS to foreign addresses was filtered,
whatever it named. Where in their networks the boxes stand and whether they are in the
path is not documented: the places here are ours, chosen so that both are tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lab.censors import DNSInject, RelayReset, SNIDrop, SNIReset, http_redirect
from lab.certificates import A1_FORGED
from lab.middlebox import Rule
from lab.resolvers import OWN, Name
from lab.sites import Site
from lab.splice import SNIForge
from lab.topology import (
    A1,
    BELTELECOM,
    BUSINESS_NETWORK,
    CONTROL_1_ADDRESSES,
    CONTROL_2_ADDRESSES,
    MTS,
    Household,
)
from lab.world import Censor, Truth, Wire, World
from lab.worlds import fixtures
from lab.worlds.cells import HOPS
from lab.worlds.plan import Plan, build, known, truly, world

RELAY_PORT = 9001
_TTL_OF_RELAY_RESETS = 125  # as it arrived at the customer's


@dataclass(frozen=True, kw_only=True)
class Profile:
    """An operator at a time: *worlds* by name, measured by its customer in *household*."""

    name: str
    note: str
    household: Household
    worlds: tuple[str, ...]

    def build(self, seed: int = 0) -> tuple[World, ...]:
        return tuple(build(name, seed) for name in self.worlds)


def _at(hop: int, *rules: Rule, plan: Plan) -> dict[Wire, tuple[Callable[[], Censor], ...]]:
    return plan.censors(*rules, at=HOPS[hop])


def _redirect(
    plan: Plan, hop: int, location: str, fingerprints: tuple[str, ...], *, in_path: bool
) -> World:
    plan.scheme = "http"
    rule = http_redirect((plan.host,), location, drop_original=in_path, mutes=in_path)
    truth = truly(
        "blocked", "http.redirect", "http.redirect|http.blockpage", trigger="name", hop=hop,
        position="in-path" if in_path else "on-path", residual=False, fingerprints=fingerprints,
    )  # fmt: skip
    return plan.world_of(truth, plan.site(), censors=_at(hop, rule, plan=plan))


def _reset(plan: Plan, hop: int, rule: Rule, fingerprint: str) -> World:
    plan.scheme = "https"
    truth = truly(
        "blocked", "tls.reset", trigger="name", hop=hop, position="on-path", residual=False,
        fingerprints=(fingerprint,),
    )  # fmt: skip
    return plan.world_of(truth, plan.site(), censors=_at(hop, rule, plan=plan))


def _own_resolver_says(plan: Plan, lie: str, truth: Truth) -> World:
    site = plan.site()
    lies = Name(name=plan.host, addresses=(lie,), at=(OWN,))
    return plan.world_of(truth, site, zone=(known(site), lies))


@world("profile", "beltelecom/redirect")
def beltelecom_redirect(plan: Plan) -> World:
    location = f"http://{fixtures.BELTELECOM}/"
    return _redirect(plan, 2, location, ("F01", "F01|F02|F03"), in_path=False)


@world("profile", "beltelecom/reset")
def beltelecom_reset(plan: Plan) -> World:
    """Since 22 August 2020."""
    return _reset(plan, 2, SNIReset(names=(plan.host,)), "F15")


@world("profile", "a1/redirect")
def a1_redirect(plan: Plan) -> World:
    return _redirect(plan, 1, fixtures.A1_URL, ("F05", "F03|F05|F06"), in_path=True)


@world("profile", "a1/forged")
def a1_forged(plan: Plan) -> World:
    """The transparent proxy shows a certificate of its own for what is listed."""
    plan.scheme = "https"
    page = plan.article()
    site = plan.site(page)
    proxy = Site(
        names=site.names, addresses=fixtures.FORGERS, https=page, certificate=A1_FORGED
    )
    truth = truly(
        "blocked", "tls.forged", trigger="name", hop=2, position="in-path", residual=False,
        fingerprints=("F07",),
    )  # fmt: skip
    rule = SNIForge(names=(plan.host,), to=fixtures.FORGERS)
    censors = _at(2, rule, plan=plan)
    return plan.world_of(truth, site, proxy, zone=(known(site),), censors=censors)


@world("profile", "mts/dns")
def mts_dns(plan: Plan) -> World:
    truth = truly(
        "blocked", "dns.substituted", trigger="name", fingerprints=("F08", "F08|F09|F10")
    )
    return _own_resolver_says(plan, fixtures.MTS, truth)


@world("profile", "mts/dns_injected")
def mts_dns_injected(plan: Plan) -> World:
    """The same answer, given on the line whoever is asked."""
    site = plan.site()
    rule = DNSInject(names=(plan.host,), answers=(fixtures.MTS,))
    truth = truly(
        "blocked", "dns.injected", trigger="name", hop=1, position="on-path",
        fingerprints=("F08", "F08|F09|F10"),
    )  # fmt: skip
    return plan.world_of(truth, site, censors=_at(1, rule, plan=plan))


@world("profile", "mts/redirect")
def mts_redirect(plan: Plan) -> World:
    return _redirect(plan, 2, fixtures.MTS_URL, ("F09", "F03|F09|F10"), in_path=True)


@world("profile", "business_network/redirect")
def business_network_redirect(plan: Plan) -> World:
    location = f"http://{fixtures.BUSINESS_NETWORK}/"
    return _redirect(plan, 1, location, ("F11", "F03|F11"), in_path=False)


@world("profile", "business_network/reset")
def business_network_reset(plan: Plan) -> World:
    rule = SNIReset(names=(plan.host,), acknowledging=True, window=502)
    return _reset(plan, 1, rule, "F12")


@world("profile", "business_network/dns")
def business_network_dns(plan: Plan) -> World:
    truth = truly("blocked", "dns.substituted", trigger="name", fingerprints=("F13", "F03|F13"))
    return _own_resolver_says(plan, fixtures.BUSINESS_NETWORK, truth)


def _relay(plan: Plan) -> Site:
    """TLS on the relay's port, its directory in plain on port 80."""
    page = plan.article()
    return plan.site(page, http=page, https=None, ports=((RELAY_PORT, "https", page),))


@world("profile", "tor_2016/relay_port")
def tor_relay_port(plan: Plan) -> World:
    site, hop = _relay(plan), 2
    rule = RelayReset(
        addresses=site.addresses, ports=(RELAY_PORT,), ttl=_TTL_OF_RELAY_RESETS + hop - 1
    )
    truth = truly(
        "blocked", "tcp.reset|tls.reset", trigger="address|port", hop=hop, position="on-path",
        fingerprints=("F14",),
    )  # fmt: skip
    url = f"https://{plan.host}:{RELAY_PORT}/"
    return plan.world_of(truth, site, url=url, censors=_at(hop, rule, plan=plan))


@world("profile", "tor_2016/directory_port")
def tor_directory_port(plan: Plan) -> World:
    """Of the same relay: it stays open."""
    site = _relay(plan)
    rule = RelayReset(addresses=site.addresses, ports=(RELAY_PORT,))
    url = f"http://{plan.host}/"
    return plan.world_of(truly("ok"), site, url=url, censors=_at(2, rule, plan=plan))


@world("profile", "tor_2016/unlisted_bridge")
def tor_unlisted_bridge(plan: Plan) -> World:
    return plan.world_of(truly("ok"), _relay(plan), url=f"https://{plan.host}:{RELAY_PORT}/")


# Without controls nobody could tell; they are reached another way, or nobody minds them.
_SPARED = (*CONTROL_1_ADDRESSES, *CONTROL_2_ADDRESSES)


@world("profile", "august_2020/foreign_https")
def foreign_https(plan: Plan) -> World:
    plan.scheme = "https"
    truth = truly("blocked", "tls.silence", trigger="protocol", hop=3, position="in-path")
    rule = SNIDrop(every="any", spared=_SPARED)
    return plan.world_of(truth, plan.site(), censors=_at(3, rule, plan=plan))


@world("profile", "august_2020/foreign_http")
def foreign_http(plan: Plan) -> World:
    site = plan.site(https=None, http=plan.article())
    return plan.world_of(truly("ok"), site, url=f"http://{plan.host}/")


@world("profile", "august_2020/domestic_https")
def domestic_https(plan: Plan) -> World:
    plan.scheme = "https"
    return plan.world_of(truly("ok"), plan.site(addresses=(plan.address("93.125.0.0/17"),)))


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            name="beltelecom", note="AS6697, 2020", household=BELTELECOM,
            worlds=("beltelecom/redirect", "beltelecom/reset"),
        ),
        Profile(
            name="a1", note="AS42772 and the former Atlant, 2020", household=A1,
            worlds=("a1/redirect", "a1/forged"),
        ),
        Profile(
            name="mts", note="AS25106, 2020", household=MTS,
            worlds=("mts/dns", "mts/dns_injected", "mts/redirect"),
        ),
        Profile(
            name="business_network", note="AS12406, 2020 and later", household=BUSINESS_NETWORK,
            worlds=(
                "business_network/redirect", "business_network/reset", "business_network/dns",
            ),
        ),
        Profile(
            name="tor_2016", note="AS6697, December 2016", household=BELTELECOM,
            worlds=(
                "tor_2016/relay_port", "tor_2016/directory_port", "tor_2016/unlisted_bridge",
            ),
        ),
        Profile(
            name="august_2020", note="August 2020: all TLS to foreign addresses",
            household=BELTELECOM,
            worlds=(
                "august_2020/foreign_https", "august_2020/foreign_http",
                "august_2020/domestic_https",
            ),
        ),
    )
}  # fmt: skip
