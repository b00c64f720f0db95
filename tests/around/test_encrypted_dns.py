"""An encrypted resolver works if it proves to be itself and tells the truth."""

from __future__ import annotations

import trio

from lab.around import serve_doq
from lab.resolvers import Answerer, Name, Resolver, Zone
from probe.evidence import DNSExchange
from probe.failure import Failure
from tests.around.conftest import Around
from tests.certificates import authority

IP, HOST = "94.140.14.14", "dns.by.example"
URL = f"doq://{HOST}"


def speaking(address: str) -> Answerer:
    zone = Zone([Name(name="a.root-servers.net", addresses=(address,))])
    return Answerer(Resolver(name="r", addresses=()), zone)


async def measured(around: Around, answerer: Answerer, name: str = HOST) -> list[object]:
    leaf = authority("good").issue_cert(name)
    chain, key = leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes()
    udp = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
    await udp.bind(("127.0.0.1", 0))
    around.net.ports[IP, 853] = udp.getsockname()[1]
    around.net.names[HOST] = (IP,)
    with udp:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_doq, udp, answerer, chain, key)
            records = await around.measure("encrypted_dns", URL)
            nursery.cancel_scope.cancel()
    return list(records)


def whole(records: list[object]) -> list[tuple[str, Failure | None]]:
    return [(e.operation, e.failure) for e in records if type(e).__name__ == "Reach"]  # type: ignore[attr-defined]


async def test_a_resolver_over_quic_answers(around: Around) -> None:
    records = await measured(around, speaking("198.41.0.4"))
    assert [("", None)] == whole(records)
    (asked,) = [e for e in records if isinstance(e, DNSExchange) and e.engine == "doq"]
    assert ("198.41.0.4",) == asked.answers[0].addresses


async def test_one_that_lies_is_not_reached(around: Around) -> None:
    records = await measured(around, speaking("127.0.0.53"))
    assert [("truth", Failure.UNKNOWN)] * 2 == whole(records)


async def test_one_with_anothers_certificate_is_asked_nothing(around: Around) -> None:
    records = await measured(around, speaking("198.41.0.4"), "else.example")
    assert [("certificate", Failure.TLS_INVALID_HOSTNAME)] * 2 == whole(records)
    assert not [e for e in records if isinstance(e, DNSExchange) and e.engine == "doq"]
