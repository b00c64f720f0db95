"""A batch is stored once, and the answer comes after the disk has it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
import trio
import trio.testing

from analysis.collector.segments import Segments
from analysis.collector.spool import WAITING, Spool, SpoolBusy, SpoolError


def named(n: int) -> tuple[bytes, bytes]:
    payload = f"batch {n}".encode() * 100
    return hashlib.sha256(payload).digest(), payload


def without(folder: Path, pattern: str) -> int:
    """Remove the files of *pattern*; how many there were."""
    found = list(folder.glob(pattern))
    for path in found:
        path.unlink()
    return len(found)


async def stored(folder: Path, numbers: range) -> list[str]:
    answers: dict[int, str] = {}
    with Spool(folder) as spool:
        async with trio.open_nursery() as server:
            server.start_soon(spool.run)

            async def one(n: int) -> None:
                answers[n] = await spool.store(*named(n))

            async with trio.open_nursery() as senders:
                for n in numbers:
                    senders.start_soon(one, n)
            server.cancel_scope.cancel()
    return [answers[n] for n in numbers]


async def test_each_batch_is_kept_once_over_restarts(tmp_path: Path) -> None:
    assert await stored(tmp_path, range(50)) == ["now"] * 50
    assert await stored(tmp_path, range(25, 75)) == ["before"] * 25 + ["now"] * 25
    with Spool(tmp_path) as spool:
        assert {r.payload for r in spool.records()} == {named(n)[1] for n in range(75)}
        assert spool.count() == 75


async def test_the_same_batch_at_the_same_moment_is_one(tmp_path: Path) -> None:
    answers: list[str] = []
    with Spool(tmp_path) as spool:
        async with trio.open_nursery() as server:
            async with trio.open_nursery() as senders:

                async def one() -> None:
                    answers.append(await spool.store(*named(1)))

                for _ in range(20):
                    senders.start_soon(one)
                await trio.testing.wait_all_tasks_blocked()
                server.start_soon(spool.run)
            server.cancel_scope.cancel()
        assert sorted(answers) == ["before"] * 19 + ["now"]
        assert len(list(spool.segments.records())) == 1


async def test_many_at_once_share_one_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Spool(tmp_path) as spool:
        syncs: list[int] = []
        commit = Segments.commit

        def counted(segments: Segments) -> None:
            syncs.append(1)
            commit(segments)

        monkeypatch.setattr(Segments, "commit", counted)
        async with trio.open_nursery() as server:
            async with trio.open_nursery() as senders:
                for n in range(100):
                    senders.start_soon(spool.store, *named(n))
                await trio.testing.wait_all_tasks_blocked()
                server.start_soon(spool.run)
            server.cancel_scope.cancel()
        assert spool.count() == 100
        assert len(syncs) == 1


async def test_a_lost_catalogue_is_made_again(tmp_path: Path) -> None:
    await stored(tmp_path, range(10))
    without(tmp_path, "catalogue.db*")
    assert await stored(tmp_path, range(12)) == ["before"] * 10 + ["now"] * 2


async def test_a_damaged_catalogue_is_put_aside_and_made_again(tmp_path: Path) -> None:
    await stored(tmp_path, range(10))
    without(tmp_path, "catalogue.db-*")
    (tmp_path / "catalogue.db").write_bytes(os.urandom(5000))
    assert await stored(tmp_path, range(12)) == ["before"] * 10 + ["now"] * 2
    assert without(tmp_path, "*.damaged") == 1


async def test_an_older_copy_of_the_segments_is_taken_as_it_is(tmp_path: Path) -> None:
    await stored(tmp_path, range(5))
    segment = tmp_path / "segment-00000001.zbt"
    copy = segment.read_bytes()
    await stored(tmp_path, range(5, 10))
    segment.write_bytes(copy)
    assert await stored(tmp_path, range(10)) == ["before"] * 5 + ["now"] * 5


async def test_a_full_disk_is_said_and_nothing_is_half_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stored(tmp_path, range(3))
    with Spool(tmp_path) as spool:
        async with trio.open_nursery() as server:
            server.start_soon(spool.run)
            with monkeypatch.context() as full:
                full.setattr(Segments, "commit", _no_room)
                with pytest.raises(SpoolError, match="No space left"):
                    await spool.store(*named(3))
            assert spool.place(named(3)[0]) is None
            assert await spool.store(*named(3)) == "now"
            server.cancel_scope.cancel()
    assert await stored(tmp_path, range(4)) == ["before"] * 4


def _no_room(segments: Segments) -> None:
    raise OSError(28, "No space left on device")


async def test_more_than_can_wait_are_told_to_come_again(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        async with trio.open_nursery() as senders:
            for n in range(WAITING):
                senders.start_soon(spool.store, *named(n))
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(SpoolBusy):
                await spool.store(*named(WAITING))
            senders.cancel_scope.cancel()


def test_two_collectors_do_not_share_a_folder(tmp_path: Path) -> None:
    with Spool(tmp_path), pytest.raises(SpoolError, match="another collector"):
        Spool(tmp_path)
