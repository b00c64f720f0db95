"""Real sockets, on loopback: what the kernel does with limits, errors and abandoned streams."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest
import trio

from probe.hops import HopError, TrioHops, why_withheld
from tests.ports import refusing_port


async def served() -> tuple[trio.SocketListener, int]:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    return listener, listener.socket.getsockname()[1]


async def test_a_limited_stream_that_is_abandoned_is_reset_for_the_other_side() -> None:
    listener, port = await served()
    async with listener:
        with trio.fail_after(30):
            stream = await TrioHops().connect_tcp("127.0.0.1", port)
            other = await listener.accept()
            stream.limit(1)
            await stream.send_all(b"word")
            assert b"word" == await other.receive_some(10)
            await other.send_all(b"answer")
            assert b"answer" == await stream.receive_some(10)
            stream.abandon()
            with pytest.raises(trio.BrokenResourceError):
                await other.receive_some(10)
            await other.aclose()


async def test_the_limit_is_on_what_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: list[int] = []

    class Spy(socket.socket):
        def setsockopt(self, *args: Any) -> None:
            if args[:2] == (socket.IPPROTO_IP, socket.IP_TTL):
                set_to.append(args[2])
            super().setsockopt(*args)

    listener, port = await served()
    monkeypatch.setattr(socket, "socket", Spy)
    async with listener:
        stream = await TrioHops().connect_tcp("127.0.0.1", port)
        stream.limit(3)
        stream.abandon()
        await TrioHops().syn("127.0.0.1", port, 7)
    # Abandoned, the reset goes all the way: the default's number is the kernel's.
    assert [3, -1, 7] == set_to


async def test_a_syn_to_a_closed_port_is_refused() -> None:
    with refusing_port(socket.SOCK_STREAM) as port, trio.fail_after(30):
        with pytest.raises(ConnectionRefusedError):
            await TrioHops().syn("127.0.0.1", port, 5)


async def test_a_refused_datagram_says_by_whom_and_leaves_no_error_behind() -> None:
    with refusing_port(socket.SOCK_DGRAM) as port, trio.fail_after(30):
        sock = await TrioHops().open_udp("127.0.0.1", port, 5)
        for _ in range(3):
            await sock.send(b"?")
            with pytest.raises(HopError) as refused:
                await sock.receive()
            assert (errno.ECONNREFUSED, False, "127.0.0.1") == (
                refused.value.errno, refused.value.expired, refused.value.router,
            )  # fmt: skip
    with trio.move_on_after(0.05) as waiting:
        await sock.receive()
    assert waiting.cancelled_caught
    sock.close()


async def test_a_stream_already_reset_can_be_abandoned() -> None:
    listener, port = await served()
    async with listener:
        with trio.fail_after(30):
            stream = await TrioHops().connect_tcp("127.0.0.1", port)
            other = await listener.accept()
            other.socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
            )
            other.socket.close()
            with pytest.raises(ConnectionResetError):
                await stream.receive_some(10)
            stream.abandon()


@pytest.mark.parametrize(
    ("router", "own", "why"),
    [
        ("62.115.40.1", "178.124.180.77", ""),
        ("178.124.181.1", "178.124.180.77", ""),
        ("178.124.180.1", "178.124.180.77", "of this machine's own network"),
        ("192.168.1.1", "192.168.1.7", "not a public address"),
        ("10.20.30.1", "192.168.1.7", "not a public address"),
        ("100.64.0.1", "192.168.1.7", "not a public address"),
        ("fe80::1", "2a02:2208:b4::77", "not a public address"),
        ("2a02:2208:b4::1", "2a02:2208:b4::77", "of this machine's own network"),
        ("2a02:2208:b4:ff::1", "2a02:2208:b4::77", "of this machine's own network"),
        ("2a02:2208:b5::1", "2a02:2208:b4::77", ""),
        ("62.115.40.1", "2a02:2208:b4::77", ""),
    ],
)  # fmt: skip
def test_no_address_is_told_that_names_the_line(router: str, own: str, why: str) -> None:
    assert why == why_withheld(router, own)
