"""One timed download of a page, from an address that is named: how long each part takes.

The same steps as a visit's (connect, handshake, request), so that a connection meets
here what it met there; they leave one record together, of times and counts, and none
of what was in it.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import trio

from probe.evidence import Transfer
from probe.failure import Failure, NetworkFailure
from probe.net import Network
from probe.steps.adapter import Adapter
from probe.steps.engine import Hello
from probe.steps.http import browser_request, origin_of
from probe.steps.tcp import tcp_connect
from probe.steps.tls import TLSStream, tls_handshake
from probe.tcpinfo import tcp_info
from probe.trace import StepFailed, Trace
from probe.wire.url import URL

ALPN = ("http/1.1",)  # HTTP/2 refuses a name that is not the handshake's (RFC 9113, 9.1.2)
MAX_BYTES = 48 * 1024  # of one transfer: three or four round trips of a new connection
TIMEOUT = 15.0  # seconds for all of it; what is slower than that is measured as such
MAX_SAMPLES = 32
PIECE = 8 * 1024  # bytes read at a time


@dataclass
class Progress:
    """Bytes over time, at most `MAX_SAMPLES` points: every second one goes when there are more."""

    began: float = field(default_factory=trio.current_time)
    received: int = 0
    points: list[tuple[float, int]] = field(default_factory=list)
    _every: int = 1
    _seen: int = 0

    def note(self, size: int) -> None:
        self.received += size
        self._seen += 1
        if self._seen % self._every == 0:
            self.points.append((round(trio.current_time() - self.began, 4), self.received))
        if len(self.points) > MAX_SAMPLES:
            del self.points[::2]
            self._every *= 2

    def facts(self) -> dict[str, Any]:
        """For a `Transfer`; it ends now."""
        return {
            "received": self.received,
            "seconds": round(trio.current_time() - self.began, 6),
            "samples": tuple(self.points),
        }


async def transfer(
    net: Network,
    trace: Trace,
    url: URL,
    *,
    what: str,
    ip: str,
    port: int,
    sni: str | None,
    host: str | None = None,
    hello: Hello = "browser",
    limit: int = MAX_BYTES,
    timeout: float = TIMEOUT,
    **facts: Any,
) -> Transfer:
    """GET *url* at *ip* until *limit* bytes of its body are there; the record, also on *trace*.

    *sni* is the name in the ClientHello, *host* that in the Host header where it is not the
    URL's. A transfer that is still going on after *timeout* seconds has the failure of a
    silence, and what came until then.
    """
    try:
        with trace.operation(
            Transfer, timeout=timeout, url=url.text, what=what, source=ip, ip=ip, port=port,
            sni=sni, host=host, asked=limit, **facts,
        ) as learned:
            await _transfer(net, trace, url, ip, port, sni, host, hello, limit, learned)
    except StepFailed:
        pass  # the record is what was wanted
    record = trace.records[-1]
    assert isinstance(record, Transfer)
    return record


async def _transfer(
    net: Network,
    trace: Trace,
    url: URL,
    ip: str,
    port: int,
    sni: str | None,
    host: str | None,
    hello: Hello,
    limit: int,
    learned: dict[str, Any],
) -> None:
    apart = Trace(zero=trace.zero)  # the steps' own records, which this one replaces
    lap = _Lap(learned)
    stream: trio.abc.Stream | None = None
    try:
        stream = raw = await tcp_connect(net, apart, ip, port)
        lap.ends("connect")
        if url.tls:
            stream = await tls_handshake(
                apart, stream, ip=ip, port=port, sni=sni, alpn=ALPN, hello=hello
            )
            lap.ends("handshake")
        await _download(stream, url, host, limit, lap, learned)
    except StepFailed as exc:
        last = apart.records[-1]
        raise NetworkFailure(last.failure or Failure.UNKNOWN, last.detail) from exc
    finally:
        if stream is not None:
            learned.update(tcp_info(getattr(raw, "socket", None))._asdict())
            await trio.aclose_forcefully(stream)


async def _download(
    stream: trio.abc.Stream,
    url: URL,
    host: str | None,
    limit: int,
    lap: _Lap,
    learned: dict[str, Any],
) -> None:
    adapter = _Open(stream)
    http2 = isinstance(stream, TLSStream) and stream.alpn == "h2"
    connection = adapter.connection(origin_of(url), http2=http2)
    with adapter.failures(Failure.UNKNOWN):
        response = await connection.handle_async_request(browser_request(url, host=host))
        learned["status"] = response.status
        lap.ends("wait")
        progress = Progress()
        try:
            async with aclosing(response.aiter_stream()) as chunks:
                async for chunk in chunks:
                    progress.note(len(chunk))
                    if progress.received >= limit:
                        break
                else:
                    learned["whole"] = True
        finally:
            learned.update(progress.facts())


class _Open(Adapter):
    """Left open when the response ends, so that the kernel can still be asked.

    Reads little at a time: what is read beyond the limit would still cost the line.
    """

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await super().read(min(max_bytes, PIECE), timeout)

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


class _Lap:
    """Puts the seconds since the last lap's end into *learned*."""

    def __init__(self, learned: dict[str, Any]) -> None:
        self._learned = learned
        self._began = trio.current_time()

    def ends(self, name: str) -> None:
        now = trio.current_time()
        self._learned[name] = round(now - self._began, 6)
        self._began = now
