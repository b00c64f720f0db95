"""Our stream as httpcore2 wants one."""

from __future__ import annotations

from typing import Any

import httpcore2
import trio


class Adapter(httpcore2.AsyncNetworkStream):
    """A measured stream under an HTTP connection; remembers whether the other side closed."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.closed_by_peer = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = bytes(await self._stream.receive_some(max_bytes))
        self.closed_by_peer = not data
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            await self._stream.send_all(buffer)
        except (OSError, trio.BrokenResourceError) as exc:
            # A server may answer and close before it has read it all: httpcore2
            # goes on to read after this one error, and so finds out which it was.
            raise httpcore2.WriteError(str(exc)) from exc

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return None
