"""What is published: counts of enough probes, documented, frozen, and nothing of one probe."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from analysis import dataset
from analysis.collector.notes import Mark, Note
from analysis.dataset.coarse import PEOPLE, Cell, K
from analysis.dataset.collect import STORE, collect
from analysis.dataset.publish import PublicationManifest, check, publish
from probe.evidence import Measurement
from probe.store import Store
from tests.analysis.build import RUN, STARTED, site
from tests.collector.service import line
from tests.dataset.test_collect import RUN_ID, packed, pseudonym, put, the_run

DAY = 86400.0
MONTH = "2026-09"  # of STARTED, a Monday
LATER = datetime(2026, 12, 1, tzinfo=UTC)
OFTEN, WEEKLY, MONTHLY, COUNTRY, SPREAD, RARE, MARKED = (
    f"https://{name}.example/"
    for name in ("often", "weekly", "monthly", "country", "spread", "rare", "marked")
)


def of(url: str, day: float) -> Measurement:
    """*url*, measured so many days after STARTED."""
    at = STARTED + day * DAY
    found = site().visit().measurement(at, f"{url}{day}".encode().hex()[-32:])
    moved = tuple(
        msgspec.structs.replace(e, t=e.t + 1e-6 * len(url)) for e in found.evidence
    )
    return msgspec.structs.replace(found, run_id=RUN_ID, url=url, started_at=at, evidence=moved)


class World:
    """Probes, and what each measured."""

    def __init__(self, first: int = 1) -> None:
        self._first = first
        self.batches: list[tuple[bytes, Note]] = []
        self.pseudonyms: list[str] = []

    def probe(self, *measured: tuple[str, float], asn: int = 6697, marked: bool = False) -> None:
        key = Ed25519PrivateKey.generate()
        self.pseudonyms.append(pseudonym(key))
        number = self._first + len(self.pseudonyms)
        documents = [the_run(started_at=RUN.started_at, probe_asn=asn)]
        for url, day in measured:
            # No two probes ever measure at the same moment.
            one = of(url, day)
            one = msgspec.structs.replace(one, started_at=one.started_at + number * 0.01)
            documents.append(line(one))
        marks = (Mark(mark="many_keys"),) if marked else ()
        self.batches.append(packed(*documents, key=key, marks=marks))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, World]:
    """Networks with as many probes as is said of each target."""
    path, world = tmp_path_factory.mktemp("publish"), World()
    for n in range(K):
        rare = ((RARE, 0), (MARKED, 0)) if n else ()
        world.probe(
            (OFTEN, 0), (WEEKLY, 0 if n < 3 else 2), (MONTHLY, 0 if n < 3 else 8), (COUNTRY, 0),
            *rare,
        )  # fmt: skip
    world.probe((OFTEN, 0), (MARKED, 0), marked=True)
    for _ in range(K - 1):
        world.probe((COUNTRY, 0), asn=25106)
    world.probe((COUNTRY, 0), asn=12406)
    for n in range(PEOPLE * K):
        world.probe((SPREAD, n % 3), asn=64500 + n)
    put(path / "collector", *world.batches)
    collect(path / "collector", path / "dataset")
    dataset.build(path / "dataset" / STORE, path / "dataset", workers=1)
    return path / "dataset", world


@pytest.fixture(scope="module")
def done(
    world: tuple[Path, World], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, PublicationManifest]:
    out = tmp_path_factory.mktemp("out") / "publication"
    return out, publish(world[0], out, k=K, now=LATER, browse=out.parent / "zond.db")


def cells(out: Path, url: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(out / f"data/cells-{MONTH}.parquet").to_pylist()
    return [row for row in rows if row["url"] == url]


def where(row: dict[str, Any]) -> tuple[str, str, int, int]:
    return row["period"], row["place_kind"], row["probe_asn"], row["group_probes"]


def test_enough_probes_in_a_network_are_told_by_day(
    done: tuple[Path, PublicationManifest]
) -> None:
    (honest,) = cells(done[0], OFTEN)
    assert ("2026-09-21", "network", 6697, K) == where(honest)
    assert (K, K) == (honest["measurements"], honest["probes"])


def test_fewer_are_joined_by_week_then_month(done: tuple[Path, PublicationManifest]) -> None:
    (week,) = cells(done[0], WEEKLY)
    assert ("2026-09-21/2026-09-27", "network", 6697, K) == where(week)
    (month,) = cells(done[0], MONTHLY)
    assert (MONTH, "network", 6697, K) == where(month)


def test_each_measurement_is_in_one_group_and_joined_networks_need_more(
    done: tuple[Path, PublicationManifest]
) -> None:
    # One network has K probes; what the others have is too little without it, for a person
    # may be in two of them.
    (network,) = cells(done[0], COUNTRY)
    assert ("2026-09-21", "network", 6697, K) == where(network)
    (joined,) = cells(done[0], SPREAD)
    assert (MONTH, "kind", 0, PEOPLE * K) == where(joined)


def test_too_few_even_so_are_left_out_and_counted(
    done: tuple[Path, PublicationManifest]
) -> None:
    assert [] == cells(done[0], RARE)
    month = done[1].months[MONTH]
    # RARE and MARKED of all but one, and COUNTRY in the small networks.
    assert {"too few probes": 2 * (K - 1) + K, "marked": 2} == month.left_out


def test_what_is_marked_makes_nobody_visible_and_is_left_out(
    done: tuple[Path, PublicationManifest]
) -> None:
    assert [] == cells(done[0], MARKED)  # K - 1 probes, and one that the collector marked
    (only,) = cells(done[0], OFTEN)
    assert (K, K) == (only["measurements"], only["group_probes"])


def test_the_licence_is_there_word_for_word(done: tuple[Path, PublicationManifest]) -> None:
    text = (done[0] / "LICENSE.txt").read_text()
    assert text.startswith(f"SPDX-License-Identifier: {done[1].license}\n")
    assert "Section 1 – Definitions." in text and "Section 8 – Interpretation." in text


def test_no_pseudonym_id_or_moment_is_in_any_file(
    world: tuple[Path, World], done: tuple[Path, PublicationManifest]
) -> None:
    out = done[0]
    table = pq.read_table(out / f"data/cells-{MONTH}.parquet")
    text = json.dumps(table.to_pylist()) + "".join(
        p.read_text() for p in out.iterdir() if p.is_file()
    )
    for name in world[1].pseudonyms:
        assert name not in text
    assert list(Cell.__struct_fields__) == table.column_names
    assert not {"measurement_id", "run_id", "probe_id", "measured_at", "hour", "ip"} & set(
        table.column_names
    )


def test_each_column_is_documented_and_each_file_has_its_hash(
    done: tuple[Path, PublicationManifest]
) -> None:
    out, manifest = done
    readme = (out / "README.md").read_text()
    assert all(f"| `{name}` |" in readme for name in Cell.__struct_fields__)
    files = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert files == {*manifest.files, "manifest.json"}
    assert [] == check(out)


def test_a_changed_file_is_found(world: tuple[Path, World], tmp_path: Path) -> None:
    publish(world[0], tmp_path / "out", k=K, now=LATER)
    (tmp_path / "out" / "LICENSE.txt").write_text("mine")
    (tmp_path / "out" / f"data/cells-{MONTH}.parquet").unlink()
    assert ["LICENSE.txt: changed", f"data/cells-{MONTH}.parquet: missing"] == check(
        tmp_path / "out"
    )


def test_a_month_that_is_not_over_for_a_week_waits(
    world: tuple[Path, World], tmp_path: Path
) -> None:
    early = publish(world[0], tmp_path / "out", k=K, now=datetime(2026, 10, 7, tzinfo=UTC))
    assert ({}, ["month not over"]) == (early.months, list(early.left_out))
    late = publish(world[0], tmp_path / "out", k=K, now=datetime(2026, 10, 8, tzinfo=UTC))
    assert [MONTH] == list(late.months)


def test_a_published_month_stays_and_what_came_later_is_counted(
    world: tuple[Path, World], done: tuple[Path, PublicationManifest], tmp_path: Path
) -> None:
    before = publish(world[0], tmp_path / "out", k=K, now=LATER)
    more = World(first=100)
    for _ in range(K):
        more.probe((RARE, 0))
    put(tmp_path / "collector", *more.batches)
    fresh = tmp_path / "dataset"
    put(tmp_path / "collector", *world[1].batches)
    collect(tmp_path / "collector", fresh)
    dataset.build(fresh / STORE, fresh, workers=1)
    after = publish(fresh, tmp_path / "out", k=K, now=LATER)
    assert before.months == after.months
    assert {"came after its month": K} == after.left_out
    assert [] == cells(tmp_path / "out", RARE)


def test_a_folder_of_somebody_else_is_left_alone(
    world: tuple[Path, World], tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(dataset.DatasetError, match="not empty"):
        publish(world[0], tmp_path, k=K, now=LATER)


def test_what_has_no_pseudonym_is_counted_and_not_published(tmp_path: Path) -> None:
    with Store(tmp_path / "zond.db", write=True) as store:
        store.begin_run(msgspec.structs.replace(RUN, id=RUN_ID), ())
        store.append([of(OFTEN, 0)])
    dataset.build(tmp_path / "zond.db", tmp_path / "dataset", workers=1)
    manifest = publish(tmp_path / "dataset", tmp_path / "out", k=K, now=LATER)
    assert ({}, {"no pseudonym": 1}) == (manifest.months, manifest.left_out)


def test_the_browsable_file_has_the_cells_and_says_what_they_are(
    done: tuple[Path, PublicationManifest]
) -> None:
    folder = done[0].parent
    with sqlite3.connect(folder / "zond.db") as db:
        (count,) = db.execute("SELECT count(*) FROM cells").fetchone()
    db.close()
    assert done[1].months[MONTH].cells == count
    told = json.loads((folder / "metadata.json").read_text())
    columns = told["databases"]["zond"]["tables"]["cells"]["columns"]
    assert set(Cell.__struct_fields__) == set(columns)


def test_the_questions_for_browsing_run_and_find(
    done: tuple[Path, PublicationManifest]
) -> None:
    folder = done[0].parent
    told = json.loads((folder / "metadata.json").read_text())
    queries = told["databases"]["zond"]["queries"]
    asked = {"country": "BY", "host": "often.example"}
    with sqlite3.connect(folder / "zond.db") as db:
        found = {name: db.execute(of["sql"], asked).fetchall() for name, of in queries.items()}
        (kind,) = db.execute("SELECT typeof(probability) FROM cells LIMIT 1").fetchone()
    db.close()
    assert {"blocked", "networks_differ", "of_host"} == set(found)
    assert found["of_host"]
    assert "real" == kind
