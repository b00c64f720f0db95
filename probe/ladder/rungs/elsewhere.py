"""The accused name where the accused address plays no part, and what it leaves behind.

First of all rungs, since the others have to know whether one test colours the next. A
neutral address has not been coloured by the plain pass.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from probe.evidence import TCPConnect
from probe.failure import Failure
from probe.ladder.climb import Climb
from probe.ladder.rung import Accused, rung

TRIES = 3  # of a harmless name, before a neutral address is given up
ADDRESSES = 2  # neutral addresses tried
AT_ONCE = 0.2  # seconds after the accused name
RETRANSMITTED = 0.9  # seconds; a SYN is sent again after one (RFC 6298)
LEAST = 2.5  # seconds; what is shorter may be one lost packet, and a pause is enough for it
SURE = 2  # harmless tests in a row that pass, before a tuple counts as free
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 20.0

Test = Callable[[], Awaitable[Failure | None]]


@rung("elsewhere", of=("tls", "certificate", "http", "page", "quic"), phase="residual")
async def elsewhere(climb: Climb, accused: Accused) -> None:
    """Does the name meet the same end at an address that has nothing to do with it?

    And does a harmless name pass there, before, right after, and how long after?
    """
    over_quic = accused.layer == "quic"  # which only some of them speak
    count, tries = (len(climb.neutral), 1) if over_quic else (ADDRESSES, TRIES)
    for ip in climb.choose_neutral(accused.port, count):
        async with climb.alone(ip):

            async def harmless(ip: str = ip) -> Failure | None:
                return await climb.speak(ip, accused.port, climb.harmless)

            if await _works(harmless, tries):
                await _speak_and_look(climb, accused, ip, harmless)
                return


@rung("bare_dns", of=("dns",), phase="trigger")
async def bare_dns(climb: Climb, accused: Accused) -> None:
    """Is a question about the name answered that went to where no resolver is?"""
    for ip in climb.choose_neutral(53, ADDRESSES):
        await climb.lookup(ip, climb.harmless, accused.rdtype)
        await climb.lookup(ip, accused.host, accused.rdtype)


async def _works(harmless: Test, tries: int) -> bool:
    for _ in range(tries):
        if await harmless() is None:
            return True
    return False


async def _speak_and_look(climb: Climb, accused: Accused, ip: str, harmless: Test) -> None:
    met = await climb.speak(ip, accused.port, accused.host)
    spoken = trio.current_time()
    if met is None:
        # Passed; or the trigger was overlooked, as censors under load do.
        met = await climb.speak(ip, accused.port, accused.host)
        spoken = trio.current_time()
    await trio.sleep(AT_ONCE)
    blocked_until, passed, pause = spoken, 0, FIRST_PAUSE
    while trio.current_time() - spoken < climb.settings.residual_seconds:
        if await harmless() is None and not _late(climb):
            passed += 1
            if passed == SURE or blocked_until == spoken:
                break
        else:
            passed, blocked_until = 0, trio.current_time()
            await trio.sleep(pause)
            pause = min(1.5 * pause, LONGEST_PAUSE)
    if blocked_until - spoken > LEAST:
        climb.progress.residual = trio.current_time() - spoken
        climb.sent(accused.ip)  # in the plain pass, just before
    if met is not None:
        await climb.speak(ip, accused.port, accused.host)


def _late(climb: Climb) -> bool:
    """Whether the last connection came about only when its SYN was sent again: who drops
    packets for a few seconds shows in that."""
    made = (e for e in reversed(climb.trace.records) if isinstance(e, TCPConnect))
    last = next(made, None)
    return last is not None and last.t - last.t0 > RETRANSMITTED
