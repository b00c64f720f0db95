"""Receiving bodies from the slow and the many, in bounded memory.

Rule: what a client makes the collector hold, it holds only while it sends at least as fast as
the slowest honest line does; and all bodies together have a budget, beyond which who comes
is told to come again. Nothing is decompressed here beyond the bound of its kind.
"""

from __future__ import annotations

import sys
import zlib
from contextlib import aclosing

import trio
from starlette.requests import Request

from analysis.collector.limits import Limits
from probe.serving.clients import Clients, Refused
from probe.serving.shares import Shares

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_WINDOW = 23  # log2 of the memory that decompression may take: 8 MB


class Body:
    """What has come of one body; its bytes count until the ``with`` ends."""

    def __init__(self, room: Room, client: str) -> None:
        self._room = room
        self._client = room.clients.key(client)
        self._held = 0

    def __enter__(self) -> Body:
        if not self._room.bodies.take(self._client):
            raise Refused(503, "busy", retry_after=30)
        return self

    def __exit__(self, *_: object) -> None:
        self._room.bodies.give_back(self._client)
        self._room.bytes.give_back(self._client, self._held)

    async def read(self, request: Request, most: int) -> bytes:
        """The body of *request*. Raises `Refused` (408, 413, 503) and `ClientDisconnect`."""
        limits = self._room.limits
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > most:
            raise Refused(413, f"larger than {most} bytes")
        parts: list[bytes] = []
        began = trio.current_time()
        with trio.CancelScope(deadline=began + limits.body_seconds) as patience:
            async with aclosing(request.stream()) as stream:
                async for part in stream:
                    if not part:
                        continue
                    self._hold(len(part))
                    if self._held > most:
                        raise Refused(413, f"larger than {most} bytes")
                    parts.append(part)
                    slowest = limits.body_seconds + self._held / limits.body_rate
                    patience.deadline = began + slowest
        if patience.cancelled_caught:
            raise Refused(408, "it comes too slowly", retry_after=60)
        return b"".join(parts)

    def _hold(self, size: int) -> None:
        if not self._room.bytes.take(self._client, size):
            raise Refused(503, "busy", retry_after=30)
        self._held += size


class Room:
    """The budget of all bodies: of either, a client may hold as much as is left free."""

    def __init__(self, limits: Limits, clients: Clients) -> None:
        self.limits = limits
        self.clients = clients
        self.bodies = Shares(limits.waiting, each=limits.in_flight_per_client)
        self.bytes = Shares(limits.bodies_bytes)

    def body(self, client: str) -> Body:
        """For ``with``; raises `Refused` there (503)."""
        return Body(self, client)


def decoded(body: bytes, encoding: str, most: int) -> bytes:
    """*body* without its Content-Encoding (RFC 9110, 8.4). Raises `Refused` (400, 413, 415)."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    try:
        if encoding in ("gzip", "x-gzip"):
            unzipped = zlib.decompressobj(16 + zlib.MAX_WBITS)
            text, whole = unzipped.decompress(body, most + 1), unzipped.eof
        elif encoding == "zstd":
            unpacked = zstd.ZstdDecompressor(
                options={zstd.DecompressionParameter.window_log_max: MAX_WINDOW}
            )
            text, whole = unpacked.decompress(body, most + 1), unpacked.eof
        else:
            raise Refused(415, "known encodings are gzip and zstd")
    except (zlib.error, zstd.ZstdError):
        raise Refused(400, "not compressed as it says") from None
    if len(text) > most:
        raise Refused(413, f"larger than {most} bytes")
    if not whole:
        raise Refused(400, "not compressed as it says")
    return text
