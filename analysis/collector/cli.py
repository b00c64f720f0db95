"""``zond collector``: take what volunteers measured, and keep it."""

from __future__ import annotations

import logging
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click
import trio

from analysis.collector.server import CollectorError
from analysis.collector.server import serve as serve_collector
from analysis.collector.spool import SpoolError
from probe.serving.listen import ListenError


@click.group()
def collector() -> None:
    """The collector: takes what volunteers measured, and keeps it."""


@collector.command()
@click.option("--listen", required=True, metavar="ADDRESS:PORT", help="Where to answer.")
@click.option(
    "--data", required=True, metavar="DIR", type=click.Path(path_type=Path, file_okay=False),
    help="Where everything is kept; made where it is missing.",
)
@click.option("--tls-cert", type=click.Path(dir_okay=False), help="Certificate chain, PEM.")
@click.option("--tls-key", type=click.Path(dir_okay=False), help="Its key, PEM.")
@click.option("--need-seal", is_flag=True, help="Take sealed batches only.")
def serve(
    listen: str, data: Path, tls_cert: str | None, tls_key: str | None, need_seal: bool
) -> None:
    """Take batches until a signal. Keeps no log of who sent what.

    Example: zond collector serve --listen 0.0.0.0:8443 --data /var/lib/zond-collector
    """
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
    server = partial(
        serve_collector, listen, data, tls_cert=tls_cert, tls_key=tls_key, need_seal=need_seal
    )
    try:
        trio.run(_serve, server)
    except BaseExceptionGroup as group:
        known, others = group.split((CollectorError, SpoolError, ListenError, OSError))
        if known is None or others is not None:
            raise
        raise click.ClickException(_line(_first(known), data)) from group


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
