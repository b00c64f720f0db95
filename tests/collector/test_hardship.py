"""A collector under slow clients, many at once, a full disk and kills."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException, HTTPMessage
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
import trio

from analysis.collector import keeping
from analysis.collector.limits import Limits
from analysis.collector.reading import Received, received
from analysis.collector.server import Options, serve
from tests.collector.service import PATIENCE, asked, collector, line, some_batch, some_measurement

Batch = tuple[str, bytes]


def batches(count: int, *, padding: int = 0) -> list[Batch]:
    """Different batches, with *padding* bytes that do not compress in each."""
    made = []
    for _ in range(count):
        urls = [os.urandom(min(padding, 4000)).hex() for _ in range(padding // 4000 + 1)]
        documents = [line(some_measurement(url=f"https://x.by/{url}")) for url in urls]
        made.append(some_batch(*documents)[:2])
    return made


class Answer(NamedTuple):
    status_code: int
    headers: HTTPMessage
    body: bytes

    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


def put(url: str, name: str, body: bytes) -> Answer:
    """Raises `OSError`, `HTTPException`."""
    connection = HTTPConnection(url.removeprefix("http://").rstrip("/"), timeout=PATIENCE)
    try:
        connection.request("PUT", f"/v1/batches/{name}", body)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def stored(data: Path) -> list[str]:
    return [item.batch.sha256 for item in received(data) if isinstance(item, Received)]


def test_kills_in_the_middle_of_many_uploads_lose_nothing_acknowledged(tmp_path: Path) -> None:
    made = batches(60)
    acknowledged: set[str] = set()

    def send(url: str, batch: Batch) -> None:
        try:
            if put(url, *batch).status_code == 200:
                acknowledged.add(batch[0])
        except (OSError, HTTPException):
            pass  # it was killed

    for enough in (10, 30, 60):
        with collector(tmp_path) as running, ThreadPoolExecutor(8) as senders:
            sent = [senders.submit(send, running.url, batch) for batch in made]
            while len(acknowledged) < enough and not all(one.done() for one in sent):
                time.sleep(0.01)
            running.kill()
        assert enough <= len(acknowledged)
    found = stored(tmp_path)
    assert acknowledged <= set(found)
    assert len(found) == len(set(found))
    assert keeping.verify(tmp_path).whole


def test_the_same_batch_from_many_at_once_is_one(tmp_path: Path) -> None:
    ((name, packed),) = batches(1)
    with collector(tmp_path) as running, ThreadPoolExecutor(16) as senders:
        answers = list(senders.map(lambda _: put(running.url, name, packed), range(40)))
    assert {a.status_code for a in answers} == {200}
    assert [a.json()["stored"] for a in answers].count("now") == 1
    assert stored(tmp_path) == [name]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a file system can only be mounted by root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # whoever else looks


def test_a_full_disk_is_said_and_with_room_it_goes_on(small_disk: Path) -> None:
    filler, others = small_disk / "filler", small_disk / "others"
    others.write_bytes(bytes(500_000))
    made = batches(40, padding=100_000)
    acknowledged = []
    with collector(small_disk / "data") as running:
        answers = [put(running.url, *batch) for batch in made]
        acknowledged += [b[0] for b, a in zip(made, answers, strict=True) if a.status_code == 200]
        full = [a for a in answers if a.status_code != 200]
        assert acknowledged and full
        assert {a.status_code for a in full} == {503}
        assert "disk" in full[0].json()["reason"] and int(full[0].headers["retry-after"]) > 0
        assert stored(small_disk / "data") == acknowledged
        # Even what no reserve can prevent: others filled it to the last byte.
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        assert asked("GET", f"{running.url}health").status_code == 503
        assert put(running.url, *made[-1]).status_code == 503
        assert put(running.url, *made[0]).json()["stored"] == "before"
        filler.unlink()
        others.unlink()
        (small,) = batches(1)
        assert put(running.url, *small).status_code == 200
        acknowledged.append(small[0])
        running.kill()
    assert stored(small_disk / "data") == acknowledged
    assert keeping.verify(small_disk / "data").whole


def test_a_disk_that_fills_while_it_writes_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    made = batches(12, padding=30_000)
    with collector(tmp_path) as running:
        assert put(running.url, *made[0]).status_code == 200
        segment = tmp_path / "spool" / "segment-00000001.zbt"
        most = segment.stat().st_size * 3 + 1000  # a file's size, as a quota would bound it
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (most, -1))
        answers = [put(running.url, *batch).status_code for batch in made]
        assert answers[0] == 200 and set(answers[-3:]) == {503}
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (-1, -1))
        assert [put(running.url, *batch).status_code for batch in made] == [200] * len(made)
    assert sorted(stored(tmp_path)) == sorted(name for name, _ in made)
    assert keeping.verify(tmp_path).whole


def head(name: str, length: int) -> bytes:
    first = f"PUT /v1/batches/{name} HTTP/1.1"
    return f"{first}\r\nHost: c\r\nContent-Length: {length}\r\n\r\n".encode()


def test_hundreds_of_slow_clients_hold_little_and_keep_nobody_out(tmp_path: Path) -> None:
    ((name, packed),) = batches(1)
    slow: list[socket.socket] = []
    with collector(tmp_path) as running:
        port = int(running.url.rstrip("/").rpartition(":")[2])
        put(running.url, *batches(1)[0])
        before = resident(running.process.pid)
        try:
            for n in range(600):
                source = (f"127.0.1.{n % 10 + 1}", 0)  # as ten clients
                one = socket.create_connection(("127.0.0.1", port), source_address=source)
                one.sendall(head("00" * 32, 1_000_000) + bytes(2000))
                slow.append(one)
            assert put(running.url, name, packed).status_code == 200
            grown = resident(running.process.pid) - before
        finally:
            for one in slow:
                one.close()
        assert asked("GET", f"{running.url}health").status_code == 200
    assert grown < 150e6, grown
    assert stored(tmp_path)[-1] == name


def resident(pid: int) -> int:
    """Bytes of memory."""
    for said in Path(f"/proc/{pid}/status").read_text().splitlines():
        if said.startswith("VmRSS"):
            return int(said.split()[1]) * 1024
    raise AssertionError("no VmRSS")


async def test_who_sends_too_slowly_is_told_and_lets_go(tmp_path: Path) -> None:
    limits = Limits(body_seconds=0.3, body_rate=1e6)
    async with trio.open_nursery() as nursery:

        async def run(task_status: trio.TaskStatus[str]) -> None:
            await serve(
                "127.0.0.1:0", tmp_path, limits=limits, options=Options(keep_free=0),
                stop=trio.Event(), task_status=task_status,
            )  # fmt: skip

        url = await nursery.start(run)
        port = int(url.rstrip("/").rpartition(":")[2])
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        await stream.send_all(head("00" * 32, 1000) + b"x")
        answer = b""
        while b"}" not in answer:
            answer += await stream.receive_some(4096)
        assert answer.startswith(b"HTTP/1.1 408") and b"too slowly" in answer
        await stream.aclose()
        nursery.cancel_scope.cancel()


async def test_the_bodies_of_all_have_one_budget_and_nobody_takes_all_of_it(
    tmp_path: Path,
) -> None:
    limits = Limits(bodies_bytes=100_000)
    async with trio.open_nursery() as nursery:

        async def run(task_status: trio.TaskStatus[str]) -> None:
            await serve(
                "127.0.0.1:0", tmp_path, limits=limits, options=Options(keep_free=0),
                stop=trio.Event(), task_status=task_status,
            )  # fmt: skip

        async def send(address: str, size: int) -> trio.SocketStream:
            stream = await trio.open_tcp_stream("127.0.0.1", port, local_address=address)
            await stream.send_all(head("00" * 32, 200_000) + bytes(size))
            return stream

        async def has(size: int) -> None:
            """Return when so many bytes of bodies have come."""
            async with httpx2.AsyncClient(timeout=PATIENCE) as client:
                while True:
                    if f"zond_bodies_bytes {size:.1f}\n" in (await client.get(numbers)).text:
                        return
                    await trio.sleep(0.01)

        url = await nursery.start(run)
        port, numbers = int(url.rstrip("/").rpartition(":")[2]), f"{url}metrics"
        held = await send("127.0.0.2", 40_000)
        await has(40_000)
        greedy = [await send("127.0.0.3", 70_000), await send("127.0.0.2", 30_000)]
        for stream in greedy:
            assert (await stream.receive_some(4096)).startswith(b"HTTP/1.1 503")
        name, packed = batches(1)[0]
        async with httpx2.AsyncClient(timeout=PATIENCE) as client:  # a third one
            answer = await client.put(f"{url}v1/batches/{name}", content=packed)
        assert 200 == answer.status_code
        for stream in (held, *greedy):
            await trio.aclose_forcefully(stream)
        nursery.cancel_scope.cancel()
