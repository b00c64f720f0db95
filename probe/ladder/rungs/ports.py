"""Other ports of the accused address, and the other IP version: is it the address, the port, or
what is said there?"""

from __future__ import annotations

import trio

from probe.addresses import family
from probe.evidence import PROBE, DNSExchange
from probe.ladder.climb import Climb
from probe.ladder.rung import Accused, rung

PORTS = (443, 80, 22, 8443)
TRIES = 2


@rung("other_port", of=("tcp",), phase="trigger")
async def other_port(climb: Climb, accused: Accused) -> None:
    """Do other ports of the address answer, be it with a refusal?"""
    async with trio.open_nursery() as nursery:
        for port in PORTS:
            if port != accused.port:
                nursery.start_soon(climb.connect, accused.ip, port)


@rung("same_port_elsewhere", of=("tcp",), phase="trigger")
async def same_port_elsewhere(climb: Climb, accused: Accused) -> None:
    """Does the port answer at addresses that have nothing to do with the accused?"""
    async with trio.open_nursery() as nursery:
        for ip in climb.choose_neutral(accused.port, TRIES):
            nursery.start_soon(climb.connect, ip, accused.port)


@rung("name_on_other_port", of=("tls", "http", "page"), phase="trigger")
async def name_on_other_port(climb: Climb, accused: Accused) -> None:
    """Is the name met in the same way on a port where something else is spoken?

    A web server answers a ClientHello on port 80, and a request in the clear on 443,
    with an error; a censor that minds the port lets that come back.
    """
    port = 80 if accused.port != 80 else 443
    for name in (climb.harmless, accused.host):
        if accused.layer == "tls":
            await climb.hello(accused.ip, port, name)
        elif not accused.url.tls:
            await climb.request(accused.ip, port, name)


@rung("other_family", of=("tcp", "tls", "certificate", "http", "page"), phase="trigger")
async def other_family(climb: Climb, accused: Accused) -> None:
    """Is it the same over the other IP version, where the site has one?"""
    others = [ip for ip in known_addresses(climb, accused) if family(ip) != family(accused.ip)]
    for ip in others[:1]:
        if accused.layer == "tcp":
            await climb.connect(ip, accused.port)
        else:
            await climb.speak(ip, accused.port, accused.host)


def known_addresses(climb: Climb, accused: Accused) -> list[str]:
    """Addresses of the accused host that a control or an encrypted resolver has given."""
    found = (
        ip
        for e in climb.plain
        if isinstance(e, DNSExchange) and e.hostname.rstrip(".") == accused.host
        and (e.vantage != PROBE or e.engine in ("dot", "doh"))
        for answer in e.answers
        for ip in answer.addresses
        if climb.tools.usable(ip)
    )  # fmt: skip
    return list(dict.fromkeys(found))
