"""The lab's resolvers: one zone, seen through servers of which some may lie.

Every world adds its names to one `Zone`. An entry may be *at* certain resolvers
only: a lie of the operator's, or a content network's answer near each resolver. The
servers speak UDP, TCP, TLS (DoT) and HTTPS (DoH); dnspython is the codec.
"""

from __future__ import annotations

import base64
import binascii
import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import trio

from lab.certificates import ORDINARY, Authorities, Certificate
from lab.flows import Bounded
from lab.middlebox import ascii_name
from lab.serving import GONE, LIFETIME, allow_files, bound_socket, listen, serve
from lab.sites import Request, Response, Site

OWN = "own"  # the resolver that the household is given by its operator
HOME = "home"  # one in the household, which asks that one
LIFETIME_OF_RECORDS = 300
MAX_CNAMES = 8
MAX_ANSWER = 1232  # bytes over UDP where the query does not say

Kind = Literal["answer", "nxdomain", "servfail", "refused", "silence"]


@dataclass(frozen=True, kw_only=True)
class Name:
    """What is said of *name*: records, or a *kind* of failure.

    No addresses and no *cname* is an empty answer. *https* is the text of an HTTPS
    record. *at* names the resolvers for which this counts, none meaning all; what
    is said at a resolver goes before what is said for all. A *wild* name stands
    for its subdomains too. *spoil* makes of a good answer the datagrams that are sent.
    """

    name: str
    addresses: tuple[str, ...] = ()
    cname: str = ""
    https: str = ""
    kind: Kind = "answer"
    at: tuple[str, ...] = ()
    wild: bool = False
    spoil: Callable[[bytes], tuple[bytes, ...]] | None = None


@dataclass(frozen=True, kw_only=True)
class Resolver:
    """A server of DNS. *names* are those of its certificate; none: only UDP and TCP.

    *silent*: it answers nobody, by any transport.
    """

    name: str
    addresses: tuple[str, ...]
    names: tuple[str, ...] = ()
    certificate: Certificate = ORDINARY
    silent: bool = False
    port: int = 53
    dot_port: int = 853
    doh_port: int = 443


GOOGLE = Resolver(
    name="google",
    addresses=("8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844"),
    names=("dns.google", "8888.google"),
)
CLOUDFLARE = Resolver(
    name="cloudflare",
    addresses=("1.1.1.1", "1.0.0.1", "2606:4700:4700::1111", "2606:4700:4700::1001"),
    names=("cloudflare-dns.com", "one.one.one.one", "mozilla.cloudflare-dns.com"),
)
QUAD9 = Resolver(
    name="quad9",
    addresses=("9.9.9.9", "149.112.112.112", "2620:fe::fe", "2620:fe::9"),
    names=("dns.quad9.net", "dns9.quad9.net"),
)
PUBLIC = (GOOGLE, CLOUDFLARE, QUAD9)
ADGUARD = Resolver(name="adguard", addresses=("94.140.14.14",))  # a filter that users choose


class Zone:
    """All names of a country. Raises ValueError where a name is said twice for the same."""

    def __init__(self, names: Iterable[Name]) -> None:
        self._said: dict[tuple[str, str], Name] = {}
        for entry in names:
            for at in entry.at or ("",):
                key = ascii_name(entry.name), at
                if self._said.setdefault(key, entry) != entry:
                    raise ValueError(f"{entry.name} is said twice for {at or 'everybody'}")

    def entry(self, name: str, at: str) -> Name | None:
        """What the resolver *at* is to say of *name* (ASCII, lower case, no last dot)."""
        found = self._said.get((name, at)) or self._said.get((name, ""))
        while found is None and "." in name:
            name = name.partition(".")[2]
            parent = self._said.get((name, at)) or self._said.get((name, ""))
            found = parent if parent is not None and parent.wild else None
        return found

    def entries(self) -> tuple[Name, ...]:
        return tuple(dict.fromkeys(self._said.values()))


class Answerer:
    """What one resolver says: query in, answer out, None for silence."""

    def __init__(self, resolver: Resolver, zone: Zone) -> None:
        self._resolver = resolver
        self._zone = zone
        self._known: Bounded[bytes, bytes | None] = Bounded(1 << 14)

    def answer(self, query: bytes) -> bytes | None:
        """The answer to *query* as it came; None also for what is no query."""
        if self._resolver.silent:
            return None
        if query[2:] not in self._known:
            self._known[query[2:]] = self._make(query)
        known = self._known[query[2:]]
        return None if known is None else query[:2] + known[2:]

    def _make(self, wire: bytes) -> bytes | None:
        try:
            query = dns.message.from_wire(wire)
            reply = dns.message.make_response(query, recursion_available=True)
        except dns.exception.DNSException:
            return None
        if len(query.question) != 1:
            reply.set_rcode(dns.rcode.FORMERR)
            return reply.to_wire()
        asked = query.question[0]
        owner, text = asked.name, _text(asked.name)
        for _ in range(MAX_CNAMES):
            entry = self._zone.entry(text, self._resolver.name)
            if entry is None or entry.kind == "nxdomain":
                reply.set_rcode(dns.rcode.NXDOMAIN)
                break
            if entry.kind == "silence":
                return None
            if entry.kind != "answer":
                reply.set_rcode(dns.rcode.from_text(entry.kind.upper()))
                break
            if not entry.cname or asked.rdtype == dns.rdatatype.CNAME:
                reply.answer += _records(owner, asked.rdtype, entry)
                break
            reply.answer.append(_rrset(owner, dns.rdatatype.CNAME, [f"{entry.cname}."]))
            owner = dns.name.from_text(ascii_name(entry.cname) + ".")
            text = _text(owner)
        if not any(rrset.rdtype == asked.rdtype for rrset in reply.answer):
            soa = "ns.invalid. root.invalid. 1 7200 900 1209600 300"
            parent = owner.parent() if len(owner) > 1 else owner
            if reply.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                reply.authority.append(_rrset(parent, dns.rdatatype.SOA, [soa]))
        return reply.to_wire(max_size=65535)

    def over_udp(self, query: bytes) -> Sequence[bytes]:
        """The answer, cut to nothing with the TC bit where it does not fit a datagram, or
        what its name's entry makes of it."""
        answer = self.answer(query)
        if answer is None:
            return ()
        asked = dns.message.from_wire(query)
        name = _text(asked.question[0].name) if asked.question else ""
        entry = self._zone.entry(name, self._resolver.name)
        if entry is not None and entry.spoil is not None:
            return entry.spoil(answer)
        if len(answer) <= MAX_ANSWER:
            return (answer,)
        short = dns.message.make_response(asked, recursion_available=True)
        short.flags |= dns.flags.TC
        return (short.to_wire(),)

    def over_https(self, request: Request) -> Response:
        """DNS over HTTPS (RFC 8484), by GET and by POST."""
        query = request.body
        if request.method == "GET":
            given = parse_qs(urlsplit(request.target).query).get("dns", [""])[0]
            try:
                query = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))
            except (binascii.Error, ValueError):
                query = b""
        if not request.target.startswith("/dns-query"):
            return Response(status=404, body=b"not here")
        if len(query) < 12:
            return Response(status=400, body=b"no query")
        answer = self.answer(query)
        if answer is None:
            return Response(wait=float("inf"))
        headers = (("Content-Type", "application/dns-message"), ("Cache-Control", "max-age=300"))
        return Response(headers=headers, body=answer)


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _rrset(name: dns.name.Name, kind: dns.rdatatype.RdataType, texts: list[str]) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(name, LIFETIME_OF_RECORDS, dns.rdataclass.IN, kind, texts)


def _records(
    owner: dns.name.Name, rdtype: dns.rdatatype.RdataType, entry: Name
) -> list[dns.rrset.RRset]:
    texts: list[str] = []
    if rdtype == dns.rdatatype.A:
        texts = [address for address in entry.addresses if ":" not in address]
    elif rdtype == dns.rdatatype.AAAA:
        texts = [address for address in entry.addresses if ":" in address]
    elif rdtype == dns.rdatatype.HTTPS and entry.https:
        texts = [entry.https]
    elif rdtype == dns.rdatatype.CNAME and entry.cname:
        texts = [f"{ascii_name(entry.cname)}."]
    return [_rrset(owner, rdtype, texts)] if texts else []


async def resolve_for(
    resolvers: Iterable[Resolver],
    zone: Zone,
    authorities: Authorities,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run *resolvers* until cancelled; started when all of them listen."""
    resolvers = tuple(resolvers)
    allow_files(4 * sum(len(resolver.addresses) for resolver in resolvers))
    async with trio.open_nursery() as nursery:
        doh: list[Site] = []
        for resolver in resolvers:
            answerer = Answerer(resolver, zone)
            context = (
                authorities.context(resolver.certificate, resolver.names, ("dot",))
                if resolver.names
                else None
            )
            for address in resolver.addresses:
                udp = trio.socket.from_stdlib_socket(
                    bound_socket(address, resolver.port, socket.SOCK_DGRAM)
                )
                nursery.start_soon(_serve_udp, udp, answerer)
                await _serve_streams(nursery, address, resolver.port, answerer, None)
                if context is not None:
                    await _serve_streams(nursery, address, resolver.dot_port, answerer, context)
            if resolver.names:
                ports = ((resolver.doh_port, "https", answerer.over_https),)
                site = Site(
                    names=resolver.names,
                    addresses=resolver.addresses,
                    certificate=resolver.certificate,
                    http=None,
                    ports=ports,  # type: ignore[arg-type]  # the literal widens to str
                    h2=True,
                )
                doh.append(site)
        await nursery.start(serve, doh, authorities)
        task_status.started()


def run_resolvers(
    ready: Callable[[], None], resolvers: Iterable[Resolver], zone: Zone, authorities: Authorities
) -> None:
    """`resolve_for` as the whole of a process; calls *ready* when all of them listen."""

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(resolve_for, tuple(resolvers), zone, authorities)
            ready()

    trio.run(main)


async def _serve_udp(sock: trio.socket.SocketType, answerer: Answerer) -> None:
    with sock:
        while True:
            try:
                query, peer = await sock.recvfrom(4096)
                for answer in answerer.over_udp(query):
                    await sock.sendto(answer, peer)
            except OSError:  # an ICMP error about an earlier answer: the asker is gone
                continue


async def _serve_streams(
    nursery: trio.Nursery,
    address: str,
    port: int,
    answerer: Answerer,
    context: ssl.SSLContext | None,
) -> None:
    async def serve_one(tcp: trio.SocketStream) -> None:
        with trio.move_on_after(LIFETIME):
            try:
                stream: trio.abc.Stream = tcp
                if context is not None:
                    stream = trio.SSLStream(tcp, context, server_side=True)
                await _converse(stream, answerer)
                await stream.aclose()
            except GONE:
                return

    await nursery.start(trio.serve_listeners, serve_one, [listen(address, port)])


async def _converse(stream: trio.abc.Stream, answerer: Answerer) -> None:
    """Queries and answers, each after its length in two bytes (RFC 7766)."""
    buffer = b""
    while data := await stream.receive_some(4096):
        buffer += data
        while len(buffer) >= 2:
            size = int.from_bytes(buffer[:2], "big")
            if len(buffer) < 2 + size:
                break
            query, buffer = buffer[2 : 2 + size], buffer[2 + size :]
            answer = answerer.answer(query)
            if answer is not None:
                await stream.send_all(len(answer).to_bytes(2, "big") + answer)
