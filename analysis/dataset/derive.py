"""From a store's runs to files of observations and tests: one share of a store at a time.

A share is what began on one day in one country; it becomes one file of each table, whoever
writes it and however often, so that shares are made side by side by processes that
know nothing of each other.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from analysis import services, signers
from analysis.dataset.columns import SCHEMA, form, stored
from analysis.dataset.evidence_trials import of_runs
from analysis.dataset.manifest import Files
from analysis.dataset.trials import trials
from analysis.fingerprints import source_text
from analysis.history.rows import arrow, arrow_schema
from analysis.history.table import TestRow
from analysis.observations import DERIVATION
from analysis.verdict import observations
from probe.evidence import Run
from probe.store import Store, StoreError

ROWS = 20_000  # in memory, and in a row group
TRIALS = "2026-11-22"  # of the tests from the evidence; changes with their meaning
UNKNOWN_DAY = "1970-01-01"  # of a time that no clock can have shown
_LAST_TIME = 253402300799.0  # the end of the year 9999
_log = logging.getLogger(__name__)


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of the store at *store* that began on *date* (UTC) in the country *cc*; *size*
    measurements, follow-ups among them."""

    key: str
    store: str
    date: str
    cc: str
    runs: tuple[Run, ...]
    size: int
    signature: str

    @property
    def partition(self) -> str:
        return f"date={self.date}/cc={self.cc}"


def shares(store: Store) -> list[Share]:
    """All of *store*, in shares. A share's signature changes with its runs, with what is
    stored of them, and with the derivation of the fields."""
    runs, sizes = store.runs(), store.sizes()
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((_date(run.started_at), _country(run.probe_cc)), []).append(run)
    found = []
    for (date, cc), members in sorted(groups.items()):
        digest = hashlib.sha256(derivation().encode())
        for run in members:
            digest.update(msgspec.json.encode((run, sizes.get(run.id, (0, 0)))))
        # A store is known by its first run: it may be moved, copied, and grow.
        key = f"{runs[0].id}/{date}/{cc}"
        found.append(
            Share(
                key=key, store=str(store.path), date=date, cc=cc, runs=tuple(members),
                size=sum(sizes.get(run.id, (0, 0))[0] for run in members),
                signature=digest.hexdigest()[:32],
            )
        )
    return found


def derivation() -> str:
    """Changes with the derivation of the fields, with what they are compared with, and with
    the columns."""
    data = (DERIVATION, TRIALS, source_text(), signers.source_text(), services.source_text())
    columns = (*SCHEMA.names, *arrow_schema(TestRow).names)
    return hashlib.sha256("\n".join((*data, *columns)).encode()).hexdigest()


def derive(share: Share, root: Path) -> tuple[Files, Files]:
    """Write the observations and the tests of *share* below *root*, and say what was written.

    A run that cannot be read is a problem that is told, and the others are written.
    """
    name = f"{hashlib.sha256(share.key.encode()).hexdigest()[:12]}-{share.signature[:12]}.parquet"
    problems: list[str] = []
    batches = _in_batches(share, _seen_of, problems)
    seen = _Writer(root, f"observations/{share.partition}/{name}", SCHEMA)
    tried = _Writer(root, f"tests/{share.partition}/{name}", arrow_schema(TestRow))
    with seen, tried:
        for batch in batches:
            seen.write(stored(batch, date=share.date, cc=share.cc))
            tried.write(arrow((row for o in batch for row in trials(o)), TestRow))
        for some in _in_batches(share, _tried_of, []):  # told with the observations
            tried.write(arrow(some, TestRow))
    return (
        seen.files(share.signature, tuple(problems)), tried.files(share.signature)
    )  # fmt: skip


def _in_batches(
    share: Share, of: Callable[[Store, Run], list[Any]], problems: list[str]
) -> Iterator[list[Any]]:
    """What *of* makes of the runs of *share*. Strangers send what they like, so a bug of ours
    costs the run that shows it, and never the runs of others."""
    rows: list[Any] = []
    with Store(share.store) as store:
        for run in share.runs:
            try:
                rows += of(store, run)
            except StoreError as exc:
                problems.append(f"run {run.id}: {exc}")
            except Exception as exc:  # noqa: BLE001 - it is told, and the documents are kept
                _log.exception("a bug, at run %s", run.id)
                problems.append(f"run {run.id}: a bug: {type(exc).__name__}")
            while len(rows) >= ROWS:
                yield rows[:ROWS]
                del rows[:ROWS]
    if rows:
        yield rows


def _seen_of(store: Store, run: Run) -> list[Any]:
    rows = observations(store, run)
    # What no column can hold shows here, and not where it is written among others.
    stored(rows)
    arrow((row for o in rows for row in trials(o)), TestRow)
    return rows


def _tried_of(store: Store, run: Run) -> list[Any]:
    rows = list(of_runs(store, [run]))
    arrow(rows, TestRow)
    return rows


class _Writer:
    """One Parquet file, which has its name when all of it is on the disk; none without rows."""

    def __init__(self, root: Path, name: str, schema: pa.Schema) -> None:
        self._root, self._name, self._schema = root, name, schema
        self._temporary = root / f"{name}.{os.getpid()}"
        self._writer: Any = None
        self._rows = 0

    def write(self, table: pa.Table) -> None:
        if not table.num_rows:
            return
        if self._writer is None:
            self._temporary.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(
                self._temporary, self._schema, compression="zstd", use_dictionary=True
            )
        self._writer.write_table(table, row_group_size=ROWS)
        self._rows += table.num_rows

    def files(self, signature: str, problems: Sequence[str] = ()) -> Files:
        names = (self._name,) if self._writer is not None else ()
        return Files(
            signature=signature, files=names, rows=self._rows, form=form(),
            problems=tuple(problems),
        )

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, exc: object, traceback: object) -> None:
        if self._writer is None:
            return
        self._writer.close()
        if exc is None:
            os.replace(self._temporary, self._root / self._name)
        else:
            self._temporary.unlink(missing_ok=True)


def _date(at: float) -> str:
    if not 0 <= at <= _LAST_TIME:
        return UNKNOWN_DAY
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def _country(cc: str) -> str:
    """*cc* where it is two capital letters: it becomes the name of a folder."""
    return cc if len(cc) == 2 and cc.isascii() and cc.isalpha() and cc.isupper() else "ZZ"


