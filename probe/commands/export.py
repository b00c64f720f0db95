"""``zond export``: what is stored, written to a file that other programs read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from probe.ending import BAD_ARGUMENTS, Problem
from probe.upload.work import carry_out

if TYPE_CHECKING:
    from probe.config import Config


@click.command()
@click.option("--db", metavar="FILE", help="The database that 'zond run' wrote.")
@click.option("--format", "form", help="Of the file.",
              type=click.Choice(["ooni", "parquet", "pcap"]))
@click.option("--to-upload", is_flag=True, help="Batches, to be sent from another machine.")
@click.option("--key", type=click.Path(path_type=Path), help="To upload: the collector's key.")
@click.option("--unsealed", is_flag=True, help="To upload: readable by whoever gets the file.")
@click.option("--scrubbed/--unscrubbed", default=True, help="Without what tells who measured.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The file; - stdout.")
def export(
    db: str | None, form: str | None, to_upload: bool, key: Path | None, unsealed: bool,
    scrubbed: bool, out: Path,
) -> None:  # fmt: skip
    """Write what is stored to a file that other programs read.

    ooni: OONI's documents, a line each (.gz, .zst: compressed). parquet: a table of all
    network operations (docs/ooni_export.md). pcap: the packets that were captured while targets
    were followed up. --to-upload: what waits for `zond upload`, to be carried to another
    machine (docs/upload.md).

    Example: zond export --format pcap --out packets.pcap
    """
    from probe.config import ConfigError, load
    from probe.export import ExportError, export_packets
    from probe.store import Store, StoreError

    if (form is None) is not to_upload:
        raise Problem("one of --format and --to-upload is needed", BAD_ARGUMENTS)
    try:
        config = load(None, os.environ, {"db": db} if db else {})
    except ConfigError as exc:
        raise Problem(str(exc), BAD_ARGUMENTS) from exc
    database = config.database
    if not database.exists():
        raise Problem(f"there is no file {database}", BAD_ARGUMENTS)
    if out.exists():
        raise Problem(f"{out} is there already, and is not written over", BAD_ARGUMENTS)
    if to_upload:
        return carry_out(config, out, key_file=key, unsealed=unsealed)
    if form in ("ooni", "parquet"):
        return _export_documents(config, form, out, scrubbed=scrubbed)
    try:
        with Store(database) as store:
            count = export_packets(store, out)
    except (StoreError, ExportError) as exc:
        raise Problem(str(exc)) from exc
    click.echo(f"{count} packets written to {out}", err=True)


def _export_documents(config: Config, form: str, out: Path, *, scrubbed: bool) -> None:
    from probe.export import ExportError
    from probe.export_table import export_parquet
    from probe.exporting import export_ooni
    from probe.store import Store, StoreError
    from probe.upload.sending import scrubbing

    write = export_ooni if form == "ooni" else export_parquet
    try:
        with Store(config.database) as store:
            done = write(store, out, scrubbing(config)[0] if scrubbed else None)
    except (StoreError, ExportError) as exc:
        raise Problem(str(exc)) from exc
    if not scrubbed:
        click.echo("not scrubbed: it says who measured; give it to nobody", err=True)
    if done.withheld:
        left = f"{done.withheld} on no carried list were left out ([upload] personal)"
        click.echo(left, err=True)
    if done.not_ooni:
        click.echo(f"{done.not_ooni} have no counterpart at OONI, and were left out", err=True)
    click.echo(f"{done.documents} measurements written to {out}", err=True)
