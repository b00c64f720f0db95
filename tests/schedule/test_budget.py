"""Bounds of a day, over runs, clocks that jump and systems that do not count."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import trio

from probe.budget import DAY, QUESTION, Spending, total
from probe.config import Budget
from probe.evidence import ControlQuery, Measurement
from probe.net import Traffic, TrioNetwork
from probe.store import Store, Use

NOW = 1_800_000_000.0
NOTHING = Use(at=NOW)


def process(folder: Path, *, written: int = 0, memory: int = 0) -> Path:
    (folder / "io").write_text(f"wchar: 1\nwrite_bytes: {written}\ncancelled_write_bytes: 7\n")
    (folder / "status").write_text(f"VmRSS:\t 999999 kB\nRssAnon:\t {memory // 1024} kB\n")
    return folder


def test_what_other_runs_of_the_day_used_counts_and_the_day_before_does_not() -> None:
    uses = [
        Use(at=NOW - DAY - 1, processor=100.0, line=100, written=100),
        Use(at=NOW - DAY + 60, processor=1.0, line=10, written=1000),
        Use(at=NOW - 60, processor=2.0, line=20, written=2000),
    ]
    assert Use(at=NOW, processor=3.0, line=30, written=3000) == total(uses, NOW)


def test_a_clock_that_was_ahead_for_a_while_does_not_end_all_runs_to_come() -> None:
    ahead = [Use(at=NOW + 900 * DAY, line=10**9), Use(at=NOW + 60, line=5)]
    assert 5 == total(ahead, NOW).line


@pytest.mark.parametrize(
    ("bounds", "before", "said"),
    [
        ({"line_bytes_per_day": 1000}, Use(at=NOW, line=999), ""),
        ({"line_bytes_per_day": 1000}, Use(at=NOW, line=1000), "on the line are used up"),
        ({"written_bytes_per_day": 6000}, Use(at=NOW, written=5000), ""),
        ({"written_bytes_per_day": 6000}, Use(at=NOW, written=5800), "to the disk are written"),
        ({"processor_seconds_per_day": 1e9}, Use(at=NOW), ""),
        ({"processor_seconds_per_day": 50}, Use(at=NOW, processor=50.0), "of processor"),
        ({"memory_bytes": 50_000_000}, NOTHING, ""),
        ({"memory_bytes": 40_000_000}, NOTHING, "40 MB of memory are in use"),
        ({"database_bytes": 2_000_001}, NOTHING, ""),
        ({"database_bytes": 2_000_000}, NOTHING, "the database has reached 2 MB"),
        ({}, Use(at=NOW, processor=1e9, line=10**12, written=10**12), ""),
    ],
)
def test_a_bound_is_at_its_end(
    bounds: dict[str, float], before: Use, said: str, tmp_path: Path
) -> None:
    spending = Spending(
        Budget(**bounds), before, Traffic(), size=lambda: 2_000_000,  # type: ignore[arg-type]
        process=process(tmp_path, written=300, memory=42_000_000),
    )  # fmt: skip
    why = spending.at_its_end()
    assert said in why
    assert bool(said) == bool(why)


def test_a_system_that_does_not_count_has_no_bound_there(tmp_path: Path) -> None:
    bounds = Budget(written_bytes_per_day=1, memory_bytes=1)
    assert "" == Spending(bounds, NOTHING, Traffic(), process=tmp_path / "none").at_its_end()


def test_each_minute_is_noted_once(tmp_path: Path) -> None:
    traffic = Traffic()
    spending = Spending(Budget(), NOTHING, traffic, process=process(tmp_path, written=300))
    traffic.bytes = 1000
    asked = (ControlQuery(control="c", control_url="https://c.example/"),)
    measured = Measurement(id="m", run_id="r", nettest="n", nettest_version="1", url="u")
    spending.measured(msgspec.structs.replace(measured, evidence=asked))
    first = spending.since_noted(NOW)
    assert (NOW, 1000 + QUESTION, 300) == (first.at, first.line, first.written)
    process(tmp_path, written=350)
    traffic.bytes = 1100
    second = spending.since_noted(NOW + 60)
    assert (100, 50) == (second.line, second.written)


def test_uses_are_kept_in_the_database(tmp_path: Path) -> None:
    with Store(tmp_path / "zond.db", write=True) as store:
        store.append_use(Use(at=NOW, processor=1.5, line=10, written=20))
        assert [Use(at=NOW, processor=1.5, line=10, written=20)] == store.uses()


async def test_bytes_are_counted_at_the_door() -> None:
    traffic = Traffic()
    net = TrioNetwork(traffic=traffic)
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]

    async def echo(stream: trio.SocketStream) -> None:
        async with stream:
            async for data in stream:
                await stream.send_all(data)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, echo, [listener])
        async with await net.connect_tcp("127.0.0.1", port) as stream:
            assert Traffic.OPENING == traffic.bytes
            await stream.send_all(b"x" * 10_000)
            left = 10_000
            while left:
                left -= len(await stream.receive_some())
        counted = traffic.bytes
        assert 20_000 < counted < 20_000 + Traffic.OPENING + 200 * Traffic.HEADERS
        udp = await net.open_udp("127.0.0.1", port)
        await udp.send(b"x" * 40)
        udp.close()
        assert 40 + Traffic.HEADERS == traffic.bytes - counted
        nursery.cancel_scope.cancel()
