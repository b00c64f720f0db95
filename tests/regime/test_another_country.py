"""A second country is a folder of data: one that does not exist, from end to end; and what a
folder may not hold."""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path

import pytest

import analysis.regime
from analysis.history.event import Event, Interval
from analysis.history.table import VerdictRow
from analysis.regime.document import text
from analysis.regime.findings import findings
from analysis.regime.load import load, outside_of
from analysis.regime.query import Result, hypotheses, judge_all
from analysis.regime.read import DataError
from analysis.regime.tables import outside_tables, regime_tables
from analysis.regime.workspace import Workspace

RURITANIA = Path(__file__).parent / "ruritania"


def herald(hour: str, **more: object) -> Event:
    at = load(RURITANIA).span(hour).first
    values = {"scope": "national", "networks": (64500, 64501), "categories": ("NEWS",)}
    return Event(
        id="e", kind="blocking", targets=("herald.example",), mechanisms=("http.blockpage",),
        onset=Interval(at - 3600.0, at), **(values | more),  # type: ignore[arg-type]
    )  # fmt: skip


def judged(*rows: VerdictRow) -> Result:
    regime = load(RURITANIA)
    tables = regime_tables(regime) | outside_tables(
        outside_of(RURITANIA), regime.country.utc_offset_hours
    )
    with Workspace(verdicts=rows, tables=tables) as workspace:
        [result] = judge_all(hypotheses(RURITANIA), workspace, regime)
    return result


def row(hour: str) -> VerdictRow:
    return VerdictRow(
        measurement_id="m1", url="http://herald.example/", host="herald.example",
        outcome="blocked", measured_at=load(RURITANIA).span(hour).first,
    )  # fmt: skip


def test_events_are_told_beside_its_documents() -> None:
    found = findings(
        herald("2031-06-01T12:00", fingerprints=("X1",)), load(RURITANIA), outside_of(RURITANIA)
    )
    assert ("consistent", ["edict_1"]) == (found.state, [i.id for i in found.instruments])
    assert (("Lord Chamberlain",), "court") == (found.may_decide, found.recourse.appeal)
    assert ("charter article 3, 1: the weather",) == found.protection.kinds
    assert ("Appeals: 9 of 10",) == found.recourse.scores


def test_what_its_documents_do_not_know_contradicts_them() -> None:
    regime = load(RURITANIA)
    assert "contradicts" == findings(herald("2029-06-01T12:00"), regime).state
    assert "contradicts" == findings(herald("2031-06-01T12:00", fingerprints=("X2",)), regime).state
    game = findings(herald("2031-06-01T12:00", categories=("GMB",)), regime)
    assert "no ground" in next(f.says for f in game.findings if f.aspect == "instrument")


def test_its_hypothesis_has_three_states_and_its_law() -> None:
    true = judged(row("2031-05-31T20:00"))
    assert ("consistent", ("m1",)) == (true.state, true.cases[0].evidence)
    assert true.law is not None
    assert ("Lord Chamberlain",) == true.law.may_decide and "weather" in true.law.protected
    assert "contradicts" == judged(row("2031-06-02T20:00")).state
    unknown = judged()
    assert ("cannot_tell", ("a blocked measurement after the decision",)) == (
        unknown.state, unknown.missing,
    )  # fmt: skip


def test_its_page_is_written_from_its_data() -> None:
    page = text(RURITANIA)
    for word in ("Ruritania", "First Edict on Pages", "Crown Telegraph", "D1", "coronation"):
        assert word in page


def test_no_line_of_code_names_a_country() -> None:
    names = re.compile(r"(?i:belarus|minsk|mininform)|\bOAC\b|^BY$|6697|455")
    for file in Path(next(iter(analysis.regime.__path__))).glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        documentation = {
            id(node.body[0].value)  # type: ignore[attr-defined]
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and ast.get_docstring(node)
        }
        said = [
            str(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and id(node) not in documentation
        ]
        assert [] == [text for text in said if names.search(text)], file.name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "country"
    shutil.copytree(RURITANIA, copy)
    return copy


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("networks.csv", "64501,", "64500,", "networks: 64500 is there 2 times"),
        ("networks.csv", ",novel\n64501", ",novels\n64501", "source novels is not there"),
        ("networks.csv", "mobile,64500", "mobile,64599", "gateway 64599 is no network"),
        ("networks.csv", "mobile,mobile", "mobile,carrier pigeon", "networks.csv:3"),
        ("networks.csv", "asn,", "as,", "networks.csv: no column asn"),
        ("networks.csv", "64502,", "64502,x,", "networks.csv:4: more or fewer cells"),
        ("instruments.toml", '"2030-01-01"', '"2030-13-01"', "'2030-13-01' is no date"),
        ("instruments.toml", '["chamberlain"]', '["king"]', "decides king is not there"),
        ("instruments.toml", "about =", "abuot =", "abuot"),
        ("instruments.toml", "[[instruments]]", "[[instruments", "instruments.toml"),
        ("facts.csv", "X2,", "X1,", "facts: X1 is there 2 times"),
        ("documented_events.csv", "gazette", "", "sources"),
        ("documented_events.csv", "2031-06-01", "2031-06-01T25:00", "is no date"),
        ("country.toml", '"XR"', '"Ruritania"', "country.toml"),
        ("country.toml", "-3.5", "-35", "country.toml"),
        ("outside/announcements.csv", "restrict", "forbid", "announcements.csv:2"),
    ],
)
def test_what_cannot_be_right_is_one_line(
    folder: Path, file: str, old: str, new: str, told: str
) -> None:
    path = folder / file
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new, 1))
    with pytest.raises(DataError, match=re.escape(told)) as caught:
        load(folder)
        outside_of(folder)
    assert "\n" not in str(caught.value)


def test_no_country_outside_the_package_is_read_by_name() -> None:
    for name in ("../tests", "/etc", "", "atlantis"):
        with pytest.raises(DataError):
            load(name)


def test_only_the_country_and_its_networks_must_be_there(tmp_path: Path) -> None:
    for name in ("country.toml", "networks.csv", "sources.csv"):
        shutil.copy(RURITANIA / name, tmp_path / name)
    regime = load(tmp_path)
    assert ((), ()) == (regime.instruments, regime.events)
    found = findings(herald("2031-06-01T12:00"), regime)
    assert "contradicts" == found.state and "none allows such a thing" in found.says
