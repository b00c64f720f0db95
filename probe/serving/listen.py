"""Connections to a server of ours: hypercorn speaks HTTP, this module ends what must end.

hypercorn's own loop serves a connection for as long as the client likes, and an error in
one connection ends the whole server. So each connection runs here with a watchdog and an
error boundary of its own, around hypercorn's ``TCPServer``.

HTTP/1.1 only: probes speak nothing else to us (probe/control/transport.py says why), and
in HTTP/2 a client can keep a server busy with frames that ask for nothing.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

import h11
import hypercorn
import trio
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ASGIFramework, ConnectionState
from hypercorn.utils import wrap_app

from probe.serving.clients import Clients, Refused
from probe.serving.limits import ConnectionLimits
from probe.serving.shares import Shares, Turns

log = logging.getLogger(__name__)

Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]

BACKLOG = 512


class ListenError(Exception):
    """The server cannot listen as told. The message is one line for the user."""


class Listener:
    """Open at *address*; `serve` answers with *app* until told to stop.

    *address* is ``"ADDRESS:PORT"``, port 0 for any. Raises `ListenError`.
    """

    def __init__(
        self,
        address: str,
        *,
        limits: ConnectionLimits,
        clients: Clients,
        tls_cert: str | None = None,
        tls_key: str | None = None,
    ) -> None:
        if (tls_cert is None) != (tls_key is None):
            raise ListenError("a certificate and its key go together")
        host, port = _parse(address)
        self._limits = limits
        self._clients = clients
        self._config = _config(limits, tls_cert, tls_key)
        try:
            self._trust = self._config.create_ssl_context()
        except (OSError, ssl.SSLError) as exc:
            raise ListenError(
                f"cannot use certificate {tls_cert} and key {tls_key}: {exc}"
            ) from exc
        try:
            self._socket = socket.create_server(
                (host, port),
                family=socket.AF_INET6 if ":" in host else socket.AF_INET,
                backlog=BACKLOG,
                dualstack_ipv6=host == "::",
            )
            # Inherited by the connections: ends those that do not read.
            milliseconds = int(limits.unread_seconds * 1000)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
            self._socket.setblocking(False)
        except OSError as exc:
            raise ListenError(f"cannot listen at {address}: {exc.strerror or exc}") from exc
        self._open = Shares(limits.connections, each=limits.connections_per_client)
        self._turns = Turns(gap=limits.turn_seconds, patience=limits.turn_patience)

    @property
    def url(self) -> str:
        """Where it answers."""
        host, port = self._socket.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if self._trust else 'http'}://{shown}:{port}/"

    @property
    def connections(self) -> int:
        """How many are open."""
        return self._open.taken

    async def serve(
        self,
        app: ASGIFramework,
        *,
        stop: trio.Event,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Answer until *stop*, then let what is under way end within the limit."""
        context = WorkerContext(None)
        wrapped = wrap_app(app, self._limits.question_bytes, "asgi")
        handler = partial(self._connection, wrapped, context)
        async with trio.open_nursery() as connections:
            async with trio.open_nursery() as accepting:
                listeners = [self._listener()]
                accepting.start_soon(
                    partial(trio.serve_listeners, handler, listeners, handler_nursery=connections)
                )
                task_status.started()
                await stop.wait()
                accepting.cancel_scope.cancel()
            await context.terminated.set()
            connections.cancel_scope.deadline = trio.current_time() + self._limits.shutdown_seconds

    def _listener(self) -> trio.SocketListener | trio.SSLListener[trio.SocketStream]:
        plain = trio.SocketListener(trio.socket.from_stdlib_socket(self._socket))
        if self._trust is None:
            return plain
        return trio.SSLListener(plain, self._trust, https_compatible=True)

    async def _connection(self, app: AppWrapper, context: WorkerContext, stream: Stream) -> None:
        peer = _peer(stream)
        client = self._clients.key(peer)
        if not (self._may_come(peer) and self._open.take(client)):
            await trio.aclose_forcefully(stream)  # before TLS, which costs a hundred times more
            return
        try:
            async with trio.open_nursery() as nursery:
                activity = _Activity(app, partial(self._turn, peer, stream))
                nursery.start_soon(self._watch, stream, activity, nursery.cancel_scope)
                await _Server(
                    cast("AppWrapper", activity),
                    self._config,
                    context,
                    ConnectionState({}),
                    cast("trio.SSLStream[trio.SocketStream]", stream),  # or without TLS
                )
                nursery.cancel_scope.cancel()
        except Exception as exc:  # noqa: BLE001 - one connection's error is not the server's
            # Its text may quote the client.
            log.info("a connection ended by %s", type(exc).__name__)
        finally:
            self._open.give_back(client)
            await trio.aclose_forcefully(stream)

    def _may_come(self, peer: str) -> bool:
        return self._has_left(f"connections {peer}", self._limits.arrivals_per_client)

    def _has_left(self, what: str, allowance: int) -> bool:
        try:
            self._clients.spend(what, allowance)
        except Refused:
            return False
        return True

    async def _turn(self, peer: str, stream: Stream) -> bool:
        """Wait until *peer* may be answered; False where its connection has been ended."""
        if self._has_left(f"requests {peer}", self._limits.arrivals_per_client):
            return True
        if await self._turns.mine(self._clients.key(peer)):
            return True
        await trio.aclose_forcefully(stream)
        return False

    async def _watch(
        self, stream: Stream, activity: _Activity, connection: trio.CancelScope
    ) -> None:
        """End a connection that has had its time, or on which nothing is going on.

        Cancelling alone would not do: hypercorn shields its sending.
        """
        end = trio.current_time() + self._limits.connection_seconds
        patience = 2 * self._limits.head_seconds
        while (at := min(end, activity.ends_at(patience))) > trio.current_time():  # noqa: ASYNC110
            await trio.sleep_until(at)  # not polling: a request may have moved the end
        await trio.aclose_forcefully(stream)
        connection.cancel()


class _Server(TCPServer):
    """hypercorn's, which ends when the client has: its own (0.18) goes on waiting for
    another request, so that clients who come and go use up the connections there are.
    And head and body leave together: hypercorn sends an answer in three pieces, of which
    each costs a system call, and over TLS a record."""

    _client_gone = False
    _head = b""

    async def _read_data(self) -> None:
        first = self.protocol  # which would become HTTP/2 where the client proposes it
        self.protocol = cast(
            "ProtocolWrapper",
            _Http11(
                first.app, first.config, first.context, first.task_group, first.state, first.ssl,
                first.client, first.server, first.send,
            ),
        )  # fmt: skip
        await super()._read_data()
        self._client_gone = True
        await self.idle_task.stop()

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, RawData):
            event, self._head = RawData(data=self._head + event.data), b""
            if _is_head(event.data):
                self._head = event.data  # what follows it, be it nothing, comes at once
                return
            if not event.data:
                return
        elif isinstance(event, Closed) and self._head:
            await self.protocol_send(RawData(data=b""))
        if not (self._client_gone and isinstance(event, Updated)):
            await super().protocol_send(event)


class _Http11(H11Protocol):
    """hypercorn's, which stays with HTTP/1.1: what proposes more is a request like others."""

    async def _check_protocol(self, event: h11.Request) -> None:
        pass


def _is_head(data: bytes) -> bool:
    """Of an answer over HTTP/1.1; what is sent before one (100) has nothing that follows."""
    return data.startswith(b"HTTP/1.1 ") and data[9:10] != b"1" and data.endswith(b"\r\n\r\n")


class _Activity:
    """The ASGI application of one connection, knowing since when none of its requests runs."""

    def __init__(self, app: AppWrapper, turn: Callable[[], Awaitable[bool]]) -> None:
        self._app, self._turn = app, turn
        self._running = 0
        self._idle_since = trio.current_time()

    async def __call__(self, *args: Any) -> None:
        self._running += 1
        try:
            if await self._turn():
                await self._app(*args)
        finally:
            self._running -= 1
            self._idle_since = trio.current_time()

    def ends_at(self, patience: float) -> float:
        """When a connection that stays as it is now has been idle for *patience* seconds."""
        return (trio.current_time() if self._running else self._idle_since) + patience


def _config(
    limits: ConnectionLimits, tls_cert: str | None, tls_key: str | None
) -> hypercorn.Config:
    config = hypercorn.Config()
    config.certfile, config.keyfile = tls_cert, tls_key
    # Its logs would say who asked and, in tracebacks, for what.
    config.accesslog = config.errorlog = None
    config.include_server_header = False
    config.alpn_protocols = ["http/1.1"]
    config.ssl_handshake_timeout = limits.head_seconds
    config.keep_alive_timeout = limits.head_seconds
    config.read_timeout = limits.silence_seconds  # type: ignore[assignment]  # a float does
    config.h11_max_incomplete_size = limits.head_bytes
    return config


def _parse(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(host)
        if port.isascii() and port.isdecimal() and int(port) < 65536:
            return host, int(port)
    except ValueError:
        pass
    raise ListenError(f"{address!r} is not ADDRESS:PORT, such as 0.0.0.0:8443 or [::]:8443")


def _peer(stream: Stream) -> str:
    transport = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
    try:
        return client_address(str(transport.socket.getpeername()[0]))
    except OSError:
        return ""


def client_address(host: str) -> str:
    """*host* as a socket names it, in its usual form: an IPv4 client of a dual-stack socket
    is ``::ffff:192.0.2.1`` there."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)
