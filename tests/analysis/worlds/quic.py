"""What a site that offers QUIC meets over it and over TCP."""

from __future__ import annotations

from probe.evidence import PROBE
from probe.failure import Failure
from tests.analysis.build import BOTH, SITE_6, Scene, site
from tests.analysis.worlds.case import case


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
