"""A year of a small device in a cupboard: does it lose anything, and what does it cost its card?

Two halves. A year of hourly runs on a virtual clock, in this process: store, retention, scrubber
and outbox are the real ones, and what they store was measured in the lab before; the network,
the measuring and the collector are replaced. The device is off for days, without a line, with a
clock in the past or in the future; its collector is gone for weeks. Then real processes of a
short list in the lab, through ``zond run``: with clocks that are wrong, and with the power cut
(``kill -9``) at random moments.

``python -m bench.year --write`` puts the figures into docs/unattended.md.
"""

from __future__ import annotations

import argparse
import os
import random
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import time_machine

from bench.watching import size
from lab.clock import wrong_clock
from lab.stage import Setting, Stage
from lab.trial import HURRY
from lab.worlds.plan import build
from probe.budget import total
from probe.config import Budget
from probe.evidence import CanaryCheck, Measurement, Run
from probe.formats import batch
from probe.retention import Retention
from probe.scrubbing.known import Known
from probe.scrubbing.scrub import Choices, Scrubber
from probe.store import Planned, Store, Use
from probe.upload.identity import Identity
from probe.upload.outbox import Outbox
from testlists import Target

HOUR, DAY = 3600.0, 86400.0
BEGIN = 1_796_083_200.0  # 2026-12-01, UTC
PAGE = Path(__file__).resolve().parent.parent / "docs/unattended.md"
MARKS = "<!-- year: bench/year.py --write -->", "<!-- end of year -->"
WORLDS = ("plain_site", "tls_reset", "dns_substituted", "http_blockpage_listed", "https_only_site")


@dataclass
class Year:
    """What came of it. Sizes are in bytes."""

    hours: int = 0
    runs: int = 0
    off: int = 0
    offline: int = 0
    wrong_clock: int = 0
    refused: int = 0  # runs that did not begin for want of room
    measured: int = 0
    delivered: int = 0
    kept: int = 0
    lost: list[str] = field(default_factory=list)
    twice: int = 0
    gone: Counter[str] = field(default_factory=Counter)
    largest: int = 0
    largest_use: int = 0
    written: int = 0
    memory: int = 0
    processor: float = 0.0
    wrong: list[str] = field(default_factory=list)


class Device:
    """A database on a card, hour after hour. *records*: measurements to store copies of."""

    def __init__(
        self, folder: Path, records: Sequence[Measurement], *, bound: int, seed: int
    ) -> None:
        self.path = folder / "zond.db"
        self.identity = Identity(folder / "identity")
        self.records = records
        self.budget = Budget(database_bytes=bound, reserve_bytes=0)
        self.chance = random.Random(seed)
        self.year = Year()
        self.made: set[str] = set()
        self.arrived: Counter[str] = Counter()

    def live(self, hours: int) -> Year:
        began, processor = _written(), time.process_time()
        off_until = gone_until = 0.0
        for hour in range(hours):
            self.year.hours += 1
            now = BEGIN + hour * HOUR
            if self.chance.random() < 1 / (20 * 24):
                off_until = now + self.chance.uniform(1, 4) * DAY
            if self.chance.random() < 1 / (60 * 24):
                gone_until = now + self.chance.uniform(1, 21) * DAY
            if now < off_until:
                self.year.off += 1
                continue
            with time_machine.travel(now + self._jump(), tick=True):
                self._turn(offline=self.chance.random() < 0.03, collector=now >= gone_until)
        self.year.written = _written() - began
        self.year.processor = time.process_time() - processor
        self._hold_to_account()
        return self.year

    def _jump(self) -> float:
        """How wrong the clock is: at one boot in two hundred, by years, as without a battery."""
        if self.chance.random() >= 1 / 200:
            return 0.0
        self.year.wrong_clock += 1
        return self.chance.choice([-400 * DAY, -20 * 365 * DAY, 90 * DAY, 10 * 365 * DAY])

    def _turn(self, *, offline: bool, collector: bool) -> None:
        with Store(self.path, write=True):
            pass
        with Retention(self.path, self.budget, sharing=True) as retention:
            room = retention.make_room(len(self.records))
        self.year.gone.update(room.gone)
        if room.enough:
            self._run(offline=offline)
        else:
            self.year.refused += 1
        if not offline:
            self._upload(acknowledged=collector)
        self.year.largest = max(self.year.largest, self.path.stat().st_size)
        self.year.memory = max(self.year.memory, size().resident)

    def _run(self, *, offline: bool) -> None:
        self.year.runs += 1
        run = Run(
            id=os.urandom(16).hex(), started_at=time.time(), probe_asn=6697, probe_cc="BY",
            software_version="0.1.0", platform="Linux aarch64 Python 3.11.2", seed=1,
        )  # fmt: skip
        planned = [
            Planned(run_id=run.id, position=n, nettest=m.nettest, target=Target(url=m.url))
            for n, m in enumerate(self.records)
        ]
        with Store(self.path, write=True) as store:
            total(store.uses(), time.time())
            store.begin_run(run, planned)
            checks = self._canaries(run.id, failing=offline)
            store.append_canaries(checks)
            store.update_run(run)
            if offline:
                self.year.offline += 1
                store.update_run(msgspec.structs.replace(run, ended="no_network"))
                return
            copies = [self._copy(record, run.id) for record in self.records]
            store.append(copies)
            self.made |= {copy.id for copy in copies}
            store.append_canaries(self._canaries(run.id, failing=False))
            store.append_use(Use(at=time.time(), processor=1.0, line=100_000, written=500_000))
            store.update_run(msgspec.structs.replace(run, ended="done", ended_at=time.time()))
            self.year.largest_use = max(self.year.largest_use, store.bytes_in_use())

    def _canaries(self, run_id: str, *, failing: bool) -> list[CanaryCheck]:
        return [
            CanaryCheck(
                run_id=run_id, ring=ring, name=f"www.{n}.example", at=time.time(), runtime=0.05,
                failure="generic_timeout_error" if failing else None,  # type: ignore[arg-type]
            )
            for ring in ("domestic", "foreign") for n in range(2)
        ]  # fmt: skip

    def _copy(self, record: Measurement, run_id: str) -> Measurement:
        return msgspec.structs.replace(
            record, id=os.urandom(16).hex(), run_id=run_id, started_at=time.time(), about=""
        )

    def _upload(self, *, acknowledged: bool) -> None:
        """To a collector that unpacks what it gets, and says so, or is not there."""
        scrubber = Scrubber(Known(), Choices(personal=True))
        with Outbox(self.path, write=True) as outbox, Store(self.path) as store:
            outbox.make(store, scrubber, self.identity)
            for waiting in outbox.waiting():
                packed = outbox.packed(waiting.sha256)
                assert packed is not None
                outbox.attempt(waiting.sha256, "direct", len(packed))
                if not acknowledged:
                    outbox.failed(waiting.sha256, "direct", "no answer")
                    return
                found = batch.unpack(packed)
                for document in found.documents:
                    said = msgspec.json.decode(document)
                    if said["kind"] == "measurement":
                        self.arrived[said["id"]] += 1
                receipt = batch.receipt(found.header, waiting.sha256)
                assert outbox.deliver(waiting.sha256, receipt, "direct")

    def _hold_to_account(self) -> None:
        """Each measurement ever made is at the collector, or here."""
        year = self.year
        year.wrong += _sound(self.path)
        with Store(self.path) as store:
            here = {m.id for run in store.runs() for m in store.measurements(run.id)}
        year.measured, year.delivered, year.kept = len(self.made), len(self.arrived), len(here)
        year.lost = sorted(self.made - here - {*self.arrived})
        year.twice = sum(count > 1 for count in self.arrived.values())


@dataclass
class Processes:
    """What came of real runs. *announced*: ids that ``--json`` said were stored."""

    runs: int = 0
    cuts: int = 0
    wrong_clock: int = 0
    announced: set[str] = field(default_factory=set)
    stored: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    memory: int = 0
    written: list[int] = field(default_factory=list)
    size: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        return sum(wrong.startswith("lost") for wrong in self.wrong)


def run_often(stage: Stage, db: Path, count: int, *, seed: int) -> Processes:
    """*count* processes one after another; every third has its power cut, every tenth its clock
    wrong."""
    chance = random.Random(seed)
    found = Processes()
    for n in range(count):
        before: list[str] = []
        if n % 10 == 9:
            before = wrong_clock(chance.choice(["-400d", "+90d", "-20y", "+2y"]))
            found.wrong_clock += 1
        process = stage.start_run(
            db, "--json", "--no-follow-up", before=before,
            env={"ZOND_BUDGET__RESERVE_BYTES": "0"},
        )  # fmt: skip
        found.runs += 1
        assert process.stdout is not None
        if n % 3 == 2:
            found.cuts += 1
            time.sleep(chance.uniform(0.0, 3.0))
            process.kill()
        out, err = process.communicate(timeout=120)
        found.statuses[process.returncode] += 1
        if "Traceback" in err:
            found.wrong.append(f"a traceback: {err[-500:]}")
        for line in out.splitlines():
            if line.endswith("}"):
                found.announced.add(msgspec.json.decode(line)["id"])
    found.wrong += _sound(db)
    with Store(db, write=True) as store:
        stored = {m.id for run in store.runs() for m in store.measurements(run.id)}
        uses = store.uses()
    found.written = sorted(use.written for use in uses)
    found.stored, found.size = len(stored), db.stat().st_size
    found.wrong += [f"lost: {id}" for id in sorted(found.announced - stored)]
    return found


def templates(db: Path) -> list[Measurement]:
    """One measurement of each target of the short list, as the lab's runs have stored it."""
    with Store(db) as store:
        found = {m.url: m for m in store.measurements()}
    return list(found.values())


def table(year: Year, real: Processes, bound: int) -> str:
    per_day = year.written / max(1, year.hours / 24)
    rows = [
        ("**on a virtual clock**", ""),
        ("hours; off; without a line; with a wrong clock",
         f"{year.hours}; {year.off}; {year.offline}; {year.wrong_clock}"),
        ("runs; refused for want of room", f"{year.runs}; {year.refused}"),
        ("measurements made; delivered; still here",
         f"{year.measured}; {year.delivered}; {year.kept}"),
        ("**lost**; delivered twice", f"**{len(year.lost)}**; {year.twice}"),
        ("bound of the database; most in use; largest file",
         f"{_mb(bound)}; {_mb(year.largest_use)}; {_mb(year.largest)}"),
        ("what went to make room",
         ", ".join(f"{n} {what}" for what, n in year.gone.items()) or "nothing"),
        ("written to the disk a day, a run",
         f"{_mb(per_day)}, {_mb(year.written / max(1, year.runs))}"),
        ("peak memory of the whole simulation", _mb(year.memory)),
        ("processor for all of it", f"{year.processor / 60:.1f} min"),
        ("**real processes in the lab**", ""),
        ("runs; power cuts; with a wrong clock",
         f"{real.runs}; {real.cuts}; {real.wrong_clock}"),
        ("measurements announced; stored; **lost**",
         f"{len(real.announced)}; {real.stored}; **{real.lost}**"),
        ("written to the disk by a run, median",
         _mb(real.written[len(real.written) // 2]) if real.written else "none"),
        ("database at the end", _mb(real.size)),
        ("exit statuses", ", ".join(f"{s}: {n}" for s, n in sorted(real.statuses.items()))),
        ("broken promises", str(len(year.wrong) + len(real.wrong))),
    ]  # fmt: skip
    lines = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]
    return "\n".join(lines + year.wrong[:5] + real.wrong[:5])


def _sound(db: Path) -> list[str]:
    connection = sqlite3.connect(db)
    try:
        found = connection.execute("PRAGMA integrity_check").fetchall()
    finally:
        connection.close()
    return [] if found == [("ok",)] else [f"integrity_check: {found}"]


def _written() -> int:
    text = Path("/proc/self/io").read_text()
    return int(text.partition("\nwrite_bytes: ")[2].split()[0])


def _mb(count: float) -> str:
    return f"{count / 1e6:.2f} MB" if count < 10e6 else f"{count / 1e6:.0f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hours", type=int, default=365 * 24)
    parser.add_argument("--processes", type=int, default=200)
    parser.add_argument("--bound", type=int, default=100_000_000, help="Bytes of the database.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="On the disk to be written to.")
    parser.add_argument("--write", action="store_true", help=f"Into {PAGE.name}.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        worlds = [build(world, n) for n, world in enumerate(WORLDS)]
        with Stage(worlds, folder / "stage", Setting(config=HURRY)) as stage:
            real = run_often(stage, folder / "real.db", given.processes, seed=given.seed)
        print(f"real processes are done: {real.statuses}", flush=True)
        device = Device(
            folder, templates(folder / "real.db"), bound=given.bound, seed=given.seed
        )
        year = device.live(given.hours)
    found = table(year, real, given.bound)
    print(found)
    if given.write:
        before, _, rest = PAGE.read_text().partition(MARKS[0])
        _, _, after = rest.partition(MARKS[1])
        PAGE.write_text(f"{before}{MARKS[0]}\n{found}\n{MARKS[1]}{after}")
    raise SystemExit(1 if year.lost or year.wrong or real.wrong else 0)


if __name__ == "__main__":
    main()
