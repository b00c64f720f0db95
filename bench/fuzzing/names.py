"""Answers of resolvers, and what is read out of them."""

from __future__ import annotations

import ipaddress
import tempfile
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.rrset

from bench.fuzzing.target import target
from probe import addresses
from probe.evidence import DNSAnswer
from probe.surroundings.resolvers import system_resolvers
from probe.wire import alternatives, ech, url
from probe.wire import dns as codec

HOST = "site.by"
_RECORDS = {
    "A": ("A 93.184.216.34", "CNAME www.site.by.", "TXT x"),
    "AAAA": ("AAAA 2606:2800:21f:cb07:6820:80da:af6b:8b2c",),
    "HTTPS": ("HTTPS 1 . alpn=h2,h3 port=8443 ech=AAT+DQAA", "HTTPS 0 other.by."),
    "TXT": ("TXT 198.51.100.7",),
}


def _answer(rdtype: str, *, rdclass: str = "IN") -> bytes:
    message = dns.message.make_response(dns.message.from_wire(codec.query(HOST, rdtype, 0x1234)))
    for record in _RECORDS[rdtype]:
        kind, _, data = record.partition(" ")
        message.answer.append(dns.rrset.from_text(f"{HOST}.", 60, "IN", kind, data))
    wire = message.to_wire()
    return wire if rdclass == "IN" else wire.replace(b"\x00\x41\x00\x01", b"\x00\x41\x00\x03")


def answers() -> Iterator[bytes]:
    for rdtype in _RECORDS:
        yield _answer(rdtype)
    yield _answer("HTTPS", rdclass="CH")


@target("dns_answer", "probe.wire.dns", "dns.", seeds=answers, most=4096)
def dns_answer(data: bytes) -> None:
    """A resolver's datagram, with our id and question and without."""
    for rdtype in ("A", "AAAA", "TXT"):
        query = codec.query(HOST, rdtype, 0x1234)
        # With our id and question before it: else nearly all is another's answer.
        for wire in (data, query[:2] + data[2:], query[:2] + b"\x81\x80" + query[4:6] + data[6:]):
            answer = codec.read(wire, to=query)
            if answer is None:
                continue
            assert isinstance(answer.message, DNSAnswer)
            assert len(answer.message.addresses) <= codec.MAX_ADDRESSES
            for ip in answer.message.addresses:
                addresses.is_public(str(ipaddress.ip_address(ip)))
            "".join(answer.message.cnames).encode()


@target(
    "https_record", "probe.wire.alternatives", "probe.wire.ech", "dns.", seeds=answers, most=4096
)
def https_record(data: bytes) -> None:
    """An HTTPS record: the key for ECH, and where HTTP/3 is."""
    assert len(ech.from_https_record(data, host=HOST)) <= ech.MAX_CONFIG
    port = alternatives.from_https_record(data, host=HOST, port=443)
    assert port is None or 0 < port < 65536


@target(
    "dns_question", "probe.wire.dns", refuses=(ValueError,),
    seeds=lambda: (b"site.by", "сайт.бел".encode(), b"a" * 70, b"\\000.by"), most=2048,
)  # fmt: skip
def dns_question(data: bytes) -> None:
    """A host name, to be asked for."""
    codec.query(data.decode("utf-8", "surrogateescape"), "A", 1)


@target(
    "resolv_conf", "probe.surroundings.resolvers", "dns.resolver",
    seeds=lambda: (b"nameserver 192.0.2.1\nsearch lan\noptions ndots:2\n",
    b"nameserver fe80::1%eth0\n"),
)  # fmt: skip
def resolv_conf(data: bytes) -> None:
    """`/etc/resolv.conf`."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        for server in system_resolvers(Path(file.name)):
            ipaddress.ip_address(server)


@target(
    "url", "probe.wire.url", most=4096,
    seeds=lambda: (b"https://site.by/a?b#c", "http://сайт.бел:8080/é".encode(), b"//[::1]:1/",
                   b"../x"),
    words=(b"http://", b"xn--", b"@", b"[::1%25lo]", b"%2f", b"\\", b"\xef\xbc\x8f"),
)  # fmt: skip
def any_url(data: bytes) -> None:
    """A URL, as a redirect or a list has it."""
    for text in (data.decode("utf-8", "replace"), data.decode("latin-1")):
        try:
            found = url.parse(text, base="https://site.by/here")
        except url.BadURL:
            continue
        assert len(found.text) <= url.MAX_URL and 0 < found.port < 65536
        found.target.encode("ascii")
        assert found == url.parse(found.text.encode("ascii").decode())


@target(
    "alt_svc", "probe.wire.alternatives", most=4096,
    seeds=lambda: (b'h3=":443"; ma=86400, h3-29=":443"', b'h3="site.by:8443"'),
    words=(b'h3="', b'h3=" ', b",", b" " * 200),
)  # fmt: skip
def alt_svc(data: bytes) -> None:
    """An Alt-Svc header."""
    port = alternatives.from_alt_svc(data.decode("latin-1"), host=HOST, port=8443)
    assert port is None or 0 < port < 65536
