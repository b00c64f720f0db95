"""One HTTP exchange over the measured connection.

httpcore2's connections speak HTTP/1.1 (h11) and HTTP/2 (h2) over our own stream, so
that the connection measured is the connection used. Headers, body, time and
decompressed size are bounded; the deadline is trio's, since a read timeout never
fires on a server that drips.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Iterable
from contextlib import aclosing
from itertools import islice
from typing import Any

import httpcore2
import trio

from probe.evidence import HTTPExchange
from probe.failure import Failure, NetworkFailure
from probe.steps.adapter import Adapter
from probe.trace import Trace
from probe.wire import page
from probe.wire.url import URL, BadURL, parse

TIMEOUT = 15.0  # seconds until the response head
BODY_TIME = 10.0  # seconds more for the body; what came by then is kept
MAX_BODY = 256 * 1024  # bytes after decompression
MAX_HEADERS = 100
MAX_HEADER_VALUE = 4096
REDIRECTS = frozenset({301, 302, 303, 307, 308})

# A current Chrome on Windows, the most common browser there is: a rare set of
# headers would mark the volunteer, and sites treat rare clients differently.
BROWSER_HEADERS = (
    ("sec-ch-ua", '"Chromium";v="152", "Not?A_Brand";v="24", "Google Chrome";v="152"'),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", '"Windows"'),
    ("upgrade-insecure-requests", "1"),
    (
        "user-agent",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/152.0.0.0 Safari/537.36",
    ),
    (
        "accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    ),
    ("sec-fetch-site", "none"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-user", "?1"),
    ("sec-fetch-dest", "document"),
    ("accept-encoding", "gzip, deflate, br"),
    ("accept-language", "ru-RU,ru;q=0.9,en-US;q=0.8,en;q=0.7"),
)


async def http_fetch(
    trace: Trace,
    stream: trio.abc.Stream,
    url: URL,
    *,
    ip: str,
    port: int,
    http2: bool = False,
    cookies: str = "",
    host: str | None = None,
    **facts: Any,
) -> HTTPExchange:
    """GET *url* over *stream*; the record, which is also on the trace. Raises `StepFailed`.

    *host* is what the Host header says instead of the URL's host.
    The body is in the record: whoever ends the measurement drops what need not be kept.
    A head without a (whole) body is a success with ``body_truncated``.
    """
    adapter = Adapter(stream)
    with trace.operation(
        HTTPExchange,
        url=url.text,
        timeout=TIMEOUT + BODY_TIME + 1,
        ip=ip,
        port=port,
        tls=url.tls,
        protocol="h2" if http2 else "http/1.1",
        host=host,
        **facts,
    ) as learned:
        await _exchange(adapter, url, http2, cookies, host, learned, trace.now)
    record = trace.records[-1]
    assert isinstance(record, HTTPExchange)
    return record


async def _exchange(
    adapter: Adapter,
    url: URL,
    http2: bool,
    cookies: str,
    other_host: str | None,
    learned: dict[str, Any],
    now: Callable[[], float],
) -> None:
    connection = adapter.connection(origin_of(url), http2=http2)
    request = browser_request(url, host=other_host, cookies=cookies)
    try:
        with trio.fail_after(TIMEOUT), adapter.failures(Failure.UNKNOWN):
            response = await connection.handle_async_request(request)
    except trio.TooSlowError as exc:
        if not adapter.received:
            raise
        detail = f"no whole head after {TIMEOUT:g} s, though {adapter.received} bytes came"
        raise NetworkFailure(Failure.TIMEOUT, detail) from exc
    learned["head_t"] = round(now(), 6)
    note_head(url, response.status, response.headers, learned)
    pieces: list[bytes] = []
    try:
        encoding = header(learned["headers"], "content-encoding")
        await _body(adapter, response, encoding, pieces, learned)
    finally:
        # Also where a reset follows: a censor's page and its RST come together.
        note_body(b"".join(pieces), learned)


def note_head(
    url: URL, status: int, headers: Iterable[tuple[bytes, bytes]], learned: dict[str, Any]
) -> None:
    """Put what a response head to *url* says into *learned*, within bounds."""
    learned["status"] = status
    learned["headers"] = kept = _headers(headers)
    _redirect(url, status, kept, learned)


def note_body(body: bytes, learned: dict[str, Any]) -> None:
    """Put the decompressed *body* and its digests into *learned*, whose head is there."""
    learned["body"] = body
    learned["body_length"] = len(body)
    learned["body_sha256"] = hashlib.sha256(body).hexdigest()
    if body:
        learned["title"] = page.title(body, header(learned["headers"], "content-type"))
        learned["sketch"] = page.sketch(body)


def origin_of(url: URL) -> httpcore2.Origin:
    return httpcore2.Origin(url.scheme.encode(), url.host.encode(), url.port)


def browser_request(
    url: URL, *, host: str | None = None, cookies: str = ""
) -> httpcore2.Request:
    """The request that a browser would send for *url*; *host* stands in its Host header."""
    if host is None:
        host = f"[{url.host}]" if ":" in url.host else url.host
        if not url.default_port:
            host += f":{url.port}"
    headers = [("Host", host), *BROWSER_HEADERS]
    if cookies:
        headers.append(("cookie", cookies))
    return httpcore2.Request(
        "GET",
        httpcore2.URL(
            scheme=url.scheme.encode(), host=url.host.encode(), port=url.port,
            target=url.target.encode(),
        ),
        headers=[(name.encode(), value.encode("latin-1")) for name, value in headers],
    )


async def _body(
    adapter: Adapter,
    response: httpcore2.Response,
    encoding: str,
    pieces: list[bytes],
    learned: dict[str, Any],
) -> None:
    """Add to *pieces* what comes of the body within its bounds, to *learned* why not all.

    Raises what breaks the connection: with the head here, a reset in the body is
    still a reset of this exchange.
    """
    decoder = page.Decoder(encoding, MAX_BODY)
    raw = 0
    learned["body_truncated"] = True
    try:
        with trio.fail_after(BODY_TIME), adapter.failures(Failure.UNKNOWN):
            async with aclosing(response.aiter_stream()) as chunks:
                async for chunk in chunks:
                    raw += len(chunk)
                    pieces.append(decoder.feed(chunk))
                    if decoder.truncated or raw > MAX_BODY:
                        break
                else:
                    learned["body_truncated"] = False
    except trio.TooSlowError:
        learned["detail"] = f"body still coming after {BODY_TIME:g} s"
    except page.UnreadableBody as exc:
        learned["detail"] = str(exc)
    except NetworkFailure as exc:
        if exc.failure not in (Failure.EOF, Failure.UNKNOWN) or _is_tls(exc):
            raise
        learned["detail"] = "body cut off" if exc.failure is Failure.EOF else exc.detail


def _is_tls(exc: NetworkFailure) -> bool:
    return isinstance(exc.__cause__, ssl.SSLError)


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name.decode("latin-1").lower(), value.decode("latin-1")[:MAX_HEADER_VALUE])
        for name, value in islice(raw, MAX_HEADERS)
    )


def header(headers: tuple[tuple[str, str], ...], name: str) -> str:
    """The first value of *name* (lower case), empty where there is none."""
    return next((value for key, value in headers if key == name), "")


def _redirect(
    url: URL, status: int, headers: tuple[tuple[str, str], ...], learned: dict[str, Any]
) -> None:
    location = header(headers, "location")
    if status not in REDIRECTS or not location:
        return
    # Header values are bytes; sites that put UTF-8 there mean UTF-8 (RFC 9110, 5.5).
    text = location.encode("latin-1").decode("utf-8", "replace")
    try:
        learned["location"] = parse(text, base=url.text).text
    except BadURL as exc:
        learned["failure"] = Failure.HTTP_INVALID_REDIRECT
        learned["detail"] = f"{exc}: {text[:100]!r}"
