from __future__ import annotations

from base64 import b64encode

import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.wire import dns as wire
from probe.wire.ech import MAX_CONFIG, from_https_record

KEY = bytes.fromhex("0004fe0d0000")  # a list of one key, whose content is not read here
CONFIG = b64encode(KEY).decode()  # as in a zone file
OTHER = b64encode(bytes.fromhex("0004fe0e0000")).decode()


def answer(*records: str) -> bytes:
    message = dns.message.make_response(
        dns.message.from_wire(wire.query("site.by", "HTTPS", 1))
    )
    for record in records:
        message.answer.append(dns.rrset.from_text("site.by.", 60, "IN", "HTTPS", record))
    return message.to_wire(max_size=65535)


@pytest.mark.parametrize(
    ("records", "found"),
    [
        ((f"1 . alpn=h2 ech={CONFIG}",), KEY),
        ((f"1 site.by. ech={CONFIG}",), KEY),
        (("1 . alpn=h2",), b""),
        ((f"1 elsewhere.by. ech={CONFIG}",), b""),
        (("0 elsewhere.by.",), b""),
        ((f"2 . ech={OTHER}", f"1 . ech={CONFIG}"), KEY),
        ((), b""),
    ],
)
def test_the_key_is_that_of_the_host_itself(records: tuple[str, ...], found: bytes) -> None:
    assert found == from_https_record(answer(*records), host="site.by")


def test_a_list_longer_than_any_is_none() -> None:
    size = MAX_CONFIG - 2
    fits, too_long = (n.to_bytes(2) + bytes(n) for n in (size, size + 1))
    for key, found in ((fits, fits), (too_long, b"")):
        record = f"1 . ech={b64encode(key).decode()}"
        assert found == from_https_record(answer(record), host="site.by")


@given(st.binary(max_size=200))
def test_whatever_is_no_answer_has_no_key(raw: bytes) -> None:
    assert b"" == from_https_record(raw, host="site.by")
    from_https_record(answer(f"1 . ech={CONFIG}")[:-12] + raw, host="site.by")
