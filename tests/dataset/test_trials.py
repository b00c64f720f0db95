"""What was tried beside the measurement: results that are results, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.dataset.trials import RUNGS, trials
from analysis.history.table import TestRow
from analysis.observations import Observation


def tried(**columns: Any) -> dict[str, TestRow]:
    o = Observation(
        run_id="r", measurement_id="m", url="https://News.example:8443/x", probe_asn=6697,
        **({"measured": True} | columns),
    )  # fmt: skip
    return {row.test: row for row in trials(o)}


def test_rungs_are_columns_of_the_observation() -> None:
    assert set(RUNGS) <= set(Observation.__struct_fields__)


@pytest.mark.parametrize("said, result", [("same", "fails"), ("free", "works"), ("mixed", "mixed")])
def test_a_rung_tells_what_it_met(said: str, result: str) -> None:
    row = tried(no_name=said)["no_name"]
    assert (result, "news.example", 8443, 6697) == (row.result, row.host, row.port, row.probe_asn)


@pytest.mark.parametrize("said", ["", "other"])
def test_a_rung_that_tells_nothing_is_no_result(said: str) -> None:
    assert {} == tried(no_name=said)


def test_nothing_is_told_of_what_was_not_measured() -> None:
    assert {} == tried(measured=False, no_name="same")


@pytest.mark.parametrize("end, result", [("tcp", "fails"), ("tls", "works"), ("page", "works")])
def test_the_connection_stood_where_something_was_said_on_it(end: str, result: str) -> None:
    row = tried(path_end=end, path_ip="192.0.2.1")["tcp_connect"]
    assert (result, "192.0.2.1") == (row.result, row.ip)


@pytest.mark.parametrize("end", ["dns", "nothing"])
def test_without_an_address_there_was_no_connection(end: str) -> None:
    assert {} == tried(path_end=end)


def test_residual_of_nought_is_a_result_and_an_unknown_one_is_none() -> None:
    assert ("free", 0.0) == (tried(residual=0.0)["residual"].result, 0.0)
    assert 180.0 == tried(residual=180.0)["residual"].value
    assert {} == tried(residual=-1.0)


def test_what_is_slow_is_so_against_something() -> None:
    rows = tried(speed_seconds=6.0, speed_pairs=8, speed_p=0.004, speed_ratio=5.0)
    assert ("works", 6.0) == (rows["page_seconds"].result, rows["page_seconds"].value)
    assert ("slow", 5.0) == (
        rows["slower_than_control"].result, rows["slower_than_control"].value
    )  # fmt: skip
    assert "slower_than_unnamed" not in rows


def test_no_result_is_empty() -> None:
    everything = {name: "same" for name in RUNGS} | {"hop_high": 2, "reset_ttl": 60}
    assert all(row.result for row in tried(**everything).values())


def test_a_port_that_is_no_number_is_none() -> None:
    (row,) = trials(Observation(run_id="r", url="https://a:b/", measured=True, no_name="free"))
    assert 0 == row.port
