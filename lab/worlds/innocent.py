"""The innocent twins: what looks like blocking and is not. None may be called blocked."""

from __future__ import annotations

from typing import Literal

from lab.censors import AddressDrop, Slowness, ThrottleAddress
from lab.certificates import EXPIRED, SELF_MADE, Certificate
from lab.resolvers import OWN, Kind, Name
from lab.sites import (
    Altered,
    Article,
    Chain,
    Encoded,
    ForClients,
    ForPath,
    Garbage,
    Hangup,
    Page,
    Redirect,
    Site,
    big,
    captcha,
    drip,
    refusal,
    slow,
    truncated,
)
from lab.topology import CONTROL_1_PREFIXES, CONTROL_2_PREFIXES, OPERATOR_PREFIXES
from lab.world import Wire, World
from lab.worlds import fixtures
from lab.worlds.plan import (
    AKAMAI,
    CLOUDFLARE,
    CLOUDFRONT,
    DOMESTIC,
    DOMESTIC_IPV6,
    Plan,
    known,
    truly,
    world,
)

HOUSEHOLDS = OPERATOR_PREFIXES
CONTROLS = (*CONTROL_1_PREFIXES, *CONTROL_2_PREFIXES)
HOSTING = (Wire.HOSTING,)


def everywhere(plan: Plan, outcome: str, page: Page | None = None, **more: object) -> World:
    """One site, the same for all."""
    return plan.world_of(truly(outcome), plan.site(page, **more))


# Sites that simply work.


@world("innocent")
def plain_site(plan: Plan) -> World:
    return everywhere(plan, "ok")


@world("innocent")
def http_only_site(plan: Plan) -> World:
    plan.scheme = "http"
    return everywhere(plan, "ok", https=None)


@world("innocent")
def https_only_site(plan: Plan) -> World:
    plan.scheme = "https"
    return everywhere(plan, "ok", http=None)


@world("innocent")
def domestic_site(plan: Plan) -> World:
    addresses = (plan.address(*DOMESTIC), plan.address6(DOMESTIC_IPV6))
    return everywhere(plan, "ok", addresses=addresses)


@world("innocent")
def slow_site(plan: Plan) -> World:
    return everywhere(plan, "ok", slow(plan.article(), plan.chance.uniform(2.0, 4.0)))


@world("innocent")
def dripping_site(plan: Plan) -> World:
    return everywhere(plan, "ok", drip(plan.article(paragraphs=3), 400, 0.3))


@world("innocent")
def big_page(plan: Plan) -> World:
    """32 MiB, the length not told."""
    return everywhere(plan, "ok", big(plan.article(), 32 << 20))


@world("innocent")
def compressed_page(plan: Plan) -> World:
    coding: Literal["gzip", "br"] = plan.chance.choice(("gzip", "br"))
    return everywhere(plan, "ok", Encoded(plan.article(), coding))


@world("innocent")
def dynamic_page(plan: Plan) -> World:
    return everywhere(plan, "ok", plan.article(dynamic=True, paragraphs=9))


@world("innocent")
def many_addresses(plan: Plan) -> World:
    addresses = (*(plan.address() for _ in range(4)), plan.address6(), plan.address6())
    return everywhere(plan, "ok", addresses=addresses)


@world("innocent")
def see_other(plan: Plan) -> World:
    """E6: 303 is a redirect as well."""
    return redirects(plan, 303)


@world("innocent")
def permanent_redirect(plan: Plan) -> World:
    return redirects(plan, 308)


def redirects(plan: Plan, status: int) -> World:
    plan.path = "/start"
    page = ForPath("/start", Redirect("/fine", status), plan.article())
    return everywhere(plan, "ok", page)


@world("innocent")
def redirect_to_www(plan: Plan) -> World:
    """A bare name that only redirects, in two hops, and a page at the end."""
    plan.scheme = "http"
    www = plan.name(prefix="www.")
    first = plan.site(Redirect(f"https://{www}{{target}}", 301))
    second = plan.site(plan.article(www), names=(www,), http=Redirect())
    return plan.world_of(truly("ok"), first, second)


@world("innocent")
def long_redirect_chain(plan: Plan) -> World:
    return everywhere(plan, "ok", Chain(6, plan.article()))


@world("innocent")
def redirect_loop(plan: Plan) -> World:
    page = ForPath("/a", Redirect("/b", 302), Redirect("/a", 302))
    return everywhere(plan, "ok|down", page)


@world("innocent")
def article_about_blocking(plan: Plan) -> World:
    """News that quote the ministry's block page word for word."""
    quote = f"<blockquote>{fixtures.BELTELECOM_PAGE.decode().partition('<body>')[2]}</blockquote>"
    return everywhere(plan, "ok", plan.article(extra=quote.replace("</body></html>\n", "")))


@world("innocent")
def cname_to_content_network(plan: Plan) -> World:
    edge = plan.name(prefix="edge.", tld="net")
    site = plan.site(addresses=(plan.address(CLOUDFRONT),))
    zone = (
        Name(name=plan.host, cname=edge),
        Name(name=edge, addresses=site.addresses),
    )
    return plan.world_of(truly("ok"), site, zone=zone)


@world("innocent")
def address_for_each_resolver(plan: Plan) -> World:
    """A content network: every resolver gets another address, each of another company."""
    page = plan.article()
    own, google, others = (
        plan.site(page, addresses=(plan.address(prefix),), h2=True)
        for prefix in (CLOUDFLARE, AKAMAI, CLOUDFRONT)
    )
    zone = (
        known(own, at=(OWN,)),
        known(google, at=("google",)),
        known(others),
    )
    return plan.world_of(truly("ok"), own, google, others, zone=zone)


@world("innocent")
def domestic_cache_of_content_network(plan: Plan) -> World:
    """The operator hosts a cache: its resolver alone gives an address in its own network."""
    page = plan.article()
    cache = plan.site(page, addresses=(plan.address(*DOMESTIC),))
    origin = plan.site(page, addresses=(plan.address(CLOUDFRONT),))
    zone = (known(cache, at=(OWN,)), known(origin))
    return plan.world_of(truly("ok"), cache, origin, zone=zone)


# Sites that are broken for everybody.


@world("innocent")
def site_silent(plan: Plan) -> World:
    """Down: nobody's packets are answered."""
    site = plan.site()
    censors = plan.censors(AddressDrop(addresses=site.addresses), at=HOSTING)
    return plan.world_of(truly("down"), site, censors=censors)


@world("innocent")
def site_refuses(plan: Plan) -> World:
    return everywhere(plan, "down", http=None, https=None)


@world("innocent")
def site_hangs_up(plan: Plan) -> World:
    end = Hangup(after_first=True, hard=plan.chance.random() < 0.5)
    return everywhere(plan, "down", http=end, https=end)


@world("innocent")
def site_speaks_no_tls(plan: Plan) -> World:
    plan.scheme = "https"
    return everywhere(plan, "down", https=Garbage())


def unresolved(plan: Plan, kind: Kind) -> World:
    name = Name(name=plan.host, kind=kind)
    return plan.world_of(truly("down"), zone=(name,))


@world("innocent")
def name_does_not_exist(plan: Plan) -> World:
    return unresolved(plan, "nxdomain")


@world("innocent")
def name_without_address(plan: Plan) -> World:
    return unresolved(plan, "answer")


@world("innocent")
def name_servers_broken(plan: Plan) -> World:
    return unresolved(plan, "servfail")


@world("innocent")
def expired_certificate(plan: Plan) -> World:
    plan.scheme = "https"
    return everywhere(plan, "down", certificate=EXPIRED)


@world("innocent")
def certificate_of_another_name(plan: Plan) -> World:
    plan.scheme = "https"
    return everywhere(plan, "down", certificate=Certificate(names=(plan.name(),)))


@world("innocent")
def untrusted_root(plan: Plan) -> World:
    plan.scheme = "https"
    return everywhere(plan, "down", certificate=SELF_MADE)


@world("innocent")
def truncated_page(plan: Plan) -> World:
    return everywhere(plan, "ok|down", truncated(plan.article(), 400))


@world("innocent")
def server_error(plan: Plan) -> World:
    return everywhere(plan, "ok|down", refusal(502, "Bad Gateway"))


@world("innocent")
def broken_location(plan: Plan) -> World:
    return everywhere(plan, "ok|down", Redirect("https://", 302), http=Redirect("http://", 302))


@world("innocent")
def ipv6_of_site_dead(plan: Plan) -> World:
    site = plan.site(addresses=(plan.address(), plan.address6()))
    censors = plan.censors(AddressDrop(addresses=site.addresses[1:]), at=HOSTING)
    return plan.world_of(truly("ok"), site, censors=censors)


@world("innocent")
def lossy_line_to_site(plan: Plan) -> World:
    """One packet in eight is lost before the site, whoever asks."""
    site = plan.site(addresses=(plan.address(),))
    slowness = Slowness(loss=0.12, delay=0.02, seed=plan.chance.randrange(10**6))
    rule = ThrottleAddress(addresses=site.addresses, slowness=slowness)
    return plan.world_of(truly("ok"), site, censors=plan.censors(rule, at=HOSTING))


# Sites that treat some visitors otherwise.


@world("innocent")
def captcha_for_households(plan: Plan) -> World:
    page = ForClients(HOUSEHOLDS, captcha(plan.chance.choice((403, 503))), plan.article())
    return everywhere(plan, "server_side", page)


@world("innocent")
def captcha_for_controls(plan: Plan) -> World:
    page = ForClients(CONTROLS, captcha(plan.chance.choice((403, 503))), plan.article())
    return everywhere(plan, "ok", page)


@world("innocent")
def forbidden_for_controls_over_http(plan: Plan) -> World:
    """E5: data centres are refused, and there is no certificate to vouch for anything."""
    plan.scheme = "http"
    page = ForClients(CONTROLS, refusal(403), plan.article())
    return everywhere(plan, "ok", page, https=None)


@world("innocent")
def forbidden_for_controls(plan: Plan) -> World:
    plan.scheme = "https"
    return everywhere(plan, "ok", ForClients(CONTROLS, refusal(403), plan.article()))


@world("innocent")
def refuses_the_country(plan: Plan) -> World:
    plan.scheme = "https"
    why = plan.chance.choice(((403, "Forbidden"), (451, "Unavailable For Legal Reasons")))
    return everywhere(plan, "server_side", ForClients(HOUSEHOLDS, refusal(*why), plan.article()))


@world("innocent")
def platform_notice(plan: Plan) -> World:
    """F17: the platform itself leads visitors of this country to a notice."""
    plan.scheme = "https"
    plan.path = "/group"
    notice = Altered(Article(f"blank {plan.host}", paragraphs=1), (("status", 200),))
    page = ForPath(
        "/group",
        ForClients(HOUSEHOLDS, Redirect("/blank.php?rkn=1", 302), plan.article()),
        ForPath("/blank.php", notice, plan.article()),
    )
    return everywhere(plan, "server_side", page)


@world("innocent")
def closed_to_the_outside_over_http(plan: Plan) -> World:
    """E4: a domestic site that drops all packets from abroad, as many of the state's do."""
    plan.scheme = "http"
    site = plan.site(addresses=(plan.address(*DOMESTIC),), https=None)
    rule = AddressDrop(addresses=site.addresses, clients=CONTROLS)
    return plan.world_of(truly("ok"), site, censors=plan.censors(rule, at=(Wire.PEERING,)))


@world("innocent")
def closed_to_the_outside(plan: Plan) -> World:
    plan.scheme = "https"
    site = plan.site()
    rule = AddressDrop(addresses=site.addresses, clients=CONTROLS)
    return plan.world_of(truly("ok"), site, censors=plan.censors(rule, at=HOSTING))


@world("innocent")
def closed_to_one_control(plan: Plan) -> World:
    site = plan.site()
    rule = AddressDrop(addresses=site.addresses, clients=CONTROL_1_PREFIXES)
    return plan.world_of(truly("ok"), site, censors=plan.censors(rule, at=HOSTING))


@world("innocent")
def sister_site_for_the_country(plan: Plan) -> World:
    """Visitors are led to the edition of their country, under a name of its own."""
    plan.scheme = "https"
    sister = plan.name(tld="by")
    page = ForClients(HOUSEHOLDS, Redirect(f"https://{sister}/", 302), plan.article())
    other: Site = plan.site(
        plan.article(sister, language="be"),
        names=(sister,),
        addresses=(plan.address(*DOMESTIC),),
    )
    return plan.world_of(truly("ok"), plan.site(page), other)


@world("innocent")
def page_in_the_visitors_language(plan: Plan) -> World:
    here = plan.article(language="be", paragraphs=7)
    abroad = plan.article(language="en", paragraphs=7)
    return everywhere(plan, "ok", ForClients(HOUSEHOLDS, here, abroad))
