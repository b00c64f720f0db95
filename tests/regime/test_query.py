"""The engine of hypotheses: how cases decide a state, and what a query may not do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet  # type: ignore[import-untyped]
import pytest

from analysis.history.event import Event, Interval, Part
from analysis.history.rows import arrow, as_table
from analysis.history.table import TestRow, VerdictRow
from analysis.regime.query import Confounder, Criterion, Hypothesis, Result, hypotheses, judge
from analysis.regime.read import DataError
from analysis.regime.workspace import Limit, Workspace

NOTHING = "SELECT 1 AS unit, true AS seen, true AS abroad, true AS site_dead FROM tests LIMIT 0"
ROW = VerdictRow(measurement_id="m1", url="http://a.test/", host="a.test", outcome="blocked")


def hypothesis(cases: str) -> Hypothesis:
    return Hypothesis(
        id="T1", title="t", legal_basis="", prediction="", falsified_if="", source="the test",
        consistent_means="", no_case="a measurement of a.test", cases=cases,
        criteria=(
            Criterion(id="seen", need="a probe", true="seen", false="not seen"),
            Criterion(id="abroad", need="a control abroad", false="also abroad"),
        ),
        confounders=(Confounder(id="site_dead", what="the site is dead"),),
    )  # fmt: skip


def result(*cases: tuple[Any, Any, Any]) -> Result:
    def cell(value: bool | None) -> str:
        return "NULL::BOOLEAN" if value is None else str(value).lower()

    rows = " UNION ALL ".join(
        f"SELECT 'case {i}' AS unit, {cell(seen)} AS seen, {cell(abroad)} AS abroad,"
        f" {cell(dead)} AS site_dead, 'm1,m2' AS evidence"
        for i, (seen, abroad, dead) in enumerate(cases)
    )
    with Workspace() as workspace:
        return judge(hypothesis(rows), workspace)


def test_all_criteria_true_is_consistent_and_says_that_this_is_no_attribution() -> None:
    found = result((True, True, None))
    assert ("consistent", {"for": 1}) == (found.state, found.counts)
    assert "not attribution" in found.caution
    assert ("m1", "m2") == found.cases[0].evidence


def test_one_false_criterion_is_against_even_where_another_is_unknown() -> None:
    found = result((False, None, None))
    assert ("contradicts", ("not seen",)) == (found.state, found.cases[0].because)


def test_an_unknown_criterion_leaves_the_case_open_and_names_what_is_missing() -> None:
    found = result((True, None, None), (None, None, None))
    assert ("cannot_tell", ("a control abroad",)) == (found.state, found.missing)


def test_a_confounder_sets_aside_before_anything_else_is_asked() -> None:
    found = result((True, True, True), (False, True, True))
    assert ("cannot_tell", {"set_aside": 2}) == (found.state, found.counts)
    assert ("a case without another explanation: the site is dead",) == found.missing


def test_a_confounder_of_one_case_leaves_the_others() -> None:
    assert "consistent" == result((True, True, True), (True, True, False)).state


def test_no_case_is_no_answer_and_says_what_to_measure() -> None:
    with Workspace() as workspace:
        found = judge(hypothesis(NOTHING), workspace)
    assert ("cannot_tell", ("a measurement of a.test",)) == (found.state, found.missing)


@pytest.mark.parametrize(
    ("for_", "against", "state"),
    [(2, 1, "consistent"), (1, 1, "cannot_tell"), (3, 2, "cannot_tell"), (1, 2, "contradicts")],
)
def test_evidence_on_both_sides_is_weighed_by_cases(for_: int, against: int, state: str) -> None:
    assert state == result(*[(True, True, None)] * for_, *[(True, False, None)] * against).state


def test_a_few_cases_against_do_not_speak_for_many_that_nobody_could_decide() -> None:
    few = result(*[(False, None, None)] * 2, *[(True, None, None)] * 30)
    assert ("cannot_tell", ("a control abroad",)) == (few.state, few.missing)
    assert "2 of 32 cases" in few.reason
    more = result(*[(False, None, None)] * 4, *[(True, None, None)] * 30)
    assert more.state == "contradicts"


def test_millions_of_cases_are_counted_and_some_of_each_shown() -> None:
    many = (
        "SELECT 'case ' || i AS unit, true AS seen, i % 4 > 0 AS abroad, i % 10 = 0 AS site_dead"
        " FROM range(1000000) AS t(i) -- the last line may be a remark"
    )
    with Workspace() as workspace:
        found = judge(hypothesis(many), workspace)
    assert "consistent" == found.state
    assert {"for": 700_000, "against": 200_000, "set_aside": 100_000} == found.counts
    assert {"for": 20, "against": 20, "set_aside": 20} == {
        state: sum(case.state == state for case in found.cases) for state in found.counts
    }


def test_the_same_cases_are_shown_every_time() -> None:
    cases = "SELECT md5(i::VARCHAR) AS unit, true AS seen, true AS abroad, NULL AS site_dead"
    hundreds = hypothesis(f"{cases} FROM range(500) AS t(i)")
    with Workspace() as one, Workspace(threads=1) as other:
        assert judge(hundreds, one) == judge(hundreds, other)


def test_a_missing_column_is_one_clear_line() -> None:
    with Workspace() as workspace, pytest.raises(DataError, match="T1: no column abroad"):
        judge(hypothesis("SELECT 'x' AS unit, true AS seen, true AS site_dead LIMIT 0"), workspace)


def test_a_query_that_takes_too_long_is_no_answer() -> None:
    endless = (
        "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t)"
        " SELECT n AS unit, true AS seen, true AS abroad, true AS site_dead FROM t"
    )
    for seconds in (0.2, 0.0):  # and where it is over before the query has begun
        with Workspace(seconds=seconds) as workspace:
            found = judge(hypothesis(endless), workspace)
        assert "cannot_tell" == found.state and "within" in found.missing[0]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('{path}')", "SELECT * FROM '{path}'", "SELECT * FROM glob('/*')",
        "COPY verdicts TO '{path}'", "ATTACH '{path}'", "INSTALL httpfs",
        "SET memory_limit = '1TB'", "CREATE TABLE t AS SELECT 1", "SELECT 1; SELECT 2", "",
        "nonsense",
    ],
)  # fmt: skip
def test_a_query_can_only_select_from_the_views(sql: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    with Workspace() as workspace, pytest.raises(DataError):
        workspace.ask(sql.format(path=secret))
    assert "a\n1\n" == secret.read_text()


def test_too_many_rows_or_too_much_memory_is_a_limit() -> None:
    with Workspace(memory="100MiB") as workspace:
        with pytest.raises(Limit, match="rows"):
            workspace.ask("SELECT * FROM range(1000000)")
        with pytest.raises(Limit, match="memory"):
            workspace.ask("SELECT list(i) FROM range(1000000000) AS t(i)")


def test_verdicts_are_read_from_structs_arrow_ibis_and_partitions(tmp_path: Path) -> None:
    table = arrow([ROW], VerdictRow)
    (tmp_path / "day=1").mkdir()
    parquet.write_table(table, tmp_path / "day=1" / "part.parquet")
    files = [tmp_path / "day=1" / "part.parquet"]
    for rows in ([ROW], table, as_table([ROW]), tmp_path, files):
        with Workspace(verdicts=rows) as workspace:
            assert [{"host": "a.test"}] == workspace.ask("SELECT host FROM verdicts")
    empty = tmp_path / "empty"
    empty.mkdir()
    with Workspace(
        verdicts=empty, tests=[TestRow(measurement_id="m", test="t", result="works")]
    ) as w:
        assert [{"v": 0, "t": 1}] == w.ask(
            "SELECT (SELECT count(*) FROM verdicts) AS v, (SELECT count(*) FROM tests) AS t"
        )


def test_of_files_only_those_given_can_be_read(tmp_path: Path) -> None:
    parquet.write_table(arrow([ROW], VerdictRow), tmp_path / "given.parquet")
    parquet.write_table(arrow([ROW], VerdictRow), tmp_path / "other.parquet")
    with Workspace(verdicts=[tmp_path / "given.parquet"]) as workspace:
        assert [{"n": 1}] == workspace.ask("SELECT count(*) AS n FROM verdicts")
        with pytest.raises(DataError, match="Permission"):
            workspace.ask(f"SELECT * FROM '{tmp_path / 'other.parquet'}'")


def test_a_table_without_the_columns_is_refused() -> None:
    with pytest.raises(DataError, match="verdicts: no column"):
        Workspace(verdicts=arrow([ROW], VerdictRow).drop_columns(["outcome"]))


def test_an_event_and_its_parts_are_tables() -> None:
    part = Part(host="a.test", mechanism="tls.reset", probe_asn=6697, onset=Interval(1.0, 2.0))
    event = Event(
        id="e", kind="blocking", targets=("a.test",), networks=(6697,), onset=Interval(None, 2.0),
        parts=(part,),
    )  # fmt: skip
    with Workspace(events=[event]) as workspace:
        assert [{"after": None, "lift": None, "asn": 6697, "part": 1.0}] == workspace.ask(
            "SELECT e.onset_after AS after, e.lift_by AS lift, e.networks[1] AS asn,"
            " p.onset_after AS part FROM events e JOIN event_parts p ON p.event_id = e.id"
        )


def test_hypotheses_are_files_named_by_their_id(tmp_path: Path) -> None:
    place = tmp_path / "hypotheses"
    place.mkdir()
    assert [] == hypotheses(tmp_path)
    (place / "X1.toml").write_text(
        'id = "X2"\ntitle = ""\nlegal_basis = ""\nprediction = ""\nfalsified_if = ""\n'
        'consistent_means = ""\nno_case = ""\nsource = ""\ncases = "SELECT 1"\n'
        '[[criteria]]\nid = "a"\nneed = "n"\n'
    )
    with pytest.raises(DataError, match="its id is X2"):
        hypotheses(tmp_path)
