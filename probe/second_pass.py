"""The second pass: what differs from its controls is looked at more closely.

It comes when every target has been measured once, so that the list is done soon and
nothing waits for somebody's residual blocking. It is bounded in targets and time, and
leaves out what is riskier than the volunteer has chosen to go: to ask again and again
for a site that is watched is another thing than to have come by.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import trio

from probe.asn import AddressBook
from probe.capture import capturing
from probe.config import Config
from probe.control.client import ControlClient
from probe.evidence import Measurement
from probe.ladder.differences import differences
from probe.ladder.follow import Ladders
from probe.ladder.neutral import find_neutral
from probe.ladder.rung import Accused
from probe.ladder.slowness import Slow, slowest, suspects
from probe.net import OwnPorts
from probe.store import Store, StoreError
from probe.surroundings.canary import Line
from probe.tools import Tools
from testlists.target import RISKS, Risk

GRACE = 5.0  # seconds for what is under way to be written down
USUAL_RISK: Risk = "medium"  # where the volunteer has not said how far to go

Send = Callable[[Measurement], Awaitable[None]]


@dataclass(frozen=True)
class Differing:
    """What of the measurement *id* is to be looked at again; nothing, where nothing differs."""

    id: str
    risk: str
    accused: tuple[Accused, ...]
    slowest: Slow | None = None

    @classmethod
    def of(cls, measurement: Measurement) -> Differing:
        evidence = measurement.evidence
        return cls(measurement.id, measurement.risk, differences(evidence), slowest(evidence))


def with_the_slow(differing: Iterable[Differing]) -> Iterator[Differing]:
    """*differing*, where those that are suspiciously slow are accused of that as well."""
    found = list(differing)
    accused = suspects([one.slowest for one in found])
    for one, slow in zip(found, accused, strict=True):
        yield one if slow is None else replace(one, accused=(*one.accused, slow))


def _but_certificates(differing: Iterable[Differing]) -> Iterator[Differing]:
    for one in differing:
        accused = (a for a in one.accused if a.layer != "certificate")
        yield replace(one, accused=tuple(accused))


@dataclass
class _Work:
    about: str
    accused: Accused
    number: int
    of: int
    again: bool = False  # after the line was lost in the middle of it


class SecondPass:
    """Follows up targets of the run *run_id*, whose plain pass is in *stored*.

    *send* stores a follow-up; *note* tells the user, as does *began*, how many there are and
    how many seconds they may take. *crashes* counts rungs lost to bugs,
    *left* what there was no time for.
    """

    def __init__(
        self,
        stored: Store,
        run_id: str,
        config: Config,
        *,
        send: Send,
        note: Callable[[str], None],
        began: Callable[[int, float], None],
    ) -> None:
        self._stored, self._run_id = stored, run_id
        self._config, self._settings = config, config.ladder
        self._send, self._note, self._began = send, note, began
        self._queue: deque[_Work] = deque()
        self._finished: list[tuple[float, float, _Work]] = []
        self._open = 0
        self.crashes = self.left = 0

    async def run(
        self,
        differing: Iterable[Differing],
        line: Line,
        tools: Tools,
        controls: ControlClient,
        book: AddressBook,
        *,
        own: Iterable[str] = (),
        ports: OwnPorts | None = None,
        forger: bool = False,
    ) -> None:
        """Follow up *differing*, as far as the budget and the risk allow.

        *own* are the user's addresses as others see them, which no capture may keep; *ports*
        the local ones, whose packets it may. Where a *forger* signs for everybody, canaries
        included, certificates are not looked at again: they are all his.
        """
        self._plan(_but_certificates(differing) if forger else differing)
        if not self._queue:
            return
        self._began(len(self._queue), self._settings.run_seconds)
        neutral = await find_neutral(tools, self._settings.neutral)
        if not neutral:
            self._note("no neutral site can be reached: what triggers a block cannot be told")
        ladders = Ladders(
            tools=tools, controls=controls, book=book, settings=self._settings, neutral=neutral,
            deadline=trio.current_time() + self._settings.run_seconds,
        )  # fmt: skip
        with trio.move_on_at(ladders.deadline + GRACE):
            async with capturing(own=own, ports=ports) as ladders.captures:
                while self._queue and not self._pointless(line, ladders):
                    async with trio.open_nursery() as nursery:
                        for _ in range(min(self._settings.concurrency, len(self._queue))):
                            nursery.start_soon(self._worker, line, ladders)
                    await self._settle(line)
        self.left = len(self._queue) + self._open
        if self.left and _abroad_is_lost(line):
            self._note(f"nothing abroad answers: {self.left} are left to be looked at by --resume")
        elif self.left:
            self._note(f"the time for looking closer is over: {self.left} are left for --resume")

    def _plan(self, differing: Iterable[Differing]) -> None:
        followed = self._stored.followed(self._run_id)
        allowed = RISKS[: RISKS.index(self._config.max_risk or USUAL_RISK) + 1]
        targets, too_risky, too_many = 0, 0, 0
        works: list[_Work] = []
        for found in with_the_slow(differing):
            left = [
                _Work(found.id, accused, number, len(found.accused))
                for number, accused in enumerate(found.accused, 1)
                if (found.id, number) not in followed
            ]
            if not left:
                continue
            if found.risk and found.risk not in allowed:
                too_risky += 1
            elif targets >= self._settings.run_targets:
                too_many += 1
            else:
                targets += 1
                works += left
        # What is lowest on the way first, of all targets, should the time not be enough.
        self._queue.extend(sorted(works, key=lambda work: work.number))
        if too_risky:
            self._note(f"{too_risky} that differ are not looked at again: they are of high risk")
        if too_many:
            self._note(f"{too_many} more differ than are looked at again in one run")

    async def _worker(self, line: Line, ladders: Ladders) -> None:
        while self._queue:
            await line.wait_until_back()
            if not self._queue or self._pointless(line, ladders):
                return
            work = self._queue.popleft()
            began = trio.current_time()
            self._open += 1
            try:
                plain = self._stored.measurement(work.about)
            except StoreError as exc:
                self._note(str(exc))
                return  # the writer will meet the same, and end the run
            result = await ladders.follow(plain, work.accused, number=work.number, of=work.of)
            self.crashes = ladders.crashes
            self._finished.append((began, trio.current_time(), work))
            await self._send(result)
            self._open -= 1

    def _pointless(self, line: Line, ladders: Ladders) -> bool:
        """Whether there is no time for one more, or nothing that it could be compared with."""
        return trio.current_time() >= ladders.deadline or _abroad_is_lost(line)

    async def _settle(self, line: Line) -> None:
        """Look at the line, and queue once more what was climbed while it was lost."""
        await line.look()
        await line.wait_until_back()
        for began, ended, work in self._finished:
            if line.held(began, ended) is False and not work.again:
                work.again = True
                self._queue.append(work)
        self._finished.clear()


def _abroad_is_lost(line: Line) -> bool:
    return line.alive.get("foreign") is False
