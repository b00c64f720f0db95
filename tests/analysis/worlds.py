"""Situations with their truth, built by hand: what each must be judged, and by which mechanisms.

The numbers are those of the 50 simulated worlds and of the cases E1 to E10 that the
literature of this field knows; the innocent ones have a fault that is no block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from probe.evidence import PROBE, HopProbe, Run
from probe.failure import Failure
from tests.analysis import timed
from tests.analysis.build import (
    BLOCK,
    BOTH,
    FORGED,
    NEWS,
    OTHER,
    SITE,
    SITE_6,
    Page,
    Scene,
    site,
    to,
)

NX = Failure.DNS_NXDOMAIN
HTTP = "http://news.example/"
CHALLENGE = Page("<title>Just a moment...</title>", status=503, headers=(("server", "cloudflare"),))
REFUSAL = Page("<title>Forbidden</title>no", status=403, headers=(("x-site", "7f3a"),))
SHORT = "https://short.example/x"


@dataclass(frozen=True)
class Case:
    build: Callable[[], Scene]
    outcome: str
    mechanisms: tuple[str, ...] = ()


CASES: dict[str, Case] = {}


def case(outcome: str, *mechanisms: str) -> Callable[[Callable[[], Scene]], Callable[[], Scene]]:
    def register(build: Callable[[], Scene]) -> Callable[[], Scene]:
        CASES[build.__name__] = Case(build, outcome, mechanisms)
        return build

    return register


# Names


def _lied_to(url: str = "https://news.example/", page: Page = BLOCK) -> Scene:
    """The own resolver gives an address that serves something else; nobody else gives it."""
    scene = Scene(url).names(own=(FORGED,)).control_names().asked(*BOTH)
    scene.connect(url, FORGED, tcp=Failure.CONNECTION_REFUSED, port=443, by=(PROBE, *BOTH))
    if url.startswith("http:"):
        scene.visit(url, page, FORGED, by=(PROBE,))
    scene.visit("https://news.example/")
    return scene


@case("blocked", "dns.substituted")
def own_resolver_leads_elsewhere() -> Scene:
    return _lied_to()


@case("blocked", "dns.substituted")
def e2_hijack_to_a_block_page_server_with_content_length() -> Scene:
    return _lied_to(HTTP, Page(BLOCK.text, headers=(("content-length", "188"),))).visit(HTTP)


@case("blocked", "dns.substituted")
def control_that_fetches_at_the_forged_address_vouches_for_nothing() -> Scene:
    return _lied_to(HTTP).visit(HTTP, BLOCK, FORGED, by=("one",)).visit(HTTP, by=("two",))


@case("blocked", "dns.injected")
def forged_address_in_a_network_of_the_sites() -> Scene:
    near = "93.184.216.66"
    scene = Scene(HTTP).names(own=(near,), then=(SITE,)).control_names().asked(*BOTH)
    scene.networks[near] = scene.networks[SITE]
    scene.visit(page=BLOCK, ip=near, by=(PROBE,)).visit()
    scene.connect("https://news.example/", near, bad=Failure.TLS_UNKNOWN_AUTHORITY, leaf="x")
    return scene.visit("https://news.example/")


@case("ok", "dns.injected")
def injected_proxy_in_a_network_of_the_sites() -> Scene:
    near = "93.184.216.66"
    scene = Scene().names(own=(near,), then=(SITE,)).control_names().asked(*BOTH)
    scene.networks[near] = scene.networks[SITE]
    return scene.visit(ip=near).visit(by=BOTH)


@case("blocked", "dns.substituted")
def forged_address_that_shows_the_same_title_under_a_bad_certificate() -> Scene:
    copy = Page("<title>Daily News</title>" + "".join(f"<p>copy {n} made" for n in range(60)))
    scene = Scene().names(own=(FORGED,)).control_names().asked(*BOTH).visit().twin()
    scene.connect(ip=FORGED, bad=Failure.TLS_INVALID_HOSTNAME, leaf="x").page(copy, ip=FORGED)
    return scene.visit(HTTP, copy, FORGED, by=(PROBE,))


@case("blocked", "dns.substituted")
def known_forged_address() -> Scene:
    scene = Scene().names(own=("134.17.0.7",)).control_names().asked(*BOTH)
    return scene.connect(ip="134.17.0.7", tcp=Failure.TIMEOUT).visit(by=BOTH)


@case("blocked", "dns.injected")
def qa04_forgery_first_and_its_certificate_is_bad() -> Scene:
    scene = Scene().names(own=(FORGED,), then=(SITE,), public=(FORGED,), public_then=(SITE,))
    scene.control_names().asked(*BOTH)
    scene.connect(ip=FORGED, bad=Failure.TLS_UNKNOWN_AUTHORITY, leaf="x", by=(PROBE, *BOTH))
    return scene.visit()


@case("blocked", "dns.empty")
def qa09_no_data() -> Scene:
    empty = Failure.DNS_NO_ANSWER
    scene = Scene().names(own=empty, system=Failure.ANDROID_NO_DATA)
    return scene.control_names().asked(*BOTH).visit()


@case("blocked", "dns.bogon")
def qa10_bogon() -> Scene:
    return Scene().names(own=("10.10.34.35",)).control_names().asked(*BOTH).visit()


@case("blocked", "dns.nxdomain")
def qa11_denied_name() -> Scene:
    return Scene().names(own=NX).control_names().asked(*BOTH).visit()


@case("blocked", "dns.refused")
def refused_name() -> Scene:
    # getaddrinfo does not tell a refusal from silence; the exchange over UDP does.
    scene = Scene().names(own=Failure.DNS_REFUSED, system=Failure.DNS_TEMPORARY)
    return scene.control_names().asked(*BOTH).visit()


@case("blocked", "dns.servfail")
def failing_name() -> Scene:
    scene = Scene().names(own=Failure.DNS_SERVFAIL, system=Failure.DNS_TEMPORARY)
    return scene.control_names().asked(*BOTH).visit()


def _silent_resolver() -> Scene:
    scene = Scene().names(own=Failure.TIMEOUT, system=Failure.DNS_TEMPORARY)
    return scene.control_names().asked(*BOTH).visit()


@case("blocked", "dns.silence")
def silent_for_this_name_only() -> Scene:
    return _silent_resolver().canary("domestic", 1).canary("foreign", 1)


@case("inconclusive")
def silent_resolver_of_which_nothing_else_is_known() -> Scene:
    return _silent_resolver()


@case("blocked", "dns.bogon", "dns.injected")
def qa12_injected_loopback() -> Scene:
    scene = Scene(HTTP).names(own=("127.0.0.1",), then=(SITE,), public=("127.0.0.1",),
                              public_then=(SITE,))
    return scene.control_names().asked(*BOTH).visit().twin()


@case("ok", "dns.injected")
def qa14_hijack_to_a_proxy_that_serves_the_page() -> Scene:
    scene = Scene(HTTP).names(own=(FORGED,), then=(SITE,)).control_names().asked(*BOTH)
    scene.visit(ip=FORGED, by=(PROBE,)).visit(by=BOTH)
    return scene.connect("https://news.example/", FORGED).visit("https://news.example/", by=BOTH)


@case("ok", "dns.injected")
def qa15_hijack_to_a_proxy_with_the_true_certificate() -> Scene:
    scene = Scene().names(own=(FORGED,), then=(SITE,)).control_names().asked(*BOTH)
    return scene.visit(ip=FORGED, by=(PROBE,)).visit(by=BOTH)


@case("blocked", "dns.injected")
def qa16_ghost_name() -> Scene:
    scene = Scene(HTTP).names(own=(FORGED,), then=NX, public=(FORGED,), public_then=NX,
                              encrypted=NX)
    return scene.control_names(says=NX).asked(*BOTH).visit(page=BLOCK, ip=FORGED, by=(PROBE,))


@case("blocked", "dns.injected")
def qa33_redirect_to_a_denied_name() -> Scene:
    scene = Scene(SHORT).names("short.example", own=(OTHER,), public=(OTHER,), encrypted=(OTHER,))
    scene.control_names(host="short.example", says=(OTHER,)).asked(*BOTH)
    scene.visit(page=to("https://news.example/"), ip=OTHER)
    scene.names(own=NX, then=(SITE,), public=NX, public_then=(SITE,)).control_names()
    return scene.visit("https://news.example/", by=BOTH, depth=1)


@case("ok", "dns.injected")
def forgeries_on_the_way_to_a_public_resolver_only() -> Scene:
    scene = Scene().names(public=(FORGED,)).control_names().asked(*BOTH)
    return scene.visit().connect(ip=FORGED, tcp=Failure.CONNECTION_REFUSED)


@case("ok")
def innocent_one_own_lookup_lost() -> Scene:
    return Scene().names(own=Failure.TIMEOUT, system=(SITE,)).control_names().asked(*BOTH).visit()


@case("ok")
def innocent_cdn_with_another_address_for_each() -> Scene:
    scene = Scene().names(own=(OTHER,)).control_names().asked(*BOTH)
    return scene.visit(ip=OTHER, by=(PROBE,)).visit(by=BOTH)


@case("ok")
def innocent_cdn_of_one_network_without_tls() -> Scene:
    near = "93.184.216.77"
    scene = Scene(HTTP).names(own=(near,), encrypted=None).control_names().asked(*BOTH)
    scene.networks[near] = 15133
    return scene.visit(ip=near, by=(PROBE,)).visit(by=BOTH)


@case("down")
def qa48_no_such_name_anywhere() -> Scene:
    return Scene().names(own=NX, public=NX, encrypted=NX).control_names(says=NX).asked(*BOTH)


@case("down")
def qa49_no_address_anywhere() -> Scene:
    none = Failure.DNS_NO_ANSWER
    scene = Scene().names(own=none, public=none, encrypted=none)
    return scene.control_names(says=none).asked(*BOTH)


@case("down")
def qa25_loopback_everywhere() -> Scene:
    me = ("127.0.0.1",)
    return Scene(HTTP).names(own=me, public=me, encrypted=me).control_names(says=me).asked(*BOTH)


@case("down")
def innocent_provider_that_answers_for_what_does_not_exist() -> Scene:
    scene = Scene(HTTP).names(own=(FORGED,), public=NX, encrypted=NX).control_names(says=NX)
    return scene.asked(*BOTH).visit(page=BLOCK, ip=FORGED, by=(PROBE,))


# Connections


def _fails(**how: object) -> Scene:
    scene = site().visit(by=BOTH)
    return scene.connect(**how).twin()  # type: ignore[arg-type]


@case("blocked", "tcp.silence")
def qa42_silent_address() -> Scene:
    return _fails(tcp=Failure.TIMEOUT)


@case("blocked", "tcp.refused")
def refused_address() -> Scene:
    return _fails(tcp=Failure.CONNECTION_REFUSED)


@case("blocked", "tcp.unreachable")
def unreachable_address() -> Scene:
    return _fails(tcp=Failure.HOST_UNREACHABLE)


@case("blocked", "tcp.reset")
def reset_before_a_word() -> Scene:
    return _fails(tls=Failure.CONNECTION_RESET, held=Failure.CONNECTION_RESET)


@case("blocked", "tls.reset")
def qa46_reset_on_the_name() -> Scene:
    return _fails(tls=Failure.CONNECTION_RESET, holds=True)


@case("blocked", "tls.silence")
def silence_on_the_name() -> Scene:
    return _fails(tls=Failure.TIMEOUT)


@case("blocked", "tls.closed")
def closed_on_the_name() -> Scene:
    return _fails(tls=Failure.EOF)


@case("blocked", "tls.closed")
def plain_text_in_answer_to_the_name() -> Scene:
    return _fails(tls=Failure.TLS_FAILED_HANDSHAKE)


@case("blocked", "tls.alert")
def alert_on_the_name() -> Scene:
    return _fails(tls=Failure.TLS_FAILED_HANDSHAKE, alert=112)


@case("blocked", "tls.forged")
def e8_forged_certificate() -> Scene:
    scene = _fails(bad=Failure.TLS_UNKNOWN_AUTHORITY, leaf="forged")
    return scene.page(BLOCK)


@case("blocked", "tls.forged")
def known_forger() -> Scene:
    scene = site(controls=()).connect(
        bad=Failure.TLS_UNKNOWN_AUTHORITY, leaf="forged",
        issuer="CN=Atlant-Telecom HTTPS Proxy,O=A",
    )
    return scene


@case("inconclusive")
def e9_reset_and_no_control() -> Scene:
    scene = Scene().names().asked(silent=BOTH)
    return scene.connect(tls=Failure.CONNECTION_RESET, holds=True)


@case("inconclusive")
def e10_denied_name_and_no_control() -> Scene:
    return Scene().names(own=NX, public=Failure.TIMEOUT, encrypted=None).asked(silent=BOTH)


@case("blocked", "dns.nxdomain")
def denied_name_that_an_encrypted_resolver_and_a_certificate_prove() -> Scene:
    return Scene().names(own=NX).asked(silent=BOTH).visit(by=(PROBE,))


def _redirected(**how: object) -> Scene:
    """short.example leads to news.example over https, where we fail and the controls do not."""
    scene = Scene(SHORT).names("short.example", own=(OTHER,), public=(OTHER,), encrypted=(OTHER,))
    scene.control_names(host="short.example", says=(OTHER,)).asked(*BOTH)
    scene.visit(page=to("https://news.example/"), ip=OTHER).names().control_names()
    scene.visit("https://news.example/", by=BOTH, depth=1)
    return scene.connect("https://news.example/", depth=1, **how)  # type: ignore[arg-type]


@case("blocked", "tcp.refused")
def qa30_redirect_and_refused() -> Scene:
    return _redirected(tcp=Failure.CONNECTION_REFUSED)


@case("blocked", "tls.reset")
def qa32_redirect_and_reset() -> Scene:
    return _redirected(tls=Failure.CONNECTION_RESET, holds=True)


@case("blocked", "tls.closed")
def qa35_redirect_and_closed() -> Scene:
    return _redirected(tls=Failure.EOF)


@case("blocked", "tls.silence")
def qa37_redirect_and_silence() -> Scene:
    return _redirected(tls=Failure.TIMEOUT)


@case("blocked", "dns.injected", "tls.reset")
def qa47_injected_and_reset() -> Scene:
    scene = Scene().names(own=(FORGED,), then=(SITE,)).control_names().asked(*BOTH)
    scene.connect(ip=FORGED, by=BOTH).visit(by=BOTH)
    for ip in (FORGED, SITE):
        scene.connect(ip=ip, tls=Failure.CONNECTION_RESET, holds=True)
    return scene


@case("blocked", "dns.injected")
def qa43_injected_address_that_refuses() -> Scene:
    scene = Scene(HTTP).names(own=(FORGED,), then=(SITE,)).control_names().asked(*BOTH)
    return scene.connect(ip=FORGED, tcp=Failure.CONNECTION_REFUSED).visit()


@case("ok", "tls.reset")
def twin_over_tls_is_reset() -> Scene:
    scene = site(HTTP).visit().connect("https://news.example/", by=BOTH)
    return scene.connect("https://news.example/", tls=Failure.CONNECTION_RESET, holds=True)


@case("down")
def qa01_unknown_authority_everywhere() -> Scene:
    return site().connect(bad=Failure.TLS_UNKNOWN_AUTHORITY, by=(PROBE, *BOTH)).twin()


@case("down")
def qa02_expired_everywhere() -> Scene:
    return site().connect(bad=Failure.TLS_INVALID_CERTIFICATE, by=(PROBE, *BOTH)).page().twin()


@case("down")
def qa50_nothing_listens() -> Scene:
    url = "http://news.example:444/"
    return site(url).connect(tcp=Failure.CONNECTION_REFUSED, by=(PROBE, *BOTH))


@case("down")
def innocent_site_silent_everywhere() -> Scene:
    return site().connect(tcp=Failure.TIMEOUT, by=(PROBE, *BOTH))


@case("local_fault")
def innocent_outdated_authorities() -> Scene:
    return site().visit(by=BOTH).connect(bad=Failure.TLS_UNKNOWN_AUTHORITY).page()


@case("ok")
def innocent_dead_ipv6_of_the_site() -> Scene:
    scene = site().visit().twin().connect(ip=SITE_6, tcp=Failure.TIMEOUT, by=(PROBE, *BOTH))
    scene.run = _with_ipv6(scene)
    return scene


@case("ok")
def innocent_broken_ipv6_of_the_line() -> Scene:
    both = (SITE, SITE_6)
    scene = Scene().names(own=both).control_names(says=both).asked(*BOTH).visit()
    scene.visit(ip=SITE_6, by=BOTH).connect(ip=SITE_6, tcp=Failure.TIMEOUT)
    scene.canary("foreign", 1, Failure.TIMEOUT, family=6).canary("foreign", 1)
    scene.run = _with_ipv6(scene)
    return scene


@case("inconclusive")
def controls_that_disagree_on_a_silent_address() -> Scene:
    return site().visit(by=("one",)).connect(tcp=Failure.TIMEOUT, by=(PROBE, "two"))


@case("inconclusive")
def silence_that_only_one_control_contradicts() -> Scene:
    return site(controls=("one",)).visit(by=("one",)).connect(tcp=Failure.TIMEOUT)


def _with_ipv6(scene: Scene) -> Run:
    return msgspec.structs.replace(scene.run, ipv6=True)


# Pages


@case("ok")
def qa40_plain_page() -> Scene:
    return site(HTTP).visit()


@case("ok")
def qa41_page_over_tls() -> Scene:
    return site().visit().twin()


@case("ok")
def qa08_valid_certificate_and_no_control() -> Scene:
    return Scene().names().asked(silent=BOTH).visit(by=(PROBE,))


@case("inconclusive")
def qa07_plain_page_and_no_control() -> Scene:
    return Scene(HTTP).names().asked(silent=BOTH).visit(by=(PROBE,))


@case("blocked", "http.reset")
def qa18_reset_on_the_request() -> Scene:
    scene = site(HTTP).visit(by=BOTH).connect(holds=True)
    return scene.page(Page(failure=Failure.CONNECTION_RESET))


@case("blocked", "http.closed")
def closed_on_the_request() -> Scene:
    return site(HTTP).visit(by=BOTH).connect().page(Page(failure=Failure.EOF))


@case("blocked", "http.silence")
def silence_on_the_request() -> Scene:
    return site(HTTP).visit(by=BOTH).connect().page(Page(failure=Failure.TIMEOUT))


@case("blocked", "http.blockpage")
def qa19_and_e1_page_of_somebody_else() -> Scene:
    shown = Page(BLOCK.text, headers=(("content-length", "120"), ("server", "nginx")))
    return site(HTTP).visit(by=BOTH).connect().page(shown)


@case("blocked", "http.blockpage")
def e7_block_page_without_title() -> Scene:
    theirs = Page("<title>ab</title>" + NEWS.text[23:])
    return site(HTTP).visit(page=theirs, by=BOTH).connect().page(Page("<p>not for you, sorry"))


@case("blocked", "http.blockpage")
def known_block_page_and_no_control() -> Scene:
    text = (
        "<p>Доступ к информационному ресурсу ограничен на основании решения Министерства "
        "информации Республики Беларусь, принятого в соответствии с законом &laquo;О средствах "
        "массовой информации&raquo;."
    )
    return Scene(HTTP).names().asked(silent=BOTH).connect().page(Page(text))


@case("blocked", "dns.injected", "http.blockpage")
def qa20_injected_address_and_block_page() -> Scene:
    scene = Scene(HTTP).names(own=(FORGED,), then=(SITE,)).control_names().asked(*BOTH)
    scene.visit(by=BOTH).connect("https://news.example/", FORGED, by=(PROBE, *BOTH))
    return scene.visit(page=BLOCK, ip=FORGED, by=(PROBE,)).visit(page=BLOCK, by=(PROBE,))


@case("ok", "http.altered")
def page_with_something_put_in() -> Scene:
    more = Page(NEWS.text.replace("story 7", "<script src=ad.js></script>story 7"))
    return site(HTTP).visit(by=BOTH).connect().page(more)


@case("blocked", "http.altered")
def page_with_other_words_under_the_same_head() -> Scene:
    other = Page("<title>Daily News</title>" + "".join(f"<p>{n} calm weather" for n in range(60)))
    return site(HTTP).visit(by=BOTH).visit("https://news.example/").connect().page(other)


@case("ok")
def innocent_page_in_the_visitors_language() -> Scene:
    ours = Page("<title>Daily News</title>" + "".join(f"<p>навіны {n} дня" for n in range(60)))
    scene = site(HTTP).visit(by=BOTH).connect().page(ours)
    return scene.visit("https://news.example/", ours, by=(PROBE,))


@case("ok", "tcp.silence")
def one_address_of_two_is_silent() -> Scene:
    scene = Scene().names(own=(SITE, OTHER)).control_names(says=(SITE, OTHER)).asked(*BOTH)
    return scene.visit().connect(ip=OTHER, by=BOTH).connect(ip=OTHER, tcp=Failure.TIMEOUT)


@case("ok")
def e4_controls_shut_out_of_a_site_without_tls() -> Scene:
    return site(HTTP).connect(tcp=Failure.TIMEOUT, by=BOTH).visit(by=(PROBE,))


@case("ok")
def e5_controls_refused_by_a_site_without_tls() -> Scene:
    refusal = Page("<title>Forbidden</title>no", status=403)
    return site(HTTP).visit(page=refusal, by=BOTH).visit(by=(PROBE,))


@case("inconclusive")
def short_page_where_controls_are_shut_out() -> Scene:
    return site(HTTP).connect(tcp=Failure.TIMEOUT, by=BOTH).visit(page=BLOCK, by=(PROBE,))


@case("blocked", "http.redirect")
def e3b_sent_to_the_operator() -> Scene:
    scene = site(HTTP).visit(by=BOTH).connect().page(to("http://82.209.230.23/", 302))
    return scene.visit("http://82.209.230.23/", BLOCK, "82.209.230.23", by=(PROBE,), depth=1)


@case("blocked", "http.redirect")
def e3_sent_to_a_block_page_with_a_valid_certificate() -> Scene:
    there = "https://www.a1.by/mininfo/"
    scene = site(HTTP).visit(by=BOTH).connect().page(to(there, 302))
    scene.names("www.a1.by", own=(OTHER,), public=(OTHER,), encrypted=(OTHER,))
    scene.control_names(host="www.a1.by", says=(OTHER,))
    return scene.visit(there, BLOCK, OTHER, depth=1)


@case("blocked", "http.redirect")
def sent_where_nobody_else_is_sent() -> Scene:
    scene = site(HTTP).visit(by=BOTH).connect().page(to("http://blocked.isp/", 302))
    scene.names("blocked.isp", own=(OTHER,), public=(OTHER,), encrypted=(OTHER,))
    scene.control_names(host="blocked.isp", says=(OTHER,))
    return scene.visit("http://blocked.isp/", BLOCK, OTHER, depth=1)


@case("server_side")
def qa05_challenge_in_the_clear() -> Scene:
    return site(HTTP).visit(by=BOTH).connect().page(CHALLENGE)


@case("server_side")
def qa06_challenge_over_tls() -> Scene:
    return site().visit(by=BOTH).visit(page=CHALLENGE, by=(PROBE,))


@case("server_side")
def refused_by_the_site_over_tls() -> Scene:
    return site().visit(by=BOTH).visit(page=REFUSAL, by=(PROBE,))


@case("server_side")
def f17_withheld_by_the_platform() -> Scene:
    notice = "https://vk.com/blank.php?rkn=1"
    scene = Scene("https://vk.com/x").names("vk.com").control_names(host="vk.com").asked(*BOTH)
    scene.visit(by=BOTH).visit(page=to(notice, 302), by=(PROBE,))
    return scene.visit(notice, Page("<p>withheld"), by=(PROBE,), depth=1)


@case("server_side")
def qa27_broken_redirect_for_us_only() -> Scene:
    broken = Page("", status=302, failure=Failure.HTTP_INVALID_REDIRECT, detail="no host")
    return site(HTTP).visit(by=BOTH).connect().page(broken)


@case("down")
def broken_redirect_for_all() -> Scene:
    broken = Page("", status=302, failure=Failure.HTTP_INVALID_REDIRECT, detail="no host")
    return site(HTTP).visit(page=broken)


@case("down")
def innocent_redirect_loop() -> Scene:
    scene = site()
    for who in (PROBE, *BOTH):
        scene.visit(page=to("https://news.example/a"), by=(who,))
        scene.visit("https://news.example/a", to("https://news.example/"), by=(who,), depth=1)
        scene.page(
            Page("", status=0, failure=Failure.UNKNOWN, detail="redirect loop"),
            by=(who,), depth=2,
        )
    return scene


@case("down")
def innocent_server_error_for_all() -> Scene:
    return site().visit(page=Page("<title>500</title>", status=500))


@case("ok")
def innocent_error_page_for_all() -> Scene:
    return site().visit(page=Page("<title>404</title>gone", status=404))


@case("ok")
def qa38_long_chain_of_redirects() -> Scene:
    scene = site()
    for n in range(15):
        at = f"https://news.example/{n}" if n else None
        scene.visit(at, to(f"https://news.example/{n + 1}", 303), depth=n)
    return scene.visit("https://news.example/15", depth=15)


@case("ok")
def e4_controls_shut_out() -> Scene:
    scene = site(HTTP).connect(tcp=Failure.TIMEOUT, by=BOTH).visit(by=(PROBE,))
    return scene.twin(by=(PROBE,)).connect("https://news.example/", tcp=Failure.TIMEOUT, by=BOTH)


@case("ok")
def e5_controls_refused() -> Scene:
    mine = Page(headers=(*NEWS.headers, ("x-site", "7f3a")))
    return site(HTTP).visit(page=REFUSAL, by=BOTH).connect().page(mine)


@case("ok")
def innocent_challenge_for_controls_only() -> Scene:
    return site().visit(page=CHALLENGE, by=BOTH).visit(by=(PROBE,))


@case("ok")
def innocent_sister_domain() -> Scene:
    sister = "http://news.com.by/"
    scene = site("http://news.com/").names("news.com").control_names(host="news.com")
    scene.visit(by=BOTH).connect().page(to(sister, 302))
    scene.names("news.com.by").control_names(host="news.com.by")
    return scene.visit(sister, Page("<title>Новости</title>" + "слово " * 80), depth=1)


@case("ok")
def innocent_geographic_redirect_that_our_twin_gets_too() -> Scene:
    there = "https://regional.example/"
    scene = site(HTTP).visit(by=BOTH).connect().page(to(there, 302))
    scene.visit("https://news.example/", to(there, 302), by=(PROBE,))
    scene.names("regional.example", own=(OTHER,)).control_names(host="regional.example",
                                                                says=(OTHER,))
    return scene.visit(there, BLOCK, OTHER, by=(PROBE,), depth=1)


@case("ok")
def innocent_page_that_changes_all_the_time() -> Scene:
    scene = site(HTTP)
    for n, who in enumerate((PROBE, *BOTH)):
        words = " ".join(f"{who}{n}{i}" for i in range(100))
        scene.visit(page=Page(f"<title>Daily News</title>{words}"), by=(who,))
    return scene


@case("inconclusive")
def every_vantage_point_gets_another_page() -> Scene:
    scene = site(HTTP)
    for n, who in enumerate((PROBE, *BOTH)):
        words = " ".join(f"{who}{n}{i}" for i in range(100))
        scene.visit(page=Page(f"<title>{who}</title>{words}"), by=(who,))
    return scene


# Surroundings


@case("local_fault")
def innocent_line_lost_meanwhile() -> Scene:
    scene = site().visit(by=BOTH).connect(tcp=Failure.TIMEOUT)
    for ring in ("domestic", "foreign"):
        scene.canary(ring, -40).canary(ring, 2, Failure.TIMEOUT)
    return scene


@case("local_fault")
def innocent_router_lost() -> Scene:
    scene = site().visit(by=BOTH).connect(tcp=Failure.TIMEOUT)
    return scene.canary("home", -40).canary("home", 2, Failure.TIMEOUT)


@case("inconclusive")
def outer_ring_lost() -> Scene:
    scene = site().visit(by=BOTH).connect(tcp=Failure.TIMEOUT).canary("domestic", 2)
    return scene.canary("foreign", -40).canary("foreign", 2, Failure.TIMEOUT)


@case("local_fault")
def innocent_captive_portal() -> Scene:
    scene = site(HTTP).visit(by=BOTH).connect().page(BLOCK)
    scene.run = msgspec.structs.replace(scene.run, captive_portal=True)
    return scene


@case("local_fault")
def innocent_dead_resolver() -> Scene:
    scene = _silent_resolver()
    for ring in ("domestic", "foreign"):
        scene.canary(ring, 1, resolver=Failure.DNS_TEMPORARY)
    return scene


# QUIC


def _with_quic(**here: object) -> Scene:
    """A site that is fine over TCP, and whose QUIC works for the controls."""
    return site().visit().quic(by=BOTH).quic(**here)  # type: ignore[arg-type]


@case("ok", "quic.silence")
def quic_silent_here_only() -> Scene:
    return _with_quic(failure=Failure.TIMEOUT)


@case("ok", "quic.silence")
def quic_silent_to_every_site() -> Scene:
    scene = _with_quic(failure=Failure.TIMEOUT)
    scene.quic_elsewhere = "lost"
    return scene


@case("ok", "quic.closed")
def quic_closed_by_an_alert() -> Scene:
    return _with_quic(failure=Failure.TLS_FAILED_HANDSHAKE, error_code=0x128)


@case("ok", "quic.closed")
def quic_negotiated_away() -> Scene:
    return _with_quic(failure=Failure.QUIC_INCOMPATIBLE_VERSION)


@case("ok", "quic.closed")
def quic_refused_by_icmp_here_only() -> Scene:
    return _with_quic(failure=Failure.CONNECTION_REFUSED)


@case("blocked", "tls.reset", "quic.silence")
def name_that_passes_neither_tcp_nor_quic() -> Scene:
    scene = site().visit(by=BOTH).connect(tls=Failure.CONNECTION_RESET, holds=True)
    return scene.quic(by=BOTH).quic(failure=Failure.TIMEOUT)


@case("blocked", "tls.reset")
def name_that_passes_over_quic() -> Scene:
    scene = site().visit(by=BOTH).connect(tls=Failure.CONNECTION_RESET, holds=True)
    return scene.quic(by=(PROBE, *BOTH))


@case("blocked", "tls.forged")
def forged_certificate_over_tcp_and_the_true_one_over_quic() -> Scene:
    scene = site().visit(by=BOTH)
    scene.connect(bad=Failure.TLS_UNKNOWN_AUTHORITY, leaf="forged", issuer="CN=Nobody")
    return scene.quic(by=(PROBE, *BOTH))


@case("ok")
def innocent_quic_dead_for_everybody() -> Scene:
    return site().visit().quic(by=(PROBE, *BOTH), failure=Failure.TIMEOUT)


@case("ok")
def innocent_quic_silent_for_us_and_one_control() -> Scene:
    scene = site().visit().quic(by=(PROBE, "one"), failure=Failure.TIMEOUT)
    return scene.quic(by=("two",))


@case("ok")
def innocent_server_that_has_no_room_for_one_visitor() -> Scene:
    scene = site().visit().quic(failure=Failure.EOF, error_code=2).quic(by=("one",))
    return scene.quic(by=("two",), failure=Failure.EOF, error_code=2)


@case("ok")
def innocent_control_that_met_another_family_over_quic() -> Scene:
    return site().visit().quic(failure=Failure.TIMEOUT).quic(ip=SITE_6, by=BOTH)


# The ladder

RESET = Failure.CONNECTION_RESET
NAMED = {"again": "s s s s", "elsewhere": "hf s hf s", "harmless": "f f"}


def _reset(*controls: str) -> Scene:
    scene = site(controls=controls) if controls else site(controls=()).asked(silent=BOTH)
    return scene.visit(by=controls).connect(tls=RESET, holds=True)


@case("blocked", "tls.reset")
def name_that_is_reset_each_time_and_anywhere() -> Scene:
    return _reset(*BOTH).follow("tls", RESET, NAMED)


@case("blocked", "tls.reset")
def name_reset_anywhere_with_no_control_to_ask() -> Scene:
    """E9"""
    return _reset().follow("tls", RESET, NAMED)


@case("inconclusive")
def innocent_reset_of_everything_with_no_control_to_ask() -> Scene:
    rungs = {"again": "s s s s", "elsewhere": "hf f f hf", "harmless": "s s"}
    return _reset().follow("tls", RESET, rungs)


@case("inconclusive")
def innocent_reset_that_does_not_come_again() -> Scene:
    return _reset(*BOTH).follow("tls", RESET, {"again": "f f f f"})


@case("inconclusive")
def innocent_line_that_is_silent_now_and_then() -> Scene:
    scene = site().visit(by=BOTH).connect(tcp=Failure.TIMEOUT)
    return scene.follow("tcp", Failure.TIMEOUT, {"again_tcp": "f s f f"})


@case("inconclusive")
def innocent_site_that_is_too_busy_for_every_second_connection() -> Scene:
    scene = site().visit(by=BOTH).connect(tcp=Failure.TIMEOUT)
    return scene.follow("tcp", Failure.TIMEOUT, {"again_tcp": "s s f f", "other_port": "f"})


@case("inconclusive")
def innocent_site_that_was_gone_for_some_seconds() -> Scene:
    scene = site().visit(by=BOTH).connect(tcp=Failure.TIMEOUT)
    return scene.follow("tcp", Failure.TIMEOUT, {"again_tcp": "s s s s", "again_later": "f f"})


MOODS = {"again": "s s s f", "harmless": "s f", "elsewhere": "hf f"}


@case("inconclusive")
def innocent_site_that_resets_whom_it_likes() -> Scene:
    return _reset(*BOTH).follow("tls", RESET, MOODS)


@case("inconclusive")
def innocent_site_that_resets_half_and_by_chance_no_harmless_name() -> Scene:
    lucky = {"again": "s s f f", "harmless": "f f", "elsewhere": "hf f", "no_name": "s"}
    return _reset(*BOTH).follow("tls", RESET, lucky)


@case("ok")
def innocent_site_over_http_whose_https_resets_whom_it_likes() -> Scene:
    scene = Scene(HTTP).names().control_names().asked(*BOTH).visit()
    https = "https://news.example/"
    scene.visit(https, by=BOTH).connect(https, tls=RESET, holds=True)
    return scene.follow("tls", RESET, MOODS, url=https)


@case("ok")
def innocent_site_over_http_whose_https_was_silent_once() -> Scene:
    scene = Scene(HTTP).names().control_names().asked(*BOTH).visit()
    https = "https://news.example/"
    scene.visit(https, by=BOTH).connect(https, tls=Failure.TIMEOUT)
    return scene.follow("tls", Failure.TIMEOUT, {"again": "f f f f"}, url=https)


@case("inconclusive")
def innocent_resolver_that_failed_once() -> Scene:
    scene = Scene().names(own=Failure.DNS_SERVFAIL).control_names().asked(*BOTH)
    scene.visit(by=BOTH).canary("foreign").connect(tls=Failure.TIMEOUT)
    return scene.follow(
        "dns", Failure.DNS_SERVFAIL, {"again_dns": "f f f f"}, ip="178.124.1.1", port=53
    )


@case("blocked", "tls.reset")
def hello_of_any_name_is_reset_anywhere() -> Scene:
    rungs = {"again": "s s s s", "elsewhere": "hs hs hs", "harmless": "s s"}
    return _reset(*BOTH).follow("tls", RESET, rungs)


@case("blocked", "tls.reset")
def name_that_is_reset_at_its_own_address_only() -> Scene:
    rungs = {"again": "s s s s", "elsewhere": "hf f f hf", "harmless": "f f"}
    return _reset(*BOTH).follow("tls", RESET, rungs)


@case("blocked", "tls.reset")
def whatever_is_said_at_the_address_is_reset() -> Scene:
    rungs = {"again": "s s s s", "elsewhere": "hf f f hf", "harmless": "s s"}
    return _reset(*BOTH).follow("tls", RESET, rungs)


@case("blocked", "tls.reset")
def whatever_is_said_at_the_port_is_reset() -> Scene:
    rungs = {"again": "s s s s", "harmless": "s s", "name_on_other_port": "hf f"}
    return _reset(*BOTH).follow("tls", RESET, rungs)


@case("blocked", "tcp.silence")
def address_whose_other_ports_answer() -> Scene:
    scene = site().visit(by=BOTH).connect(tcp=Failure.TIMEOUT)
    rungs = {"again_tcp": "s s s s", "other_port": "f f"}
    return scene.follow("tcp", Failure.TIMEOUT, rungs)


@case("blocked", "tcp.silence")
def address_whose_every_port_is_silent() -> Scene:
    scene = site().visit(by=BOTH).connect(tcp=Failure.TIMEOUT)
    rungs = {"again_tcp": "s s s s", "other_port": "s s s"}
    return scene.follow("tcp", Failure.TIMEOUT, rungs)


@case("blocked", "dns.nxdomain")
def resolver_that_denies_one_name_and_knows_others() -> Scene:
    scene = Scene().names(own=NX).control_names().asked(*BOTH).visit(by=BOTH)
    rungs = {"again_dns": "s s s s", "harmless_dns": "hf hf"}
    return scene.follow("dns", NX, rungs, ip="178.124.1.1", port=53)


@case("blocked", "tls.reset")
def silent_connection_reset_only_while_the_name_was_being_punished() -> Scene:
    """The plain pass said nothing right after the name, and was reset for that."""
    scene = site().visit(by=BOTH).connect(tls=RESET, held=RESET)
    return scene.follow("tls", RESET, NAMED | {"say_nothing": "f f"})


# What stands in the household

UNKNOWN = Failure.TLS_UNKNOWN_AUTHORITY
ANTIVIRUS, STRANGER = "CN=ESET SSL Filter CA,O=ESET", "CN=Northwind Inspection"


def _signed_by(issuer: str, *, everywhere: bool = True, **run: str | bool) -> Scene:
    """Here the certificate is *issuer*'s, for the controls it is the site's own."""
    scene = site().visit(by=BOTH).connect(leaf="forged", bad=UNKNOWN, issuer=issuer).page()
    scene.run = msgspec.structs.replace(scene.run, **run)
    return scene.greeted(issuer, UNKNOWN) if everywhere else scene.greeted()


@case("local_fault")
def innocent_antivirus() -> Scene:
    return _signed_by(ANTIVIRUS)


@case("local_fault")
def innocent_antivirus_that_spares_canaries() -> Scene:
    return _signed_by(ANTIVIRUS, everywhere=False)


@case("local_fault")
def innocent_unknown_program_on_this_machine() -> Scene:
    return _signed_by(STRANGER, forger_at="machine")


@case("local_fault")
def innocent_unknown_box_at_the_home_router() -> Scene:
    return _signed_by(STRANGER, forger_at="hop", home_router=True)


@case("inconclusive")
def stranger_who_signs_for_everybody() -> Scene:
    return _signed_by(STRANGER, forger_at="beyond")


@case("inconclusive")
def stranger_at_a_first_router_that_may_be_the_operators() -> Scene:
    return _signed_by(STRANGER, forger_at="hop", home_router=False)


@case("inconclusive")
def product_that_employers_and_operators_buy() -> Scene:
    return _signed_by("CN=FortiGate CA", everywhere=False)


@case("blocked", "tls.forged")
def stranger_who_signs_for_some() -> Scene:
    return _signed_by(STRANGER, everywhere=False)


@case("blocked", "tls.forged")
def state_that_signs_for_everybody() -> Scene:
    return _signed_by("CN=Qaznet Trust Network")


@case("blocked", "tls.forged")
def stranger_who_signs_for_everybody_abroad() -> Scene:
    scene = _signed_by(STRANGER, everywhere=False)
    scene.canaries.clear()
    scene.greeted(STRANGER, UNKNOWN, rings=("foreign",))
    return scene.greeted("CN=Good CA", rings=("domestic",))


@case("inconclusive")
def reset_where_somebody_opens_every_connection() -> Scene:
    scene = site().visit(by=BOTH).connect(tls=Failure.CONNECTION_RESET, holds=True)
    return scene.greeted(STRANGER, UNKNOWN)


@case("ok")
def innocent_page_in_the_clear_beside_an_antivirus() -> Scene:
    scene = site(HTTP).visit()
    scene.connect("https://news.example/", leaf="forged", bad=UNKNOWN, issuer=ANTIVIRUS)
    scene.visit("https://news.example/", by=BOTH)
    return scene.greeted(ANTIVIRUS, UNKNOWN)


def _resolver_at_home(
    home: Sequence[str] | Failure, network: Sequence[str] | Failure | None
) -> Scene:
    return Scene().names().control_names().asked(*BOTH).visit(by=BOTH).behind(home, network)


@case("local_fault")
def innocent_filter_of_the_home_router() -> Scene:
    return _resolver_at_home(NX, (SITE,))


@case("local_fault")
def innocent_advertisement_blocker() -> Scene:
    return _resolver_at_home(("0.0.0.0",), (SITE,))


@case("blocked", "dns.nxdomain")
def lie_of_the_operator_through_the_home_router() -> Scene:
    return _resolver_at_home(NX, NX)


@case("inconclusive")
def lie_of_the_home_router_or_of_who_is_behind_it() -> Scene:
    return _resolver_at_home(NX, None)


@case("ok")
def innocent_resolver_at_home_that_tells_the_truth() -> Scene:
    return _resolver_at_home((SITE,), (SITE,)).visit()


def _chosen_abroad(public: Sequence[str] | Failure = (SITE,)) -> Scene:
    scene = Scene().names(own=NX, public=public).control_names().asked(*BOTH).visit(by=BOTH)
    scene.run = msgspec.structs.replace(scene.run, resolver_cc="CY", resolver_at="network")
    return scene


@case("local_fault")
def innocent_filter_abroad_that_the_user_chose() -> Scene:
    return _chosen_abroad()


@case("blocked", "dns.nxdomain", "dns.injected")
def lie_on_the_way_to_every_resolver_abroad() -> Scene:
    return _chosen_abroad(public=NX)


def _reset_at_the_first_hop(*, home_router: bool) -> Scene:
    reset = Failure.CONNECTION_RESET
    scene = site().visit(by=BOTH).connect(tls=reset, holds=True)
    scene.run = msgspec.structs.replace(scene.run, home_router=home_router)
    at = {"ip": SITE, "port": 443, "url": scene.url, "step": "where_tls"}
    met = [
        HopProbe(ttl=1, trigger="tls", name="news.example", answer="reset", **at)  # type: ignore[arg-type]
        for _ in range(3)
    ]
    scene.follow("tls", reset, {"again": "s s s"})
    follow_up = scene.climbs.pop()
    scene.climbs.append(
        msgspec.structs.replace(follow_up, evidence=(*follow_up.evidence, *met))
    )
    return scene


@case("local_fault")
def innocent_filter_in_the_home_router() -> Scene:
    return _reset_at_the_first_hop(home_router=True)


@case("blocked", "tls.reset")
def reset_at_a_first_router_that_is_the_operators() -> Scene:
    return _reset_at_the_first_hop(home_router=False)


@case("ok", "throttled")
def slow_with_its_name_only() -> Scene:
    return timed.scene(timed.timed(mine=3.0, unnamed=0.3))


@case("blocked", "throttled")
def slow_from_its_address_and_without_end() -> Scene:
    transfers = timed.timed(mine=6.0, unnamed=6.0)
    return timed.scene(transfers, seconds=11.0, truncated=True)


@case("ok")
def innocent_slow_server() -> Scene:
    return timed.scene(timed.timed(mine=6.0, unnamed=6.0, server=(5.5, 5.5)), seconds=11.0)


@case("ok")
def innocent_slow_line() -> Scene:
    return timed.scene(timed.timed(mine=6.0, unnamed=6.0, control=5.0), seconds=11.0)


@case("inconclusive")
def innocent_server_that_dislikes_our_hello() -> Scene:
    """The controls come as a browser, and here that is not installed."""
    scene = site().visit(by=BOTH).hellos("chrome-152").connect(tls=RESET, holds=True)
    scene.hellos("python")
    return scene.follow("tls", RESET, {"again": "s s s s", "elsewhere": "hf f f", "harmless": "s"})


@case("blocked", "tls.reset")
def name_reset_for_us_whose_hello_is_unlike_the_controls() -> Scene:
    scene = site().visit(by=BOTH).hellos("chrome-152").connect(tls=RESET, holds=True)
    return scene.hellos("python").follow("tls", RESET, NAMED)


@case("blocked", "tls.reset")
def every_hello_of_one_program_is_reset() -> Scene:
    rungs = {"again": "s s s s", "elsewhere": "hs hs", "harmless": "s s", "other_hello": "f f"}
    return _reset(*BOTH).follow("tls", RESET, rungs)


@case("blocked", "tls.closed")
def alert_of_a_censor_that_was_lost_the_first_time() -> Scene:
    """Its FIN came alone then; that the alert comes later is no passing."""
    scene = site().visit(by=BOTH).connect(tls=Failure.EOF)
    rungs = {"again": "a a a a", "elsewhere": "hf a a", "harmless": "f f"}
    return scene.follow("tls", Failure.EOF, rungs)


@case("blocked", "dns.injected")
def forged_address_in_the_network_of_the_true_one() -> Scene:
    """The true answer comes after it, so that it is no other server of the same company."""
    neighbour = "93.184.216.99"
    scene = Scene().names(own=(neighbour,), then=(SITE,), system=(neighbour,))
    scene.networks[neighbour] = scene.networks[SITE]
    scene.control_names().asked(*BOTH).visit(by=BOTH).connect(ip=SITE)
    return scene.connect(ip=neighbour, tcp=Failure.CONNECTION_REFUSED)
