"""Volunteers who upload over a hostile path to a collector, all of them killed at random.

A `Trial` fills some stores, starts ``zond upload`` on each and ``zond collector serve``, and
kills them with SIGKILL after random numbers of requests until everything is delivered; then it
reads what the collector's disk has.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import trio

from analysis.collector.reading import Received, received
from analysis.collector.spool import Spool
from probe.evidence import (
    AnyEvidence,
    CanaryCheck,
    DNSAnswer,
    DNSExchange,
    Measurement,
    Run,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure
from probe.formats import batch
from probe.store import Store
from testlists import builtin
from tests.collector.hostile import HostilePath
from tests.collector.service import ZOND
from tests.ports import LOCAL, free_port

MONTHS = 18  # before now, of those that a collector takes
MONTH_SECONDS = 30.5 * 86400
IMPATIENCE = 4.0, 12.0  # seconds until somebody ends an upload, if requests do not before
FAILURES = (None, Failure.CONNECTION_RESET, Failure.TIMEOUT, Failure.EOF)

Upload = Callable[[Path, str, str], Awaitable[None]]
"""Delivers what the store has to the collector at an address, with a key: once, or in part."""


@dataclass
class Trial:
    """*batches* of each of *volunteers*; *kill_client* and *kill_collector* are after how many
    requests, at most. *measured* are all measurements by id, *checks* counts canary checks."""

    folder: Path
    seed: int
    now: float
    volunteers: int = 4
    batches: int = 50
    kill_client: int = 150
    kill_collector: int = 60
    killed: Counter[str] = field(default_factory=Counter)
    measured: dict[str, Measurement] = field(default_factory=dict)
    checks: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self.path = HostilePath(self._random.getrandbits(64))
        self.stores = [self.folder / f"volunteer-{n}" / "zond.db" for n in range(self.volunteers)]
        self.data = self.folder / "collector"
        for store in self.stores:
            store.parent.mkdir()
            self._fill(store)

    async def run(self, upload: Upload, seconds: float) -> bool:
        """Upload until all has been delivered; False when *seconds* were not enough for it."""
        key = await trio.to_thread.run_sync(self._key)
        port = free_port()
        self.path.target = (LOCAL, port)
        with trio.move_on_after(seconds) as patience:
            async with trio.open_nursery() as nursery:
                await nursery.start(self.path.serve)
                nursery.start_soon(self._collect, port)
                async with trio.open_nursery() as volunteers:
                    for store in self.stores:
                        volunteers.start_soon(self._volunteer, store, upload, key)
                nursery.cancel_scope.cancel()
        return not patience.cancelled_caught

    def held(self) -> dict[str, list[bytes]]:
        """The documents of each batch on the collector's disk."""
        with Spool(self.data / "spool") as spool:
            assert spool.damaged == 0
            found = [batch.unpack(record.payload) for record in spool.records()]
        assert len(found) == len({b.sha256 for b in found})
        return {b.sha256: list(b.documents) for b in found}

    def marks(self) -> set[str]:
        """What the collector holds against these documents."""
        notes = [item.note for item in received(self.data) if isinstance(item, Received)]
        return {mark.mark for note in notes for mark in note.marks}

    def made(self) -> set[str]:
        """The names of the batches that the volunteers made."""
        names: set[str] = set()
        for store in self.stores:
            names |= {str(name) for (name,) in _rows(store, "SELECT sha256 FROM outbox_batches")}
        return names

    async def _collect(self, port: int) -> None:
        """A collector, killed and started again."""
        where = ["--listen", f"{LOCAL}:{port}", "--data", str(self.data)]
        command = [str(ZOND), "collector", "serve", *where]
        while True:
            async with _until_killed(command, self.folder / "collector.log"):
                if self._random.random() < 0.2:  # while it starts, perhaps
                    await trio.sleep(self._random.uniform(0, 2))
                else:
                    await self.path.after(answers=self._random.randint(1, self.kill_collector))
                    await trio.sleep(self._random.uniform(0, 0.05))
            self.killed["collector"] += 1

    async def _volunteer(self, store: Path, upload: Upload, key: str) -> None:
        """One who uploads until nothing waits, killed and started again."""
        while not await trio.to_thread.run_sync(_is_done, store):
            with trio.CancelScope() as life:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._end_of, life)
                    await upload(store, self.path.url, key)
                    nursery.cancel_scope.cancel()
            self.killed["client"] += life.cancelled_caught

    async def _end_of(self, life: trio.CancelScope) -> None:
        with trio.move_on_after(self._random.uniform(*IMPATIENCE)):
            await self.path.after(self._random.randint(1, self.kill_client))
        await trio.sleep(self._random.uniform(0, 0.05))
        life.cancel()

    def _key(self) -> str:
        """The collector's public key, as its operator would tell it."""
        self.data.mkdir()
        secret = batch.CollectorSecret()
        (self.data / "secret.key").write_bytes(secret.raw)
        return secret.public

    def _fill(self, path: Path) -> None:
        targets = [t.url for t in builtin("by")[0]]
        with Store(path, write=True) as store:
            for number in range(self.batches):
                # Batches are of one network and one month.
                asn = 64500 + number // MONTHS
                began = self.now - (number % MONTHS) * MONTH_SECONDS
                run = Run(
                    id=self._id(), started_at=began, ended_at=began + 60, ended="done",
                    probe_asn=asn, probe_cc="BY", clock_offset=0.0, captive_portal=False,
                )  # fmt: skip
                store.begin_run(run, [])
                found = [
                    self._measurement(run, self._random.choice(targets))
                    for _ in range(self._random.randint(1, 4))
                ]
                store.append(found)
                self.measured |= {m.id: m for m in found}
                checks = [
                    CanaryCheck(run_id=run.id, ring="foreign", name="www.example.com", at=began + s)
                    for s in range(self._random.randint(0, 2))
                ]
                store.append_canaries(checks)
                self.checks += len(checks)

    def _measurement(self, run: Run, url: str) -> Measurement:
        chance = self._random
        ip = f"203.0.113.{chance.randrange(1, 250)}"
        evidence: tuple[AnyEvidence, ...] = (
            DNSExchange(
                hostname="site.example", rdtype="A", engine="udp",
                answers=(DNSAnswer(t=chance.random(), addresses=(ip,)),),
            ),
            TCPConnect(ip=ip, port=443, t0=0.1, t=chance.random()),
            TLSHandshake(
                ip=ip, port=443, received=chance.randrange(4000), failure=chance.choice(FAILURES),
                chain=(chance.randbytes(chance.randrange(1, 2000)),),
            ),
        )  # fmt: skip
        return Measurement(
            id=self._id(), run_id=run.id, nettest="web_connectivity", nettest_version="0.1.0",
            url=url, started_at=run.started_at + 1, runtime=chance.random(),
            evidence=evidence[: chance.randint(1, 3)],
        )  # fmt: skip

    def _id(self) -> str:
        return self._random.randbytes(16).hex()


def decoded(documents: list[bytes]) -> tuple[list[Measurement], list[CanaryCheck], list[Run]]:
    """What *documents* are, by kind."""
    measurements, checks, runs = [], [], []
    for document in documents:
        match msgspec.json.decode(document)["kind"]:
            case "measurement":
                measurements.append(msgspec.json.decode(document, type=Measurement))
            case "canary":
                checks.append(msgspec.json.decode(document, type=CanaryCheck))
            case "run":
                runs.append(msgspec.json.decode(document, type=Run))
            case other:
                raise AssertionError(f"a document of kind {other}")
    return measurements, checks, runs


async def zond_upload(store: Path, url: str, key: str) -> None:
    """``zond upload`` as a process; cancelled, it is killed."""
    settings = store.with_name("zond.toml")
    settings.write_text(f'[upload]\nkey = "{key}"\n')
    where = ["--db", str(store), "--config", str(settings), "--collector", url]
    with open(store.with_name("upload.log"), "ab") as log:  # noqa: ASYNC230 - no wait
        await trio.run_process(
            [ZOND, "upload", *where, "--again", "--yes"], check=False, deliver_cancel=_kill,
            env=_environment(store.parent), stdout=subprocess.DEVNULL, stderr=log,
        )  # fmt: skip


def _environment(home: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ZOND_", "XDG_"))}
    return kept | {"HOME": str(home)}


@asynccontextmanager
async def _until_killed(command: list[str], log: Path) -> AsyncIterator[None]:
    with open(log, "ab") as file:  # noqa: ASYNC230 - no wait
        async with trio.open_nursery() as nursery:
            run = partial(
                trio.run_process, command, check=False, deliver_cancel=_kill,
                stdout=subprocess.DEVNULL, stderr=file,
            )  # fmt: skip
            nursery.start_soon(run)
            yield
            nursery.cancel_scope.cancel()


async def _kill(process: trio.Process) -> None:
    process.send_signal(signal.SIGKILL)


def _is_done(store: Path) -> bool:
    """Whether everything in the store was delivered: it has a receipt, or does not leave."""
    ((unmade, waiting),) = _rows(
        store,
        "SELECT (SELECT count(*) FROM measurements WHERE id NOT IN (SELECT id FROM"
        " outbox_contents WHERE kind = 'measurement')), (SELECT count(*) FROM outbox_bytes)",
    )
    return unmade + waiting == 0  # type: ignore[no-any-return]


def _rows(store: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(store, timeout=30)) as db:
        return db.execute(sql).fetchall()
