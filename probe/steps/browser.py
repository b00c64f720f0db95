"""A browser's ClientHello: BoringSSL, set to say what one Chrome says, by the utls package.

A filter may treat Python's hello and a browser's differently, and in a country where
nearly everybody sends a browser's the other marks the volunteer. The package is
optional and imported late, here only. Which Chrome it is must fit the headers that
follow inside (`probe.steps.http.BROWSER_HEADERS`).

The order of a hello's extensions is random for each connection, as it is Chrome's own
habit. Ours is drawn until the name stands early: with today's key shares a hello
fills more than one segment, and a filter that reads single packets would see the name
in one measurement and miss it in the next.
"""

from __future__ import annotations

import importlib.util
import re
import ssl
from functools import cache
from typing import TYPE_CHECKING

from probe.failure import Failure, NetworkFailure
from probe.wire.tls import name_in

if TYPE_CHECKING:
    import utls

PRESET, NAME = "chrome:152", "chrome-152"
EARLY = 1200  # bytes of a hello that fit into the first segment on any path (RFC 8200, 5)
DRAWS = 30  # two orders in three have the name that early
_REASON = re.compile(r":OPENSSL_internal:(?P<word>[^;:]+)")


@cache
def available() -> bool:
    """Whether the package is there and has the browser that we mean to be."""
    if importlib.util.find_spec("utls") is None:
        return False
    try:
        import utls
    except ImportError:  # built for another system
        return False
    return PRESET in utls.presets()


class BrowserTLS:
    """`probe.steps.engine.Engine` that says what Chrome says."""

    name = NAME

    def __init__(self, sni: str | None, alpn: tuple[str, ...], ech: bytes = b"") -> None:
        self._context = _context(alpn)
        if ech:
            self._context = self._context.set_ech_configs(ech)
        self.sni, self._ech = sni, ech
        self._begin()

    def _begin(self) -> None:
        import utls

        self._incoming, self._outgoing = utls.MemoryBIO(), utls.MemoryBIO()
        try:
            self._tls = self._context.wrap_bio(
                self._incoming, self._outgoing, server_hostname=self.sni
            )
        except ssl.SSLError as exc:  # it does not read the list of keys
            raise NetworkFailure(Failure.UNKNOWN, f"ECH: {_named(exc).reason}") from None

    def hello(self) -> bytes:
        for _ in range(DRAWS):
            self.handshake()
            said = self._outgoing.read()
            at = name_in(said, self.sni) if self.sni else None
            if self._ech and at is not None:  # BoringSSL passes over keys of other kinds
                raise NetworkFailure(Failure.UNKNOWN, "ECH: no key that can be used")
            if at is None or at[1] <= EARLY:  # none: ECH hides it, or it is an address
                break
            self._begin()
        return said

    def feed(self, raw: bytes) -> None:
        self._incoming.write(raw)

    def unsent(self) -> bytes:
        return self._outgoing.read() if self._outgoing.pending else b""

    def handshake(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as exc:
            raise _named(exc) from None
        return True

    def read(self, max_bytes: int) -> bytes | None:
        try:
            return bytes(self._tls.read(max_bytes))
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLError as exc:
            raise _named(exc) from None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        try:
            self._tls.write(bytes(data))
        except ssl.SSLError as exc:
            raise _named(exc) from None

    def version(self) -> str | None:
        return self._tls.version()

    def cipher(self) -> str | None:
        chosen = self._tls.cipher()
        return chosen[0] if chosen else None

    def alpn(self) -> str | None:
        return self._tls.selected_alpn_protocol()

    def chain(self) -> tuple[bytes, ...]:
        presented = (c.public_bytes(2) for c in self._tls.get_unverified_chain())  # 2: DER
        return tuple(der for der in presented if isinstance(der, bytes))


def _named(exc: ssl.SSLError) -> ssl.SSLError:
    """*exc* as the standard library would raise it: with BoringSSL's word as ``reason``.

    It takes the place of *exc*: utls says "unexpected EOF" for every failure to which
    BoringSSL has given no word, and only our own stream knows of an end of file.
    """
    text = str(exc.args[-1]) if exc.args else ""
    found = _REASON.search(text)
    closed = isinstance(exc, ssl.SSLZeroReturnError)  # by an alert, in order
    error = (ssl.SSLZeroReturnError if closed else ssl.SSLError)(int(ssl.SSL_ERROR_SSL), text)
    error.reason = found["word"] if found else text
    return error


@cache
def _context(alpn: tuple[str, ...]) -> utls.SSLContext:
    import utls

    context = utls.SSLContext(utls.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_fingerprint(PRESET)
    context.set_alpn_protocols(list(alpn))
    return context
