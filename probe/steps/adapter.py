"""Our stream as httpcore2 wants one, and what its connections raise as network failures."""

from __future__ import annotations

import errno
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h2.exceptions
import h11
import httpcore2
import trio
from h2.settings import SettingCodes, Settings

from probe.failure import Failure, NetworkFailure

MAX_RECEIVED = 400 * 1024  # bytes in one exchange: page, headers, and all that is neither


class _HTTP2(httpcore2.AsyncHTTP2Connection):
    """For one stream at a time.

    httpcore2 would allow a hundred and waits for a lock once for each of them, which
    cost more than all the rest of an exchange. Pushes are refused anyhow.
    """

    async def _send_connection_init(self, request: httpcore2.Request) -> None:
        self._h2_state.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.MAX_CONCURRENT_STREAMS: 1,
                SettingCodes.MAX_HEADER_LIST_SIZE: 65536,
            },
        )
        del self._h2_state.local_settings[SettingCodes.ENABLE_CONNECT_PROTOCOL]
        self._h2_state.initiate_connection()
        self._h2_state.increment_flow_control_window(2**24)
        await self._write_outgoing_data(request)


class Adapter(httpcore2.AsyncNetworkStream):
    """A measured stream under an HTTP connection; remembers how the other side left.

    Bounds what it receives: informational responses, pings and empty frames are
    limited by nobody else.
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._unwritable: OSError | trio.BrokenResourceError | None = None
        self._unsent = b""
        self.closed_by_peer = False
        self.received = 0

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        await self._flush()
        data = bytes(await self._stream.receive_some(max_bytes))
        if not data and self._unwritable is not None:
            # A kernel tells of a reset once, to whoever asks first; after that it
            # looks like an orderly end.
            raise self._unwritable
        self.closed_by_peer = not data
        self.received += len(data)
        if self.received > MAX_RECEIVED:
            raise NetworkFailure(Failure.UNKNOWN, f"over {MAX_RECEIVED} bytes for one answer")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # Sent before the next read: a request goes out in one piece, as a browser's.
        self._unsent += buffer

    async def _flush(self) -> None:
        if not self._unsent:
            return
        unsent, self._unsent = self._unsent, b""
        try:
            await self._stream.send_all(unsent)
        except ssl.SSLError:
            raise
        except (OSError, trio.BrokenResourceError) as exc:
            # A server may answer and close before it has read it all, so go on to read.
            # EPIPE: it had closed in order before it sent the RST; reading will say so.
            said = exc if isinstance(exc, OSError) else exc.__cause__
            if self._unwritable is None and getattr(said, "errno", None) != errno.EPIPE:
                self._unwritable = exc

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return None

    def connection(
        self, origin: httpcore2.Origin, *, http2: bool
    ) -> httpcore2.AsyncHTTP11Connection | httpcore2.AsyncHTTP2Connection:
        """An HTTP connection to *origin* over this stream, for one request at a time."""
        kind = _HTTP2 if http2 else httpcore2.AsyncHTTP11Connection
        return kind(origin=origin, stream=self)

    @contextmanager
    def failures(self, framing: Failure) -> Iterator[None]:
        """What httpcore2 and its codecs raise inside becomes `NetworkFailure`.

        *framing* names bytes that are not the protocol.
        """
        try:
            yield
        except ssl.SSLError as exc:
            raise NetworkFailure(framing, f"broken TLS record: {exc.reason}") from exc
        except httpcore2.ConnectionNotAvailable as exc:
            raise NetworkFailure(Failure.EOF, "the server ended the connection") from exc
        except (httpcore2.ProtocolError, h2.exceptions.H2Error) as exc:
            if isinstance(exc.__cause__, h11.LocalProtocolError):
                raise  # a request that we should not have made
            if self.closed_by_peer:
                raise NetworkFailure(Failure.EOF, str(exc)) from exc
            raise NetworkFailure(framing, f"bad framing: {exc}") from exc
        except ValueError as exc:
            if "invalid literal for int()" not in str(exc):
                raise
            # httpcore2 reads the ":status" of HTTP/2 unchecked.
            raise NetworkFailure(framing, "bad framing: the status is no number") from exc
