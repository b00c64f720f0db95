"""The columns of the dataset's Parquet files, and how verdict rows come out of them.

An observation is stored with what of the verdict row depends on no rule and is no business of
SQL's (`Beside`): then the rest is an expression over columns, the same in any engine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import ibis  # type: ignore[import-untyped]
import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
from msgspec import Meta

from analysis.engines import Engine
from analysis.history.rows import arrow, arrow_schema
from analysis.history.table import DAY, HOUR, VerdictRow, host_of
from analysis.judging import judged
from analysis.observations import Observation
from analysis.verdict import fingerprints

Table = Any  # Ibis ships no types


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored beside an `Observation`: what no engine would read out of it alike."""

    host: Annotated[str, Meta(description="host name, or address, of the target")] = ""
    fingerprints: Annotated[str, Meta(description="ids of all fingerprints that match")] = ""
    date: Annotated[str, Meta(description="day on which the run began, UTC, as 2026-11-22")] = ""
    cc: Annotated[str, Meta(description="country of the partition; `ZZ`: none")] = "ZZ"


SCHEMA = pa.schema([*arrow_schema(Observation), *arrow_schema(Beside)])


def stored(rows: Iterable[Observation], *, date: str = "", cc: str = "ZZ") -> pa.Table:
    """The table that is written of *rows*, all of one partition, with the columns of `SCHEMA`."""
    kept = list(rows)
    beside = (
        Beside(host=host_of(o.url), fingerprints=",".join(fingerprints(o)), date=date, cc=cc)
        for o in kept
    )
    columns = [*arrow(kept, Observation).columns, *arrow(beside, Beside).columns]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def form() -> str:
    """Changes with the columns: of files of another form some may be missing."""
    return hashlib.sha256(",".join(SCHEMA.names).encode()).hexdigest()[:12]


def observed(engine: Engine, paths: Sequence[Path], *, same: bool) -> Table:
    """The observations in *paths*, with the columns of `SCHEMA`.

    Where the files are not all of the *same* form as this version's, a column that one lacks
    has its default there, which says that nothing was seen: what was derived before a
    column was thought of can be judged all the same, by the rules that do not ask for it.
    """
    table = engine.read(paths, merged=not same)
    if same:
        return table
    whole: dict[str, Any] = {}
    for name, default in _defaults().items():
        value = ibis.literal(default, type=_IBIS[type(default)])
        whole[name] = table[name].fill_null(value) if name in table.columns else value
    return table.select(**whole)


def _defaults() -> dict[str, Any]:
    plain = Observation(run_id="", url=""), Beside()
    return {name: value for row in plain for name, value in msgspec.structs.asdict(row).items()}


_IBIS = {str: "string", int: "int64", float: "float64", bool: "boolean"}
PARTITION = ("date", "cc")


def verdict_rows(observations: Table, *, beside: Iterable[str] = ()) -> Table:
    """The verdicts of a table with the columns of `SCHEMA`: a table with those of `VerdictRow`,
    and with the columns *beside* of the observations."""
    table = judged(observations)
    seconds = table.measured_at.floor().cast("int64")  # then as Python's // on numbers above 0
    columns: dict[str, Any] = {
        "source": ibis.ifelse(table.source == "", "zond", table.source),
        "probe_id": ibis.ifelse(table.probe_id == "", table.run_id, table.probe_id),
        "region": ibis.literal(""),
        "day": (seconds // int(DAY)).cast("int64"),
        "hour": (seconds // int(HOUR)).cast("int64"),
        "ip": table.path_ip,
        "position": table.verdict_position,
        "residual": table.verdict_residual,
        "hop_ip": table.verdict_hop_ip,
        "hop_asn": table.verdict_hop_asn,
    }
    names = (*VerdictRow.__struct_fields__, *beside)
    return table.select(
        **{name: columns[name] if name in columns else table[name] for name in names}
    )
