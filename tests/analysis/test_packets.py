"""Beside the path or in it: what packets show, and what they do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from analysis.observe.ends import FREE, OTHER, SAME, Test
from analysis.observe.packets import packet_columns
from probe.evidence import AnyEvidence, DNSAnswer, DNSExchange, PacketCapture, PacketFacts

SERVER = "65.109.200.1"
RESOLVER = "8.8.8.8"
HOME = 43100
THEIRS, FORGERS = 61, 58  # TTLs on arrival
HELLO = 1954  # bytes, in two segments


def out(flags: str, seq: int, ack: int | None, payload: int = 0) -> PacketFacts:
    return PacketFacts(
        way="out", sport=HOME, dport=443, ttl=64, flags=flags, seq=seq, ack=ack, payload=payload
    )


def back(
    flags: str, seq: int, ack: int | None, payload: int = 0, ttl: int = THEIRS, **facts: Any
) -> PacketFacts:
    return PacketFacts(
        source=SERVER, sport=443, dport=HOME, ttl=ttl, flags=flags, seq=seq, ack=ack,
        payload=payload, **facts,
    )  # fmt: skip


SYN, SYN_ACK = out("S", 0, None), back("SA", 0, 1)
SPOKEN = (SYN, SYN_ACK, out("A", 1, 1), out("A", 1, 1, 1448), out("PA", 1449, 1, 506))
HALF_HEARD, HEARD = back("A", 1, 1449), back("A", 1, 1 + HELLO)
ANSWER = back("PA", 1, 1 + HELLO, 793)
RESET = back("R", 1, None, ttl=FORGERS)
PAGE = back("FPA", 1, 1 + HELLO, 700, ttl=FORGERS, window=502, ip_id=0)


@dataclass
class FollowUp:
    """Tests of one address, one after another, each with its packets."""

    layer: str = "tls"
    evidence: list[AnyEvidence] = field(default_factory=list)
    results: list[tuple[Test, str]] = field(default_factory=list)

    def test(
        self, result: str, packets: Sequence[PacketFacts] = (), *, end: str = "tls reset",
        lasted: float = 1.0, port: int = 443,
    ) -> FollowUp:
        began = 10.0 * len(self.results)
        timed = tuple(
            replace_time(p, began + 0.01 * n) for n, p in enumerate(packets)
        )
        self.results.append(
            (Test(step="again", ip=SERVER, port=port, began=began, ended=began + 0.3, end=end),
             result)
        )
        if packets:
            self.evidence.append(
                PacketCapture(
                    ip=SERVER, port=port, step="again", t0=began, t=began + lasted, packets=timed
                )
            )
        return self

    def asked(
        self, result: str, *answers: str, said: str = "news.example", own: bool = False,
        step: str = "other_resolver", at: str = RESOLVER, refused: bool = False,
    ) -> FollowUp:
        exchange = DNSExchange(
            hostname=said, rdtype="A", engine="udp", own=own,
            answers=tuple(DNSAnswer(addresses=(a,)) for a in answers),
        )
        end = "ok" if answers else "dns refused" if refused else "dns silence"
        test = Test(
            step=step, ip=at, port=53, began=0, ended=1, said=said, end=end, exchange=exchange
        )
        self.results.append((test, result))
        return self

    def columns(self, asn: int = 6697, nearer: bool = False) -> dict[str, object]:
        return packet_columns(self.evidence, self.results, self.layer, asn=asn, nearer=nearer)

    def position(self, nearer: bool = False) -> object:
        return self.columns(nearer=nearer)["position"]


def replace_time(p: PacketFacts, t: float) -> PacketFacts:
    return msgspec.structs.replace(p, t=t)


def free(follow_up: FollowUp) -> FollowUp:
    return follow_up.test(FREE, (*SPOKEN, HEARD, ANSWER), end="ok")


# On the path's side: the true answer comes as well


@pytest.mark.parametrize("after", [(HALF_HEARD, HEARD), (ANSWER,)])
def test_the_servers_word_after_a_forged_reset_shows_that_ours_got_through(
    after: tuple[PacketFacts, ...]
) -> None:
    assert "on-path" == FollowUp().test(SAME, (*SPOKEN, RESET, *after)).position()


def test_an_answer_to_the_beginning_of_ours_shows_nothing_where_the_end_was_not_captured() -> None:
    """Somebody in the path lets the first segment through, which has no name in it."""
    beginning = SPOKEN[:-1]
    follow_up = free(FollowUp())
    for _ in range(3):
        follow_up.test(SAME, (*beginning, RESET, HALF_HEARD))
    assert "on-path" != follow_up.position()


def test_also_if_the_forged_reset_has_the_servers_ttl() -> None:
    mimic = back("R", 1, None)
    assert "on-path" == FollowUp().test(SAME, (*SPOKEN, mimic, HEARD, ANSWER)).position()


def test_also_if_it_was_slower_than_the_server() -> None:
    assert "on-path" == FollowUp().test(SAME, (*SPOKEN, HEARD, RESET)).position()


def test_a_page_beside_the_forged_one_shows_it() -> None:
    follow_up = FollowUp("page").test(SAME, (*SPOKEN, PAGE, HEARD, ANSWER), end="ok")
    assert "on-path" == follow_up.position()


def test_a_page_with_the_servers_ttl_beside_another_that_overlaps_it() -> None:
    mimic = back("FPA", 1, 1 + HELLO, 700)
    assert "on-path" == FollowUp("page").test(SAME, (*SPOKEN, mimic, ANSWER), end="ok").position()


def test_a_syn_ack_after_a_refusal_shows_it() -> None:
    refusal = back("RA", 0, 1, ttl=FORGERS)
    follow_up = FollowUp("tcp").test(SAME, (SYN, refusal, SYN_ACK), end="tcp refused")
    assert "on-path" == follow_up.position()


def test_one_connection_that_shows_it_outweighs_those_that_do_not() -> None:
    follow_up = FollowUp().test(SAME, (*SPOKEN, RESET)).test(SAME, (*SPOKEN, RESET, HEARD))
    assert "on-path" == free(follow_up.test(SAME, (*SPOKEN, RESET))).position()


# In the path: nothing of the server's follows, although it answers otherwise


@pytest.mark.parametrize("ending", [RESET, PAGE, back("FA", 1, 1 + HELLO, ttl=FORGERS)])
def test_words_that_never_arrive_were_kept_back(ending: PacketFacts) -> None:
    packets = (*SPOKEN, ending, HALF_HEARD)  # the name is in the second segment
    assert "in-path" == free(FollowUp().test(SAME, packets).test(SAME, packets)).position()


def test_once_is_not_enough() -> None:
    assert "" == free(FollowUp().test(SAME, (*SPOKEN, RESET))).position()


def test_nor_is_a_server_that_answers_nobody() -> None:
    assert "" == FollowUp().test(SAME, (*SPOKEN, RESET)).test(SAME, (*SPOKEN, RESET)).position()


def test_a_reset_that_may_be_the_servers_own_tells_nothing() -> None:
    own = (*SPOKEN, back("RA", 1, 1 + HELLO))
    follow_up = free(FollowUp().test(SAME, own).test(SAME, own))
    assert "" == follow_up.position()
    assert "in-path" == follow_up.position(nearer=True)  # the hop says that it was not


def test_a_reset_of_the_servers_own_after_it_has_heard_is_no_forgery() -> None:
    own = (*SPOKEN, HEARD, back("R", 1, None))
    assert "" == free(FollowUp().test(SAME, own).test(SAME, own)).position()


def test_a_capture_that_ended_too_soon_tells_nothing() -> None:
    follow_up = FollowUp()
    for _ in range(2):
        slow = tuple(replace_time(p, 0) for p in (*SPOKEN, RESET))
        follow_up.test(SAME, slow, lasted=0.3)
        timed = follow_up.evidence[-1]
        assert isinstance(timed, PacketCapture)
        packets = [replace_time(p, timed.t0 + (0.2 if n else 0)) for n, p in enumerate(slow)]
        follow_up.evidence[-1] = PacketCapture(
            ip=SERVER, port=443, step="again", t0=timed.t0, t=timed.t, packets=tuple(packets)
        )
    assert "" == free(follow_up).position()


def test_a_reset_right_after_the_handshake_tells_nothing() -> None:
    bare = (SYN, SYN_ACK, out("A", 1, 1), RESET)
    follow_up = FollowUp("tcp").test(SAME, bare, end="tcp reset").test(SAME, bare, end="tcp reset")
    assert "" == follow_up.position()


def test_silence_needs_no_capture() -> None:
    silent = FollowUp().test(SAME, end="tls silence").test(SAME, end="tls silence")
    assert "in-path" == silent.test(FREE, end="ok").position()


def test_a_refused_syn_that_the_server_never_answers_was_kept_back() -> None:
    refusal = (SYN, back("RA", 0, 1, ttl=FORGERS))
    follow_up = FollowUp("tcp").test(SAME, refusal, end="tcp refused", lasted=1.2)
    assert "in-path" == follow_up.test(SAME, refusal, end="tcp refused", lasted=1.2).position()


def test_tests_that_met_something_else_are_not_asked() -> None:
    assert "" == free(FollowUp().test(OTHER, (*SPOKEN, RESET, HEARD))).position()


def test_a_server_that_goes_on_did_not_reset_the_connection_itself() -> None:
    packets = (*SPOKEN, back("R", 1, None), HALF_HEARD)
    assert "in-path" == free(FollowUp().test(SAME, packets).test(SAME, packets)).position()


def test_who_has_whole_connections_in_the_servers_place_is_in_the_path() -> None:
    forged = FollowUp("certificate").test(SAME, end="ok")
    assert "" == forged.position()
    assert "in-path" == forged.test(SAME, end="ok").position()


# Names


def test_two_answers_to_one_query() -> None:
    assert "on-path" == FollowUp("dns").asked(SAME, "95.46.44.10", "93.184.215.14").position()


def test_the_same_answer_twice_is_one() -> None:
    assert "" == FollowUp("dns").asked(SAME, "95.46.44.10", "95.46.44.10").position()


def test_lies_alone_where_true_answers_come_otherwise() -> None:
    lies = FollowUp("dns").asked(SAME, "95.46.44.10").asked(SAME, "95.46.44.10")
    assert "" == lies.position()
    assert "in-path" == lies.asked(FREE, "142.250.1.1", step="harmless_dns").position()


def test_questions_that_vanish_where_others_are_refused() -> None:
    vanished = FollowUp("dns").asked(SAME, own=True)
    for resolver in ("192.0.46.9", "209.51.188.116"):
        assert "" == vanished.position()
        vanished.asked(FREE, said="www.example.org", refused=True, step="bare_dns", at=resolver)
        vanished.asked(FREE, step="bare_dns", at=resolver)
    assert "in-path" == vanished.position()


def test_questions_that_vanish_where_all_do_tell_nothing() -> None:
    vanished = FollowUp("dns").asked(SAME, own=True)
    for resolver in ("192.0.46.9", "209.51.188.116"):
        vanished.asked(FREE, said="www.example.org", step="bare_dns", at=resolver)
        vanished.asked(FREE, step="bare_dns", at=resolver)
    assert "" == vanished.position()


def test_an_own_resolver_may_lie_by_itself() -> None:
    lies = FollowUp("dns").asked(SAME, "95.46.44.10", own=True).asked(SAME, "95.46.44.10", own=True)
    assert "" == lies.asked(FREE, "142.250.1.1", own=True, step="harmless_dns").position()


# The reset itself, and fingerprints


def test_facts_of_the_reset_stand_beside_the_servers() -> None:
    reset = back("R", 1, None, ttl=FORGERS, window=1400, ip_id=7)
    columns = FollowUp().test(SAME, (*SPOKEN, reset)).columns()
    assert (FORGERS, THEIRS, 1400, 7) == tuple(
        columns[name] for name in ("reset_ttl", "reset_ttl_synack", "reset_window", "reset_ip_id")
    )
    assert "captured" == columns["packets"]


def test_not_captured_is_said() -> None:
    follow_up = FollowUp()
    follow_up.evidence.append(PacketCapture(ip=SERVER, status="not_captured", detail="no"))
    assert {"packets": "not_captured", "position": "", "fingerprint_packet": ""} == (
        follow_up.columns()
    )
    assert "" == FollowUp().columns()["packets"]


BUSINESS_NETWORK = back("RA", 1, 1 + HELLO, ttl=FORGERS, window=502, ip_id=0)
TOR_2016 = (
    SYN,
    back("R", 0, None, ttl=125, seq_zero=True, ack_zero=True),
    SYN_ACK,
    out("A", 1, 1),
    back("R", 1, None, ttl=125, ack_zero=True),
)
BELTELECOM = back("FPA", 1, 1 + HELLO, 90, ttl=FORGERS, window=32678, ip_id=1)


@pytest.mark.parametrize(
    ("ident", "asn", "packets"),
    [
        ("F12", 12406, (*SPOKEN, BUSINESS_NETWORK)),
        ("F14", 6697, TOR_2016),
        ("F01", 6697, (*SPOKEN, BELTELECOM)),
    ],
)
def test_fingerprint_fits_its_packets_in_its_network(
    ident: str, asn: int, packets: tuple[PacketFacts, ...]
) -> None:
    assert ident == FollowUp().test(SAME, packets).columns(asn)["fingerprint_packet"]
    assert "" == FollowUp().test(SAME, packets).columns(3333)["fingerprint_packet"]
    assert "" == FollowUp().test(FREE, packets).columns(asn)["fingerprint_packet"]


@pytest.mark.parametrize(
    ("asn", "packets"),
    [
        (12406, (*SPOKEN, back("RA", 1, 1, window=502, ip_id=1))),
        (12406, (*SPOKEN, back("R", 1, None, window=502, ip_id=0))),
        (12406, (*SPOKEN, out("RA", 1, 1))),
        (12406, (*SPOKEN, back("RA", 1, 1, window=502, ip_id=None))),  # IPv6 has none
        (6697, TOR_2016[1:2]),
        (6697, (TOR_2016[0], *TOR_2016[2:])),
        (6697, (*SPOKEN, back("FA", 1, 1, window=32678, ip_id=1))),
    ],
)
def test_fingerprint_does_not_fit_what_is_close(
    asn: int, packets: tuple[PacketFacts, ...]
) -> None:
    assert "" == FollowUp().test(SAME, packets).columns(asn)["fingerprint_packet"]
