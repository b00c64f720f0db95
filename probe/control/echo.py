"""The helper that says back what reached it: a request's head as JSON, all else as it came.

One port for both, since a middlebox that reads requests does it on port 80. The first line
decides: a request line that a server could take is the beginning of a head, and anything else is
said back byte by byte. So OONI's two helpers (``http-return-json-headers`` and ``tcp-echo``) are
this one. Nothing is logged of who came.
"""

from __future__ import annotations

import re

import msgspec
import trio

from probe.serving.clients import Clients, Refused

HEAD_SECONDS = 10.0  # for all that a client sends
LINE_SECONDS = 1.0  # for a first line; then it is bytes
MAX_BYTES = 16 * 1024  # said back on one connection
CONNECTIONS, PER_CLIENT = 256, 16

_REQUEST = re.compile(rb"[A-Za-z]{1,20} [^ \r\n]{1,2000} HTTP/1\.[01]\r\n")


async def converse(stream: trio.abc.Stream) -> None:
    """Serve one client to the end. Raises what the network does."""
    with trio.move_on_after(HEAD_SECONDS):
        heard = await _first_line(stream)
        if not _REQUEST.match(heard):
            await _say_back(stream, heard)
            return
        while b"\r\n\r\n" not in heard and len(heard) < MAX_BYTES:
            data = await stream.receive_some(4096)
            if not data:
                return
            heard += data
        body = described(heard.partition(b"\r\n\r\n")[0])
        said = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
        await stream.send_all(b"%sContent-Length: %d\r\n\r\n%s" % (said, len(body), body))


def described(head: bytes) -> bytes:
    """*head* as OONI's helper describes it."""
    line, *fields = head.decode("latin-1").split("\r\n")
    named = [(name, value.strip()) for name, _, value in (f.partition(":") for f in fields)]
    by_name: dict[str, list[str]] = {}
    for name, value in named:
        by_name.setdefault(name, []).append(value)
    return msgspec.json.encode(
        {"request_line": line, "headers_dict": by_name, "request_headers": named}
    )


async def _first_line(stream: trio.abc.Stream) -> bytes:
    heard = b""
    with trio.move_on_after(LINE_SECONDS):
        while b"\n" not in heard and len(heard) < MAX_BYTES:
            data = await stream.receive_some(4096)
            if not data:
                return heard
            heard += data
    return heard


async def _say_back(stream: trio.abc.Stream, heard: bytes) -> None:
    room = MAX_BYTES
    while heard and room > 0:
        await stream.send_all(heard[:room])
        room -= len(heard)
        heard = bytes(await stream.receive_some(4096))


async def serve_echo(
    ip: str,
    port: int,
    clients: Clients,
    *,
    task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve at *ip* until cancelled; tells *task_status* the port. Raises OSError."""
    open_now = 0

    async def one(stream: trio.SocketStream) -> None:
        nonlocal open_now
        if open_now >= CONNECTIONS:
            return
        open_now += 1
        try:
            peer = stream.socket.getpeername()[0]
            with clients.holding("echo", peer, PER_CLIENT):
                await converse(stream)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, Refused):
            return  # the client has left, or is too many
        finally:
            open_now -= 1

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(port, host=ip)
        task_status.started(listener.socket.getsockname()[1])
        nursery.start_soon(trio.serve_listeners, one, [listener])
