"""Documents of Tor's directory, from any directory that answers: by its directory port or a tunnel.

A document is believed for its signatures (`probe.tor.consensus`), so it does not matter from
whom it comes; a relay that is tunnelled to must still prove to be itself, so that nobody
learns more than whoever watches the line. Bounded in bytes and time.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import h11
import trio

from probe.failure import NETWORK_ERRORS, Failure, NetworkFailure, classify
from probe.net import Network
from probe.steps.relay import open_link
from probe.steps.tcp import tcp_connect
from probe.tor.cells import BadLink, Link
from probe.tor.certificates import Unproved, prove
from probe.tor.circuit import DATA, MAX_DATA, Tunnel
from probe.trace import StepFailed, Trace

SECONDS = 180.0  # for one document; a consensus over a weak line takes minutes
_CHUNK = 64 * 1024
_MAX_HEAD = 32 * 1024


class NoDocument(Exception):
    """The directory gave none. The message is one line."""


@dataclass(frozen=True, kw_only=True)
class Directory:
    """Where to ask. *dir_port* 0: by a tunnel through the OR port, to who has *fingerprint*."""

    name: str
    ip: str
    or_port: int = 0
    dir_port: int = 0
    fingerprint: str = ""
    ed25519: str = ""


async def fetch(net: Network, directory: Directory, path: str, *, max_bytes: int) -> bytes:
    """The document at *path*, at most *max_bytes* of it. Raises `NoDocument`."""
    try:
        with trio.fail_after(SECONDS):
            async with _connected(net, directory) as stream:
                return await _get(stream, directory.ip, path, max_bytes)
    except StepFailed as exc:
        raise NoDocument(f"{directory.name}: {classify(exc.__cause__ or exc)}") from exc
    except NETWORK_ERRORS as exc:
        raise NoDocument(f"{directory.name}: {classify(exc)}") from exc
    except (BadLink, Unproved, zlib.error, h11.RemoteProtocolError) as exc:
        raise NoDocument(f"{directory.name}: it does not speak as a directory does") from exc


@asynccontextmanager
async def _connected(net: Network, directory: Directory) -> AsyncIterator[trio.abc.Stream]:
    trace = Trace()
    common: dict[str, Any] = {
        "ip": directory.ip, "port": directory.dir_port or directory.or_port,
    }  # fmt: skip
    async with await tcp_connect(net, trace, **common) as transport:
        if directory.dir_port:
            yield transport
            return
        stream, link, introduced = await open_link(trace, transport, common, {})
        identity = prove(introduced.certificates, stream.chain()[0])
        if not identity.is_expected(directory.fingerprint, directory.ed25519):
            raise BadLink("another relay")
        tunnel = _TunnelStream(stream, link)
        await tunnel.open()
        yield tunnel


class _TunnelStream(trio.abc.Stream):
    """A `Tunnel` over an open link."""

    def __init__(self, stream: trio.abc.Stream, link: Link) -> None:
        self._stream, self._link, self._tunnel = stream, link, Tunnel()

    async def open(self) -> None:
        await self._stream.send_all(self._tunnel.begin())
        while not self._tunnel.open:
            if not await self._more() and self._tunnel.ended:
                raise BadLink("the relay opens no directory stream")

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        whole = bytes(data)
        for at in range(0, len(whole), MAX_DATA):
            await self._stream.send_all(self._tunnel.say(DATA, whole[at : at + MAX_DATA]))

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """At least a byte, whatever *max_bytes*; empty at the end of the stream."""
        while not self._tunnel.ended:
            if brought := await self._more():
                return brought
        return b""

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def _more(self) -> bytes:
        """What the next cell brings to the stream, which may be nothing."""
        while (cell := self._link.next_cell()) is None:
            data = await self._stream.receive_some(_CHUNK)
            if not data:
                raise NetworkFailure(Failure.EOF, "the relay closed the link")
            self._link.feed(bytes(data))
        answer, brought = self._tunnel.receive(cell)
        if answer:
            await self._stream.send_all(answer)
        return brought


async def _get(stream: trio.abc.Stream, host: str, path: str, max_bytes: int) -> bytes:
    """GET *path*; the document, unpacked where it was compressed (dir-spec: ``.z``)."""
    http = h11.Connection(our_role=h11.CLIENT, max_incomplete_event_size=_MAX_HEAD)
    headers = [("Host", f"[{host}]" if ":" in host else host), ("Connection", "close")]
    request = http.send(h11.Request(method="GET", target=path, headers=headers))
    assert request is not None
    await stream.send_all(request)
    document, packed = b"", None
    while not isinstance(event := http.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            http.receive_data(bytes(await stream.receive_some(_CHUNK)))
        elif isinstance(event, h11.Response):
            if event.status_code != 200:
                raise NoDocument(f"{host}: it answers {event.status_code}")
            if (b"content-encoding", b"deflate") in list(event.headers):
                packed = zlib.decompressobj()
        elif isinstance(event, h11.Data):
            data, left = bytes(event.data), max_bytes + 1 - len(document)
            document += packed.decompress(data, left) if packed else data
            if len(document) > max_bytes:
                raise NoDocument(f"{host}: a document of over {max_bytes} bytes")
    if packed is not None and not packed.eof:
        raise NetworkFailure(Failure.EOF, "the document is not whole")
    return document
