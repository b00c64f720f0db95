"""Reaching one Tor relay as its clients do, and what lies beside it at the same address.

A relay is proved to be itself by its certificates (`probe.tor.certificates`): any server
can speak TLS on port 9001, and a middlebox may too. Nothing is asked of a relay once it
has introduced itself; no circuit is made.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import trio

from probe.evidence import RelayLink
from probe.failure import NETWORK_ERRORS, Failure, NetworkFailure, classify
from probe.net import Network
from probe.steps.http import http_fetch
from probe.steps.tcp import tcp_connect
from probe.steps.tls import TLSStream, tls_handshake
from probe.tor.cells import BadLink, Introduction, Link, netinfo
from probe.tor.certificates import Unproved, prove
from probe.trace import StepFailed, Trace
from probe.wire.url import parse

TIMEOUT = 30.0  # seconds for all of it; the steps have bounds of their own
_MAX_RECEIVED = 128 * 1024  # bytes of TLS content before the relay has introduced itself
_OWN_DESCRIPTOR = "/tor/server/authority"  # the directory's own: the smallest document it has

# What is said over a connection: (trace, stream, facts of all records, what is learned).
Way = Callable[[Trace, trio.abc.Stream, dict[str, Any], dict[str, Any]], Awaitable[None]]


async def reach(
    net: Network,
    trace: Trace,
    way: Way,
    *,
    ip: str,
    port: int,
    url: str,
    relay: str,
    **facts: Any,
) -> RelayLink:
    """Connect to *ip* and go the *way*; the record of the whole, which is also on the trace.

    The records of its steps share its transaction. *relay* is the class (`RelayLink`), *facts*
    go into the record of the whole.
    """
    common = {"transaction": trace.new_transaction(), "url": url, "ip": ip, "port": port}
    try:
        with trace.operation(
            RelayLink, timeout=TIMEOUT, relay=relay, **common, **facts
        ) as learned:
            learned["operation"] = "connect"
            try:
                stream = await tcp_connect(net, trace, **common)  # type: ignore[arg-type]
                async with stream:
                    await way(trace, stream, common, learned)
            except StepFailed as exc:
                assert exc.__cause__ is not None
                learned["failure"] = classify(exc.__cause__)
            else:
                del learned["operation"]
    except StepFailed:
        pass  # it is on the record
    record = trace.records[-1]
    assert isinstance(record, RelayLink)
    return record


async def nothing_more(
    trace: Trace, stream: trio.abc.Stream, common: dict[str, Any], learned: dict[str, Any]
) -> None:
    """That there is a connection is all."""


async def directory(
    trace: Trace, stream: trio.abc.Stream, common: dict[str, Any], learned: dict[str, Any]
) -> None:
    """Ask a directory for its own descriptor (dir-spec, "Standards-compliant URLs")."""
    learned["operation"] = "http_round_trip"
    ip, port = common["ip"], common["port"]
    at = parse(f"http://{f'[{ip}]' if ':' in ip else ip}:{port}{_OWN_DESCRIPTOR}")
    page = await http_fetch(
        trace, stream, at, ip=ip, port=port, transaction=common["transaction"]
    )
    if page.status != 200 or not (page.body or b"").startswith(b"router "):
        raise NetworkFailure(Failure.UNKNOWN, "what answers is no directory of Tor")


def foreign_tls(name: str) -> Way:
    """A browser's hello, for *name*, where a relay listens."""

    async def way(
        trace: Trace, stream: trio.abc.Stream, common: dict[str, Any], learned: dict[str, Any]
    ) -> None:
        learned["operation"] = "tls_handshake"
        await tls_handshake(trace, stream, sni=name, **common)

    return way


def link(*, fingerprint: str = "", ed25519: str = "", now: Callable[[], float] = time.time) -> Way:
    """Tor's link handshake, up to the relay's certificates (tor-spec).

    *fingerprint* (hex) and *ed25519* (base64) are those that a list has for it; what is empty
    is not compared. A relay that is somebody else fails with ``ssl_invalid_hostname`` and
    *identity* ``"other"``, one whose certificates prove nothing with
    ``ssl_invalid_certificate``, at the operation ``"identity"``. *now* tells POSIX
    seconds.
    """

    async def way(
        trace: Trace, transport: trio.abc.Stream, common: dict[str, Any], learned: dict[str, Any]
    ) -> None:
        stream, _, introduced = await open_link(trace, transport, common, learned)
        learned["operation"] = "identity"
        _judge(introduced, stream.chain(), fingerprint, ed25519, now(), learned)

    return way


async def open_link(
    trace: Trace, transport: trio.abc.Stream, common: dict[str, Any], learned: dict[str, Any]
) -> tuple[TLSStream, Link, Introduction]:
    """Open a link as ``tor`` does, and what the relay says of itself.

    *common* are facts of the TLS record. Raises `StepFailed`, `NetworkFailure`.
    """
    learned["operation"] = "tls_handshake"
    stream = await tls_handshake(
        trace, transport, sni=_made_up_name(), alpn=(), hello="tor", **common
    )
    learned["operation"] = "link_handshake"
    link = Link()
    await stream.send_all(link.hello())
    received, introduced = 0, None
    try:
        while introduced is None:
            data = await stream.receive_some()
            received += len(data)
            if not data:
                raise NetworkFailure(Failure.EOF, "closed before the relay introduced itself")
            if received > _MAX_RECEIVED:
                raise BadLink(f"over {_MAX_RECEIVED} bytes before NETINFO")
            introduced = link.receive(data)
    except BadLink as exc:
        raise NetworkFailure(Failure.UNKNOWN, str(exc)) from exc
    finally:
        learned["versions"] = link.versions
    with suppress(*NETWORK_ERRORS), trio.move_on_after(1.0):
        # It is there, whether or not it listens.
        await stream.send_all(netinfo(link.version, common["ip"]))
    return stream, link, introduced


def _judge(
    introduced: Introduction,
    chain: tuple[bytes, ...],
    fingerprint: str,
    ed25519: str,
    now: float,
    learned: dict[str, Any],
) -> None:
    """Who it was. Raises `NetworkFailure` where it was not who it should have been."""
    if introduced.time:
        learned["skew"] = float(round(introduced.time - now))
    try:
        identity = prove(introduced.certificates, chain[0] if chain else b"")
    except Unproved as exc:
        learned["identity"] = "unproved"
        raise NetworkFailure(Failure.TLS_INVALID_CERTIFICATE, str(exc)) from exc
    learned["fingerprint"], learned["ed25519"] = identity.fingerprint, identity.ed25519
    if not identity.is_expected(fingerprint, ed25519):
        learned["identity"] = "other"
        raise NetworkFailure(Failure.TLS_INVALID_HOSTNAME, "another relay than the list's")
    learned["identity"] = "proved"
    if identity.expires < now:
        # Told, and nothing more: whose clock is wrong is not known here.
        learned["detail"] = "its certificates have expired by our clock"


def _made_up_name() -> str:
    """A name as ``tor`` makes them up for SNI (its ``crypto_random_hostname``)."""
    length = 4 + secrets.randbelow(22)
    letters = base64.b32encode(secrets.token_bytes(20)).decode().lower()[:length]
    return f"www.{letters}.com"
