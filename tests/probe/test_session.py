"""A session on virtual time, with nettests that only pretend: order, limits, loss, ends."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from probe.config import PORTAL_CHECKS, Canaries, Config, Limits
from probe.evidence import Measurement, Run, TCPConnect
from probe.nettest import Nettest
from probe.request import Request, Result
from probe.session import run_session
from probe.store import Store, StoreError
from probe.surroundings import environment
from testlists import Target
from tests.probe.fakeline import FakeLine, web_server

SITES = {
    "www.belta.by": "178.124.1.1",
    "www.mail.by": "178.124.1.2",
    "www.wikipedia.org": "91.198.174.192",
    "www.debian.org": "130.89.148.77",
}
PORTALS = {
    "connectivitycheck.gstatic.com": "142.250.1.94",
    "detectportal.firefox.com": "34.107.221.82",
    "www.msftconnecttest.com": "13.107.4.52",
}


async def never(*args: object) -> None:
    raise AssertionError("the session measures by what it was given")


TEST = Nettest("web_connectivity", "1.0.0", "Pretends.", never)
OTHER = Nettest("another", "1.0.0", "Pretends, too.", never)


def targets(count: int) -> list[Target]:
    return [Target(url=f"https://site{n}.example/", list_name="by") for n in range(count)]


@dataclass
class Reported:
    notes: list[str] = field(default_factory=list)
    stored_urls: list[str] = field(default_factory=list)
    began_with: tuple[int, int] = (0, 0)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def looking_closer(self, differing: int, seconds: float) -> None:
        self.notes.append(f"looking closer at {differing}")

    def used(self, bytes: int) -> None:
        assert bytes >= 0

    def began(self, run: Run, planned: int, remaining: int) -> None:
        self.began_with = (planned, remaining)

    def stored(self, measurement: Measurement) -> None:
        self.stored_urls.append(measurement.url)


@dataclass
class Bench:
    """A session's surroundings. *behave* is what a nettest does with a URL."""

    net: FakeLine
    path: Path
    seconds: float = 3.0
    reported: Reported = field(default_factory=Reported)
    asked: list[tuple[str, str]] = field(default_factory=list)
    open_now: int = 0
    open_most: int = 0
    behave: Callable[[str], Any] | None = None
    config: Config = field(
        default_factory=lambda: Config(
            canaries=Canaries(), limits=Limits(concurrency=4, offline_seconds=60.0)
        )
    )

    async def measure(self, test: Nettest, target: Target, **given: Any) -> Measurement:
        self.asked.append((test.name, target.url))
        self.open_now += 1
        self.open_most = max(self.open_most, self.open_now)
        try:
            await trio.sleep(self.seconds)
            if self.behave is not None:
                await self.behave(target.url)
        finally:
            self.open_now -= 1
        return Measurement(
            id=os.urandom(16).hex(),
            run_id=given["run_id"],
            nettest=test.name,
            nettest_version=test.version,
            url=target.url,
            list_name=target.list_name,
            evidence=(TCPConnect(ip="192.0.2.1", port=443),),
        )

    async def run(self, count: int = 0, **changes: Any) -> Result:
        asked: dict[str, Any] = {"targets": targets(count), "nettests": [TEST], "seed": 7}
        request = Request(**asked | {"lists": {"by": "d"}} | changes)
        with Store(self.path, write=True) as store:
            return await run_session(
                self.config, request, store, self.reported, net=self.net, measure=self.measure
            )

    def stored(self) -> list[Measurement]:
        with Store(self.path) as store:
            return list(store.measurements())

    def last_run(self) -> Run:
        with Store(self.path) as store:
            return store.runs()[-1]


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    async def inline(work: Callable[[], Any], **_: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return work()

    # Virtual time runs away while a thread works.
    monkeypatch.setattr(trio.to_thread, "run_sync", inline)
    monkeypatch.setattr(environment, "gateways", lambda: ("192.168.1.1",))


@asynccontextmanager
async def bench(tmp_path: Path, **changes: Any) -> AsyncIterator[Bench]:
    async with trio.open_nursery() as nursery:
        net = FakeLine(nursery, routes=(True, False))
        net.names = {name: (ip,) for name, ip in (SITES | PORTALS).items()}
        net.hosts = {(ip, 443): None for ip in SITES.values()}
        net.hosts |= {
            (ip, 80): web_server(f"HTTP/1.1 {check.status} OK", check.body.encode())
            for ip, check in zip(PORTALS.values(), PORTAL_CHECKS, strict=True)
        }
        yield Bench(net=net, path=tmp_path / "zond.db", **changes)
        nursery.cancel_scope.cancel()


async def test_every_target_is_measured_once_and_kept(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path) as b:
        result = await b.run(20)
        assert (result.run.ended, result.measured, result.crashes) == ("done", 20, 0)
        assert sorted(m.url for m in b.stored()) == sorted(t.url for t in targets(20))
        assert sorted(b.reported.stored_urls) == sorted(t.url for t in targets(20))
        assert b.reported.began_with == (20, 20)
        run = b.last_run()
        assert run == result.run and run.ended_at is not None
        assert (run.ipv4, run.ipv6, run.captive_portal) == (True, False, False)
        assert (run.probe_asn, run.probe_cc, run.lists) == (0, "ZZ", {"by": "d"})


async def test_no_more_targets_are_open_than_the_limit(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path) as b:
        start = trio.current_time()
        await b.run(20)
        assert b.open_most == 4
        assert 15 <= trio.current_time() - start < 18  # 20 targets of 3 s, four at a time


async def test_the_order_is_the_seeds(tmp_path: Path, autojump_clock: MockClock) -> None:
    orders = []
    for n, seed in enumerate((7, 7, 8)):
        async with bench(tmp_path / str(n)) as b:
            await b.run(20, seed=seed)
            orders.append([url for _, url in b.asked])
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != sorted(orders[0])


async def test_a_target_named_twice_is_measured_once_by_each_nettest(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path) as b:
        await b.run(targets=targets(3) + targets(3), nettests=[TEST, OTHER])
        assert len(b.asked) == len(set(b.asked)) == 6


async def test_a_crash_costs_one_measurement_and_is_loud(
    tmp_path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def crash(url: str) -> None:
        if "site3" in url:
            raise TypeError("a bug")
        if "site4" in url:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep, 1)
                raise ZeroDivisionError

    async with bench(tmp_path, behave=crash) as b:
        result = await b.run(8)
        assert (result.run.ended, result.measured, result.crashes) == ("done", 6, 2)
    assert "web_connectivity crashed on https://site3.example/" in caplog.text
    assert "TypeError: a bug" in caplog.text and "ZeroDivisionError" in caplog.text


async def test_a_measurement_that_cannot_be_written_costs_only_itself(
    tmp_path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench(tmp_path) as b:
        plain = b.measure

        async def measure(test: Nettest, target: Target, **given: Any) -> Measurement:
            measurement = await plain(test, target, **given)
            if "site2" in target.url:
                return msgspec.structs.replace(measurement, comparison={"why": "\udcff"})
            return measurement

        b.measure = measure  # type: ignore[method-assign]
        result = await b.run(5)
        assert (result.measured, result.crashes) == (4, 1)
    assert "cannot be written down" in caplog.text


async def test_a_target_that_ignores_its_deadline_is_cut_off(
    tmp_path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def hang(url: str) -> None:
        if "site1" in url:
            await trio.sleep_forever()

    async with bench(tmp_path, behave=hang) as b:
        start = trio.current_time()
        result = await b.run(4)
        assert (result.measured, result.crashes) == (3, 1)
        assert trio.current_time() - start < 140
    assert "after its deadline" in caplog.text


async def test_what_overlapped_a_loss_of_the_line_is_measured_again_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path, seconds=8.0) as b:

        async def cut() -> None:
            await trio.sleep(21)
            b.net.silent = set(SITES.values())
            await trio.sleep(20)
            b.net.silent = set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(cut)
            result = await b.run(24)
        assert result.run.ended == "done"
        counts = {url: b.asked.count(("web_connectivity", url)) for _, url in b.asked}
        again = {url for url, count in counts.items() if count == 2}
        assert set(counts.values()) == {1, 2}
        assert 4 <= len(again) <= 12  # those in flight, and those since the last good look
        stored = [m.url for m in b.stored()]
        assert all(stored.count(url) == counts[url] for url in counts)
        with Store(b.path) as store:
            rings = {c.ring for c in store.canaries(result.run.id) if c.failure is not None}
        assert rings == {"domestic", "foreign"}
        assert [n for n in b.reported.notes if "line" in n] == [
            "the line is dead: waiting for it",
            "the line is back",
            f"measuring again what the dead line has spoiled: {len(again)}",
        ]


async def test_nothing_is_opened_while_the_line_is_lost(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path, seconds=1.0) as b:
        opened: list[float] = []

        async def note(url: str) -> None:
            opened.append(trio.current_time())

        b.behave = note

        async def cut() -> None:
            await trio.sleep(10)
            b.net.silent = set(SITES.values())
            await trio.sleep(40)
            b.net.silent = set()

        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cut)
            await b.run(150)
        # noticed by the next look (12 s and 5 s of silence at most), over by the one after
        assert not [t for t in opened if start + 30 < t < start + 50]


async def test_a_line_that_stays_dead_ends_the_run_with_all_kept(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path) as b:

        async def cut() -> None:
            await trio.sleep(30)
            b.net.silent = set(SITES.values())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(cut)
            result = await b.run(200)
        assert result.run.ended == "no_network"
        assert 0 < result.measured < 200
        with Store(b.path) as store:
            assert store.unfinished_run() == result.run
            assert len(store.remaining(result.run.id)) == 200 - len(
                {m.url for m in store.measurements()}
            )


async def test_without_a_network_nothing_is_measured(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path) as b:
        b.net.silent = set(SITES.values())
        result = await b.run(5)
        assert (result.run.ended, b.asked) == ("no_network", [])


async def test_behind_a_captive_portal_nothing_is_measured(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path) as b:
        login = web_server("HTTP/1.1 302 Found\nLocation: http://login.example/")
        b.net.hosts |= {(ip, 80): login for ip in PORTALS.values()}
        result = await b.run(5)
        assert (result.run.ended, b.asked) == ("captive_portal", [])
        assert result.run.captive_portal is True
        assert "captive portal" in b.reported.notes[-1]


async def test_the_foreign_ring_alone_does_not_stop_a_run(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path) as b:
        b.net.silent = {SITES["www.wikipedia.org"], SITES["www.debian.org"]}
        assert (await b.run(5)).run.ended == "done"
        assert [n for n in b.reported.notes if "abroad" in n] == [
            "nothing abroad answers, and sites in the country do: measuring goes on"
        ]


@pytest.mark.parametrize("off", [365 * 86400.0, -365 * 86400.0, 600.0])
async def test_a_wrong_clock_is_corrected_and_said(
    tmp_path: Path, autojump_clock: MockClock, off: float
) -> None:
    async with bench(tmp_path) as b:
        date = formatdate(time.time() + off, usegmt=True)
        for ip, check in zip(PORTALS.values(), PORTAL_CHECKS, strict=True):
            head = f"HTTP/1.1 {check.status} OK\nDate: {date}"
            b.net.hosts[ip, 80] = web_server(head, check.body.encode())
        offsets: list[float] = []
        plain = b.measure

        async def measure(test: Nettest, target: Target, **given: Any) -> Measurement:
            offsets.append(round(given["tools"].now() - time.time()))
            return await plain(test, target, **given)

        b.measure = measure  # type: ignore[method-assign]
        run = (await b.run(1)).run
        assert run.clock_offset == pytest.approx(off, abs=60)
        assert run.clock_offset is not None
        corrected = run.clock_offset if abs(off) > 3600 else 0.0
        assert offsets == [pytest.approx(corrected, abs=2)]
        assert run.started_at == pytest.approx(time.time() + corrected, abs=60)
        assert bool([n for n in b.reported.notes if "clock" in n]) == (abs(off) > 3600)


async def test_a_clock_that_nobody_can_correct_measures_nothing(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probe.surroundings.arrival.NOT_BEFORE", time.time() + 86400)
    async with bench(tmp_path) as b:
        result = await b.run(5)
        assert (result.run.ended, b.asked) == ("wrong_clock", [])


async def test_a_signal_stops_and_keeps_and_resume_completes_without_repeats(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path) as b:
        raised: list[str] = []

        async def interrupt(url: str) -> None:
            if len(b.reported.stored_urls) >= 8 and not raised:
                raised.append(url)
                signal.raise_signal(signal.SIGTERM)
                for _ in range(1000):  # a signal comes in real time, and virtual time runs away
                    await trio.lowlevel.checkpoint()

        b.behave = interrupt
        result = await b.run(20)
        assert (result.run.ended, result.signal) == ("interrupted", signal.SIGTERM)
        kept = [m.url for m in b.stored()]
        assert 8 <= len(kept) == result.measured < 16

        again = Bench(net=b.net, path=b.path)
        second = await again.run(resume=True, seed=99)
        assert second.run.id == result.run.id and second.run.seed == 7
        assert second.run.ended == "done"
        assert again.reported.began_with == (20, 20 - len(kept))
        urls = [m.url for m in b.stored()]
        assert sorted(urls) == sorted(t.url for t in targets(20))
        with Store(b.path) as store:
            order = [p.url for p in store.planned(result.run.id)]
        assert [u for u in order if u not in kept] == [url for _, url in again.asked]


async def test_a_disk_that_fails_ends_the_run_and_says_so(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path) as b:
        append = Store.append

        def full(store: Store, measurements: list[Measurement]) -> None:
            if len(b.asked) > 10:
                raise StoreError("zond.db: database or disk is full")
            append(store, measurements)

        monkeypatch.setattr(Store, "append", full)
        result = await b.run(200)
        assert (result.run.ended, result.problem) == (
            "failed",
            "zond.db: database or disk is full",
        )
        assert len(b.asked) < 200
        assert result.measured == len(b.stored()) > 0


async def test_a_dead_ipv6_is_not_measured_over(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with bench(tmp_path) as b:
        b.net.routes = (True, True)
        for name in ("www.wikipedia.org", "www.belta.by"):
            b.net.names[name] += (f"2a02:ec80::{len(name)}",)
            b.net.silent.add(b.net.names[name][-1])
        result = await b.run(1)
        assert (result.run.ipv4, result.run.ipv6) == (True, False)
        assert any("IPv6" in note for note in b.reported.notes)


async def test_a_refused_canary_is_no_answer_of_the_canary(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path) as b:
        b.net.hosts = {(ip, 443): errno.ECONNREFUSED for ip in SITES.values()}
        assert (await b.run(1)).run.ended == "no_network"


async def test_a_database_that_cannot_be_read_again_is_a_line_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    def unreadable(path: object) -> Store:
        raise StoreError("the disk is gone")

    async with bench(tmp_path) as b:
        monkeypatch.setattr("probe.session.Store", unreadable)
        result = await b.run(2)
        assert ("the disk is gone", 2) == (result.problem, result.measured)
        assert 2 == len(list(b.stored()))
