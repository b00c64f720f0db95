"""OONI's fifty cases for web_connectivity, rebuilt with names and addresses of their own.

The situations are those of its QA suite (probe-cli, webconnectivityqa), told again
in this lab's words: its forger sits on the client's link, its sites have IPv4
only and serve the same page over both schemes. `EXPECTED` keeps what its suite
expects of its own probe (blocking, accessible) beside our truth, since the two
differ in places. Cases 7 and 8 need controls that fail: `lab.worlds.whole`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from lab.censors import (
    AddressDrop,
    AddressRefuse,
    DNSInject,
    HTTPClose,
    HTTPDrop,
    HTTPInjectPage,
    HTTPReset,
    Slowness,
    SNIClose,
    SNIDrop,
    SNIReset,
    ThrottleAddress,
    ThrottleName,
)
from lab.certificates import EXPIRED, SELF_MADE, Certificate
from lab.middlebox import Rule
from lab.resolvers import OWN, Name
from lab.sites import Chain, Fixed, ForClients, Redirect, Site, big, captcha
from lab.topology import OPERATOR_PREFIXES
from lab.world import Wire, World
from lab.worlds.plan import Plan, known, truly, world

Scheme = Literal["http", "https"]

EXPECTED: dict[str, tuple[str | bool | None, bool | None]] = {}
"""What OONI's suite expects, by world: blocking and accessible."""

NUMBER: dict[str, int] = {}
"""The case's number in the table, by world."""

LINE = (Wire.LINE,)
DENIED = (
    b"<html><head><title>Access Denied</title></head><body><p>This page is closed</p></body></html>"
)


def case(
    number: int, name: str, blocking: str | bool | None, accessible: bool | None
) -> Callable[[Callable[[Plan], World]], Callable[[Plan], World]]:
    EXPECTED[name], NUMBER[name] = (blocking, accessible), number
    return world("qa_whole" if number in (7, 8) else "qa", name)


def example(plan: Plan, scheme: Scheme, **more: Any) -> Site:
    """A site as the suite's: one IPv4 address, the same page over http and https."""
    plan.scheme, plan.path = scheme, "/"
    page = more.pop("page", None) or plan.article()
    facts: dict[str, Any] = {"http": page, "addresses": (plan.address(),), "h2": False}
    return plan.site(page, **(facts | more))


def on_line(plan: Plan, truth: tuple[str, ...], site: Site, *rules: Rule, **more: Any) -> World:
    censors = plan.censors(*rules, at=LINE) if rules else {}
    others = more.pop("others", ())
    zone = more.pop("zone", (known(site), *(known(other) for other in more.pop("named", ()))))
    return plan.world_of(truly(*truth), site, *others, zone=zone, censors=censors, **more)


def bad_certificate(number: int, name: str, certificate: Certificate) -> None:
    @case(number, name, False, False)
    def make(plan: Plan) -> World:
        return on_line(plan, ("down",), example(plan, "https", certificate=certificate))


bad_certificate(1, "badSSLWithUnknownAuthorityWithConsistentDNS", SELF_MADE)
bad_certificate(2, "badSSLWithExpiredCertificate", EXPIRED)
bad_certificate(3, "badSSLWithWrongServerName", Certificate(names=("elsewhere.example",)))


@case(4, "badSSLWithUnknownAuthorityWithInconsistentDNS", "dns", False)
def forged_to_bad_certificate(plan: Plan) -> World:
    site = example(plan, "https")
    other = example(plan, "https", names=(plan.name(),), certificate=SELF_MADE)
    rule = DNSInject(names=(plan.host,), answers=other.addresses)
    return on_line(plan, ("blocked", "dns.injected"), site, rule, others=(other,))


def for_both(
    numbers: tuple[int, int],
    names: tuple[str, str],
    expected: tuple[tuple[str | bool | None, bool | None], tuple[str | bool | None, bool | None]],
    make: Callable[[Plan, Scheme], World],
) -> None:
    """One situation, asked for over http and over https."""
    schemes: tuple[Scheme, Scheme] = ("http", "https")
    for number, name, (blocking, accessible), scheme in zip(
        numbers, names, expected, schemes, strict=True
    ):

        def make_one(plan: Plan, scheme: Scheme = scheme) -> World:
            return make(plan, scheme)

        case(number, name, blocking, accessible)(make_one)


def _captcha(plan: Plan, scheme: Scheme) -> World:
    page = ForClients(OPERATOR_PREFIXES, captcha(503), plan.article())
    return on_line(plan, ("server_side",), example(plan, scheme, page=page))


for_both(
    (5, 6),
    ("cloudflareCAPTCHAWithHTTP", "cloudflareCAPTCHAWithHTTPS"),
    (("http-diff", False), (False, True)),
    _captcha,
)


def _control_failure(plan: Plan, scheme: Scheme) -> World:
    outcome = "ok|inconclusive" if scheme == "http" else "ok"
    return on_line(plan, (outcome,), example(plan, scheme))


for_both(
    (7, 8),
    ("controlFailureWithSuccessfulHTTPWebsite", "controlFailureWithSuccessfulHTTPSWebsite"),
    ((None, None), (False, True)),
    _control_failure,
)


def own_says(plan: Plan, truth: tuple[str, ...], lie: Name) -> World:
    site = example(plan, "https")
    return on_line(plan, truth, site, zone=(known(site), lie))


@case(9, "dnsBlockingAndroidDNSCacheNoData", "dns", False)
def no_data(plan: Plan) -> World:
    lie = Name(name=plan.host, kind="nxdomain", at=(OWN,))
    return own_says(plan, ("blocked", "dns.nxdomain|dns.empty"), lie)


@case(10, "dnsBlockingBOGON", "dns", False)
def bogon(plan: Plan) -> World:
    lie = Name(name=plan.host, addresses=("10.10.34.35",), at=(OWN,))
    return own_says(plan, ("blocked", "dns.bogon"), lie)


@case(11, "dnsBlockingNXDOMAIN", "dns", False)
def nxdomain(plan: Plan) -> World:
    lie = Name(name=plan.host, kind="nxdomain", at=(OWN,))
    return own_says(plan, ("blocked", "dns.nxdomain"), lie)


def _to_localhost(plan: Plan, scheme: Scheme) -> World:
    site = example(plan, scheme)
    rule = DNSInject(names=(plan.host,), answers=("127.0.0.1",))
    return on_line(plan, ("blocked", "dns.injected|dns.bogon"), site, rule)


for_both(
    (12, 13),
    ("dnsHijackingToLocalhostWithHTTP", "dnsHijackingToLocalhostWithHTTPS"),
    (("dns", False), ("dns", False)),
    _to_localhost,
)


def to_proxy(plan: Plan, scheme: Scheme, truth: tuple[str, ...], *rules: Rule) -> World:
    """Queries are answered with the address of a proxy that serves the true site."""
    site = example(plan, scheme, page=plan.article())
    proxy = Site(names=site.names, addresses=(plan.address(),), http=site.http, https=site.https)
    forge = DNSInject(names=(plan.host,), answers=proxy.addresses)
    return on_line(plan, truth, site, forge, *rules, others=(proxy,))


for_both(
    (14, 15),
    ("dnsHijackingToProxyWithHTTPURL", "dnsHijackingToProxyWithHTTPSURL"),
    ((False, True), (False, True)),
    lambda plan, scheme: to_proxy(plan, scheme, ("ok", "dns.injected")),
)


def _ghost(plan: Plan, scheme: Scheme) -> World:
    plan.scheme, plan.path = scheme, "/"
    server = Site(names=(plan.name(),), addresses=(plan.address(),), http=Fixed(DENIED))
    rule = DNSInject(names=(plan.host,), answers=server.addresses)
    nowhere = Name(name=plan.host, kind="nxdomain")
    return on_line(plan, ("blocked", "dns.injected"), server, rule, zone=(nowhere,))


for_both(
    (16, 17),
    ("ghostDNSBlockingWithHTTP", "ghostDNSBlockingWithHTTPS"),
    (("dns", False), ("dns", False)),
    _ghost,
)


@case(18, "httpBlockingConnectionReset", "http-failure", False)
def http_reset(plan: Plan) -> World:
    rule = HTTPReset(keywords=(plan.host.encode(),))
    return on_line(plan, ("blocked", "http.reset"), example(plan, "http"), rule)


def denied(plan: Plan) -> HTTPInjectPage:
    """One segment without any header but the status line."""
    return HTTPInjectPage(names=(plan.host,), payload=b"HTTP/1.0 200 OK\r\n\r\n" + DENIED)


@case(19, "httpDiffWithConsistentDNS", "http-diff", False)
def http_diff(plan: Plan) -> World:
    return on_line(plan, ("blocked", "http.blockpage"), example(plan, "http"), denied(plan))


@case(20, "httpDiffWithInconsistentDNS", "dns", False)
def http_diff_and_dns(plan: Plan) -> World:
    return to_proxy(plan, "http", ("blocked", "dns.injected", "http.blockpage"), denied(plan))


def _idna(plan: Plan, capital: bool) -> World:
    plan.scheme, plan.path = "http", "/"
    cyrillic = f"яндекс-{plan.name(prefix='x', tld='x').split('-')[1].split('.')[0]}.рф"
    middle, last = plan.name(tld="com"), plan.name(tld="ru")
    ascii_form = cyrillic.encode("idna").decode("ascii")
    first = example(plan, "http", names=(ascii_form,), page=Redirect(f"https://{middle}/", 308))
    second = example(plan, "http", names=(middle,), page=Redirect(f"https://{last}/", 308))
    third = example(plan, "http", names=(last,), page=plan.article(last))
    host = cyrillic.capitalize() if capital else cyrillic
    return on_line(
        plan, ("ok",), first, others=(second, third), named=(second, third), url=f"http://{host}/"
    )


@case(21, "idnaWithoutCensorshipLowercase", False, True)
def idna_lower(plan: Plan) -> World:
    return _idna(plan, False)


@case(22, "idnaWithoutCensorshipWithFirstLetterUppercase", False, True)
def idna_upper(plan: Plan) -> World:
    return _idna(plan, True)


def _large(plan: Plan, scheme: Scheme) -> World:
    return on_line(plan, ("ok",), example(plan, scheme, page=big(Fixed(), 32 << 20)))


for_both(
    (23, 24),
    ("largeFileWithHTTP", "largeFileWithHTTPS"),
    ((False, True), (False, True)),
    _large,
)


def _localhost(plan: Plan, scheme: Scheme) -> World:
    plan.scheme, plan.path = scheme, "/"
    everywhere = Name(name=plan.host, addresses=("127.0.0.1",))
    return plan.world_of(truly("down"), zone=(everywhere,))


for_both(
    (25, 26),
    ("localhostWithHTTP", "localhostWithHTTPS"),
    ((False, False), (False, False)),
    _localhost,
)


def _broken_location(plan: Plan, scheme: Scheme) -> World:
    good = example(plan, scheme, names=(plan.name(),))
    page = ForClients(
        OPERATOR_PREFIXES,
        Redirect(f"{scheme}://", 302),
        Redirect(f"{scheme}://{good.names[0]}/", 302),
    )
    site = example(plan, scheme, page=page)
    plan.path = f"/broken-redirect-{scheme}"
    return on_line(plan, ("server_side",), site, others=(good,), named=(good,))


for_both(
    (27, 28),
    ("redirectWithBrokenLocationForHTTP", "redirectWithBrokenLocationForHTTPS"),
    (("http-failure", False), ("http-failure", False)),
    _broken_location,
)


def short_link(
    plan: Plan, scheme: Scheme, truth: tuple[str, ...], make: Callable[[Site], tuple[Rule, ...]]
) -> World:
    """A link shortener, https only, leads to the site that is blocked."""
    site = example(plan, scheme, names=(plan.name(),), page=None)
    link = example(plan, "https", page=Redirect(f"{scheme}://{site.names[0]}/", 308), http=None)
    plan.path = "/21645"
    return on_line(plan, truth, link, *make(site), others=(site,), named=(site,))


def _by_name(http: type[Any], tls: type[Any]) -> Callable[[Site], tuple[Rule, ...]]:
    return lambda site: (http(names=site.names), tls(names=site.names))


def _two_links(
    numbers: tuple[int, int],
    stem: str,
    http_truth: tuple[str, ...],
    https_truth: tuple[str, ...],
    make: Callable[[Site], tuple[Rule, ...]],
) -> None:
    truths = {"http": http_truth, "https": https_truth}
    for_both(
        numbers,
        (f"{stem}ForHTTP", f"{stem}ForHTTPS"),
        (("http-failure", False), ("http-failure", False)),
        lambda plan, scheme: short_link(plan, scheme, truths[scheme], make),
    )


_THEN = "redirectWithConsistentDNSAndThen"
_two_links(
    (29, 30),
    f"{_THEN}ConnectionRefused",
    ("blocked", "tcp.refused"),
    ("blocked", "tcp.refused"),
    lambda site: (AddressRefuse(addresses=site.addresses, ports=(80, 443)),),
)
_two_links(
    (31, 32),
    f"{_THEN}ConnectionReset",
    ("blocked", "http.reset", "tls.reset"),
    ("blocked", "tls.reset"),
    _by_name(HTTPReset, SNIReset),
)


@case(33, f"{_THEN}NXDOMAIN", "dns", False)
def then_nxdomain(plan: Plan) -> World:
    return short_link(
        plan,
        "https",
        ("blocked", "dns.injected|dns.nxdomain"),
        lambda site: (DNSInject(names=site.names, rcode="NXDOMAIN"),),
    )


_two_links(
    (34, 35),
    f"{_THEN}EOF",
    ("blocked", "http.closed", "tls.closed"),
    ("blocked", "tls.closed"),
    _by_name(HTTPClose, SNIClose),
)
_two_links(
    (36, 37),
    f"{_THEN}Timeout",
    ("blocked", "http.silence", "tls.silence"),
    ("blocked", "tls.silence"),
    _by_name(HTTPDrop, SNIDrop),
)


def _many_redirects(plan: Plan, scheme: Scheme) -> World:
    site = example(plan, scheme, page=Chain(15, plan.article()))
    plan.path = "/hop/15"
    return on_line(plan, ("ok|down",), site)


for_both(
    (38, 39),
    ("redirectWithMoreThanTenRedirectsAndHTTP", "redirectWithMoreThanTenRedirectsAndHTTPS"),
    ((False, False), (False, False)),
    _many_redirects,
)
for_both(
    (40, 41),
    ("successWithHTTP", "successWithHTTPS"),
    ((False, True), (False, True)),
    lambda plan, scheme: on_line(plan, ("ok",), example(plan, scheme)),
)


@case(42, "tcpBlockingConnectTimeout", "tcp_ip", False)
def tcp_timeout(plan: Plan) -> World:
    site = example(plan, "https")
    rule = AddressDrop(addresses=site.addresses, ports=(443,))
    return on_line(plan, ("blocked", "tcp.silence"), site, rule)


@case(43, "tcpBlockingConnectionRefusedWithInconsistentDNS", "dns", False)
def refused_at_forged_address(plan: Plan) -> World:
    site = example(plan, "http")
    server = Site(names=(plan.name(),), addresses=(plan.address(),), http=Fixed(DENIED))
    rules = (
        DNSInject(names=(plan.host,), answers=server.addresses),
        AddressRefuse(addresses=server.addresses, ports=(80,)),
    )
    return on_line(plan, ("blocked", "dns.injected"), site, *rules, others=(server,))


def _throttled(plan: Plan, scheme: Scheme) -> World:
    site = example(plan, scheme, page=big(Fixed(), 32 << 20))
    slowness = Slowness(delay=0.3, loss=0.1, seed=plan.chance.randrange(10**6))
    rule: Rule = (
        ThrottleAddress(addresses=site.addresses, ports=(80,), slowness=slowness)
        if scheme == "http"
        else ThrottleName(names=(plan.host,), slowness=slowness)
    )
    return on_line(plan, ("blocked", "throttled"), site, rule)


for_both(
    (44, 45),
    ("throttlingWithHTTP", "throttlingWithHTTPS"),
    (("http-failure", False), ("http-failure", False)),
    _throttled,
)


@case(46, "tlsBlockingConnectionResetWithConsistentDNS", "http-failure", False)
def tls_reset(plan: Plan) -> World:
    rule = SNIReset(names=(plan.host,))
    return on_line(plan, ("blocked", "tls.reset"), example(plan, "https"), rule)


@case(47, "tlsBlockingConnectionResetWithInconsistentDNS", "dns", False)
def tls_reset_and_dns(plan: Plan) -> World:
    rule = SNIReset(names=(plan.host,))
    return to_proxy(plan, "https", ("blocked", "dns.injected", "tls.reset"), rule)


@case(48, "websiteDownNXDOMAIN", False, False)
def down_nxdomain(plan: Plan) -> World:
    plan.scheme, plan.path = "http", "/"
    return plan.world_of(truly("down"), zone=(Name(name=plan.host, kind="nxdomain"),))


@case(49, "websiteDownNoAddrs", False, False)
def down_no_address(plan: Plan) -> World:
    plan.scheme, plan.path = "http", "/"
    behind = plan.name(prefix="web01.")
    zone = (Name(name=plan.host, cname=behind), Name(name=behind))
    return plan.world_of(truly("down"), zone=zone)


@case(50, "websiteDownTCPConnect", False, False)
def down_refused(plan: Plan) -> World:
    site = example(plan, "http")
    return on_line(plan, ("down",), site, url=f"http://{plan.host}:444/")
