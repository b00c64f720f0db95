"""What speaks TLS for us: bytes in, bytes out, no network. Two kinds with one shape.

The rule: `probe.steps.tls` drives either without knowing which, so that silence, an
end of file, a reset, an alert and what is no TLS are told apart by one piece of code,
and two hellos differ in nothing but themselves. The one here is Python's own; the
browser's is in `probe.steps.browser` and needs a package that may be absent.
"""

from __future__ import annotations

import ssl
from functools import cache
from typing import Literal, Protocol

from probe.failure import Failure, NetworkFailure
from probe.steps import browser

Hello = Literal["browser", "python"]
AnyHello = Hello | Literal["tor"]  # the last one for relays only: nobody else's site gets it

MAX_NAME = 255  # bytes of a name in SNI; the libraries do not send longer ones


class Engine(Protocol):
    """One side of one connection. *name* says whose hello it sends, *sni* for which name,
    in ASCII.

    `handshake` and `read` raise `ssl.SSLError` with a ``reason``; what is sent after
    that is our alert, as any client would send it.
    """

    name: str
    sni: str | None

    def hello(self) -> bytes:
        """Begin: the records of the ClientHello."""
        ...

    def feed(self, raw: bytes) -> None:
        """Take what the other side sent."""
        ...

    def unsent(self) -> bytes:
        """What is to be sent now; each byte is given once."""
        ...

    def handshake(self) -> bool:
        """Go on with what was fed; whether the handshake is done."""
        ...

    def read(self, max_bytes: int) -> bytes | None:
        """Decrypted bytes, empty at an announced end, None if more must arrive first."""
        ...

    def write(self, data: bytes | bytearray | memoryview) -> None: ...
    def version(self) -> str | None: ...
    def cipher(self) -> str | None: ...
    def alpn(self) -> str | None: ...

    def chain(self) -> tuple[bytes, ...]:
        """The certificates presented so far, DER, leaf first."""
        ...


def spoken(hello: Hello) -> Hello:
    """Whose hello is sent where *hello* is asked for: the browser's only where it can be."""
    return "browser" if hello == "browser" and browser.available() else "python"


def engine(
    sni: str | None, alpn: tuple[str, ...] = (), *, hello: AnyHello = "browser", ech: bytes = b""
) -> Engine:
    """The client's side of a new connection. Nothing is verified by it.

    No browser speaks without ALPN, so a connection that offers none (DNS over TLS) is
    Python's whatever *hello* says. *ech* is an ECHConfigList (RFC 9849, 4): the name is
    encrypted for it, which only the browser's engine can.
    Raises `NetworkFailure` for what is no host name, and where no key in *ech* can be used
    (nothing is sent then); ValueError for *ech* without that engine.
    """
    ascii_name = _as_sent(sni) if sni is not None else None
    if hello == "tor":
        return TorTLS(ascii_name)
    if alpn and spoken(hello) == "browser":
        return browser.BrowserTLS(ascii_name, alpn, ech)
    if ech:
        raise ValueError("this engine cannot encrypt the name")
    return PythonTLS(ascii_name, alpn)


def _as_sent(name: str) -> str:
    """*name* in ASCII, its case untouched."""
    try:
        spelt = name.encode("idna").decode("ascii")
    except UnicodeError as exc:  # an empty label, or one of over 63 characters
        raise NetworkFailure(Failure.UNKNOWN, f"not a host name: {name!r}") from exc
    if not 0 < len(spelt) <= MAX_NAME or "\0" in spelt or spelt.startswith("."):
        raise NetworkFailure(Failure.UNKNOWN, f"not a host name: {name!r}")
    return spelt


class PythonTLS:
    """`Engine` of the standard library, which is OpenSSL's."""

    name = "python"

    def __init__(
        self, sni: str | None, alpn: tuple[str, ...], context: ssl.SSLContext | None = None
    ) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.sni = sni
        self._tls = (context or _context(alpn)).wrap_bio(
            self._incoming, self._outgoing, server_hostname=sni
        )

    def hello(self) -> bytes:
        self.handshake()
        return self._outgoing.read()

    def feed(self, raw: bytes) -> None:
        self._incoming.write(raw)

    def unsent(self) -> bytes:
        return self._outgoing.read() if self._outgoing.pending else b""

    def handshake(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def read(self, max_bytes: int) -> bytes | None:
        try:
            return self._tls.read(max_bytes)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLZeroReturnError:
            return b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._tls.write(data)

    def version(self) -> str | None:
        return self._tls.version()

    def cipher(self) -> str | None:
        chosen = self._tls.cipher()
        return chosen[0] if chosen else None

    def alpn(self) -> str | None:
        return self._tls.selected_alpn_protocol()

    def chain(self) -> tuple[bytes, ...]:
        if hasattr(self._tls, "get_unverified_chain"):  # public since Python 3.13
            presented = self._tls.get_unverified_chain() or []
            return tuple(bytes(der) for der in presented)
        inner = self._tls._sslobj  # type: ignore[attr-defined]
        presented = inner.get_unverified_chain() or []
        return tuple(
            certificate.public_bytes(2)  # _ssl.ENCODING_DER
            for certificate in presented
        )


class TorTLS(PythonTLS):
    """Says what ``tor`` says (0.4.9 with OpenSSL 3.0), as far as Python lets it.

    The same suites, extensions and signature algorithms, and so the same JA4; Python gives no
    choice of the order of TLS 1.3's suites, nor of more groups than one (tor's first).
    """

    name = "tor-0.4.9"

    def __init__(self, sni: str | None) -> None:
        super().__init__(sni, (), _tor_context())


# src/lib/tls/ciphers.inc of tor, which takes them from Firefox.
_TOR_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES256-SHA", "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA",
    "ECDHE-RSA-AES256-SHA", "AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA",
)  # fmt: skip


@cache
def _tor_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers(":".join(_TOR_CIPHERS))
    context.set_ecdh_curve("prime256v1")
    return context


@cache
def _context(alpn: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context
