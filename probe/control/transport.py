"""HTTP to a control: one request, a bounded reply, every trouble with a name.

A control may be impersonated or have turned hostile, so nothing of a reply is trusted:
its size is bounded as it came and as it unpacks, no redirect is followed, no cookie is
kept. What goes wrong leaves here as `NetworkFailure` and nothing else; time is the
caller's to bound, since a read timeout never fires against a server that drips.

HTTP/1.1 on purpose: one silent connection then costs one answer. HTTP/2 would put all
questions on one connection, which stays in the client's pool after it has died.
"""

from __future__ import annotations

import ssl
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy

import httpx2
import msgspec
import trio
from socksio.exceptions import SOCKSError

from probe.control.protocol import MAX_ANSWER
from probe.failure import Failure, NetworkFailure, causes, classify
from probe.trace import MAX_DETAIL

CONNECT = 10.0  # seconds to reach a control
KEEP_ALIVE = 10.0  # seconds; less than our server's, so that it is we who close
MAX_CONNECTIONS = 200
MAX_IDLE = 16  # each question looks at all of them

# X509_V_ERR_*, as `ssl.SSLCertVerificationError.verify_code` gives them.
_UNKNOWN_ISSUER = frozenset({2, 18, 19, 20, 21})
_WRONG_NAME = frozenset({62, 64})

_OUT_OF_ORDER = (
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpx2.StreamError,
    OSError,
    # A proxy that talks rubbish: what understands SOCKS asserts, and raises its own.
    AssertionError,
    SOCKSError,
)


class Reply(msgspec.Struct, frozen=True):
    """*headers* with lower-case names; *body* decompressed."""

    status: int
    headers: dict[str, str]
    body: bytes


def make_client(
    urls: Sequence[str],
    *,
    proxy: str | None = None,
    trust: ssl.SSLContext | None = None,
    local_address: str | None = None,
) -> httpx2.AsyncClient:
    """A client for the controls at *urls*. Nothing comes from the environment except the
    trust store that ``SSL_CERT_FILE`` names (see `make_trust`)."""
    context = trust or make_trust((*urls, proxy or ""))
    limits = httpx2.Limits(
        max_connections=MAX_CONNECTIONS,
        max_keepalive_connections=MAX_IDLE,
        keepalive_expiry=KEEP_ALIVE,
    )
    client = httpx2.AsyncClient(
        transport=httpx2.AsyncHTTPTransport(
            verify=context,
            trust_env=False,
            limits=limits,
            proxy=_proxy(proxy, context) if proxy else None,
            local_address=local_address,
        ),
        trust_env=False,
        follow_redirects=False,
        timeout=httpx2.Timeout(None, connect=CONNECT),
        headers={"user-agent": "zond"},
    )
    # A cookie would let a control tell one volunteer from another.
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return client


def _proxy(url: str, trust: ssl.SSLContext) -> httpx2.Proxy:
    return httpx2.Proxy(url, ssl_context=trust if url.startswith("https:") else None)


def make_trust(urls: Sequence[str]) -> ssl.SSLContext:
    """The trusted roots, loaded only if one of *urls* needs them: a store costs memory."""
    if any(url.startswith("https:") for url in urls):
        return httpx2.create_ssl_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody


async def fetch(
    http: httpx2.AsyncClient, method: str, url: str, content: bytes | None = None
) -> Reply:
    """Raises `NetworkFailure`."""
    headers = {"accept-encoding": "gzip"}
    if content is not None:
        headers["content-type"] = "application/json"
    with named_failures():
        async with http.stream(method, url, content=content, headers=headers) as response:
            body = await _bounded(response)
            heads = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status_code, heads, body)


def check_status(reply: Reply) -> None:
    """Raises `NetworkFailure` unless the reply is a 200."""
    if reply.status == 200:
        return
    said = f"status {reply.status}"
    if 300 <= reply.status < 400:
        said += f", redirects to {reply.headers.get('location', 'nowhere')}"
    raise NetworkFailure(Failure.UNKNOWN, said[:MAX_DETAIL])


def retry_after(reply: Reply) -> float | None:
    """Seconds that a busy control asks us to wait; None where it does not say."""
    text = reply.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 6 else None


def date(reply: Reply) -> float | None:
    """The ``Date`` header in POSIX seconds, if it is one."""
    try:
        return parsedate_to_datetime(reply.headers.get("date", "")).timestamp()
    except (ValueError, OverflowError):
        return None


async def _bounded(response: httpx2.Response) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise NetworkFailure(Failure.JSON_PARSE, "an encoding we did not ask for")
    unpacker = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    body = bytearray()
    arrived = 0
    trouble: NetworkFailure | None = None
    # The iterators below are ended from within, by cancellation: left half-way, httpcore2's
    # would be closed whenever the garbage collector comes by.
    with trio.CancelScope() as reading:
        async for chunk in response.aiter_raw():
            arrived += len(chunk)
            if trouble is None:
                try:
                    body += unpacker.decompress(chunk, MAX_ANSWER + 1) if unpacker else chunk
                    if max(arrived, len(body)) > MAX_ANSWER:
                        said = f"longer than {MAX_ANSWER} bytes"
                        trouble = NetworkFailure(Failure.MESSAGE_SIZE, said)
                except zlib.error:
                    trouble = NetworkFailure(Failure.JSON_PARSE, "broken gzip")
            if trouble is not None:
                reading.cancel()
    if trouble is not None:
        raise trouble
    if unpacker is not None and not unpacker.eof:
        raise NetworkFailure(Failure.EOF, "the gzip ends early")
    return bytes(body)


@contextmanager
def named_failures() -> Iterator[None]:
    """What our HTTP client raises inside becomes `NetworkFailure`."""
    try:
        yield
    except NetworkFailure:
        raise
    except _OUT_OF_ORDER as exc:
        raise NetworkFailure(_name(exc), _say(exc)) from exc


def _name(exc: BaseException) -> Failure:
    links = list(_behind(exc))
    for link in links:
        if isinstance(link, ssl.SSLCertVerificationError):
            if link.verify_code in _WRONG_NAME:
                return Failure.TLS_INVALID_HOSTNAME
            if link.verify_code in _UNKNOWN_ISSUER:
                return Failure.TLS_UNKNOWN_AUTHORITY
            return Failure.TLS_INVALID_CERTIFICATE
    for link in reversed(links):  # the deepest is the first that happened
        if (known := classify(link)) is not Failure.UNKNOWN:
            return known
    if isinstance(exc, httpx2.TimeoutException):
        return Failure.TIMEOUT
    if isinstance(exc, httpx2.RemoteProtocolError) and "isconnected" in str(exc):
        return Failure.EOF
    return Failure.UNKNOWN


def _behind(exc: BaseException) -> Iterator[BaseException]:
    """*exc* and its causes, also those that httpcore2's pool hides by ``raise … from None``."""
    for link in causes(exc):
        yield link
        if isinstance(link.__context__, Exception) and link.__suppress_context__:
            yield from causes(link.__context__)


def _say(exc: BaseException) -> str:
    return f"{type(exc).__name__}: {exc}"[:MAX_DETAIL]
