"""``zond collector``: take what volunteers measured, and keep it."""

from __future__ import annotations

import os
import sqlite3
import sys
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import click
import maxminddb
import msgspec
import trio

from analysis.collector import keeping, logs, networks
from analysis.collector.server import CollectorError, Options
from analysis.collector.server import serve as serve_collector
from analysis.collector.spool import SpoolError
from probe.serving.listen import ListenError

_data = click.option(
    "--data", required=True, metavar="DIR", type=click.Path(path_type=Path, file_okay=False),
    help="Where everything is kept; made where it is missing.",
)  # fmt: skip
_kept = click.option(
    "--data", required=True, metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False, exists=True), help="The collector's folder.",
)  # fmt: skip


@click.group()
def collector() -> None:
    """The collector: takes what volunteers measured, and keeps it."""


@collector.command()
@click.option("--listen", required=True, metavar="ADDRESS:PORT", help="Where to answer.")
@_data
@click.option("--tls-cert", type=click.Path(dir_okay=False), help="Certificate chain, PEM.")
@click.option("--tls-key", type=click.Path(dir_okay=False), help="Its key, PEM.")
@click.option(
    "--key", type=click.Path(path_type=Path, dir_okay=False),
    help="The private key that opens sealed batches; made where it is missing. Without this,"
    " secret.key in DIR.",
)
@click.option("--need-seal", is_flag=True, help="Take sealed batches only.")
@click.option(
    "--behind-proxy", is_flag=True,
    help="A reverse proxy on this machine says in X-Forwarded-For who asks.",
)
@click.option(
    "--helper", "helpers", multiple=True, metavar="URL",
    help="A web_connectivity test helper to tell OONI's probes; may be repeated.",
)
@click.option(
    "--keep-free", type=click.IntRange(min=0), metavar="BYTES",
    help="Of the disk, left to others. Without this 64 MiB, or a hundredth of a small disk.",
)
def serve(listen: str, data: Path, **options: Any) -> None:
    """Take batches until a signal. Keeps no log of who sent what.

    Example: zond collector serve --listen 0.0.0.0:8443 --data /var/lib/zond-collector
    """
    os.umask(0o077)  # whatever is made, SQLite's files too, is its owner's alone
    logs.start()
    server = partial(serve_collector, listen, data, options=Options(**options))
    try:
        trio.run(_serve, server)
    except BaseExceptionGroup as group:
        known, others = group.split((CollectorError, SpoolError, ListenError, OSError))
        if known is None or others is not None:
            raise
        raise click.ClickException(_line(_first(known), data)) from group


@collector.command()
@_kept
@click.option("--json", "as_json", is_flag=True, help="For a program.")
def status(data: Path, as_json: bool) -> None:
    """How much is there, and what is in the quarantine. Also while it serves."""
    found = _asked(data, keeping.state)
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    click.echo(f"{found.records} records, {found.bytes} bytes in {found.segments} segments")
    click.echo(f"{found.disk_free} bytes of the disk are free")
    for reason, count in sorted(found.quarantined.items()):
        click.echo(f"in quarantine: {count} batches: {reason}")


@collector.command()
@_kept
@click.option("--json", "as_json", is_flag=True, help="For a program.")
def verify(data: Path, as_json: bool) -> None:
    """Read everything: is it whole? Exits with 1 where it is not. Also while it serves."""
    found = _asked(data, keeping.verify)
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        click.echo(f"{found.batches} batches with {found.documents} documents, of which"
                   f" {found.set_aside} are set aside; {found.ooni} documents of OONI's")
        for mark, count in sorted(found.marks.items()):
            click.echo(f"marked {mark}: {count}")
        for line in found.unreadable:
            click.echo(f"not readable: {line}")
        if found.missing:
            click.echo(f"missing: {found.missing} that the catalogue names")
    if not found.whole:
        sys.exit(1)


@collector.command()
@_kept
def release(data: Path) -> None:
    """Let out of the quarantine what can be read by now, after an upgrade.

    The collector must not be running.
    """
    count = _asked(data, lambda folder: trio.run(keeping.release, folder))
    click.echo(f"{count} batches")


@collector.command("networks")
@_data
@click.option(
    "--database", type=click.Path(path_type=Path, dir_okay=False, exists=True), metavar="MMDB",
    help="A MaxMind database of AS numbers with countries; without this, the one of zond.",
)
def make_networks(data: Path, database: Path | None) -> None:
    """Make the table of which network is in which country, for marks. Takes a minute."""
    database = database or Path(str(resources.files("probe") / "data" / "asn.mmdb"))
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        count = networks.write(database, data / networks.NAME)
    except (OSError, maxminddb.InvalidDatabaseError) as exc:
        raise click.ClickException(str(exc)) from exc
    click.echo(f"{count} networks")


def _asked(data: Path, question: Any) -> Any:
    try:
        return question(data)
    except BaseExceptionGroup as group:
        raise click.ClickException(_line(_first(group), data)) from group
    except (SpoolError, OSError, sqlite3.Error) as exc:
        raise click.ClickException(_line(exc, data)) from exc


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


def _line(exc: BaseException, data: Path) -> str:
    if isinstance(exc, OSError):
        return f"{exc.filename or data}: {exc.strerror or exc}"
    return str(exc)


async def _serve(server: partial[Any]) -> None:
    async with trio.open_nursery() as nursery:
        url = await nursery.start(server)
        click.echo(f"listening at {url}", err=True)
