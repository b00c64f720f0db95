"""Where the accused name is tried without the accused address: sites that work from here."""

from __future__ import annotations

import time
from collections.abc import Sequence

import trio

from probe.addresses import family
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
    somebody answers in the site's place, nothing could be learned.
    """
    found: dict[tuple[str, int], str] = {}

    async def look(name: str) -> None:
        try:
            with trio.fail_after(LOOKUP_TIMEOUT):
                addresses = await tools.net.system_lookup(name)
        except NETWORK_ERRORS:
            return
        for version in (4, 6):
            usable = [ip for ip in addresses if tools.usable(ip) and family(ip) == version]
            for ip in usable[:1]:
                if await _proves_itself(tools, name, ip):
                    found[name, version] = ip

    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(look, name)
    return tuple(found[key] for key in sorted(found, key=lambda key: names.index(key[0])))


async def _proves_itself(tools: Tools, name: str, ip: str) -> bool:
    trace = Trace()
    await tools.net.turn(ip, PORT)
    try:
        async with await tcp_connect(tools.net, trace, ip, PORT) as stream:
            tls = await tls_handshake(trace, stream, ip=ip, port=PORT, sni=name)
            return check_certificate(
                tools.verifier, trace, chain=tls.chain(), hostname=name,
                at=time.time() + tools.clock_offset, ip=ip, port=PORT,
            )  # fmt: skip
    except StepFailed:
        return False
