"""From a collector's folder to a dataset: each measurement once, whoever sends what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from analysis import dataset
from analysis.collector.notes import OONI, Mark, Note, SetAside
from analysis.collector.ooni_documents import submitted
from analysis.collector.spool import Spool
from analysis.dataset import derive
from analysis.dataset.catalogue import Catalogue
from analysis.dataset.collect import STORE, Taken, collect, dataset_id
from analysis.history.rows import as_rows
from analysis.history.table import VerdictRow
from analysis.observations import Observation
from analysis.verdict import observations
from probe.evidence import Measurement, Run
from probe.formats import batch
from probe.store import Store
from tests.analysis.build import RUN, STARTED, site
from tests.collector.service import line, run_line, some_batch
from tests.collector.test_ooni import measurement as ooni_document

RUN_ID = "5a" * 16


def put(data: Path, *packed: tuple[bytes, Note]) -> None:
    """Store batches as the collector does."""

    async def store() -> None:
        with Spool(data / "spool") as spool:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(spool.run)
                for body, note in packed:
                    name = bytes.fromhex(batch.unpack(body).sha256)
                    await spool.store(name, body, 0, msgspec.json.encode(note))
                nursery.cancel_scope.cancel()

    trio.run(store)


def packed(
    *documents: bytes, key: Ed25519PrivateKey, marks: tuple[Mark, ...] = (),
    aside: tuple[SetAside, ...] = (),
) -> tuple[bytes, Note]:  # fmt: skip
    _name, body, _header = some_batch(*documents, key=key)
    return body, Note(received="2026-11-22", marks=marks, set_aside=aside)


def the_run(**fields: Any) -> bytes:
    return run_line(msgspec.structs.replace(RUN, id=RUN_ID, **fields))


def measured(number: int = 0, **fields: Any) -> Measurement:
    of = site().visit().measurement(STARTED + number, f"{number:032x}")
    usual = {"run_id": RUN_ID, "url": f"https://site{number}.example/" if number else of.url}
    return msgspec.structs.replace(of, **usual | fields)


def pseudonym(key: Ed25519PrivateKey) -> str:
    return batch.pseudonym(key.public_key())


def built(out: Path) -> list[VerdictRow]:
    dataset.build(out / STORE, out, workers=1)
    return sorted(as_rows(dataset.verdict_table(out)), key=lambda row: (row.url, row.probe_id))


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "collector"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "dataset"


def reasons(out: Path) -> dict[str, int]:
    with Catalogue(out) as catalogue:
        return catalogue.reasons()


def test_what_a_collector_took_is_judged_under_the_pseudonym_of_its_key(
    key: Ed25519PrivateKey, data: Path, out: Path
) -> None:
    put(data, packed(the_run(), line(measured()), line(measured(2)), key=key))
    assert collect(data, out) == Taken(batches=1, measurements=2)
    rows = built(out)
    assert {measured().url: "ok", "https://site2.example/": "inconclusive"} == {
        row.url: row.outcome for row in rows
    }
    assert {pseudonym(key)} == {row.probe_id for row in rows}
    assert {"zond"} == {row.source for row in rows}


def test_building_again_adds_nothing_and_what_came_late_is_added(
    key: Ed25519PrivateKey, data: Path, out: Path
) -> None:
    put(data, packed(the_run(), line(measured(1)), key=key))
    collect(data, out)
    before = built(out)
    assert collect(data, out) == Taken()
    assert before == built(out)
    put(data, packed(the_run(), line(measured(2)), key=key))
    assert collect(data, out) == Taken(batches=1, measurements=1)
    assert before == [row for row in built(out) if "site1" in row.url]
    assert 2 == len(built(out))


def test_a_measurement_in_two_batches_is_there_once_and_the_other_is_counted(
    key: Ed25519PrivateKey, data: Path, out: Path
) -> None:
    put(
        data,
        packed(the_run(), line(measured(1)), key=key),
        packed(the_run(), line(measured(1)), line(measured(2)), key=key),
        packed(the_run(), line(measured(2, runtime=7.0)), key=key),
    )
    collect(data, out)
    assert 2 == len(built(out))
    assert {"sent again": 1, "sent again with other content": 1} == reasons(out)


def test_a_copy_under_another_key_is_no_second_witness(
    key: Ed25519PrivateKey, data: Path, out: Path
) -> None:
    documents = the_run(), line(measured(1))
    put(data, packed(*documents, key=key), packed(*documents, key=Ed25519PrivateKey.generate()))
    collect(data, out)
    assert [pseudonym(key)] == [row.probe_id for row in built(out)]
    assert {"a copy of another key's document": 1} == reasons(out)


def test_nobody_takes_an_id_adds_to_a_run_or_follows_up_what_is_anothers(
    key: Ed25519PrivateKey, data: Path, out: Path
) -> None:
    enemy = Ed25519PrivateKey.generate()
    put(
        data,
        packed(the_run(probe_cc="LT"), line(measured(1, runtime=9.0)),
               line(measured(5, about=measured(1).id)), key=enemy),
        packed(the_run(), line(measured(1)), key=key),
    )  # fmt: skip
    collect(data, out)
    with Store(out / STORE) as store:
        own = store.measurement(dataset_id(pseudonym(key), measured(1).id))
        assert (measured(1).runtime, []) == (own.runtime, store.follow_ups(own.id))
        countries = {run.probe_id: run.probe_cc for run in store.runs()}
    assert {pseudonym(key): "BY", pseudonym(enemy): "LT"} == countries


def test_what_a_batch_says_of_its_source_and_pseudonym_is_not_believed(
    key: Ed25519PrivateKey, data: Path, out: Path
) -> None:
    lies = the_run(source="ooniprobe", report="20261101T000000Z_x", probe_id="of another")
    put(data, packed(lies, line(measured(1, document="20261101", origin="x")), key=key))
    collect(data, out)
    assert [("zond", pseudonym(key))] == [(row.source, row.probe_id) for row in built(out)]


def test_a_run_that_ended_stays_so_when_its_first_batch_comes_last(
    key: Ed25519PrivateKey, data: Path, out: Path
) -> None:
    put(
        data,
        packed(the_run(ended="done", ended_at=STARTED + 60), line(measured(2)), key=key),
        packed(the_run(ended=""), line(measured(1)), key=key),
    )
    collect(data, out)
    with Store(out / STORE) as store:
        assert [("done", STARTED + 60)] == [(r.ended, r.ended_at) for r in store.runs()]
    assert 2 == len(built(out))


def test_marks_of_the_batch_the_run_and_the_line_come_along(
    key: Ed25519PrivateKey, data: Path, out: Path
) -> None:
    marks = (
        Mark(mark="many_keys"), Mark(mark="other_network", line=1),
        Mark(mark="backwards", line=2),
    )  # fmt: skip
    put(data, packed(the_run(), line(measured(1)), line(measured(2)), key=key, marks=marks))
    collect(data, out)
    with Catalogue(out) as catalogue:
        table = catalogue.collected()
    found = dict(zip(table["measurement_id"].to_pylist(), table["marks"].to_pylist(), strict=True))
    one, two = (dataset_id(pseudonym(key), measured(n).id) for n in (1, 2))
    assert {one: "backwards,many_keys,other_network", two: "many_keys,other_network"} == found


def test_what_cannot_be_read_is_counted_with_its_reason(
    key: Ed25519PrivateKey, data: Path, out: Path
) -> None:
    put(
        data,
        packed(the_run(), b'{"kind":"gossip"}', line(measured(1)), key=key),
        packed(the_run(), line(measured(2)), key=key),
    )
    assert {"set aside: documents of the kind 'gossip' are not known here": 1} == dict(
        collect(data, out).left_out
    )
    assert 2 == len(built(out))


def test_a_damaged_record_is_counted_and_the_end_that_is_being_written_is_not(
    key: Ed25519PrivateKey, data: Path, out: Path
) -> None:
    batches = [packed(the_run(), line(measured(n)), key=key) for n in (1, 2, 3)]
    put(data, *batches)
    (segment,) = (data / "spool").glob("segment-*")
    raw = bytearray(segment.read_bytes())
    at = raw.index(batches[1][0]) + 200
    raw[at] ^= 0xFF
    segment.write_bytes(raw + b"ZBT1 half a rec")
    collect(data, out)
    assert ["https://site1.example/", "https://site3.example/"] == [r.url for r in built(out)]
    assert {"unreadable: damaged on the disk, or being written": 1} == reasons(out)


def test_what_a_kill_left_between_store_and_catalogue_is_not_there_twice(
    key: Ed25519PrivateKey, data: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(data, packed(the_run(), line(measured(1)), key=key))

    def killed(*_args: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr(Catalogue, "commit", killed)
        collect(data, out)
    assert collect(data, out) == Taken(batches=1, measurements=1)
    assert 1 == len(built(out))


def test_a_run_of_the_same_name_is_each_keys_own(data: Path, out: Path) -> None:
    keys = [Ed25519PrivateKey.generate() for _ in range(3)]
    put(data, *(packed(the_run(), line(measured(n)), key=k) for n, k in enumerate(keys)))
    collect(data, out)
    with Store(out / STORE) as store:
        runs: list[Run] = store.runs()
    assert 3 == len({run.id for run in runs})
    assert sorted(map(pseudonym, keys)) == sorted(run.probe_id for run in runs)


def test_what_our_own_reader_fails_at_costs_its_own_run_alone(
    key: Ed25519PrivateKey, data: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Ed25519PrivateKey.generate()
    put(
        data,
        packed(the_run(), line(measured(1)), key=other),
        packed(the_run(), line(measured(2)), key=key),
    )
    collect(data, out)
    read = observations

    def failing(store: Store, run: Run) -> list[Observation]:
        rows = read(store, run)
        if run.probe_id == pseudonym(other):
            return [msgspec.structs.replace(row, hop_low=2**70) for row in rows]
        return rows

    monkeypatch.setattr(derive, "observations", failing)
    built = dataset.build(out / STORE, out, workers=1)
    assert [pseudonym(key)] == [row.probe_id for row in as_rows(dataset.verdict_table(out))]
    assert (f"run {dataset_id(pseudonym(other), RUN_ID)}: a bug: OverflowError",) == built.problems


def test_a_document_of_oonis_is_judged_and_has_no_pseudonym(data: Path, out: Path) -> None:
    content = ooni_document(input="https://example.org/")
    sent = submitted(json.dumps(content).encode(), "", "192.0.2.1", STARTED + 90 * 86400)

    async def store() -> None:
        with Spool(data / "spool") as spool:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(spool.run)
                await spool.store(sent.name, sent.payload, OONI, msgspec.json.encode(sent.note))
                nursery.cancel_scope.cancel()

    trio.run(store)
    assert collect(data, out) == Taken(batches=1, measurements=1)
    (row,) = built(out)
    assert ("miniooni", "https://example.org/") == (row.source, row.url)
    with Catalogue(out) as catalogue:
        assert [("", sent.uid)] == [
            (r["pseudonym"], r["batch"]) for r in catalogue.collected().to_pylist()
        ]
    assert collect(data, out) == Taken()
