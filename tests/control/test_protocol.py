"""What arrives is of the protocol or is refused; what is taken in is bounded and ours."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.control import protocol
from probe.control.protocol import (
    BadMessage,
    RemoteEvidence,
    adopt,
    pack,
    read_answer,
    read_question,
    unpack,
)
from probe.evidence import (
    CertificateCheck,
    DNSAnswer,
    DNSExchange,
    HTTPExchange,
    QUICHandshake,
    TCPConnect,
)
from probe.failure import Failure
from probe.trace import Trace
from tests.control.stage import ADDRESS, URL, good_site

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
# Near misses: the protocol's names with other things in them.
NAMES = ("tcp_connect", "tls_handshake", "http_request", "dns", "x_zond", "addrs", "evidence", "ip")
NEARLY = st.dictionaries(
    st.sampled_from(NAMES), JSON | st.dictionaries(st.sampled_from(NAMES), JSON)
)


@given(st.binary() | NEARLY.map(msgspec.json.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for read in (read_question, read_answer, protocol.read_greeting):
        try:
            read(data)
        except BadMessage:
            continue


@given(st.binary() | st.lists(JSON).map(msgspec.json.encode))
def test_any_bytes_are_evidence_or_refused(data: bytes) -> None:
    try:
        unpack(msgspec.Raw(data))
    except BadMessage:
        return


@given(st.text())
def test_any_text_is_an_endpoint_or_refused(text: str) -> None:
    try:
        ip, port = protocol.endpoint(text)
    except BadMessage:
        return
    assert (ip, port) == protocol.endpoint(protocol.join(ip, port))


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("93.184.216.34:443", ("93.184.216.34", 443)),
        ("[2606:2800:220:1:0::1]:80", ("2606:2800:220:1::1", 80)),
    ],
)
def test_an_endpoint_is_an_address_and_a_port(text: str, endpoint: tuple[str, int]) -> None:
    assert endpoint == protocol.endpoint(text)


@pytest.mark.parametrize(
    "text",
    ["", ":", "1.2.3.4", "1.2.3.4:", "1.2.3.4:0", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:٣",
     "name.example:80", "fe80::1%eth0:80", "[::1]", "1.2.3.4:" + "9" * 5000],
)  # fmt: skip
def test_anything_else_is_no_endpoint(text: str) -> None:
    with pytest.raises(BadMessage):
        protocol.endpoint(text)


def question(**changes: Any) -> bytes:
    asked = {
        "http_request": URL,
        "http_request_headers": {"Accept": ["*/*"]},
        "tcp_connect": ["93.184.216.34:443"],
        "x_quic_enabled": False,
    }
    return msgspec.json.encode(asked | changes)


def test_oonis_question_is_understood() -> None:
    asked = read_question(question())
    assert (URL, ["93.184.216.34:443"], None) == (
        asked.http_request, asked.tcp_connect, asked.x_zond
    )  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        question(http_request=None),
        question(http_request=["https://news.example/"]),
        question(tcp_connect={"93.184.216.34:443": True}),
        question(tcp_connect=["93.184.216.34:443"] * 257),
        b"{}",
    ],
)
def test_a_question_of_another_shape_is_refused(data: bytes) -> None:
    with pytest.raises(BadMessage):
        read_question(data)


def raw(*records: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(list(records)))


def test_what_is_packed_unpacks_to_the_same_without_its_contents() -> None:
    records = good_site()
    data, fitted = pack(records, max_bytes=100_000)
    assert fitted
    assert b"hello" not in data and b"aGVsbG8" not in data
    unpacked = unpack(msgspec.Raw(data))
    assert [type(record) for record in records] == [type(record) for record in unpacked]


async def test_a_quic_handshake_is_told_with_the_digests_of_its_chain() -> None:
    shake = QUICHandshake(ip=ADDRESS, port=443, sni="news.example", version="1", chain=(b"leaf",))
    data, _ = pack([shake], max_bytes=100_000)
    (told,) = unpack(msgspec.Raw(data))
    assert isinstance(told, QUICHandshake)
    assert ((), (hashlib.sha256(b"leaf").hexdigest(),)) == (told.chain, told.chain_sha256)
    trace = Trace()
    (adopted,) = adopt([told], trace, control="control-1", depth=1)
    assert ("control-1", 1) == (adopted.vantage, adopted.depth)


def test_what_does_not_fit_is_cut_at_the_end_and_said() -> None:
    data, fitted = pack(good_site(), max_bytes=400)
    assert not fitted
    assert 0 < len(unpack(msgspec.Raw(data))) < len(good_site())
    assert len(data) <= 400


@pytest.mark.parametrize(
    "record",
    [
        TCPConnect(ip="news.example", port=443),
        TCPConnect(ip="", port=443),
        TCPConnect(ip=ADDRESS, port=70000),
        TCPConnect(ip=ADDRESS, port=443, depth=-1),
        TCPConnect(ip=ADDRESS, port=443, depth=10**9),
        QUICHandshake(ip="news.example", port=443),
        QUICHandshake(ip=ADDRESS, port=-1),
        CertificateCheck(ip="x" * 100, port=443, hostname="a", checked_at=0),
        DNSExchange(
            hostname="a", rdtype="A", engine="udp", answers=(DNSAnswer(addresses=("localhost",)),)
        ),
        DNSExchange(hostname="a", rdtype="A", engine="udp", answers=(DNSAnswer(),) * 300),
        DNSExchange(
            hostname="a", rdtype="A", engine="udp",
            answers=(DNSAnswer(addresses=(ADDRESS,) * 300),),
        ),
        HTTPExchange(ip=ADDRESS, port=443, headers=(("a", "b"),) * 201),
        {"kind": "control", "control": "x", "control_url": "y"},
        {"kind": "tcp", "ip": ADDRESS, "port": 443, "failure": "because"},
        {"kind": "opinion"},
    ],
)  # fmt: skip
def test_evidence_that_cannot_be_is_refused(record: Any) -> None:
    with pytest.raises(BadMessage):
        unpack(raw(record))


def test_too_much_evidence_is_refused() -> None:
    with pytest.raises(BadMessage):
        unpack(raw(*[TCPConnect(ip=ADDRESS, port=443)] * (protocol.MAX_RECORDS + 1)))


async def test_adopted_evidence_is_the_controls_and_counts_on_from_our_depth() -> None:
    trace = Trace()
    first = trace.new_transaction()
    told: list[RemoteEvidence] = [
        TCPConnect(vantage="probe", ip=ADDRESS, port=443, transaction=first, url=URL),
        TCPConnect(vantage="x", ip=ADDRESS, port=443, transaction=first, depth=1, url="http://b/"),
        TCPConnect(ip=ADDRESS, port=443, failure=Failure.TIMEOUT, detail="d" * 10_000),
        HTTPExchange(ip=ADDRESS, port=443, body=b"page"),
    ]
    adopted = adopt(told, trace, control="control-1", depth=3)
    assert ["control-1"] * 4 == [record.vantage for record in adopted]
    assert [3, 4, 3, 3] == [record.depth for record in adopted]
    assert adopted[0].transaction == adopted[1].transaction != first
    assert 0 == adopted[2].transaction
    assert 300 == len(adopted[2].detail)
    assert isinstance(adopted[3], HTTPExchange) and adopted[3].body is None
