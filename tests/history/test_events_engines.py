"""The same events whichever engine counts."""

from __future__ import annotations

import pytest

from analysis import engines
from analysis.history.event import Event, Part
from analysis.history.events import events
from analysis.history.rows import arrow, as_table
from analysis.history.table import VerdictRow
from tests.history.by_hand import NETWORKS, looks, part, watched


def history() -> tuple[list[VerdictRow], list[Part]]:
    """A national block, one at some hours, a site that dies, a shutdown, and looks from abroad."""
    on = {10: (24, 999), 11: (30, 999), 20: (40, 999), 21: (28, 90)}
    rows = watched((10, 11, 12, 20, 21), 0, 140, blocked=on)
    rows += watched((10, 20), 0, 140, host="hours.example", blocked={10: (60, 66)})
    rows += looks(range(140), asn=901, probe_cc="PL")
    for asn in (10, 11, 20):
        for probe in "ab":
            rows += looks(range(50, 140), asn=asn, probe=probe, host="dead.example", outcome="down")
            rows += looks(range(50), asn=asn, probe=probe, host="dead.example")
            rows += looks(range(141, 150), asn=asn, probe=probe, host="foreign.example",
                          outcome="inconclusive", foreign_lost=True)  # fmt: skip
    parts = [part(begin, None if end > 140 else end, asn=a) for a, (begin, end) in on.items()]
    parts.append(part(60, 66, host="hours.example", hours=(12, 13, 14, 15, 16, 17)))
    return rows, parts


@pytest.fixture(scope="module")
def expected() -> list[Event]:
    rows, parts = history()
    found = events(as_table(rows), parts, NETWORKS)
    assert {"blocking", "ddos", "shutdown"} == {e.kind for e in found}
    return found


def test_spark_connect_gives_the_same(expected: list[Event]) -> None:
    pytest.importorskip("pysail")
    rows, parts = history()
    with engines.sail(threads=2) as engine:
        assert expected == events(engine.load(arrow(rows, VerdictRow)), parts, NETWORKS)
