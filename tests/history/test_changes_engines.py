"""The same changes whichever engine counts, and however little of it is in memory at a time."""

from __future__ import annotations

import random

import pytest

from analysis.history import changes_looks
from analysis.history.changes import of_series, parts
from analysis.history.event import Part
from analysis.history.rows import arrow, as_table
from analysis.history.table import VerdictRow
from tests.history.histories import look


def rows() -> list[VerdictRow]:
    """Some sites on some networks, each blocked for a while in a way of its own."""
    draw = random.Random(5)
    ways = ["tls.reset", "dns.nxdomain", "http.redirect,tls.reset", "throttled", "tcp.silence"]
    made = []
    for n in range(12):
        begin, way = draw.randrange(20, 90), ways[n % len(ways)]
        for hour in range(0, 150, 2):
            for asn in (6697, 25106):
                blocked = begin <= hour < begin + 40 and asn != 6697 + n % 2
                seen = way if blocked else ""
                made.append(look(hour + draw.random(), seen, host=f"site{n}.example", asn=asn,
                                 resolver=asn, probe=f"p{asn}"))  # fmt: skip
    return made


@pytest.fixture(scope="module")
def expected() -> tuple[Part, ...]:
    found = parts(as_table(rows()))
    assert len(found) >= 12
    return found


def test_spark_connect_gives_the_same(expected: tuple[Part, ...]) -> None:
    pytest.importorskip("pysail")
    from analysis.engines import sail

    with sail(threads=2) as engine:
        assert parts(engine.load(arrow(rows(), VerdictRow))) == expected


def test_batches_give_the_same(expected: tuple[Part, ...]) -> None:
    found = [
        part
        for series in changes_looks.series(as_table(rows()), most_looks=200)
        for part in of_series(series)
    ]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))
