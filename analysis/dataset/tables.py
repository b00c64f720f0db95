"""The tables of a dataset, or of one store: what everything that looks at many is handed."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import ibis  # type: ignore[import-untyped]  # Ibis ships no types
import pyarrow as pa  # type: ignore[import-untyped]

from analysis import engines
from analysis.dataset import manifest
from analysis.dataset.columns import SCHEMA, form, observed, stored, verdict_rows
from analysis.dataset.evidence_trials import of_runs
from analysis.dataset.marked import Weight, weighed
from analysis.dataset.trials import trials
from analysis.engines import Engine, asked
from analysis.history.rows import arrow, arrow_schema
from analysis.history.table import TestRow, VerdictRow
from analysis.observations import Observation
from analysis.verdict import observations
from probe.store import Store

Table = Any  # Ibis ships no types
Source = Path | Store


def verdict_table(
    source: Source, engine: Engine | None = None, *, marked: Weight = "full"
) -> Table:
    """The verdicts of *source*, with the columns of `VerdictRow`.

    *source* is a dataset's folder, whose verdicts are read as they were built, or a store (or
    its path), whose runs are all judged now, in memory. Without an *engine*, DuckDB in this
    process. *marked*: the weight of what a collector marked (`analysis.dataset.marked`).
    Raises `DatasetError`, `StoreError`.
    """
    if isinstance(source, Path) and source.is_dir():
        found = manifest.load(source)
        table = _files(manifest.paths(source, found.verdicts), arrow_schema(VerdictRow), engine)
        return weighed(table, source, engine or own(), marked)
    given = engine or own()
    rows = given.load(stored(_observed(source)))
    return _memory(given.answered(asked(verdict_rows, rows.schema()), rows), engine)


def test_table(source: Source, engine: Engine | None = None, *, marked: Weight = "full") -> Table:
    """What was tried beside the plain measurements of *source*, with the columns of `TestRow`;
    as `verdict_table`."""
    schema = arrow_schema(TestRow)
    if isinstance(source, Path) and source.is_dir():
        table = _files(manifest.paths(source, manifest.load(source).tests), schema, engine)
        return weighed(table, source, engine or own(), marked)
    if not isinstance(source, Store):
        with Store(source) as store:
            return test_table(store, engine)
    tried = [t for o in _observed(source) for t in trials(o)]
    return _memory(arrow([*tried, *of_runs(source, source.runs())], TestRow), engine)


test_table.__test__ = False  # type: ignore[attr-defined]  # not a test of pytest's


def observation_table(source: Source, engine: Engine | None = None) -> Table:
    """The rows that the rules read, with the columns of `Observation` and `Beside`; as
    `verdict_table`."""
    if isinstance(source, Path) and source.is_dir():
        found = manifest.load(source).observations
        paths = manifest.paths(source, found)
        if not paths:
            return _memory(SCHEMA.empty_table(), engine)
        same = all(files.form == form() for files in found.values())
        return observed(engine or own(), paths, same=same).select(*SCHEMA.names)
    return _memory(stored(_observed(source)), engine)


def _observed(source: Source) -> list[Observation]:
    if isinstance(source, Store):
        return [row for run in source.runs() for row in observations(source, run)]
    with Store(source) as store:
        return _observed(store)


def _files(paths: list[Path], schema: pa.Schema, engine: Engine | None) -> Table:
    if not paths:
        return _memory(schema.empty_table(), engine)
    return (engine or own()).read(paths).select(*schema.names)


def _memory(table: pa.Table, engine: Engine | None) -> Table:
    # Without an engine, rows in memory go with the expression to whichever runs it.
    return ibis.memtable(table) if engine is None else engine.load(table)


@cache
def own() -> Engine:
    """The engine of those who have none: one for the process, until it ends."""
    return engines.started()
