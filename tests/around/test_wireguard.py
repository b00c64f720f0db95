"""WireGuard's handshake, against our own responder; the real one is in tests/lab/test_around.py."""

from __future__ import annotations

import pytest
import trio

from probe.control.wireguard import serve_wireguard
from probe.failure import Failure
from probe.nettest import discover
from probe.serving.clients import Clients
from probe.wire.wireguard import (
    COOKIE,
    INITIATION,
    RESPONSE,
    Initiation,
    Responder,
    new_pair,
    write_key,
)
from testlists.target import target_from_url
from tests.around.conftest import Around

VPN = "93.184.216.95"
URL = f"wireguard://{VPN}"
SERVER = new_pair()
NOW = 1795168800.0


async def tries(around: Around, public: bytes) -> list[tuple[str, Failure | None]]:
    async with trio.open_nursery() as nursery:
        port = await nursery.start(
            serve_wireguard, "127.0.0.1", 0, Responder(SERVER.private), Clients(window=60)
        )
        around.net.ports[VPN, 51820] = port
        found = await around.reached("wireguard", URL, public_key=write_key(public))
        nursery.cancel_scope.cancel()
    return [(e.operation, e.failure) for e in found]


async def test_a_server_answers_who_knows_its_key(around: Around) -> None:
    assert [("", None)] == await tries(around, SERVER.public)


@pytest.mark.usefixtures("unanswered")
async def test_a_server_is_silent_to_who_does_not(around: Around) -> None:
    assert [("handshake", Failure.TIMEOUT)] * 2 == await tries(around, new_pair().public)


def test_an_answer_is_proved_by_the_servers_key() -> None:
    mine, server = Initiation(SERVER.public, now=NOW), Responder(SERVER.private)
    assert INITIATION == len(mine.message)
    answer = server.answer(mine.message)
    assert RESPONSE == len(answer)
    assert mine.answered(answer)
    assert not Initiation(SERVER.public, now=NOW).answered(answer)
    for at in range(len(answer)):
        bad = answer[:at] + bytes([answer[at] ^ 1]) + answer[at + 1 :]
        # Nobody looks at the sender's index and at what is for a server under load.
        assert mine.answered(bad) == (4 <= at < 8 or at >= 60), at
    assert not any(mine.answered(answer[:size]) for size in range(RESPONSE))


def test_a_cookie_is_known_by_our_index() -> None:
    mine = Initiation(SERVER.public, now=NOW)
    cookie = b"\x03\0\0\0" + mine.message[4:8] + bytes(COOKIE - 8)
    assert mine.busy(cookie)
    assert not Initiation(SERVER.public, now=NOW).busy(cookie)


def test_only_with_a_key_is_there_anything_to_ask() -> None:
    assert not discover()["wireguard"].takes(target_from_url(URL))
