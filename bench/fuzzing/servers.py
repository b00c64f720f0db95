"""What controls, collectors and their clients send each other, and what a spool holds."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
from backports import zstd
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from analysis.collector import bodies
from analysis.collector import ooni as ooni_protocol
from analysis.collector.documents import read as read_lines
from analysis.collector.identities import Identities
from analysis.collector.notes import OONI, Note
from analysis.collector.ooni_documents import name_begins, submitted
from analysis.collector.plausible import marks
from analysis.collector.reading import _opened, genuine, received
from analysis.collector.segments import Place, Record, Segments
from analysis.collector.segments import path as segment
from bench.fuzzing.target import target
from probe.control import callers, protocol, speed
from probe.failure import NetworkFailure
from probe.formats import batch
from probe.formats.batch import BatchError, CollectorKey, CollectorSecret, Header
from probe.serving import listen
from probe.serving.clients import Refused
from probe.trace import Trace
from probe.upload import carrying, sending
from probe.upload import ooni as ooni_upload
from tests.collector.test_fuzz_documents import GOOD
from tests.formats.documents import document, fine

NOW = 1_795_000_000.0  # POSIX seconds: one input means the same each time
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
SECRET = CollectorSecret()
UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
HEADER = Header(
    software="zond", pseudonym=batch.pseudonym(KEY.public_key()), probe_cc="BY", probe_asn=6697,
    month="2026-11", nonce="00" * 32, documents=3,
)  # fmt: skip
LINES = [json.dumps(one).encode() for one in GOOD]


def batches() -> Iterator[bytes]:
    packed = batch.pack(batch.plain(HEADER, LINES), KEY)
    yield packed
    yield CollectorKey(SECRET.public).seal(packed)


@target("batch", "probe.formats.batch", seeds=batches, refuses=(BatchError,), most=65536)
def a_batch(data: bytes) -> None:
    """A batch as it leaves, sealed or not."""
    packed = SECRET.open(data) if batch.is_sealed(data) else data
    batch.unpack(packed)


@target(
    "collector_key", "probe.formats.batch", refuses=(BatchError,), most=4096,
    seeds=lambda: (SECRET.public.encode(), b"", SECRET.public[:-4].encode()),
)  # fmt: skip
def collector_key(data: bytes) -> None:
    """A collector's public key."""
    CollectorKey(data.decode("utf-8", "replace")).seal(b"x")


@target(
    "batch_lines", "analysis.collector", "probe.evidence", json=True, most=65536,
    seeds=lambda: [b"\n".join(LINES), *LINES],
)  # fmt: skip
def batch_lines(data: bytes) -> None:
    """The documents of a batch whose signature is right, to their reading and marks."""
    lines = [line for line in data.split(b"\n") if line]
    header = msgspec.structs.replace(HEADER, documents=len(lines))
    try:
        found = read_lines(batch.unpack(batch.pack(batch.plain(header, lines), KEY)).documents)
    except BatchError:  # none, or too many of them
        return
    marks(HEADER, found, NOW)
    with tempfile.TemporaryDirectory() as folder:
        identities = Identities(Path(folder) / "identities.db")
        identities.marks(HEADER, found, NOW)
        identities.close()


def told() -> Iterator[bytes]:
    yield b'{"control_failure":null,"message":"","v":1,"x_zond":{"time":1,"client":"192.0.2.1"}}'
    yield (
        b'{"tcp_connect":{"192.0.2.1:443":{"status":true,"failure":null}},"tls_handshake":{},'
        b'"http_request":{"body_length":5,"failure":null,"title":"T","headers":{},"status_code":200},'
        b'"dns":{"failure":null,"addrs":["192.0.2.1"]},"x_zond":{"evidence":[]}}'
    )
    yield b'{"http_request":"https://site.by/","http_request_headers":{},"tcp_connect":["192.0.2.1:443"]}'
    yield b'{"nettest":"echo","target":"https://site.by/","attributes":[["a","b"]]}'
    yield b'{"transfers":[]}'
    for kind in json.loads(LINES[1])["evidence"]:
        if kind["kind"] in ("dns", "tcp", "tls", "http", "quic"):
            yield json.dumps(
                [
                    kind | {"ip": "192.0.2.1", "port": 443, "depth": 0, "answers": []}
                    if kind["kind"] != "dns"
                    else kind | {"depth": 0, "answers": []}
                ]
            ).encode()


@target(
    "control", "probe.control.protocol", "probe.control.ooni", "probe.control.speed", seeds=told,
    refuses=(protocol.BadMessage,), json=True, most=65536,
)  # fmt: skip
def control(data: bytes) -> None:
    """Questions to a control, and its answers, each to every reader."""
    from probe.control.ooni import evidence
    from probe.wire.url import parse

    for read in (
        protocol.read_question, protocol.read_nettest_question, protocol.read_extra,
        protocol.read_greeting, protocol.read_answer, speed.read_timed,
    ):  # fmt: skip
        try:
            found = read(data)
        except protocol.BadMessage:
            continue
        if isinstance(found, protocol.Answer):
            evidence(parse("https://site.by/"), found, now=NOW)
    records = protocol.unpack(msgspec.Raw(data))
    protocol.pack(records, max_bytes=65536)
    protocol.adopt(records, Trace(zero=0.0), control="one", depth=1)


@target(
    "addresses", "probe.control.protocol", "probe.serving.listen", "probe.control.callers",
    refuses=(callers.BadContact,), most=6000,
    seeds=lambda: (b"192.0.2.1:443", b"[2001:db8::1]:443", b"0.0.0.0:8443"),
)  # fmt: skip
def addresses(data: bytes) -> None:
    """Addresses with ports, of who listens and who asks, and the contact on a page."""
    text = data.decode("utf-8", "replace")
    for read in (protocol.endpoint, listen._parse):
        try:
            _, port = read(text)
            assert 0 <= port < 65536
        except (protocol.BadMessage, listen.ListenError):
            pass
    try:
        listen.client_address(text)
    except ValueError:
        pass
    assert "<script" not in callers.page(text).lower()


def packed() -> Iterator[bytes]:
    yield b"gzip\n" + gzip.compress(b"x" * 999)
    yield b"zstd\n" + zstd.compress(b"x" * 999)
    yield b"zstd\n" + zstd.compress(bytes(4_000_000))
    yield b"identity\nx"


@target("content_encoding", "analysis.collector.bodies", seeds=packed, refuses=(Refused,))
def content_encoding(data: bytes) -> None:
    """A compressed body of a request."""
    encoding, _, body = data.partition(b"\n")
    assert len(bodies.decoded(body, encoding.decode("latin-1"), 65536)) <= 65536


def calls() -> Iterator[bytes]:
    whole = document(fine("https"))
    yield whole
    yield json.dumps({"content": json.loads(whole), "format": "json"}).encode()
    yield json.dumps({"content": whole.decode(), "format": "json"}).encode()
    yield b'{"test_name":"web_connectivity","probe_asn":"AS1","probe_cc":"BY"}'
    yield b'{"probe_cc":"BY","web_connectivity":{"category_codes":["NEWS"]}}'


@target(
    "ooni_protocol", "analysis.collector.ooni", "analysis.collector.ooni_documents", seeds=calls,
    refuses=(Refused,), json=True, most=65536,
)  # fmt: skip
def ooni_calls(data: bytes) -> None:
    """Bodies of OONI's collector protocol, to the structures of each call."""
    name_begins(data.decode("latin-1"))
    try:
        opened = msgspec.json.decode(data, type=ooni_protocol.OpenReport)
        ooni_protocol._report_id(opened.test_name, opened.probe_cc, opened.probe_asn)
    except UNREADABLE:  # refused there by what reads all calls
        pass
    try:
        content = msgspec.json.decode(data, type=ooni_protocol.Submission).content
    except UNREADABLE:
        content = msgspec.Raw(data)
    submitted(ooni_protocol._text(content), "", "203.0.113.7", NOW)


@target(
    "collector_answers", "probe.upload", json=True,
    seeds=lambda: (
        b'{"sha256":"00","receipt":"aa","status":"stored","reason":"x"}',
        b'{"measurement_uid":"2026"}', b'[{"line":1,"reason":"x"}]', b'{"report_id":"x"}',
    ),
)  # fmt: skip
def collector_answers(data: bytes) -> None:
    """What a collector answers, ours or one of OONI's protocol."""
    sending._read(data)
    for reason in sending._reasons(msgspec.Raw(data)):
        assert reason.isprintable() or not reason
    try:
        ooni_upload._uid(data)
    except NetworkFailure:
        pass


def carried() -> Iterator[bytes]:
    name = "ab" * 32
    whole = batch.pack(batch.plain(HEADER, LINES), KEY)
    yield carrying.MAGIC + f"{name} {len(whole)}\n".encode() + whole + b"\n"
    yield b'{"sha256":"%s","receipt":"aa"}\n' % name.encode()


@target(
    "carried_file",
    "probe.upload.carrying",
    seeds=carried,
    refuses=(carrying.CarriedError,),
    most=65536,
)
def carried_file(data: bytes) -> None:
    """A file of batches that was carried, and its receipts."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        list(carrying.receipts(Path(file.name)))
        for _, offset, body in carrying.read(Path(file.name)):
            assert body == carrying.body_at(Path(file.name), offset, len(body))


def spooled() -> Iterator[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        segments = Segments(place)
        whole = batch.pack(batch.plain(HEADER, LINES), KEY)
        name = bytes.fromhex(batch.name(batch.plain(HEADER, LINES)))
        segments.append(name, whole, note=msgspec.json.encode(Note(received="2026-11-22")))
        segments.append(bytes(32), b"ZBT1" * 9)
        segments.commit()
        segments.close()
        yield segment(place, 1).read_bytes() if segment(place, 1).exists() else b"ZBT1"


@target(
    "spool", "analysis.collector.segments", "analysis.collector.reading", seeds=spooled, most=65536
)
def spool(data: bytes) -> None:
    """A file of records as a disk, or who has the disk, may have left it."""
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder) / "spool"
        inside.mkdir()
        segment(inside, 1).write_bytes(data)
        assert len(list(received(Path(folder)))) <= len(data)


def recorded() -> Iterator[bytes]:
    note = msgspec.json.encode(Note(received="2026-11-22"))
    whole = batch.pack(batch.plain(HEADER, LINES), KEY)
    yield b"\0" + len(note).to_bytes(2) + note + whole
    yield bytes([OONI]) + len(note).to_bytes(2) + note + zstd.compress(document(fine("https")))


@target("spool_record", "analysis.collector", "probe.formats.batch", seeds=recorded, most=65536)
def spool_record(data: bytes) -> None:
    """Flags, a note and a payload whose digest is right: told apart, and never raised."""
    flags, size = data[0] if data else 0, int.from_bytes(data[1:3])
    note, payload = data[3 : 3 + size], data[3 + size :]
    record = Record(Place(1, 0), bytes(32), flags, payload, note)
    genuine(record)
    _opened(record)
