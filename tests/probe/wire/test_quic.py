"""The codec of QUIC meets a hostile network: an end of our own naming, or none, and bounds."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable

import pytest
from aioquic import tls
from aioquic.quic.connection import QuicConnection
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from lab import quic as censor
from probe.failure import Failure, NetworkFailure
from probe.wire import quic as codec
from probe.wire.quic import QUICClient
from tests.probe.fakequic import PEER, QUICServer

NAME = "site.by"
REQUEST = [
    (b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"site.by"), (b":path", b"/"),
]  # fmt: skip
# Frame types by their numbers (RFC 9000, 19; RFC 9221), and those that do not exist.
FRAMES = st.sampled_from([*range(0x1F), 0x30, 0x31, 0x40])
NUMBERS = st.sampled_from([0, 1, 2, 3, 4, 8, 63, 64, 1200, 1 << 14, 1 << 29, (1 << 62) - 1])


def number(value: int) -> bytes:
    """A variable-length integer (RFC 9000, 16)."""
    for size, prefix in ((1, 0), (2, 1), (4, 2), (8, 3)):
        if value < 1 << (8 * size - 2):
            return (value | prefix << (8 * size - 2)).to_bytes(size, "big")
    raise ValueError(value)


def frame(kind: int, numbers: list[int], rest: bytes) -> bytes:
    return number(kind) + b"".join(map(number, numbers)) + rest


def crypto(offset: int, message: bytes) -> bytes:
    return frame(0x06, [offset, len(message)], message)


ANY_FRAME = st.builds(
    frame, FRAMES, st.lists(NUMBERS, max_size=6), st.binary(max_size=40)
) | st.builds(
    crypto,
    st.sampled_from([0, 0, 1, 100, 1 << 20]),
    st.binary(max_size=150).map(lambda b: b"\x02\x00\x00" + bytes((len(b),)) + b)
    | st.binary(max_size=80),
)
PAYLOADS = st.lists(ANY_FRAME, min_size=1, max_size=5).map(b"".join)


def opened() -> tuple[QUICClient, bytes]:
    client = QUICClient("93.184.216.34", 443, sni=NAME, alpn=("h3",), now=1.0)
    (first,) = client.to_send(1.0)
    return client, first


def fed(client: QUICClient, datagrams: Iterable[bytes]) -> Failure | None:
    """Give *datagrams* to *client* and let its timers come; how it ended."""
    now = 1.1
    try:
        for data in datagrams:
            client.receive(data, now)
            client.to_send(now)
            now += 0.05
        for _ in range(6):
            timer = client.timer
            assert timer is not None
            client.wake(timer)
            client.to_send(timer)
    except NetworkFailure as exc:
        assert client.facts()["received"] >= 0
        return exc.failure
    client.facts()
    return None


def initial(first: bytes, frames: bytes, order: int) -> bytes:
    """A server's Initial with *frames*, as anybody can make it who saw the client's *first*."""
    header = censor.opening(first)
    assert header is not None
    frames += bytes(max(0, 24 - len(frames)))
    keys = censor.initial_keys(header.version, header.destination, server=True)
    head = struct.pack("!BI", 0xC0, header.version)
    head += bytes((len(header.source),)) + header.source
    head += bytes((len(header.destination),)) + header.destination + b"\0"
    head += number(1 + len(frames) + 16) + bytes((order,))
    nonce = (int.from_bytes(keys.iv, "big") ^ order).to_bytes(12, "big")
    sealed = AESGCM(keys.key).encrypt(nonce, frames, head)
    mask = censor._mask(keys, sealed[3:19])
    at = len(head) - 1
    return (
        bytes((head[0] ^ (mask[0] & 0x0F),)) + head[1:at] + bytes((head[at] ^ mask[1],)) + sealed
    )


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=1400), max_size=6))
def test_noise_ends_nothing(datagrams: list[bytes]) -> None:
    client, _ = opened()
    assert fed(client, datagrams) is None
    assert sum(map(len, datagrams)) == client.facts()["received"]


@settings(max_examples=300)
@given(st.lists(PAYLOADS, min_size=1, max_size=4))
def test_any_frames_in_initials_end_it_by_name_or_not_at_all(payloads: list[bytes]) -> None:
    client, first = opened()
    ended = fed(client, (initial(first, frames, n) for n, frames in enumerate(payloads)))
    assert ended in (None, Failure.TLS_FAILED_HANDSHAKE, Failure.EOF)
    assert not client.complete


def shaken(
    chance: random.Random | None = None,
) -> tuple[QUICClient, QuicConnection, float, Failure | None]:
    """A client after its handshake with a server, over a line that mangles if *chance* is given."""
    server = QUICServer((NAME,))
    client, first = opened()
    now, pending = 1.0, [first]
    header = censor.opening(first)
    assert header is not None
    server._open(header.destination)
    quic = server.connections[0]
    for _ in range(6):
        for data in pending:
            quic.receive_datagram(data, PEER, now)
        now += 0.02
        back = [data for data, _ in quic.datagrams_to_send(now)]
        try:
            for data in mangled(back, chance) if chance is not None else back:
                client.receive(data, now)
            pending = client.to_send(now)
        except NetworkFailure as exc:
            return client, quic, now, exc.failure
    return client, quic, now, None


def mangled(datagrams: list[bytes], chance: random.Random) -> list[bytes]:
    """Lost, cut, altered, repeated and out of order."""
    arrived: list[bytes] = []
    for data in datagrams:
        fate = chance.random()
        if fate < 0.2:
            continue
        if fate < 0.4:
            data = data[: chance.randrange(len(data) + 1)]
        elif fate < 0.6:
            data = bytes(b if chance.random() > 0.01 else chance.randrange(256) for b in data)
        arrived += [data] * chance.choice((1, 1, 2))
    chance.shuffle(arrived)
    return arrived


@settings(max_examples=100)
@given(st.integers(0, 1 << 32))
def test_a_mangled_handshake_is_complete_or_goes_on(seed: int) -> None:
    client, _, _, ended = shaken(random.Random(seed))
    assert ended is None
    facts = client.facts()
    assert bool(facts["chain"]) >= client.complete


def sealed(quic: QuicConnection, frames: bytes, order: int) -> bytes:
    """A packet of the server's after the handshake."""
    frames += bytes(max(0, 24 - len(frames)))
    head = b"\x41" + quic._peer_cid.cid + struct.pack("!H", order & 0xFFFF)
    return quic._cryptos[tls.Epoch.ONE_RTT].encrypt_packet(head, frames, order)


def stream(number_of: int, kinds: list[int], bodies: list[bytes], fin: bool) -> bytes:
    """A STREAM frame with frames of HTTP/3."""
    data = b"" if number_of in (0, 4) else number(kinds[0] if kinds else 0)
    for kind, body in zip(kinds, bodies, strict=False):
        data += number(kind) + number(len(body)) + body
    return frame(0x0A | fin, [number_of, len(data)], data)


HTTP3 = st.builds(
    stream,
    st.sampled_from([0, 0, 0, 3, 7, 11, 15]),
    st.lists(st.sampled_from([0, 1, 1, 3, 4, 5, 7, 0x0D, 0x21, 0x41]), max_size=4),
    st.lists(
        st.binary(max_size=40) | st.sampled_from([b"\0\0\xd9", b"\0\0\xd8", b"\0\0\xd9\xd9"]),
        max_size=4,
    ),
    st.booleans(),
)


@settings(max_examples=150)
@given(st.lists(HTTP3 | ANY_FRAME, min_size=1, max_size=8))
def test_any_frames_after_the_handshake_end_it_by_name_or_not_at_all(frames: list[bytes]) -> None:
    client, quic, now, ended = shaken()
    assert ended is None and client.complete
    client.request(REQUEST)
    client.to_send(now)
    ended = fed(client, (sealed(quic, f, 100 + n) for n, f in enumerate(frames)))
    assert ended in (None, Failure.UNKNOWN, Failure.EOF, Failure.CONNECTION_RESET)
    if client.response.headers is not None:
        assert 200 <= client.response.status < 600


def test_a_response_is_read_from_such_frames() -> None:
    client, quic, now, _ = shaken()
    client.request(REQUEST)
    client.to_send(now)
    page = stream(0, [1, 0], [b"\0\0\xd9", b"a page"], True)  # :status 200 (RFC 9204, A)
    assert fed(client, [sealed(quic, page, 100)]) is None
    response = client.response
    assert (200, [b"a page"], True) == (response.status, response.data, response.ended)


def test_a_server_that_names_another_address_is_not_followed_there() -> None:
    client, _, now, _ = shaken()
    client._quic._network_paths[0].addr = ("192.168.1.1", 443)
    client.request(REQUEST)
    assert [] == client.to_send(now)


def test_bounds_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "MAX_SENT", 3)
    client, _ = opened()
    with pytest.raises(NetworkFailure, match="datagrams to send"):
        for _ in range(9):
            timer = client.timer
            assert timer is not None
            client.wake(timer)
            client.to_send(timer)
    monkeypatch.setattr(codec, "MAX_WAKES", 3)
    client, _ = opened()
    with pytest.raises(NetworkFailure, match="timer"):
        for _ in range(9):
            client.wake(1.0)
