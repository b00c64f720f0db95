"""What a page shows: block pages, challenges, redirects, and pages that change by themselves."""

from __future__ import annotations

from probe.evidence import PROBE
from probe.failure import Failure
from tests.analysis.build import BLOCK, BOTH, FORGED, NEWS, OTHER, SITE, Page, Scene, site, to
from tests.analysis.worlds.case import HTTP, case

CHALLENGE = Page("<title>Just a moment...</title>", status=503, headers=(("server", "cloudflare"),))
REFUSAL = Page("<title>Forbidden</title>no", status=403, headers=(("x-site", "7f3a"),))


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
