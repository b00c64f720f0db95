"""A connection taken over in the middle: both ends must find their own numbers in it."""

from __future__ import annotations

from lab.middlebox import packed
from lab.packet import ACK, PSH, RST, SYN
from lab.splice import SNIForge
from lab.world import Way
from tests.lab.test_censors import NAME, SERVER, Talk, hello

FORGER, OTHER_WAY = "185.228.168.77", "45.90.28.77"  # as SERVER, and over the other gateway


def test_the_forger_hears_the_hello_and_the_client_hears_the_forger() -> None:
    talk = Talk(SNIForge(names=(NAME,), to=(OTHER_WAY, FORGER))).shake()
    start, heard, sent = talk.seq, talk.ack, hello(NAME)
    assert 1 == len(talk.out(sent[:200]))
    reset, syn = talk.out(sent[200:])
    assert [Way.OUT, Way.OUT] == talk.ways
    assert (RST, packed(SERVER)) == (reset.flags, reset.destination)
    assert (SYN, packed(FORGER), start) == (syn.flags, syn.destination, syn.seq + 1)

    talk.ack = 900_000  # the forger counts in its own way
    said = talk.back(flags=SYN | ACK, server=FORGER)
    assert sent == b"".join(p.data for p in said)
    assert {(packed(FORGER), 900_001)} == {(p.destination, p.ack) for p in said}
    assert start == said[0].seq

    (answer,) = talk.back(b"forged", flags=PSH | ACK, server=FORGER)
    assert (packed(SERVER), heard, b"forged") == (answer.source, answer.seq, answer.data)
    talk.ack = heard + len(b"forged")
    (acknowledged,) = talk.out(flags=ACK)
    assert (packed(FORGER), 900_007) == (acknowledged.destination, acknowledged.ack)


def test_the_true_server_is_not_heard_any_more() -> None:
    talk = Talk(SNIForge(names=(NAME,), to=(FORGER,))).shake()
    talk.out(hello(NAME))
    assert [] == talk.back(b"true")


def test_other_names_pass_and_so_do_connections_that_no_forger_can_answer() -> None:
    for name, to in (("other.example", FORGER), (NAME, OTHER_WAY)):
        talk, sent = Talk(SNIForge(names=(NAME,), to=(to,))).shake(), hello(name)
        assert [sent] == [p.data for p in talk.out(sent)]
        assert [b"true"] == [p.data for p in talk.back(b"true")]
