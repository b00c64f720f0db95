"""Without memory a run ends: nothing waits for a thread that is dead."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from probe.evidence import Run
from probe.memory import NO_MEMORY, lacking
from probe.store import Store
from probe.writer import Record, Writer
from tests.probe.test_session import bench, surroundings

__all__ = ["surroundings"]  # virtual time and no threads, for all tests here

RUN = Run(id="00ff", started_at=1_790_000_017.0)
STANDS_STILL = """
import threading, probe.memory
class Dead(threading.Thread):
    def _bootstrap(self):
        pass
probe.memory.UNHEARD = 1
with probe.memory.Guard():
    Dead(daemon=True).start()
"""


async def never(*_: object, **__: object) -> None:
    await trio.sleep_forever()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.writer.UNHEARD", 0.2)


@pytest.mark.usefixtures("impatient")
async def test_a_thread_that_is_never_heard_of_again_ends_the_run(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path) as b:
        monkeypatch.setattr(trio.to_thread, "run_sync", never)
        result = await b.run(20)
    assert (result.problem, result.run.ended) == (NO_MEMORY, "failed")


@pytest.mark.usefixtures("impatient")
async def test_cancellation_waits_no_longer_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trio.to_thread, "run_sync", never)
    with Store(tmp_path / "zond.db", write=True) as store:
        send, receive = trio.open_memory_channel[Record](1)
        await send.send(RUN)
        with trio.CancelScope() as scope:
            scope.cancel()
            with pytest.raises(MemoryError):
                await Writer(store, lambda m: None).run(receive)


async def test_a_slow_disk_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # real threads, which `surroundings` takes away
    monkeypatch.setattr("probe.writer.UNHEARD", 1.5)
    update = Store.update_run

    def slowly(store: Store, run: Run) -> None:
        time.sleep(4)
        update(store, run)

    monkeypatch.setattr(Store, "update_run", slowly)
    with Store(tmp_path / "zond.db", write=True) as store:
        store.begin_run(Run(id="00ff", started_at=1.0), [])
        send, receive = trio.open_memory_channel[Record](1)
        async with send:
            await send.send(RUN)
        await Writer(store, lambda m: None).run(receive)
        assert [RUN] == store.runs()


def test_a_thread_that_dies_before_it_runs_ends_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STANDS_STILL],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (1, f"Error: {NO_MEMORY}\n") == (done.returncode, done.stderr)


def no_thread() -> Exception:
    """What Python says where there is none to be had."""
    before = threading.stack_size(2**58)  # more than any machine's processes can address
    try:
        threading.Thread(target=print).start()
    except RuntimeError as exc:
        return exc
    finally:
        threading.stack_size(before)
    raise AssertionError("a thread with a stack of 256 PiB")


def inside_trio() -> Exception:
    """What trio says where there is no memory for itself."""

    def fail() -> None:
        raise MemoryError

    async def main() -> None:
        trio.lowlevel.current_trio_token().run_sync_soon(fail)
        await trio.sleep_forever()

    with pytest.raises(trio.TrioInternalError) as caught:
        trio.run(main)
    return caught.value


@pytest.mark.parametrize(
    "made", [MemoryError, no_thread, inside_trio], ids=["allocation", "thread", "trio"]
)
def test_want_of_memory_is_known_in_all_its_forms(made: Any) -> None:
    exc = made()
    assert lacking(exc)
    assert lacking(ExceptionGroup("", [ValueError(), ExceptionGroup("", [exc])]))


@pytest.mark.parametrize(
    "exc",
    [RuntimeError("dictionary changed size"), trio.TrioInternalError(), ValueError(), None],
)
def test_other_errors_are_not_taken_for_it(exc: Exception | None) -> None:
    assert not lacking(exc)
