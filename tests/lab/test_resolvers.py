from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import httpx2
import pytest
import trio

from lab.certificates import Authorities
from lab.resolvers import Answerer, Name, Resolver, Zone, resolve_for
from lab.sites import Request
from tests.lab.own_address import own_address

LOCAL = own_address()
PORT, DOT, DOH = 15353, 18853, 18444
AUTHORITIES = Authorities()
RESOLVER = Resolver(
    name="far", addresses=(LOCAL,), names=("dns.example",), port=PORT, dot_port=DOT, doh_port=DOH
)
ZONE = Zone(
    (
        Name(name="a.example", addresses=("136.243.0.1", "2001:41d0::1"), https="1 . alpn=h2"),
        Name(name="www.a.example", cname="a.example"),
        Name(name="loop.example", cname="loop.example"),
        Name(name="gone.example", kind="nxdomain"),
        Name(name="sick.example", kind="servfail"),
        Name(name="no.example", kind="refused"),
        Name(name="mute.example", kind="silence"),
        Name(name="bare.example"),
        Name(name="cdn.example", addresses=("104.16.0.1",)),
        Name(name="cdn.example", addresses=("104.16.0.2",), at=("far",)),
        Name(name="пример.example", addresses=("136.243.0.3",)),
        Name(name="wild.example", addresses=("136.243.0.4",), wild=True),
        Name(name="many.example", addresses=tuple(f"136.243.1.{n}" for n in range(120))),
    )
)


def ask(name: str, rdtype: str = "A", at: Resolver = RESOLVER) -> dns.message.Message | None:
    query = dns.message.make_query(name, rdtype)
    wire = Answerer(at, ZONE).answer(query.to_wire())
    if wire is None:
        return None
    answer = dns.message.from_wire(wire)
    assert query.is_response(answer)
    return answer


def records(name: str, rdtype: str = "A", at: Resolver = RESOLVER) -> set[str]:
    answer = ask(name, rdtype, at)
    assert answer is not None
    wanted = dns.rdatatype.from_text(rdtype)
    return {item.to_text() for rrset in answer.answer if rrset.rdtype == wanted for item in rrset}


def test_each_type_has_its_own_records() -> None:
    assert {"136.243.0.1"} == records("a.example")
    assert {"2001:41d0::1"} == records("A.example", "AAAA")
    assert {'1 . alpn="h2"'} == records("a.example", "HTTPS")


def test_a_cname_is_followed_and_shown() -> None:
    answer = ask("www.a.example")
    assert answer is not None
    assert [dns.rdatatype.CNAME, dns.rdatatype.A] == [rrset.rdtype for rrset in answer.answer]
    assert {"a.example."} == records("www.a.example", "CNAME")


def test_a_cname_that_leads_to_itself_ends() -> None:
    assert set() == records("loop.example")


@pytest.mark.parametrize(
    ("name", "rcode"),
    [
        ("gone.example", "NXDOMAIN"),
        ("never.heard.of", "NXDOMAIN"),
        ("sick.example", "SERVFAIL"),
        ("no.example", "REFUSED"),
        ("bare.example", "NOERROR"),
    ],
)
def test_failures_are_told_by_their_rcode(name: str, rcode: str) -> None:
    answer = ask(name)
    assert answer is not None
    assert (rcode, []) == (dns.rcode.to_text(answer.rcode()), answer.answer)


def test_silence_is_no_answer() -> None:
    assert ask("mute.example") is None


def test_a_resolver_may_say_something_of_its_own() -> None:
    near = Resolver(name="near", addresses=())
    assert ({"104.16.0.2"}, {"104.16.0.1"}) == (
        records("cdn.example"), records("cdn.example", at=near),
    )  # fmt: skip


def test_names_are_found_by_their_ascii_form_and_under_a_wild_one() -> None:
    assert {"136.243.0.3"} == records("xn--e1afmkfd.example")
    assert {"136.243.0.4"} == records("deep.down.wild.example")


def test_a_name_said_twice_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="twice"):
        Zone((Name(name="x.example"), Name(name="X.example.", kind="refused")))


def test_an_answer_too_long_for_a_datagram_says_so() -> None:
    query = dns.message.make_query("many.example", "A", use_edns=0).to_wire()
    (short,) = Answerer(RESOLVER, ZONE).over_udp(query)
    assert dns.message.from_wire(short).flags & dns.flags.TC
    assert 120 == len(records("many.example"))


def test_rubbish_is_not_answered() -> None:
    assert Answerer(RESOLVER, ZONE).answer(b"\xff" * 40) is None
    assert 400 == Answerer(RESOLVER, ZONE).over_https(Request(target="/dns-query?dns=!")).status


@asynccontextmanager
async def running(resolver: Resolver = RESOLVER) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        await nursery.start(resolve_for, [resolver], ZONE, AUTHORITIES)
        yield
        nursery.cancel_scope.cancel()


QUERY = dns.message.make_query("a.example", "A").to_wire()


def is_right(wire: bytes) -> bool:
    answer = dns.message.from_wire(wire)
    return "136.243.0.1" in answer.to_text()


async def test_udp_answers_come_from_where_the_query_went() -> None:
    async with running():
        sock = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
        await sock.sendto(QUERY, (LOCAL, PORT))
        answer, peer = await sock.recvfrom(2048)
        sock.close()
    assert is_right(answer)
    assert (LOCAL, PORT) == peer


@pytest.mark.parametrize("encrypted", [False, True])
async def test_tcp_and_tls_carry_several_queries(encrypted: bool) -> None:
    async with running():
        stream: trio.abc.Stream = await trio.open_tcp_stream(LOCAL, DOT if encrypted else PORT)
        if encrypted:
            context = ssl.create_default_context(cadata=AUTHORITIES.store().decode())
            stream = trio.SSLStream(stream, context, server_hostname="dns.example")
        for _ in range(2):
            await stream.send_all(len(QUERY).to_bytes(2, "big") + QUERY)
            data = await stream.receive_some(4096)
            while len(data) < 2 + int.from_bytes(data[:2], "big"):
                data += await stream.receive_some(4096)
            assert is_right(bytes(data[2:]))
        await stream.aclose()


@pytest.mark.parametrize("h2", [False, True])
async def test_https_answers_get_and_post(h2: bool) -> None:
    context = ssl.create_default_context(cadata=AUTHORITIES.store().decode())
    url = f"https://{LOCAL}:{DOH}/dns-query"
    coded = base64.urlsafe_b64encode(QUERY).rstrip(b"=").decode()
    async with (
        running(),
        httpx2.AsyncClient(verify=context, http2=h2, trust_env=False, timeout=60) as client,
    ):
        posted = client.build_request(
            "POST", url, content=QUERY, extensions={"sni_hostname": "dns.example"}
        )
        got = client.build_request(
            "GET", f"{url}?dns={coded}", extensions={"sni_hostname": "dns.example"}
        )
        for request in (posted, got):
            answer = await client.send(request)
            assert "application/dns-message" == answer.headers["content-type"]
            assert is_right(answer.content)


async def test_a_silent_resolver_says_nothing_by_any_way() -> None:
    silent = Resolver(name="far", addresses=(LOCAL,), silent=True, port=PORT)
    async with running(silent):
        sock = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
        await sock.sendto(QUERY, (LOCAL, PORT))
        await trio.testing.wait_all_tasks_blocked(0.01)
        with pytest.raises(BlockingIOError):
            sock._sock.recv(2048, 0x40)  # type: ignore[attr-defined]  # MSG_DONTWAIT
        sock.close()
    assert Answerer(silent, ZONE).over_https(
        Request(target="/dns-query", method="POST", body=QUERY)
    ).wait == float("inf")
