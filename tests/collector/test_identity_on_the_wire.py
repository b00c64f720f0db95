"""What a volunteer must not tell is neither on the wire nor on the collector's disk.

The user's identity is planted in every field of every record; then everything is real: store,
scrubber, outbox, upload, HTTP and collector. What passed is searched as it is, unsealed,
decompressed and decoded; so is every file that the collector has, and what it says.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
import trio

from analysis.collector.reading import Received, received
from probe.evidence import CanaryCheck, Measurement, Run
from probe.formats import batch
from probe.scrubbing import known
from probe.scrubbing.scrub import Choices, Scrubber
from probe.store import Store
from probe.upload.identity import Identity
from probe.upload.outbox import Outbox
from probe.upload.sending import collector_of, send
from probe.upload.ways_out import WayOut
from tests.collector.hostile import HostilePath
from tests.collector.service import ZOND, Running, asked, collector
from tests.probe.records import everything
from tests.probe.test_scrub_planted import BYTES, KNOWN, NEEDLES, TEXTS, URL, opened

STRAIGHT = {"straight": 1}
SOURCE = "127.66.177.88"  # where the volunteer is, as the collector sees it
ID = "00ff00ff"


def planted() -> Iterator[tuple[Run, Measurement, CanaryCheck]]:
    """Records with the user in every field, in one notation after the other."""
    now = time.time() - 600
    texts = [*TEXTS.values(), *(data.decode("latin-1") for data in BYTES.values())]
    bodies = [*(f"<p>{text}</p>".encode() for text in TEXTS.values()), *BYTES.values()]
    for n, (text, body) in enumerate(zip(texts, bodies, strict=True)):

        def fill(kind: type, place: str, text: str = text, body: bytes = body) -> Any:
            return text if kind is str else body

        run, measurement, canary = everything(fill, f"{ID}{n:08x}", URL)
        yield (
            msgspec.structs.replace(
                run, started_at=now, ended_at=now, ended="done", source="", report="",
                probe_cc="BY", resolver_cc="BY", probe_asn=6697, resolver_asn=6697,
                clock_offset=0.0,
            ),
            msgspec.structs.replace(measurement, id=f"{n:08x}", started_at=now + 1, about=""),
            msgspec.structs.replace(canary, at=now),
        )  # fmt: skip


def filled(path: Path, records: Iterator[tuple[Run, Measurement, CanaryCheck]]) -> int:
    """A store of *records* at *path*; of how many runs."""
    count = 0
    with Store(path, write=True) as store:
        for run, measurement, canary in records:
            store.begin_run(run, [])
            store.append([measurement])
            store.append_canaries([canary])
            count += 1
    return count


def told(data: bytes) -> Iterator[bytes]:
    """*data* and what a reader finds in it."""
    yield data
    for line in data.split(b"\n"):
        if line.startswith(b"{"):
            try:
                yield from opened(line)
            except ValueError:
                continue


def in_request(request: bytes, secret: batch.CollectorSecret) -> Iterator[bytes]:
    """All layers of a request: the head, the body, its text."""
    head, _, body = request.partition(b"\r\n\r\n")
    yield from (head, body)
    packed = secret.open(body) if batch.is_sealed(body) else body
    yield packed.partition(b"\n")[0]
    found = batch.unpack(packed)
    yield msgspec.json.encode(found.header)
    for document in found.documents:
        yield from told(document)


def on_disk(data: Path) -> Iterator[bytes]:
    """All files, and the text of the batches in them."""
    files = [path for path in data.rglob("*") if path.is_file()]
    assert files
    for path in files:
        yield path.name.encode() + b"\n" + path.read_bytes()
    for item in received(data):
        assert isinstance(item, Received), item
        yield msgspec.json.encode(item.note)
        for document in item.batch.documents:
            yield from told(document)


def assert_none_of(needles: list[bytes], layers: Iterator[bytes]) -> None:
    # The bytes of an address have no case, and what is sealed would hold them by chance more often.
    exact = [needle for needle in needles if len(needle) == 4]
    lowered = [needle.lower() for needle in needles if len(needle) != 4]
    for layer in layers:
        for needle in exact:
            assert needle not in layer, (needle, layer[:300])
        lower = layer.lower()
        for needle in lowered:
            assert needle not in lower, (needle, layer[:300])


def places(address: str) -> list[bytes]:
    """How a file or a log might hold an address."""
    packed = ipaddress.IPv4Address(address).packed
    return [
        address.encode(), packed, packed[::-1], packed.hex().encode(), f"::ffff:{address}".encode(),
        str(int.from_bytes(packed, "big")).encode(), base64.b64encode(packed).rstrip(b"="),
        ".".join(address.split(".")[:3]).encode() + b".0",
    ]  # fmt: skip


async def passing(path: HostilePath, running: Running, upload: Any) -> None:
    url = httpx2.URL(running.url)
    assert url.port is not None
    path.target = (url.host, url.port)
    async with trio.open_nursery() as nursery:
        await nursery.start(path.serve)
        await upload(path.url)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
async def test_nobody_is_on_the_wire_nor_on_the_disk(tmp_path: Path, sealed: bool) -> None:
    database, data = tmp_path / "zond.db", tmp_path / "collector"
    runs = filled(database, planted())
    path = HostilePath(1, faults=STRAIGHT, record=True, source=SOURCE)

    async def upload(url: str) -> None:
        with Store(database) as store, Outbox(database, write=True) as outbox:
            outbox.make(
                store, Scrubber(KNOWN, Choices(bodies="all")), Identity(tmp_path / "identity")
            )
            to = collector_of(url, key if sealed else None)
            sent = await send(outbox, outbox.waiting(), to, [WayOut(name="direct")])
        assert sent.remaining == 0, sent

    with collector(data) as running:
        key = asked("GET", f"{running.url}v1/key").text
        await passing(path, running, upload)
        said = [asked("GET", f"{running.url}{page}").content for page in ("metrics", "health")]
        running.process.terminate()
        assert running.process.stderr is not None
        said.append(running.process.stderr.read().encode())

    secret = batch.CollectorSecret((data / "secret.key").read_bytes())
    assert all(batch.is_sealed(r.partition(b"\r\n\r\n")[2]) == sealed for r in path.sent)
    arrived = [d for item in received(data) if isinstance(item, Received)
               for d in item.batch.documents]  # fmt: skip
    assert len(arrived) == 3 * runs
    for request in path.sent:
        assert_none_of(NEEDLES, in_request(request, secret))
    assert_none_of(NEEDLES, on_disk(data))
    assert_none_of([*NEEDLES, *places(SOURCE)], iter([*said, *path.received]))
    assert_none_of(places(SOURCE), on_disk(data))


async def test_what_the_program_finds_out_of_this_machine_stays_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``zond upload`` itself, told nothing of whom it must not name."""
    home = tmp_path / "annushka-kavaliova"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TZ", "Europe/Minsk")
    monkeypatch.setenv("LC_ALL", "be_BY.UTF-8")
    mine = known.collect()
    facts = [*mine.addresses, *mine.macs, *mine.names, mine.zone]
    facts = [fact for fact in facts if len(fact) > 5 and fact not in ("localhost",)]
    assert str(home) in facts
    assert len(facts) > 2
    text = " ".join(f"({fact})" for fact in facts)

    def fill(kind: type, place: str) -> Any:
        return text if kind is str else text.encode()

    def records() -> Iterator[tuple[Run, Measurement, CanaryCheck]]:
        for run, measurement, canary in planted():
            _, other, check = everything(fill, run.id, URL)
            yield (
                run,
                msgspec.structs.replace(
                    other, id=measurement.id, started_at=measurement.started_at, about=""
                ),
                msgspec.structs.replace(check, at=canary.at),
            )
            return

    database, data = tmp_path / "zond.db", tmp_path / "collector"
    filled(database, records())
    path = HostilePath(1, faults=STRAIGHT, record=True)

    async def upload(url: str) -> None:
        command = [str(ZOND), "upload", "--db", str(database), "--collector", url, "--yes"]
        env = {k: v for k, v in os.environ.items() if not k.startswith(("ZOND_", "XDG_"))}
        done = await trio.run_process(command, check=False, env=env, capture_stderr=True)
        assert done.returncode == 0, done.stderr

    with collector(data) as running:
        await passing(path, running, upload)
    secret = batch.CollectorSecret((data / "secret.key").read_bytes())
    assert path.sent
    for request in path.sent:
        assert_none_of([fact.encode() for fact in facts], in_request(request, secret))


def test_what_is_planted_would_be_found() -> None:
    lines = [msgspec.json.encode(measurement) for _, measurement, _ in planted()]
    for line in lines:
        with pytest.raises(AssertionError):
            assert_none_of(NEEDLES, told(line))


async def test_the_head_of_an_upload_is_everybodys(tmp_path: Path) -> None:
    """No header that a browser, a system, a language or a person would put there."""
    database, data = tmp_path / "zond.db", tmp_path / "collector"
    filled(database, planted())
    path = HostilePath(1, faults=STRAIGHT, record=True)

    async def upload(url: str) -> None:
        with Store(database) as store, Outbox(database, write=True) as outbox:
            outbox.make(store, Scrubber(KNOWN), Identity(tmp_path / "identity"))
            await send(outbox, outbox.waiting(), collector_of(url, None), [WayOut(name="direct")])

    with collector(data) as running:
        await passing(path, running, upload)
    for request in path.sent:
        lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
        names = {line.partition(":")[0].lower() for line in lines}
        assert names <= {
            "host", "accept", "accept-encoding", "connection", "user-agent", "content-type",
            "content-length",
        }  # fmt: skip
