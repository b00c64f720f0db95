"""``zond import``: what others measured, into the database."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from probe.commands.opening import locked, opened
from probe.ending import BAD_ARGUMENTS, DONE, IN_PART, Problem


@click.command("import")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...",
    type=click.Path(exists=True, allow_dash=True, path_type=Path),
)
@click.option("--db", metavar="FILE", help="The database; it is made where it is missing.")
@click.option("--json", "as_json", is_flag=True, help="What was done, as a line of JSON.")
def import_(files: Sequence[Path], db: str | None, as_json: bool) -> None:
    """Read OONI's measurements: JSON or JSONL, plain, gzip or zstd; files or directories.

    What cannot be read is set aside with a reason, and kept. Importing again adds nothing twice.

    Example: zond import 2024012400_BY_webconnectivity.jsonl.gz --db ooni.db
    """
    from probe.commands.screen import reading
    from probe.config import ConfigError, load
    from probe.importing import import_files, sources

    try:
        database = load(None, os.environ, {"db": db} if db else {}).database
    except ConfigError as exc:
        raise Problem(str(exc), BAD_ARGUMENTS) from exc
    with locked(database), opened(database) as store:
        try:
            found = list(sources(files))
            total = sum(source.size for source in found)
            with reading(total, terminal=sys.stderr.isatty()) as advance:
                summary = import_files(store, found, advance)
        except OSError as exc:
            raise Problem(f"{exc.filename or 'a file'}: {exc.strerror or exc}") from exc
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(summary))
    for reason, count in summary.reasons.most_common(20):
        click.echo(f"set aside: {count} x {reason}", err=True)
    click.echo(
        f"{summary.imported} documents imported, {summary.known} known before,"
        f" {summary.set_aside} set aside",
        err=True,
    )
    if summary.imported or summary.known:
        click.echo(f"what they mean: zond verdicts --db {database}", err=True)
    sys.exit(IN_PART if summary.set_aside else DONE)
