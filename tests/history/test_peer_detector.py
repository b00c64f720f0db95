"""The detector that ours is compared with does what is published of it."""

from __future__ import annotations

import math

from analysis.history.rows import as_table
from analysis.history.table import VerdictRow
from bench.peer_detector import HALF, THRESHOLD, changepoints


def row(hour: int, mechanism: str, minute: int = 0) -> VerdictRow:
    return VerdictRow(
        measurement_id=f"{hour} {minute}", url="https://x.example/", host="x.example",
        measured_at=hour * 3600.0 + minute * 60, hour=hour, probe_cc="BY", probe_asn=25106,
        resolver_asn=25106, outcome="blocked" if mechanism else "ok", mechanisms=mechanism,
    )  # fmt: skip


def test_it_tells_a_reset_after_as_many_hours_as_its_increments_take() -> None:
    rows = [row(h, "tls.reset" if h >= 100 else "") for h in range(1, 200)]
    (change,) = changepoints(as_table(rows))
    needed = math.ceil(THRESHOLD / (0.8 - HALF))
    assert (change.signal, change.state, change.since) == ("tls", "blocked", 100 * 3600.0)
    assert change.at == (100 + needed) * 3600.0


def test_its_median_hides_a_block_of_less_than_half() -> None:
    rows = [
        row(h, "tls.reset" if h >= 100 and minute == 0 else "", minute)
        for h in range(1, 300) for minute in (0, 20, 40)
    ]  # fmt: skip
    assert changepoints(as_table(rows)) == []


def test_it_has_no_signal_for_pages_and_tells_a_lift_as_another_change() -> None:
    assert changepoints(as_table([row(h, "http.blockpage") for h in range(1, 100)])) == []
    rows = [row(h, "tcp.silence" if 50 <= h < 90 else "") for h in range(1, 150)]
    assert ["blocked", "ok"] == [c.state for c in changepoints(as_table(rows))]


def test_it_forgets_what_it_knew_after_ten_days_of_nothing() -> None:
    hours = [*range(1, 40), *range(400, 440)]
    rows = [row(h, "tls.reset") for h in hours]
    assert 2 == len(changepoints(as_table(rows)))
