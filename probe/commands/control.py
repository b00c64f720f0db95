"""``zond control``: the server that makes the same visits from elsewhere."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from probe import sockets
from probe.commands.control_helpers import helpers
from probe.ending import BAD_ARGUMENTS, FAILED, Problem


@click.group()
def control() -> None:
    """The control vantage point: the same visit, made from elsewhere."""


control.add_command(helpers)


@control.command()
@click.option("--listen", required=True, metavar="ADDRESS:PORT", help="Where to answer.")
@click.option("--tls-cert", type=click.Path(dir_okay=False), help="Certificate chain, PEM.")
@click.option("--tls-key", type=click.Path(dir_okay=False), help="Its key, PEM.")
@click.option("--contact", default="", help="Whom people may ask who were connected to.")
def serve(listen: str, tls_cert: str | None, tls_key: str | None, contact: str) -> None:
    """Answer probes until a signal. Keeps no log of who asked what.

    Example: zond control serve --listen 0.0.0.0:443 --tls-cert c.pem --tls-key k.pem
    """
    import trio

    from probe.control.callers import BadContact, page
    from probe.control.server import ServerExtrasMissing
    from probe.control.server import serve as serve_control
    from probe.nettest import errands

    try:
        from probe.serving.listen import ListenError
    except ModuleNotFoundError as exc:
        raise Problem(str(ServerExtrasMissing())) from exc
    try:
        page(contact)
    except BadContact as exc:
        raise Problem(f"--contact: {exc}", BAD_ARGUMENTS) from exc
    sockets.allow_many()
    server = partial(
        serve_control, listen, tls_cert=tls_cert, tls_key=tls_key, errands=errands(),
        contact=contact,
    )  # fmt: skip
    try:
        trio.run(_serve, server)
    except BaseExceptionGroup as group:
        refused, others = group.split(ListenError)
        if refused is None or others is not None:
            raise
        reason = refused.exceptions[0]
        taken = isinstance(reason.__cause__, OSError)
        raise Problem(str(reason), FAILED if taken else BAD_ARGUMENTS) from group


async def _serve(server: Any) -> None:
    import trio

    async with trio.open_nursery() as nursery:
        url = await nursery.start(server)
        click.echo(f"control server at {url}", err=True)
