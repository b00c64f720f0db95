"""Whatever arrives is an answer, or none, or refused by name: nothing else comes of it."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from probe.control.echo import described
from probe.failure import NetworkFailure
from probe.nettests.proxy import _whole_reply
from probe.steps.echo import _body
from probe.wire.mtproto import Greeting, NotMTProto
from probe.wire.openvpn import NotOpenVPN, Reset
from probe.wire.wireguard import BadInitiation, BadKey, Initiation, Responder, new_pair, read_key

SERVER = new_pair()
RESPONDER = Responder(SERVER.private)
anything = st.binary(max_size=300)


@given(anything, st.integers(1, 50))
def test_telegram(data: bytes, piece: int) -> None:
    greeting = Greeting(1795168800.0)
    with suppress(NotMTProto):
        assert not any([greeting.answered(data[:at]) for at in range(0, len(data), piece)])


@given(st.sampled_from([b"", b"\x40", b"\x00\x1a\x40", b"\x00\x1a\x40" + bytes(8)]), anything)
def test_openvpn(beginning: bytes, data: bytes) -> None:
    assert not Reset().answered(beginning + data)
    with suppress(NotOpenVPN):
        assert not Reset().answered_by_segment(beginning + data)


@given(st.binary(min_size=144, max_size=144))
def test_wireguard(data: bytes) -> None:
    mine = Initiation(SERVER.public, now=0.0)
    answer = b"\x02\0\0\0" + data[:4] + mine.message[4:8] + data[:80]
    assert not mine.answered(answer)
    with suppress(BadInitiation):
        RESPONDER.answer(b"\x01\0\0\0" + data)
        raise AssertionError("answered what is no initiation")


@given(st.text())
def test_keys(text: str) -> None:
    with suppress(BadKey):
        assert 32 == len(read_key(text))


@given(st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 101 x\r\n\r\n"]), anything)
def test_an_answer_of_a_helper(beginning: bytes, data: bytes) -> None:
    body, _ = _body(beginning + data)
    assert body in beginning + data


@given(anything)
def test_the_head_of_a_request(head: bytes) -> None:
    assert described(head).startswith(b"{")


@given(anything)
def test_the_reply_of_a_proxy(data: bytes) -> None:
    with suppress(NetworkFailure):
        _whole_reply(data)
