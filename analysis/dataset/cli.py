"""``zond dataset``: make the dataset of what collectors took, ask it, publish it.

Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import click
import duckdb
import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.csv as pa_csv  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analysis.dataset.building import build as build_tables
from analysis.dataset.catalogue import Catalogue
from analysis.dataset.coarse import K
from analysis.dataset.collect import STORE, collect
from analysis.dataset.compacting import compact as compact_tables
from analysis.dataset.copying import copy as copy_tables
from analysis.dataset.publish import check as check_publication
from analysis.dataset.publish import publish as publish_months
from analysis.dataset.query import Queries, QueryError
from analysis.ending import explained

UNREADABLE = (QueryError, sqlite3.Error, duckdb.Error)
MAX_QUERY = 1 << 20  # bytes of a file that holds one

_dataset = click.argument(
    "dataset", metavar="DATASET", type=click.Path(path_type=Path, exists=True, file_okay=False)
)


@click.group()
def dataset() -> None:
    """The shared dataset: made of what collectors took, asked, published."""


@dataset.command()
@click.option(
    "--collector-data", "collectors", multiple=True, metavar="DIR",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A collector's folder, which may be serving; may be repeated.",
)
@click.option(
    "--db", "databases", multiple=True, metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A database that 'zond run' or 'zond import' wrote; may be repeated.",
)
@click.option(
    "--out", required=True, metavar="DATASET", type=click.Path(path_type=Path, file_okay=False),
    help="The dataset's folder; what has not changed is not done again.",
)
def build(collectors: tuple[Path, ...], databases: tuple[Path, ...], out: Path) -> None:
    """Make the dataset, or bring it up to date. Each measurement is in it once.

    Example: zond dataset build --collector-data /var/lib/zond-collector --out dataset
    """
    if not collectors and not databases:
        raise click.UsageError("nothing to build from: --collector-data or --db")
    with explained(*UNREADABLE):
        for data in collectors:
            taken = collect(data, out)
            click.echo(f"{taken.batches} new batches, {taken.measurements} measurements", err=True)
            for reason, count in sorted(taken.left_out.items()):
                click.echo(f"left out: {count}: {reason}", err=True)
        stores = [out / STORE] if collectors else []
        for store in (*stores, *databases):
            built = build_tables(store, out)
        click.echo(
            f"{built.observations} observations: {built.derived} parts derived,"
            f" {built.kept} as they were, {built.judged} judged", err=True,
        )  # fmt: skip
        for problem in built.problems:
            click.echo(f"left out: {problem}", err=True)


@dataset.command()
@_dataset
def compact(dataset: Path) -> None:
    """Make few files of many, one for each table, month and country; no row changes.

    Example: zond dataset compact dataset
    """
    with explained(*UNREADABLE):
        with Console(stderr=True).status("compacting"):
            done = compact_tables(dataset)
    click.echo(
        f"{done.files_before} files, {done.bytes_before:,} bytes;"
        f" now {done.files} files, {done.bytes:,} bytes", err=True,
    )  # fmt: skip


@dataset.command("copy")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def copy_(source: str, target: str) -> None:
    """Copy a dataset to object storage or back: a folder, or s3://bucket/dataset. Only what is not
    there is sent, and who reads there meets it whole.

    Example: zond dataset copy dataset s3://zond/dataset
    """
    with explained(*UNREADABLE):
        with Console(stderr=True).status("copying"):
            done = copy_tables(source, target)
    click.echo(
        f"{done.sent} files sent, {done.bytes:,} bytes; {done.kept} were there;"
        f" {done.removed} removed", err=True,
    )  # fmt: skip


@dataset.command()
@_dataset
def status(dataset: Path) -> None:
    """What came from collectors, and what was left out and why, as JSON."""
    with explained(*UNREADABLE):
        with Queries(dataset) as queries:
            (row,) = queries.ask(
                "SELECT count(*) AS verdicts, count(DISTINCT pseudonym)"
                " FILTER (pseudonym != '') AS pseudonyms,"
                " count(*) FILTER (marks != '') AS marked FROM verdicts"
            ).to_pylist()
        with Catalogue(dataset) as catalogue:
            batches, measurements = catalogue.counts()
            row |= {"batches": batches, "measurements": measurements,
                    "left_out": catalogue.reasons()}  # fmt: skip
    click.echo(msgspec.json.encode(row))


@dataset.command()
@_dataset
@click.argument("sql", required=False)
@click.option(
    "--file", "file", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file that holds the query.",
)
@click.option(
    "--format", "form", default="table", show_default=True,
    type=click.Choice(["table", "csv", "jsonl", "parquet"]), help="Of the answer.",
)
@click.option("--without-marked", is_flag=True, help="Without what the collector marked.")
@click.option(
    "--spark", metavar="URL", envvar="ZOND_SPARK",
    help="Ask a server of Spark Connect (Sail, Spark), as sc://127.0.0.1:50051.",
)
@click.option(
    "--at", default="", metavar="URL",
    help="With --spark: the server reads the copy at this URL, as s3://bucket/dataset.",
)
def query(
    dataset: Path, sql: str | None, file: Path | None, form: str, without_marked: bool,
    spark: str | None, at: str,
) -> None:  # fmt: skip
    """Ask the dataset one SELECT. It can read the views of the dataset and nothing else.

    Views: verdicts, tests, observations, collected, left_out (docs/dataset.md). A server that
    --spark names is not closed so: what it can read is its operator's business.

    Example: zond dataset query dataset "SELECT outcome, count(*) FROM verdicts GROUP BY 1"
    """
    if (sql is None) == (file is None):
        raise click.UsageError("one query: as an argument, or with --file")
    if at and spark is None:
        raise click.UsageError("--at is of a server: --spark")
    with explained(*UNREADABLE):
        text = _written_in(file) if file is not None else sql or ""
        if spark is not None:
            from analysis.dataset.cluster import connected

            with connected(dataset, spark, without_marked=without_marked, at=at) as cluster:
                _print(cluster.ask(text), form)
            return
        with Queries(dataset, without_marked=without_marked) as queries:
            _print(queries.ask(text), form)


@dataset.command()
@_dataset
@click.option(
    "--out", required=True, metavar="DIR", type=click.Path(path_type=Path, file_okay=False),
    help="The publication's folder; months that are there stay as they are.",
)
@click.option(
    "--k", type=click.IntRange(min=K), default=K, show_default=True,
    help="Probes that must have measured the same; fewer are joined, or left out.",
)
@click.option(
    "--browse", metavar="FILE.db", type=click.Path(path_type=Path, dir_okay=False),
    help="Also all of it as SQLite with metadata.json beside it, for Datasette.",
)
def publish(dataset: Path, out: Path, k: int, browse: Path | None) -> None:
    """Publish the months that are over: counts of at least k probes, and no pseudonym.

    Example: zond dataset publish dataset --out publication
    """
    with explained(*UNREADABLE):
        done = publish_months(dataset, out, k=k, browse=browse)
    for month, of in sorted(done.months.items()):
        click.echo(f"{month}: {of.cells} cells of {of.measurements} measurements", err=True)
        for reason, count in sorted(of.left_out.items()):
            click.echo(f"{month}: left out: {count}: {reason}", err=True)
    for reason, count in sorted(done.left_out.items()):
        click.echo(f"left out: {count}: {reason}", err=True)


@dataset.command()
@click.argument(
    "publication", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
def check(publication: Path) -> None:
    """Compare a publication's files with its manifest. Exits with 1 where they differ."""
    with explained(*UNREADABLE):
        wrong = check_publication(publication)
    for line in wrong:
        click.echo(line, err=True)
    if wrong:
        sys.exit(1)


def _written_in(file: Path) -> str:
    """The query in *file*. Raises `QueryError`."""
    try:
        with file.open("rb") as stream:
            text = stream.read(MAX_QUERY + 1)
        if len(text) > MAX_QUERY:
            raise QueryError(f"{file}: too long for a query")
        return text.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise QueryError(f"{file}: {exc}") from exc


def _print(table: pa.Table, form: str) -> None:
    out = sys.stdout.buffer
    if form == "csv":
        pa_csv.write_csv(table, out)
    elif form == "parquet":
        pq.write_table(table, out, compression="zstd")
    elif form == "jsonl":
        for line in table.to_pylist():
            out.write(msgspec.json.encode(line) + b"\n")
    else:
        shown = Table()
        for name in table.column_names:
            shown.add_column(escape(name))
        for row in table.to_pylist():
            shown.add_row(*(_printable(value) for value in row.values()))
        Console().print(shown)


def _printable(value: object) -> str:
    """*value* without what would move the cursor of a terminal."""
    text = "" if value is None else str(value)
    return escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text))
