"""Watching a client come up: programs that behave and misbehave as `tor` may, really started."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from probe.evidence import Bootstrap
from probe.failure import Failure
from probe.tor import private_folder as folders
from probe.tor.bootstrap import ABSENT, bootstrap
from probe.tor.bootstrap_log import MAX_TROUBLES, Progress
from probe.tor.bridges import parse
from probe.tor.private_folder import PREFIX, private_folder
from probe.tor.ways import PROGRAMS, Ways
from probe.trace import Trace

Tor = Callable[[str], str]

HEAD = "Nov 22 15:40:30.000 [notice] "
DONE = f"{HEAD}Bootstrapped 100% (done): Done"
TROUBLE = (
    "Nov 22 15:40:30.000 [info] Problem bootstrapping. Stuck at 5% (conn): Connecting to a relay."
    " (Connection refused; CONNECTREFUSED; count 3; recommendation ignore; host AB at 192.0.2.1:9)"
)
TALK = "for (i = 0; i < 50000; i++) print \"some word\""
SOON = 8.0  # seconds, in which a shell has begun and said its lines on whatever machine
BRIDGE = parse("obfs4 192.0.2.20:8443 cert=secretsecret iat-mode=0")


@pytest.fixture
def a_tor(tmp_path: Path) -> Tor:
    """Makes a program that stands for `tor`: it takes its torrc and does what the script says."""

    def make(script: str) -> str:
        path = tmp_path / "tor"
        path.write_text(
            f"#!/bin/sh\ncat > {tmp_path}/torrc\necho $$ > {tmp_path}/pid\n"
            f"echo '{HEAD}Tor 0.4.9.11 running on Linux with Libevent 2'\n{script}\n"
        )
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place where folders are made, so that those of others are left alone."""
    place = tmp_path / "memory"
    place.mkdir()
    monkeypatch.setattr(folders, "MEMORY", place)
    monkeypatch.setattr(folders, "ROOM", 0)
    return place


async def watched(tor: str, transport: str = "vanilla", seconds: float = 60.0) -> Bootstrap:
    trace = Trace()
    ways = Ways(seconds=seconds, bridges=(BRIDGE,), programs={"tor": tor, "lyrebird": "/bin/true"})
    await bootstrap(trace, f"tor://{transport}", transport, ways, ipv4=True, ipv6=True)
    (record,) = trace.records
    assert isinstance(record, Bootstrap)
    return record


def gone(pid: int) -> bool:
    try:
        return "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # before it is opened, or before it is read
        return True


def put_away(folder: Path, memory: Path) -> bool:
    return gone(int((folder / "pid").read_text())) and not [*memory.iterdir()]


async def test_a_client_that_comes_up_is_timed_and_ended(
    a_tor: Tor, tmp_path: Path, memory: Path
) -> None:
    record = await watched(a_tor(f"sleep 0.2\necho '{DONE}'\nsleep 60"))
    assert (None, 100, "done") == (record.failure, record.progress, record.stage)
    assert 0 < record.seconds < 60 and "tor 0.4.9.11" == record.tool
    assert put_away(tmp_path, memory)


async def test_a_client_that_stands_still_tells_where_and_why(
    a_tor: Tor, tmp_path: Path, memory: Path
) -> None:
    stuck = f"echo '{HEAD}Bootstrapped 5% (conn): Connecting'\necho '{TROUBLE}'\nsleep 60"
    record = await watched(a_tor(stuck), seconds=SOON)
    assert (Failure.TIMEOUT, 5, "conn") == (record.failure, record.progress, record.stage)
    assert ("CONNECTREFUSED",) == record.troubles
    assert (0.0, SOON) == (record.seconds, record.limit)
    assert "192.0.2.1" not in repr(record)
    assert put_away(tmp_path, memory)


@pytest.mark.parametrize(
    "script",
    [
        f"echo '{HEAD}Bootstrapped 5% (conn): Connecting'\nexit 1",
        "kill -9 $$",
        "echo 'Nov 22 15:40:30.000 [warn] Managed proxy at /usr/bin/obfs4proxy failed at launch."
        "'; sleep 60",
    ],
)
async def test_a_client_that_does_not_run_is_no_finding(a_tor: Tor, script: str) -> None:
    record = await watched(a_tor(script), "obfs4", seconds=SOON)
    assert (Failure.UNKNOWN, ABSENT) == (record.failure, record.stage)


async def test_what_is_not_a_program_is_no_finding(tmp_path: Path) -> None:
    (tmp_path / "tor").write_bytes(b"\x7fELF nonsense")
    (tmp_path / "tor").chmod(0o755)
    assert ABSENT == (await watched(str(tmp_path / "tor"))).stage


async def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    trace = Trace()
    await bootstrap(trace, "tor://vanilla", "vanilla", Ways(), ipv4=True, ipv6=True)
    (record,) = trace.records
    assert isinstance(record, Bootstrap)
    assert (ABSENT, -1) == (record.stage, record.progress)
    assert "apt-get install tor" in record.detail
    monkeypatch.setattr("shutil.which", lambda name, path=None: f"/usr/bin/{name}")
    for transport in PROGRAMS:
        trace = Trace()
        await bootstrap(trace, f"tor://{transport}", transport, Ways(), ipv4=True, ipv6=True)
        assert f"no bridge for {transport}" in trace.records[0].detail


async def test_a_transport_dies_with_its_client(a_tor: Tor, tmp_path: Path) -> None:
    record = await watched(a_tor(f"sleep 60 & echo $! > {tmp_path}/child\nwait"), seconds=SOON)
    assert Failure.TIMEOUT == record.failure
    child = int((tmp_path / "child").read_text())
    with trio.fail_after(40):
        while not gone(child):  # noqa: ASYNC110  # whose process is not ours to wait for
            await trio.sleep(0.01)


async def test_endless_talk_costs_no_memory_and_is_heard_to_its_end(a_tor: Tor) -> None:
    talk = f"head -c 3000000 /dev/zero | tr '\\0' x\necho\nyes '{TROUBLE}' | head -n 300\n"
    record = await watched(a_tor(f"{talk}echo '{DONE}'\nsleep 60"))
    assert 100 == record.progress
    assert MAX_TROUBLES == len(record.troubles)


async def test_what_a_client_reads_and_writes_counts_as_ours(a_tor: Tor) -> None:
    ways = Ways(programs={"tor": a_tor(f"exec awk 'BEGIN {{ {TALK}; print \"{DONE}\" }}'")})
    await bootstrap(Trace(), "tor://vanilla", "vanilla", ways, ipv4=True, ipv6=True)
    assert 500_000 < ways.traffic.bytes < 1_000_000


async def test_cancellation_ends_the_client_and_leaves_no_record(
    a_tor: Tor, tmp_path: Path, memory: Path
) -> None:
    trace = Trace()
    ways = Ways(programs={"tor": a_tor("sleep 60")})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            lambda: bootstrap(trace, "tor://vanilla", "vanilla", ways, ipv4=True, ipv6=True)
        )
        pid = tmp_path / "pid"  # there, and then written to
        while not (pid.exists() and pid.read_text()):  # noqa: ASYNC110  # another program's file
            await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert [] == trace.records
    assert put_away(tmp_path, memory)


async def test_the_targets_deadline_is_kept_with_time_to_end_in_order(
    a_tor: Tor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probe.tor.bootstrap._MARGIN", 60.0)
    with trio.fail_after(61.0):
        record = await watched(a_tor("sleep 60"), seconds=100.0)
    assert record.limit < 1.1 and Failure.TIMEOUT == record.failure


async def test_a_bridge_is_in_no_file_and_no_record(a_tor: Tor, tmp_path: Path) -> None:
    script = f"cp -r . {tmp_path}/seen; env > {tmp_path}/env; tr '\\0' ' ' < /proc/$$/cmdline"
    record = await watched(a_tor(f"{script} > {tmp_path}/cmdline; exit 0"), "obfs4")
    assert BRIDGE.line in (tmp_path / "torrc").read_text()  # our stand-in wrote that, not we
    texts = [(tmp_path / name).read_text() for name in ("env", "cmdline")]
    texts += [path.read_text() for path in (tmp_path / "seen").rglob("*") if path.is_file()]
    assert not any("secretsecret" in text or "192.0.2.20" in text for text in texts)
    assert "secret" not in repr(record)


async def test_the_client_is_held_to_its_bounds(a_tor: Tor, tmp_path: Path) -> None:
    await watched(a_tor(f"sleep 0.3; cat /proc/$$/limits > {tmp_path}/limits; echo '{DONE}'"))
    limits = (tmp_path / "limits").read_text()
    for name in ("Max data size", "Max file size", "Max core file size"):
        (line,) = (line for line in limits.splitlines() if line.startswith(name))
        assert "unlimited" not in line


def test_a_folder_of_somebody_killed_is_swept_and_one_in_use_is_not(memory: Path) -> None:
    with private_folder() as held:
        left = memory / f"{PREFIX}left"
        left.mkdir()
        (left / "held").touch()
        for folder in (left, held.parent):
            os.utime(folder, (time.time() - 3600,) * 2)
        with private_folder() as other:
            assert not left.exists()
            assert held.is_dir() and other.is_dir()
            assert 0 == other.parent.stat().st_mode & 0o077
    assert [] == [*memory.iterdir()]


@pytest.mark.parametrize(
    ("line", "percent", "stage"),
    [
        (f"{HEAD}Bootstrapped 1% (conn_pt): Connecting to pluggable transport", 1, "conn_pt"),
        (f"{HEAD}Bootstrapped 999% (done): Done", 100, "done"),
        (f"{HEAD}Bootstrapped 10%: Connected", -1, ""),  # of Tor before 0.4
        ("Bootstrapped", -1, ""),
    ],
)
def test_progress_is_read_from_the_log(line: str, percent: int, stage: str) -> None:
    progress = Progress()
    progress.take(line)
    assert (percent, stage) == (progress.percent, progress.stage)


def test_a_wrong_clock_is_a_trouble_by_name() -> None:
    progress = Progress()
    progress.take(
        "Nov 21 15:00:00.000 [warn] Problem bootstrapping. Stuck at 30% (loading_status): Loading"
        " networkstatus consensus. (Clock skew -86400 in microdesc flavor consensus from CONSENSUS;"
        " CLOCK_SKEW; count 1; recommendation warn; host ? at ?)"
    )
    assert ["CLOCK_SKEW"] == progress.troubles


def test_a_complaint_keeps_its_words_and_no_address_path_or_number() -> None:
    progress = Progress()
    progress.take(f"Nov 22 15:40:30.000 [warn] Bridge at '192.0.2.20:84' in /home/x is {'y' * 900}")
    assert "Bridge at … in … is" == progress.complaint[:19]
    assert len(progress.complaint) <= 200
