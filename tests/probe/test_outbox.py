"""The outbox: each measurement in one batch, whose bytes stay until the right receipt."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from probe.evidence import Measurement
from probe.formats import batch
from probe.schema import Database
from probe.store import Store, StoreError
from probe.upload.identity import Identity
from probe.upload.outbox import REFUSALS, Outbox
from tests.probe.uploading import PlainScrubber, a_run, fill, some

ROOT = Path(__file__).parents[2]


def make(path: Path, scrubber: PlainScrubber | None = None, choices: str = "") -> int:
    identity = Identity(path.with_name("identity"))
    with Store(path) as store, Outbox(path, write=True) as outbox:
        return outbox.make(store, scrubber or PlainScrubber(), identity, choices=choices)


def batches(path: Path) -> list[batch.Batch]:
    with Outbox(path) as outbox:
        packed = [outbox.packed(waiting.sha256) for waiting in outbox.waiting()]
    return [batch.unpack(p) for p in packed if p is not None]


def documents(found: batch.Batch, kind: str) -> list[dict[str, object]]:
    every = [msgspec.json.decode(d) for d in found.documents]
    return [d for d in every if d["kind"] == kind]


def ids(path: Path) -> list[object]:
    return [d["id"] for b in batches(path) for d in documents(b, "measurement")]


def right_receipt(found: batch.Batch) -> str:
    return batch.receipt(found.header, found.sha256)


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "zond.db"


def test_a_run_becomes_a_batch_with_its_canaries_and_measurements(db: Path) -> None:
    fill(db, a_run())
    assert make(db) == 1
    (found,) = batches(db)
    assert [d["id"] for d in documents(found, "run")] == ["r1"]
    assert len(documents(found, "canary")) == 2
    assert ids(db) == [f"r1-{n}" for n in range(5)]
    assert (found.header.probe_cc, found.header.probe_asn) == ("BY", 6697)
    assert make(db) == 0


def test_what_comes_later_is_in_another_batch_and_nothing_is_in_two(db: Path) -> None:
    fill(db, a_run())
    make(db)
    frozen = batches(db)
    with Store(db, write=True) as store:
        store.append(some("r1", 5, 6))
    assert make(db) == 1
    assert batches(db)[0] == frozen[0]
    assert ids(db) == [f"r1-{n}" for n in range(7)]
    assert documents(batches(db)[1], "run") == documents(frozen[0], "run")
    assert documents(batches(db)[1], "canary") == []


def test_networks_and_months_are_never_in_one_batch_nor_under_one_pseudonym(db: Path) -> None:
    fill(
        db, a_run("home"), a_run("work", probe_asn=6698), a_run("home again"),
        a_run("spring", started_at=1_700_000_000.0),
    )  # fmt: skip
    assert make(db) == 3
    found = batches(db)
    assert len({b.header.pseudonym for b in found}) == 3
    told = {tuple(d["id"] for d in documents(b, "run")) for b in found}
    assert told == {("home", "home again"), ("work",), ("spring",)}


@pytest.mark.parametrize("off", [365 * 86400.0, -365 * 86400.0])
def test_a_run_whose_clock_was_corrected_is_of_the_month_in_which_it_was_made(
    db: Path, off: float
) -> None:
    """As a session leaves it: its times are corrected, and beside them it says by how much."""
    fill(db, a_run(started_at=1_700_000_000.0, clock_offset=off))
    make(db)
    assert batches(db)[0].header.month == "2023-11"


def test_much_is_cut_into_batches_that_each_tell_of_the_run(db: Path) -> None:
    fill(db, a_run(), count=30, size=400_000)
    assert make(db) > 2
    found = batches(db)
    assert all(len(documents(b, "run")) == 1 for b in found)
    assert sorted(map(str, ids(db))) == sorted(f"r1-{n}" for n in range(30))


def test_what_was_imported_never_leaves(db: Path) -> None:
    fill(db, a_run("ooni", source="ooniprobe 3"), a_run("ours"))
    make(db)
    assert all(str(id).startswith("ours") for id in ids(db))


def test_what_stays_by_the_users_choice_leaves_when_he_chooses_otherwise(db: Path) -> None:
    fill(db, a_run())
    looked_at: list[str] = []

    def stays(m: Measurement) -> bool:
        looked_at.append(m.id)
        return m.id == "r1-2"

    make(db, PlainScrubber(stays), choices="a")
    make(db, PlainScrubber(stays), choices="a")
    assert looked_at == [f"r1-{n}" for n in range(5)]
    assert "r1-2" not in ids(db)
    make(db, choices="b")
    assert ids(db).count("r1-2") == 1 and len(ids(db)) == 5


def test_what_cannot_be_scrubbed_keeps_back_itself_alone_and_is_told(db: Path) -> None:
    fill(db, a_run())

    def bug(m: Measurement) -> bool:
        return 1 // (m.id != "r1-2") == 0

    with Store(db) as store, Outbox(db, write=True) as outbox:
        outbox.make(store, PlainScrubber(bug), Identity(db.with_name("identity")))
        (told,) = outbox.unscrubbed
        assert "r1-2" in told and "ZeroDivisionError" in told
    assert ids(db) == ["r1-0", "r1-1", "r1-3", "r1-4"]
    make(db)
    assert "r1-2" in ids(db)


def test_canaries_of_a_run_that_measured_nothing_leave(db: Path) -> None:
    fill(db, a_run(ended="no_network"), count=0, canaries=4)
    make(db)
    assert len(documents(batches(db)[0], "canary")) == 4


def test_a_look_at_what_would_leave_changes_nothing(db: Path) -> None:
    fill(db, a_run())
    before = db.read_bytes()
    with Store(db) as store, Outbox(db) as outbox:
        (draft,) = outbox.drafts(store, PlainScrubber())
    assert db.read_bytes() == before
    make(db)
    assert batches(db)[0].documents == tuple(draft.documents)


def test_only_the_right_receipt_takes_the_bytes_away(db: Path) -> None:
    fill(db, a_run())
    make(db)
    (found,) = batches(db)
    with Outbox(db, write=True) as outbox:
        assert not outbox.deliver(found.sha256, "00" * 32, "direct")
        assert not outbox.deliver(found.sha256, "\u0437\u043e\u043d\u0434", "direct")
        assert not outbox.deliver("11" * 32, right_receipt(found), "direct")
        assert outbox.packed(found.sha256) is not None
        assert outbox.deliver(found.sha256, right_receipt(found), "direct")
        assert outbox.packed(found.sha256) is None and outbox.waiting() == []
        assert outbox.deliver(found.sha256, right_receipt(found), "file")
        assert [what for what, _, _ in outbox.events(found.sha256)] == ["delivered"]
    assert make(db) == 0


def test_refused_too_often_it_waits_until_it_is_asked_for_again(db: Path) -> None:
    fill(db, a_run())
    make(db)
    with Outbox(db, write=True) as outbox:
        (waiting,) = outbox.waiting()
        said = [outbox.refused(waiting.sha256, "direct", "no") for _ in range(REFUSALS)]
        assert said == [False] * (REFUSALS - 1) + [True]
        assert outbox.waiting()[0].given_up and outbox.packed(waiting.sha256) is not None
        assert outbox.ask_again() == 1
        assert not outbox.waiting()[0].given_up and outbox.waiting()[0].refusals == 0


def test_bytes_that_did_not_leave_are_not_counted(db: Path) -> None:
    fill(db, a_run())
    make(db)
    with Outbox(db, write=True) as outbox:
        sha256 = outbox.waiting()[0].sha256
        outbox.attempt(sha256, "direct", 5000)
        outbox.failed(sha256, "direct", "refused", 4000)
        outbox.attempt(sha256, "direct", 5000)
        assert outbox.spent(since=0) == 6000


def test_a_database_of_before_has_an_outbox_when_it_is_opened(tmp_path: Path) -> None:
    db = tmp_path / "zond.db"
    fill(db, a_run())
    old = Database(str(db))
    for table in ("outbox_events", "outbox_staying", "outbox_contents", "outbox_bytes"):
        old.execute(f"DROP TABLE {table}")
    old.execute("DROP TABLE outbox_batches")
    old.execute("DELETE FROM _sqlite_migrations WHERE name = 'm004_outbox'")
    old.conn.commit()
    old.close()
    with Store(db) as store, Outbox(db) as outbox:
        assert outbox.waiting() == [] and outbox.counts().measurements == 5
        assert len(list(outbox.drafts(store, PlainScrubber()))) == 1
    assert make(db) == 1


def test_a_disk_without_room_loses_and_doubles_nothing(db: Path) -> None:
    fill(db, a_run(), count=40, size=300_000)
    with Store(db) as store, Outbox(db, write=True) as outbox:
        pages = outbox._db.execute("PRAGMA page_count").fetchone()[0]
        outbox._db.execute(f"PRAGMA max_page_count={pages + 6}")
        with pytest.raises(StoreError, match="full"):
            outbox.make(store, RandomScrubber(), Identity(db.with_name("identity")))
    with Outbox(db) as outbox:
        assert outbox.waiting() == [] and outbox.counts().measurements == 40
    make(db)
    assert len(ids(db)) == len(set(ids(db))) == 40


class RandomScrubber(PlainScrubber):
    """What cannot be compressed."""

    def measurement(self, measurement: Measurement, /) -> bytes | None:
        noise = random.Random(measurement.id).randbytes(50_000).hex()
        return b'{"kind":"measurement","id":"%s","n":"%s"}' % (
            measurement.id.encode(), noise.encode(),
        )  # fmt: skip


def test_killed_at_any_moment_each_measurement_is_in_one_batch(db: Path) -> None:
    fill(db, a_run(), count=60, size=300_000)
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from tests.probe.test_outbox import make
print("begun", flush=True)
make(Path({str(db)!r}))
"""
    chance = random.Random(7)
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            try:
                process.wait(chance.uniform(0.0, 0.5))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
        found = ids(db)
        assert len(found) == len(set(found))
    make(db)
    assert sorted(map(str, ids(db))) == sorted(f"r1-{n}" for n in range(60))


class OutboxMachine(RuleBasedStateMachine):
    """Measure, make, deliver, refuse, ask again, open anew, in any order."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.db = Path(self.folder.name) / "zond.db"
        self.measured: set[str] = set()
        self.delivered: set[str] = set()
        self.runs = 0
        fill(self.db, a_run("r0"), count=1, canaries=0)
        self.measured.add("r0-0")
        self.open()

    def open(self) -> None:
        self.store = Store(self.db, write=True)
        self.outbox = Outbox(self.db, write=True)

    def teardown(self) -> None:
        self.store.close()
        self.outbox.close()
        self.folder.cleanup()

    @rule(asn=st.sampled_from([1, 2]), count=st.integers(0, 3))
    def measure(self, asn: int, count: int) -> None:
        self.runs += 1
        run = a_run(f"r{self.runs}", probe_asn=asn)
        self.store.begin_run(run, [])
        found = some(run.id, *range(count))
        self.store.append(found)
        self.measured |= {m.id for m in found}

    @rule()
    def make(self) -> None:
        self.outbox.make(self.store, PlainScrubber(), Identity(self.db.with_name("identity")))

    @rule(right=st.booleans())
    def deliver(self, right: bool) -> None:
        for waiting in self.outbox.waiting()[:1]:
            packed = self.outbox.packed(waiting.sha256)
            assert packed is not None
            found = batch.unpack(packed)
            receipt = right_receipt(found) if right else "ab" * 32
            assert self.outbox.deliver(waiting.sha256, receipt, "direct") is right
            if right:
                inside = {str(d["id"]) for d in documents(found, "measurement")}
                assert not inside & self.delivered
                self.delivered |= inside

    @rule()
    def refuse(self) -> None:
        for waiting in self.outbox.waiting()[:1]:
            self.outbox.refused(waiting.sha256, "direct", "no")

    @rule()
    def ask_again(self) -> None:
        self.outbox.ask_again()
        assert not any(w.given_up for w in self.outbox.waiting())

    @rule()
    def open_anew(self) -> None:
        self.store.close()
        self.outbox.close()
        self.open()

    @invariant()
    def every_measurement_is_in_one_place(self) -> None:
        waiting = [
            str(d["id"])
            for w in self.outbox.waiting()
            for d in documents(batch.unpack(self.outbox.packed(w.sha256) or b""), "measurement")
        ]
        unmade = self.outbox.counts().measurements
        assert len(waiting) == len(set(waiting))
        assert not set(waiting) & self.delivered
        assert len(waiting) + len(self.delivered) + unmade == len(self.measured)


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
