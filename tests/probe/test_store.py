"""What the store promises: equal records back, nothing acknowledged is lost, clear refusals."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from probe.evidence import (
    AddressInfo,
    CanaryCheck,
    CertificateCheck,
    DNSAnswer,
    DNSExchange,
    HTTPExchange,
    Measurement,
    Run,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure
from probe.store import Planned, Refused, Store, StoreError
from testlists.target import Target

CHAIN = (b"\x30\x82leaf" * 80, b"\x30\x82issuer" * 80)


def a_run(run_id: str = "r1", **facts: object) -> Run:
    return msgspec.convert({"id": run_id, "started_at": 1.5, "seed": 7, **facts}, Run)


def a_measurement(n: int, *, run_id: str = "r1", url: str = "") -> Measurement:
    return Measurement(
        id=f"m{n}",
        run_id=run_id,
        nettest="web_connectivity",
        nettest_version="0.1.0",
        url=url or f"https://site{n}.example/",
        category="NEWS",
        list_name="by",
        started_at=1000.25 + n,
        runtime=0.75,
        software_version="0.1.0",
        evidence=(
            DNSExchange(
                hostname=f"site{n}.example",
                rdtype="A",
                engine="udp",
                own=True,
                answers=(
                    DNSAnswer(t=0.01, addresses=("192.0.2.1",), raw=b"\x00\xff"),
                    DNSAnswer(t=0.05, addresses=("198.51.100.7",), ttl=0, ip_ttl=57),
                ),
            ),
            TCPConnect(ip="198.51.100.7", port=443, t0=0.1, t=0.2),
            TLSHandshake(
                ip="198.51.100.7",
                port=443,
                sni="x",
                chain=CHAIN,
                failure=Failure.CONNECTION_RESET,
                detail="said \u0437\u043e\u043d\u0434",
            ),
            TLSHandshake(ip="198.51.100.7", port=443, vantage="c1", chain_sha256=("ab", "cd")),
            CertificateCheck(ip="198.51.100.7", port=443, hostname="x", checked_at=1.0),
            HTTPExchange(ip="198.51.100.7", port=80, status=200, body=b"<html>" * 1000),
            HTTPExchange(ip="198.51.100.7", port=80, status=204, body=b""),
            HTTPExchange(ip="198.51.100.7", port=80, failure=Failure.EOF),
        ),
        comparison={"differs": True, "score": 1.0, "count": 1, "why": "tls", "none": None},
        addresses={"198.51.100.7": AddressInfo(asn=6697, holder="Beltelecom", cc="BY")},
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "zond.db"


def planned(run_id: str, *urls: str) -> list[Planned]:
    return [
        Planned(
            run_id=run_id,
            position=n,
            nettest="web_connectivity",
            target=Target(url=url, category="NEWS", list_name="by"),
        )
        for n, url in enumerate(urls)
    ]


def test_what_is_read_equals_what_was_written(path: Path) -> None:
    written = [a_measurement(n) for n in range(3)]
    with Store(path, write=True) as store:
        store.begin_run(a_run(), [])
        store.append(written)
    with Store(path) as store:
        assert list(store.measurements()) == written
        assert list(store.measurements("r1")) == written
        assert list(store.measurements("another")) == []


def test_certificates_and_bodies_are_kept_once(path: Path) -> None:
    with Store(path, write=True) as store:
        store.begin_run(a_run(), [])
        store.append([a_measurement(n) for n in range(5)])
        store.append([a_measurement(n) for n in range(5, 9)])
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT size, encoding, length(data) FROM blobs").fetchall()
    kept = {size: (encoding, length) for size, encoding, length in rows}
    # two certificates, a page, and the empty body, in nine measurements
    assert set(kept) == {len(CHAIN[0]), len(CHAIN[1]), 6000, 0}
    assert kept[6000][0] == "zlib" and kept[6000][1] < 200


def test_a_run_is_as_it_was_last_written_down(path: Path) -> None:
    with Store(path, write=True) as store:
        store.begin_run(a_run(), [])
        assert store.unfinished_run() == a_run()
        store.update_run(a_run(probe_asn=6697))
        store.update_run(a_run(probe_asn=6697, ended="interrupted"))
        assert store.unfinished_run() == a_run(probe_asn=6697, ended="interrupted")
        store.update_run(a_run(probe_asn=6697, ended="done", ended_at=9.0))
        assert store.unfinished_run() is None
        assert store.runs() == [a_run(probe_asn=6697, ended="done", ended_at=9.0)]


def test_an_older_unfinished_run_is_history(path: Path) -> None:
    with Store(path, write=True) as store:
        store.begin_run(a_run("r1"), [])
        store.begin_run(a_run("r2"), [])
        store.update_run(a_run("r2", ended="done"))
        assert store.unfinished_run() is None


def test_remaining_is_what_was_planned_and_not_measured(path: Path) -> None:
    plan = planned("r1", "https://b/", "https://a/", "https://c/")
    with Store(path, write=True) as store:
        store.begin_run(a_run(), plan, [Refused(run_id="r1", list_name="by", line=4, reason="no")])
        store.begin_run(a_run("r2"), planned("r2", "https://a/"))
        store.append([a_measurement(1, url="https://a/")])
        assert store.planned("r1") == plan
        assert store.remaining("r1") == [plan[0], plan[2]]
        assert store.remaining("r2") == planned("r2", "https://a/")
        assert [r.line for r in store.refused("r1")] == [4]


def test_canary_checks_come_back(path: Path) -> None:
    checks = [
        CanaryCheck(run_id="r1", ring="home", name="gateway", at=1.0),
        CanaryCheck(
            run_id="r1", ring="foreign", name="x", at=2.0, family=6, failure=Failure.TIMEOUT
        ),
    ]
    with Store(path, write=True) as store:
        store.begin_run(a_run(), [])
        store.append_canaries(checks)
        assert store.canaries("r1") == checks
        assert store.canaries("r2") == []


def test_a_batch_is_stored_whole_or_not_at_all(path: Path) -> None:
    with Store(path, write=True) as store:
        store.begin_run(a_run(), [])
        store.append([a_measurement(1)])
        with pytest.raises(StoreError):
            store.append([a_measurement(2), a_measurement(1)])  # an id is there already
        assert [m.id for m in store.measurements()] == ["m1"]


def test_readers_read_while_a_writer_writes(path: Path) -> None:
    with Store(path, write=True) as store:
        store.begin_run(a_run(), [])
        store.append([a_measurement(1)])
        with Store(path) as reader:
            rows = reader.measurements()
            assert next(rows).id == "m1"
            store.append([a_measurement(2)])
            assert list(rows) == []  # one reading is one moment
            assert len(list(reader.measurements())) == 2


def test_only_the_user_may_read_the_file(path: Path) -> None:
    umask = os.umask(0)
    try:
        with Store(path, write=True) as store:
            store.begin_run(a_run(), [])
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600} and "zond.db-wal" in modes


def one_line(error: pytest.ExceptionInfo[StoreError]) -> str:
    text = str(error.value)
    assert "\n" not in text and len(text) < 300
    return text


@pytest.mark.parametrize("write", [True, False])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, write: bool) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes\n" * 100)
    with pytest.raises(StoreError) as error:
        Store(path, write=write)
    assert "no database" in one_line(error)
    assert path.read_text() == "these are my notes\n" * 100


@pytest.mark.parametrize("write", [True, False])
def test_the_database_of_another_program_is_refused_and_left_alone(
    tmp_path: Path, write: bool
) -> None:
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE places (url TEXT)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        Store(path, write=write)
    assert path.read_bytes() == before


def test_a_newer_database_is_refused(path: Path) -> None:
    Store(path, write=True).close()
    db = sqlite3.connect(path)
    with db:
        db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('zond', 'm999_future', '')"
        )
    db.close()
    for write in (True, False):
        with pytest.raises(StoreError, match="newer zond"):
            Store(path, write=write)


def test_a_missing_database_is_not_made_by_looking(path: Path) -> None:
    with pytest.raises(StoreError, match="no database at"):
        Store(path)
    assert not path.parent.exists()


def test_a_directory_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as error:
        Store(tmp_path, write=True)
    one_line(error)


@pytest.mark.parametrize("damage", ["data = x'00'", "data = x'ffff'"])
def test_a_lost_certificate_is_said_not_made_up(path: Path, damage: str) -> None:
    with Store(path, write=True) as store:
        store.begin_run(a_run(), [])
        store.append([a_measurement(1)])
    db = sqlite3.connect(path)
    with db:
        db.execute(f"UPDATE blobs SET {damage} WHERE size = 6000")
    db.close()
    with Store(path) as store, pytest.raises(StoreError, match="damaged"):
        list(store.measurements())


WRITER = """
import sys
from tests_store import a_measurement, a_run
from probe.store import Store
store = Store(sys.argv[1], write=True)
store.begin_run(a_run(), [])
n = 0
while True:
    store.append([a_measurement(n + i) for i in range(5)])
    n += 5
    print(n, flush=True)
"""


def test_what_was_acknowledged_survives_kill_9(path: Path, tmp_path: Path) -> None:
    os.symlink(__file__, tmp_path / "tests_store.py")
    for wait in (1, 7, 23):
        database = path.with_name(f"{wait}.db")
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(database)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"},
        ) as child:
            assert child.stdout is not None
            acked = 0
            while acked < wait * 5:
                acked = int(child.stdout.readline())
            child.kill()
            rest = child.stdout.read().split()
        acked = int(rest[-1]) if rest else acked
        with Store(database) as store:
            ids = [m.id for m in store.measurements()]
        assert ids[:acked] == [f"m{n}" for n in range(acked)]
        assert len(ids) in (acked, acked + 5)
        with closing(sqlite3.connect(database)) as db:
            assert db.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        with Store(database, write=True) as store:  # and it can be written to again
            store.append([a_measurement(10**6)])


def test_a_full_disk_is_said_and_keeps_what_was_stored(path: Path) -> None:
    with Store(path, write=True) as store:
        store.begin_run(a_run(), [])
        store.append([a_measurement(0)])
        store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(StoreError, match=r"full.*safe"):
            for n in range(1, 1000):
                store.append([a_measurement(n)])
    with Store(path) as store:
        stored = [m.id for m in store.measurements()]
    assert stored == [f"m{i}" for i in range(n)]


def test_follow_ups_stand_beside_what_they_are_about(tmp_path: Path) -> None:
    path = tmp_path / "z.db"
    plain, other = a_measurement(1), a_measurement(2)
    climbs = [
        msgspec.structs.replace(
            a_measurement(10 + n), nettest="diagnosis", url=plain.url, about=plain.id,
            comparison={"number": n, "of": 2},
        )
        for n in (1, 2)
    ]  # fmt: skip
    with Store(path, write=True) as store:
        store.begin_run(a_run(), [])
        store.append([plain, other])
        store.append(climbs)
    with Store(path) as store:
        assert [plain, other] == list(store.measurements("r1"))
        assert climbs == store.follow_ups(plain.id)
        assert [] == store.follow_ups(other.id)
        assert plain == store.measurement(plain.id)
        assert {("m1", 1), ("m1", 2)} == store.followed("r1")
        assert set() == store.followed("r2")


def test_a_database_of_the_first_version_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "z.db"
    plain = a_measurement(1)
    with Store(path, write=True) as store:
        store.begin_run(a_run(), [])
        store.append([plain])
    with closing(sqlite3.connect(path)) as old, old:
        old.execute("DROP INDEX idx_measurements_about")
        old.execute("ALTER TABLE measurements DROP COLUMN about")
        old.execute("DELETE FROM _sqlite_migrations WHERE name = 'm002_follow_ups'")
    before = path.read_bytes()
    with Store(path) as store:
        assert [plain] == list(store.measurements("r1"))
    assert path.read_bytes() == before
    with Store(path, write=True) as store:
        assert [plain] == list(store.measurements("r1"))
