"""Outside evidence: what cannot be read is told and the rest counts; what was imported stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.regime import read
from analysis.regime.outside import KINDS, Mirror, Outage, parse, together
from analysis.regime.outside_store import import_file, load
from analysis.regime.read import DataError
from analysis.regime.tables import outside_tables
from probe.evidence import Run
from probe.schema import StoreError
from probe.store import Store

MIRRORS = "original,mirror,first_seen,source\n"


def test_each_bad_row_is_one_line_and_the_good_ones_count(tmp_path: Path) -> None:
    file = tmp_path / "m.csv"
    file.write_text(
        MIRRORS + "a.example,b.example,2021-02,press\na.example,c.example,soon,press\n"
        "a.example,d.example,2021-02-30,press\na.example,e.example,2021-03-01,\nfew,cells\n"
        f"a.example,{'x' * 300},2021-03-01,press\n"
    )
    imported = import_file("mirrors", file, tmp_path / "z.db")
    assert (1, 0) == (imported.new, imported.known)
    assert ["m.csv:3", "m.csv:4", "m.csv:5", "m.csv:6", "m.csv:7"] == [
        line.split(": ")[0] for line in imported.refused
    ]
    rows, bad = load(tmp_path / "z.db")
    assert ([], "b.example") == (bad, rows["mirrors"][0].mirror)  # type: ignore[attr-defined]


def test_a_file_that_is_imported_twice_changes_nothing(tmp_path: Path) -> None:
    file, database = tmp_path / "m.csv", tmp_path / "z.db"
    file.write_text(MIRRORS + "a.example,b.example,2021-02,press\n")
    assert 1 == import_file("mirrors", file, database).new
    again = import_file("mirrors", file, database)
    assert (0, 1) == (again.new, again.known)
    assert 1 == len(load(database)[0]["mirrors"])


def test_it_lies_beside_the_evidence_and_neither_disturbs_the_other(tmp_path: Path) -> None:
    database = tmp_path / "z.db"
    with Store(database, write=True) as store:
        store.begin_run(Run(id="r", started_at=1.0), [])
    assert ({}, []) == load(database)
    file = tmp_path / "m.csv"
    file.write_text(MIRRORS + "a.example,b.example,2021-02,press\n")
    import_file("mirrors", file, database)
    with Store(database) as store:
        assert ["r"] == [run.id for run in store.runs()]
    assert 1 == len(load(database)[0]["mirrors"])


def test_no_database_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no database"):
        load(tmp_path / "none.db")


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        ("rumours", MIRRORS, "no kind 'rumours'"),
        ("mirrors", "original,mirror\na,b\n", "no column first_seen, source"),
        ("mirrors", MIRRORS.replace("source", "source,colour"), "unknown column colour"),
        ("mirrors", "", "no column"),
        ("mirrors", MIRRORS + '"a,b', "m.csv:"),
    ],
)
def test_a_file_of_another_kind_is_refused_whole(
    tmp_path: Path, kind: str, text: str, told: str
) -> None:
    file = tmp_path / "m.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=told):
        import_file(kind, file, tmp_path / "z.db")
    assert not (tmp_path / "z.db").exists()


def test_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "m.csv"
    file.write_text(MIRRORS + "a.example,b.example,2021-02,press\n" * 3)
    monkeypatch.setattr(read, "MAX_ROWS", 2)
    with pytest.raises(DataError, match="more than 2 rows"):
        import_file("mirrors", file, tmp_path / "z.db")
    monkeypatch.setattr(read, "MAX_BYTES", 10)
    with pytest.raises(DataError, match="more than 10 bytes"):
        import_file("mirrors", file, tmp_path / "z.db")


def test_hosts_are_compared_as_names_are_and_a_url_is_none() -> None:
    text = MIRRORS + "KYKY.org.,Kyky.Media,2020-12,s\nkyky.org,https://kyky.media/,2020-12,s\n"
    good, bad = parse("mirrors", text, "m.csv")
    kyky = Mirror(original="kyky.org", mirror="kyky.media", first_seen="2020-12", source="s")
    assert [kyky] == good
    assert 1 == len(bad) and "m.csv:3: " in bad[0]


@pytest.mark.parametrize(
    "date", ["20201214", "2020-W51", "2020-12-14 01:20", "12.14.2020", "2020-1-2", "9999", "²⁰²⁰"]
)
def test_a_date_in_another_form_is_told_and_not_guessed(date: str) -> None:
    good, bad = parse("mirrors", MIRRORS + f"a.example,b.example,{date},s\n", "m.csv")
    assert ([], [f"m.csv:2: first_seen: {date!r} is no date"]) == (good, bad)


def test_numbers_have_their_limits() -> None:
    header = "feed,asn,start,depth,source\n"
    for row in ("f,-1,2020,0,s", "f,1,2020,1.5,s", "f,1,2020,nan,s", "f,4294967296,2020,0,s"):
        assert ([], 1) == (lambda found: (found[0], len(found[1])))(
            parse("outages", header + row + "\n", "o.csv")
        ), row


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
def test_no_text_raises_anything_but_one_clear_error(text: str) -> None:
    for kind in ("mirrors", "outages"):
        for prefix in ("", MIRRORS):
            try:
                good, bad = parse(kind, prefix + text, "t.csv")
            except DataError:
                continue
            assert all(isinstance(row, KINDS[kind]) for row in good)
            assert all(line.startswith("t.csv:") for line in bad)


def test_the_same_row_from_two_places_counts_once() -> None:
    mirror = Mirror(original="a", mirror="b", first_seen="2021", source="s")
    assert {"mirrors": (mirror,)} == together([{"mirrors": (mirror,)}, {"mirrors": (mirror,)}])


def test_every_kind_is_a_table_also_where_nothing_is_known() -> None:
    outage = Outage(feed="f", start="2020-08-09T18:00+00:00", source="s")
    tables = outside_tables({"outages": (outage,)}, 3)
    assert set(KINDS) == set(tables)
    [row] = tables["outages"].to_pylist()
    assert (1596996000.0, 1596996060.0, None) == (
        row["start_first"], row["start_last"], row["end_first"],
    )  # fmt: skip
    assert 0 == tables["zones"].num_rows and "at_first" in tables["zones"].column_names
