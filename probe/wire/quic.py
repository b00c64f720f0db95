"""QUIC and HTTP/3: datagrams and times in, datagrams and facts out, by aioquic.

The rule: whoever uses this passes in the time and carries the datagrams, and what
arrives is bounded here in number and in bytes. Parameters are a current Chrome's as far
as aioquic lets us choose them; a rare client marks the volunteer. Nothing is verified:
the certificate is judged elsewhere, at the right time (`probe.steps.certificate`).

aioquic comes with the extra ``quic`` only: import this module late.
"""

from __future__ import annotations

import hashlib
import logging
import ssl
from collections.abc import Sequence
from typing import Any

from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic import events
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicErrorCode, QuicFrameType, QuicProtocolVersion
from aioquic.tls import CipherSuite
from cryptography.hazmat.primitives.serialization import Encoding

from probe.failure import Failure, NetworkFailure

MAX_DATAGRAMS = 1500  # received on one connection: 256 KB of page and all that is none
MAX_RECEIVED = 1024 * 1024  # bytes of them
MAX_SENT = 1000  # datagrams
MAX_WAKES = 1000  # times that a timer comes
MAX_CHAIN = 10  # certificates kept
MAX_CERTIFICATE = 64 * 1024  # bytes of each
MAX_REASON = 200  # characters of a CONNECTION_CLOSE's phrase
_NO_ERROR = 0x100  # H3_NO_ERROR, RFC 9114, 8.1
_VERSIONS = {QuicProtocolVersion.VERSION_1: "1", QuicProtocolVersion.VERSION_2: "2"}

# It writes what it thinks of a peer to stderr, where nobody has set up logging.
for _name in ("quic", "http3"):
    logging.getLogger(_name).addHandler(logging.NullHandler())
    logging.getLogger(_name).propagate = False


class _Connection(QuicConnection):
    """Knows which side ended it: its last event does not tell."""

    closed_by_us = False

    def close(
        self,
        error_code: int = QuicErrorCode.NO_ERROR,
        frame_type: int | None = None,
        reason_phrase: str = "",
    ) -> None:
        self.closed_by_us = True
        super().close(error_code, frame_type, reason_phrase)


class QUICClient:
    """One connection to *ip* and *port*, from the first datagram at *now* (any clock's seconds).

    *complete* is true once the handshake is done; *response* is that to `request`.
    """

    def __init__(
        self, ip: str, port: int, *, sni: str | None, alpn: Sequence[str], now: float
    ) -> None:
        self._peer = (ip, port)
        configuration = QuicConfiguration(
            alpn_protocols=list(alpn),
            server_name=sni,
            verify_mode=ssl.CERT_NONE,
            idle_timeout=30.0,
            max_data=15 * 1024 * 1024,
            max_stream_data=6 * 1024 * 1024,
            max_datagram_size=1250,
            max_datagram_frame_size=65536,
            cipher_suites=[
                CipherSuite.AES_128_GCM_SHA256,
                CipherSuite.AES_256_GCM_SHA384,
                CipherSuite.CHACHA20_POLY1305_SHA256,
            ],
            supported_versions=[QuicProtocolVersion.VERSION_1],
        )
        self._quic = _Connection(configuration=configuration)
        try:
            self._quic.connect(self._peer, now)
        except UnicodeError as exc:
            raise NetworkFailure(Failure.UNKNOWN, f"not a host name: {sni!r}") from exc
        self._h3: H3Connection | None = None
        self._handshake: events.HandshakeCompleted | None = None
        self._terminated: events.ConnectionTerminated | None = None
        self._timed_out = False
        self._datagrams = self._sent = self._wakes = 0
        self.received = 0
        self.response = Response()
        self._answer = b""
        self._answered = False

    @property
    def complete(self) -> bool:
        return self._handshake is not None

    @property
    def greeted(self) -> bool:
        """Whether a ServerHello has come."""
        return self._quic.tls.key_schedule is not None

    @property
    def hung_up(self) -> bool:
        """Whether the other side has ended it. Why, is told some time later, by `wake`."""
        return self._quic._close_event is not None and not self._quic.closed_by_us

    @property
    def timer(self) -> float | None:
        """When `wake` wants to be called, unless something arrives before."""
        return self._quic.get_timer()

    def to_send(self, now: float) -> list[bytes]:
        """The datagrams that are due. Raises `NetworkFailure` where there is no end to them."""
        due = self._quic.datagrams_to_send(now)
        # A server may name another address of its own to go to, where we have not
        # been let by whoever guards the door.
        mine = [data for data, to in due if to == self._peer]
        self._sent += len(mine)
        if self._sent > MAX_SENT:
            raise NetworkFailure(Failure.UNKNOWN, f"over {MAX_SENT} datagrams to send")
        return mine

    def receive(self, data: bytes, now: float) -> None:
        """Take in a datagram. Raises `NetworkFailure` beyond the bounds, or if it is the end."""
        self.received += len(data)
        self._datagrams += 1
        if self.received > MAX_RECEIVED or self._datagrams > MAX_DATAGRAMS:
            raise NetworkFailure(
                Failure.UNKNOWN, f"{self._datagrams} datagrams, {self.received} bytes and no end"
            )
        self._quic.receive_datagram(data, self._peer, now)
        self._take_events()

    def wake(self, now: float) -> None:
        """The timer has come. Raises `NetworkFailure` if the connection has ended."""
        self._wakes += 1
        if self._wakes > MAX_WAKES:
            raise NetworkFailure(Failure.UNKNOWN, f"a timer came {MAX_WAKES} times")
        self._timed_out = True
        self._quic.handle_timer(now)
        self._take_events()
        self._timed_out = False

    def request(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Ask for what *headers* (those of HTTP/3, with pseudo-headers) say; *response* comes."""
        self._h3 = self._h3 or H3Connection(self._quic)
        self.response = Response(stream=self._quic.get_next_available_stream_id())
        self._h3.send_headers(self.response.stream, list(headers), end_stream=True)

    def say(self, data: bytes) -> None:
        """Send *data*, and no more, on a new stream, for a protocol that is not HTTP/3."""
        self._quic.send_stream_data(self._quic.get_next_available_stream_id(), data, True)

    @property
    def answer(self) -> bytes | None:
        """All that came back for what was said, None until its end."""
        return self._answer if self._answered else None

    def close(self) -> None:
        """Say goodbye; `to_send` has the words."""
        self._quic.close(error_code=_NO_ERROR if self._h3 is not None else QuicErrorCode.NO_ERROR)

    def facts(self) -> dict[str, Any]:
        """Fields of a `QUICHandshake`, as far as they are known."""
        chain = self._chain()
        facts: dict[str, Any] = {
            "alpn": self._handshake.alpn_protocol if self._handshake is not None else None,
            "version": None,
            "cipher": None,
            "chain": tuple(der for der in chain if len(der) <= MAX_CERTIFICATE),
            "chain_sha256": tuple(hashlib.sha256(der).hexdigest() for der in chain),
            "received": self.received,
        }
        schedule = self._quic.tls.key_schedule
        if schedule is not None:
            facts["version"] = _VERSIONS[QuicProtocolVersion.VERSION_1]
            facts["cipher"] = f"TLS_{schedule.cipher_suite.name}"
        ended = self._terminated
        if ended is not None and self._by_peer(ended):
            facts["error_code"] = ended.error_code
            facts["reason"] = ended.reason_phrase[:MAX_REASON]
        return facts

    def _chain(self) -> tuple[bytes, ...]:
        """The certificates presented so far, DER, leaf first. aioquic shows them to nobody."""
        leaf, others = self._quic.tls._peer_certificate, self._quic.tls._peer_certificate_chain
        found = [leaf, *others] if leaf is not None else []
        return tuple(cert.public_bytes(Encoding.DER) for cert in found[:MAX_CHAIN])

    def _take_events(self) -> None:
        while (event := self._quic.next_event()) is not None:
            match event:
                case events.HandshakeCompleted():
                    self._handshake = event
                case events.ConnectionTerminated():
                    self._terminated = event
                    raise self._ending(event)
                case events.StreamReset() if event.stream_id == self.response.stream:
                    raise NetworkFailure(
                        Failure.CONNECTION_RESET, f"stream reset, error 0x{event.error_code:x}"
                    )
                case events.StreamDataReceived() if self._h3 is None:
                    self._answer += event.data
                    self._answered |= event.end_stream
            if self._h3 is not None:
                for said in self._h3.handle_event(event):
                    self.response.take(said)

    def _by_peer(self, ended: events.ConnectionTerminated) -> bool:
        return not self._quic.closed_by_us and not self._of_codec(ended)

    def _of_codec(self, ended: events.ConnectionTerminated) -> bool:
        """Whether aioquic itself gave up: silence for too long, or no version in common."""
        return (
            ended.error_code == QuicErrorCode.INTERNAL_ERROR
            and ended.frame_type == QuicFrameType.PADDING
            and ended.reason_phrase
            in ("Idle timeout", "Could not find a common protocol version")
        )

    def _ending(self, ended: events.ConnectionTerminated) -> NetworkFailure:
        code, reason = ended.error_code, ended.reason_phrase[:MAX_REASON]
        # An application's codes, which come without a frame type, are another space.
        transport = ended.frame_type is not None
        alert = code & 0xFF if transport and code & ~0xFF == QuicErrorCode.CRYPTO_ERROR else None
        if self._of_codec(ended):
            if self._timed_out:
                return NetworkFailure(Failure.TIMEOUT, "silence for longer than was agreed on")
            return NetworkFailure(Failure.QUIC_INCOMPATIBLE_VERSION, "other versions on offer")
        if self._quic.closed_by_us:
            kind = Failure.UNKNOWN if self.complete else Failure.TLS_FAILED_HANDSHAKE
            return NetworkFailure(kind, f"what came is no QUIC: {reason}")
        if alert is not None:
            return NetworkFailure(Failure.TLS_FAILED_HANDSHAKE, f"alert {alert}: {reason}")
        return NetworkFailure(Failure.EOF, f"closed with 0x{code:x}: {reason}")


class Response:
    """What has come on one request stream: *headers* of the final head, *data*, and its end."""

    def __init__(self, stream: int = -1) -> None:
        self.stream = stream
        self.headers: list[tuple[bytes, bytes]] | None = None
        self.data: list[bytes] = []
        self.ended = False

    def take(self, event: object) -> None:
        match event:
            case HeadersReceived(headers=headers, stream_id=at, stream_ended=ended, push_id=None):
                if at == self.stream and self.headers is None and not _informational(headers):
                    self.headers = headers
            case DataReceived(data=data, stream_id=at, stream_ended=ended, push_id=None):
                if at == self.stream and data:
                    self.data.append(data)
            case _:
                return
        self.ended |= ended and at == self.stream

    @property
    def status(self) -> int:
        """Checked by aioquic to be three digits."""
        return int(dict(self.headers or [])[b":status"])


def _informational(headers: list[tuple[bytes, bytes]]) -> bool:
    return dict(headers)[b":status"].startswith(b"1")
