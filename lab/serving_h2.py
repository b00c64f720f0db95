"""HTTP/2 for the lab's sites: one request after the other, over h2.

Also what both versions of HTTP share: a `Visit`, one client at one address.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import h2.config
import h2.connection
import h2.events
import trio

from lab.sites import Request, Response

MAX_BODY = 1 << 20


@dataclass
class Visit:
    """Who came where, and what he is answered."""

    scheme: Literal["http", "https"]
    client: str
    local: str
    answer: Callable[[Request], Response]
    pieces: Callable[[Response], Iterator[bytes]]

    def request(self, method: str, target: str, host: str, body: bytes) -> Request:
        host = host.lower()
        if not host.startswith("["):
            host = host.partition(":")[0]
        return Request(
            method=method,
            target=target,
            host=host,
            scheme=self.scheme,
            client=self.client,
            local=self.local,
            body=body,
        )


async def speak_h2(stream: trio.abc.Stream, visit: Visit) -> None:
    """Serve one connection until the client closes it."""
    settings = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
    speaker = _Speaker(stream, visit, h2.connection.H2Connection(config=settings))
    speaker.connection.initiate_connection()
    await speaker.flush()
    while await speaker.listen():
        while speaker.complete:
            await speaker.respond(speaker.complete.pop(0))


class _Speaker:
    def __init__(
        self, stream: trio.abc.Stream, visit: Visit, connection: h2.connection.H2Connection
    ) -> None:
        self.connection = connection
        self.complete: list[int] = []
        self._stream = stream
        self._visit = visit
        self._heads: dict[int, dict[str, str]] = {}
        self._bodies: dict[int, bytes] = {}
        self._gone: set[int] = set()

    async def flush(self) -> None:
        data = self.connection.data_to_send()
        if data:
            await self._stream.send_all(data)

    async def listen(self) -> bool:
        """Take in what comes next; False at the end."""
        data = await self._stream.receive_some(65536)
        if not data:
            return False
        for event in self.connection.receive_data(data):
            match event:
                case h2.events.RequestReceived():
                    self._heads[event.stream_id] = {str(k): str(v) for k, v in event.headers}
                    self._bodies[event.stream_id] = b""
                case h2.events.DataReceived():
                    self._bodies[event.stream_id] += event.data
                    if len(self._bodies[event.stream_id]) > MAX_BODY:
                        return False
                    self.connection.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
                case h2.events.StreamEnded():
                    self.complete.append(event.stream_id)
                case h2.events.StreamReset():
                    self._gone.add(event.stream_id)
                case h2.events.ConnectionTerminated():
                    return False
        await self.flush()
        return True

    async def respond(self, stream_id: int) -> None:
        head, body = self._heads.pop(stream_id), self._bodies.pop(stream_id)
        request = self._visit.request(
            head.get(":method", "GET"), head.get(":path", "/"), head.get(":authority", ""), body
        )
        response = self._visit.answer(request)
        if math.isinf(response.wait):
            await trio.sleep_forever()
        await trio.sleep(response.wait)
        if stream_id in self._gone:
            return
        headers = [(":status", str(response.status))]
        headers += [(name.lower(), value) for name, value in response.headers]
        if response.framing == "length" and response.status != 204:
            headers.append(("content-length", str(len(response.body) + response.size)))
        self.connection.send_headers(stream_id, headers)
        if request.method != "HEAD":
            for piece in self._visit.pieces(response):
                if not await self._send(stream_id, piece):
                    return
                await trio.sleep(response.pause)
            if response.cut is not None:
                self.connection.reset_stream(stream_id)
                await self.flush()
                return
        self.connection.end_stream(stream_id)
        await self.flush()

    async def _send(self, stream_id: int, data: bytes) -> bool:
        """As fast as the client's window opens; False if the stream is gone."""
        while data:
            if stream_id in self._gone:
                return False
            room = min(
                self.connection.local_flow_control_window(stream_id),
                self.connection.max_outbound_frame_size,
            )
            if room <= 0:
                if not await self.listen():
                    return False
                continue
            self.connection.send_data(stream_id, data[:room])
            data = data[room:]
            await self.flush()
        return True
