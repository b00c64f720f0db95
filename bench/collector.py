"""What one core of a collector takes, beside what its disk and its core bound it to.

The collector runs as a process of its own, held to one core; what asks runs on another one.
*bound* is measured in this process: how often a second the disk takes a small append with
fsync, and how often a second one core opens a sealed batch (HPKE, SHA-256, Ed25519, zstd) and
reads its documents. *taken* are sealed batches acknowledged a second, *slow* how much memory
1,000 clients cost that send a body over 15 s, and how fast an ordinary one is served
beside them. Limits by client are lifted, since all clients here have one address. On a machine
that does other things, the rates by second of CPU are those to compare.

    python bench/collector.py [--seconds 5] [--open 32] [--slow 1000] [--folder DIR]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import httpx2
import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from analysis.collector.documents import read
from analysis.collector.limits import Limits
from analysis.collector.server import serve
from probe.evidence import DNSAnswer, DNSExchange, Measurement, Run, TCPConnect, TLSHandshake
from probe.formats import batch
from probe.scrubbing.scrub import Scrubber
from probe.upload.identity import month_of

FREE = Limits(
    batches_per_client=10**9, bytes_per_client=10**12, batches_per_key=10**9,
    bytes_per_key=10**12, in_flight_per_client=10**6, connections_per_client=10**6,
)  # fmt: skip
SLOW_SECONDS = 15.0
SLOW_BODY = 40_000  # bytes, an ordinary batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--open", type=int, default=32, help="connections at once")
    parser.add_argument("--slow", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="on the disk that is meant")
    asked = parser.parse_args()
    print(f"load average at the start: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(dir=asked.folder) as temporary:
        folder = Path(temporary)
        print(f"bound  fsync of a 2 kB append  {fsyncs(folder, asked.seconds / 2):8.0f} /s")
        for size in (1, 50):
            opened = openings(size, asked.seconds / 4)
            print(f"bound  opening, {size:2} documents  {opened:8.0f} batches/s")
        told, telling = multiprocessing.get_context("spawn").Pipe(duplex=False)
        child = multiprocessing.get_context("spawn").Process(
            target=_serve, args=(folder / "data", telling), daemon=True
        )
        child.start()
        try:
            url, key = told.recv()
            if len(os.sched_getaffinity(0)) > 1:
                os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
            print(f"memory  idle  {memory(child.pid):6.1f} MB")
            for size in (1, 50):
                trio.run(throughput, url, key, size, asked.seconds, asked.open, child.pid)
            print(f"memory  busy  {memory(child.pid):6.1f} MB")
            trio.run(slow, url, key, asked.slow, child.pid)
        finally:
            child.terminate()
            child.join()


def fsyncs(folder: Path, seconds: float) -> float:
    """Appends of 2 kB a second, each on the disk before the next."""
    data = os.urandom(2048)

    def append() -> None:
        os.write(file, data)
        os.fsync(file)

    file = os.open(folder / "appended", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        return rate(append, seconds)
    finally:
        os.close(file)


def openings(documents: int, seconds: float) -> float:
    """Sealed batches that one core opens and reads in a second."""
    secret = batch.CollectorSecret()
    sealed = batch.CollectorKey(secret.public).seal(made(documents)[1])
    return rate(lambda: read(batch.unpack(secret.open(sealed)).documents), seconds)


def rate(do: Callable[[], object], seconds: float) -> float:
    began, count = time.perf_counter(), 0
    while (now := time.perf_counter()) < began + seconds:
        do()
        count += 1
    return count / (now - began)


def measured(number: int, run: Run) -> Measurement:
    """About what a plain measurement with two controls weighs, without bodies."""
    ip = f"203.0.113.{number % 250 + 1}"
    evidence = [
        made
        for vantage in ("probe", "one", "two")
        for made in (
            DNSExchange(vantage=vantage, hostname="site.example", rdtype="A", engine="udp",
                        t=number / 997, answers=(DNSAnswer(t=0.02, addresses=(ip,)),)),
            TCPConnect(vantage=vantage, ip=ip, port=443, t0=0.02, t=0.05 + number / 991),
            TLSHandshake(vantage=vantage, ip=ip, port=443, t0=0.05, t=0.1 + number / 983,
                         version="TLSv1.3", chain=(os.urandom(900),) if vantage == "probe" else (),
                         chain_sha256=(os.urandom(32).hex(),)),
        )
    ]  # fmt: skip
    return Measurement(
        id=os.urandom(16).hex(), run_id=run.id, nettest="web_connectivity",
        nettest_version="0.1.0", url="https://charter97.org/", started_at=run.started_at + number,
        runtime=1.0, evidence=tuple(evidence),
    )  # fmt: skip


def made(documents: int) -> tuple[str, bytes]:
    """A batch of so many measurements: its name, packed."""
    from probe.scrubbing.known import Known

    now = time.time()
    run = Run(id=os.urandom(16).hex(), started_at=now, ended="done", probe_asn=6697, probe_cc="BY")
    scrubber = Scrubber(Known())
    lines = [scrubber.run(run)]
    found = (scrubber.measurement(measured(n, run)) for n in range(documents))
    lines += [line for line in found if line is not None]
    assert len(lines) == documents + 1
    key = Ed25519PrivateKey.generate()
    header = batch.Header(
        software="zond bench", pseudonym=batch.pseudonym(key.public_key()), probe_cc="BY",
        probe_asn=6697, month=month_of(now), nonce=os.urandom(32).hex(), documents=len(lines),
    )  # fmt: skip
    text = batch.plain(header, lines)
    return batch.name(text), batch.pack(text, key)


async def throughput(
    url: str, key: str, size: int, seconds: float, open: int, pid: int | None
) -> None:
    """Batches of *size* measurements, made beforehand, as fast as they are acknowledged."""
    seal = batch.CollectorKey(key).seal
    ready: list[tuple[str, bytes]] = []
    until = time.perf_counter() + seconds  # as long again to make them
    while time.perf_counter() < until:
        name, packed = made(size)
        ready.append((name, seal(packed)))
    total, done = len(ready), 0

    async def sender() -> None:
        nonlocal done
        async with httpx2.AsyncClient(timeout=60) as client:
            while ready:
                name, body = ready.pop()
                answer = await client.put(f"{url}v1/batches/{name}", content=body)
                assert answer.json()["stored"] == "now", answer.text
                done += 1

    began, spent = time.perf_counter(), cpu(pid)
    async with trio.open_nursery() as nursery:
        for _ in range(open):
            nursery.start_soon(sender)
    took, spent = time.perf_counter() - began, cpu(pid) - spent
    print(f"taken  {size:2} documents  {done / took:8.0f} batches/s  {done * size / took:8.0f}"
          f" measurements/s; the collector had {spent / took:.0%} of its core: by second of CPU"
          f" {done / spent:.0f} batches, {done * size / spent:.0f} measurements"
          f" ({total} batches)")  # fmt: skip


async def slow(url: str, key: str, count: int, pid: int | None) -> None:
    """*count* clients that take their time, and an ordinary one beside them."""
    host, port = url.split("/")[2].rsplit(":", 1)
    statuses: list[bytes] = []
    times: list[float] = []
    most = [0.0]

    async def one() -> None:
        stream = await trio.open_tcp_stream(host, int(port))
        async with stream:
            head = f"PUT /v1/batches/{os.urandom(32).hex()} HTTP/1.1\r\nhost: {host}\r\n"
            await stream.send_all(f"{head}content-length: {SLOW_BODY}\r\n\r\n".encode())
            for _ in range(10):
                await stream.send_all(bytes(SLOW_BODY // 10))
                await trio.sleep(SLOW_SECONDS / 10)
            statuses.append((await stream.receive_some())[:12])

    async def ordinary() -> None:
        seal = batch.CollectorKey(key).seal
        async with httpx2.AsyncClient(timeout=60) as client:
            while True:
                name, packed = made(1)
                began = time.perf_counter()
                answer = await client.put(f"{url}v1/batches/{name}", content=seal(packed))
                assert answer.status_code == 200, answer.text
                times.append(time.perf_counter() - began)
                most[0] = max(most[0], memory(pid))
                await trio.sleep(0.1)

    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as clients:
            for n in range(count):
                clients.start_soon(one)
                if n == count // 2:
                    nursery.start_soon(ordinary)
                await trio.sleep(0.001)
        nursery.cancel_scope.cancel()
    answered = {status.decode(): statuses.count(status) for status in set(statuses)}
    print(f"slow  {count} clients  {most[0]:6.1f} MB at most  answered {answered}; beside them"
          f" {len(times)} batches, median {statistics.median(times) * 1000:.0f} ms,"
          f" longest {max(times) * 1000:.0f} ms")  # fmt: skip


def cpu(pid: int | None) -> float:
    """Seconds that the process has run (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int | None) -> float:
    """Resident, MB (proc(5))."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def _serve(data: Path, told: Connection) -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    trio.run(_served, data, told)


async def _served(data: Path, told: Connection) -> None:
    async with trio.open_nursery() as nursery:
        url = await nursery.start(partial(serve, "127.0.0.1:0", data, limits=FREE))
        secret = batch.CollectorSecret((data / "secret.key").read_bytes())
        told.send((url, secret.public))


if __name__ == "__main__":
    main()
