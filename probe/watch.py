"""What may change under a run while it measures: the line, the machine, its clock, its place.

Rule: of what was measured over a line that was lost, in a machine that slept or had no time for
us, or from another address, nothing is believed: it is measured again. On another network the
run ends, since a run is of one. A clock that is set changes nothing: the run counts its own time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import trio

from probe.asking import Controls
from probe.asn import AddressBook
from probe.budget import PERIOD
from probe.control.introduction import Introduction
from probe.i18n import _
from probe.plan import Queue
from probe.surroundings import environment
from probe.surroundings.canary import Line
from probe.surroundings.clock import Clock
from probe.surroundings.moving import Place
from probe.surroundings.sleep import LONG, Sleep
from probe.surroundings.way_out import way_out

LATE = 3.0  # seconds that we may be kept waiting: no step but a hop's waits less than five
INTRODUCTIONS = 3  # attempts at asking on another network, which may need a moment


@dataclass(kw_only=True)
class Watch:
    """*asn* and *way_out*: the network that the run is of, as its `Run` says. *know* is told what
    the controls say of us, *note* what the user should know; *end* ends the run in order."""

    line: Line
    controls: Controls
    queue: Queue
    clock: Clock
    place: Place
    book: AddressBook
    asn: int
    way_out: str
    know: Callable[[Sequence[Introduction]], None]
    note: Callable[[str], None]
    end: Callable[[], None]
    _line_lost: bool = field(default=False, init=False)
    _abroad_lost: bool = field(default=False, init=False)

    async def looked(self) -> None:
        """After a look at the line: tell of a change, and make good what a loss has spoiled."""
        spoiled = self.queue.settle(self.line)
        if self.line.lost != self._line_lost:
            self._line_lost = self.line.lost
            if self.line.lost:
                self.note(_("the line is dead: waiting for it"))
            else:
                self.note(_("the line is back"))
                await self._see_where()  # a line comes back as another
        if spoiled:
            said = _("measuring again what the dead line has spoiled: {count}", count=spoiled)
            self.note(said)
        abroad_lost = not self.line.lost and self.line.alive.get("foreign") is False
        if abroad_lost != self._abroad_lost:
            self._abroad_lost = abroad_lost
            self.note(
                _("nothing abroad answers, and sites in the country do: measuring goes on")
                if abroad_lost
                else _("sites abroad answer again")
            )

    async def _see_where(self) -> None:
        """Ask the controls anew who we are. A run is of one network, and ends on another.

        From another address, and nobody tells whose: that is another, where the run knows its
        own or where a tunnel was turned on.
        """
        moved, began = self.place.left(), self.asn
        for _attempt in range(INTRODUCTIONS if moved else 1):
            await self.controls.renew(clock_wrong=self.clock.machine_is_wrong())
            introductions = await self.controls.client.introduce()
            self.know(introductions)
            now = environment.own_network(introductions, self.book).asn
            if now:
                break
            await trio.sleep(PERIOD)
        tunnel = way_out().kind == "tunnel" != self.way_out
        if began and now and now != began:
            said = _(
                "this run began in AS{began} and this is AS{now}: it ends here",
                began=began, now=now,
            )  # fmt: skip
        elif moved and not now and (began or tunnel):
            said = _("which network this is now nobody tells: this run ends here")
        else:
            self.place.settle()
            return
        self.note(said)
        self.end()

    async def heed_sleep(self) -> None:
        """What was open when the machine fell asleep was cut by us, and is measured again; so is
        what was open while this program stood still (stopped, starved, in a frozen virtual
        machine), for answers came and nobody looked. Either may end in another place."""
        sleep, awake = Sleep(), trio.current_time()
        while True:
            await trio.sleep(PERIOD)
            slept, late = sleep.slept(), trio.current_time() - awake - PERIOD
            if slept or late > LATE:
                self.line.broke(since=awake)
                self.note(
                    _("the machine slept for {minutes} minutes", minutes=f"{slept / 60:.1f}")
                    if slept
                    else _("this program stood still for {seconds} seconds", seconds=round(late))
                )
                if max(slept, late) > LONG:
                    self.note(_("that was long: this run ends; what was measured is kept"))
                    self.end()
                    return
                await self._see_where()
                await self.line.look()
                await self.looked()
            awake = trio.current_time()

    async def heed_clock(self) -> None:
        """Somebody sets the clock: the run counts on, and OpenSSL, who asks it, need not."""
        was = self.clock.machine_is_wrong()
        while True:
            await trio.sleep(PERIOD)
            if (wrong := self.clock.machine_is_wrong()) != was:
                was = wrong
                hours = f"{self.clock.moved() / 3600:+.1f}"
                said = _(
                    "this machine's clock was set by {hours} hours: this run keeps its time",
                    hours=hours,
                )
                self.note(said)
                await self.controls.renew(clock_wrong=wrong)

    async def heed_move(self) -> None:
        """On another network nothing is kept of this run, and where it is the same one, what was
        open on the way is measured again."""
        here = trio.current_time()
        while True:
            await trio.sleep(PERIOD)
            if self.place.left():
                self.line.broke(since=here)
                self.note(_("this machine's address is another one now"))
                await self._see_where()
                await self.line.look()
                await self.looked()
            here = trio.current_time()
