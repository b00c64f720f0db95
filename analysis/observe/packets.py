"""What captured packets add to a follow-up: who forged what, and did our words get through?

Pure. A censor *on the path's side* sees a copy of what we say and can only add to it: the
true answer arrives as well. One *in the path* can keep packets back. Which of the two it
is, is said where it is seen and not guessed: the true answer beside the forged one in one
connection is proof; its absence counts from the second connection on, and only where the
server answers otherwise. Whether the server was sent a reset as well cannot be seen from
here.

Nothing here decides whether something is blocked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from analysis import fingerprints
from analysis.observe.ends import FREE, SAME, Test
from probe.evidence import AnyEvidence, DNSExchange, PacketCapture, PacketFacts

Position = Literal["", "in-path", "on-path"]
Result = tuple[Test, str]

MIN_STOPPED = 2  # connections in which nothing of the server's follows
ROUND_TRIPS = 2.0  # for which a connection must have been watched after our words
AT_ONCE = 0.5  # seconds
_NO_ANSWER = "dns silence"
NO_ROUND_TRIP = 1.0  # seconds, where the server was never heard
UNKNOWN = -1


@dataclass(frozen=True)
class Flow:
    """One connection of a test that met what is accused, as its packets show it.

    *until*: when the capture ended. Packets are in the order of the kernel.
    """

    packets: tuple[PacketFacts, ...]
    until: float

    @property
    def handshake(self) -> PacketFacts | None:
        """The server's SYN,ACK."""
        return next((p for p in self._back() if {"S", "A"} <= set(p.flags)), None)

    @property
    def ending(self) -> PacketFacts | None:
        """What ended it first: a RST, a FIN, or an ICMP error about it."""
        return next((p for p in self._back() if _ends(p)), None)

    @property
    def round_trip(self) -> float | None:
        answer, asked = self.handshake, next((p for p in self.packets if p.way == "out"), None)
        return answer.t - asked.t if answer and asked else None

    def said(self) -> int:
        """The number after the last byte (or SYN) of ours, until it was ended.

        0 where the end of what we said was not captured: it is pushed (RFC 9293, 3.9.1), and
        without it an answer to its beginning would look like one to all of it.
        """
        end, whole = 0, True
        for p in self.packets:
            if p is self.ending:
                break
            if p.way == "out" and p.seq is not None and "R" not in p.flags:
                end = max(end, p.seq + p.payload + ("S" in p.flags))
                whole = "P" in p.flags if p.payload else whole
        return end if whole else 0

    def passed(self) -> bool:
        """Whether the server has heard all that we said, although it was ended by another."""
        ending, said, handshake = self.ending, self.said(), self.handshake
        if ending is None or not said:
            return False
        after = False
        for p in self._back():
            if p is ending:
                after = True
            elif _hears(p, said):
                if after and _contradicts(p, ending):
                    return True
                elsewhence = handshake is not None and ending.ttl != handshake.ttl == p.ttl
                if not after and said > 1 and elsewhence and ending.protocol == "tcp":
                    return True
        return False

    def stopped(self, round_trip: float | None, *, nearer: bool = False) -> bool:
        """Whether our words were kept from the server, as far as this connection shows.

        *round_trip* is the longest that is known to that server. *nearer*: who ended it is
        known to be nearer than the server.
        """
        ending, said, handshake = self.ending, self.said(), self.handshake
        spoke = [p.t for p in self.packets if p.way == "out" and "R" not in p.flags]
        if not spoke or not said:
            return False
        patience = NO_ROUND_TRIP if round_trip is None else ROUND_TRIPS * round_trip
        if self.until - spoke[0] < patience:
            return False
        if ending is not None and ending.protocol == "tcp" and handshake is not None:
            # One that looks like the server's own may be the server's own; and after a bare
            # handshake we said nothing that could have been kept back.
            alike = ending.ttl == handshake.ttl and not nearer and not self._goes_on()
            if alike or said <= 1:
                return False
        if ending is None and not self._repeated():
            return False
        return not any(_hears(p, said) for p in self._back() if not self._forged(p))

    def _goes_on(self) -> bool:
        """Whether the server said anything after it had reset the connection, as it seemed."""
        ending = self.ending
        if ending is None or "R" not in ending.flags:
            return False
        after = self.packets[self.packets.index(ending) + 1 :]
        return any(_hears(p, 0) for p in after if p.way == "back")

    def _forged(self, p: PacketFacts) -> bool:
        """Whether *p* came with, or from, what ended it."""
        ending, handshake = self.ending, self.handshake
        if ending is None:
            return False
        return p is ending or (handshake is not None and p.ttl == ending.ttl != handshake.ttl)

    def _repeated(self) -> bool:
        """Whether our kernel had to say something again."""
        said = Counter((p.seq, p.payload) for p in self.packets if p.way == "out" and _weighs(p))
        return any(n > 1 for n in said.values())

    def _back(self) -> Iterator[PacketFacts]:
        return (p for p in self.packets if p.way == "back")


def _weighs(p: PacketFacts) -> bool:
    return bool(p.payload) or "S" in p.flags


def _ends(p: PacketFacts) -> bool:
    unreachable = p.protocol == "icmp" and p.icmp_type in (1, 3) and p.icmp_code is not None
    return unreachable or bool(set("RF") & set(p.flags))


def _hears(p: PacketFacts, said: int) -> bool:
    return p.protocol == "tcp" and "R" not in p.flags and p.ack is not None and p.ack >= said


def _contradicts(p: PacketFacts, ending: PacketFacts) -> bool:
    """Whether who sent *ending* would not have sent *p* after it."""
    if ending.protocol == "icmp" or "R" in ending.flags:
        return True
    if p.ttl != ending.ttl:
        return True
    if p.seq is None or ending.seq is None:
        return False
    same = (p.seq, p.payload) == (ending.seq, ending.payload)  # sent once more
    return not same and p.payload > 0 and p.seq + p.payload > ending.seq


def packet_columns(
    evidence: Iterable[AnyEvidence],
    results: Sequence[Result],
    layer: str,
    *,
    asn: int = 0,
    nearer: bool = False,
) -> dict[str, object]:
    """Columns of an `Observation` from a follow-up of *layer*: its *evidence*, and its tests
    with how each ended (``same``, ``free``, ``other``). *asn*: the probe's. *nearer*: it was
    met at a hop before the server's."""
    captures = [e for e in evidence if isinstance(e, PacketCapture)]
    flows = list(_flows(captures, results))
    resets = [(f, f.ending) for f in flows]
    reset = next(((f, p) for f, p in resets if p is not None and "R" in p.flags), None)
    columns: dict[str, object] = {
        "packets": _status(captures),
        "position": _position(flows, results, layer, nearer),
        "fingerprint_packet": ",".join(
            sorted({f.id for flow in flows for f in fingerprints.in_packets(flow.packets, asn)})
        ),
    }
    if reset is not None:
        flow, packet = reset
        answer = flow.handshake
        columns |= {
            "reset_ttl": packet.ttl,
            "reset_ttl_synack": UNKNOWN if answer is None else answer.ttl,
            "reset_window": packet.window,
            "reset_ip_id": UNKNOWN if packet.ip_id is None else packet.ip_id,
        }
    return columns


def _status(captures: Sequence[PacketCapture]) -> str:
    statuses = {e.status for e in captures}
    return "captured" if "captured" in statuses else next(iter(statuses), "")


def _flows(captures: Sequence[PacketCapture], results: Sequence[Result]) -> Iterator[Flow]:
    """The TCP connections of the tests that met what is accused."""
    for capture in captures:
        place = (capture.step, capture.ip, capture.port)
        tests = [r for r in results if (r[0].step, r[0].ip, r[0].port) == place]
        for packets in _connections(capture):
            # Tests of one place are a pause apart, and connect as soon as they begin.
            near = [(abs(t.began - packets[0].t), result) for t, result in tests]
            apart, result = min(near, default=(AT_ONCE, ""))
            if apart < AT_ONCE and result == SAME:
                yield Flow(tuple(packets), capture.t)


def _connections(capture: PacketCapture) -> Iterable[list[PacketFacts]]:
    by_port: dict[int, list[PacketFacts]] = {}
    for p in capture.packets:
        ours = p.sport if p.way == "out" or p.protocol == "icmp" else p.dport
        if p.protocol != "udp":
            by_port.setdefault(ours, []).append(p)
    return by_port.values()


def _position(
    flows: Sequence[Flow], results: Sequence[Result], layer: str, nearer: bool
) -> Position:
    if layer == "dns":
        return _position_by_answers(results)
    if any(flow.passed() for flow in flows):
        return "on-path"
    met = [test for test, result in results if result == SAME]
    answered = {(t.ip, t.port) for t, result in results if result == FREE}
    # A whole address that does not answer, or somebody else does, has nothing to be compared
    # with but the controls, and without them nothing is called blocked.
    if not any((t.ip, t.port) in answered for t in met) and layer not in ("tcp", "certificate"):
        return ""
    if layer == "certificate":
        # Somebody else had the whole connection, from its first packet on.
        return "in-path" if len(met) >= MIN_STOPPED else ""
    trips = [flow.round_trip for flow in flows if flow.round_trip is not None]
    stopped = sum(flow.stopped(max(trips, default=None), nearer=nearer) for flow in flows)
    # Silence needs no capture: who can only add packets can make none.
    silent = sum(t.end.endswith("silence") for t in met)
    return "in-path" if max(stopped, silent) >= MIN_STOPPED else ""


def _position_by_answers(results: Sequence[Result]) -> Position:
    lied = [
        (test, test.exchange)
        for test, result in results
        if result == SAME and test.exchange is not None and test.exchange.engine == "udp"
    ]
    if any(len(_said(e)) > 1 for _, e in lied):
        return "on-path"
    answering = {t.ip for t, result in results if result == FREE}
    # A resolver of the operator's own may lie by itself, and where none is, none is kept back.
    kept_back = [
        test for test, e in lied if not e.own and test.ip in answering and len(_said(e)) <= 1
    ]
    if len(kept_back) >= MIN_STOPPED or len(_swallowed(results)) >= MIN_STOPPED:
        return "in-path"
    return ""


def _swallowed(results: Sequence[Result]) -> set[str]:
    """Addresses without a resolver, where a question is refused, and one about the name not."""
    names = {t.said for t, result in results if result == SAME and t.end == _NO_ANSWER}
    bare = [t for t, _ in results if t.step == "bare_dns"]
    refused = {t.ip for t in bare if t.said not in names and t.end != _NO_ANSWER}
    return {t.ip for t in bare if t.said in names and t.end == _NO_ANSWER and t.ip in refused}


def _said(e: DNSExchange) -> set[tuple[str, tuple[str, ...]]]:
    return {(answer.rcode, tuple(sorted(answer.addresses))) for answer in e.answers}
