from __future__ import annotations

import random
import ssl
from collections.abc import Callable, Sequence
from itertools import pairwise

import dns.message
import dns.rcode
import pytest

from lab import packet
from lab.alteration import altered
from lab.censors import (
    AddressDrop,
    AddressRefuse,
    AddressReset,
    AddressUnreachable,
    DNSDrop,
    DNSInject,
    HTTPAlter,
    HTTPInjectPage,
    HTTPReset,
    RelayReset,
    Slowness,
    SNIClose,
    SNIDrop,
    SNIReset,
    ThrottleAddress,
    ThrottleName,
    a_censor,
    http_redirect,
    sni_alert,
)
from lab.flows import Bounded
from lab.middlebox import Middlebox, Rewrite, Rule, merged, packed
from lab.packet import ACK, FIN, ICMP, ICMPV6, PSH, RST, SYN, TCP, Packet
from lab.world import Action, Way

CLIENT, SERVER, FORGER = "178.124.1.2", "136.243.5.6", "136.243.9.9"
NAME = "www.charter.example"


def hello(name: str) -> bytes:
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


GET = f"GET /news HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode()


def read(raw: bytes) -> Packet:
    seen = packet.parse(raw)
    assert seen is not None
    return seen


class Talk:
    """One TCP connection that passes a middlebox, both ends played by the test."""

    def __init__(self, *rules: Rule, port: int = 443, server: str = SERVER) -> None:
        self.box = Middlebox(rules)
        self.port, self.server = port, server
        self.now = 0.0
        self.seq, self.ack = 1000, 5000

    def out(
        self, data: bytes = b"", flags: int = PSH | ACK, seq: int | None = None
    ) -> list[Packet]:
        raw = packet.tcp(
            packed(CLIENT), packed(self.server), 40000, self.port,
            self.seq if seq is None else seq, self.ack, flags, data,
        )  # fmt: skip
        if seq is None:
            self.seq += read(raw).length
        return self._pass(raw, Way.OUT)

    def back(self, data: bytes = b"", flags: int = ACK, server: str = "") -> list[Packet]:
        raw = packet.tcp(
            packed(server or self.server), packed(CLIENT), self.port, 40000,
            self.ack, self.seq, flags, data,
        )  # fmt: skip
        self.ack += read(raw).length
        return self._pass(raw, Way.BACK)

    def shake(self) -> Talk:
        self.out(flags=SYN)
        self.back(flags=SYN | ACK)
        self.out(flags=ACK)
        return self

    def _pass(self, raw: bytes, way: Way) -> list[Packet]:
        said = self.box(raw, way, self.now)
        self.ways = [way] if said is None else [action[1] for action in said]
        return [read(raw)] if said is None else [read(action[0]) for action in said]


def test_a_reset_follows_the_last_segment_of_the_hello_and_the_hello_goes_on() -> None:
    talk, sent = Talk(SNIReset(names=(NAME,))).shake(), hello(NAME)
    assert 1 == len(talk.out(sent[:200]))
    expected_ack = talk.ack
    reset, original = talk.out(sent[200:])
    assert [Way.BACK, Way.OUT] == talk.ways
    assert (RST, expected_ack, packed(SERVER)) == (reset.flags, reset.seq, reset.source)
    assert sent[200:] == original.data


def test_a_hello_in_segments_out_of_order_and_repeated_is_read_all_the_same() -> None:
    talk, sent = Talk(SNIReset(names=(NAME,))).shake(), hello(NAME)
    start = talk.seq
    cuts = [0, 100, 300, len(sent)]
    pieces = [(start + a, sent[a:b]) for a, b in pairwise(cuts)]
    for at in (2, 2, 1):
        assert 1 == len(talk.out(pieces[at][1], seq=pieces[at][0]))
    assert RST == talk.out(pieces[0][1], seq=pieces[0][0])[0].flags


def test_sequence_numbers_may_wrap_within_a_hello() -> None:
    talk = Talk(SNIReset(names=(NAME,)))
    talk.seq = 0xFFFFFFFF - 50
    sent = hello(NAME)
    talk.shake()
    first, talk.seq = talk.seq, (talk.seq + 100) & 0xFFFFFFFF
    talk.out(sent[:100], seq=first)
    assert RST == talk.out(sent[100:])[0].flags


@pytest.mark.parametrize(
    ("name", "subdomains", "hit"),
    [
        (NAME, False, True),
        (NAME.upper(), False, True),
        ("m." + NAME, False, False),
        ("m." + NAME, True, True),
        ("not" + NAME, True, False),
    ],
)
def test_names_match_as_names(name: str, subdomains: bool, hit: bool) -> None:
    talk = Talk(SNIReset(names=(NAME,), subdomains=subdomains)).shake()
    assert hit == (len(talk.out(hello(name))) == 2)


def test_after_a_drop_the_flow_is_dead_both_ways_and_others_live() -> None:
    talk = Talk(SNIDrop(names=(NAME,))).shake()
    assert [] == talk.out(hello(NAME))
    assert [] == talk.back(b"server hello") == talk.out(flags=ACK)
    talk.shake()
    assert 1 == len(talk.out(hello("other.example")))


def test_a_close_is_a_fin_and_the_server_is_not_heard_after_it() -> None:
    talk = Talk(SNIClose(names=(NAME,))).shake()
    assert FIN | ACK == talk.out(hello(NAME))[0].flags
    assert [] == talk.back(b"server hello")


def test_an_alert_is_one_fatal_record() -> None:
    talk = Talk(sni_alert((NAME,), alert=112)).shake()
    assert b"\x15\x03\x03\x00\x02\x02\x70" == talk.out(hello(NAME))[0].data


def test_a_redirect_is_injected_with_the_documented_window_and_id() -> None:
    talk = Talk(http_redirect((NAME,), "http://82.209.230.23/"), port=80).shake()
    answer = talk.out(GET)[0]
    assert b"Location: http://82.209.230.23/\r\n" in answer.data
    assert (32678, 1) == (answer.window, int.from_bytes(answer.raw[4:6], "big"))
    assert talk.seq == int.from_bytes(answer.raw[answer.transport + 8 : answer.transport + 12])


def test_a_long_page_comes_in_segments_that_follow_each_other() -> None:
    page = bytes(range(256)) * 20
    talk = Talk(HTTPInjectPage(names=(NAME,), payload=page), port=80).shake()
    pieces = [seen for seen in talk.out(GET) if seen.source == packed(SERVER)]
    assert page == b"".join(piece.data for piece in pieces)
    assert [piece.seq + len(piece.data) for piece in pieces[:-1]] == [p.seq for p in pieces[1:]]
    assert [0] * (len(pieces) - 1) + [FIN] == [piece.flags & FIN for piece in pieces]


def test_a_later_request_on_the_same_connection_is_seen() -> None:
    talk = Talk(HTTPReset(names=(NAME,)), port=80).shake()
    assert 1 == len(talk.out(b"GET / HTTP/1.1\r\nHost: harmless.example\r\n\r\n"))
    assert RST == talk.out(GET)[0].flags


def test_a_keyword_is_found_whatever_the_host() -> None:
    talk = Talk(HTTPReset(keywords=(b"/news",)), port=80).shake()
    assert RST == talk.out(GET)[0].flags
    talk.shake()
    assert 1 == len(talk.out(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"))


def test_what_follows_a_trigger_may_be_punished_for_a_while() -> None:
    talk = Talk(SNIReset(names=(NAME,), residual=30.0)).shake()
    talk.out(hello(NAME))
    talk.now = 29.0
    assert [] == talk.out(flags=SYN)
    talk.now = 31.0
    assert 1 == len(talk.out(flags=SYN))


def test_an_address_may_be_dropped_refused_or_declared_unreachable() -> None:
    assert [] == Talk(AddressDrop(addresses=(SERVER,))).out(flags=SYN)
    refusal = Talk(AddressRefuse(addresses=(SERVER,), ports=(443,))).out(flags=SYN)[0]
    assert (RST | ACK, 0, 1001) == (
        refusal.flags, refusal.seq, int.from_bytes(refusal.raw[28:32], "big"),
    )  # fmt: skip
    assert SYN == Talk(AddressRefuse(addresses=(SERVER,), ports=(80,))).out(flags=SYN)[0].flags
    rule = AddressUnreachable(addresses=(SERVER,), routers=("93.84.4.2", "2a02::1"))
    error = Talk(rule).out(flags=SYN)[0]
    assert (ICMP, packed("93.84.4.2"), b"\x03\x0d") == (
        error.protocol, error.source, error.raw[20:22],
    )  # fmt: skip


def test_unreachable_over_ipv6_is_icmpv6() -> None:
    rule = AddressUnreachable(addresses=("2001:41d0::5",), routers=("93.84.4.2", "2a02::1"))
    syn = packet.tcp(packed("2a02:2208::2"), packed("2001:41d0::5"), 1, 443, 0, 0, SYN)
    said = Middlebox([rule])(syn, Way.OUT, 0.0)
    assert said is not None
    error = read(said[0][0])
    assert (ICMPV6, packed("2a02::1"), b"\x01\x03") == (
        error.protocol, error.source, error.raw[40:42],
    )  # fmt: skip


def test_only_clients_of_the_networks_meant_are_concerned() -> None:
    rule = AddressDrop(addresses=(SERVER,), clients=("88.198.0.0/16",))
    assert 1 == len(Talk(rule).out(flags=SYN))
    assert [] == Talk(AddressDrop(addresses=(SERVER,), clients=("178.124.0.0/16",))).out(flags=SYN)


@pytest.mark.parametrize("early", [True, False])
def test_a_connection_is_reset_once_it_stands(early: bool) -> None:
    talk = Talk(AddressReset(addresses=(SERVER,), early=early))
    assert SYN == talk.out(flags=SYN)[0].flags
    answer = talk.back(flags=SYN | ACK)
    if not early:
        answer = talk.out(flags=ACK)
    reset = next(p for p in answer if p.flags & RST)
    assert (RST, talk.ack) == (reset.flags, reset.seq)


def dns_query(name: str, rdtype: str = "A", server: str = "8.8.8.8") -> bytes:
    body = dns.message.make_query(name, rdtype).to_wire()
    head = packet.tcp(packed(CLIENT), packed(server), 5353, 53, 0, 0, 0)[:20]
    forward = packet.Packet(head, packed(server), packed(CLIENT), 17, 64, 20, 28, 0, 53, 5353)
    return packet.udp_reply(forward, body)  # a reply to a reply goes the way of the query


def inject(rule: DNSInject, query: bytes) -> Sequence[Action] | None:
    return Middlebox([rule])(query, Way.OUT, 0.0)


def test_a_forged_answer_comes_back_and_the_query_goes_on() -> None:
    said = inject(DNSInject(names=(NAME,), answers=(FORGER, "2001:41d0::9")), dns_query(NAME))
    assert said is not None
    (forged, way, _), (original, on, _) = said
    assert (Way.BACK, Way.OUT, dns_query(NAME)[:20]) == (way, on, original[:20])
    text = dns.message.from_wire(read(forged).data).to_text()
    assert f"IN A {FORGER}" in text
    assert "2001:41d0::9" not in text


def test_a_type_without_a_forgery_is_answered_empty() -> None:
    said = inject(DNSInject(names=(NAME,), answers=(FORGER,)), dns_query(NAME, "AAAA"))
    assert said is not None
    answer = dns.message.from_wire(read(said[0][0]).data)
    assert ([], dns.rcode.NOERROR) == (answer.answer, answer.rcode())


def test_other_names_and_other_resolvers_are_left_alone() -> None:
    rule = DNSInject(names=(NAME,), rcode="NXDOMAIN", drop_original=True, servers=("9.9.9.9",))
    assert inject(rule, dns_query(NAME)) is None
    assert inject(rule, dns_query("other.example", server="9.9.9.9")) is None
    said = inject(rule, dns_query(NAME, server="9.9.9.9"))
    assert said is not None
    assert 1 == len(said)
    assert dns.rcode.NXDOMAIN == dns.message.from_wire(read(said[0][0]).data).rcode()


def test_dropped_queries_are_dropped_over_tcp_as_well() -> None:
    assert () == Middlebox([DNSDrop(names=(NAME,))])(dns_query(NAME), Way.OUT, 0.0)
    talk = Talk(DNSDrop(names=(NAME,)), port=53).shake()
    body = dns.message.make_query(NAME, "A").to_wire()
    assert [] == talk.out(len(body).to_bytes(2, "big") + body)


PAGE = b"<html><body>" + b"a true word. " * 50 + b"</body></html>"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX: y\r\n\r\n%s" % (len(PAGE), PAGE)


@pytest.mark.parametrize(
    "change",
    [
        lambda page: page.replace(b"true", b"fake"),
        lambda page: page.replace(b"<body>", b"<body><script>track()</script>"),
        lambda page: page + b"x" * 3000,
        lambda page: page[:20],
    ],
)
def test_a_changed_page_arrives_whole_and_both_ends_agree(
    change: Callable[[bytes], bytes],
) -> None:
    talk = Talk(HTTPAlter(names=(NAME,), change=change), port=80).shake()
    assert GET == talk.out(GET)[0].data
    start = talk.ack
    pieces = talk.back(ANSWER) + talk.back(b"and the next response")
    seen = b"".join(piece.data for piece in pieces)
    for piece in pieces:
        assert seen[piece.seq - start :].startswith(piece.data)
    expected = altered(ANSWER, change)
    assert expected + b"and the next response" == seen
    assert b"Content-Length: %d\r\n" % len(change(PAGE)) in expected
    talk.ack = start + len(seen)  # as the client counts
    assert start + len(ANSWER) + len(b"and the next response") == read_ack(talk.out(flags=ACK)[0])


def read_ack(seen: Packet) -> int:
    return seen.ack


def test_connections_are_led_elsewhere_and_do_not_notice() -> None:
    talk = Talk(Rewrite(address=SERVER, port=443, to=FORGER, to_port=8443))
    led = talk.out(flags=SYN)[0]
    assert (packed(FORGER), 8443) == (led.destination, led.dport)
    talk.port = 8443
    answer = talk.back(flags=SYN | ACK, server=FORGER)[0]
    assert (packed(SERVER), 443, TCP) == (answer.source, answer.sport, answer.protocol)


def test_a_portal_takes_every_address_and_remembers_each() -> None:
    box = Middlebox([Rewrite(address=None, port=80, to="93.84.4.1", to_port=8080)])
    for last, cport in ((1, 1001), (2, 1002)):
        site = packed(f"136.243.5.{last}")
        said = box(packet.tcp(packed(CLIENT), site, cport, 80, 0, 0, SYN), Way.OUT, 0.0)
        assert said is not None
        led = read(said[0][0])
        reply = packet.tcp(led.destination, led.source, 8080, cport, 0, 1, SYN | ACK)
        back = box(reply, Way.BACK, 0.0)
        assert back is not None
        assert (site, 80) == (read(back[0][0]).source, read(back[0][0]).sport)


def test_slowness_delays_loses_and_queues() -> None:
    late = ThrottleName(names=(NAME,), slowness=Slowness(delay=0.3))
    talk = Talk(late).shake()
    raw = packet.tcp(packed(CLIENT), packed(SERVER), 40000, 443, talk.seq, 0, ACK, hello(NAME))
    said = talk.box(raw, Way.OUT, 0.0)
    assert said is not None
    assert [(raw, Way.OUT, 0.3)] == list(said)
    lossy = Middlebox([ThrottleAddress(addresses=(SERVER,), slowness=Slowness(loss=0.5, seed=1))])
    passed = sum(bool(lossy(raw, Way.OUT, 0.0)) for _ in range(1000))
    assert 400 < passed < 600
    slow = ThrottleAddress(addresses=(SERVER,), slowness=Slowness(rate=10 * len(raw)))
    box = Middlebox([slow])
    waits = [(box(raw, Way.OUT, 0.0) or [(raw, Way.OUT, -1.0)])[0][2] for _ in range(30)]
    assert [pytest.approx(0.1), pytest.approx(0.2)] == waits[:2]
    assert -1.0 == waits[-1]  # the queue is two seconds long


def test_middleboxes_of_many_worlds_become_one() -> None:
    makers = [a_censor(SNIReset(names=(f"s{n}.example",))) for n in range(500)]
    (box,) = merged(makers)
    assert isinstance(box, Middlebox)
    assert 500 == len(box.rules)


def test_tables_forget_their_oldest_entry() -> None:
    table: Bounded[int, int] = Bounded(3)
    for n in range(5):
        table[n] = n
    assert [2, 3, 4] == list(table)


def test_no_packet_breaks_a_middlebox() -> None:
    box = Middlebox([SNIReset(names=(NAME,)), AddressDrop(addresses=("9.9.9.9",))])
    chance = random.Random(5)
    for _ in range(3000):
        raw = bytearray(packet.tcp(packed(CLIENT), packed(SERVER), 4, 443, 9, 9, SYN, b"\x16abc"))
        for _ in range(chance.randrange(6)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        box(bytes(raw[: chance.randrange(len(raw) + 1)]), chance.choice(list(Way)), 0.0)


def asked(name: str, *rules: Rule) -> list[Packet]:
    """What comes of a ClientHello for *name* on port 443."""
    return Talk(*rules).shake().out(hello(name))


def resets(packets: list[Packet]) -> bool:
    return any(p.flags & RST for p in packets)


def test_a_name_is_compared_letter_by_letter_only_where_the_rule_says_so() -> None:
    assert resets(asked(NAME.upper(), SNIReset(names=(NAME,))))
    strict = SNIReset(names=(NAME,), exact_case=True)
    assert resets(asked(NAME, strict))
    assert not resets(asked(NAME.upper(), strict))


def test_a_name_inside_a_longer_one_counts_only_where_the_rule_says_so() -> None:
    longer = f"{NAME}.example.org"
    assert not resets(asked(longer, SNIReset(names=(NAME,), subdomains=True)))
    assert resets(asked(longer, SNIReset(names=(NAME,), anywhere=True)))
    assert resets(asked(f"a.{NAME}", SNIReset(names=(NAME,), anywhere=True)))
    assert 1 == sum(p.flags == RST for p in asked(NAME, SNIReset(names=(NAME,), anywhere=True)))


def test_every_hello_counts_whatever_it_names_but_not_at_those_who_are_spared() -> None:
    assert resets(asked("anything.example", SNIReset(every="any")))
    assert not resets(asked("anything.example", SNIReset(every="any", spared=(SERVER,))))
    assert resets(asked("anything.example", SNIReset(every="named")))
    assert not resets(asked("anything.example", SNIReset(every="nameless")))


def test_a_rule_is_about_the_ports_servers_and_clients_that_it_names() -> None:
    for rule, meant in (
        (SNIReset(names=(NAME,), ports=(443,)), True),
        (SNIReset(names=(NAME,), ports=(8443,)), False),
        (SNIReset(names=(NAME,), servers=("136.243.0.0/16",)), True),
        (SNIReset(names=(NAME,), servers=("136.244.0.0/16",)), False),
        (SNIReset(names=(NAME,), clients=("178.124.0.0/16",)), True),
        (SNIReset(names=(NAME,), clients=("88.198.0.0/16",)), False),
    ):
        assert meant == resets(asked(NAME, rule)), rule


@pytest.mark.parametrize("drop_original", [True, False])
def test_a_residue_of_resets_refuses_new_connections_for_its_time(drop_original: bool) -> None:
    rule = SNIReset(
        names=(NAME,), residual=5.0, punishes_by="reset", drop_original=drop_original
    )
    talk = Talk(rule).shake()
    talk.out(hello(NAME))
    talk.now = 4.0
    seen = talk.out(flags=SYN)
    assert RST | ACK == seen[0].flags
    assert drop_original == (len(seen) == 1)
    talk.now = 6.0
    assert [SYN] == [p.flags for p in talk.out(flags=SYN)]


def test_a_residue_at_the_server_takes_its_other_ports_along() -> None:
    for punishes, passes in (("port", 1), ("server", 0)):
        rule = SNIReset(names=(NAME,), residual=5.0, punishes=punishes)  # type: ignore[arg-type]
        talk = Talk(rule).shake()
        talk.out(hello(NAME))
        talk.port = 80
        assert passes == len(talk.out(flags=SYN)), punishes


def test_beside_the_path_the_trigger_goes_on_and_the_true_answer_comes() -> None:
    page = b"HTTP/1.1 200 OK\r\n\r\nno"
    inside = HTTPInjectPage(names=(NAME,), payload=page, drop_original=True)
    beside = HTTPInjectPage(names=(NAME,), payload=page, mutes=False)
    for rule, goes_on in ((inside, False), (beside, True)):
        talk = Talk(rule, port=80).shake()
        sent = talk.out(GET)
        assert goes_on == any(p.dport == 80 for p in sent)
        assert goes_on == bool(talk.back(b"true"))


def test_a_reset_in_the_path_ends_the_flow_for_both() -> None:
    for drop_original in (True, False):
        talk = Talk(AddressReset(addresses=(SERVER,), drop_original=drop_original))
        talk.out(flags=SYN)
        assert resets(talk.back(flags=SYN | ACK))
        assert drop_original == (talk.back(b"more") == [])
        assert drop_original == (talk.out(b"hello") == [])


def test_a_refusal_beside_the_path_lets_the_syn_go_on() -> None:
    rule = AddressRefuse(addresses=(SERVER,), drop_original=False)
    assert [RST | ACK, SYN] == [p.flags for p in Talk(rule).out(flags=SYN)]


def test_a_listed_relay_is_reset_first_without_numbers_and_then_with_those_that_fit() -> None:
    """As in the capture of 2016: RST with seq 0 to the SYN, then one with the server's ISN+1."""
    talk = Talk(RelayReset(addresses=(SERVER,), ports=(9001,)), port=9001)
    syn, malformed = talk.out(flags=SYN)
    assert (SYN, RST, 0, 0) == (syn.flags, malformed.flags, malformed.seq, malformed.ack)
    assert 1 == len(talk.back(flags=SYN | ACK))
    ack, reset = talk.out(flags=ACK)
    assert (ACK, RST, talk.ack) == (ack.flags, reset.flags, reset.seq)
    assert 125 == reset.ttl
    assert 1 == len(Talk(RelayReset(addresses=(SERVER,), ports=(9001,)), port=80).out(flags=SYN))
