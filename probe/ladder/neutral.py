"""Where the accused name is tried without the accused address: sites that work from here."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from probe.addresses import family
from probe.evidence import TLSHandshake
from probe.failure import NETWORK_ERRORS
from probe.steps.certificate import check_certificate
from probe.steps.tcp import tcp_connect
from probe.steps.tls import tls_handshake
from probe.tools import Tools
from probe.trace import StepFailed, Trace

PORT = 443
LOOKUP_TIMEOUT = 6.0


async def find_neutral(tools: Tools, names: Sequence[str]) -> tuple[str, ...]:
    """An address of each family of each of *names*, as far as they prove to be themselves.

    The certificate is the proof: at an address that a lying resolver gives, or where
    somebody answers in the site's place, nothing could be learned. Where not one comes to
    show it, those that can be connected to are given: that every handshake abroad fails is
    something to learn.
    """
    found: dict[tuple[str, int], str] = {}
    unproved: dict[tuple[str, int], str] = {}

    async def look(name: str) -> None:
        try:
            with trio.fail_after(LOOKUP_TIMEOUT):
                addresses = await tools.net.system_lookup(name)
        except NETWORK_ERRORS:
            return
        for version in (4, 6):
            usable = [ip for ip in addresses if tools.usable(ip) and family(ip) == version]
            for ip in usable[:1]:
                proved = await _proves_itself(tools, name, ip)
                if proved is not False:
                    (found if proved else unproved)[name, version] = ip

    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(look, name)
    chosen = found or unproved
    return tuple(chosen[key] for key in sorted(chosen, key=lambda key: names.index(key[0])))


async def _proves_itself(tools: Tools, name: str, ip: str) -> bool | None:
    """None where a connection comes about and no certificate is shown."""
    trace = Trace()
    await tools.net.turn(ip, PORT)
    try:
        async with await tcp_connect(tools.net, trace, ip, PORT) as stream:
            tls = await tls_handshake(trace, stream, ip=ip, port=PORT, sni=name)
            return check_certificate(
                tools.verifier, trace, chain=tls.chain(), hostname=name,
                at=tools.now(), ip=ip, port=PORT,
            )  # fmt: skip
    except StepFailed:
        return None if isinstance(trace.records[-1], TLSHandshake) else False
