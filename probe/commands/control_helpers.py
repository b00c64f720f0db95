"""``zond control helpers``: what is measured against that is neither a site nor a control.

A process of its own, off unless started: a control is open to whoever asks, and these answer
whoever comes.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from probe.ending import BAD_ARGUMENTS, FAILED, Problem

WINDOW = 600.0  # seconds, after which it is forgotten how often who has come

Server = Callable[..., Awaitable[Any]]


@click.command()
@click.option(
    "--echo", metavar="ADDRESS:PORT",
    help="Say back what arrives, for tests of middleboxes; port 80 tells the most.",
)  # fmt: skip
@click.option(
    "--wireguard", metavar="ADDRESS:PORT",
    help="Answer handshakes of WireGuard, and carry nothing.",
)  # fmt: skip
@click.option(
    "--wireguard-key", type=click.Path(dir_okay=False), metavar="FILE",
    help="Its private key, as `wg genkey` makes one.",
)  # fmt: skip
def helpers(echo: str | None, wireguard: str | None, wireguard_key: str | None) -> None:
    """Answer tests of middleboxes and tunnels until a signal. Keeps no log of who came.

    Example: zond control helpers --echo 192.0.2.1:80
    """
    import trio

    from probe.control.echo import serve_echo
    from probe.control.wireguard import serve_wireguard
    from probe.wire.wireguard import Responder, write_key

    servers: dict[str, Server] = {}
    if echo is not None:
        servers["echo"] = partial(serve_echo, *_address(echo))
    if (wireguard is None) != (wireguard_key is None):
        raise Problem("--wireguard and --wireguard-key go together", BAD_ARGUMENTS)
    if wireguard is not None and wireguard_key is not None:
        responder = Responder(_key(wireguard_key))
        servers[f"wireguard with the public key {write_key(responder.public_key)}"] = partial(
            serve_wireguard, *_address(wireguard), responder
        )
    if not servers:
        raise Problem("nothing to serve: give --echo or --wireguard", BAD_ARGUMENTS)
    try:
        trio.run(_serve, servers)
    except BaseExceptionGroup as group:
        refused, others = group.split(OSError)
        if refused is None or others is not None:
            raise
        raise Problem(f"cannot listen: {_first(refused)}", FAILED) from group


async def _serve(servers: dict[str, Server]) -> None:
    import trio

    from probe.serving.clients import Clients

    clients = Clients(window=WINDOW)
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            for name, server in servers.items():
                port = await nursery.start(server, clients)
                click.echo(f"{name} at port {port}", err=True)
            async for _ in signals:
                nursery.cancel_scope.cancel()
                return


def _address(text: str) -> tuple[str, int]:
    from probe.control.protocol import BadMessage, endpoint

    try:
        return endpoint(text)
    except BadMessage as exc:
        raise Problem(f"{text!r} is not ADDRESS:PORT, such as [::]:80", BAD_ARGUMENTS) from exc


def _key(file: str) -> bytes:
    from probe.wire.wireguard import BadKey, read_key

    try:
        return read_key(Path(file).read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError, BadKey) as exc:
        raise Problem(f"no private key of WireGuard in {file}", BAD_ARGUMENTS) from exc


def _first(group: BaseExceptionGroup[OSError]) -> BaseException:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
