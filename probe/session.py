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
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import trio

from probe.asking import Controls
from probe.asn import AddressBook
from probe.budget import NOTED, PERIOD, Spending, total
from probe.config import Config
from probe.control.client import ControlClient
from probe.control.introduction import Introduction
from probe.evidence import CanaryCheck, Measurement, Run
from probe.hops import TrioHops
from probe.i18n import _
from probe.memory import NO_MEMORY, lacking
from probe.net import Network, OwnPorts, Traffic, TrioNetwork
from probe.nettest import measure
from probe.pacing import PacedNetwork, Rates
from probe.plan import Queue, begin, unfinished
from probe.request import Reporter, Request, Result
from probe.scrubbing.ahead import Ahead
from probe.second_pass import Differing, SecondPass
from probe.steps.certificate import Verifier
from probe.steps.encrypted import Kept
from probe.store import Planned, Store, StoreError
from probe.surroundings import environment
from probe.surroundings.arrival import Arrival, arrive, judge_controls
from probe.surroundings.canary import Line
from probe.surroundings.clock import AGREEMENT, Clock
from probe.surroundings.moving import Place
from probe.surroundings.resolvers import Resolvers, system_resolvers
from probe.surroundings.way_out import usual_countries
from probe.tools import Tools
from probe.tor.ways import ways_of
from probe.watch import Watch
from probe.writer import QUEUE, Record, Writer

PERMISSION = 1.0  # seconds between two looks at whether we may still measure here
ARRIVALS = 3  # attempts at looking around while the clock is being set
GRACE = 15.0  # seconds beyond a target's deadline, after which it is cut off from outside

log = logging.getLogger(__name__)

Measure = Callable[..., Awaitable[Measurement]]


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
        run = unfinished(store) if request.resume else None
        self.resumed = run is not None
        self.run_record = run or begin(
            store, request, concurrency=limits.concurrency, asn_source=self.book.source,
            trust_store=self.verifier.name,
            controls=tuple(control.url for control in config.all_controls),
        )  # fmt: skip
        self.still_permitted = request.still_permitted
        left = store.remaining(self.run_record.id)
        self.queue = Queue(p for p in left if request.includes(p.target))
        self.differing: dict[tuple[str, str], Differing] = {}  # by nettest and URL
        self.own_addresses: set[str] = set()  # in memory only
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
        except Exception as exc:
            if not isinstance(exc, StoreError) and not lacking(exc):
                raise
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
        run = self.run_record
        watch = Watch(
            line=line, controls=controls, queue=self.queue, clock=self.clock, place=self.place,
            book=self.book, asn=run.probe_asn, way_out=run.way_out, know=self._know,
            note=self.reporter.note, end=self.work.cancel,
        )  # fmt: skip
        await watch.looked()
        ended = "no_network"  # unless the queue is worked through before the patience ends
        async with trio.open_nursery() as nursery:

            async def until_given_up() -> None:
                await line.watch(
                    period=self.limits.canary_seconds,
                    patience=self.limits.offline_seconds,
                    after=watch.looked,
                )
                said = _("the line has been dead for too long: giving up for now")
                self.reporter.note(said)
                nursery.cancel_scope.cancel()

            for heed in (until_given_up, watch.heed_sleep, watch.heed_clock, watch.heed_move):
                nursery.start_soon(heed)
            while self.queue:
                async with trio.open_nursery() as workers:
                    for _number in range(min(self.limits.concurrency, len(self.queue))):
                        workers.start_soon(self._worker, line, tools, controls)
                await line.look()
                await line.wait_until_back()
                await watch.looked()
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
            planned = self.queue.take()
            began = trio.current_time()
            measurement = await self._measure_one(planned, tools, controls.client)
            self.queue.measured(planned, began, trio.current_time())
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
        if lacking(exc):  # no bug; what is open gives back what it holds
            self.problem = NO_MEMORY
            self.work.cancel()
            return
        log.error("%s crashed on %s", planned.nettest, planned.url, exc_info=exc)
        self.crashes += 1

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
