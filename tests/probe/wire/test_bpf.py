"""The filter, run by this machine's own kernel on packets made up for it."""

from __future__ import annotations

import ctypes
import ipaddress
import socket
import struct
import sys

import pytest

from probe.net import SO_ATTACH_FILTER
from probe.wire.bpf import MAX_ADDRESSES, packets_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux' filters")

HOME, SITE, OTHER, ROUTER = "192.0.2.7", "198.51.100.1", "203.0.113.9", "192.0.2.1"
HOME_6, SITE_6, OTHER_6 = "2001:db8::7", "2001:db8:1::1", "2001:db8:2::9"


def packet(source: str, destination: str, body: bytes = b"x" * 300, protocol: int = 6) -> bytes:
    a, b = (ipaddress.ip_address(text).packed for text in (source, destination))
    if len(a) == 16:
        return struct.pack("!IHBB", 6 << 28, len(body), protocol, 60) + a + b + body
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 60, protocol, 0) + a + b + body


def error(quoted: bytes, kind: int = 11, source: str = ROUTER, protocol: int = 1) -> bytes:
    home = HOME_6 if protocol == 58 else HOME
    return packet(source, home, struct.pack("!BBHI", kind, 0, 0, 0) + quoted, protocol)


def passes(data: bytes, *addresses: str, keep: int = 200) -> int:
    """How many bytes of *data* the kernel lets through."""
    program = packets_of(addresses, keep=keep)
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *i) for i in program))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        ours.setsockopt(
            socket.SOL_SOCKET, SO_ATTACH_FILTER,
            struct.pack("HP", len(program), ctypes.addressof(code)),
        )  # fmt: skip
        ours.setblocking(False)
        try:
            theirs.send(data)
            return len(ours.recv(65536))
        except (BlockingIOError, PermissionError):  # the sender is told, on this kind of socket
            return 0


@pytest.mark.parametrize(
    "data",
    [
        packet(HOME, SITE), packet(SITE, HOME), packet(HOME_6, SITE_6), packet(SITE_6, HOME_6),
        packet(SITE, HOME, protocol=17),
    ],
)
def test_what_is_to_or_from_the_address_passes_and_is_cut_off(data: bytes) -> None:
    assert 200 == passes(data, SITE, SITE_6)


@pytest.mark.parametrize(
    "data",
    [
        packet(HOME, OTHER), packet(OTHER, HOME), packet(HOME_6, OTHER_6), packet(OTHER_6, HOME_6),
        b"", b"\x45", b"\x60" * 39, b"\x00" * 60, b"\xff" * 60,
    ],
)
def test_nothing_else_does(data: bytes) -> None:
    assert 0 == passes(data, SITE, SITE_6)


def test_nobody_is_watched_until_somebody_is() -> None:
    assert 0 == passes(packet(HOME, SITE))
    assert 0 == passes(packet(HOME_6, SITE_6), SITE)


@pytest.mark.parametrize("kind", [3, 11, 12])
def test_an_error_about_a_packet_to_the_address_passes(kind: int) -> None:
    assert passes(error(packet(HOME, SITE), kind), SITE)
    assert not passes(error(packet(HOME, OTHER), kind), SITE)
    assert passes(error(packet(HOME_6, SITE_6), 3, OTHER_6, 58), SITE_6)
    assert not passes(error(packet(HOME_6, OTHER_6), 3, OTHER_6, 58), SITE_6)


def test_an_echo_that_looks_like_an_error_does_not() -> None:
    assert not passes(error(packet(HOME, SITE), 0), SITE)
    assert not passes(error(packet(HOME_6, SITE_6), 129, OTHER_6, 58), SITE_6)


def test_options_before_the_error_are_skipped() -> None:
    data = bytearray(error(packet(HOME, SITE)))
    data[0] = 0x46
    data[20:20] = bytes(4)
    assert passes(bytes(data), SITE)


@pytest.mark.parametrize("number", [0, MAX_ADDRESSES // 2, MAX_ADDRESSES - 1])
def test_as_many_as_may_be_are_all_watched(number: int) -> None:
    four = [f"198.51.100.{n}" for n in range(MAX_ADDRESSES)]
    six = [f"2001:db8::{n:x}" for n in range(MAX_ADDRESSES)]
    assert passes(packet(HOME, four[number]), *four)
    assert passes(error(packet(HOME, four[number])), *four)
    assert passes(packet(six[number], HOME_6), *six)
    assert not passes(packet(HOME, OTHER), *four)
    mixed = four[::2] + six[1::2]
    assert passes(packet(HOME, four[number & ~1]), *mixed)
    assert passes(packet(HOME_6, six[number | 1]), *mixed)


def test_more_are_refused() -> None:
    with pytest.raises(ValueError, match="more than"):
        packets_of([f"198.51.100.{n}" for n in range(MAX_ADDRESSES + 1)], keep=200)
