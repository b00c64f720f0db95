"""What censors do: rules for a `Middlebox`, each a frozen description.

Forged packets look like those of common devices unless told otherwise: TTL 60, a
sequence number that fits, the original still travelling on. Where the forgery is
a FIN, the server is kept from being heard afterwards: its true data beyond a FIN
would make the client's kernel reset the connection, which is another finding.
``a_censor(rule, ...)`` makes the factory that a `World` wants.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from lab.alteration import Alteration
from lab.flows import Bounded, Ends, Fate, Flow
from lab.middlebox import AddressRule, Middlebox, NameRule, Rule, Treatment, refused
from lab.packet import ACK, FIN, PSH, RST, SYN, TCP, Packet, Question, icmp_error, tcp, udp_reply
from lab.quic import Conversation, forged_close, version_negotiation
from lab.world import Action, Censor, Way

SEGMENT = 1400  # bytes of payload in a forged segment


def a_censor(*rules: Rule) -> Callable[[], Censor]:
    """A factory of middleboxes with these *rules*."""

    def make() -> Censor:
        return Middlebox(rules)

    return make


@dataclass(frozen=True, kw_only=True)
class DNSInject(NameRule):
    """Answer queries for *names* on the way, to whatever resolver they go.

    *answers* are IPv4 and IPv6 addresses; a type for which there is none is
    answered empty, and an *rcode* other than NOERROR goes without answers. The
    true answer follows, unless *drop_original*. *servers* narrows it to queries to
    these resolvers; without, it answers also where no resolver is. DNS over TCP is left
    alone.
    """

    layer: ClassVar[str] = "dns"
    answers: tuple[str, ...] = ()
    rcode: str = "NOERROR"
    lifetime: int = 300

    def on_query(self, packet: Packet, question: Question) -> Sequence[Action] | None:
        query = dns.message.from_wire(packet.data)
        reply = dns.message.make_response(query, recursion_available=True)
        reply.set_rcode(dns.rcode.from_text(self.rcode))
        asked = query.question[0]
        version = {dns.rdatatype.A: 4, dns.rdatatype.AAAA: 6}.get(asked.rdtype)
        texts = [a for a in self.answers if ipaddress.ip_address(a).version == version]
        if texts and self.rcode == "NOERROR":
            reply.answer.append(
                dns.rrset.from_text_list(
                    asked.name, self.lifetime, dns.rdataclass.IN, asked.rdtype, texts
                )
            )
        forged = udp_reply(packet, reply.to_wire(), ttl=self.ttl)
        sent: list[Action] = [(forged, Way.BACK, 0.0)]
        if not self.drop_original:
            sent.append((packet.raw, Way.OUT, 0.0))
        return sent


@dataclass(frozen=True, kw_only=True)
class DNSDrop(NameRule):
    """Queries for *names* vanish, over UDP and over TCP."""

    layer: ClassVar[str] = "dns"

    def on_query(self, packet: Packet, question: Question) -> Sequence[Action] | None:
        return ()

    def on_name(self, packet: Packet, flow: Flow, now: float) -> Sequence[Action] | None:
        flow.fate = _nothing
        return ()


@dataclass(frozen=True, kw_only=True)
class _OnName(NameRule):
    """Fields of the packets that are forged."""

    window: int = 0
    ip_id: int = 0

    def _forged(self, to: Packet, flags: int, payload: bytes = b"", offset: int = 0) -> Action:
        """A packet as if the server answered *to*."""
        segment = tcp(
            to.destination, to.source, to.dport, to.sport,
            to.ack + offset, to.seq + to.length, flags, payload,
            window=self.window, ttl=self.ttl, ip_id=self.ip_id,
        )  # fmt: skip
        return segment, Way.BACK, 0.0

    def _original(self, packet: Packet) -> list[Action]:
        return [] if self.drop_original else [(packet.raw, Way.OUT, 0.0)]


@dataclass(frozen=True, kw_only=True)
class _Reset(_OnName):
    """*acknowledging*: RST,ACK, not a bare RST. *to_server*: it gets one as well."""

    acknowledging: bool = False
    to_server: bool = False

    def on_name(self, packet: Packet, flow: Flow, now: float) -> Sequence[Action] | None:
        sent = [self._forged(packet, RST | ACK if self.acknowledging else RST)]
        sent += self._original(packet)
        if self.to_server:
            reset = tcp(
                packet.source, packet.destination, packet.sport, packet.dport,
                packet.seq + packet.length, packet.ack, RST, ttl=self.ttl,
            )  # fmt: skip
            sent.append((reset, Way.OUT, 0.0))
        return sent


@dataclass(frozen=True, kw_only=True)
class _Drop(_OnName):
    """From the trigger on nothing of the flow passes, either way."""

    def on_name(self, packet: Packet, flow: Flow, now: float) -> Sequence[Action] | None:
        flow.fate = _nothing
        return ()


@dataclass(frozen=True, kw_only=True)
class _Say(_OnName):
    """Answer in the server's place and close. *payload* may be empty.

    *mutes*: the server is not heard afterwards, as a box in the path can see to. Beside
    the path it cannot: the true answer follows, and the client's kernel refuses it.
    """

    payload: bytes = b""
    window: int = 502
    mutes: bool = True

    def on_name(self, packet: Packet, flow: Flow, now: float) -> Sequence[Action] | None:
        pieces = [self.payload[at : at + SEGMENT] for at in range(0, len(self.payload), SEGMENT)]
        sent = [
            self._forged(packet, PSH | ACK, piece, number * SEGMENT)
            for number, piece in enumerate(pieces[:-1])
        ]
        last, before = (pieces or [b""])[-1], max(0, len(pieces) - 1) * SEGMENT
        push = PSH if last else 0
        sent.append(self._forged(packet, push | FIN | ACK, last, before))
        flow.fate = _only_out if self.mutes else _untouched
        return sent + self._original(packet)


class SNIReset(_Reset):
    layer: ClassVar[str] = "tls"


class SNIDrop(_Drop):
    layer: ClassVar[str] = "tls"


class SNIClose(_Say):
    layer: ClassVar[str] = "tls"


def sni_alert(names: tuple[str, ...], alert: int = 40, subdomains: bool = False) -> SNIClose:
    """A fatal TLS alert (RFC 8446, 6), then a FIN."""
    record = bytes((21, 3, 3, 0, 2, 2, alert))
    return SNIClose(names=names, subdomains=subdomains, payload=record)


class HTTPReset(_Reset):
    layer: ClassVar[str] = "http"


class HTTPDrop(_Drop):
    layer: ClassVar[str] = "http"


class HTTPClose(_Say):
    layer: ClassVar[str] = "http"


class HTTPInjectPage(_Say):
    """Answer a request with *payload*, a whole HTTP response."""

    layer: ClassVar[str] = "http"


def http_redirect(
    names: tuple[str, ...], location: str, status: int = 302, **more: Any
) -> HTTPInjectPage:
    """An injected redirect, with the window and IP ID reported of Beltelecom's in 2020.

    *more* are fields of the rule.
    """
    head = (
        f"HTTP/1.1 {status} Found\r\nLocation: {location}\r\n"
        "Content-Length: 0\r\nConnection: close\r\n\r\n"
    )
    looks = {"window": 32678, "ip_id": 1} | more
    return HTTPInjectPage(names=names, payload=head.encode(), **looks)


@dataclass(frozen=True, kw_only=True)
class QUICDrop(NameRule):
    """From the trigger on nothing of the flow passes, either way (USENIX Security 2025, GFW).

    With *every* it is QUIC itself that is dropped.
    """

    layer: ClassVar[str] = "quic"

    def on_initial(
        self, packet: Packet, conversation: Conversation, now: float
    ) -> Sequence[Action] | None:
        conversation.fate = _nothing
        return ()


@dataclass(frozen=True, kw_only=True)
class QUICClose(NameRule):
    """Answer with a CONNECTION_CLOSE of *code*, as any server may whose Initial keys all know.

    With *versions*, with a Version Negotiation that offers those only.
    """

    layer: ClassVar[str] = "quic"
    code: int = 0x128  # CRYPTO_ERROR with the alert handshake_failure
    versions: tuple[int, ...] = ()

    def on_initial(
        self, packet: Packet, conversation: Conversation, now: float
    ) -> Sequence[Action] | None:
        if self.versions:
            said = version_negotiation(packet.data, *self.versions)
        else:
            said = forged_close(packet.data, conversation.reader.first, self.code)
        if said is None:
            return None
        forged: Action = udp_reply(packet, said, ttl=self.ttl), Way.BACK, 0.0
        if self.drop_original:
            conversation.fate = _nothing
            return [forged]
        return [forged, (packet.raw, Way.OUT, 0.0)]


@dataclass(frozen=True, kw_only=True)
class HTTPAlter(_OnName):
    """Change the page on its way: see `Alteration`, which is given *change*."""

    layer: ClassVar[str] = "http"
    change: Callable[[bytes], bytes]

    def on_name(self, packet: Packet, flow: Flow, now: float) -> Sequence[Action] | None:
        flow.fate = Alteration(packet.ack, self.change)
        return None


class AddressDrop(AddressRule):
    def on_packet(self, packet: Packet, ends: Ends, way: Way, now: float) -> Sequence[Action]:
        return ()


@dataclass(frozen=True, kw_only=True)
class AddressRefuse(AddressRule):
    """RST,ACK in answer to a SYN, which goes no further if the box is in the path."""

    drop_original: bool = True
    ttl: int = 60

    def on_packet(
        self, packet: Packet, ends: Ends, way: Way, now: float
    ) -> Sequence[Action] | None:
        if packet.protocol != TCP or way is Way.BACK or packet.flags & (SYN | ACK) != SYN:
            return None
        return refused(packet, self.ttl, drop_original=self.drop_original)


@dataclass(frozen=True, kw_only=True)
class AddressUnreachable(AddressRule):
    """ICMP from *routers* (an IPv4 and an IPv6 address of the box) to every packet out.

    *code* is ICMP's, 13 administratively prohibited or 1 host unreachable; over
    IPv6 it is always "address unreachable", since Linux reports a prohibition
    there as lack of permission.
    """

    routers: tuple[str, str]
    code: int = 13

    def on_packet(
        self, packet: Packet, ends: Ends, way: Way, now: float
    ) -> Sequence[Action] | None:
        if way is Way.BACK:
            return None
        four = len(packet.destination) == 4
        router = ipaddress.ip_address(self.routers[0 if four else 1]).packed
        kind, code = (3, self.code) if four else (1, 3)
        return [(icmp_error(packet.raw, router, kind, code), Way.BACK, 0.0)]


@dataclass(frozen=True, kw_only=True)
class AddressReset(AddressRule):
    """RST as soon as a connection stands, before any payload.

    *early*: on the heels of the server's SYN,ACK, so that it comes before the
    client can speak; else in answer to the client's ACK, which crosses with what
    the client says first. *drop_original*: from then on nothing of the flow passes.
    """

    early: bool = True
    drop_original: bool = False
    ttl: int = 60

    def treatment(self) -> Treatment:
        if not self.drop_original:
            return self.on_packet
        over: Bounded[Ends, bool] = Bounded()

        def treat(
            packet: Packet, ends: Ends, way: Way, now: float
        ) -> Sequence[Action] | None:
            if way is Way.OUT and packet.flags & (SYN | ACK) == SYN:
                over.pop(ends, None)
            if ends in over:
                return ()
            said = self.on_packet(packet, ends, way, now)
            if said is not None:
                over[ends] = True
            return said

        return treat

    def on_packet(
        self, packet: Packet, ends: Ends, way: Way, now: float
    ) -> Sequence[Action] | None:
        if packet.protocol != TCP:
            return None
        if self.early:
            if way is Way.OUT or packet.flags & (SYN | ACK) != SYN | ACK:
                return None
            reset = tcp(
                packet.source, packet.destination, packet.sport, packet.dport,
                packet.seq + 1, packet.ack, RST, ttl=self.ttl,
            )  # fmt: skip
            return [(packet.raw, way, 0.0), (reset, Way.BACK, 0.0)]
        if way is Way.BACK or packet.flags & SYN or packet.flags & RST:
            return None
        reset = tcp(
            packet.destination, packet.source, packet.dport, packet.sport,
            packet.ack, packet.seq, RST, ttl=self.ttl,
        )  # fmt: skip
        original = () if self.drop_original else ((packet.raw, way, 0.0),)
        return [(reset, Way.BACK, 0.0), *original]


@dataclass(frozen=True, kw_only=True)
class RelayReset(AddressRule):
    """As AS6697 treated Tor relays in 2016 (ooni.org, "Belarus fries onion"; F14).

    The SYN is answered by a RST without numbers, which no client heeds (RFC 5961), the
    client's ACK by one that fits. Both go beside the path. *ttl* is that at the box.
    """

    ttl: int = 125

    def on_packet(
        self, packet: Packet, ends: Ends, way: Way, now: float
    ) -> Sequence[Action] | None:
        if packet.protocol != TCP or way is Way.BACK or packet.end > packet.payload:
            return None
        kind = packet.flags & (SYN | ACK | RST | FIN)
        if kind not in (SYN, ACK):
            return None
        reset = tcp(
            packet.destination, packet.source, packet.dport, packet.sport,
            packet.ack if kind == ACK else 0, 0, RST, ttl=self.ttl,
        )  # fmt: skip
        return [(packet.raw, way, 0.0), (reset, Way.BACK, 0.0)]


@dataclass(frozen=True, kw_only=True)
class Slowness:
    """What throttling does to a packet. *delay* in seconds, *rate* in bytes a second.

    What comes faster waits, for *queue* seconds at most (a shaper), or is dropped at once
    where that is little (a policer).
    """

    delay: float = 0.0
    loss: float = 0.0
    rate: float | None = None
    queue: float = 2.0
    seed: int = 0

    def start(self) -> Fate:
        """A fresh fate for one flow, or for one address."""
        chance = random.Random(self.seed)
        free = {Way.OUT: 0.0, Way.BACK: 0.0}

        def treat(packet: Packet, way: Way, now: float) -> Sequence[Action] | None:
            if chance.random() < self.loss:
                return ()
            wait = self.delay
            if self.rate:
                free[way] = max(free[way], now) + len(packet.raw) / self.rate
                wait += free[way] - now
                if wait > self.queue + self.delay:
                    free[way] -= len(packet.raw) / self.rate
                    return ()  # its queue is full
            return [(packet.raw, way, wait)]

        return treat


@dataclass(frozen=True, kw_only=True)
class ThrottleName(_OnName):
    """A flow whose ClientHello names one of *names* is slow from then on."""

    layer: ClassVar[str] = "tls"
    slowness: Slowness

    def on_name(self, packet: Packet, flow: Flow, now: float) -> Sequence[Action] | None:
        flow.fate = self.slowness.start()
        return flow.fate(packet, Way.OUT, now)


class ThrottleHost(ThrottleName):
    """The same, of a request in the clear with such a Host."""

    layer: ClassVar[str] = "http"


@dataclass(frozen=True, kw_only=True)
class ThrottleAddress(AddressRule):
    """All packets to and from *addresses* are slow, as if one flow."""

    slowness: Slowness

    def treatment(self) -> Treatment:
        treat = self.slowness.start()
        return lambda packet, ends, way, now: treat(packet, way, now)


def _nothing(packet: Packet, way: Way, now: float) -> Sequence[Action]:
    return ()


def _untouched(packet: Packet, way: Way, now: float) -> Sequence[Action] | None:
    return None


def _only_out(packet: Packet, way: Way, now: float) -> Sequence[Action] | None:
    return () if way is Way.BACK else None
