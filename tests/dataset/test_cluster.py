"""One question, asked of DuckDB and of Spark Connect: the same answer, row by row."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from analysis import dataset, engines
from analysis.collector.notes import Mark
from analysis.dataset import cli
from analysis.dataset.cluster import ClusterQueries
from analysis.dataset.collect import STORE, collect
from analysis.dataset.query import Queries, QueryError
from tests.analysis.build import STARTED
from tests.collector.service import line
from tests.dataset.test_build import RESET
from tests.dataset.test_collect import RUN_ID, measured, packed, put, the_run

PAGE = Path(__file__).parents[2] / "docs" / "dataset.md"
DOCUMENTED = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.S)
NETWORKS = (6697, 25106, 12406)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some networks, some days; blocked and not, looked at again, marked, and left out."""
    path = tmp_path_factory.mktemp("cluster")
    batches = []
    for n, asn in enumerate(NETWORKS * 2):
        documents = [the_run(probe_asn=asn), b'{"kind":"gossip"}']
        for day in range(n + 1):
            if n % 2:
                documents.append(line(measured(100 * n + day, started_at=STARTED + day * 86400)))
                continue
            at, id = STARTED + day * 86400 + n, f"{100 * n + day:032x}"
            plain = msgspec.structs.replace(RESET.measurement(at, id), run_id=RUN_ID)
            documents.append(line(plain))
            documents += (
                line(msgspec.structs.replace(
                    climb, id=f"{900_000 + 1000 * n + 10 * day + i:032x}", about=id, run_id=RUN_ID,
                    started_at=at + 5,
                ))
                for i, climb in enumerate(RESET.climbs)
            )  # fmt: skip
        marks = (Mark(mark="many_keys"),) if n == len(NETWORKS) else ()
        batches.append(packed(*documents, key=Ed25519PrivateKey.generate(), marks=marks))
    put(path / "collector", *batches)
    collect(path / "collector", path / "dataset")
    dataset.build(path / "dataset" / STORE, path / "dataset", workers=1)
    return path / "dataset"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    from pysail.spark import SparkConnectServer

    started = SparkConnectServer("127.0.0.1", 0)
    started.start(background=True)
    _address, port = started.listening_address
    yield f"sc://127.0.0.1:{port}"
    started.stop()


@pytest.mark.parametrize("without_marked", [False, True])
def test_the_documented_questions_have_one_answer(
    root: Path, server: str, without_marked: bool
) -> None:
    with engines.spark(server) as engine:
        cluster = ClusterQueries(root, engine.backend._session, without_marked=without_marked)
        for sql in DOCUMENTED:
            with Queries(root, without_marked=without_marked) as queries:
                expected = queries.ask(sql)
            found = cluster.ask(sql)
            assert expected.column_names == found.column_names
            assert expected.to_pylist() == found.to_pylist(), sql
            # Else the comparison shows nothing; only one question is about what was marked.
            assert expected.num_rows or (without_marked and "marks != ''" in sql), sql


def test_each_view_holds_the_same_rows(root: Path, server: str) -> None:
    with engines.spark(server) as engine, Queries(root) as queries:
        cluster = ClusterQueries(root, engine.backend._session)
        for view in ("verdicts", "tests", "observations", "collected", "left_out"):
            expected = queries.ask(f"SELECT * FROM {view}")
            found = cluster.ask(f"SELECT * FROM {view}")
            assert expected.column_names == found.column_names
            assert sorted(map(repr, expected.to_pylist())) == sorted(map(repr, found.to_pylist()))
            assert expected.num_rows


def test_a_dataset_without_a_row_has_the_views(tmp_path: Path, server: str) -> None:
    with engines.spark(server) as engine:
        cluster = ClusterQueries(tmp_path, engine.backend._session, without_marked=True)
        assert all(cluster.ask(sql).num_rows == 0 for sql in DOCUMENTED)
        with pytest.raises(QueryError):
            cluster.ask("SELECT nothing FROM verdicts")


def test_the_command_asks_the_server_that_it_is_told(root: Path, server: str) -> None:
    sql = "SELECT outcome, count(*) AS n FROM verdicts GROUP BY outcome ORDER BY outcome"
    asked = ["query", str(root), sql, "--format", "jsonl"]
    here = CliRunner().invoke(cli.dataset, asked)
    there = CliRunner().invoke(cli.dataset, [*asked, "--spark", server])
    assert (0, here.stdout) == (there.exit_code, there.stdout), there.output
    assert len(json.loads(here.stdout.splitlines()[0])) == 2
    wrong = CliRunner().invoke(cli.dataset, [*asked, "--spark", "http://127.0.0.1"])
    assert (1, 1) == (wrong.exit_code, len(wrong.stderr.strip().splitlines()))
