"""A dataset copied elsewhere: whole at each moment, only what is new, and back again."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from analysis import dataset, engines
from analysis.collector.notes import Mark
from analysis.dataset import copying
from analysis.dataset.cli import dataset as command
from analysis.dataset.cluster import ClusterQueries
from analysis.dataset.collect import STORE, collect
from analysis.dataset.compacting import compact
from analysis.dataset.copying import copy
from analysis.dataset.manifest import DatasetError
from analysis.dataset.query import Queries
from tests.collector.service import line
from tests.dataset.test_build import found
from tests.dataset.test_collect import measured, packed, put, the_run

MARKS = "SELECT marks, count(*) AS n FROM verdicts GROUP BY marks ORDER BY marks"


def more(path: Path, number: int) -> Path:
    """The dataset in *path*, with one batch more."""
    key = Ed25519PrivateKey.generate()
    put(path / "collector", packed(
        the_run(), line(measured(number)), key=key, marks=(Mark(mark="many_keys"),)
    ))  # fmt: skip
    collect(path / "collector", path / "dataset")
    dataset.build(path / "dataset" / STORE, path / "dataset", workers=1)
    return path / "dataset"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return more(tmp_path, 1)


def files(folder: Path) -> set[str]:
    found = (p for p in folder.rglob("*") if p.is_file() and p.name != ".lock")
    return {str(p.relative_to(folder)) for p in found}


def test_a_copy_holds_the_tables_and_the_marks_and_no_document(root: Path, tmp_path: Path) -> None:
    done = copy(str(root), (tmp_path / "copy").as_uri())
    assert (3, 0, 0) == (done.sent, done.kept, done.removed)
    assert found(root) == found(tmp_path / "copy")
    with Queries(root) as own, Queries(tmp_path / "copy") as there:
        assert own.ask(MARKS).to_pylist() == there.ask(MARKS).to_pylist() == [
            {"marks": "many_keys", "n": 1}
        ]  # fmt: skip
    assert not any(name.startswith("documents") for name in files(tmp_path / "copy"))


def test_what_is_there_is_not_sent_again_and_one_manifest_back_stays(
    root: Path, tmp_path: Path
) -> None:
    target = (tmp_path / "copy").as_uri()
    copy(str(root), target)
    first = files(tmp_path / "copy")
    assert (0, 3) == copy(str(root), target)[::2]
    more(tmp_path, 2)
    compact(root)
    done = copy(str(root), target)
    assert (3, 0, 0) == (done.sent, done.kept, done.removed)
    assert first < files(tmp_path / "copy")  # who began with the manifest before can end
    assert 3 == copy(str(root), target).removed
    assert found(root) == found(tmp_path / "copy")


def test_a_copy_that_ends_midway_leaves_what_was_there(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = (tmp_path / "copy").as_uri()
    copy(str(root), target)
    before = found(tmp_path / "copy")
    more(tmp_path, 2)

    def killed(*_args: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr(copying, "_write", killed)
        copy(str(root), target)
    assert before == found(tmp_path / "copy")
    copy(str(root), target)
    assert found(root) == found(tmp_path / "copy")


def test_it_comes_back_and_can_be_added_to(root: Path, tmp_path: Path) -> None:
    copy(str(root), (tmp_path / "copy").as_uri())
    copy((tmp_path / "copy").as_uri(), str(tmp_path / "back"))
    assert found(root) == found(tmp_path / "back")
    again = dataset.build(root / STORE, tmp_path / "back", workers=1)
    assert (0, 0) == (again.derived, again.judged)


def test_a_server_reads_the_copy(root: Path, tmp_path: Path) -> None:
    target = (tmp_path / "copy").as_uri()
    copy(str(root), target)
    with Queries(root) as queries:
        expected = queries.ask(MARKS).to_pylist()
    for file in (root / "verdicts").rglob("*.parquet"):
        file.unlink()
    with engines.sail() as engine:
        cluster = ClusterQueries(root, engine.backend._session, at=target)
        assert expected == cluster.ask(MARKS).to_pylist()


def test_a_folder_of_something_else_is_left_alone_and_nothing_is_copied_from_nowhere(
    root: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(DatasetError, match="not empty"):
        copy(str(root), str(tmp_path / "mine"))
    for source, target in (
        (tmp_path / "none", tmp_path / "x"), (root, "ftp://127.0.0.1/x"), ("s3://", tmp_path / "x")
    ):  # fmt: skip
        told = CliRunner().invoke(command, ["copy", str(source), str(target)])
        assert (1, 1) == (told.exit_code, len(told.stderr.strip().splitlines())), told.output
    assert not (tmp_path / "none").exists()


def test_the_command_says_what_it_did(root: Path, tmp_path: Path) -> None:
    told = CliRunner().invoke(command, ["copy", str(root), str(tmp_path / "copy")])
    assert (0, True) == (told.exit_code, told.stderr.startswith("3 files sent,")), told.output
