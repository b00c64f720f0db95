"""The ways on which something of ours reaches a server of ours: straight, by proxy, by Tor.

Rule: the user's ways, in the user's order, and no other. Who named only Tor is never sent
straight because Tor is down: that would tell the operator what was to be hidden. Two
pseudonyms never share a connection, nor a circuit of Tor (which makes another for other
SOCKS credentials: torrc, IsolateSOCKSAuth), since that would say that they are one.

The controls use the same proxies (`probe.control.transport`, design decision 17).
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit, urlunsplit

import httpx2
import trio

from probe.config import ConfigError, Upload, Way
from probe.control.transport import make_client, named_failures
from probe.failure import Failure, NetworkFailure

CONNECT = 60.0  # seconds; a circuit of Tor may take that long
EXCHANGE = 150.0  # seconds for one batch; a collector waits 120 s for a body
CHUNK = 16 * 1024  # bytes
MAX_ANSWER = 64 * 1024  # bytes
MAX_PAUSE = 3600.0  # seconds that a server may ask us to wait


@dataclass(frozen=True, kw_only=True)
class WayOut:
    """One way: what it is called in the outbox, and its proxy (None: straight)."""

    name: Way
    proxy: str | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a server said. *retry_after*: in how many seconds to come again, if it said so."""

    status: int
    body: bytes
    retry_after: float | None = None


def ways_out(upload: Upload, controls_proxy: str | None = None) -> list[WayOut]:
    """The ways to use, in the user's order; ``file`` is not among them. Raises `ConfigError`.

    Where the user named none: through the proxy that is set, here or for the controls, and
    straight only where there is none.
    """
    proxy = upload.proxy or controls_proxy
    names: tuple[Way, ...] = upload.ways or (("proxy",) if proxy else ("direct",))
    found: list[WayOut] = []
    for name in dict.fromkeys(names):
        if name == "proxy" and not proxy:
            raise ConfigError("upload.ways names the proxy, and upload.proxy is not set")
        if name == "file" and not upload.file:
            raise ConfigError("upload.ways names the file, and upload.file is not set")
        if name != "file":
            via = {"direct": None, "proxy": proxy, "tor": upload.tor}[name]
            _check(via)
            found.append(WayOut(name=name, proxy=via))
    return found


def is_loopback(url: str) -> bool:
    """Whether *url* leads to this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@asynccontextmanager
async def open_way(way: WayOut, url: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A client for the server at *url* by *way*, with connections (and circuits) of its own."""
    proxy = _isolated(way.proxy) if way.name == "tor" and way.proxy else way.proxy
    async with make_client([url], proxy=proxy) as client:
        client.timeout = httpx2.Timeout(None, connect=CONNECT)
        yield client


class Body:
    """A body to send, which counts how much of it has left: a metered line pays for that."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.left = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.data), CHUNK):
            chunk = self.data[start : start + CHUNK]
            self.left += len(chunk)
            yield chunk


async def put(client: httpx2.AsyncClient, url: str, body: Body) -> Answer:
    """Send *body*. Raises `NetworkFailure`, also where it takes too long."""
    headers = {
        "content-type": "application/octet-stream",
        "content-length": str(len(body.data)),
        "accept-encoding": "identity",
    }
    with trio.move_on_after(EXCHANGE), named_failures():
        async with client.stream("PUT", url, content=body, headers=headers) as response:
            return Answer(
                status=response.status_code,
                body=await _bounded(response),
                retry_after=_seconds(response.headers.get("retry-after", "")),
            )
    raise NetworkFailure(Failure.TIMEOUT, f"not answered in {EXCHANGE:g} s")


async def _bounded(response: httpx2.Response) -> bytes:
    body = bytearray()
    too_long = False
    # The iterator is ended from within: left half-way, httpcore2's would be closed
    # whenever the garbage collector comes by.
    with trio.CancelScope() as reading:
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MAX_ANSWER:
                too_long = True
                reading.cancel()
    if too_long:
        raise NetworkFailure(Failure.MESSAGE_SIZE, f"an answer longer than {MAX_ANSWER} bytes")
    return bytes(body)


def _seconds(text: str) -> float | None:
    if text.isascii() and text.isdecimal() and len(text) < 8:
        return min(float(text), MAX_PAUSE)
    return None


def _check(proxy: str | None) -> None:
    if proxy is None:
        return
    try:
        httpx2.Proxy(proxy)
    except (ValueError, httpx2.InvalidURL) as exc:
        raise ConfigError(f"the proxy {proxy!r}: {exc}") from exc


def _isolated(proxy: str) -> str:
    parts = urlsplit(proxy)
    if parts.username:
        return proxy  # the user's own, which may be a bridge to somewhere else
    return urlunsplit(parts._replace(netloc=f"{secrets.token_hex(8)}:zond@{parts.netloc}"))
