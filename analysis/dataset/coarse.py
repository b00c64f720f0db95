"""Counts for publication: coarse enough that nobody is told apart by them.

Rule: what is published of a target says what at least `K` probes saw of it together. Where
fewer measured a target in a network on a day, the day becomes a week, then a month; then
the network becomes its kind, then the country. What is too little even so is left out, and
counted. A measurement is in exactly one group: nothing can be had by subtracting one from
another.

Probes are counted by the pseudonyms of keys (`probe.upload.identity`): one network, one month. So a
week ends with its month, and where networks are joined twice as many pseudonyms are asked
for, since one person may have a line at home and a telephone. What the collector marked
counts for nobody and is left out: who sends much from many keys makes nobody else visible by it,
and a row of what was marked would show the one honest probe among his own.

The model is k-anonymity (Sweeney 2002) with generalisation of place and time; there is no
pseudonym in what is published, so that rows of different days cannot be joined to a probe.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import duckdb
import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
from msgspec import Meta

from analysis.dataset import catalogue, manifest
from analysis.history.rows import arrow_schema
from analysis.history.table import VerdictRow

K = 5  # probes; see docs/dataset.md
PEOPLE = 2  # networks that one person has: at home, and a telephone's


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """What probes saw of one target in one place and time. All that is published."""

    period: Annotated[
        str, Meta(description="`2026-11-22`, `2026-11-16/2026-11-22` or `2026-11`, UTC")
    ]
    period_kind: Annotated[str, Meta(description="`day`, `week` (cut at the month) or `month`")]
    probe_cc: Annotated[str, Meta(description="country of the probes, ISO 3166")]
    place_kind: Annotated[str, Meta(description="`network`, `kind` of network, or `country`")]
    probe_asn: Annotated[int, Meta(description="access network; 0: coarsened, or not known")]
    network_type: Annotated[
        str, Meta(description="`mobile`, `fixed`; empty: not known, or coarsened")
    ]
    nettest: Annotated[str, Meta(description="the nettest, as `web_connectivity`")]
    url: Annotated[str, Meta(description="the target")]
    host: Annotated[str, Meta(description="its host name, or address")]
    category: Annotated[str, Meta(description="Citizen Lab's category code")]
    outcome: Annotated[str, Meta(description="the verdicts' outcome")]
    mechanisms: Annotated[str, Meta(description="mechanisms that they name, with commas")]
    trigger: Annotated[str, Meta(description="name, address, port, protocol, any")]
    fingerprints: Annotated[str, Meta(description="ids of the fingerprints that match")]
    rules_version: Annotated[str, Meta(description="version of the rules that judged")]
    measurements: Annotated[int, Meta(description="measurements with this verdict")]
    probes: Annotated[int, Meta(description="pseudonyms that made them")]
    group_probes: Annotated[
        int, Meta(description="pseudonyms that measured the target there and then")
    ]
    probability: Annotated[
        float, Meta(description="mean probability of the verdicts, 0 to 1; -1: none has one")
    ]


class _Level(NamedTuple):
    period: str
    place: str
    need: int  # times k


LEVELS = (
    _Level("day", "network", 1), _Level("week", "network", 1), _Level("month", "network", 1),
    _Level("month", "kind", PEOPLE), _Level("month", "country", PEOPLE),
)  # fmt: skip

_ROWS = """
CREATE TABLE remaining AS
SELECT v.*, c.pseudonym, c.marks != '' AS marked, d.day_at,
    strftime(d.day_at, '%Y-%m') AS month
FROM verdicts v JOIN collected c USING (measurement_id),
    LATERAL (SELECT DATE '1970-01-01' + CAST(v.day AS INTEGER) AS day_at) d
WHERE c.pseudonym != '' AND v.outcome != 'not_measured'
"""
_PERIOD = {
    "day": "strftime(day_at, '%Y-%m-%d')",
    "week": (
        "strftime(greatest(date_trunc('week', day_at), date_trunc('month', day_at)), '%Y-%m-%d')"
        " || '/' || strftime(least(date_trunc('week', day_at) + INTERVAL 6 DAY,"
        " last_day(day_at)), '%Y-%m-%d')"
    ),
    "month": "month",
}
_ASN = {"network": "probe_asn", "kind": "0", "country": "0"}
_TYPE = {"network": "network_type", "kind": "network_type", "country": "''"}
_GROUP = "period, period_kind, probe_cc, place_kind, asn, type, nettest, url"
_CELL = (
    "period, period_kind, probe_cc, place_kind, asn AS probe_asn, type AS network_type, nettest,"
    " url, host, category, outcome, mechanisms, trigger, fingerprints, rules_version"
)


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """*cells* has the columns of `Cell`; *measurements* are in them, *too_few* are not because
    too few probes measured the same, *marked* because the collector marked them."""

    month: str
    cells: pa.Table
    measurements: int
    too_few: int
    marked: int


class Coarse:
    """The counts of the dataset in *root*, by month, from at least *k* probes each.

    Raises `DatasetError`. Use it in this process alone: it holds what is not published.
    """

    def __init__(self, root: Path, *, k: int = K) -> None:
        self._db = duckdb.connect(":memory:")
        paths = [str(path) for path in manifest.paths(root, manifest.load(root).verdicts)]
        self._db.register("collected", catalogue.tables(root)["collected"])
        if paths:
            self._db.execute(
                "CREATE TABLE verdicts AS SELECT * FROM read_parquet(?, union_by_name = true,"
                " hive_partitioning = false)", [paths],
            )  # fmt: skip
        else:
            self._db.register("verdicts", arrow_schema(VerdictRow).empty_table())
        self._db.execute(_ROWS)
        self._totals = dict(self._db.execute(
            "SELECT month, count(*) FROM remaining GROUP BY 1 ORDER BY 1"
        ).fetchall())  # fmt: skip
        (self.no_pseudonym,) = self._count(
            "SELECT count(*) FROM verdicts WHERE outcome != 'not_measured' AND measurement_id"
            " NOT IN (SELECT measurement_id FROM collected WHERE pseudonym != '')"
        )
        self._marked = dict(self._db.execute(
            "SELECT month, count(*) FROM remaining WHERE marked GROUP BY 1"
        ).fetchall())  # fmt: skip
        self._db.execute("DELETE FROM remaining WHERE marked")
        for level in LEVELS:
            self._place(level, k)

    def close(self) -> None:
        self._db.close()

    @property
    def totals(self) -> dict[str, int]:
        """How many measurements with a pseudonym each month has."""
        return dict(self._totals)

    def month(self, month: str) -> Month:
        """What may be told of *month*."""
        cells = self._db.execute(
            f"SELECT {_CELL}, count(*) AS measurements, count(DISTINCT pseudonym) AS probes,"  # noqa: S608
            " any_value(group_probes) AS group_probes,"
            " coalesce(avg(probability) FILTER (probability >= 0), -1.0) AS probability"
            " FROM placed WHERE month = ? GROUP BY ALL ORDER BY ALL", [month],
        ).fetchall()  # fmt: skip
        schema = arrow_schema(Cell)
        columns = list(zip(*cells, strict=True)) or [()] * len(schema)
        table = pa.Table.from_arrays(
            [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)],
            schema=schema,
        )
        (placed,) = self._count("SELECT count(*) FROM placed WHERE month = ?", month)
        marked = self._marked.get(month, 0)
        return Month(
            month=month, cells=table, measurements=placed, marked=marked,
            too_few=self._totals.get(month, 0) - placed - marked,
        )  # fmt: skip

    def _place(self, level: _Level, k: int) -> None:
        """Move what is in groups that are large enough at *level* to `placed`."""
        self._db.execute(
            f"CREATE OR REPLACE TABLE told AS SELECT *, {_PERIOD[level.period]} AS period,"  # noqa: S608
            f" '{level.period}' AS period_kind, '{level.place}' AS place_kind,"
            f" {_ASN[level.place]} AS asn, {_TYPE[level.place]} AS type FROM remaining"
        )
        self._db.execute(
            f"CREATE OR REPLACE TABLE large AS SELECT {_GROUP}, count(DISTINCT pseudonym)"  # noqa: S608
            f" AS group_probes FROM told GROUP BY {_GROUP}"
            f" HAVING group_probes >= {k * level.need}"
        )
        joined = f"SELECT t.*, g.group_probes FROM told t JOIN large g USING ({_GROUP})"  # noqa: S608
        if level is LEVELS[0]:
            self._db.execute(f"CREATE TABLE placed AS {joined}")
        else:
            self._db.execute(f"INSERT INTO placed {joined}")
        self._db.execute(
            "DELETE FROM remaining WHERE measurement_id || ' ' || url IN"
            " (SELECT measurement_id || ' ' || url FROM placed)"
        )

    def _count(self, sql: str, *parameters: object) -> tuple[int]:
        row = self._db.execute(sql, list(parameters)).fetchone()
        assert row is not None  # a count always has one
        return (int(row[0]),)
