"""The engine of every censor: finds the name or the address, asks the rules about it.

A country has hundreds of worlds and each has a rule or two at some wire, so rules
are looked up by what they are about, never one after the other. Names are read from
streams put together in order (`lab.flows`): a ClientHello is two segments long
today, and a censor that looks at single packets is a censor of years ago.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from lab.flows import Bounded, Ends, Flow
from lab.packet import (
    ACK,
    MAX_HELLO,
    SYN,
    TCP,
    UDP,
    Packet,
    Question,
    Request,
    changed,
    client_hello,
    dns_question,
    http_request,
    parse,
)
from lab.world import Action, Censor, Way

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
    """A rule about a name: in a DNS query, a ClientHello or an HTTP request.

    *layer* is ``"dns"``, ``"tls"`` or ``"http"``. *keywords* are looked for in an
    HTTP request head, whatever its Host. After a trigger in a TCP flow everything
    between this client and the server's port is dropped for *residual* seconds.
    """

    layer: ClassVar[str] = ""
    names: tuple[str, ...] = ()
    subdomains: bool = False
    keywords: tuple[bytes, ...] = ()
    residual: float = 0.0

    def on_query(self, packet: Packet, question: Question) -> Sequence[Action] | None:
        """A DNS query over UDP."""
        return None

    def on_name(self, packet: Packet, flow: Flow, now: float) -> Sequence[Action] | None:
        """The segment that completed the name in a TCP flow."""
        return None


@dataclass(frozen=True, kw_only=True)
class Rewrite:
    """Connections to *address* (None: any) on *port* are led to *to*, on *to_port*.

    A forging proxy, a transparent proxy, a portal. Put it where both ways of all
    flows pass: the new address may lie behind another gateway than the old.
    """

    address: str | None
    port: int
    to: str
    to_port: int


Rule = AddressRule | NameRule | Rewrite


class Middlebox:
    """A `Censor` made of rules. The first rule that has something to say is heard."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._addresses: dict[bytes, list[tuple[AddressRule, Treatment]]] = {}
        self._clients: dict[int, tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]] = {}
        self._names: dict[tuple[str, str], list[NameRule]] = {}
        self._keywords: list[NameRule] = []
        self._rewrites: dict[tuple[bytes | None, int, int], tuple[bytes, int]] = {}
        self._flows: Bounded[Ends, Flow] = Bounded()
        self._dead: Bounded[tuple[bytes, bytes, int], float] = Bounded()
        self._led: Bounded[Ends, tuple[bytes, int]] = Bounded()
        for rule in self.rules:
            self._add(rule)
        self._reads_streams = bool(self._names or self._keywords)

    def _add(self, rule: Rule) -> None:
        match rule:
            case AddressRule():
                treatment = rule.treatment()
                for address in rule.addresses:
                    self._addresses.setdefault(packed(address), []).append((rule, treatment))
                self._clients[id(rule)] = tuple(ipaddress.ip_network(net) for net in rule.clients)
            case NameRule():
                for name in rule.names:
                    self._names.setdefault((rule.layer, ascii_name(name)), []).append(rule)
                if rule.keywords:
                    self._keywords.append(rule)
            case Rewrite():
                to = packed(rule.to)
                source = None if rule.address is None else packed(rule.address)
                self._rewrites[source, rule.port, len(to)] = to, rule.to_port

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
            if (not rule.ports or ends.port in rule.ports) and self._concerns(rule, ends.client):
                said = treatment(packet, ends, way, now)
                if said is not None:
                    return said
        if self._dead and self._dead.get((ends.client, ends.server, ends.port), 0.0) > now:
            return ()
        if not self._reads_streams:
            return None
        if packet.protocol == UDP:
            return self._query(packet) if packet.dport == 53 and way is Way.OUT else None
        if packet.protocol == TCP:
            return self._segment(packet, ends, way, now)
        return None

    def _concerns(self, rule: AddressRule, client: bytes) -> bool:
        networks = self._clients[id(rule)]
        address = ipaddress.ip_address(client) if networks else None
        return not networks or any(address in network for network in networks)

    def _query(self, packet: Packet) -> Sequence[Action] | None:
        question = dns_question(packet.data)
        if question is None:
            return None
        said = (rule.on_query(packet, question) for rule in self._about("dns", question.name))
        return next((actions for actions in said if actions is not None), None)

    def _segment(self, packet: Packet, ends: Ends, way: Way, now: float) -> Sequence[Action] | None:
        if way is Way.OUT and packet.flags & (SYN | ACK) == SYN:
            self._flows[ends] = Flow(packet.seq)
            return None
        flow = self._flows.get(ends)
        if flow is None:
            return None
        if flow.fate is not None:
            return flow.fate(packet, way, now)
        if way is Way.OUT and packet.end > packet.payload and flow.take(packet):
            for rule in self._read(flow, ends.port):
                said = rule.on_name(packet, flow, now)
                if rule.residual:
                    self._dead[ends.client, ends.server, ends.port] = now + rule.residual
                if said is not None or flow.fate is not None:
                    flow.stream = None
                    return said
        return None

    def _read(self, flow: Flow, port: int) -> list[NameRule]:
        """The rules about the name that the flow's bytes now hold."""
        found: list[NameRule] = []
        while flow.stream and not found:
            stream = bytes(flow.stream)
            try:
                if port == 53:
                    size = int.from_bytes(stream[:2], "big")
                    if len(stream) < 2 + size:
                        return []
                    del flow.stream[: 2 + size]
                    question = dns_question(stream[2 : 2 + size])
                    found = self._about("dns", question.name) if question else []
                elif stream[0] == 22:
                    hello = client_hello(stream)
                    if hello is None:
                        return []
                    flow.stream, flow.layer = None, "tls"
                    found = self._about("tls", hello.name or "")
                else:
                    request = http_request(stream)
                    if request is None:
                        return []
                    flow.layer = "http"
                    del flow.stream[: request.length]
                    found = self._about_request(request)
            except ValueError:
                flow.stream = None
            if flow.stream is not None and len(flow.stream) > MAX_HELLO:
                flow.stream = None
        return found

    def _about_request(self, request: Request) -> list[NameRule]:
        found = list(self._about("http", request.host))
        for rule in self._keywords:
            if any(keyword in request.head for keyword in rule.keywords):
                found.append(rule)
        return found

    def _about(self, layer: str, name: str) -> list[NameRule]:
        found = list(self._names.get((layer, name), ()))
        parent = name
        while "." in parent:
            parent = parent.partition(".")[2]
            found += [rule for rule in self._names.get((layer, parent), ()) if rule.subdomains]
        return found

    def _lead(self, raw: bytes) -> bytes:
        packet = parse(raw)
        if packet is None:
            return raw
        width = len(packet.destination)
        to = self._rewrites.get((packet.destination, packet.dport, width)) or self._rewrites.get(
            (None, packet.dport, width)
        )
        if to is None or to == (packet.destination, packet.dport):
            return raw
        self._led[Ends(packet.source, packet.sport, *to)] = packet.destination, packet.dport
        return changed(packet, destination=to[0], dport=to[1])

    def _led_back(self, packet: Packet) -> Packet:
        ends = Ends(packet.destination, packet.dport, packet.source, packet.sport)
        came_for = self._led.get(ends)
        if came_for is None:
            return packet
        return parse(changed(packet, source=came_for[0], sport=came_for[1])) or packet


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
