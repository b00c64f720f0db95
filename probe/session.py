"""A session: targets in, evidence on disk, politely, and nothing lost on the way.

Look around first (families, portal, clock, canaries, controls); then measure from a
queue with as many workers as the limit allows, each target under its deadline; watch
the line meanwhile and measure again what a loss of it spoiled. All that is learned
goes down one channel to one writer.

A run is on disk, with all that it means to measure, before its first packet, so that
a kill at any moment leaves something that can be resumed. A crash of a nettest costs
that measurement and is loud; a signal ends the run in order.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec
import trio

from probe import __version__
from probe.asking import Controls
from probe.asn import AddressBook
from probe.budget import NOTED, PERIOD, Spending, total
from probe.config import Config
from probe.control.client import ControlClient
from probe.control.introduction import Introduction
from probe.evidence import CanaryCheck, Measurement, Run
from probe.hops import TrioHops
from probe.i18n import _
from probe.net import Network, OwnPorts, Traffic, TrioNetwork
from probe.nettest import Nettest, measure
from probe.pacing import PacedNetwork, Rates
from probe.scrubbing.ahead import Ahead
from probe.second_pass import Differing, SecondPass
from probe.steps.certificate import Verifier
from probe.steps.encrypted import Kept
from probe.store import Planned, Refused, Store, StoreError
from probe.surroundings import environment
from probe.surroundings.arrival import Arrival, arrive, judge_controls
from probe.surroundings.canary import Line
from probe.surroundings.clock import AGREEMENT, Clock
from probe.surroundings.moving import Place
from probe.surroundings.resolvers import Resolvers, system_resolvers
from probe.surroundings.sleep import LONG, Sleep
from probe.surroundings.way_out import usual_countries, way_out
from probe.tools import Tools
from probe.tor.ways import ways_of
from probe.writer import QUEUE, Record, Writer
from testlists import Risk, Target, shuffle

PERMISSION = 1.0  # seconds between two looks at whether we may still measure here
INTRODUCTIONS = 3  # attempts at asking on another network, which may need a moment
ARRIVALS = 3  # attempts at looking around while the clock is being set
NO_MEMORY = "out of memory: what was stored is safe; --concurrency with less needs less"
GRACE = 15.0  # seconds beyond a target's deadline, after which it is cut off from outside

log = logging.getLogger(__name__)

Measure = Callable[..., Awaitable[Measurement]]


class Reporter(Protocol):
    """Who is told how it goes. Called on the event loop; must not block."""

    def note(self, text: str) -> None:
        """Something the user should know, in a sentence."""

    def began(self, run: Run, planned: int, remaining: int) -> None: ...

    def used(self, bytes: int) -> None:
        """So many bytes went over the line since the run began, either way."""

    def looking_closer(self, differing: int, seconds: float) -> None:
        """The second pass begins: so many differences, for *seconds* at most."""

    def stored(self, measurement: Measurement) -> None:
        """*measurement* is on disk."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a run is asked to do. *lists* maps list names to their versions (digests).

    Of a run that is resumed, only targets of *tiers* of risk are measured (None: all), those
    that somebody typed apart. The run ends when *still_permitted* says no
    (`probe.consent.permission`).
    """

    targets: Sequence[Target]
    nettests: Sequence[Nettest]
    refused: Sequence[tuple[str, int, str]] = ()  # list, line, reason
    lists: dict[str, str] = field(default_factory=dict)
    seed: int = 0
    resume: bool = False
    tiers: Collection[Risk] | None = None
    still_permitted: Callable[[], bool] = lambda: True


@dataclass(frozen=True, kw_only=True)
class Result:
    """How it ended. *crashes* counts measurements lost to bugs, *signal* is what ended the
    run (0: none), *problem* what the user must be told of a failure."""

    run: Run
    measured: int = 0
    crashes: int = 0
    signal: int = 0
    problem: str = ""


async def run_session(
    config: Config,
    request: Request,
    store: Store,
    reporter: Reporter,
    *,
    net: Network | None = None,
    measure: Measure = measure,
) -> Result:
    """Make the run that *request* asks for, or go on with the last one.

    Raises `StoreError`, `probe.config.ConfigError`, `probe.asn.AddressBookError` and
    `probe.steps.certificate.TrustStoreError` where it cannot begin; what goes wrong
    later is in the result. *net* and *measure* are replaced by tests only.
    """
    session = _Session(config, request, store, reporter, net, measure)
    return await session.run()


class _Session:
    def __init__(
        self,
        config: Config,
        request: Request,
        store: Store,
        reporter: Reporter,
        net: Network | None,
        measure: Measure,
    ) -> None:
        limits = config.limits
        self.config, self.limits = config, limits
        self.store, self.reporter, self.measure = store, reporter, measure
        self.resolvers = resolvers_of(config)
        rates = Rates(**{name: getattr(limits, name) for name in Rates.__struct_fields__})
        encrypted = {ip for _, ip in (*self.resolvers.dot, *self.resolvers.doh)}
        self.ports, self.traffic = OwnPorts(), Traffic()
        real = TrioNetwork(self.ports, self.traffic)
        self.net = PacedNetwork(net or real, rates, resolvers=encrypted)
        self.hops = TrioHops() if net is None else None
        self.book = AddressBook(_path(config.asn_database))
        self.verifier = Verifier(None)
        self.ways = ways_of(config.tor, self.traffic)
        self.nettests = {test.name: test for test in request.nettests}
        self.resumed = False
        self.run_record = self._open_run(request)
        self.still_permitted = request.still_permitted
        left = store.remaining(self.run_record.id)
        self.queue = deque(p for p in left if _agreed_to(p.target, request.tiers))
        self.finished: list[tuple[float, float, Planned]] = []  # the line's fate not known yet
        self.differing: dict[tuple[str, str], Differing] = {}  # by nettest and URL
        self.again: set[tuple[str, str]] = set()  # nettest and URL measured a second time
        self.own_addresses: set[str] = set()  # in memory only
        self.line_lost = self.abroad_lost = False
        self.measured = self.crashes = self.signal = 0
        self.problem = ""
        self.clock = Clock()
        self.place = Place()
        self.writer = Writer(store, self._stored)
        self.spending = Spending(
            config.budget, total(store.uses(), time.time()), self.traffic,
            size=lambda: self.writer.size,
        )  # fmt: skip
        self.spent = False
        self.work = trio.CancelScope()
        self.signals, self.thrift = trio.CancelScope(), trio.CancelScope()
        self.permission = trio.CancelScope()

    def _open_run(self, request: Request) -> Run:
        """The run's row, new or the unfinished one's, with everything it plans."""
        if request.resume and (run := self.store.unfinished_run()) is not None:
            self.resumed = True
            return msgspec.structs.replace(run, ended="", ended_at=None)
        run = Run(
            id=secrets.token_hex(16),
            started_at=time.time(),
            software_version=__version__,
            seed=request.seed,
            concurrency=self.limits.concurrency,
            platform=environment.describe_system(),
            asn_source=self.book.source,
            trust_store=self.verifier.name,
            controls=tuple(control.url for control in self.config.all_controls),
            lists=request.lists,
        )
        targets = {target.url: target for target in reversed(request.targets)}.values()
        shuffled = shuffle(targets, run.seed)
        pairs = [(test, t) for t in shuffled for test in request.nettests if test.takes(t)]
        planned = [
            Planned(run_id=run.id, position=position, nettest=test.name, target=target)
            for position, (test, target) in enumerate(pairs)
        ]
        refused = [
            Refused(run_id=run.id, list_name=name, line=line, reason=reason)
            for name, line, reason in request.refused
        ]
        self.store.begin_run(run, planned, refused)
        return run

    async def run(self) -> Result:
        planned = len(self.store.planned(self.run_record.id))
        self.reporter.began(self.run_record, planned, len(self.queue))
        self.send, receive = trio.open_memory_channel[Record](QUEUE)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._heed_signals)
            nursery.start_soon(self._heed_permission)
            nursery.start_soon(self._heed_budget)
            nursery.start_soon(self._write, receive, nursery.cancel_scope)
            async with self.send:
                ended = await self._measure_all()
                self._learned(ended=ended, ended_at=self.clock.now())
                await self._send(self.spending.since_noted(self.clock.now()))
                await self._send(self.run_record)
        if self.problem:
            self._learned(ended="failed")
        return Result(
            run=self.run_record,
            measured=self.measured,
            crashes=self.crashes + self.writer.refused,
            signal=self.signal,
            problem=self.problem,
        )

    async def _write(
        self, receive: trio.MemoryReceiveChannel[Record], everything: trio.CancelScope
    ) -> None:
        """The writer ends last, and what still runs beside it ends with it."""
        try:
            await self.writer.run(receive)
        except (StoreError, MemoryError) as exc:
            self.problem = str(exc) if isinstance(exc, StoreError) else NO_MEMORY
            everything.cancel()
        self.signals.cancel()
        self.thrift.cancel()
        self.permission.cancel()

    async def _send(self, record: Record) -> None:
        if isinstance(record, Measurement):
            # Until it is known where we are now, what was seen is of nobody's network.
            while self.place.left():  # noqa: ASYNC110 - the system tells nobody of a change
                await trio.sleep(PERIOD)
            self.spending.measured(record)
        try:
            await self.send.send(record)
        except trio.BrokenResourceError:
            await trio.sleep_forever()  # the writer has failed; everything is being cancelled

    async def _heed_signals(self) -> None:
        with self.signals, trio.open_signal_receiver(*_ending_signals()) as signals:
            async for number in signals:
                if self.signal:
                    # The second one means now. The database is consistent at every
                    # moment, so nothing is needed first.
                    os._exit(128 + number)
                self.signal = number
                self.reporter.note(_("stopping; what was measured is kept"))
                self.work.cancel()

    async def _heed_permission(self) -> None:
        """A laptop is carried to another network while it measures; nobody agreed to that one."""
        with self.permission:
            while self.still_permitted():  # noqa: ASYNC110 - the system tells nobody of a change
                await trio.sleep(PERMISSION)
            said = _("this is another network, which was not approved: stopping")
            self.reporter.note(said)
            self.work.cancel()

    async def _heed_budget(self) -> None:
        """What is used is written down meanwhile; a bound that is reached ends the run."""
        noted = trio.current_time()
        with self.thrift:
            while not (why := self.spending.at_its_end()):
                await trio.sleep(PERIOD)
                if trio.current_time() - noted >= NOTED:
                    noted = trio.current_time()
                    await self._send(self.spending.since_noted(self.clock.now()))
            self.reporter.note(f"{why}: stopping; what was measured is kept")
            self.spent = True
            self.work.cancel()

    async def _measure_all(self) -> str:
        """Look around, measure, and say how it ended."""
        ended = "interrupted"
        with self.work:
            async with Controls(self.config) as controls, Kept() as kept:
                found = await self._arrive(controls)
                if found.stop:
                    return found.stop
                ended = await self._work_through(found.line, controls, kept)
        return "budget" if self.spent else ended

    async def _arrive(self, controls: Controls) -> Arrival:
        for _attempt in range(ARRIVALS):
            before = Clock()
            found, introductions = await arrive(
                self.net, controls.client, self.config.portal_checks, self._line_over,
                self.resolvers.own, self.config.resolvers.whoami, self.hops,
            )  # fmt: skip
            if abs(before.moved()) < AGREEMENT:
                break  # else the clock was set meanwhile, and what was compared were two
        if found.upstream.answers:
            self.resolvers = replace(self.resolvers, upstream=(found.upstream.address,))
        self.clock = found.clock
        if self.clock.machine_is_wrong():
            await controls.renew(clock_wrong=True)
            introductions = await controls.client.introduce()
        earlier = [
            run for run in self.store.runs() if run.id != self.run_record.id and not run.imported
        ]
        self._know(introductions)
        judge_controls(
            found, self.run_record, introductions, self.resolvers, self.book,
            usual=usual_countries(earlier), vpn_ok=self.config.vpn_ok,
        )  # fmt: skip
        for note in found.notes:
            self.reporter.note(note)
        if not self.resumed:
            self._learned(started_at=self.run_record.started_at + self.clock.offset)
        await self._send(self._learned(**found.facts))
        return found

    async def _work_through(self, line: Line, controls: Controls, kept: Kept) -> str:
        tools = Tools(
            net=self.net,
            resolvers=self.resolvers,
            verifier=self.verifier,
            ipv4=self.run_record.ipv4,
            ipv6=self.run_record.ipv6,
            now=self.clock.now,
            seed=self.run_record.seed,
            kept=kept,
            hello=self.config.hello,
            tor=self.ways,
        )
        await self._looked(line, controls)
        ended = "no_network"  # unless the queue is worked through before the patience ends
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                await line.watch(
                    period=self.limits.canary_seconds,
                    patience=self.limits.offline_seconds,
                    after=partial(self._looked, line, controls),
                )
                said = _("the line has been dead for too long: giving up for now")
                self.reporter.note(said)
                nursery.cancel_scope.cancel()

            nursery.start_soon(watch)
            nursery.start_soon(self._heed_sleep, line, controls)
            nursery.start_soon(self._heed_clock, controls)
            nursery.start_soon(self._heed_move, line, controls)
            while self.queue:
                async with trio.open_nursery() as workers:
                    for _number in range(min(self.limits.concurrency, len(self.queue))):
                        workers.start_soon(self._worker, line, tools, controls)
                await line.look()
                await line.wait_until_back()
                await self._looked(line, controls)
            left = await self._look_closer(line, tools, controls)
            ended = "budget" if left else "done"
            nursery.cancel_scope.cancel()
        return ended

    async def _look_closer(self, line: Line, tools: Tools, controls: Controls) -> int:
        """The second pass: up the ladder with what differs from the controls; what is left."""
        if not self.config.follow_up:
            return 0
        written = trio.Event()
        await self._send(written)
        await written.wait()
        try:
            with Store(self.store.path) as stored:
                for measurement in stored.measurements(self.run_record.id) if self.resumed else ():
                    key = measurement.nettest, measurement.url
                    self.differing.setdefault(key, Differing.of(measurement))
                second = SecondPass(
                    stored, self.run_record.id, self.config, send=self._send,
                    note=self.reporter.note, began=self.reporter.looking_closer,
                )  # fmt: skip
                found = list(self.differing.values())
                await second.run(
                    found, line, tools, controls.client, self.book,
                    own=self.own_addresses, ports=self.ports,
                    forger=bool(self.run_record.forger_at),
                )  # fmt: skip
        except StoreError as exc:
            self.problem = str(exc)  # what the plain pass stored is safe
            return 0
        self.crashes += second.crashes
        return second.left

    async def _worker(self, line: Line, tools: Tools, controls: Controls) -> None:
        while self.queue:
            await line.wait_until_back()
            if not self.queue:
                return
            planned = self.queue.popleft()
            began = trio.current_time()
            measurement = await self._measure_one(planned, tools, controls.client)
            self.finished.append((began, trio.current_time(), planned))
            if measurement is not None:
                self.differing[planned.nettest, planned.url] = Differing.of(measurement)
                await self._send(measurement)

    async def _measure_one(
        self, planned: Planned, tools: Tools, controls: ControlClient
    ) -> Measurement | None:
        deadline = self.limits.target_seconds
        try:
            test = self.nettests[planned.nettest]
            with trio.move_on_after(deadline + GRACE):
                return await self.measure(
                    test,
                    planned.target,
                    run_id=planned.run_id,
                    tools=tools,
                    controls=controls,
                    book=self.book,
                    deadline=deadline,
                )
            raise TimeoutError(f"did not end {GRACE:g} s after its deadline")
        except BaseExceptionGroup as group:
            bugs, others = group.split(Exception)
            if bugs is not None:
                self._crashed(planned, bugs)
            if others is not None:
                raise others from None
        except Exception as exc:  # noqa: BLE001 - a nettest's bug costs its own measurement
            self._crashed(planned, exc)
        return None

    def _crashed(self, planned: Planned, exc: BaseException) -> None:
        group = exc if isinstance(exc, BaseExceptionGroup) else BaseExceptionGroup("", [exc])
        if group.subgroup(MemoryError):  # no bug; what is open gives back what it holds
            self.problem = NO_MEMORY
            self.work.cancel()
            return
        log.error("%s crashed on %s", planned.nettest, planned.url, exc_info=exc)
        self.crashes += 1

    async def _looked(self, line: Line, controls: Controls) -> None:
        """After a look at the line: tell of a change, and make good what a loss has spoiled."""
        queued = len(self.queue)
        self._settle(line)
        if line.lost != self.line_lost:
            self.line_lost = line.lost
            if line.lost:
                self.reporter.note(_("the line is dead: waiting for it"))
            else:
                self.reporter.note(_("the line is back"))
                await self._see_where(controls)  # a line comes back as another
        if len(self.queue) > queued:
            spoiled = len(self.queue) - queued
            said = _("measuring again what the dead line has spoiled: {count}", count=spoiled)
            self.reporter.note(said)
        abroad_lost = not line.lost and line.alive.get("foreign") is False
        if abroad_lost != self.abroad_lost:
            self.abroad_lost = abroad_lost
            self.reporter.note(
                _("nothing abroad answers, and sites in the country do: measuring goes on")
                if abroad_lost
                else _("sites abroad answer again")
            )

    async def _heed_sleep(self, line: Line, controls: Controls) -> None:
        """What was open when the machine fell asleep was cut by us, and is measured again."""
        sleep, awake = Sleep(), trio.current_time()
        while True:
            await trio.sleep(PERIOD)
            if seconds := sleep.slept():
                line.broke(since=awake)
                self.reporter.note(f"the machine slept for {seconds / 60:.1f} minutes")
                if seconds > LONG:
                    self.reporter.note("that was long: this run ends; what was measured is kept")
                    self.work.cancel()
                    return
                await self._see_where(controls)
                await line.look()
                await self._looked(line, controls)
            awake = trio.current_time()

    async def _heed_clock(self, controls: Controls) -> None:
        """Somebody sets the clock: the run counts on, and OpenSSL, who asks it, need not."""
        was = self.clock.machine_is_wrong()
        while True:
            await trio.sleep(PERIOD)
            if (wrong := self.clock.machine_is_wrong()) != was:
                was = wrong
                hours = self.clock.moved() / 3600
                self.reporter.note(
                    f"this machine's clock was set by {hours:+.1f} hours: this run keeps its time"
                )
                await controls.renew(clock_wrong=wrong)

    async def _heed_move(self, line: Line, controls: Controls) -> None:
        """On another network nothing is kept of this run, and where it is the same one, what was
        open on the way is measured again."""
        here = trio.current_time()
        while True:
            await trio.sleep(PERIOD)
            if self.place.left():
                line.broke(since=here)
                self.reporter.note("this machine's address is another one now")
                await self._see_where(controls)
                await line.look()
                await self._looked(line, controls)
            here = trio.current_time()

    async def _see_where(self, controls: Controls) -> None:
        """Ask the controls anew who we are. A run is of one network, and ends on another.

        From another address, and nobody tells whose: that is another, where the run knows its
        own or where a tunnel was turned on.
        """
        moved, began = self.place.left(), self.run_record.probe_asn
        for _attempt in range(INTRODUCTIONS if moved else 1):
            await controls.renew(clock_wrong=self.clock.machine_is_wrong())
            introductions = await controls.client.introduce()
            self._know(introductions)
            now = environment.own_network(introductions, self.book).asn
            if now:
                break
            await trio.sleep(PERIOD)
        tunnel = way_out().kind == "tunnel" != self.run_record.way_out
        if began and now and now != began:
            said = f"this run began in AS{began} and this is AS{now}: it ends here"
        elif moved and not now and (began or tunnel):
            said = "which network this is now nobody tells: this run ends here"
        else:
            self.place.settle()
            return
        self.reporter.note(said)
        self.work.cancel()

    def _settle(self, line: Line) -> None:
        """Queue once more what was measured while the line was lost."""
        open_still = []
        for began, ended, planned in self.finished:
            held = line.held(began, ended)
            key = (planned.nettest, planned.url)
            if held is None:
                open_still.append((began, ended, planned))
            elif not held and key not in self.again:
                self.again.add(key)
                self.queue.append(planned)
        self.finished = open_still

    def _stored(self, measurement: Measurement) -> None:
        if not measurement.about:
            self.measured += 1
        self.reporter.used(self.traffic.bytes)
        self.reporter.stored(measurement)

    def _know(self, introductions: Sequence[Introduction]) -> None:
        """By which addresses the world sees us: never written down, nor where a site says them."""
        self.own_addresses |= {ip for told in introductions for ip in told.client_addresses}
        self.writer.ahead = Ahead(self.own_addresses)

    def _learned(self, **facts: object) -> Run:
        self.run_record = msgspec.structs.replace(self.run_record, **facts)
        return self.run_record

    async def _report(self, checks: list[CanaryCheck]) -> None:
        for check in checks:
            await self._send(check)

    def _line_over(self, families: Sequence[int]) -> Line:
        return Line(
            self.net,
            self.config.canaries,
            run_id=self.run_record.id,
            report=self._report,
            gateways=environment.gateways(),
            resolvers=self.resolvers.public,
            families=families or (4,),
            verifier=self.verifier,
            seed=self.run_record.seed,
        )


def _ending_signals() -> list[signal.Signals]:
    """Those that end a run in order: also a terminal that is closed, unless `nohup` was asked."""
    found = [signal.SIGINT, signal.SIGTERM]
    hang_up = getattr(signal, "SIGHUP", None)
    if hang_up is not None and signal.getsignal(hang_up) is not signal.SIG_IGN:
        found.append(hang_up)
    return found


def _agreed_to(target: Target, tiers: Collection[Risk] | None) -> bool:
    return tiers is None or not target.list_name or target.risk in tiers


def resolvers_of(config: Config) -> Resolvers:
    """Which resolvers to ask: this machine's own, and those to compare with."""
    chosen, usual = config.resolvers, Resolvers()
    return Resolvers(
        own=system_resolvers() if chosen.own is None else chosen.own,
        public=usual.public if chosen.public is None else chosen.public,
        dot=usual.dot if chosen.dot is None else tuple((r.name, r.address) for r in chosen.dot),
        doh=usual.doh if chosen.doh is None else tuple((r.url, r.address) for r in chosen.doh),
    )


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None
