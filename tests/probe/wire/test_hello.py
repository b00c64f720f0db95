"""Reading a ClientHello, and its JA4 against published and foreign values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.steps.engine import PythonTLS
from probe.wire.ja4 import ja4
from probe.wire.tls import ClientHello, client_hello, handshake_message, name_in


def extension(*values: int, width: int = 2) -> bytes:
    block = b"".join(value.to_bytes(2) for value in values)
    return len(block).to_bytes(width) + block


def protocols(*names: bytes) -> bytes:
    block = b"".join(bytes([len(name)]) + name for name in names)
    return len(block).to_bytes(2) + block


# The example that FoxIO's specification of JA4 works through: a Chrome of 2023, with GREASE.
CIPHERS = (
    0x7A7A, 0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013,
    0xC014, 0x009C, 0x009D, 0x002F, 0x0035,
)  # fmt: skip
KINDS = (
    0x3A3A, 0x001B, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002D, 0x000D, 0x0005, 0x0023,
    0x0012, 0x002B, 0xFF01, 0x000B, 0x000A, 0x0015,
)  # fmt: skip
BODIES = {
    0x000D: extension(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601),
    0x0010: protocols(b"h2", b"http/1.1"),
    0x002B: extension(0x9A9A, 0x0304, 0x0303, width=1),
}
CHROME = ClientHello(0x0303, CIPHERS, tuple((kind, BODIES.get(kind, b"")) for kind in KINDS))


def test_the_example_of_the_specification() -> None:
    assert "t13d1516h2_8daaf6152771_e5627efa2ab1" == ja4(CHROME)


def test_the_order_of_extensions_is_of_no_account() -> None:
    assert ja4(CHROME) == ja4(CHROME._replace(extensions=CHROME.extensions[::-1]))


def test_over_quic_only_the_first_letter_differs() -> None:
    assert "q" + ja4(CHROME)[1:] == ja4(CHROME, "q")


@pytest.mark.parametrize(
    ("protocol", "letters"),
    [(b"h2", "h2"), (b"http/1.1", "h1"), (b"h", "hh"), (b"\xabxy\xcd", "ad"), (b"0\xab", "3b")],
)
def test_alpn_is_told_by_its_ends(protocol: bytes, letters: str) -> None:
    hello = ClientHello(0x0303, (0x1301,), ((0x10, protocols(protocol)),))
    assert letters == ja4(hello).split("_")[0][-2:]


def test_what_is_not_offered_is_zeros() -> None:
    assert "t12i000000_000000000000_000000000000" == ja4(ClientHello(0x0303, (), ()))


def test_a_hello_is_read_out_of_several_records() -> None:
    said = PythonTLS("site.by", ()).hello()
    message = said[5:]
    cut = [message[:1], message[1:3], message[3:100], message[100:]]
    records = b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2) + piece for piece in cut)
    assert message == handshake_message(said) == handshake_message(records)
    assert b"site.by" in (client_hello(message).extension(0) or b"")


def test_a_hello_cut_short_anywhere_is_none() -> None:
    said = PythonTLS("site.by", ("h2",)).hello()
    for size in range(len(said)):
        with pytest.raises(ValueError, match="handshake message"):
            handshake_message(said[:size])
    message = said[5:]
    whole = client_hello(message)
    for size in range(len(message)):
        with pytest.raises(ValueError, match="cut short"):
            client_hello(message[:size])
    assert whole.extensions


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_bytes_that_are_no_hello_raise_value_error_only(raw: bytes, body: bytes) -> None:
    hostile = ClientHello(0x0303, (1,), ((0x10, body), (0x0D, body), (0x2B, body)))
    for read in (handshake_message, client_hello, lambda given: ja4(client_hello(given))):
        try:
            read(raw)
        except ValueError:
            continue
    try:
        ja4(hostile)
    except ValueError:
        return


def test_the_name_is_found_with_its_lengths_only() -> None:
    said = PythonTLS("site.by", ()).hello()
    at = name_in(said, "site.by")
    assert at is not None
    assert b"site.by" == said[slice(*at)]
    assert name_in(said, "ite.by") is None
    assert name_in(said, "сайт.бел") is None
