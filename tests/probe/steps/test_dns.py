from __future__ import annotations

import errno
import socket
from collections.abc import Iterable

import dns.message
import pytest
import trio
from trio.testing import MockClock

from probe.evidence import DNSExchange
from probe.failure import Failure
from probe.net import Datagram
from probe.steps.dns import (
    MAX_ANSWERS,
    DoH,
    framed_lookup,
    system_lookup,
    tcp_lookup,
    udp_lookup,
)
from probe.trace import Trace
from tests.fakenet import (
    FakeInternet,
    Reply,
    Resolver,
    Serve,
    ServerEnd,
    dns_answer,
    fake_internet,
    heard,
    os_error,
    over_tcp,
    response,
    says,
    silence,
    zone,
)

IP = "93.184.216.53"
TRUE, FORGED = "93.184.216.34", "93.184.216.66"
Heard = list[tuple[str, ...]]


async def ask(
    resolver: Resolver, rdtype: str = "A", *, tcp: Serve | None = None
) -> tuple[list[DNSExchange], Heard, FakeInternet]:
    """The records of asking *resolver* for site.by, and what was told at once."""
    trace, told = Trace(), Heard()
    async with fake_internet() as net:
        net.udp[IP] = resolver
        if tcp is not None:
            net.tcp[IP, 53] = tcp
        await udp_lookup(net, trace, IP, "site.by", rdtype, heard=told.append)
    return [e for e in trace.records if isinstance(e, DNSExchange)], told, net


async def test_an_answer_is_heard_and_kept(autojump_clock: MockClock) -> None:
    (record,), told, _ = await ask(zone({"site.by": [TRUE]}))
    (answer,) = record.answers
    assert (None, (TRUE,), 60, 0.02, 60) == (
        record.failure, answer.addresses, answer.ttl, answer.t, answer.ip_ttl,
    )
    assert [(TRUE,)] == told
    assert (f"{IP}:53", "udp") == (record.resolver, record.engine)


async def test_the_forged_answer_and_the_true_one_after_it(autojump_clock: MockClock) -> None:
    def injected(query: bytes) -> Iterable[Reply]:
        yield 0.01, dns_answer(query, FORGED)
        yield 0.3, dns_answer(query, TRUE)

    (record,), told, _ = await ask(injected)
    assert [(FORGED,), (TRUE,)] == [answer.addresses for answer in record.answers]
    assert [0.01, 0.3] == [answer.t for answer in record.answers]
    assert [(FORGED,)] == told


async def test_an_nxdomain_before_the_truth_is_the_failure(autojump_clock: MockClock) -> None:
    def injected(query: bytes) -> Iterable[Reply]:
        yield 0.01, dns_answer(query, rcode="NXDOMAIN")
        yield 0.2, dns_answer(query, TRUE)

    (record,), _, _ = await ask(injected)
    assert Failure.DNS_NXDOMAIN == record.failure
    assert ["NXDOMAIN", "NOERROR"] == [answer.rcode for answer in record.answers]


async def test_what_answers_another_query_is_ignored(autojump_clock: MockClock) -> None:
    def strays(query: bytes) -> Iterable[Reply]:
        other = dns.message.make_query("other.by", "A", id=int.from_bytes(query[:2])).to_wire()
        yield 0.01, dns_answer(query, FORGED, id=int.from_bytes(query[:2]) ^ 1)
        yield 0.02, dns_answer(other, FORGED)
        yield 0.03, query
        yield 0.04, b""
        yield 0.1, dns_answer(query, TRUE)

    (record,), _, _ = await ask(strays)
    assert [(TRUE,)] == [answer.addresses for answer in record.answers]


async def test_a_lost_datagram_is_sent_again_and_that_is_said(autojump_clock: MockClock) -> None:
    lost = iter([True, False])

    def lossy(query: bytes) -> Iterable[Reply]:
        if not next(lost):
            yield 0.02, dns_answer(query, TRUE)

    (record,), told, net = await ask(lossy)
    assert ([(TRUE,)], None, "asked 2 times") == (told, record.failure, record.detail)
    assert 1.52 == record.answers[0].t
    assert 2 == len(net.sockets[0].sent)


async def test_silence_is_asked_three_times_and_ends_after_six_seconds(
    autojump_clock: MockClock,
) -> None:
    (record,), told, net = await ask(lambda query: ())
    assert (Failure.TIMEOUT, 6.0, [()]) == (record.failure, record.t, told)
    assert 3 == len(net.sockets[0].sent)


async def test_a_refusal_by_icmp_is_a_refusal(autojump_clock: MockClock) -> None:
    (record,), told, _ = await ask(lambda query: [(0.03, os_error(errno.ECONNREFUSED))])
    assert (Failure.CONNECTION_REFUSED, 0.03, [()]) == (record.failure, record.t, told)


async def test_icmp_after_an_answer_changes_nothing(autojump_clock: MockClock) -> None:
    (record,), _, _ = await ask(
        lambda query: [(0.01, dns_answer(query, TRUE)), (0.02, os_error(errno.ECONNREFUSED))]
    )
    assert None is record.failure


@pytest.mark.parametrize(
    ("rcode", "failure"),
    [
        ("NXDOMAIN", Failure.DNS_NXDOMAIN),
        ("REFUSED", Failure.DNS_REFUSED),
        ("SERVFAIL", Failure.DNS_SERVFAIL),
        ("NOTIMP", Failure.DNS_MISBEHAVING),
        ("NOERROR", Failure.DNS_NO_ANSWER),
    ],
)
async def test_each_bad_answer_has_a_name(
    rcode: str, failure: Failure, autojump_clock: MockClock
) -> None:
    (record,), told, _ = await ask(lambda query: [(0.01, dns_answer(query, rcode=rcode))])
    assert (failure, rcode, [()]) == (record.failure, record.answers[0].rcode, told)


async def test_garbage_with_our_id_is_misbehaviour(autojump_clock: MockClock) -> None:
    (record,), _, _ = await ask(
        lambda query: [(0.01, query[:2] + b"\x81\x80\0\x01\0\x09\0\0\0\0\xff\xff\xff")]
    )
    assert (Failure.DNS_MISBEHAVING, "UNREADABLE") == (record.failure, record.answers[0].rcode)


async def test_a_truncated_answer_is_asked_again_over_tcp(autojump_clock: MockClock) -> None:
    records, told, _ = await ask(
        lambda query: [(0.01, dns_answer(query, truncated=True))],
        tcp=over_tcp(zone({"site.by": [TRUE]})),
    )
    assert ["udp", "tcp"] == [record.engine for record in records]
    assert [(TRUE,)] == told
    assert (None, (TRUE,)) == (records[1].failure, records[1].answers[0].addresses)


async def test_answers_are_bounded_in_number(autojump_clock: MockClock) -> None:
    (record,), _, _ = await ask(
        lambda query: [(0.01 + i / 1000, dns_answer(query, TRUE)) for i in range(50)]
    )
    assert MAX_ANSWERS == len(record.answers)


async def test_a_flood_of_strays_after_the_answer_is_left(autojump_clock: MockClock) -> None:
    (record,), _, _ = await ask(
        lambda query: [(0.01, dns_answer(query, TRUE))] + [(0.02, b"stray")] * 500
    )
    assert (1, 0.02) == (len(record.answers), record.t)


async def test_a_clock_that_is_set_meanwhile_does_no_harm(autojump_clock: MockClock) -> None:
    class Stamped(FakeInternet):
        async def open_udp(self, ip: str, port: int):  # type: ignore[no-untyped-def]
            sock = await super().open_udp(ip, port)
            plain = sock.receive

            async def receive() -> Datagram:
                return (await plain())._replace(age=3600.0)

            sock.receive = receive  # type: ignore[method-assign]
            return sock

    trace, told = Trace(), Heard()
    async with trio.open_nursery() as nursery:
        net = Stamped(nursery)
        net.udp[IP] = zone({"site.by": [TRUE]})
        await udp_lookup(net, trace, IP, "site.by", "A", heard=told.append)
    (record,) = trace.records
    assert isinstance(record, DNSExchange)
    assert ([(TRUE,)], 0.0) == (told, record.answers[0].t)


async def test_an_address_of_another_class_is_none(autojump_clock: MockClock) -> None:
    def chaos(query: bytes) -> Iterable[Reply]:
        answer = dns.message.make_response(dns.message.from_wire(query))
        wire = bytearray(answer.to_wire())
        wire[7] = 1
        owner = b"\xc0\x0c\x00\x01\x00\x03\x00\x00\x00\x3c\x00\x04\x00\x01\x02\x03"
        end = 12 + len(b"\x04site\x02by\x00") + 4
        yield 0.01, bytes(wire[:end]) + owner + bytes(wire[end:])

    (record,), told, _ = await ask(chaos)
    assert (record.failure in (Failure.DNS_NO_ANSWER, Failure.DNS_MISBEHAVING), [()]) == (
        True, told,
    )


async def test_an_https_record_is_an_answer(autojump_clock: MockClock) -> None:
    def svcb(query: bytes) -> Iterable[Reply]:
        answer = dns.message.make_response(dns.message.from_wire(query))
        answer.answer.append(dns.rrset.from_text("site.by.", 60, "IN", "HTTPS", "1 . alpn=h2"))
        yield 0.01, answer.to_wire()

    (record,), told, _ = await ask(svcb, "HTTPS")
    assert (None, [()], 60) == (record.failure, told, record.answers[0].ttl)


@pytest.mark.parametrize(
    ("serve", "failure"),
    [
        (over_tcp(zone({"site.by": [TRUE]})), None),
        (says(first=b""), Failure.EOF),
        (says(reset=True, first=b""), Failure.CONNECTION_RESET),
        (says(b"\x00", first=b""), Failure.EOF),
        (says(b"\x00\x00", first=b""), Failure.DNS_MISBEHAVING),
        (says(b"\x00\x05hello", first=b""), Failure.DNS_MISBEHAVING),
        (silence, Failure.TIMEOUT),
        (None, Failure.CONNECTION_REFUSED),
    ],
)
async def test_over_tcp_each_end_has_a_name(
    serve: Serve | None, failure: Failure | None, autojump_clock: MockClock
) -> None:
    trace, told = Trace(), Heard()
    async with fake_internet() as net:
        if serve is not None:
            net.tcp[IP, 53] = serve
        await tcp_lookup(net, trace, IP, "site.by", "A", heard=told.append)
    assert [failure] == [e.failure for e in trace.records]
    assert [() if failure else (TRUE,)] == told


async def test_two_questions_on_one_stream(autojump_clock: MockClock) -> None:
    trace, told = Trace(), Heard()
    async with fake_internet() as net:
        net.tcp[IP, 853] = over_tcp(zone({"site.by": [TRUE, "2606:2800::1"]}))
        async with await net.connect_tcp(IP, 853) as stream:
            for rdtype in ("A", "AAAA"):
                await framed_lookup(
                    trace, stream, "site.by", rdtype, resolver="dot://x", heard=told.append
                )
    assert [(TRUE,), ("2606:2800::1",)] == told
    assert {"dot"} == {e.engine for e in trace.records if isinstance(e, DNSExchange)}


@pytest.mark.parametrize(
    ("found", "failure"),
    [
        ((TRUE, "::1"), None),
        (socket.gaierror(socket.EAI_NONAME, "no"), Failure.DNS_NXDOMAIN),
        (socket.gaierror(socket.EAI_AGAIN, "later"), Failure.DNS_TEMPORARY),
    ],
)
async def test_the_systems_word_is_kept(
    found: tuple[str, ...] | OSError, failure: Failure | None, autojump_clock: MockClock
) -> None:
    trace, told = Trace(), Heard()
    async with fake_internet() as net:
        net.names["site.by"] = found
        await system_lookup(net, trace, "site.by", heard=told.append)
    assert [failure] == [e.failure for e in trace.records]
    assert [found if failure is None else ()] == told


@pytest.mark.parametrize(
    ("serve", "failure"),
    [
        (says(b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n"), Failure.DNS_MISBEHAVING),
        (says(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno"), Failure.DNS_MISBEHAVING),
        (says(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 70_000), Failure.DNS_MISBEHAVING),
        (says(b"garbage\r\n\r\n", stay=True), Failure.DNS_MISBEHAVING),
        (says(), Failure.EOF),
        (says(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nno"), Failure.EOF),
        (says(reset=True), Failure.CONNECTION_RESET),
        (silence, Failure.TIMEOUT),
    ],
)
async def test_bad_doh_is_on_record_and_a_second_question_too(
    serve: Serve, failure: Failure, autojump_clock: MockClock
) -> None:
    trace, told = Trace(), Heard()
    async with fake_internet() as net:
        net.tcp[IP, 443] = serve
        async with await net.connect_tcp(IP, 443) as stream:
            doh = DoH(stream, "https://dns.by/dns-query", http2=False)
            for rdtype in ("A", "AAAA"):
                await doh.lookup(trace, "site.by", rdtype, heard=told.append)
    assert failure == trace.records[0].failure
    assert None is not trace.records[1].failure
    assert [(), ()] == told


@pytest.mark.parametrize("close", [False, True])
async def test_two_questions_on_one_http11_connection(
    close: bool, autojump_clock: MockClock
) -> None:
    async def serve(stream: ServerEnd) -> None:
        while request := await heard(stream):
            body = request.partition(b"\r\n\r\n")[2] or await stream.receive_some()
            headers = [("connection", "close")] if close else []
            await stream.send_all(response(dns_answer(body, TRUE), headers=headers))
            if close:
                return

    trace, told = Trace(), Heard()
    async with fake_internet() as net:
        net.tcp[IP, 443] = serve
        async with await net.connect_tcp(IP, 443) as stream:
            doh = DoH(stream, "https://dns.by/dns-query", http2=False)
            for _ in range(2):
                await doh.lookup(trace, "site.by", "A", heard=told.append)
    assert [None, Failure.EOF if close else None] == [e.failure for e in trace.records]
    assert [(TRUE,), () if close else (TRUE,)] == told
