"""What the lab's censors read in QUIC and forge, held against aioquic and the RFCs' vectors."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable

import pytest
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicProtocolVersion
from hypothesis import given
from hypothesis import strategies as st

from lab import packet
from lab.censors import QUICClose, QUICDrop, SNIDrop
from lab.middlebox import Middlebox, Rule, packed
from lab.packet import SYN, UDP, Packet
from lab.quic import V1, V2, Reader, initial_keys, is_long, long_header, opening
from lab.world import Way

CLIENT, SERVER, OTHER = "178.124.1.2", "136.243.5.6", "136.243.9.9"
NAME = "www.charter.example"
PEER = (SERVER, 443)


def client(
    name: str | None = NAME, *, version: int = QuicProtocolVersion.VERSION_1, long: bool = False
) -> QuicConnection:
    configuration = QuicConfiguration(
        server_name=name, alpn_protocols=["h3"], supported_versions=[version],
        quantum_readiness_test=long,  # makes a hello of two datagrams
    )  # fmt: skip
    connection = QuicConnection(configuration=configuration)
    connection.connect(PEER, 1.0)
    return connection


def initials(name: str | None = NAME, **more: object) -> list[bytes]:
    sent = client(name, **more).datagrams_to_send(1.0)  # type: ignore[arg-type]
    return [data for data, _ in sent]


def read(datagrams: Iterable[bytes]) -> str | None:
    reader = Reader()
    for datagram in datagrams:
        reader.take(datagram)
    return reader.name


@pytest.mark.parametrize(
    ("version", "server", "key", "iv", "mask"),
    [  # RFC 9001, A.1; RFC 9369, A.1
        (V1, False, "1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c",
         "9f50449e04a0e810283a1e9933adedd2"),
        (V1, True, "cf3a5331653c364c88f0f379b6067e37", "0ac1493ca1905853b0bba03e",
         "c206b8d9b9f0f37644430b490eeaa314"),
        (V2, False, "8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f",
         "45b95e15235d6f45a6b19cbcb0294ba9"),
    ],
)  # fmt: skip
def test_the_keys_are_those_of_the_rfc(
    version: int, server: bool, key: str, iv: str, mask: str
) -> None:
    keys = initial_keys(version, bytes.fromhex("8394c8f03e515708"), server=server)
    assert (key, iv, mask) == (keys.key.hex(), keys.iv.hex(), keys.mask.hex())


@pytest.mark.parametrize("version", [V1, V2])
def test_the_name_is_read_from_a_first_datagram(version: int) -> None:
    assert NAME == read(initials(version=version))
    assert NAME == read(initials(NAME.upper(), version=version)).lower()  # type: ignore[union-attr]


def test_a_hello_without_a_name_has_an_empty_one() -> None:
    assert "" == read(initials(None))


def test_a_long_hello_is_read_from_its_datagrams_in_any_order() -> None:
    datagrams = initials(long=True)
    assert len(datagrams) >= 2
    assert read(datagrams[:1]) is None
    assert NAME == read(datagrams)
    assert NAME == read(reversed(datagrams))
    assert NAME == read([datagrams[-1], *datagrams])


def test_the_lost_first_datagram_is_read_when_it_is_sent_again() -> None:
    connection = client()
    connection.datagrams_to_send(1.0)
    timer = connection.get_timer()
    assert timer is not None
    connection.handle_timer(timer)
    again = [data for data, _ in connection.datagrams_to_send(timer)]
    assert NAME == read(again)


def test_another_version_is_not_read_and_does_not_open_a_connection() -> None:
    (datagram,) = initials()
    other = datagram[:1] + struct.pack("!I", 0x1A2A3A4A) + datagram[5:]
    assert is_long(other) and long_header(other) is None and opening(other) is None
    assert read([other]) is None
    assert opening(datagram) is not None and opening(datagram[:600]) is None


@given(st.binary(max_size=100), st.integers(0, 1199), st.booleans())
def test_mangled_initials_are_read_or_not(noise: bytes, at: int, cut: bool) -> None:
    (datagram,) = initials()
    mangled = datagram[:at] + noise + (b"" if cut else datagram[at + len(noise) :])
    assert read([mangled]) in (None, NAME)
    assert read([mangled, datagram]) in (None, NAME)
    is_long(noise)


class Talk:
    """Datagrams of one client port that pass a middlebox."""

    def __init__(self, *rules: Rule) -> None:
        self.box = Middlebox(rules)
        self.now = 0.0

    def out(self, data: bytes, *, port: int = 40000, server: str = SERVER) -> list[Packet]:
        return self._pass(udp(CLIENT, port, server, 443, data), Way.OUT)

    def back(self, data: bytes, *, port: int = 40000, server: str = SERVER) -> list[Packet]:
        return self._pass(udp(server, 443, CLIENT, port, data), Way.BACK)

    def _pass(self, raw: bytes, way: Way) -> list[Packet]:
        said = self.box(raw, way, self.now)
        seen = [raw] if said is None else [action[0] for action in said]
        return [found for found in map(packet.parse, seen) if found is not None]


def udp(source: str, sport: int, destination: str, dport: int, data: bytes) -> bytes:
    # As an answer to the opposite packet, which is what the lab can build.
    query = Packet(b"", packed(destination), packed(source), UDP, 64, 0, 0, 0, dport, sport)
    return packet.udp_reply(query, data)


def test_a_name_is_dropped_with_all_of_its_flow_and_others_live() -> None:
    talk = Talk(QUICDrop(names=(NAME,), subdomains=True))
    assert [] == talk.out(*initials()) == talk.back(b"\x40 answer") == talk.out(b"\x40 more")
    assert [] == talk.out(*initials(f"m.{NAME}"), port=40001)
    assert 1 == len(talk.out(*initials("other.example"), port=40002))
    assert 1 == len(talk.out(*initials(None), port=40003))


def test_a_long_hello_is_dropped_with_its_last_piece() -> None:
    talk = Talk(QUICDrop(names=(NAME,)))
    first, *later = initials(long=True)
    assert 1 == len(talk.out(first))
    assert [] == [found for data in later for found in talk.out(data)]
    assert [] == talk.out(first)


def test_quic_itself_is_dropped_and_other_datagrams_are_not() -> None:
    talk = Talk(QUICDrop(every="any"))
    assert [] == talk.out(*initials(), server=OTHER) == talk.out(*initials(None), port=40001)
    assert 1 == len(talk.out(b"\x00\x01 a game's datagram", port=40002))


def test_residue_is_for_datagrams_to_that_port_and_ends() -> None:
    talk = Talk(QUICDrop(names=(NAME,), residual=30.0))
    talk.out(*initials())
    assert [] == talk.out(*initials("other.example"), port=40001)
    assert 1 == len(talk.out(*initials("other.example"), server=OTHER))
    syn = packet.tcp(packed(CLIENT), packed(SERVER), 40001, 443, 1, 0, SYN)
    assert talk.box(syn, Way.OUT, talk.now) is None
    talk.now = 31.0
    assert 1 == len(talk.out(*initials("other.example"), port=40001))


def test_a_rule_about_tls_leaves_quic_alone() -> None:
    assert 1 == len(Talk(SNIDrop(names=(NAME,))).out(*initials()))


@pytest.mark.parametrize("drops", [True, False])
def test_a_forged_close_ends_a_connection_of_aioquic(drops: bool) -> None:
    connection = client()
    ((datagram, _),) = connection.datagrams_to_send(1.0)
    sent = Talk(QUICClose(names=(NAME,), drop_original=drops)).out(datagram)
    assert 1 + (not drops) == len(sent)
    forged = sent[0]
    assert (packed(SERVER), 443, packed(CLIENT)) == (
        forged.source, forged.sport, forged.destination,
    )
    connection.receive_datagram(forged.data, PEER, 1.01)
    timer = connection.get_timer()
    assert timer is not None
    connection.handle_timer(timer)
    event = connection.next_event()
    assert 0x128 == getattr(event, "error_code", None)


def test_a_forged_negotiation_ends_a_connection_of_aioquic() -> None:
    connection = client()
    ((datagram, _),) = connection.datagrams_to_send(1.0)
    rule = QUICClose(names=(NAME,), versions=(0xFF00001D,), drop_original=True)
    (forged,) = Talk(rule).out(datagram)
    connection.receive_datagram(forged.data, PEER, 1.01)
    assert "version" in getattr(connection.next_event(), "reason_phrase", "")


def test_noise_passes_a_censor_of_quic() -> None:
    chance, talk = random.Random(1), Talk(QUICDrop(names=(NAME,)), QUICClose(names=("a.b",)))
    for port in range(40000, 40200):
        data = bytes((chance.randrange(256),)) + chance.randbytes(chance.randrange(1300))
        assert [data] == [found.data for found in talk.out(data, port=port)]
