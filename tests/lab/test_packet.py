from __future__ import annotations

import ipaddress
import ssl
import struct

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import packet
from lab.packet import ACK, PSH, SYN, TCP, UDP

CLIENT, SERVER = bytes((178, 124, 1, 2)), bytes((136, 243, 5, 6))
CLIENT6 = ipaddress.ip_address("2a02:2208::2").packed
SERVER6 = ipaddress.ip_address("2001:41d0::5").packed


def hello(name: str | None) -> bytes:
    """The ClientHello that OpenSSL sends for *name*."""
    context = ssl.create_default_context()
    context.check_hostname = name is not None
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def word_sum(data: bytes) -> int:
    """RFC 1071 as it is written: add the words, fold the carries."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2]))
    total += data[-1] << 8 if len(data) % 2 else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@given(st.binary(max_size=200))
def test_checksum_is_that_of_rfc_1071(data: bytes) -> None:
    assert word_sum(data) == packet.checksum(data)


@pytest.mark.parametrize(("client", "server"), [(CLIENT, SERVER), (CLIENT6, SERVER6)])
def test_a_built_segment_is_read_back_and_sums_to_nothing(client: bytes, server: bytes) -> None:
    raw = packet.tcp(client, server, 40000, 443, 7, 9, PSH | ACK, b"odd", window=502, ttl=61)
    seen = packet.parse(raw)
    assert seen is not None
    assert (client, server, TCP, 61) == seen[1:5]
    assert (40000, 443, 7, 9, PSH | ACK, 502) == seen[8:]
    assert (b"odd", 3) == (seen.data, seen.length)
    body = raw[seen.transport :]
    assert 0 == word_sum(client + server + struct.pack("!II", len(body), TCP) + body)
    if len(client) == 4:
        assert 0 == word_sum(raw[:20])


@pytest.mark.parametrize(("client", "server"), [(CLIENT, SERVER), (CLIENT6, SERVER6)])
def test_a_changed_segment_has_right_lengths_and_sums(client: bytes, server: bytes) -> None:
    seen = packet.parse(packet.tcp(client, server, 1, 2, 3, 4, ACK, b"x" * 10))
    assert seen is not None
    raw = packet.changed(seen, destination=client, dport=8080, payload=b"longer than it was")
    again = packet.parse(raw)
    assert again is not None
    assert (client, 8080, b"longer than it was") == (again.destination, again.dport, again.data)
    assert len(raw) == again.end
    body = raw[again.transport :]
    assert 0 == word_sum(client + client + struct.pack("!II", len(body), TCP) + body)


def test_a_udp_reply_goes_back_where_the_query_came_from() -> None:
    body = struct.pack("!HHHH", 5000, 53, 8 + 5, 0) + b"query"
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, UDP, 0)
    query = packet.parse(head + CLIENT + SERVER + body)
    assert query is not None
    reply = packet.parse(packet.udp_reply(query, b"answer"))
    assert reply is not None
    assert (SERVER, CLIENT, 53, 5000, b"answer") == (
        reply.source, reply.destination, reply.sport, reply.dport, reply.data,
    )  # fmt: skip


def test_a_later_fragment_has_no_ports() -> None:
    raw = bytearray(packet.tcp(CLIENT, SERVER, 1, 443, 0, 0, SYN))
    raw[6:8] = b"\x00\x10"
    seen = packet.parse(bytes(raw))
    assert seen is not None
    assert (0, 0) == (seen.protocol, seen.dport)


@given(st.binary(max_size=120))
def test_no_bytes_break_the_reader(raw: bytes) -> None:
    seen = packet.parse(raw)
    assert seen is None or seen.end <= len(raw)
    packet.dns_question(raw)
    for read in (packet.client_hello, packet.http_request):
        try:
            read(raw)
        except ValueError:
            continue


def test_the_name_of_a_real_hello_is_found_as_spelled_at_its_last_byte_and_no_sooner() -> None:
    sent = hello("Www.Example.ORG")
    for end in range(1, len(sent)):
        assert packet.client_hello(sent[:end]) is None
    assert packet.Hello("Www.Example.ORG") == packet.client_hello(sent)


def test_a_hello_cut_over_two_records_is_put_together() -> None:
    sent = hello("www.example.org")
    body, cut = sent[5:], 100
    records = b"".join(
        sent[:3] + len(piece).to_bytes(2, "big") + piece for piece in (body[:cut], body[cut:])
    )
    assert packet.Hello("www.example.org") == packet.client_hello(records)


def test_a_hello_without_a_name_says_so() -> None:
    assert packet.Hello(None) == packet.client_hello(hello(None))


def test_what_is_no_hello_is_refused_at_the_first_byte() -> None:
    with pytest.raises(ValueError, match="no handshake"):
        packet.client_hello(b"G")


def test_host_and_target_of_a_request() -> None:
    stream = b"GET /x?y HTTP/1.1\r\nhost:  Example.org:80 \r\nContent-Length: 3\r\n\r\nabcGET"
    request = packet.http_request(stream)
    assert request is not None
    assert ("GET", "/x?y", "Example.org") == request[:3]
    assert b"GET" == stream[request.length :]
    assert packet.http_request(stream[:30]) is None


def test_name_and_type_of_a_query() -> None:
    query = dns.message.make_query("Charter97.ORG.", "AAAA").to_wire()
    assert packet.Question("Charter97.ORG", 28) == packet.dns_question(query)


def test_an_answer_is_no_question() -> None:
    query = dns.message.make_query("charter97.org.", "A")
    assert packet.dns_question(dns.message.make_response(query).to_wire()) is None
