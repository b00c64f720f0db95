"""Another hello with the same name: is it how the ClientHello looks, and how it travels?"""

from __future__ import annotations

from probe.evidence import PROBE, DNSExchange
from probe.ladder.climb import Climb
from probe.ladder.rung import Accused, rung
from probe.steps import browser
from probe.steps.engine import spoken
from probe.wire import ech


@rung("other_hello", of=("tls",), phase="trigger")
async def other_hello(climb: Climb, accused: Accused) -> None:
    """Does the name pass in the ClientHello of another program?"""
    if not browser.available():
        return  # there is only one
    other = "python" if spoken(climb.tools.hello) == "browser" else "browser"
    await climb.hello(accused.ip, accused.port, accused.host, hello=other)


@rung("split_hello", of=("tls",), phase="trigger")
async def split_hello(climb: Climb, accused: Accused) -> None:
    """Does the name pass when it is cut over two TCP segments?"""
    await climb.hello(accused.ip, accused.port, accused.host, split=True)


@rung("ech_hello", of=("tls",), phase="trigger")
async def ech_hello(climb: Climb, accused: Accused) -> None:
    """Does it pass when the name is encrypted (ECH, RFC 9849), where the site offers that?"""
    if not browser.available():
        return
    answers = (
        answer.raw
        for e in climb.plain
        if isinstance(e, DNSExchange) and (e.vantage, e.rdtype) == (PROBE, "HTTPS")
        and e.hostname == accused.host
        for answer in e.answers
    )  # fmt: skip
    found = (ech.from_https_record(raw, host=accused.host) for raw in answers)
    config = next(filter(None, found), None)
    if config is not None:
        await climb.hello(accused.ip, accused.port, accused.host, hello="browser", ech=config)
