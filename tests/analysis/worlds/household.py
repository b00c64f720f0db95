"""What surrounds the measurement: the line, the portal, programs and filters at home."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from probe.evidence import HopProbe
from probe.failure import Failure
from tests.analysis.build import BLOCK, BOTH, SITE, Scene, site
from tests.analysis.worlds.case import HTTP, case
from tests.analysis.worlds.names import silent_resolver

NX = Failure.DNS_NXDOMAIN


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
    scene = silent_resolver()
    for ring in ("domestic", "foreign"):
        scene.canary(ring, 1, resolver=Failure.DNS_TEMPORARY)
    return scene


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
