"""One packet that is to die on its way, and what comes back: one `HopProbe` each.

The method is that of CenTrace (Raman et al., "Measuring the deployment of network
censorship filters at global scale", CoNEXT 2022, there with raw sockets): a trigger that
reaches the censor is answered as ever, one that does not is answered by the router where
it died. Here an ordinary user does it: the connection is made at full length, and only
what then carries the name is limited.
"""

from __future__ import annotations

import errno
import secrets
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import trio

from probe.evidence import HopAnswer, HopProbe, HopTrigger
from probe.failure import Failure, NetworkFailure
from probe.hops import HopError, HopNetwork, LimitedDatagrams, LimitedStream
from probe.steps.engine import Hello, engine, spoken
from probe.steps.http import BROWSER_HEADERS
from probe.steps.quic import ALPN as QUIC_ALPN
from probe.steps.tls import ALPN
from probe.trace import StepFailed, Trace
from probe.wire import dns as wire

CONNECT = 6.0  # seconds; a SYN is sent again after 1 and 3
WAIT = 2.0  # seconds for any answer; the kernel sends payload again after 0.2, 0.6 and 1.4
SYN_WAIT = 1.6  # it sends a SYN again after 1
LINGER = 0.5  # seconds after a router's word: a forged answer may come later than that
RESEND = 0.8  # seconds; nobody sends a datagram again for us
KEPT = 256  # bytes of an answer
PACKET = 1200  # bytes of payload that any path takes in one packet


async def hop_syn(
    hops: HopNetwork, trace: Trace, ip: str, port: int, ttl: int, **facts: Any
) -> HopProbe:
    """A SYN: names the router at *ttl*, or is accepted where that is the length of the path."""
    try:
        with _probe(trace, ip, port, ttl, "syn", facts) as learned, trio.move_on_after(SYN_WAIT):
            try:
                await hops.syn(ip, port, ttl)
                learned["answer"] = "accepted"
            except OSError as exc:
                _note(exc, learned)
    except StepFailed:
        pass  # it is on the record
    return _record(trace, facts)


async def hop_hello(
    hops: HopNetwork, trace: Trace, ip: str, port: int, ttl: int, name: str, *,
    hello: Hello = "browser", linger: float = LINGER, **facts: Any,
) -> HopProbe:  # fmt: skip
    """A ClientHello with *name*, whose *hello* says.

    A browser's takes two packets, and a router may speak of the one in which the name is
    not: who waits for silence must send Python's.
    """
    facts |= {"name": name, "hello": spoken(hello)}

    def payload() -> bytes:
        flight = engine(name, ALPN, hello=hello).hello()
        return small_hello(name) if hello == "python" and len(flight) > PACKET else flight

    return await _limited(hops, trace, ip, port, ttl, "tls", payload, linger, facts)


async def hop_request(
    hops: HopNetwork, trace: Trace, ip: str, port: int, ttl: int, name: str, target: str, *,
    linger: float = LINGER, **facts: Any,
) -> HopProbe:  # fmt: skip
    """A plain request for *target* (path and query) with *name* as Host, in one packet."""
    facts["name"] = name

    def payload() -> bytes:
        return request(target, name)

    return await _limited(hops, trace, ip, port, ttl, "http", payload, linger, facts)


async def hop_query(
    hops: HopNetwork, trace: Trace, ip: str, ttl: int, name: str, rdtype: str, **facts: Any
) -> HopProbe:
    """A DNS query over UDP. An answer and a router's word may both come: then both are kept."""
    asked = wire.query(name, rdtype, secrets.randbits(16))

    def read(data: bytes) -> HopAnswer | None:
        return "answered" if wire.read(data, to=asked) is not None else None

    facts["name"] = name
    return await _datagrams(hops, trace, ip, 53, ttl, "dns", [asked], read, facts)


async def hop_initial(
    hops: HopNetwork, trace: Trace, ip: str, port: int, ttl: int, name: str, **facts: Any
) -> HopProbe:
    """A QUIC Initial with *name*, where aioquic is installed (`probe.steps.quic.available`).

    *closed*: the connection was refused in QUIC's own words. Answers as for `hop_query`.
    """
    from probe.wire.quic import QUICClient

    client = QUICClient(ip, port, sni=name, alpn=QUIC_ALPN, now=trio.current_time())

    def read(data: bytes) -> HopAnswer | None:
        try:
            client.receive(data, trio.current_time())
        except NetworkFailure:
            return "closed"
        if client.hung_up:
            return "closed"
        return "answered" if client.greeted else None

    facts["name"] = name
    flight = client.to_send(trio.current_time())
    return await _datagrams(hops, trace, ip, port, ttl, "quic", flight, read, facts)


def small_hello(name: str) -> bytes:
    """A ClientHello of one packet, from an OpenSSL whose own is longer (3.5 and later): without
    the post-quantum key share, which takes 1,200 bytes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.set_alpn_protocols(list(ALPN))
    context.set_ecdh_curve("prime256v1")
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def request(target: str, host: str) -> bytes:
    """A browser's request for *target* with *host* in the Host header: as much of it as fits
    into one packet. Raises `NetworkFailure` where not even that much does."""
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in BROWSER_HEADERS]
    for kept in (len(lines), 2):
        said = "\r\n".join(lines[:kept]).encode("latin-1") + b"\r\n\r\n"
        if len(said) <= PACKET:
            return said
    raise NetworkFailure(Failure.MESSAGE_SIZE, "no request of one packet")


def _probe(
    trace: Trace, ip: str, port: int, ttl: int, trigger: HopTrigger, facts: dict[str, Any]
) -> Any:
    facts.setdefault("transaction", trace.new_transaction())
    return trace.operation(
        HopProbe, timeout=CONNECT + WAIT + LINGER + 1, ip=ip, port=port, ttl=ttl, trigger=trigger,
        **facts,
    )


def _record(trace: Trace, facts: dict[str, Any]) -> HopProbe:
    return next(
        e
        for e in reversed(trace.records)
        if isinstance(e, HopProbe) and e.transaction == facts["transaction"]
    )


async def _limited(
    hops: HopNetwork, trace: Trace, ip: str, port: int, ttl: int, trigger: HopTrigger,
    payload: Callable[[], bytes], linger: float, facts: dict[str, Any],
) -> HopProbe:  # fmt: skip
    try:
        with _probe(trace, ip, port, ttl, trigger, facts) as learned:
            said = payload()
            with trio.fail_after(CONNECT):
                stream = await hops.connect_tcp(ip, port)
            try:
                stream.limit(ttl)
                await _say(stream, said, linger, learned)
            finally:
                stream.abandon()
    except StepFailed:
        pass  # it is on the record
    return _record(trace, facts)


async def _say(
    stream: LimitedStream, payload: bytes, linger: float, learned: dict[str, Any]
) -> None:
    with trio.move_on_after(WAIT) as waiting:
        try:
            await stream.send_all(payload)
            while True:
                try:
                    received = await stream.receive_some(KEPT)
                except HopError as exc:
                    _note(exc, learned)
                    waiting.deadline = min(waiting.deadline, trio.current_time() + linger)
                    continue
                learned["answer"] = "answered" if received else "closed"
                learned["received"] = received
                return
        except OSError as exc:
            _note(exc, learned)


async def _datagrams(
    hops: HopNetwork, trace: Trace, ip: str, port: int, ttl: int, trigger: HopTrigger,
    flight: Sequence[bytes], read: Callable[[bytes], HopAnswer | None], facts: dict[str, Any],
) -> HopProbe:  # fmt: skip
    """Send *flight*, once more where nothing comes; *read* says what a datagram is."""
    try:
        with _probe(trace, ip, port, ttl, trigger, facts) as learned:
            sock = await hops.open_udp(ip, port, ttl)
            try:
                with trio.move_on_after(WAIT) as waiting:
                    await _send(sock, flight)
                    with trio.move_on_after(RESEND):
                        await _hear(sock, read, learned, waiting)
                    if "answer" not in learned:
                        await _send(sock, flight)
                    await _hear(sock, read, learned, waiting)
            finally:
                sock.close()
    except StepFailed:
        pass  # it is on the record
    return _record(trace, facts)


async def _send(sock: LimitedDatagrams, flight: Sequence[bytes]) -> None:
    for data in flight:
        await sock.send(data)


async def _hear(
    sock: LimitedDatagrams, read: Callable[[bytes], HopAnswer | None], learned: dict[str, Any],
    waiting: trio.CancelScope,
) -> None:  # fmt: skip
    """Take in what comes until time is up: an answer and an ICMP error, in any order."""
    while True:
        try:
            data = (await sock.receive()).data
        except OSError as exc:
            if "received" not in learned:
                _note(exc, learned)
            elif isinstance(exc, HopError) and exc.expired:
                _note_router(exc, learned)
        else:
            answer = read(data)
            if answer is None or "received" in learned:
                continue
            learned |= {"received": data[:KEPT], "answer": answer}
        waiting.deadline = min(waiting.deadline, trio.current_time() + LINGER)


def _note(exc: OSError, learned: dict[str, Any]) -> None:
    """What *exc* says became of the packet. Raises it if it says nothing about that."""
    answer: HopAnswer
    match exc:
        case HopError(expired=True):
            answer = "expired"
        case OSError(errno=errno.ECONNREFUSED):
            answer = "refused"
        case OSError(errno=errno.ECONNRESET | errno.EPIPE):
            answer = "reset"
        case HopError():
            answer = "unreachable"
        case _:
            raise exc
    learned["answer"] = answer
    if isinstance(exc, HopError):
        _note_router(exc, learned)


def _note_router(exc: HopError, learned: dict[str, Any]) -> None:
    learned["router"] = exc.router
    if exc.withheld:
        learned["detail"] = f"router's address withheld: {exc.withheld}"
