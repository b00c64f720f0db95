"""A visit against servers that are not ours, on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from probe.evidence import CertificateCheck, DNSExchange, HTTPExchange, TLSHandshake
from probe.steps.certificate import Verifier
from probe.surroundings.resolvers import Resolvers
from probe.tools import Tools
from probe.trace import Trace
from probe.visit import visit
from tests.certificates import cafile
from tests.fakenet import zone
from tests.loopback import PAGE, PUBLIC, RESOLVER, SITE, LoopbackNetwork, country

DOT = (("dns.by", PUBLIC),)
DOH = (("https://dns.by/dns-query", PUBLIC),)


async def look(tmp_path: Path, url: str, **encrypted: tuple[tuple[str, str], ...]) -> Trace:
    trace = Trace()
    async with country(tmp_path, zone({"site.by": [SITE]})) as ports:
        tools = Tools(
            net=LoopbackNetwork(ports, {"site.by": (SITE,)}),
            resolvers=Resolvers(
                own=(RESOLVER,), public=(PUBLIC,),
                dot=encrypted.get("dot", ()), doh=encrypted.get("doh", ()),
            ),
            verifier=Verifier(cafile(tmp_path)),
        )
        with trio.fail_after(120):
            await visit(tools, trace, url)
    return trace


@pytest.mark.parametrize(
    ("url", "protocol", "hops"),
    [
        ("https://site.by/", "h2", 1),
        ("https://site.by:8443/", "http/1.1", 1),
        ("http://site.by/", "http/1.1", 1),
        ("https://site.by/moved", "h2", 2),
        ("http://site.by/moved", "http/1.1", 2),
    ],
)
async def test_a_real_site_is_read(url: str, protocol: str, hops: int, tmp_path: Path) -> None:
    trace = await look(tmp_path, url)
    pages = [e for e in trace.records if isinstance(e, HTTPExchange)]
    assert hops == len(pages)
    assert (200, protocol, PAGE, "Real") == (
        pages[-1].status, pages[-1].protocol, pages[-1].body, pages[-1].title,
    )
    assert {None} == {e.failure for e in trace.records if not isinstance(e, DNSExchange)}


@pytest.mark.parametrize(
    ("encrypted", "engine", "resolver"),
    [
        ({"dot": DOT}, "dot", "dot://dns.by"),
        ({"doh": DOH}, "doh", "https://dns.by/dns-query"),
    ],
)
async def test_a_real_encrypted_resolver_answers(
    encrypted: dict[str, tuple[tuple[str, str], ...]], engine: str, resolver: str, tmp_path: Path
) -> None:
    trace = await look(tmp_path, "https://site.by/", **encrypted)
    asked = [e for e in trace.records if isinstance(e, DNSExchange) and e.engine == engine]
    assert [("A", (SITE,)), ("AAAA", ())] == [(e.rdtype, e.answers[0].addresses) for e in asked]
    assert {resolver} == {e.resolver for e in asked}
    (shake,) = [e for e in trace.records if isinstance(e, TLSHandshake) and e.sni == "dns.by"]
    (check,) = [
        e for e in trace.records if isinstance(e, CertificateCheck) and e.hostname == "dns.by"
    ]
    assert (None, None) == (shake.failure, check.failure)
    assert 1 == len({shake.transaction, check.transaction, *(e.transaction for e in asked)})


async def test_a_datagram_tells_its_ttl(tmp_path: Path) -> None:
    trace = await look(tmp_path, "https://site.by/")
    answers = [
        e.answers[0]
        for e in trace.records
        if isinstance(e, DNSExchange) and e.engine == "udp" and e.answers
    ]
    assert {64} == {answer.ip_ttl for answer in answers}
