"""What goes to make room, in which order, and above all what stays. The outbox is the real one."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import msgspec
import pytest

from probe import retention
from probe.config import Budget
from probe.evidence import (
    CanaryCheck,
    HTTPExchange,
    Measurement,
    PacketCapture,
    PacketFacts,
    Run,
    TCPConnect,
    TLSHandshake,
)
from probe.formats import batch
from probe.formats.batch import Header
from probe.retention import Retention, Room
from probe.scrubbing.known import Known
from probe.scrubbing.scrub import Choices, Scrubber
from probe.store import Planned, Store, Use
from probe.upload.identity import Identity
from probe.upload.outbox import Outbox
from testlists import Target

BEGIN = 1_790_000_000.0
BODY = 40_000  # bytes, of noise
NEXT_TO_NOTHING = 50_000  # bytes: a bound for which all goes that may
EACH = 4  # measurements of a run, one of them a follow-up


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "zond.db"


def measurement(run_id: str, n: int, *, about: str = "") -> Measurement:
    body, packet = os.urandom(BODY), os.urandom(200)
    return Measurement(
        id=f"{run_id}-{n}{'+' if about else ''}", run_id=run_id, nettest="web_connectivity",
        nettest_version="1", url=f"https://site{n}.example/", about=about, started_at=BEGIN,
        evidence=(
            TCPConnect(ip="9.9.9.9", port=443),
            TLSHandshake(ip="9.9.9.9", port=443, chain=(b"the same certificate" * 50,)),
            HTTPExchange(ip="9.9.9.9", port=443, status=200, body=body, body_length=BODY),
            PacketCapture(ip="9.9.9.9", packets=(PacketFacts(),), raw=(packet,)),
        ),
    )  # fmt: skip


def add_run(store: Store, n: int) -> str:
    run = Run(id=f"run{n:03}", started_at=BEGIN + 3600 * n, probe_asn=6697, probe_cc="BY")
    urls = [f"https://site{n}.example/" for n in range(EACH - 1)]
    store.begin_run(
        run,
        [
            Planned(run_id=run.id, position=i, nettest="web_connectivity", target=Target(url=url))
            for i, url in enumerate(urls)
        ],
    )
    store.append([measurement(run.id, n) for n in range(EACH - 1)])
    store.append([measurement(run.id, 0, about=f"{run.id}-0")])
    store.append_canaries([CanaryCheck(run_id=run.id, ring="home", name="", at=run.started_at)])
    store.update_run(msgspec.structs.replace(run, ended="done"))
    return run.id


def fill(path: Path, runs: int) -> list[str]:
    with Store(path, write=True) as store:
        return [add_run(store, n) for n in range(runs)]


def deliver(path: Path, *, runs: set[str] | None = None, receipts: bool = True) -> None:
    """Make batches of what is there, and let the collector acknowledge them."""
    scrubber = Scrubber(Known(), Choices(personal=True))
    identity = Identity(path.with_name("identity"))
    with Outbox(path, write=True) as outbox, Store(path) as store:
        outbox.make(store, scrubber, identity, ready=lambda run: runs is None or run.id in runs)
        for waiting in outbox.waiting() if receipts else ():
            packed = outbox.packed(waiting.sha256)
            assert packed is not None
            header: Header = batch.unpack(packed).header
            assert outbox.deliver(waiting.sha256, batch.receipt(header, waiting.sha256), "direct")


def make_room(
    path: Path, bound: int | None = 3_000_000, *, sharing: bool = True, wanted: int = 0,
    forget_unshared: bool = False, free: int = 10**12,
) -> Room:  # fmt: skip
    bounds = Budget(database_bytes=bound, forget_unshared=forget_unshared)
    with Retention(path, bounds, sharing=sharing, free=lambda _: free) as keeper:
        room = keeper.make_room(wanted)
    whole(path)
    return room


def whole(path: Path) -> None:
    """The database is sound, and every record of it can be read."""
    connection = sqlite3.connect(path)
    assert [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()
    assert [] == connection.execute("PRAGMA foreign_key_check").fetchall()
    connection.close()
    with Store(path) as store:
        for run in store.runs():
            plain = list(store.measurements(run.id))
            assert len(plain) == len({m.url for m in plain})
            for m in plain:
                store.follow_ups(m.id)


def kept(path: Path) -> dict[str, int]:
    with Store(path) as store:
        return {run.id: store.sizes().get(run.id, (0, 0))[0] for run in store.runs()}


def bodies(path: Path) -> int:
    with Store(path) as store:
        return sum(
            isinstance(e, HTTPExchange) and e.body is not None
            for m in store.measurements() for e in m.evidence
        )  # fmt: skip


def test_where_there_is_room_nothing_goes(path: Path) -> None:
    fill(path, 4)
    deliver(path)
    assert {} == make_room(path, 10**9).gone
    assert {} == make_room(path, None).gone
    assert 4 * EACH == sum(kept(path).values())


def test_bodies_go_first_the_oldest_of_them_and_records_stay(path: Path) -> None:
    fill(path, 16)
    deliver(path)
    room = make_room(path, 4_000_000, wanted=1)
    assert {"bodies"} == {*room.gone}
    assert room.enough
    assert 16 * EACH == sum(kept(path).values())
    with Store(path) as store:
        oldest, newest = (next(iter(store.measurements(id))) for id in ("run000", "run015"))
    old, new = (
        next(e for e in m.evidence if isinstance(e, HTTPExchange)) for m in (oldest, newest)
    )
    assert old.body is None and new.body is not None
    assert BODY == old.body_length  # it was there, and is not
    chain = [e.chain for e in oldest.evidence if isinstance(e, TLSHandshake)]
    assert [(b"the same certificate" * 50,)] == chain  # others name it as well


def test_then_packets_then_the_oldest_runs_and_the_last_run_stays_whole(path: Path) -> None:
    fill(path, 16)
    deliver(path)
    room = make_room(path, NEXT_TO_NOTHING, wanted=1000)
    assert ["bodies", "packets", "measurements"] == list(room.gone)
    assert {"run015": EACH} == kept(path)
    with Store(path) as store:
        (last,) = store.runs()
        for m in store.measurements(last.id):
            (capture,) = [e for e in m.evidence if isinstance(e, PacketCapture)]
            assert (1, 0) == (len(capture.raw), capture.dropped)
    assert EACH - 1 == bodies(path)
    connection = sqlite3.connect(path)
    gone = connection.execute("SELECT what, sum(count) FROM forgotten GROUP BY what").fetchall()
    connection.close()
    assert room.gone == dict(gone)


def test_a_capture_that_went_says_that_there_was_one(path: Path) -> None:
    fill(path, 3)
    deliver(path)
    with Retention(path, Budget(), sharing=True) as keeper:
        assert EACH == keeper._drop("packets", ["run000"])
    with Store(path) as store:
        first = next(iter(store.measurements("run000")))
    (capture,) = [e for e in first.evidence if isinstance(e, PacketCapture)]
    assert ((), (), 1, "captured") == (
        capture.packets, capture.raw, capture.dropped, capture.status,
    )  # fmt: skip


@pytest.mark.parametrize("forget_unshared", [False, True])
def test_what_is_to_be_shared_and_was_not_yet_stays_whatever_the_room(
    path: Path, forget_unshared: bool
) -> None:
    runs = fill(path, 12)
    deliver(path, runs=set(runs[:4]))
    deliver(path, runs=set(runs[4:8]), receipts=False)  # waits for its receipt
    room = make_room(path, NEXT_TO_NOTHING, wanted=1000, forget_unshared=forget_unshared)
    assert not room.enough
    assert dict.fromkeys(runs[4:], EACH) == kept(path)
    assert len(runs[4:]) * (EACH - 1) == bodies(path)
    deliver(path)
    assert make_room(path, 3_000_000, wanted=1).enough


def test_without_sharing_nothing_goes_unless_the_user_says_so(path: Path) -> None:
    runs = fill(path, 12)
    before = bodies(path)
    room = make_room(path, NEXT_TO_NOTHING, sharing=False)
    assert (False, {}, before) == (room.enough, room.gone, bodies(path))
    room = make_room(path, NEXT_TO_NOTHING, sharing=False, forget_unshared=True, wanted=1000)
    assert {runs[-1]: EACH} == kept(path)


def test_a_personal_target_stays_and_what_was_delivered_beside_it_goes(path: Path) -> None:
    runs = fill(path, 4)
    deliver(path)
    connection = sqlite3.connect(path)
    for run in runs:  # as if the scrubber had kept this one back
        connection.execute("DELETE FROM outbox_contents WHERE id = ?", (f"{run}-1",))
        connection.execute("INSERT INTO outbox_staying VALUES (?, 'c')", (f"{run}-1",))
    connection.commit()
    connection.close()
    make_room(path, NEXT_TO_NOTHING, wanted=1000)
    assert {**dict.fromkeys(runs[:-1], 1), runs[-1]: EACH} == kept(path)
    with Store(path) as store:
        assert ["https://site1.example/"] == [p.url for p in store.planned(runs[0])]
        assert [] == store.remaining(runs[0])  # what went is not measured again by --resume
    make_room(path, NEXT_TO_NOTHING, wanted=1000, forget_unshared=True)
    assert {runs[-1]: EACH} == kept(path)


def test_a_follow_up_that_waits_keeps_what_it_is_about(path: Path) -> None:
    runs = fill(path, 3)
    deliver(path)
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM outbox_contents WHERE id = ?", (f"{runs[0]}-0+",))
    connection.commit()
    connection.close()
    make_room(path, NEXT_TO_NOTHING, wanted=1000)
    with Store(path) as store:
        (left,) = store.measurements(runs[0])
        assert [f"{left.id}+"] == [m.id for m in store.follow_ups(left.id)]


def test_plans_of_runs_that_saw_nothing_go_before_anything_else(path: Path) -> None:
    with Store(path, write=True) as store:
        for n in range(10):
            run = Run(id=f"offline{n}", started_at=BEGIN + n)
            targets = [Target(url=f"https://{n}-{i}.example/" + "x" * 400) for i in range(200)]
            store.begin_run(
                run,
                [
                    Planned(run_id=run.id, position=i, nettest="web_connectivity", target=target)
                    for i, target in enumerate(targets)
                ],
            )
            store.update_run(msgspec.structs.replace(run, ended="no_network"))
        bound = store.bytes_in_use() + 1_500_000
    room = make_room(path, bound, sharing=False)
    assert (["plans"], True) == (list(room.gone), room.enough)
    with Store(path) as store:
        assert 10 == len(store.runs())
        assert 200 == len(store.remaining("offline9"))


def test_imported_measurements_are_the_users_and_stay(path: Path) -> None:
    with Store(path, write=True) as store:
        imported = Run(id="imported", started_at=1.0, source="ooniprobe")
        assert imported.imported
        store.begin_run(imported, [])
        store.append([measurement("imported", 1)])
    fill(path, 3)
    deliver(path)
    make_room(path, NEXT_TO_NOTHING, wanted=1000, forget_unshared=True, sharing=False)
    assert {"imported": 1, "run002": EACH} == kept(path)


def test_room_on_the_disk_counts_free_pages_of_the_file_as_well(path: Path) -> None:
    fill(path, 8)
    deliver(path)
    reserve = Budget().reserve_bytes
    size = path.stat().st_size
    room = make_room(path, None, free=reserve, wanted=1)
    assert room.enough and room.gone
    assert room.after >= 2_000_000  # of pages within the file
    assert path.stat().st_size < size + 100_000


def test_a_kill_in_the_middle_leaves_a_sound_database(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = fill(path, 8)
    deliver(path)

    def killed(self: Retention) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Retention, "_drop_orphans", killed)
    with pytest.raises(KeyboardInterrupt):
        make_room(path, NEXT_TO_NOTHING, wanted=1000)
    monkeypatch.undo()
    whole(path)
    make_room(path, NEXT_TO_NOTHING, wanted=1000)
    assert {runs[-1]: EACH} == kept(path)


def test_canaries_measured_after_others_went_are_uploaded_too(path: Path) -> None:
    """SQLite gives a key again once the last row is gone."""
    fill(path, 2)
    deliver(path)
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM canaries WHERE run_id = 'run001'")
    connection.commit()
    connection.close()
    make_room(path, NEXT_TO_NOTHING, wanted=1000)
    connection = sqlite3.connect(path)
    (left,) = connection.execute("SELECT count(*) FROM outbox_contents WHERE kind = 'canary'"
                                 " AND id NOT IN (SELECT CAST(key AS TEXT) FROM canaries)"
                                 ).fetchone()  # fmt: skip
    connection.close()
    assert 1 == left  # only the one whose row was taken away by hand above


def test_accounts_of_former_days_go(path: Path) -> None:
    with Store(path, write=True) as store:
        store.append_use(Use(at=1.0, line=5))
    make_room(path, None)
    with Store(path) as store:
        assert [] == store.uses()


def test_every_kind_of_thing_that_goes_has_words() -> None:
    from probe.commands.beforehand import _GONE

    assert {*retention.ORDER} == {*_GONE}
