"""Parquet: every network operation that is stored, a row each, for DuckDB, pandas and the like.

One file with one table, so that whoever has a question about what was measured needs no join:
what an operation shares with its measurement and run stands beside it, and costs
nothing in columns that repeat. What only one kind of operation has is in ``record``, JSON.

pyarrow is no part of the probe (extra ``all``): it is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from probe.evidence import AnyEvidence, Measurement
from probe.export import ExportError
from probe.exporting import Item, Scrubbing, Written, items, new_file
from probe.extras import install
from probe.store import Store

GROUP = 50_000  # rows that are in memory at a time

# Column, Parquet type (pyarrow's name), meaning. docs/ooni_export.md is tested against it.
COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("measurement_id", "string", "of the measurement, the same in every way out"),
    ("about", "string", "the measurement that this one follows up; empty in the plain pass"),
    ("run_id", "string", "of the run"),
    ("source", "string", "the software that measured: `zond`, or an imported document's"),
    ("software_version", "string", "its version"),
    ("nettest", "string", "as `web_connectivity`"),
    ("url", "string", "the target"),
    ("category", "string", "of the target, in the words of its list"),
    ("measured_at", "timestamp[ms, tz=UTC]", "when the measurement began; moved within its "
     "minute where scrubbed"),
    ("probe_cc", "string", "country of the probe, ISO 3166; `ZZ` unknown"),
    ("probe_asn", "int64", "AS number of the probe's network; 0 unknown"),
    ("seq", "int32", "number of the operation in its measurement, from 0"),
    ("kind", "string", "`dns`, `tcp`, `tls`, `quic`, `certificate`, `http`, `control`, `hop`, "
     "`transfer`, `packets`, …: a class of `probe/evidence.py`"),
    ("vantage", "string", "who saw it: `probe`, or a control's name"),
    ("served", "string", "the URL that the operation served"),
    ("depth", "int32", "how many redirects led there"),
    ("step", "string", "what a follow-up tried; empty in the plain pass"),
    ("transaction", "int64", "operations of one connection share it"),
    ("t0", "double", "seconds since the measurement began: the operation's beginning"),
    ("t", "double", "and its end"),
    ("failure", "string", "null, or why it failed, in OONI's words (df-007)"),
    ("detail", "string", "what those words do not say"),
    ("ip", "string", "the address it went to; null where it went to none"),
    ("port", "int32", "and port"),
    ("hostname", "string", "the name that was looked up, sent or checked; null where none was"),
    ("status", "int32", "HTTP status; null without a response"),
    ("record", "string", "the whole record as JSON, binary fields in base64"),
)  # fmt: skip
_NAMES = ("hostname", "sni", "host", "name")


def export_parquet(store: Store, out: Path, scrubber: Scrubbing | None) -> Written:
    """Write all operations to *out*. Raises `ExportError` and `StoreError`."""
    try:
        import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types
        import pyarrow.parquet as pq  # type: ignore[import-untyped]
    except ImportError:
        raise ExportError(f"Parquet needs the package pyarrow: {install()}") from None
    kinds = {"timestamp[ms, tz=UTC]": pa.timestamp("ms", "UTC"), "double": pa.float64()}
    schema = pa.schema(
        [(name, kinds.get(kind) or pa.type_for_alias(kind)) for name, kind, _ in COLUMNS]
    )
    written = Written()
    with new_file(out) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        rows: list[dict[str, Any]] = []
        for item in items(store, scrubber, written):
            rows += rows_of(item)
            written.documents += 1
            if len(rows) >= GROUP:
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                rows = []
        writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    return written


def rows_of(item: Item) -> Iterator[dict[str, Any]]:
    """A row for each operation of the measurement and of what followed it up."""
    for measurement in (item.measurement, *item.follow_ups):
        common = _common(item, measurement)
        for seq, e in enumerate(measurement.evidence):
            yield common | _operation(seq, e)


def _common(item: Item, measurement: Measurement) -> dict[str, Any]:
    return {
        "measurement_id": measurement.id,
        "about": measurement.about,
        "run_id": item.run.id,
        "source": item.run.source or "zond",
        "software_version": measurement.software_version or item.run.software_version,
        "nettest": measurement.nettest,
        "url": measurement.url,
        "category": measurement.category,
        "measured_at": datetime.fromtimestamp(measurement.started_at, UTC),
        "probe_cc": item.run.probe_cc,
        "probe_asn": item.run.probe_asn,
    }


def _operation(seq: int, e: AnyEvidence) -> dict[str, Any]:
    said = next((v for name in _NAMES if isinstance(v := getattr(e, name, None), str) and v), None)
    return {
        "seq": seq,
        "kind": type(e).__struct_config__.tag,
        "vantage": e.vantage,
        "served": e.url,
        "depth": e.depth,
        "step": e.step,
        "transaction": e.transaction,
        "t0": e.t0,
        "t": e.t,
        "failure": e.failure.value if e.failure is not None else None,
        "detail": e.detail,
        "ip": getattr(e, "ip", None) or None,
        "port": getattr(e, "port", None) or None,
        "hostname": said,
        "status": getattr(e, "status", None) if isinstance(getattr(e, "status", None), int)
        else None,
        "record": msgspec.json.encode(e).decode(),
    }  # fmt: skip
