"""QUIC handshake with one address, and HTTP/3 on the connection that it makes.

The codec is aioquic (`probe.wire.quic`), which is handed every datagram and the time.
It is imported when first needed and may not be there: ask `available` before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import trio

from probe.evidence import HTTPExchange, QUICHandshake
from probe.failure import NETWORK_ERRORS, Failure, NetworkFailure
from probe.net import Datagrams, Network
from probe.steps.http import (
    BODY_TIME,
    MAX_BODY,
    browser_request,
    header,
    note_body,
    note_head,
)
from probe.trace import Trace
from probe.wire import page
from probe.wire.url import URL

if TYPE_CHECKING:
    from probe.wire.quic import QUICClient

# aioquic sends its first flight again after 0.2, 0.6, 1.4, 3.0 s: four losses in a row
# are no bad luck on a line of 5 % loss.
TIMEOUT = 5.0
HEAD_TIME = 8.0  # seconds until the response head
ALPN = ("h3",)
NOT_INSTALLED = "aioquic is not installed"


@cache
def available() -> bool:
    """Whether QUIC can be spoken at all: whether aioquic is installed."""
    return find_spec("aioquic") is not None


class QUICConnection:
    """A QUIC connection over *sock*, after `quic_handshake`. Close it with `aclose`."""

    def __init__(self, sock: Datagrams, client: QUICClient) -> None:
        self._sock = sock
        self._client = client

    @property
    def client(self) -> QUICClient:
        return self._client

    def chain(self) -> tuple[bytes, ...]:
        """The certificates presented, DER, leaf first."""
        chain: tuple[bytes, ...] = self._client.facts()["chain"]
        return chain

    async def until(self, reached: Callable[[], bool]) -> None:
        """Send and receive until *reached*. Raises what the network or the peer does."""
        client = self._client
        while not reached():
            await self._flush()
            timer = client.timer
            with trio.CancelScope(deadline=float("inf") if timer is None else timer) as wait:
                datagram = await self._sock.receive()
            # What a censor's ICMP says comes as an OSError from either call. A browser
            # takes it for an answer, too.
            if wait.cancelled_caught:
                client.wake(trio.current_time())
            else:
                client.receive(datagram.data, trio.current_time())
        await self._flush()

    async def aclose(self) -> None:
        """Say goodbye, without waiting for anything."""
        self._client.close()
        with trio.CancelScope(shield=True, relative_deadline=0.5):
            try:
                await self._flush()
            except (OSError, NetworkFailure):
                pass  # whatever there is to say of this connection is on record already
        self._sock.close()

    async def _flush(self) -> None:
        for data in self._client.to_send(trio.current_time()):
            await self._sock.send(data)


async def quic_handshake(
    net: Network,
    trace: Trace,
    *,
    ip: str,
    port: int,
    sni: str | None,
    alpn: Sequence[str] = ALPN,
    **facts: Any,
) -> QUICConnection:
    """A QUIC connection (RFC 9000), its certificate unjudged. Raises `StepFailed`."""
    from probe.wire.quic import QUICClient

    with trace.operation(
        QUICHandshake,
        timeout=TIMEOUT,
        ip=ip,
        port=port,
        sni=sni,
        alpn_offered=tuple(alpn),
        **facts,
    ) as learned:
        client = QUICClient(ip, port, sni=sni, alpn=alpn, now=trio.current_time())
        sock = await net.open_udp(ip, port)
        connection = QUICConnection(sock, client)
        try:
            await connection.until(lambda: client.complete)
        except BaseException:
            sock.close()
            raise
        finally:
            learned.update(client.facts())
    return connection


async def http3_fetch(
    trace: Trace,
    connection: QUICConnection,
    url: URL,
    *,
    ip: str,
    port: int,
    cookies: str = "",
    **facts: Any,
) -> HTTPExchange:
    """GET *url* over *connection* (RFC 9114); as `probe.steps.http.http_fetch`."""
    with trace.operation(
        HTTPExchange,
        url=url.text,
        timeout=HEAD_TIME + BODY_TIME + 1,
        ip=ip,
        port=port,
        tls=True,
        protocol="h3",
        **facts,
    ) as learned:
        await _exchange(connection, url, cookies, learned, trace.now)
    record = trace.records[-1]
    assert isinstance(record, HTTPExchange)
    return record


async def _exchange(
    connection: QUICConnection,
    url: URL,
    cookies: str,
    learned: dict[str, Any],
    now: Callable[[], float],
) -> None:
    client = connection.client
    client.request(_headers(url, cookies))
    response = client.response
    with trio.fail_after(HEAD_TIME):
        await connection.until(lambda: response.headers is not None)
    learned["head_t"] = round(now(), 6)
    fields = [(name, value) for name, value in response.headers or () if name[:1] != b":"]
    note_head(url, response.status, fields, learned)
    decoder = page.Decoder(header(learned["headers"], "content-encoding"), MAX_BODY)
    pieces: list[bytes] = []
    raw = 0
    learned["body_truncated"] = True
    try:
        with trio.fail_after(BODY_TIME):
            async with aclosing(_pieces(connection)) as coming:
                async for piece in coming:
                    raw += len(piece)
                    pieces.append(decoder.feed(piece))
                    if decoder.truncated or raw > MAX_BODY:
                        break
                else:
                    learned["body_truncated"] = False
    except trio.TooSlowError:
        learned["detail"] = f"body still coming after {BODY_TIME:g} s"
    except page.UnreadableBody as exc:
        learned["detail"] = str(exc)
    except NETWORK_ERRORS as exc:
        if not isinstance(exc, NetworkFailure) or exc.failure is Failure.CONNECTION_RESET:
            raise
        learned["detail"] = f"body cut off: {exc.detail}"
    finally:
        note_body(b"".join(pieces), learned)


async def _pieces(connection: QUICConnection) -> Any:
    """The body of the response as it comes."""
    response = connection.client.response
    while True:
        while response.data:
            yield response.data.pop(0)
        if response.ended:
            return
        await connection.until(lambda: bool(response.data) or response.ended)


def _headers(url: URL, cookies: str) -> list[tuple[bytes, bytes]]:
    """A browser's request as HTTP/3 has it: names in lower case, the host apart (RFC 9114, 4.3)."""
    request = browser_request(url, cookies=cookies)
    fields = [(name.lower(), value) for name, value in request.headers]
    host = next(value for name, value in fields if name == b"host")
    return [
        (b":method", b"GET"),
        (b":authority", host),
        (b":scheme", b"https"),
        (b":path", url.target.encode()),
        *((name, value) for name, value in fields if name != b"host"),
    ]
