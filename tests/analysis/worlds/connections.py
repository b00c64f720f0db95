"""What a connection meets: silence, resets, alerts, certificates; and who is shut out for all."""

from __future__ import annotations

import msgspec

from probe.evidence import PROBE, Run
from probe.failure import Failure
from tests.analysis.build import BLOCK, BOTH, FORGED, OTHER, SITE, SITE_6, Scene, site, to
from tests.analysis.worlds.case import HTTP, SHORT, case

NX = Failure.DNS_NXDOMAIN


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
