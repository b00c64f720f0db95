"""What a relay says before anything else, cut at every place, and what is no relay's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.tor.cells import (
    CELL_BODY,
    MAX_CELL,
    MAX_CELLS,
    BadLink,
    Command,
    Link,
    NotTor,
    netinfo,
)
from tests.tor.relays import certs_body, fixed, said, variable, versions

CERTIFICATES = {4: b"four", 7: b"seven" * 30}
WHOLE = said(CERTIFICATES, clock=1_790_000_000)


def test_the_client_offers_the_versions_that_tor_offers() -> None:
    assert bytes.fromhex("0000 07 0006 0003 0004 0005") == Link().hello()


@pytest.mark.parametrize("cut", range(1, len(WHOLE), 7))
def test_an_introduction_is_the_same_wherever_it_is_cut(cut: int) -> None:
    link = Link()
    assert link.receive(WHOLE[:cut]) is None
    found = link.receive(WHOLE[cut:])
    assert found is not None
    assert ((3, 4, 5), CERTIFICATES, 1_790_000_000, 5) == (
        found.versions, found.certificates, found.time, link.version,
    )


def test_byte_by_byte_as_well() -> None:
    link = Link()
    answers = [link.receive(WHOLE[i : i + 1]) for i in range(len(WHOLE))]
    assert [None] * (len(WHOLE) - 1) == answers[:-1]
    assert answers[-1] is not None


def test_padding_is_passed_over() -> None:
    parts = [versions(3, 4), variable(Command.VPADDING, b"x" * 100), fixed(Command.PADDING, b"")]
    rest = [variable(Command.CERTS, certs_body(CERTIFICATES)), fixed(Command.NETINFO, b"\0" * 4)]
    found = Link().receive(b"".join(parts + rest))
    assert found is not None
    assert ((3, 4), 0) == (found.versions, found.time)


def test_a_relay_of_version_3_has_short_circuits() -> None:
    link = Link()
    short = b"\0\0" + bytes([Command.NETINFO]) + bytes(CELL_BODY)
    certs = variable(Command.CERTS, certs_body(CERTIFICATES), wide=2)
    assert link.receive(versions(3) + certs + short) is not None
    assert 2 + 1 + CELL_BODY == len(netinfo(link.version, "192.0.2.1"))


@pytest.mark.parametrize(
    "first", [b"HTTP/1.1 400 Bad Request\r\n", b"SSH-2.0-", b"\0", b"\0\0\x08", b"\x16\x03"]
)
def test_what_begins_otherwise_is_not_tor(first: bytes) -> None:
    if first == b"\0":
        assert Link().receive(first) is None  # it may become one
        return
    with pytest.raises(NotTor):
        Link().receive(first)


@pytest.mark.parametrize(
    "rest",
    [
        fixed(Command.NETINFO, b""),
        variable(Command.AUTH_CHALLENGE, b""),
        variable(Command.VERSIONS, b"\0\x05"),
        variable(Command.CERTS, b"\x02" + certs_body({4: b"x"})[1:]),
        variable(Command.CERTS, b"\x01\x04\xff\xff"),
        variable(Command.CERTS, b"\xff"),
        variable(Command.CERTS, b"\x02" + (b"\x04\0\0" * 2)),
        bytes(4) + b"\x81" + (MAX_CELL + 1).to_bytes(2),
        fixed(3, b""),
        fixed(Command.PADDING, b"") * (MAX_CELLS + 1),
        variable(Command.CERTS, b"\0") * 2,
    ],
    ids=range(11),
)
def test_what_a_relay_would_not_say_ends_the_link(rest: bytes) -> None:
    with pytest.raises(BadLink):
        Link().receive(versions(4, 5) + rest)


def test_no_version_in_common_is_told_with_those_that_were_offered() -> None:
    link = Link()
    with pytest.raises(BadLink, match="in common"):
        link.receive(versions(1, 2))
    assert (1, 2) == link.versions


@given(st.binary(max_size=600))
def test_nothing_that_arrives_breaks_more_than_the_link(noise: bytes) -> None:
    for prefix in (b"", versions(4, 5)):
        try:
            Link().receive(prefix + noise)
        except BadLink:
            pass


def test_the_clients_netinfo_tells_nothing_of_itself() -> None:
    v6 = "0610" + "20010db8" + "0" * 23 + "1"
    for ip, raw in (("192.0.2.1", "0404c0000201"), ("2001:db8::1", v6)):
        cell = netinfo(5, ip)
        assert 4 + 1 + CELL_BODY == len(cell)
        body = cell[5:]
        assert b"\0\0\0\0" == body[:4]
        assert bytes.fromhex(raw) + b"\0" == body[4 : 4 + len(raw) // 2 + 1]
        assert not any(body[4 + len(raw) // 2 :])
