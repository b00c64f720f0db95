"""Worlds where somebody interferes and the page is reached all the same."""

from __future__ import annotations

from lab.censors import AddressDrop, DNSInject, HTTPAlter
from lab.resolvers import OWN, Name
from lab.sites import Site
from lab.world import Wire, World
from lab.worlds.plan import Plan, known, truly, world

TRACKER = b'<script src="/ads/abonent.js"></script>'


def led_to_proxy(plan: Plan) -> tuple[Site, Site]:
    """A site, and a proxy at another address that passes everything on unchanged."""
    page = plan.article()
    site = plan.site(page, addresses=(plan.address(),))
    proxy = plan.site(page, addresses=(plan.address(),), h2=site.h2)
    return site, proxy


@world("hindered")
def dns_hijack_to_proxy_http(plan: Plan) -> World:
    """Only the operator's resolver names the proxy, and the true certificate is shown there.

    Nobody can tell that from an edge of a content network (see the innocent
    ``address_for_each_resolver``), so to find nothing is right.
    """
    plan.scheme = "http"
    site, proxy = led_to_proxy(plan)
    lies = Name(name=plan.host, addresses=proxy.addresses, at=(OWN,))
    return plan.world_of(
        truly("ok", note="reached through somebody else's proxy, which leaves no mark"),
        site,
        proxy,
        zone=(known(site), lies),
    )


@world("hindered")
def dns_injection_of_proxy_https(plan: Plan) -> World:
    plan.scheme = "https"
    site, proxy = led_to_proxy(plan)
    rule = DNSInject(names=(plan.host,), answers=proxy.addresses)
    return plan.world_of(
        truly("ok", "dns.injected"),
        site,
        proxy,
        zone=(known(site),),
        censors=plan.censors(rule, at=(Wire.LINE,)),
    )


@world("hindered")
def dns_injected_at_public_resolvers_only(plan: Plan) -> World:
    """The user's own resolver is honest; only who asks abroad is lied to."""
    site = plan.site()
    rule = DNSInject(names=(plan.host,), answers=(plan.address(),))
    censors = plan.censors(rule, at=(Wire.UPLINK_1, Wire.UPLINK_2))
    return plan.world_of(truly("ok", "dns.injected"), site, censors=censors)


@world("hindered")
def one_address_of_two_dropped(plan: Plan) -> World:
    site = plan.site(addresses=(plan.address(), plan.address()))
    rule = AddressDrop(addresses=site.addresses[:1])
    return plan.world_of(truly("ok", "tcp.silence"), site, censors=plan.censors(rule))


@world("hindered")
def script_added_to_page(plan: Plan) -> World:
    """An operator puts a script into pages: the page is there, and it is not what was sent."""
    plan.scheme = "http"
    site = plan.site(plan.article(language="en", paragraphs=1))

    def change(page: bytes) -> bytes:
        return page.replace(b"</body>", TRACKER + b"</body>")

    rule = HTTPAlter(names=(plan.host,), change=change)
    return plan.world_of(
        truly("ok|blocked", "http.altered", note="altered, and readable"),
        site,
        censors=plan.censors(rule),
    )
