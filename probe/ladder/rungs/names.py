"""Other names at the accused address: what in the name is the trigger, if it is the name."""

from __future__ import annotations

from probe.ladder.climb import Climb
from probe.ladder.rung import Accused, rung

TRIES = 2


@rung("harmless", of=("tls", "certificate", "http", "page", "quic"), phase="confirm")
async def harmless(climb: Climb, accused: Accused) -> None:
    """Does a harmless name pass at the accused address?"""
    async with climb.watching(accused.ip, accused.port):
        await climb.repeat(TRIES, lambda: climb.speak(accused.ip, accused.port, climb.harmless))


@rung("no_name", of=("tls", "certificate", "http", "page", "quic"), phase="trigger")
async def no_name(climb: Climb, accused: Accused) -> None:
    """Does it pass without a name: no SNI, the address alone as Host?"""
    await climb.speak(accused.ip, accused.port, None)


@rung("other_case", of=("tls", "certificate", "http", "page", "dns", "quic"), phase="trigger")
async def other_case(climb: Climb, accused: Accused) -> None:
    """Is the name compared letter by letter? (Names have no case, RFC 4343.)"""
    name = accused.host.upper()
    if accused.layer == "dns":
        await climb.lookup(accused.ip, name, accused.rdtype)
    else:
        await climb.speak(accused.ip, accused.port, name)


@rung("suffix", of=("tls", "certificate", "http", "page", "dns", "quic"), phase="trigger")
async def suffix(climb: Climb, accused: Accused) -> None:
    """Is the name found also at the beginning of a longer one, which belongs to nobody?"""
    name = f"{accused.host}.{climb.harmless}"
    if accused.layer == "dns":
        await climb.lookup(accused.ip, name, accused.rdtype)
    else:
        await climb.speak(accused.ip, accused.port, name)


@rung("subdomain", of=("tls", "certificate", "http", "page", "dns", "quic"), phase="trigger")
async def subdomain(climb: Climb, accused: Accused) -> None:
    """Are names under the name met in the same way?"""
    name = f"zond.{accused.host}"
    if accused.layer == "dns":
        await climb.lookup(accused.ip, name, accused.rdtype)
    else:
        await climb.speak(accused.ip, accused.port, name)


@rung("host_only", of=("tls", "certificate"), phase="trigger")
async def host_only(climb: Climb, accused: Accused) -> None:
    """Does the name pass in the Host header of a connection whose SNI is harmless?"""
    await climb.request(accused.ip, accused.port, accused.host, tls=True, sni=climb.harmless)
