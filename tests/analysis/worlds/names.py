"""What the name leads to: lies, silence, denials, and the innocent who differ."""

from __future__ import annotations

from probe.evidence import PROBE
from probe.failure import Failure
from tests.analysis.build import BLOCK, BOTH, FORGED, OTHER, SITE, Page, Scene, to
from tests.analysis.worlds.case import HTTP, SHORT, case

NX = Failure.DNS_NXDOMAIN


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


def silent_resolver() -> Scene:
    scene = Scene().names(own=Failure.TIMEOUT, system=Failure.DNS_TEMPORARY)
    return scene.control_names().asked(*BOTH).visit()


@case("blocked", "dns.silence")
def silent_for_this_name_only() -> Scene:
    return silent_resolver().canary("domestic", 1).canary("foreign", 1)


@case("inconclusive")
def silent_resolver_of_which_nothing_else_is_known() -> Scene:
    return silent_resolver()


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


@case("blocked", "dns.injected")
def forged_address_in_the_network_of_the_true_one() -> Scene:
    """The true answer comes after it, so that it is no other server of the same company."""
    neighbour = "93.184.216.99"
    scene = Scene().names(own=(neighbour,), then=(SITE,), system=(neighbour,))
    scene.networks[neighbour] = scene.networks[SITE]
    scene.control_names().asked(*BOTH).visit(by=BOTH).connect(ip=SITE)
    return scene.connect(ip=neighbour, tcp=Failure.CONNECTION_REFUSED)
