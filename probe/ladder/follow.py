"""Up the ladder: for one thing that is accused, every rung of its layer, in order.

If nothing of it happens again, the ladder ends there: that was the line, or a mood.
The follow-up is a measurement of its own, beside the plain one that it is about, so
that what the plain pass saw is on disk before anything is looked at again.
"""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import trio

from probe import __version__
from probe.addresses import family
from probe.asn import AddressBook
from probe.capture import Captures
from probe.compare import drop_bodies
from probe.config import Ladder
from probe.control.client import ControlClient
from probe.evidence import Measurement
from probe.ladder.climb import BudgetSpent, Climb, Tuples, Turns
from probe.ladder.rung import Accused, Rung, rungs
from probe.nettest import whose
from probe.tools import Tools
from probe.trace import Trace

log = logging.getLogger(__name__)

DIAGNOSIS = "diagnosis"
VERSION = "1.0.0"
CONFIRM = "confirm"
AGAIN = "again"  # how the rungs that only repeat are called


@dataclass(kw_only=True)
class Ladders:
    """What all climbs of a run share. None goes on beyond *deadline* (trio's time); *crashes*
    counts rungs lost to bugs."""

    tools: Tools
    controls: ControlClient
    book: AddressBook
    settings: Ladder
    neutral: Sequence[str]
    tuples: Tuples = field(default_factory=Tuples)
    turns: Turns = field(init=False)
    captures: Captures = field(default_factory=Captures)
    deadline: float = math.inf
    crashes: int = 0

    def __post_init__(self) -> None:
        self.turns = Turns(self.settings.hops_per_second)

    async def follow(
        self, plain: Measurement, accused: Accused, *, number: int, of: int
    ) -> Measurement:
        """Look at *accused*, the *number*-th of *of* in *plain*, again and from all sides.

        What was seen until its time or its connections were used up is in the result,
        whose ``comparison`` says what was accused.
        """
        started_at = self.tools.now()
        trace = Trace()
        same_family = [ip for ip in self.neutral if family(ip) == family(accused.ip)]
        climb = Climb(
            tools=self.tools, trace=trace, accused=accused, plain=plain.evidence,
            controls=self.controls, settings=self.settings,
            neutral=[ip for ip in same_family if ip != accused.ip],
            tuples=self.tuples, turns=self.turns, captures=self.captures,
        )  # fmt: skip
        ended = "time"
        with trio.move_on_at(
            min(self.deadline, trio.current_time() + self.settings.target_seconds)
        ):
            ended = await self._up(climb, accused)
        return Measurement(
            id=secrets.token_hex(16),
            run_id=plain.run_id,
            nettest=DIAGNOSIS,
            nettest_version=VERSION,
            url=plain.url,
            category=plain.category,
            risk=plain.risk,
            list_name=plain.list_name,
            started_at=started_at,
            runtime=round(trace.now(), 6),
            software_version=__version__,
            evidence=drop_bodies(trace.records),
            comparison={
                "accused": accused.layer, "how": accused.how, "accused_url": accused.url.text,
                "ip": accused.ip, "port": accused.port, "harmless": self.settings.harmless,
                "number": number, "of": of, "ended": ended,
                "connections": climb.progress.connections,
            },
            addresses=whose(trace.records, self.book),
            about=plain.id,
        )  # fmt: skip

    async def _up(self, climb: Climb, accused: Accused) -> str:
        """Climb; how it ended: ``done``, ``budget``, or ``not repeated``."""
        every = rungs(accused.layer)
        # A resolver serves everybody at once, and nobody's question colours another's.
        alone = nullcontext() if accused.layer == "dns" else climb.alone(accused.ip)
        async with alone:
            for rung in every:
                if rung.phase in ("residual", CONFIRM):
                    await self._one(climb, rung)
            if not _repeated(climb, accused):
                return "not repeated"
            # One after the other where one colours the next, else all at once, each
            # connection in its turn: most of the time goes by waiting for silence to end.
            middle = [rung for rung in every if rung.phase in ("trigger", "where")]
            async with trio.open_nursery() as nursery:
                for rung in middle:
                    if climb.progress.residual:
                        await self._one(climb, rung)
                    else:
                        nursery.start_soon(self._one, climb, rung)
            for rung in every:
                if rung.phase == "speed":
                    await self._one(climb, rung)
        spent = climb.progress.connections >= self.settings.target_connections
        return "budget" if spent else "done"

    async def _one(self, climb: Climb, rung: Rung) -> None:
        try:
            await rung.run(climb.serving(rung.id), climb.accused)
        except BaseExceptionGroup as group:
            cancelled, others = group.split(trio.Cancelled)
            bugs = others.split(BudgetSpent)[1] if others is not None else None
            if bugs is not None:
                self._crashed(rung, bugs)
            if cancelled is not None:
                raise cancelled from None
        except BudgetSpent:
            return
        except Exception as exc:  # noqa: BLE001 - a rung's bug costs that rung, and is loud
            self._crashed(rung, exc)

    def _crashed(self, rung: Rung, exc: BaseException) -> None:
        log.error("the rung %s crashed", rung.id, exc_info=exc)
        self.crashes += 1


def _repeated(climb: Climb, accused: Accused) -> bool:
    """Whether any confirmation ended as the accused did. Where that was no failure (another
    page, another address, slowness) it takes ``analysis`` to tell."""
    confirming = [e for e in climb.trace.records if e.step.startswith(AGAIN)]
    return not accused.how or not confirming or any(e.failure == accused.how for e in confirming)
