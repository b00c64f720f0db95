"""Does it happen again? Nothing is accused on one sight: lines lose packets."""

from __future__ import annotations

from probe.failure import Failure
from probe.ladder.climb import Climb
from probe.ladder.rung import Accused, rung

TRIES = 4  # beside the plain pass
SILENT_TRIES = 2  # of a connection that nothing may follow
LATER_TRIES = 2
# What a site shows as well that is gone for some seconds: then all tries at one time fail.
WEAK = (
    Failure.TIMEOUT, Failure.CONNECTION_REFUSED, Failure.HOST_UNREACHABLE,
    Failure.NETWORK_UNREACHABLE,
)  # fmt: skip


@rung("again", of=("tls", "certificate", "http", "page", "quic"), phase="confirm")
async def again(climb: Climb, accused: Accused) -> None:
    """Does the same name meet the same end each time?"""
    async with climb.watching(accused.ip, accused.port):
        await climb.repeat(TRIES, lambda: climb.speak(accused.ip, accused.port, accused.host))


@rung("again_tcp", of=("tcp",), phase="confirm")
async def again_tcp(climb: Climb, accused: Accused) -> None:
    """Does the connection fail each time?"""
    async with climb.watching(accused.ip, accused.port):
        await climb.repeat(TRIES, lambda: climb.connect(accused.ip, accused.port))


@rung("again_dns", of=("dns",), phase="confirm")
async def again_dns(climb: Climb, accused: Accused) -> None:
    """Is the same question answered in the same way each time?"""
    await climb.repeat(TRIES, lambda: climb.lookup(accused.ip, accused.host, accused.rdtype))


@rung("say_nothing", of=("tls", "http", "tcp"), phase="trigger")
async def say_nothing(climb: Climb, accused: Accused) -> None:
    """Is the connection cut although nothing is said on it?"""
    if accused.how in (Failure.CONNECTION_RESET, Failure.EOF):
        await climb.repeat(SILENT_TRIES, lambda: climb.hold(accused.ip, accused.port))


@rung("again_later", of=("tcp", "tls", "http"), phase="speed")
async def again_later(climb: Climb, accused: Accused) -> None:
    """Does it still fail when all else has been tried?"""
    if accused.how not in WEAK:
        return
    if accused.layer == "tcp":
        await climb.repeat(LATER_TRIES, lambda: climb.connect(accused.ip, accused.port))
    else:
        await climb.repeat(
            LATER_TRIES, lambda: climb.speak(accused.ip, accused.port, accused.host)
        )
