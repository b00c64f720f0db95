"""Cells: what counts for a mechanism, what against, and what for neither."""

from __future__ import annotations

from typing import Any

import pytest

from analysis import engines
from analysis.history.cells import cells
from analysis.history.credible import with_intervals
from analysis.history.rows import arrow, as_table
from analysis.history.table import VerdictRow
from tests.dataset.varied import varied_verdicts

HOUR = 3600.0
START = 20_000 * 24 * HOUR


def row(
    outcome: str = "ok", *mechanisms: str, probe: str = "p", at: float = 0.0,
    url: str = "https://news.example/", asn: int = 6697, resolver: int = 6697,
) -> VerdictRow:
    when = START + at * HOUR
    return VerdictRow(
        measurement_id="m", run_id="run", url=url, host="news.example", measured_at=when,
        day=int(when // 86400), hour=int(when // HOUR), probe_id=probe, probe_cc="BY",
        probe_asn=asn, resolver_asn=resolver, outcome=outcome,
        mechanism=mechanisms[0] if mechanisms else "", mechanisms=",".join(mechanisms),
    )  # fmt: skip


def counted(*rows: VerdictRow, **how: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cells(as_table(rows), **how).to_pyarrow().to_pylist()
    return found


def of(found: list[dict[str, Any]], mechanism: str) -> tuple[int, int]:
    (cell,) = [c for c in found if c["mechanism"] == mechanism]
    return cell["blocked"], cell["usable"]


def test_blocked_counts_for_and_ok_against() -> None:
    found = counted(row("blocked", "tls.reset"), row(), row())
    assert (1, 3) == of(found, "any") == of(found, "tls.reset")


def test_reachable_and_interfered_with_counts_for_the_mechanism() -> None:
    found = counted(row("ok", "dns.injected"), row())
    assert (1, 2) == of(found, "dns.injected") == of(found, "any")


@pytest.mark.parametrize(
    "outcome", ["down", "server_side", "local_fault", "inconclusive", "not_measured"]
)
def test_what_tells_nothing_counts_for_neither(outcome: str) -> None:
    (cell,) = counted(row(), row(outcome))
    assert (0, 1, 2) == (cell["blocked"], cell["usable"], cell["rows"])
    column = outcome if outcome in cell else "undecided"
    assert 1 == cell[column]


def test_a_cell_in_which_nothing_could_be_seen_is_there_and_empty() -> None:
    (cell,) = counted(row("local_fault"))
    assert (0, 0, 0, 1) == (cell["blocked"], cell["usable"], cell["probes"], cell["rows"])


def test_what_was_cut_off_at_the_name_is_no_look_at_the_handshake() -> None:
    found = counted(row("blocked", "dns.nxdomain"), row("blocked", "tls.reset"), row())
    assert (1, 2) == of(found, "tls.reset")
    assert (1, 3) == of(found, "dns.nxdomain")
    assert (2, 3) == of(found, "any")


def test_both_mechanisms_of_one_row_count() -> None:
    found = counted(row("blocked", "dns.nxdomain", "tls.reset"), row())
    assert (1, 2) == of(found, "tls.reset") == of(found, "dns.nxdomain")


def test_a_block_without_a_mechanism_is_a_block_and_no_look_at_any() -> None:
    found = counted(row("blocked"), row("blocked", "tls.reset"), row())
    assert (2, 3) == of(found, "any")
    assert (1, 2) == of(found, "tls.reset")


def test_a_page_over_tls_is_no_look_at_those_in_the_clear() -> None:
    clear = "http://news.example/"
    found = counted(row("blocked", "http.redirect", url=clear), row(), row(), row(url=clear))
    assert (1, 2) == of(found, "http.redirect")
    assert (1, 4) == of(found, "any")


def test_a_mechanism_has_cells_with_nought_in_its_series_only() -> None:
    found = counted(
        row("blocked", "tls.reset"), row(at=24), row(at=24, asn=12406), row(at=24, resolver=15169)
    )
    mine = {(c["probe_asn"], c["resolver_asn"], c["day"], c["blocked"], c["usable"])
            for c in found if c["mechanism"] == "tls.reset"}  # fmt: skip
    assert {(6697, 6697, 20_000, 1, 1), (6697, 6697, 20_001, 0, 1)} == mine


def test_probes_are_counted_once_however_often_they_measure() -> None:
    rows = [row("blocked", "tls.reset", probe="a", at=n / 10) for n in range(8)]
    (cell,) = [c for c in counted(*rows, row(probe="b")) if c["mechanism"] == "tls.reset"]
    assert (2, 1, 8 * 8 + 1, 8.0) == (
        cell["probes"], cell["probes_blocked"], cell["squares"], cell["within"]
    )  # fmt: skip


def test_without_a_pseudonym_a_run_is_a_probe() -> None:
    (cell,) = counted(row(probe=""), row(probe=""))
    assert 1 == cell["probes"]


def test_hours_and_urls_where_asked_for() -> None:
    other = "https://news.example/other"
    found = counted(row(), row(at=1), row(url=other), target="url", every="hour")
    assert 3 == len(found)
    assert {"https://news.example/", other} == {c["url"] for c in found}


def test_one_witness_who_repeats_himself_is_less_sure_than_many() -> None:
    one = [row("blocked", "tls.reset", probe="a") for _ in range(20)]
    many = [row("blocked", "tls.reset", probe=str(n)) for n in range(20)]
    lows = []
    for rows in (one, many):
        table = with_intervals(cells(as_table(rows)).to_pyarrow())
        (cell,) = [c for c in table.to_pylist() if c["mechanism"] == "any"]
        lows.append(cell["low"])
    assert lows[0] < 0.3 < 0.8 < lows[1]


def test_engines_count_alike() -> None:
    rows = varied_verdicts(4000, seed=6)
    found = []
    for name in engines.NAMES:
        with engines.engine(name) as engine:
            table = cells(engine.load(arrow(rows, VerdictRow)), every="hour", target="url")
            table = engine.arrow(table)
        keys = [(c, "ascending") for c in table.column_names[:6]]
        found.append(table.sort_by(keys))
    assert found[0].num_rows > 500
    assert found[0].schema == found[1].schema
    for column in found[0].column_names:
        left, right = (table[column].to_pylist() for table in found)
        assert left == pytest.approx(right, rel=1e-12) if column == "within" else left == right
