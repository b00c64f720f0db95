"""Is it slow because somebody makes it slow? Timed side by side, several times.

Each round times the accused page while a control sends us as many bytes over the same
line, and then, in the same way, the same page from the same address with its name not
in the clear. Meanwhile each control times the page itself. So a slow line shows in the
control's bytes, a slow server in the control's own times, and what only our page suffers,
or only its name, in the comparison. What that means is for ``analysis.observe.speed``.
"""

from __future__ import annotations

from functools import partial
from statistics import median

import trio

from probe.control.speed import Wanted
from probe.evidence import PROBE, HTTPExchange, Transfer
from probe.failure import Failure
from probe.ladder.climb import Climb
from probe.ladder.rung import Accused, rung
from probe.steps.transfer import MAX_BYTES, transfer

ROUNDS = 8  # a paired test of 8 gives 1 in 256 at best; 2 MB at most, all transfers together
TIMED = 5  # transfers of each control
TIMEOUT = 10.0  # seconds for one transfer: at 5 KB/s a page of 48 KiB
LOOK = 3  # rounds, after which it is seen whether to go on
NOT_SLOW = 1.5  # times the others; less is not gone on with
FEWEST_BYTES = 4096  # for a control to send: below that only the round trips count


@rung("speed", of=("slow",), phase="speed")
async def speed(climb: Climb, accused: Accused) -> None:
    """Is the page slower than others on this line now, and is its name or its address?"""
    timing = _Timing(climb, accused)
    # From beginning to end: the controls' own transfers are a load as well.
    async with climb.controls.timing, trio.open_nursery() as nursery:
        nursery.start_soon(timing.ask_controls)
        for number in range(ROUNDS):
            if not await timing.round(number):
                break


class _Timing:
    """The rounds of one climb."""

    def __init__(self, climb: Climb, accused: Accused) -> None:
        self.climb, self.accused, self.url = climb, accused, accused.url
        # What may stand in the clear in the place of the accused name.
        self.names: list[str | None] = [None, climb.harmless] if self.url.tls else [climb.harmless]
        if self.url.ip_literal:
            self.names = []
        self.settled = False  # the server answers alike without the name
        self.controls = list(climb.controls.controls) if climb.controls.direct else []
        self.size = MAX_BYTES
        self.status: int | None = None
        for e in climb.plain:
            if isinstance(e, HTTPExchange) and e.vantage == PROBE and e.url == self.url.text:
                self.size, self.status = _bounded(e.body_length), e.status

    async def ask_controls(self) -> None:
        wanted = Wanted(url=self.url.text, ip=self.accused.ip, count=TIMED)
        await self.climb.controls.time_page(self.climb.trace, wanted, **self.climb.facts)

    async def round(self, number: int) -> bool:
        """One round; whether another is worth it."""
        mine = await self._beside_a_control(number, "accused", self.url.host)
        if mine.received:
            self.size = _bounded(mine.received)
        if self.names:
            other = await self._beside_a_control(number, "unnamed", self.names[0])
            if other.status is not None and other.status == (mine.status or self.status):
                self.settled = True
            elif not self.settled and other.failure is not Failure.TIMEOUT:
                del self.names[0]  # the server minds: another name next time, or none
        if number + 1 < LOOK:
            return True
        if self._as_slow_unnamed():
            self.names = []  # it is not the name: that is enough of it
        return self._may_be_slow()

    async def _beside_a_control(self, number: int, what: str, name: str | None) -> Transfer:
        """The page, with *name* in the clear, while a control sends as many bytes."""
        climb, ip, port = self.climb, self.accused.ip, self.accused.port
        made: list[Transfer] = []

        async def page() -> None:
            about = {key: fact for key, fact in climb.facts.items() if key != "url"}
            made.append(
                await transfer(
                    climb.tools.net, climb.trace, self.url, what=what, ip=ip, port=port,
                    hello=climb.tools.hello,
                    sni=name if self.url.tls and not self.url.ip_literal else None,
                    host=name if what == "unnamed" and not self.url.tls else None,
                    timeout=TIMEOUT, round=number, **about,
                )
            )

        await climb.ready(ip, port)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(page)
            if self.controls:
                turn = number + (what == "unnamed")
                control = self.controls[turn % len(self.controls)]
                facts = climb.facts | {"round": number, "beside": what}
                nursery.start_soon(
                    partial(
                        climb.controls.download, climb.trace, control, size=self.size,
                        timeout=TIMEOUT, **facts,
                    )
                )
        climb.sent(ip)
        return made[0]

    def _as_slow_unnamed(self) -> bool:
        mine, unnamed = self._usual("accused", PROBE), self._usual("unnamed", PROBE)
        return mine is not None and unnamed is not None and mine <= NOT_SLOW * unnamed

    def _may_be_slow(self) -> bool:
        """Whether it is slower than all that it is compared with, as far as is known."""
        mine = self._usual("accused", PROBE)
        unnamed = self._usual("unnamed", PROBE)
        rest = [self._usual("control", PROBE)]
        rest += [self._usual("accused", control.name) for control in self.climb.controls.controls]
        known = [seconds for seconds in rest if seconds is not None]
        if mine is None:
            return False
        if unnamed is not None and mine > NOT_SLOW * unnamed:
            return True
        return bool(known) and mine > NOT_SLOW * max(known)

    def _usual(self, what: str, vantage: str) -> float | None:
        seconds = [
            e.t - e.t0
            for e in self.climb.trace.records
            if isinstance(e, Transfer) and e.what == what and e.vantage == vantage
            and (e.failure is None or e.failure is Failure.TIMEOUT)
        ]
        return median(seconds) if seconds else None


def _bounded(size: int) -> int:
    return max(FEWEST_BYTES, min(MAX_BYTES, size))
