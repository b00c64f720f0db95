"""The tap itself, without a network: where there is none, and how old a packet is."""

from __future__ import annotations

import socket
import struct
import time

import pytest

from probe import net


def test_there_is_no_tap_where_the_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "AF_PACKET", raising=False)
    with pytest.raises(OSError, match="Linux only"):
        net.open_capture()


@pytest.mark.parametrize("kind", ["qq", "ii"])
def test_a_stamp_is_read_on_machines_of_either_width(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1000.75)
    if kind == "ii":  # what "ll" is on a machine of 32 bits
        real = struct.unpack
        monkeypatch.setattr(struct, "unpack", lambda how, data: real(how.replace("l", "i"), data))
    assert 0.5 == net._age(struct.pack(kind, 1000, 250_000_000))


def test_a_stamp_from_the_future_is_no_age_below_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 999.0)
    assert 0.0 == net._age(struct.pack("qq", 1000, 0))
