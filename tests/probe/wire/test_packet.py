"""Packets as they come, whole, cut off, malformed: facts or nothing, and never our address."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_RR
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.packet import Packet as Layer

from probe.wire.packet import Packet, read, without

HOME, SITE, ROUTER = "198.18.7.9", "93.184.215.14", "203.0.113.77"
HOME_6, SITE_6 = "2001:db8:77:66:55:44:33:22", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"

HELLO = TCP(sport=43100, dport=443, flags="PA", seq=7, ack=9, window=502) / (b"x" * 300)
RESET = TCP(sport=443, dport=43100, flags="RA", seq=0, ack=0, window=32678)


def of(layers: Layer) -> Packet:
    packet = read(bytes(layers))
    assert packet is not None
    return packet


def test_headers_are_told_as_they_are() -> None:
    reset = of(IP(src=SITE, dst=HOME, ttl=58, id=1) / RESET)
    assert ("tcp", SITE, HOME, 58, 1) == (
        reset.protocol, reset.source, reset.destination, reset.ttl, reset.ip_id
    )
    assert (443, 43100, "RA", 0, 0, 32678, 0) == (
        reset.sport, reset.dport, reset.flags, reset.seq, reset.ack, reset.window, reset.payload
    )


def test_payload_is_counted_also_where_it_was_cut_off() -> None:
    whole = bytes(IP(src=HOME, dst=SITE) / HELLO)
    for size in (len(whole), 200, 40):
        packet = read(whole[:size])
        assert packet is not None
        assert 300 == packet.payload


def test_ipv6_has_no_identification_and_may_have_more_headers() -> None:
    plain = of(IPv6(src=HOME_6, dst=SITE_6, hlim=61) / HELLO)
    assert (None, 61, 300) == (plain.ip_id, plain.ttl, plain.payload)
    more = IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting()
    packet = of(IPv6(src=HOME_6, dst=SITE_6) / more / HELLO)
    assert ("tcp", 43100, 443, 300) == (
        packet.protocol, packet.sport, packet.dport, packet.payload
    )


def test_datagrams() -> None:
    packet = of(IP(src=SITE, dst=HOME) / UDP(sport=53, dport=5353) / b"abcdef")
    assert ("udp", 53, 5353, 6) == (packet.protocol, packet.sport, packet.dport, packet.payload)


@pytest.mark.parametrize("quoted", [28, 32, 40, 60, 200])
def test_an_error_quotes_our_packet_however_little_of_it(quoted: int) -> None:
    ours = bytes(IP(src=HOME, dst=SITE) / HELLO)[:quoted]
    packet = of(IP(src=ROUTER, dst=HOME) / ICMP(type=11, code=0) / ours)
    assert ("icmp", ROUTER, 11, 0) == (
        packet.protocol, packet.source, packet.icmp_type, packet.icmp_code
    )
    if quoted == 32:
        return  # scapy does not read a TCP header that is cut off in its middle
    assert packet.quoted is not None
    assert (HOME, SITE, 43100, 443, 7) == (
        packet.quoted.source, packet.quoted.destination, packet.quoted.sport,
        packet.quoted.dport, packet.quoted.seq,
    )
    assert packet.quoted.flags == ("PA" if quoted >= 40 else None)


@pytest.mark.parametrize(("error", "kind"), [(ICMPv6TimeExceeded(), 3), (ICMPv6DestUnreach(), 1)])
def test_errors_of_ipv6(error: Layer, kind: int) -> None:
    ours = bytes(IPv6(src=HOME_6, dst=SITE_6) / HELLO)
    packet = of(IPv6(src="2001:db8::1", dst=HOME_6) / error / ours[:100])
    assert kind == packet.icmp_type
    assert packet.quoted is not None
    assert (SITE_6, "PA", 300) == (
        packet.quoted.destination, packet.quoted.flags, packet.quoted.payload
    )


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x45", b"\x60" + bytes(38), bytes(60), b"\xff" * 60,
        bytes(IP(src=SITE, dst=HOME, frag=7) / RESET),
        bytes(IPv6(src=SITE_6, dst=HOME_6) / IPv6ExtHdrFragment(offset=7) / RESET),
        bytes(IP(src=SITE, dst=HOME, proto=47) / b"something else"),
        bytes(IP(src=SITE, dst=HOME) / RESET)[:30],
    ],
)
def test_what_has_no_ports_of_ours_is_not_read(data: bytes) -> None:
    assert read(data) is None


# Nothing crashes


PACKETS = [
    bytes(IP(src=SITE, dst=HOME, id=1) / RESET),
    bytes(IP(src=SITE, dst=HOME, options=[IPOption_RR(routers=[HOME])]) / HELLO),
    bytes(IP(src=HOME, dst=SITE, flags="MF") / UDP(dport=53) / b"abc"),
    bytes(
        IP(src=ROUTER, dst=HOME) / ICMP(type=3, code=13)
        / bytes(IP(src=HOME, dst=SITE) / HELLO)[:120]
    ),
    bytes(
        IPv6(src="2001:db8::1", dst=HOME_6) / ICMPv6TimeExceeded()
        / bytes(IPv6(src=HOME_6, dst=SITE_6) / HELLO)[:120]
    ),
    bytes(IPv6(src=SITE_6, dst=HOME_6) / IPv6ExtHdrHopByHop() / IPv6ExtHdrFragment(m=1) / RESET),
]
changes = st.lists(st.tuples(st.integers(0, 150), st.integers(0, 255)), max_size=6)


def changed(data: bytes, changes: list[tuple[int, int]], size: int) -> bytes:
    damaged = bytearray(data)
    for at, value in changes:
        damaged[at % len(damaged)] = value
    return bytes(damaged[:size])


@given(st.sampled_from(PACKETS), changes, st.integers(0, 400))
def test_damaged_packets_are_read_or_not(
    data: bytes, changes: list[tuple[int, int]], size: int
) -> None:
    check(changed(data, changes, size))


@given(st.binary(max_size=300))
@example(b"\x45" + bytes(60))
def test_random_bytes_are_read_or_not(data: bytes) -> None:
    for first in (b"", b"\x45", b"\x4f", b"\x60"):
        check(first + data)


def check(data: bytes) -> None:
    packet = read(data)
    if packet is None:
        return
    assert packet.payload >= 0
    assert len(data) == len(without(data, packet, [HOME, HOME_6]))


# Whose they are


def forms(address: str) -> list[bytes]:
    ip = ipaddress.ip_address(address)
    return [ip.packed, address.encode(), str(ip).encode(), str(ip).upper().encode()]


@given(st.sampled_from(PACKETS), changes, st.integers(0, 400), st.data())
def test_no_byte_of_ours_is_left(
    data: bytes, changes: list[tuple[int, int]], size: int, draw: Any
) -> None:
    damaged = bytearray(changed(data, changes, size))
    for mention in draw.draw(st.lists(st.sampled_from(forms(HOME) + forms(HOME_6)), max_size=3)):
        damaged += mention
    packet = read(bytes(damaged))
    if packet is not None:
        clean = without(bytes(damaged), packet, [HOME, HOME_6])
        assert not [form for form in forms(HOME) + forms(HOME_6) if form in clean]


@pytest.mark.parametrize("host", ["7", "200"])
@pytest.mark.parametrize("number", range(len(PACKETS)))
def test_what_is_kept_is_the_same_whoever_we_are(number: int, host: str) -> None:
    """Checksums cover the address: with them, sixteen of its bits could be counted back."""
    ours = [HOME, HOME_6]
    others = [f"198.18.200.{host}", f"2001:db8:aaaa::{host}"]
    data = PACKETS[number]
    for mine, theirs in zip(ours, others, strict=True):
        data = data.replace(
            ipaddress.ip_address(mine).packed, ipaddress.ip_address(theirs).packed
        )
    data = with_right_sums(data)
    seen, mine_seen = read(data), read(PACKETS[number])
    assert seen is not None
    assert mine_seen is not None
    assert without(PACKETS[number], mine_seen, ours) == without(data, seen, others)


def with_right_sums(data: bytes) -> bytes:
    """*data* with the checksums that its addresses ask for, those in a quote as well."""
    packet: Layer = IP(data) if data[0] >> 4 == 4 else IPv6(data)
    layer: Any = packet
    while layer.name != "NoPayload":
        for name in ("chksum", "cksum"):
            if name in layer.fields:
                delattr(layer, name)
        layer.raw_packet_cache = None
        layer = layer.payload
    return bytes(packet)


def test_a_mention_that_is_cut_off_is_no_mention() -> None:
    data = bytes(IP(src=SITE, dst=HOME) / RESET) + socket.inet_aton(HOME)[:3]
    packet = read(data)
    assert packet is not None
    assert without(data, packet, [HOME]).endswith(bytes(3))
