"""What is stored goes out as documents and as a table, scrubbed, and comes back the same."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from probe.export_table import COLUMNS
from probe.store import Store
from tests.analysis.build import BOTH, RUN, Scene
from tests.analysis.worlds import CASES

ZOND = "from probe.cli import main; main()"
SITE = "https://www.svaboda.org/"
DOCS = Path(__file__).parents[2] / "docs" / "ooni_export.md"


def zond(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", ZOND, *map(str, arguments)], capture_output=True, check=False
    )


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """A run with a public target that was followed up, and one that nobody else knows."""
    path = tmp_path / "zond.db"
    climbed = next(scene for c in CASES.values() if (scene := c.build()).climbs)
    public = Scene(SITE).names().control_names().asked(*BOTH).visit().canary("foreign", 1)
    plain = public.measurement()
    follow_up = msgspec.structs.replace(climbed.climbs[0], about=plain.id, url=SITE)
    personal = Scene("https://mine.example/").names().visit().measurement(ident="mine")
    with Store(path, write=True) as store:
        store.begin_run(RUN, [])
        store.append([plain, follow_up, personal])
        store.append_canaries(public.canaries)
    return path


def test_what_is_exported_is_imported_under_its_own_ids(db: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "out.jsonl.gz", tmp_path / "other.db"
    done = zond("export", "--db", db, "--format", "ooni", "--out", out)
    assert done.returncode == 0, done.stderr
    assert b"1 on no carried list" in done.stderr
    assert zond("import", out, "--db", other).returncode == 0
    with Store(db) as mine, Store(other) as theirs:
        (plain,) = theirs.measurements()
        assert plain.id == "m"
        assert [m.id for m in theirs.follow_ups("m")] == [m.id for m in mine.follow_ups("m")]
        assert len(theirs.canaries("run")) == 1
        assert theirs.unfinished_run() is None
    assert b"https://mine.example" not in gzip.decompress(out.read_bytes())


def test_importing_what_came_from_here_adds_nothing(db: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    zond("export", "--db", db, "--format", "ooni", "--unscrubbed", "--out", out)
    done = zond("import", out, "--db", db, "--json")
    assert json.loads(done.stdout)["known"] == 2


def test_an_imported_document_goes_out_as_it_came(db: Path, tmp_path: Path) -> None:
    first, second, other = tmp_path / "1.jsonl", tmp_path / "2.jsonl", tmp_path / "other.db"
    zond("export", "--db", db, "--format", "ooni", "--out", first)
    zond("import", first, "--db", other)
    zond("export", "--db", other, "--format", "ooni", "--out", second)
    assert second.read_bytes() == first.read_bytes() != b""


def test_another_measurement_under_a_known_id_is_set_aside(db: Path, tmp_path: Path) -> None:
    out, forged = tmp_path / "out.jsonl", tmp_path / "forged.jsonl"
    zond("export", "--db", db, "--format", "ooni", "--out", out)
    document = json.loads(out.read_bytes())
    document["input"] = "https://other.example/"
    document["test_keys"]["x_zond"]["measurement"]["url"] = document["input"]
    forged.write_text(json.dumps(document))
    done = zond("import", forged, "--db", db, "--json")
    assert json.loads(done.stdout)["reasons"] == {"another measurement has its id": 1}


def test_nothing_is_written_over(db: Path, tmp_path: Path) -> None:
    out = tmp_path / "there.jsonl"
    out.write_text("kept")
    assert zond("export", "--db", db, "--format", "ooni", "--out", out).returncode == 2
    assert out.read_text() == "kept"


def test_the_table_has_every_operation_and_the_documented_columns(
    db: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"
    done = zond("export", "--db", db, "--format", "parquet", "--unscrubbed", "--out", out)
    assert done.returncode == 0, done.stderr
    table = pq.read_table(out)
    assert table.column_names == [name for name, _, _ in COLUMNS]
    with Store(db) as store:
        all_of_them = [m for p in store.measurements() for m in (p, *store.follow_ups(p.id))]
    assert table.num_rows == sum(len(m.evidence) for m in all_of_them)
    failures = [str(e.failure) for m in all_of_them for e in m.evidence if e.failure]
    assert sorted(f for f in table["failure"].to_pylist() if f) == sorted(failures)


def test_the_columns_are_documented() -> None:
    documented = re.findall(r"^\| `(\w+)` \| ([^|]+) \| (.+) \|$", DOCS.read_text(), re.MULTILINE)
    assert [(name, kind, text) for name, kind, text in documented] == list(COLUMNS)
