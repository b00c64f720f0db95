"""What is published as a SQLite file and a description of it, for people who look with Datasette.

Rule: it is what is published, cell by cell, and nothing else. Datasette is no part of this
software: it is started beside it, on a file that it cannot change.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from analysis.dataset.coarse import Cell
from analysis.dataset.query import column_docs

TITLE = "zond: what was blocked, where and when"
ABOUT = (
    "Each row counts what at least five probes saw of one target in one place and period; no row"
    " tells of a single probe. A verdict within such a group may be that of one of them."
    " The links in the column url lead to the sites themselves: think of who sees you open them."
)
QUERIES = {
    "blocked": (
        "What is blocked in most networks",
        "SELECT host, mechanisms, count(DISTINCT probe_asn) AS networks, sum(measurements) AS"
        " measurements FROM cells WHERE outcome = 'blocked' AND probe_cc = :country"
        " GROUP BY host, mechanisms ORDER BY networks DESC, measurements DESC, host LIMIT 100",
    ),
    "networks_differ": (
        "Hosts that some networks block and others do not",
        "SELECT host, substr(period, 1, 7) AS month,"
        " count(DISTINCT CASE WHEN outcome = 'blocked' THEN probe_asn END) AS blocking,"
        " count(DISTINCT CASE WHEN outcome = 'ok' THEN probe_asn END) AS open FROM cells"
        " WHERE probe_cc = :country AND place_kind = 'network' GROUP BY host, month"
        " HAVING blocking > 0 AND open > 0 ORDER BY month DESC, blocking DESC, host",
    ),
    "of_host": (
        "What was seen of one host, by period and place",
        "SELECT period, probe_cc, probe_asn, network_type, outcome, mechanisms, measurements,"
        " probes, group_probes FROM cells WHERE host = :host ORDER BY period, probe_asn, outcome",
    ),
}
_SQLITE = {"str": "TEXT", "int": "INTEGER", "float": "REAL", "bool": "INTEGER"}


def cells_file(parquet: Iterable[Path], path: Path) -> Path:
    """Write the cells of all these files as the table ``cells`` of the SQLite file *path*, which
    is replaced; *path*."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    columns = [(name, _SQLITE[kind]) for name, kind, _meaning in column_docs(Cell)]
    # Quoted, for trigger is a word of SQL.
    typed = ", ".join(f'"{name}" {kind} NOT NULL' for name, kind in columns)
    db = sqlite3.connect(temporary)
    with db:
        db.execute(f"CREATE TABLE cells ({typed})")
        marks = ", ".join("?" * len(columns))
        for file in parquet:
            rows = pq.read_table(file).to_pylist()
            db.executemany(
                f"INSERT INTO cells VALUES ({marks})",  # noqa: S608 - as many as columns
                [tuple(row[name] for name, _kind in columns) for row in rows],
            )
        for column in ("host", "period", "outcome", "probe_asn"):
            db.execute(f"CREATE INDEX cells_{column} ON cells ({column})")
    db.close()
    os.replace(temporary, path)
    return path


def metadata(database: str) -> bytes:
    """What Datasette tells of the file called *database*: columns, licence, questions."""
    said = {
        "title": TITLE, "description": ABOUT, "license": "CC BY 4.0",
        "license_url": "https://creativecommons.org/licenses/by/4.0/",
        "databases": {database: {
            "queries": {
                name: {"title": title, "sql": sql} for name, (title, sql) in QUERIES.items()
            },
            "tables": {"cells": {
                "description": ABOUT,
                "columns": {
                    name: meaning.replace("`", "") for name, _, meaning in column_docs(Cell)
                },
                "facets": ["outcome", "probe_cc", "probe_asn", "mechanisms"],
                "sort_desc": "period",
            }},
        }},
    }  # fmt: skip
    return msgspec.json.format(msgspec.json.encode(said))
