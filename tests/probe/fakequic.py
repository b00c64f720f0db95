"""A QUIC server in memory, for one visitor at a time: aioquic, answering at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import trio
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import encode_quic_retry
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from lab.quic import opening
from tests.certificates import authority
from tests.fakenet import Reply

DELAY = 0.02  # seconds, each way together
PEER = ("198.51.100.1", 1)
NEW = b"as new.."  # the connection ID after a Retry
Headers = list[tuple[bytes, bytes]]


@dataclass
class QUICServer:
    """Called with each datagram, gives what it answers: a `tests.fakenet.Resolver`.

    *names* are those of its certificate. It answers requests with *headers* and *body*,
    of which it sends the first *cut* bytes, if that is set, and no more.
    *after* sees each connection when its handshake is done. *retries*: it has the client
    prove its address first (RFC 9000, 8.1.2).
    """

    names: tuple[str, ...]
    signed_by: str = "good"
    alpn: tuple[str, ...] = ("h3",)
    headers: Headers = field(default_factory=lambda: [(b":status", b"200")])
    body: bytes = b"<title>Over QUIC</title>"
    cut: int | None = None
    after: Callable[[QuicConnection], None] = lambda connection: None
    retries: bool = False
    requests: list[Headers] = field(default_factory=list)
    connections: list[QuicConnection] = field(default_factory=list)

    def __call__(self, data: bytes) -> Iterable[Reply]:
        now = trio.current_time()
        header = opening(data)
        known = {c.original_destination_connection_id for c in self.connections}
        known |= {c.host_cid for c in self.connections} | ({NEW} if self.connections else set())
        if header is not None and self.retries:
            self.retries = False
            self._first = header.destination
            yield DELAY, encode_quic_retry(
                version=header.version, source_cid=NEW, destination_cid=header.source,
                original_destination_cid=header.destination, retry_token=b"come back",
            )
            return
        if header is not None and header.destination not in known:
            self._open(header.destination)
        if not self.connections:
            return
        quic, h3 = self.connections[-1], self._h3
        quic.receive_datagram(data, PEER, now)
        while (event := quic.next_event()) is not None:
            if type(event).__name__ == "HandshakeCompleted":
                self.after(quic)
            for said in h3.handle_event(event):
                if isinstance(said, HeadersReceived):
                    self.requests.append(said.headers)
                    self._respond(quic, h3, said.stream_id)
        for datagram, _ in quic.datagrams_to_send(now):
            yield DELAY, datagram

    def _open(self, destination: bytes) -> None:
        leaf = authority(self.signed_by).issue_cert(*self.names)
        chain = [x509.load_pem_x509_certificate(pem.bytes()) for pem in leaf.cert_chain_pems]
        configuration = QuicConfiguration(
            is_client=False, alpn_protocols=list(self.alpn), certificate=chain[0],
            certificate_chain=chain[1:],
            private_key=load_pem_private_key(leaf.private_key_pem.bytes(), None),
        )  # fmt: skip
        retried = destination == NEW
        quic = QuicConnection(
            configuration=configuration,
            original_destination_connection_id=self._first if retried else destination,
            retry_source_connection_id=NEW if retried else None,
        )
        self.connections.append(quic)
        self._h3 = H3Connection(quic)

    def _respond(self, quic: QuicConnection, h3: H3Connection, stream: int) -> None:
        h3.send_headers(stream, self.headers)
        if self.cut is None:
            h3.send_data(stream, self.body, end_stream=True)
        else:
            h3.send_data(stream, self.body[: self.cut], end_stream=False)


def replies(*answers: Sequence[bytes | OSError]) -> Callable[[bytes], Iterable[Reply]]:
    """Answers the n-th datagram with the n-th of *answers*, later ones with nothing."""
    left = list(answers)

    def answer(data: bytes) -> Iterable[Reply]:
        for what in left.pop(0) if left else ():
            yield DELAY, what

    return answer
