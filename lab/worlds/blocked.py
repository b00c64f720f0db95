"""Worlds where somebody keeps the page from the user: each mechanism in turn, then together."""

from __future__ import annotations

from collections.abc import Callable

from lab.censors import (
    AddressDrop,
    AddressRefuse,
    AddressReset,
    AddressUnreachable,
    DNSDrop,
    DNSInject,
    HTTPAlter,
    HTTPClose,
    HTTPDrop,
    HTTPInjectPage,
    HTTPReset,
    SNIClose,
    SNIDrop,
    SNIReset,
    http_redirect,
    sni_alert,
)
from lab.certificates import A1_FORGED, SELF_MADE, Certificate
from lab.middlebox import Rewrite, Rule
from lab.resolvers import OWN, Kind, Name
from lab.sites import Page, Redirect, Site
from lab.text import page_html
from lab.world import Wire, World
from lab.worlds import fixtures
from lab.worlds.plan import DOMESTIC, Plan, known, truly, world

LINE = (Wire.LINE,)
UPLINKS = (Wire.UPLINK_1, Wire.UPLINK_2)
ROUTERS = ("93.84.4.6", "2a02:2208:1:1::6")  # a box between routers, with addresses of its own


def own_resolver_says(
    plan: Plan, truth: str, *, kind: Kind = "answer", lie: tuple[str, ...] = ()
) -> World:
    """A site that everybody resolves but the operator's resolver, which says otherwise."""
    site = plan.site()
    lies = Name(name=plan.host, addresses=lie, kind=kind, at=(OWN,))
    return plan.world_of(truly("blocked", truth), site, zone=(known(site), lies))


@world("blocked")
def dns_nxdomain(plan: Plan) -> World:
    return own_resolver_says(plan, "dns.nxdomain", kind="nxdomain")


@world("blocked")
def dns_refused(plan: Plan) -> World:
    return own_resolver_says(plan, "dns.refused", kind="refused")


@world("blocked")
def dns_servfail(plan: Plan) -> World:
    return own_resolver_says(plan, "dns.servfail", kind="servfail")


@world("blocked")
def dns_empty(plan: Plan) -> World:
    return own_resolver_says(plan, "dns.empty")


@world("blocked")
def dns_silence(plan: Plan) -> World:
    return own_resolver_says(plan, "dns.silence", kind="silence")


@world("blocked")
def dns_silence_on_the_line(plan: Plan) -> World:
    """Queries for the name vanish on the way to every resolver that is asked in plain."""
    site = plan.site()
    censors = plan.censors(DNSDrop(names=(plan.host,)), at=LINE)
    return plan.world_of(truly("blocked", "dns.silence"), site, censors=censors)


@world("blocked")
def dns_bogon(plan: Plan) -> World:
    lie = plan.chance.choice(("127.0.0.1", "10.10.34.36", "192.168.1.1", "100.64.7.7"))
    return own_resolver_says(plan, "dns.bogon", lie=(lie,))


@world("blocked")
def dns_substituted(plan: Plan) -> World:
    """The operator's resolver leads to a block page that is in no list."""
    site = plan.site()
    server = Site(
        names=(plan.name(tld="by"),),
        addresses=(plan.address(*DOMESTIC),),
        http=fixtures.block_page(fixtures.UNLISTED_PAGE),
    )
    lies = Name(name=plan.host, addresses=server.addresses, at=(OWN,))
    return plan.world_of(
        truly("blocked", "dns.substituted"), site, server, zone=(known(site), lies)
    )


@world("blocked")
def dns_substituted_mts(plan: Plan) -> World:
    return own_resolver_says(plan, "dns.substituted", lie=(fixtures.MTS,))


@world("blocked")
def dns_substituted_business_network(plan: Plan) -> World:
    return own_resolver_says(plan, "dns.substituted", lie=(fixtures.BUSINESS_NETWORK,))


@world("blocked")
def dns_to_block_page_over_http(plan: Plan) -> World:
    """E2: the block page sends Content-Length, as every real one does."""
    plan.scheme = "http"
    return own_resolver_says(plan, "dns.substituted", lie=(fixtures.BELTELECOM,))


@world("blocked")
def dns_injected(plan: Plan) -> World:
    """On the line, whatever resolver is asked; the true answer comes after."""
    site = plan.site()
    server = Site(
        names=(plan.name(tld="by"),),
        addresses=(plan.address(*DOMESTIC),),
        http=fixtures.block_page(fixtures.UNLISTED_PAGE),
    )
    rule = DNSInject(names=(plan.host,), answers=server.addresses)
    censors = plan.censors(rule, at=LINE)
    return plan.world_of(
        truly("blocked", "dns.injected"), site, server, zone=(known(site),), censors=censors
    )


@world("blocked")
def dns_injected_beyond(plan: Plan) -> World:
    """At the uplinks; the operator's resolver stands before them and has believed the forgery."""
    site = plan.site()
    forged = (plan.address(*DOMESTIC),)
    server = Site(
        names=(plan.name(tld="by"),),
        addresses=forged,
        http=fixtures.block_page(fixtures.UNLISTED_PAGE),
    )
    censors = plan.censors(DNSInject(names=(plan.host,), answers=forged), at=UPLINKS)
    lies = Name(name=plan.host, addresses=forged, at=(OWN,))
    return plan.world_of(
        truly("blocked", "dns.injected", "dns.injected|dns.substituted"),
        site,
        server,
        zone=(known(site), lies),
        censors=censors,
    )


@world("blocked")
def dns_injected_nxdomain(plan: Plan) -> World:
    site = plan.site()
    censors = plan.censors(DNSInject(names=(plan.host,), rcode="NXDOMAIN"), at=LINE)
    return plan.world_of(truly("blocked", "dns.injected|dns.nxdomain"), site, censors=censors)


def at_its_addresses(plan: Plan, truth: str, rule: Callable[..., Rule], **more: object) -> World:
    site = plan.site()
    censors = plan.censors(rule(addresses=site.addresses, **more))
    return plan.world_of(truly("blocked", truth), site, censors=censors)


@world("blocked")
def tcp_silence(plan: Plan) -> World:
    return at_its_addresses(plan, "tcp.silence", AddressDrop)


@world("blocked")
def tcp_refused(plan: Plan) -> World:
    return at_its_addresses(plan, "tcp.refused", AddressRefuse)


@world("blocked")
def tcp_reset(plan: Plan) -> World:
    return at_its_addresses(plan, "tcp.reset", AddressReset)


@world("blocked")
def tcp_unreachable(plan: Plan) -> World:
    code = plan.chance.choice((1, 13))
    return at_its_addresses(
        plan,
        "tcp.unreachable",
        AddressUnreachable,
        routers=ROUTERS,
        code=code,
    )


def by_name(plan: Plan, truth: str, rule: Rule, site: Site | None = None) -> World:
    censors = plan.censors(rule)
    return plan.world_of(truly("blocked", truth), site or plan.site(), censors=censors)


def over_https(plan: Plan) -> tuple[str, ...]:
    plan.scheme = "https"
    return (plan.host,)


def over_http(plan: Plan) -> tuple[str, ...]:
    plan.scheme = "http"
    return (plan.host,)


@world("blocked")
def tls_silence(plan: Plan) -> World:
    return by_name(plan, "tls.silence", SNIDrop(names=over_https(plan)))


@world("blocked")
def tls_reset(plan: Plan) -> World:
    names = over_https(plan)
    business_network = plan.chance.random() < 0.3  # F12: RST,ACK with this window
    rule = (
        SNIReset(names=names, acknowledging=True, window=502)
        if business_network
        else SNIReset(names=names, to_server=plan.chance.random() < 0.5)
    )
    return by_name(plan, "tls.reset", rule)


@world("blocked")
def tls_closed(plan: Plan) -> World:
    return by_name(plan, "tls.closed", SNIClose(names=over_https(plan)))


@world("blocked")
def tls_alert(plan: Plan) -> World:
    alert = plan.chance.choice((40, 49, 80, 112))
    return by_name(plan, "tls.alert", sni_alert(over_https(plan), alert))


@world("blocked")
def tls_reset_behind_redirect(plan: Plan) -> World:
    """The list says http; the site leads to https, and there the name is reset."""
    plan.scheme = "http"
    page = plan.article()
    site = plan.site(page, http=Redirect())
    return by_name(plan, "tls.reset", SNIReset(names=(plan.host,)), site)


def forged(plan: Plan, certificate: Certificate, page: Page | None = None) -> World:
    """Connections to the site's port 443 are led to a server with a certificate of its own."""
    over_https(plan)
    article = plan.article()
    site = plan.site(article, addresses=(plan.address(),))
    forger = Site(
        names=site.names,
        addresses=(plan.address(),),
        https=page or article,
        certificate=certificate,
    )
    rule = Rewrite(address=site.addresses[0], port=443, to=forger.addresses[0], to_port=443)
    censors = plan.censors(rule, at=LINE)
    return plan.world_of(
        truly("blocked", "tls.forged"), site, forger, zone=(known(site),), censors=censors
    )


@world("blocked")
def tls_forged(plan: Plan) -> World:
    return forged(plan, SELF_MADE, fixtures.block_page(fixtures.UNLISTED_PAGE))


@world("blocked")
def tls_forged_a1(plan: Plan) -> World:
    """E8: a proxy in the middle that serves the true page under a certificate of A1's (F07)."""
    return forged(plan, A1_FORGED)


@world("blocked")
def http_silence(plan: Plan) -> World:
    return by_name(plan, "http.silence", HTTPDrop(names=over_http(plan)))


@world("blocked")
def http_reset(plan: Plan) -> World:
    over_http(plan)
    keyword = plan.chance.random() < 0.5
    rule = HTTPReset(keywords=(plan.host.encode(),)) if keyword else HTTPReset(names=(plan.host,))
    return by_name(plan, "http.reset", rule)


@world("blocked")
def http_closed(plan: Plan) -> World:
    return by_name(plan, "http.closed", HTTPClose(names=over_http(plan)))


def redirected(plan: Plan, location: str, status: int = 302) -> World:
    return by_name(plan, "http.redirect", http_redirect(over_http(plan), location, status))


@world("blocked")
def http_redirect_beltelecom(plan: Plan) -> World:
    return redirected(plan, f"http://{fixtures.BELTELECOM}/")


@world("blocked")
def http_redirect_a1(plan: Plan) -> World:
    """E3: the block page has a valid certificate."""
    return redirected(plan, fixtures.A1_URL)


@world("blocked")
def http_redirect_mts(plan: Plan) -> World:
    return redirected(plan, fixtures.MTS_URL)


@world("blocked")
def http_redirect_business_network(plan: Plan) -> World:
    return redirected(plan, f"http://{fixtures.BUSINESS_NETWORK}/")


@world("blocked")
def http_redirect_unlisted(plan: Plan) -> World:
    over_http(plan)
    server = Site(
        names=(plan.name(tld="by"),),
        addresses=(plan.address(*DOMESTIC),),
        http=fixtures.block_page(fixtures.UNLISTED_PAGE),
    )
    status = plan.chance.choice((301, 302, 303, 307))
    rule = http_redirect((plan.host,), f"http://{server.names[0]}/stop", status)
    return plan.world_of(
        truly("blocked", "http.redirect", "http.redirect|http.blockpage"),
        plan.site(),
        server,
        censors=plan.censors(rule),
    )


def paged(plan: Plan, page: bytes, site: Site | None = None, *, length: bool = True) -> World:
    payload = fixtures.whole_response(page, length=length)
    rule = HTTPInjectPage(names=over_http(plan), payload=payload)
    return by_name(plan, "http.blockpage", rule, site)


@world("blocked")
def http_blockpage_listed(plan: Plan) -> World:
    """E1: a listed block page that carries Content-Length."""
    pages = (fixtures.BELTELECOM_PAGE, fixtures.A1_PAGE, fixtures.MTS_PAGE)
    return paged(plan, plan.chance.choice(pages))


@world("blocked")
def http_blockpage_unlisted(plan: Plan) -> World:
    return paged(plan, fixtures.UNLISTED_PAGE, length=plan.chance.random() < 0.5)


@world("blocked")
def http_blockpage_untitled(plan: Plan) -> World:
    """E7: the block page has no title, and the site's has no long word."""
    over_http(plan)
    return paged(plan, fixtures.UNTITLED_PAGE, plan.site(plan.article(title="Наш дом")))


@world("blocked")
def http_blockpage_from_transit(plan: Plan) -> World:
    """F16: a foreign block page, met on the way through another country."""
    return paged(plan, fixtures.RUSSIAN_PAGE)


@world("blocked")
def http_blockpage_by_proxy(plan: Plan) -> World:
    """A transparent proxy answers for the site's port 80."""
    over_http(plan)
    site = plan.site(addresses=(plan.address(),))
    proxy = Site(
        names=(plan.name(tld="by"),),
        addresses=(plan.address(),),
        http=fixtures.block_page(fixtures.UNLISTED_PAGE),
    )
    rule = Rewrite(address=site.addresses[0], port=80, to=proxy.addresses[0], to_port=80)
    return plan.world_of(
        truly("blocked", "http.blockpage"),
        site,
        proxy,
        zone=(known(site),),
        censors=plan.censors(rule, at=LINE),
    )


@world("blocked")
def http_altered(plan: Plan) -> World:
    """What the page said is gone and other words stand there, under the same head."""
    over_http(plan)
    other = page_html(f"{plan.host} (2)", "ru", 5, title="").encode().partition(b"<body>")[2]

    def change(page: bytes) -> bytes:
        head, found, _ = page.partition(b"<body>")
        return head + found + other if found else page

    # Short, so that all of it is in the segment that is changed.
    site = plan.site(plan.article(language="en", paragraphs=1))
    return by_name(plan, "http.altered", HTTPAlter(names=(plan.host,), change=change), site)


@world("blocked")
def dns_and_tls(plan: Plan) -> World:
    """The resolver lies, and who knows the true address is reset by name."""
    over_https(plan)
    site = plan.site()
    lies = Name(name=plan.host, kind="nxdomain", at=(OWN,))
    return plan.world_of(
        truly("blocked", "dns.nxdomain", "tls.reset"),
        site,
        zone=(known(site), lies),
        censors=plan.censors(SNIReset(names=(plan.host,))),
    )


@world("blocked")
def http_and_tls(plan: Plan) -> World:
    """Both schemes, each in its way, as A1 was reported to."""
    over_http(plan)
    rules = (http_redirect((plan.host,), fixtures.A1_URL), SNIReset(names=(plan.host,)))
    return plan.world_of(
        truly("blocked", "http.redirect", "tls.reset"),
        plan.site(),
        censors=plan.censors(*rules),
    )


@world("blocked")
def dns_and_address(plan: Plan) -> World:
    site = plan.site()
    lies = Name(name=plan.host, addresses=(fixtures.MTS,), at=(OWN,))
    return plan.world_of(
        truly("blocked", "dns.substituted", "tcp.silence"),
        site,
        zone=(known(site), lies),
        censors=plan.censors(AddressDrop(addresses=site.addresses)),
    )


@world("blocked")
def second_hop_reset(plan: Plan) -> World:
    """A harmless name redirects to one that is reset."""
    over_https(plan)
    harmless, target = plan.host, plan.name()
    first = plan.site(Redirect(f"https://{target}/", 302))
    second = plan.site(plan.article(target), names=(target,))
    return plan.world_of(
        truly("blocked", "tls.reset"),
        first,
        second,
        url=f"https://{harmless}/",
        censors=plan.censors(SNIReset(names=(target,))),
    )
