from __future__ import annotations

import ipaddress
import struct

from hypothesis import given
from hypothesis import strategies as st

from probe.wire.icmp import ICMPError, read_error

UNREACHABLE = 113  # EHOSTUNREACH


def message(origin: int, kind: int, source: str, code: int = 0) -> bytes:
    """What Linux puts into the error queue (ip(7), ``struct sock_extended_err``)."""
    ip = ipaddress.ip_address(source)
    error = struct.pack("=IBBBBII", UNREACHABLE, origin, kind, code, 0, 0, 0)
    if ip.version == 4:
        return error + struct.pack("=HH", 2, 0) + ip.packed + bytes(8)
    return error + struct.pack("=HHI", 10, 0, 0) + ip.packed + struct.pack("=I", 0)


def test_time_exceeded_names_the_router() -> None:
    assert ICMPError(UNREACHABLE, True, "62.115.40.1") == read_error(message(2, 11, "62.115.40.1"))
    assert ICMPError(UNREACHABLE, True, "2001:2034::1") == read_error(
        message(3, 3, "2001:2034::1")
    )


def test_unreachable_is_not_expired() -> None:
    assert ICMPError(UNREACHABLE, False, "93.84.4.2") == read_error(
        message(2, 3, "93.84.4.2", 13)
    )
    assert ICMPError(UNREACHABLE, False, "2001:2034::1") == read_error(
        message(3, 1, "2001:2034::1")
    )


def test_the_kernels_own_trouble_is_no_icmp_error() -> None:
    assert read_error(message(1, 0, "0.0.0.0")) is None


def test_a_message_cut_short_is_none() -> None:
    for whole, least in ((message(2, 11, "62.115.40.1"), 24), (message(3, 3, "2001:2034::1"), 40)):
        for size in range(least):
            assert read_error(whole[:size]) is None, size
        assert read_error(whole[:least]) is not None


@given(st.binary(max_size=80))
def test_no_bytes_are_a_crash(data: bytes) -> None:
    found = read_error(data)
    assert found is None or ipaddress.ip_address(found.source)
