"""The probe's own visit, run by a control, reaches nothing private: not by name, not by
redirect, not by a resolver that changes its mind."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence

import dns.message
import dns.rrset
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from probe.addresses import is_public
from probe.control.guard import Guard
from probe.control.limits import Limits
from probe.control.protocol import encode, read_answer, unpack
from probe.control.service import Service
from probe.evidence import DNSExchange, HTTPExchange, TCPConnect
from probe.failure import Failure
from probe.net import Datagram, Datagrams
from probe.serving.clients import Clients
from probe.serving.shares import Room
from probe.surroundings.resolvers import Resolvers
from probe.tools import Tools
from probe.visit import visit
from tests.control import stage

PUBLIC = "93.184.216.34"
PRIVATE = ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"]
PRIVATE6 = ["::1", "::ffff:127.0.0.1", "fe80::1", "fd00::1", "64:ff9b::7f00:1", "2002:7f00:1::"]


class Internet(stage.NoNetwork):
    """One resolver and web servers at every address; notes what was connected to.

    *resolve* gives the addresses for each query in turn, *page* what every server says.
    """

    def __init__(self, resolve: Callable[[str], Sequence[str]], page: bytes) -> None:
        self.connected: list[str] = []
        self.resolve = resolve
        self.page = page

    async def connect_tcp(self, ip: str, port: int) -> trio.abc.Stream:
        self.connected.append(ip)
        ours, theirs = trio.testing.memory_stream_pair()

        async def answer() -> None:
            await theirs.receive_some()
            await theirs.send_all(self.page)
            await theirs.send_eof()

        trio.lowlevel.spawn_system_task(answer)
        return ours

    async def open_udp(self, ip: str, port: int) -> Datagrams:
        return _Resolver(self.resolve)


class _Resolver:
    def __init__(self, resolve: Callable[[str], Sequence[str]]) -> None:
        self._resolve = resolve
        self._answers_in, self._answers = trio.open_memory_channel[bytes](10)

    async def send(self, data: bytes) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        rdtype = "AAAA" if question.rdtype == 28 else "A"
        reply = dns.message.make_response(query)
        found = self._resolve(rdtype)
        if found:
            reply.answer.append(dns.rrset.from_text(question.name, 1, "IN", rdtype, *found))
        self._answers_in.send_nowait(reply.to_wire())

    async def receive(self) -> Datagram:
        return Datagram(await self._answers.receive(), 0.0, None)

    def close(self) -> None:
        self._answers_in.close()
        self._answers.close()


class Careless(Tools):
    """Tools that think every address usable, as if the visit did not check."""

    def usable(self, ip: str) -> bool:
        return True


async def visited(
    internet: Internet, url: str, told: Sequence[str] = (), *, kind: type[Tools] = Tools
) -> list[object]:
    """The evidence of a control that was asked about *url*."""
    tools = kind(
        net=internet,
        resolvers=Resolvers(public=("8.8.8.8",), dot=(), doh=(), system=False),
        verifier=stage.tools().verifier,
        ipv4=True,
        ipv6=True,
    )
    service = Service(
        tools,
        visit,
        limits=Limits(),
        guard=Guard(),
        clients=Clients(window=600),
        room=Room(2, waiting=1, patience=1),
        asn=lambda ip: 0,
    )
    asked = {
        "http_request": url,
        "tcp_connect": [f"[{ip}]:80" if ":" in ip else f"{ip}:80" for ip in told],
        "x_zond": {"version": 1},
    }
    answer = read_answer(await service.answer(encode(asked), "192.0.2.1"))
    assert answer.x_zond is not None
    return list(unpack(answer.x_zond.evidence))


def ok() -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"


def redirect(to: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n".encode()


async def test_a_public_site_is_reached(autojump_clock: MockClock) -> None:
    internet = Internet(lambda rdtype: [PUBLIC] if rdtype == "A" else [], ok())
    evidence = await visited(internet, "http://news.example:8080/")
    assert [PUBLIC] == internet.connected
    assert [200] == [e.status for e in evidence if isinstance(e, HTTPExchange)]


@pytest.mark.parametrize("ip", PRIVATE + PRIVATE6)
async def test_a_name_with_a_private_address_is_recorded_and_not_connected_to(
    ip: str, autojump_clock: MockClock
) -> None:
    family = "AAAA" if ":" in ip else "A"
    internet = Internet(lambda rdtype: [ip] if rdtype == family else [], ok())
    evidence = await visited(internet, "http://rebind.example:8080/", told=[ip, PUBLIC])
    assert [PUBLIC] == internet.connected
    seen = [
        a for e in evidence if isinstance(e, DNSExchange) for r in e.answers for a in r.addresses
    ]
    assert ip in seen


@pytest.mark.parametrize("ip", PRIVATE + PRIVATE6)
async def test_the_door_alone_keeps_a_careless_visit_out(
    ip: str, autojump_clock: MockClock
) -> None:
    family = "AAAA" if ":" in ip else "A"
    internet = Internet(lambda rdtype: [ip] if rdtype == family else [], ok())
    evidence = await visited(internet, "http://rebind.example:8080/", kind=Careless)
    assert [] == internet.connected
    failures = {e.failure for e in evidence if isinstance(e, TCPConnect)}
    assert {Failure.PERMISSION_DENIED} == failures


async def test_a_resolver_that_changes_its_mind_gains_nothing(autojump_clock: MockClock) -> None:
    def turns() -> Iterator[str]:
        yield PUBLIC
        while True:
            yield "127.0.0.1"

    answers = turns()
    internet = Internet(lambda rdtype: [next(answers)] if rdtype == "A" else [], redirect("/again"))
    await visited(internet, "http://rebind.example:8080/")
    await visited(internet, "http://rebind.example:8080/")
    assert all(is_public(ip) for ip in internet.connected)


@pytest.mark.parametrize(
    "to",
    [
        "http://127.0.0.1/",
        "http://127.0.0.1:8080/admin",
        "http://[::1]/",
        "http://[::ffff:7f00:1]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://169.254.169.254/latest/meta-data/",
        "//10.0.0.1/",
        "http://user@10.0.0.1/",
        "http://news.example:25/",
        "file:///etc/passwd",
        "gopher://10.0.0.1:70/",
        "http://" + base64.b16encode(b"x" * 100).decode() + "/",
    ],
)
async def test_a_redirect_leads_nowhere_private(to: str, autojump_clock: MockClock) -> None:
    internet = Internet(lambda rdtype: [PUBLIC] if rdtype == "A" else [], redirect(to))
    evidence = await visited(internet, "http://news.example:8080/")
    assert {PUBLIC} == set(internet.connected)
    (first, *_) = [e for e in evidence if isinstance(e, HTTPExchange)]
    assert 302 == first.status
    refused = [e for e in evidence if isinstance(e, TCPConnect) and e.port == 25]
    assert all(e.failure is Failure.PERMISSION_DENIED for e in refused)
