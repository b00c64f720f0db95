from __future__ import annotations

import os
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx2
import pytest
import trio
from cryptography import x509

from lab.certificates import A1_FORGED, COMMON, EXPIRED, RECENT, Authorities, Certificate
from lab.serving import bindings, serve
from lab.sites import (
    Article,
    Chain,
    Encoded,
    Fixed,
    ForClients,
    ForPath,
    Garbage,
    Hangup,
    Page,
    Redirect,
    Request,
    Site,
    big,
    captcha,
    drip,
    truncated,
)
from probe.evidence import AnyEvidence, HTTPExchange, QUICHandshake
from probe.failure import Failure
from probe.net import TrioNetwork
from probe.steps.quic import http3_fetch, quic_handshake
from probe.trace import StepFailed, Trace
from probe.wire.url import parse
from tests.lab.own_address import own_address

LOCAL, OTHER = own_address(), own_address(1)
HTTP, HTTPS = 18080, 18443
AUTHORITIES = Authorities()


def site(name: str, page: Page, address: str = LOCAL, **more: object) -> Site:
    ports = ((HTTP, "http", page), (HTTPS, "https", page))
    facts = {"names": (name,), "addresses": (address,), "http": None, "ports": ports}
    return Site(**(facts | more))  # type: ignore[arg-type]


@asynccontextmanager
async def served(*sites: Site) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        await nursery.start(serve, sites, AUTHORITIES)
        yield
        nursery.cancel_scope.cancel()


def trusting(*roots: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=AUTHORITIES.store(*roots).decode())
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


async def get(
    url: str, name: str, *, h2: bool = False, roots: tuple[str, ...] = ()
) -> httpx2.Response:
    async with httpx2.AsyncClient(
        http2=h2, verify=trusting(*roots), trust_env=False, timeout=60
    ) as client:
        request = client.build_request(
            "GET", url, headers={"Host": name}, extensions={"sni_hostname": name}
        )
        return await client.send(request)


async def test_two_sites_at_one_address_have_their_own_pages_and_certificates() -> None:
    ours, theirs = Article("a.example"), Article("b.example", "be")
    async with served(site("a.example", ours), site("b.example", theirs)):
        for name, page in (("a.example", ours), ("b.example", theirs)):
            answer = await get(f"https://{LOCAL}:{HTTPS}/", name)
            assert page(Request()).body == answer.content
            assert f"<title>{name}: " in answer.text


async def over_quic(name: str, address: str = LOCAL) -> list[AnyEvidence]:
    trace = Trace()
    with suppress(StepFailed):
        connection = await quic_handshake(
            TrioNetwork(), trace, ip=address, port=HTTPS, sni=name
        )
        try:
            await http3_fetch(
                trace, connection, parse(f"https://{name}/news"), ip=address, port=HTTPS
            )
        finally:
            await connection.aclose()
    return trace.records


async def test_sites_speak_h3_with_their_own_certificates_and_say_so() -> None:
    pages = {name: big(Article(name), 100_000) for name in ("a.example", "b.example")}
    async with served(*(site(name, page, h3="on") for name, page in pages.items())):
        for name in pages:
            plain = await get(f"https://{LOCAL}:{HTTPS}/", name)
            assert f'h3=":{HTTPS}"; ma=86400' == plain.headers["alt-svc"]
            shake, exchange = await over_quic(name)
            assert isinstance(shake, QUICHandshake) and isinstance(exchange, HTTPExchange)
            leaf = x509.load_der_x509_certificate(shake.chain[0])
            names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            assert [name] == names.get_values_for_type(x509.DNSName)
            assert (200, plain.content) == (exchange.status, exchange.body)
        assert "alt-svc" not in (await get(f"http://{LOCAL}:{HTTP}/", "a.example")).headers


async def test_h3_is_offered_in_vain_in_two_ways() -> None:
    refused = site("a.example", Article("a.example"), h3="refused")
    mute = site("b.example", Article("b.example"), OTHER, h3="mute")
    async with served(refused, mute):
        assert "alt-svc" in (await get(f"https://{LOCAL}:{HTTPS}/", "a.example")).headers
        (record,) = await over_quic("a.example")
        assert Failure.CONNECTION_REFUSED == record.failure
        with trio.move_on_after(0.3) as waiting:
            await over_quic("b.example", OTHER)
        assert waiting.cancelled_caught


async def test_h2_is_spoken_where_the_site_speaks_it() -> None:
    page = big(Article("h2.example"), 300_000)
    plain = Article("h1.example")
    async with served(site("h2.example", page, h2=True), site("h1.example", plain)):
        answer = await get(f"https://{LOCAL}:{HTTPS}/", "h2.example", h2=True)
        assert "HTTP/2" == answer.http_version
        assert len(page(Request()).body) + 300_000 == len(answer.content)
        answer = await get(f"https://{LOCAL}:{HTTPS}/", "h1.example", h2=True)
        assert "HTTP/1.1" == answer.http_version


@pytest.mark.parametrize(
    ("certificate", "roots", "why"),
    [
        (EXPIRED, (), "expired"),
        (Certificate(names=("other.example",)), (), "match"),
        (A1_FORGED, (), "issuer|self-signed|unable to get"),
        (Certificate(root=RECENT), (COMMON,), "issuer|unable to get"),
    ],
)
async def test_bad_certificates_are_bad_in_their_own_way(
    certificate: Certificate, roots: tuple[str, ...], why: str
) -> None:
    async with served(site("bad.example", Fixed(), certificate=certificate)):
        tcp = await trio.open_tcp_stream(LOCAL, HTTPS)
        stream = trio.SSLStream(tcp, trusting(*roots), server_hostname="bad.example")
        with pytest.raises(trio.BrokenResourceError) as caught:
            await stream.do_handshake()
        await stream.aclose()
    assert re.search(why, str(caught.value.__cause__))


async def test_an_up_to_date_store_knows_the_recent_root() -> None:
    async with served(site("new.example", Fixed(b"x"), certificate=Certificate(root=RECENT))):
        answer = await get(f"https://{LOCAL}:{HTTPS}/", "new.example")
    assert 200 == answer.status_code


def test_a_forged_certificate_carries_its_makers_name() -> None:
    pem, _ = AUTHORITIES.chain(A1_FORGED, ("victim.example",))
    leaf = x509.load_pem_x509_certificate(pem)
    assert leaf.subject.rfc4514_string().startswith("CN=Atlant-Telecom HTTPS Pro")
    assert leaf.issuer.rfc4514_string().startswith("CN=Atlant-Telecom HTTPS Pro")


async def test_clients_of_a_network_get_their_own_page() -> None:
    page = ForClients(("127.0.0.0/8",), captcha(), Fixed(b"for others"))
    async with served(site("cf.example", page)):
        answer = await get(f"http://{LOCAL}:{HTTP}/", "cf.example")
    assert (503, "cloudflare") == (answer.status_code, answer.headers["server"])
    assert "Just a moment..." in answer.text
    assert b"for others" == page(Request(client="88.198.0.1")).body


async def test_a_redirect_keeps_host_and_path() -> None:
    async with served(site("r.example", Redirect())):
        answer = await get(f"http://{LOCAL}:{HTTP}/a?b", "r.example")
    assert (301, "https://r.example/a?b") == (answer.status_code, answer.headers["location"])


def test_a_chain_has_as_many_hops_as_it_says() -> None:
    page = Chain(3, Fixed(b"end"))
    target, hops = "/", 0
    while (answer := page(Request(target=target))).status == 302:
        target, hops = dict(answer.headers)["Location"], hops + 1
    assert (b"end", 4) == (answer.body, hops)  # the way into the chain is one


@pytest.mark.parametrize("coding", ["gzip", "br"])
async def test_compressed_pages_unpack_to_what_they_were(coding: str) -> None:
    page = Article("z.example")
    async with served(site("z.example", Encoded(page, coding))):  # type: ignore[arg-type]
        answer = await get(f"http://{LOCAL}:{HTTP}/", "z.example")
    assert (coding, page(Request()).body) == (
        answer.headers["content-encoding"],
        answer.content,
    )


async def test_a_truncated_page_ends_before_its_length() -> None:
    async with served(site("t.example", truncated(Article("t.example"), 100))):
        with pytest.raises(httpx2.RemoteProtocolError, match="100"):
            await get(f"http://{LOCAL}:{HTTP}/", "t.example")


def test_a_drip_takes_its_time() -> None:
    response = drip(Fixed(b"x" * 10), 2, 3.0)(Request())
    assert (2, 3.0) == (response.piece, response.pause)


async def test_what_is_no_tls_is_answered_in_plain() -> None:
    port = ((HTTPS, "https", Garbage(b"hello there")),)
    async with served(site("g.example", Fixed(), ports=port)):
        stream = await trio.open_tcp_stream(LOCAL, HTTPS)
        await stream.send_all(b"\x16\x03\x01")
        assert b"hello there" == await stream.receive_some(100)
        await stream.aclose()


async def test_a_hard_hangup_is_a_reset() -> None:
    port = ((HTTP, "http", Hangup(after_first=True, hard=True)),)
    async with served(site("h.example", Fixed(), ports=port)):
        stream = await trio.open_tcp_stream(LOCAL, HTTP)
        await stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(trio.BrokenResourceError) as caught:
            await stream.receive_some(100)
        assert isinstance(caught.value.__cause__, ConnectionResetError)
        await stream.aclose()


async def test_where_nothing_is_described_the_kernel_refuses() -> None:
    async with served(site("one.example", Fixed())):
        sock = trio.socket.socket()
        with pytest.raises(ConnectionRefusedError):
            await sock.connect((OTHER, HTTP))
        sock.close()


async def test_a_visitor_who_speaks_nonsense_harms_nobody() -> None:
    async with served(site("s.example", Fixed(b"fine"))):
        for port in (HTTP, HTTPS):
            stream = await trio.open_tcp_stream(LOCAL, port)
            await stream.send_all(b"\xff" * 5000)
            await stream.aclose()
        answer = await get(f"http://{LOCAL}:{HTTP}/", "s.example")
    assert b"fine" == answer.content


async def test_a_thousand_sites_fit_in_a_process() -> None:
    ours = f"127.{200 + os.getpid() % 50}"
    sites = [
        site(f"s{n}.example", Article(f"s{n}.example"), f"{ours}.{n // 250}.{n % 250 + 1}")
        for n in range(1000)
    ]
    async with served(*sites):
        answer = await get(f"https://{ours}.3.250:{HTTPS}/", "s999.example")
    assert "s999.example" in answer.text


def test_two_schemes_on_one_port_are_refused() -> None:
    twice = ((HTTP, "http", Fixed()), (HTTP, "https", Fixed()))
    with pytest.raises(ValueError, match="wanted for http and for https"):
        bindings([site("x.example", Fixed(), ports=twice)])


def test_paths_choose_pages_and_dynamic_pages_differ() -> None:
    page = ForPath("/old", Redirect("/new", 308), Article("d.example", dynamic=True))
    assert 308 == page(Request(target="/old/x")).status
    assert page(Request()).body != page(Request()).body
