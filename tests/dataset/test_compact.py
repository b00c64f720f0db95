"""Few files of many: the same rows, the same bytes whatever came first, and whole after a kill."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from analysis import dataset, engines
from analysis.dataset import merged
from analysis.dataset.cli import dataset as command
from analysis.dataset.collect import STORE, collect
from analysis.dataset.compacting import compact
from analysis.dataset.manifest import load
from analysis.history.rows import as_rows
from analysis.history.table import TestRow
from probe.store import Store
from tests.collector.service import line
from tests.dataset.test_build import add, begin, expected, found, run
from tests.dataset.test_collect import measured, packed, put, the_run

DAYS, COUNTRIES, STORES = (0, 6, 10), ("BY", "LT"), 2  # the last is in another month


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("stores")
    paths = [folder / f"{number}.db" for number in range(STORES)]
    for path in paths:
        with Store(path, write=True) as store:
            for day in DAYS:
                for cc in COUNTRIES:
                    one = run(f"{path.stem}{cc}{day}", day, cc)
                    begin(store, one)
                    add(store, one, blocked=day > 5, number=int(path.stem))
    return paths


def built(out: Path, *stores: Path) -> Path:
    for store in stores:
        dataset.build(store, out, workers=1)
    return out


def files(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.glob("*/date=*/**/*.parquet*")}


def tried_of(out: Path) -> list[str]:
    return sorted(map(repr, as_rows(dataset.test_table(out), TestRow)))


def test_a_month_of_a_country_is_one_file_of_each_table_with_the_same_rows(
    stores: list[Path], tmp_path: Path
) -> None:
    out = built(tmp_path / "out", *stores)
    before, tried = found(out), tried_of(out)
    done = compact(out)
    assert ((STORES + STORES + 1) * len(DAYS) * len(COUNTRIES), 3 * 2 * len(COUNTRIES)) == (
        done.files_before, done.files
    )  # fmt: skip
    assert (before, tried) == (found(out), tried_of(out))
    assert len(files(out)) == done.files
    assert sum(map(len, files(out).values())) == done.bytes < done.bytes_before


def test_the_files_do_not_depend_on_what_came_first_or_how_often_it_was_done(
    stores: list[Path], tmp_path: Path
) -> None:
    once = built(tmp_path / "once", *stores)
    compact(once)
    again = tmp_path / "again"
    for store in reversed(stores):
        compact(built(again, store))
    assert files(once) == files(again)
    before = {path: path.stat().st_mtime_ns for path in once.rglob("*.parquet")}
    compact(once)
    assert before == {path: path.stat().st_mtime_ns for path in once.rglob("*.parquet")}


def test_one_spool_gives_the_same_files_in_whatever_order_its_batches_came(
    tmp_path: Path,
) -> None:
    keys = [Ed25519PrivateKey.generate() for _ in range(3)]
    batches = [
        packed(the_run(probe_cc=cc), *(line(measured(9 * n + i)) for i in range(4)), key=key)
        for n, (key, cc) in enumerate(zip(keys, ("BY", "BY", "LT"), strict=True))
    ]
    for name, order in (("one", batches), ("other", [batches[n] for n in (2, 1, 0)])):
        out = tmp_path / name
        for number, batch in enumerate(order):
            put(tmp_path / f"collector-{name}", batch)
            collect(tmp_path / f"collector-{name}", out)
            dataset.build(out / STORE, out, workers=1)
            if number == 0 and name == "other":
                compact(out)
        compact(out)
    assert files(tmp_path / "one") == files(tmp_path / "other")


def test_building_again_derives_and_judges_nothing(stores: list[Path], tmp_path: Path) -> None:
    out = built(tmp_path / "out", *stores)
    compact(out)
    again = dataset.build(stores[0], out, workers=1)
    assert (0, 0) == (again.derived, again.judged)


def test_a_share_that_grew_leaves_its_file_and_the_others_stay(tmp_path: Path) -> None:
    paths = [tmp_path / "a.db", tmp_path / "b.db"]
    for path in paths:
        with Store(path, write=True) as store:
            for day in range(2):
                begin(store, run(f"{path.stem}{day}", day))
                add(store, run(f"{path.stem}{day}", day))
    out = built(tmp_path / "out", *paths)
    compact(out)
    with Store(paths[0], write=True) as store:
        add(store, run("a0"), blocked=True, number=7)
    grown = dataset.build(paths[0], out, workers=1)
    assert (1, 1) == (grown.derived, grown.kept)
    assert expected(*paths) == found(out)
    compact(out)
    assert expected(*paths) == found(out)
    assert 3 == len(files(out))


def test_a_run_that_a_store_no_longer_has_is_cut_out(tmp_path: Path) -> None:
    paths = [tmp_path / "a.db", tmp_path / "b.db"]
    for path in paths:
        with Store(path, write=True) as store:
            for day in range(2):
                begin(store, run(f"{path.stem}{day}", day))
                add(store, run(f"{path.stem}{day}", day))
    out = built(tmp_path / "out", *paths)
    compact(out)
    with Store(paths[0], write=True) as store:
        store._db.execute("UPDATE runs SET record = replace(record, 'BY', 'LV')")
    dataset.build(paths[0], out, workers=1)
    assert expected(*paths) == found(out)


@pytest.mark.parametrize("name", engines.NAMES)
def test_a_compacted_month_is_judged_again(
    name: engines.Name, stores: list[Path], tmp_path: Path
) -> None:
    out = built(tmp_path / "out", stores[0])
    compact(out)
    manifest = load(out)
    assert {"2026-09", "2026-10"} == {p[5:12] for p in manifest.verdicts}
    for path in (out / "verdicts").rglob("*.parquet"):
        path.unlink()
    with engines.engine(name) as engine:
        assert 4 == dataset.rejudge(out, engine=engine)
    assert expected(stores[0]) == found(out)


KILLED = """
import os, signal, sys
from pathlib import Path
left = int(sys.argv[2])
replace = os.replace
def counted(*args):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*args)
os.replace = counted
from analysis.dataset.compacting import compact
compact(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("after", [0, 1, 3, 4, 9])
def test_a_kill_leaves_a_dataset_that_is_whole(
    after: int, stores: list[Path], tmp_path: Path
) -> None:
    out = built(tmp_path / "out", stores[0])
    before, tried = found(out), tried_of(out)
    killed = subprocess.run([sys.executable, "-c", KILLED, out, str(after)], check=False)
    assert -signal.SIGKILL == killed.returncode
    assert (before, tried) == (found(out), tried_of(out))
    compact(out)
    assert (before, tried) == (found(out), tried_of(out))
    whole = built(tmp_path / "whole", stores[0])
    compact(whole)
    assert files(whole) == files(out)


def test_row_groups_are_whole_whatever_the_shares(
    stores: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merged, "ROWS", 7)
    out = built(tmp_path / "out", *stores)
    before = found(out)
    compact(out)
    assert before == found(out)


def test_the_command_says_what_it_did(stores: list[Path], tmp_path: Path) -> None:
    out = built(tmp_path / "out", stores[0])
    first = CliRunner().invoke(command, ["compact", str(out)])
    assert (0, "18 files") == (first.exit_code, first.stderr[:8]), first.output
    assert "now 12 files" in first.stderr
    assert CliRunner().invoke(command, ["compact", str(out)]).stderr.startswith("12 files")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").touch()
    refused = CliRunner().invoke(command, ["compact", str(tmp_path / "mine")])
    assert (1, 1) == (refused.exit_code, len(refused.stderr.strip().splitlines()))
