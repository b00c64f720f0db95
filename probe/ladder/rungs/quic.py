"""QUIC against TCP: a filter that reads one hello may not read the other."""

from __future__ import annotations

from probe.alternative import offered
from probe.evidence import PROBE
from probe.ladder.climb import Climb
from probe.ladder.rung import Accused, rung
from probe.steps.quic import available

TRIES = 2


@rung("quic_instead", of=("tls", "certificate"), phase="trigger")
async def quic_instead(climb: Climb, accused: Accused) -> None:
    """Does the name pass over QUIC, and the page with it, where the site speaks HTTP/3?"""
    port = _offered_port(climb, accused)
    if port is None or not available():
        return
    for _ in range(TRIES):
        if await climb.quic(accused.ip, port, accused.host, fetch=True) is None:
            return


def _offered_port(climb: Climb, accused: Accused) -> int | None:
    """Where the accused's host speaks HTTP/3, by what anybody has seen of it.

    A header that nobody can have touched tells, or the name's HTTPS record: what we do not
    get to see ourselves where the handshake over TCP fails, controls do.
    """
    vantages = dict.fromkeys((PROBE, *(e.vantage for e in climb.plain)))
    for vantage in vantages:
        for endpoint in offered(climb.plain, vantage):
            if endpoint.url.host == accused.host:
                return endpoint.port
    return None
