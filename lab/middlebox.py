"""The engine of every censor: finds the name or the address, asks the rules about it.

A country has hundreds of worlds and each has a rule or two at some wire, so rules
are looked up by what they are about, never one after the other. Names are read from
streams put together in order (`lab.flows`): a ClientHello is two segments long
today, and a censor that looks at single packets is a censor of years ago.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from lab.flows import Bounded, Ends, Flow
from lab.packet import (
    ACK,
    MAX_HELLO,
    RST,
    SYN,
    TCP,
    UDP,
    Hello,
    Packet,
    Question,
    Request,
    changed,
    client_hello,
    client_hello_at_a_glance,
    dns_question,
    http_request,
    parse,
    tcp,
)
from lab.quic import Conversation, is_long
from lab.world import Action, Censor, Way

_ALL_PORTS = -1

Treatment = Callable[[Packet, Ends, Way, float], Sequence[Action] | None]


@dataclass(frozen=True, kw_only=True)
class AddressRule:
    """A rule about packets to and from *addresses* (on *ports*; none means all).

    *clients* narrows it to clients in these networks (none means everybody).
    """

    addresses: tuple[str, ...]
    ports: tuple[int, ...] = ()
    clients: tuple[str, ...] = ()

    def on_packet(
        self, packet: Packet, ends: Ends, way: Way, now: float
    ) -> Sequence[Action] | None:
        raise NotImplementedError

    def treatment(self) -> Treatment:
        """What one middlebox does; a rule that keeps state makes it here."""
        return self.on_packet


@dataclass(frozen=True, kw_only=True)
class NameRule:
    """A rule about a name: in a DNS query, a ClientHello (over TCP or QUIC), an HTTP request.

    *layer* is ``"dns"``, ``"tls"``, ``"quic"`` or ``"http"``. Names are compared without regard to
    case, unless *exact_case*. With *subdomains* ``a.NAME`` is meant too, with *anywhere*
    every name that has NAME in it (``NAME.example``). *every* needs no names: any hello
    or request, or those with (``named``) or without a name (``nameless``). *keywords* are
    looked for in an HTTP request head, whatever its Host.

    *clients* and *servers* narrow the rule to these networks, *ports* to these ports of
    the server; none means all. *spared* servers are never meant.

    In TLS, *reassembles* says whether the box puts segments together or reads each packet
    alone, and *hellos* whose ClientHellos it minds: those of browsers, known by their
    GREASE (RFC 8701), or those of Python's kind, which have none.

    *residual*: for so many seconds after a trigger in a TCP flow the box punishes what
    the same client has with the server's port, or with all of the *server*. It drops
    everything, or answers each new connection with a *reset*. After one in QUIC it drops
    datagrams only.

    *drop_original*: an in-path box, which lets the trigger go no further; else it does.
    *ttl* is that of forged packets when they leave the box.
    """

    layer: ClassVar[str] = ""
    names: tuple[str, ...] = ()
    subdomains: bool = False
    anywhere: bool = False
    exact_case: bool = False
    every: Literal["", "any", "named", "nameless"] = ""
    keywords: tuple[bytes, ...] = ()
    clients: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    reassembles: bool = True
    hellos: Literal["any", "browser", "python"] = "any"
    residual: float = 0.0
    punishes: Literal["port", "server"] = "port"
    punishes_by: Literal["drop", "reset"] = "drop"
    drop_original: bool = False
    ttl: int = 60

    def on_query(self, packet: Packet, question: Question) -> Sequence[Action] | None:
        """A DNS query over UDP."""
        return None

    def on_name(self, packet: Packet, flow: Flow, now: float) -> Sequence[Action] | None:
        """The segment that completed the name in a TCP flow."""
        return None

    def on_initial(
        self, packet: Packet, conversation: Conversation, now: float
    ) -> Sequence[Action] | None:
        """The datagram that completed the name in a QUIC client's Initials."""
        return None


@dataclass(frozen=True, kw_only=True)
class Rewrite:
    """Connections to *address* (None: any) on *port* are led to *to*, on *to_port*.

    A forging proxy, a transparent proxy, a portal. Put it where both ways of all
    flows pass: the new address may lie behind another gateway than the old.
    *clients* narrows it to clients in these networks.
    """

    address: str | None
    port: int
    to: str
    to_port: int
    clients: tuple[str, ...] = ()


Rule = AddressRule | NameRule | Rewrite


class Middlebox:
    """A `Censor` made of rules. The first rule that has something to say is heard."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._addresses: dict[bytes, list[tuple[AddressRule, Treatment]]] = {}
        self._names: dict[tuple[str, str], list[NameRule]] = {}
        self._anywhere: dict[str, list[tuple[str, NameRule]]] = {}
        self._every: dict[str, list[NameRule]] = {}
        self._keywords: list[NameRule] = []
        self._rewrites: dict[tuple[bytes | None, int, int], Rewrite] = {}
        self._flows: Bounded[Ends, Flow] = Bounded()
        self._conversations: Bounded[Ends, Conversation] = Bounded()
        self._punished: Bounded[tuple[bytes, bytes, int], tuple[float, NameRule]] = Bounded()
        self._led: Bounded[Ends, tuple[bytes, int]] = Bounded()
        for rule in self.rules:
            self._add(rule)
        self._reads_streams = any((self._names, self._anywhere, self._every, self._keywords))
        self._reads_packets = any(
            isinstance(rule, NameRule) and not rule.reassembles for rule in self.rules
        )
        self._reads_quic = any(
            isinstance(rule, NameRule) and rule.layer == "quic" for rule in self.rules
        )

    def _add(self, rule: Rule) -> None:
        match rule:
            case AddressRule():
                treatment = rule.treatment()
                for address in rule.addresses:
                    self._addresses.setdefault(packed(address), []).append((rule, treatment))
            case NameRule():
                for name in map(ascii_name, rule.names):
                    self._names.setdefault((rule.layer, name), []).append(rule)
                    if rule.anywhere:
                        self._anywhere.setdefault(rule.layer, []).append((name, rule))
                if rule.every:
                    self._every.setdefault(rule.layer, []).append(rule)
                if rule.keywords:
                    self._keywords.append(rule)
            case Rewrite():
                source = None if rule.address is None else packed(rule.address)
                self._rewrites[source, rule.port, len(packed(rule.to))] = rule

    def __call__(self, packet: bytes, way: Way, now: float) -> Sequence[Action] | None:
        seen = parse(packet)
        if seen is None:
            return None
        if not self._rewrites or seen.protocol != TCP:
            return self._judge(seen, way, now)
        if way is Way.OUT:
            said = self._judge(seen, way, now)
            sent = [(packet, way, 0.0)] if said is None else said
            return [(self._lead(raw) if to is Way.OUT else raw, to, when) for raw, to, when in sent]
        seen = self._led_back(seen)
        said = self._judge(seen, way, now)
        return [(seen.raw, way, 0.0)] if said is None else said

    def _judge(self, packet: Packet, way: Way, now: float) -> Sequence[Action] | None:
        if way is Way.OUT:
            ends = Ends(packet.source, packet.sport, packet.destination, packet.dport)
        else:
            ends = Ends(packet.destination, packet.dport, packet.source, packet.sport)
        for rule, treatment in self._addresses.get(ends.server, ()):
            if (not rule.ports or ends.port in rule.ports) and _within(ends.client, rule.clients):
                said = treatment(packet, ends, way, now)
                if said is not None:
                    return said
        if self._punished:
            said = self._punish(packet, ends, way, now)
            if said is not None:
                return said
        if not self._reads_streams:
            return None
        if packet.protocol == UDP and ends.port == 53:
            return self._query(packet, ends) if way is Way.OUT else None
        if packet.protocol == UDP:
            return self._datagram(packet, ends, way, now) if self._reads_quic else None
        if packet.protocol == TCP:
            return self._segment(packet, ends, way, now)
        return None

    def _punish(
        self, packet: Packet, ends: Ends, way: Way, now: float
    ) -> Sequence[Action] | None:
        for port in (ends.port, _ALL_PORTS):
            punished = self._punished.get((ends.client, ends.server, port))
            if punished is None or punished[0] <= now:
                continue
            rule = punished[1]
            if rule.layer == "quic" and packet.protocol != UDP:
                continue
            if rule.punishes_by == "drop":
                return ()
            opens = packet.protocol == TCP and packet.flags & (SYN | ACK) == SYN
            if opens and way is Way.OUT:
                return refused(packet, rule.ttl, drop_original=rule.drop_original)
        return None

    def _query(self, packet: Packet, ends: Ends) -> Sequence[Action] | None:
        question = dns_question(packet.data)
        if question is None:
            return None
        rules = self._about("dns", question.name, ends)
        said = (rule.on_query(packet, question) for rule in rules)
        return next((actions for actions in said if actions is not None), None)

    def _segment(self, packet: Packet, ends: Ends, way: Way, now: float) -> Sequence[Action] | None:
        if way is Way.OUT and packet.flags & (SYN | ACK) == SYN:
            self._flows[ends] = Flow(packet.seq, packet)
            return None
        flow = self._flows.get(ends)
        if flow is None:
            return None
        if flow.fate is not None:
            return flow.fate(packet, way, now)
        if way is Way.OUT and packet.end > packet.payload and flow.take(packet):
            for rule in (*self._glimpsed(packet, ends), *self._read(flow, ends)):
                said = rule.on_name(packet, flow, now)
                self._remember(rule, ends, now)
                if flow.alias is not None:
                    self._flows[flow.alias] = flow
                if said is not None or flow.fate is not None:
                    flow.stream = None
                    return said
        return None

    def _datagram(
        self, packet: Packet, ends: Ends, way: Way, now: float
    ) -> Sequence[Action] | None:
        conversation = self._conversations.get(ends)
        if conversation is None:
            if way is Way.BACK or not is_long(packet.data):
                return None
            conversation = self._conversations[ends] = Conversation()
        if conversation.fate is not None:
            return conversation.fate(packet, way, now)
        reader = conversation.reader
        if way is Way.OUT and reader.name is None and reader.take(packet.data):
            for rule in self._about("quic", reader.name or "", ends):
                said = rule.on_initial(packet, conversation, now)
                self._remember(rule, ends, now)
                if said is not None or conversation.fate is not None:
                    return said
        return None

    def _remember(self, rule: NameRule, ends: Ends, now: float) -> None:
        """Punish from now on what the client has with the server."""
        if rule.residual:
            port = ends.port if rule.punishes == "port" else _ALL_PORTS
            self._punished[ends.client, ends.server, port] = now + rule.residual, rule

    def _glimpsed(self, packet: Packet, ends: Ends) -> list[NameRule]:
        """The rules of boxes that read single packets, about the name in this one."""
        hello = client_hello_at_a_glance(packet.data) if self._reads_packets else None
        return self._about_hello(hello, ends, reassembled=False) if hello else []

    def _read(self, flow: Flow, ends: Ends) -> list[NameRule]:
        """The rules about the name that the flow's bytes now hold."""
        found: list[NameRule] = []
        while flow.stream and not found:
            stream = bytes(flow.stream)
            try:
                if ends.port == 53:
                    size = int.from_bytes(stream[:2], "big")
                    if len(stream) < 2 + size:
                        return []
                    del flow.stream[: 2 + size]
                    question = dns_question(stream[2 : 2 + size])
                    found = self._about("dns", question.name, ends) if question else []
                elif stream[0] == 22:
                    hello = client_hello(stream)
                    if hello is None:
                        return []
                    flow.stream, flow.layer, flow.said = None, "tls", stream
                    found = self._about_hello(hello, ends, reassembled=True)
                else:
                    request = http_request(stream)
                    if request is None:
                        return []
                    flow.layer = "http"
                    del flow.stream[: request.length]
                    found = self._about_request(request, ends)
            except ValueError:
                flow.stream = None
            if flow.stream is not None and len(flow.stream) > MAX_HELLO:
                flow.stream = None
        return found

    def _about_hello(self, hello: Hello, ends: Ends, *, reassembled: bool) -> list[NameRule]:
        kinds = ("any", "browser" if hello.grease else "python")
        return [
            rule
            for rule in self._about("tls", hello.name or "", ends)
            if rule.reassembles == reassembled and rule.hellos in kinds
        ]

    def _about_request(self, request: Request, ends: Ends) -> list[NameRule]:
        found = self._about("http", request.host, ends)
        for rule in self._keywords:
            if any(keyword in request.head for keyword in rule.keywords) and _at(rule, ends):
                found.append(rule)
        return found

    def _about(self, layer: str, spelled: str, ends: Ends) -> list[NameRule]:
        """The rules about the name *spelled* so, which is empty where there is none."""
        name = spelled.lower()
        found = list(self._names.get((layer, name), ()))
        parent = name
        while "." in parent:
            parent = parent.partition(".")[2]
            found += [rule for rule in self._names.get((layer, parent), ()) if rule.subdomains]
        found += [
            rule for text, rule in self._anywhere.get(layer, ()) if text in name and text != name
        ]
        found += [
            rule
            for rule in self._every.get(layer, ())
            if rule.every == "any" or (rule.every == "named") == bool(name)
        ]
        return [
            rule
            for rule in found
            if _at(rule, ends)
            and (not rule.exact_case or any(text in spelled for text in rule.names))
        ]

    def _lead(self, raw: bytes) -> bytes:
        packet = parse(raw)
        if packet is None:
            return raw
        width = len(packet.destination)
        rule = self._rewrites.get((packet.destination, packet.dport, width)) or self._rewrites.get(
            (None, packet.dport, width)
        )
        if rule is None or not _within(packet.source, rule.clients):
            return raw
        to = packed(rule.to), rule.to_port
        if to == (packet.destination, packet.dport):
            return raw
        self._led[Ends(packet.source, packet.sport, *to)] = packet.destination, packet.dport
        return changed(packet, destination=to[0], dport=to[1])

    def _led_back(self, packet: Packet) -> Packet:
        ends = Ends(packet.destination, packet.dport, packet.source, packet.sport)
        came_for = self._led.get(ends)
        if came_for is None:
            return packet
        return parse(changed(packet, source=came_for[0], sport=came_for[1])) or packet


def refused(packet: Packet, ttl: int, *, drop_original: bool = True) -> list[Action]:
    """What a box sends in answer to the SYN *packet* that it refuses: a RST,ACK."""
    reset = tcp(
        packet.destination, packet.source, packet.dport, packet.sport,
        0, packet.seq + 1, RST | ACK, ttl=ttl,
    )  # fmt: skip
    return [(reset, Way.BACK, 0.0), *(() if drop_original else ((packet.raw, Way.OUT, 0.0),))]


def _at(rule: NameRule, ends: Ends) -> bool:
    """Whether the rule is about a flow between these ends."""
    return (
        (not rule.ports or ends.port in rule.ports)
        and _within(ends.client, rule.clients)
        and _within(ends.server, rule.servers)
        and not (rule.spared and _within(ends.server, rule.spared))
    )


def _within(address: bytes, networks: tuple[str, ...]) -> bool:
    """Whether *address* lies in one of *networks*, of which none means all."""
    if not networks:
        return True
    found = ipaddress.ip_address(address)
    return any(found in network for network in _parsed(networks))


@functools.lru_cache(maxsize=4096)
def _parsed(
    networks: tuple[str, ...],
) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in networks)


@functools.lru_cache(maxsize=1 << 16)
def packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def ascii_name(name: str) -> str:
    """*name* as it travels: lower case, international names in their ASCII form."""
    return name.rstrip(".").lower().encode("idna").decode("ascii")


def merged(makers: Iterable[Callable[[], Censor]]) -> tuple[Censor, ...]:
    """The censors of many worlds at one wire, as few as can be.

    All that are middleboxes become one, so that a packet is read once however
    many worlds share the wire. Others stay as they are and come first.
    """
    rules: list[Rule] = []
    others: list[Censor] = []
    for make in makers:
        censor = make()
        if isinstance(censor, Middlebox):
            rules += censor.rules
        else:
            others.append(censor)
    return (*others, Middlebox(rules)) if rules else tuple(others)
