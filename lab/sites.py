"""What answers for a name at an address: sites, described and not yet served.

A `Site` is frozen data. What a port of it does is either a *page* (a function from
a request to a response, composed from the small values below) or something rawer
than HTTP (`Garbage`, `Hangup`, `Mute`), or None: then nothing listens and the kernel
refuses. ``lab.serving`` brings them to life. Nothing here is censorship; what a
server does to its visitors by its own will belongs here, whatever it looks like.
"""

from __future__ import annotations

import gzip
import ipaddress
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

import brotli
import trio

from lab.certificates import ORDINARY, Certificate
from lab.text import page_html


@dataclass(frozen=True, kw_only=True)
class Request:
    """A visitor's request. *client* and *local* are addresses, *host* has no port."""

    method: str = "GET"
    target: str = "/"
    host: str = ""
    scheme: Literal["http", "https"] = "http"
    client: str = ""
    local: str = ""
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Response:
    """What is sent and how.

    *wait* seconds pass before the first byte (inf: it never comes). With *piece*
    the body goes in pieces of that many bytes, *pause* seconds apart. *size* bytes
    of filling are sent after *body*. *cut* ends the connection after that many
    bytes of the body, whatever was announced. *framing* says how its end is told.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    framing: Literal["length", "chunked", "close"] = "length"
    wait: float = 0.0
    piece: int = 0
    pause: float = 0.0
    size: int = 0
    cut: int | None = None


Page = Callable[[Request], Response]


@dataclass(frozen=True)
class Garbage:
    """Answers the first bytes with *data*, which is no TLS and no HTTP."""

    data: bytes = b"220 mail ESMTP\r\n"


@dataclass(frozen=True)
class Hangup:
    """Closes: at once, or, *after_first*, when the client has spoken. *hard*: with a RST."""

    after_first: bool = False
    hard: bool = False


@dataclass(frozen=True)
class Mute:
    """Accepts and never says a word."""


@dataclass(frozen=True)
class Play:
    """Talks to one visitor as it likes: *say* gets the connection (*over* ``tcp``), or what is
    inside TLS once that has agreed on *over*."""

    say: Callable[[trio.abc.Stream], Awaitable[None]]
    over: Literal["tcp", "http/1.1", "h2"] = "tcp"


Port = Page | Garbage | Hangup | Mute | Play | None

HTML = ("Content-Type", "text/html; charset=utf-8")


@dataclass(frozen=True)
class Article:
    """A page of its own for every *seed*, with *title* (None: one that begins with the seed).

    *dynamic*: a part of it is different each time, as a news front page is.
    """

    seed: str
    language: Literal["be", "ru", "en"] = "ru"
    paragraphs: int = 6
    server: str = "nginx"
    dynamic: bool = False
    title: str | None = None
    extra: str = ""
    _count: itertools.count[int] = field(default_factory=itertools.count, compare=False, repr=False)

    def __call__(self, request: Request) -> Response:
        turn = next(self._count) if self.dynamic else 0
        html = page_html(
            self.seed, self.language, self.paragraphs, turn=turn, title=self.title, extra=self.extra
        )
        headers = (("Server", self.server), HTML, ("X-Site-Build", f"{hash_of(self.seed):08x}"))
        return Response(headers=headers, body=html.encode())


@dataclass(frozen=True)
class Fixed:
    """Always the same *body* with *headers*."""

    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (HTML,)

    def __call__(self, request: Request) -> Response:
        return Response(status=self.status, headers=self.headers, body=self.body)


@dataclass(frozen=True)
class Redirect:
    """To *location*, in which ``{host}`` and ``{target}`` stand for the request's."""

    location: str = "https://{host}{target}"
    status: int = 301

    def __call__(self, request: Request) -> Response:
        location = self.location.replace("{host}", request.host)
        location = location.replace("{target}", request.target)
        body = b"<html><head><title>Moved</title></head><body>Moved</body></html>"
        return Response(status=self.status, headers=(HTML, ("Location", location)), body=body)


@dataclass(frozen=True)
class Chain:
    """``/hop/N`` leads to ``/hop/N-1``, any other path to ``/hop/length``, 0 to *last*."""

    length: int
    last: Page
    status: int = 302

    def __call__(self, request: Request) -> Response:
        _, hop, number = request.target.rpartition("/hop/")
        left = int(number) if hop and number.isdigit() else self.length + 1
        if left == 0:
            return self.last(request)
        return Redirect(f"/hop/{left - 1}", self.status)(request)


@dataclass(frozen=True)
class ForClients:
    """*then* for clients in *networks*, *otherwise* for all the rest."""

    networks: tuple[str, ...]
    then: Page
    otherwise: Page

    def __call__(self, request: Request) -> Response:
        client = ipaddress.ip_address(request.client)
        inside = any(client in ipaddress.ip_network(network) for network in self.networks)
        return (self.then if inside else self.otherwise)(request)


@dataclass(frozen=True)
class ForPath:
    """*then* for request targets that begin with *path*, *otherwise* for others."""

    path: str
    then: Page
    otherwise: Page

    def __call__(self, request: Request) -> Response:
        page = self.then if request.target.startswith(self.path) else self.otherwise
        return page(request)


@dataclass(frozen=True)
class Altered:
    """What *page* answers, with fields of the `Response` replaced."""

    page: Page
    changes: tuple[tuple[str, object], ...]

    def __call__(self, request: Request) -> Response:
        response = self.page(request)
        fields = {name: getattr(response, name) for name in response.__dataclass_fields__}
        return Response(**(fields | dict(self.changes)))


def slow(page: Page, seconds: float) -> Page:
    """*page*, whose first byte comes late."""
    return Altered(page, (("wait", seconds),))


def drip(page: Page, piece: int, pause: float) -> Page:
    """*page*, a few bytes at a time."""
    return Altered(page, (("piece", piece), ("pause", pause)))


def truncated(page: Page, at: int) -> Page:
    """*page*, cut off after *at* bytes of its body."""
    return Altered(page, (("cut", at),))


def big(page: Page, size: int, framing: Literal["chunked", "close"] = "chunked") -> Page:
    """*page* and *size* bytes more, the length not told."""
    return Altered(page, (("size", size), ("framing", framing)))


@dataclass(frozen=True)
class Encoded:
    """What *page* answers, compressed."""

    page: Page
    coding: Literal["gzip", "br"]

    def __call__(self, request: Request) -> Response:
        plain = self.page(request)
        packed = gzip.compress(plain.body, mtime=0) if self.coding == "gzip" else None
        body = brotli.compress(plain.body) if packed is None else packed
        headers = (*plain.headers, ("Content-Encoding", self.coding))
        return Response(status=plain.status, headers=headers, body=body)


def captcha(status: Literal[403, 503] = 503) -> Page:
    """A content network's check whether the visitor is a person."""
    body = (
        "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>"
        "<h1>Checking that the connection is secure</h1><p>Enable JavaScript and cookies to go on."
        '</p><form id="challenge-form" action="/" method="POST"></form></body></html>'
    )
    headers = (HTML, ("Server", "cloudflare"), ("CF-RAY", "8f1b2c3d4e5f6071-WAW"))
    return Fixed(body.encode(), status, (*headers, ("CF-Mitigated", "challenge")))


def refusal(status: int = 403, why: str = "Forbidden") -> Page:
    """The server will not serve this visitor and says so itself."""
    body = f"<html><head><title>{status} {why}</title></head><body><h1>{why}</h1></body></html>"
    return Fixed(body.encode(), status, (HTML, ("Server", "nginx")))


@dataclass(frozen=True, kw_only=True)
class Site:
    """What answers for *names* at *addresses*: *http* on port 80, *https* on 443.

    *ports* are further ones, each with its scheme. A server that gets a name it
    does not know answers as the first site at its address. *certificate* carries
    *names* unless it says otherwise. *h3*: HTTP/3 is advertised with *https* (Alt-Svc)
    and there, or else what comes to its port is ``"refused"``, finds it ``"mute"``, or is
    answered by a ``"flood"`` of noise.
    """

    names: tuple[str, ...]
    addresses: tuple[str, ...]
    http: Port = Redirect()
    https: Port = None
    ports: tuple[tuple[int, Literal["http", "https"], Port], ...] = ()
    certificate: Certificate = ORDINARY
    h2: bool = False
    h3: Literal["", "on", "refused", "mute", "flood"] = ""

    def listeners(self) -> tuple[tuple[int, Literal["http", "https"], Port], ...]:
        """Port, scheme and behaviour of everything that listens."""
        all_ = ((80, "http", self.http), (443, "https", self.https), *self.ports)
        return tuple((n, scheme, port) for n, scheme, port in all_ if port is not None)  # type: ignore[misc]


def hash_of(seed: str) -> int:
    """32 bits that are the same in every process, unlike `hash`."""
    value = 2166136261
    for byte in seed.encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value
