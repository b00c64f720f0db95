"""What one core of a collector takes, beside what its disk and its core bound it to.

The collector runs as a process of its own, held to one core; what asks runs on another one,
as 32, 256 and 1,000 clients, each with an address and a connection of its own. The bounds are
measured in this process: how often a second the disk takes a small append with fsync, and how
often a second one core opens a sealed batch (HPKE, SHA-256, Ed25519, zstd) and reads its
documents. *Taken* are sealed batches acknowledged. Last come 1,000 clients that send a body over
15 s, and an ordinary one beside them. What a client may have in all is lifted, since each sends
as a hundred would. On a machine that does other things, the rates by second of CPU are those to
compare.

    python -m bench.collector [--seconds 3] [--slow 1000] [--folder DIR] [--write]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from multiprocessing.connection import Connection
from pathlib import Path

import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from analysis.collector.documents import read
from analysis.collector.limits import Limits
from analysis.collector.server import serve
from bench.pages import put
from bench.watching import processor, size
from probe.evidence import DNSAnswer, DNSExchange, Measurement, Run, TCPConnect, TLSHandshake
from probe.formats import batch
from probe.scrubbing.scrub import Scrubber
from probe.upload.identity import month_of

FREE = Limits(
    batches_per_client=10**9, bytes_per_client=10**12, batches_per_key=10**9,
    bytes_per_key=10**12, arrivals_per_client=10**9,
)  # fmt: skip
DOC = Path(__file__).parents[1] / "docs" / "performance.md"
CLIENTS = (32, 256, 1000)
SIZES = (1, 50)
SLOW_SECONDS = 15.0
SLOW_BODY = 40_000  # bytes, an ordinary batch
FIRST_CLIENT = int(ip_address("127.1.0.1"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--slow", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="on the disk that is meant")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as temporary:
        text = measure(Path(temporary), asked.seconds, asked.slow)
    print(text)
    if asked.write:
        put(DOC, "collector", text)


def measure(folder: Path, seconds: float, slow_clients: int) -> str:
    load = os.getloadavg()[0]
    synced = fsyncs(folder, seconds)
    opened = {held: openings(held, seconds / 2) for held in SIZES}
    told, telling = multiprocessing.get_context("spawn").Pipe(duplex=False)
    child = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(folder / "data", telling), daemon=True
    )
    child.start()
    assert child.pid is not None
    try:
        url, key = told.recv()
        if len(os.sched_getaffinity(0)) > 1:
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        lines = [
            f"`python -m bench.collector --seconds {seconds:g} --write`: at rest"
            f" {size(child.pid).resident / 1e6:.0f} MB; load average {load:.1f}.", "",
            "| clients at once | a batch has | batches a second | by second of CPU |"
            " one core opens | the disk syncs | median | 99 % | memory |",
            "|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
        ]  # fmt: skip
        for clients in CLIENTS:
            for held in SIZES:
                t = trio.run(throughput, url, key, held, seconds, clients, child.pid)
                lines.append(
                    f"| {clients:,} | {held} | {t.rate:,.0f} | {t.by_cpu:,.0f}"
                    f" | {opened[held]:,.0f} | {synced:,.0f} | {t.late(0.5):.0f} ms"
                    f" | {t.late(0.99):,.0f} ms | {size(child.pid).resident / 1e6:.0f} MB |"
                )
        lines += ["", trio.run(slow, url, key, slow_clients, child.pid)]
        return "\n".join(lines)
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


@dataclass
class Taken:
    """*times*: seconds of each batch until it was acknowledged."""

    times: list[float]
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        return len(self.times) / self.seconds

    @property
    def by_cpu(self) -> float:
        return len(self.times) / self.cpu

    def late(self, share: float) -> float:
        """Milliseconds by which *share* of them were."""
        return sorted(self.times)[min(len(self.times) - 1, int(len(self.times) * share))] * 1000


async def connect(url: str, client: int) -> trio.SocketStream:
    host, port = url.split("/")[2].rsplit(":", 1)
    source = str(ip_address(FIRST_CLIENT + client))
    return await trio.open_tcp_stream(host, int(port), local_address=source)


async def upload(stream: trio.SocketStream, name: str, body: bytes) -> bytes:
    """The answer's head, once all of it has come."""
    head = f"PUT /v1/batches/{name} HTTP/1.1\r\nhost: c\r\ncontent-length: {len(body)}\r\n\r\n"
    await stream.send_all(head.encode() + body)
    heard = b""
    while not heard.endswith(b"}"):
        if not (part := await stream.receive_some(65536)):
            raise EOFError
        heard += part
    return heard.partition(b"\r\n\r\n")[0]


async def throughput(
    url: str, key: str, size: int, seconds: float, clients: int, pid: int
) -> Taken:
    """Batches of *size* measurements, made beforehand, as fast as they are acknowledged."""
    seal = batch.CollectorKey(key).seal
    ready: list[tuple[str, bytes]] = []
    until = time.perf_counter() + seconds  # as long again to make them
    while time.perf_counter() < until or len(ready) < clients:
        name, packed = made(size)
        ready.append((name, seal(packed)))
    times: list[float] = []

    async def sender(number: int) -> None:
        async with await connect(url, number) as stream:
            while ready:
                name, body = ready.pop()
                began = time.perf_counter()
                head = await upload(stream, name, body)
                assert head.startswith(b"HTTP/1.1 200"), head
                times.append(time.perf_counter() - began)

    began, spent = time.perf_counter(), processor(pid)
    async with trio.open_nursery() as nursery:
        for number in range(clients):
            nursery.start_soon(sender, number)
    return Taken(times, time.perf_counter() - began, processor(pid) - spent)


async def slow(url: str, key: str, count: int, pid: int) -> str:
    """*count* clients that take their time, and an ordinary one beside them."""
    statuses: list[bytes] = []
    times: list[float] = []
    most = [0.0]

    async def one(number: int) -> None:
        async with await connect(url, number) as stream:
            head = f"PUT /v1/batches/{os.urandom(32).hex()} HTTP/1.1\r\nhost: c\r\n"
            await stream.send_all(f"{head}content-length: {SLOW_BODY}\r\n\r\n".encode())
            for _ in range(10):
                await stream.send_all(bytes(SLOW_BODY // 10))
                await trio.sleep(SLOW_SECONDS / 10)
            statuses.append((await stream.receive_some())[9:12])

    async def ordinary() -> None:
        seal = batch.CollectorKey(key).seal
        async with await connect(url, count) as stream:
            while True:
                name, packed = made(1)
                began = time.perf_counter()
                head = await upload(stream, name, seal(packed))
                assert head.startswith(b"HTTP/1.1 200"), head
                times.append(time.perf_counter() - began)
                most[0] = max(most[0], size(pid).resident / 1e6)
                await trio.sleep(0.1)

    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as clients:
            for n in range(count):
                clients.start_soon(one, n)
                if n == count // 2:
                    nursery.start_soon(ordinary)
                await trio.sleep(0.001)
        nursery.cancel_scope.cancel()
    # What they send is no batch, and each is to be told so.
    told = ", ".join(f"{n:,} with {status.decode()}" for status, n in Counter(statuses).items())
    return (
        f"{count:,} clients that send {SLOW_BODY // 1000} kB over {SLOW_SECONDS:g} s take it to"
        f" {most[0]:.0f} MB; answered: {told}. Beside them an ordinary client had"
        f" {len(times)} batches acknowledged, in {statistics.median(times) * 1000:.0f} ms"
        f" (median; longest {max(times) * 1000:,.0f} ms)."
    )


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
