"""What is looked at again, one thing changed at a time, and what that shows."""

from __future__ import annotations

from probe.failure import Failure
from tests.analysis.build import BOTH, Scene, site
from tests.analysis.worlds.case import HTTP, case

NX = Failure.DNS_NXDOMAIN

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
