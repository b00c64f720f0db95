"""From a finding down to packets: why a verdict is what it is, step by step.

Pure: a tree of lines, which ``zond explain`` prints. Nothing here judges; it shows what
the rules read and what the evidence says, so that a reader can judge for himself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache

import ibis  # type: ignore[import-untyped]  # Ibis ships no types
import msgspec
from ibis.expr.operations import Field  # type: ignore[import-untyped]

from analysis.fingerprints import known
from analysis.observations import Observation, describe
from analysis.question import schema
from analysis.rules import RULES, Rule
from analysis.verdict import Verdict
from probe.evidence import (
    PROBE,
    AnyEvidence,
    CertificateCheck,
    ControlQuery,
    DNSExchange,
    HopProbe,
    HTTPExchange,
    Measurement,
    PacketCapture,
    PacketFacts,
    QUICHandshake,
    TCPConnect,
    TLSHandshake,
    Transfer,
)

MAX_TEXT = 160  # characters of what a server said
MAX_MEANING = 100  # of what a field means; docs/rules.md has the rest


class Node(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line, and what it rests on."""

    text: str
    below: tuple[Node, ...] = ()


def explain(
    o: Observation, verdict: Verdict, measurement: Measurement | None,
    follow_ups: Sequence[Measurement] = (),
) -> Node:  # fmt: skip
    """Why *verdict* was given: rules, what they read, and the evidence behind that."""
    below = [_because(o, verdict)]
    if verdict.fingerprints:
        below.append(_known_as(verdict.fingerprints))
    if measurement is not None:
        below.append(_seen(measurement))
    if follow_ups:
        below.append(
            Node(
                text="looked at again, one thing changed at a time (docs/diagnosis.md)",
                below=tuple(n for m in follow_ups for n in _steps(m.evidence, m.started_at)),
            )
        )
    return Node(text=headline(verdict), below=tuple(below))


def headline(verdict: Verdict) -> str:
    """The verdict in a line."""
    said = [verdict.url, verdict.outcome, *verdict.mechanisms]
    if verdict.trigger:
        said.append(f"triggered by the {verdict.trigger}")
    if verdict.location is not None:
        at = verdict.location
        where = at.hop if at.hop is not None else "–".join(map(str, at.hops or ()))
        said.append(f"at hop {where}" + (f" ({at.asn})" if at.asn else ""))
    if verdict.position:
        said.append(verdict.position)
    said.append(f"from {verdict.probe_asn} {verdict.probe_cc}, {verdict.measured_at or 'never'}")
    if verdict.probability is not None:
        said.append(f"right with probability {verdict.probability:.3f}")
    return "; ".join(said)


def _because(o: Observation, verdict: Verdict) -> Node:
    by_id = {rule.id: rule for rule in RULES}
    nodes = []
    for position, id in enumerate(verdict.rules):
        rule = by_id.get(id)
        if rule is None:
            nodes.append(Node(text=f"{id}: a rule of another version"))
            continue
        gives = rule.outcome or rule.mechanism or f"trigger {rule.trigger}"
        role = "decided" if position == 0 else "fired too"
        read = tuple(Node(text=line) for line in _read_by(rule, o))
        text = f"{id} ({role}: {gives}): {rule.comment} [{rule.source}]"
        nodes.append(Node(text=text, below=read))
    return Node(text=f"because of these rules, version {verdict.rules_version}", below=tuple(nodes))


def _read_by(rule: Rule, o: Observation) -> Iterable[str]:
    """The fields that *rule* reads, with their values in *o*; those at rest are left out."""
    for name in _fields(rule.id):
        value = getattr(o, name)
        if value not in ("", 0, 0.0, False, -1, -1.0, "none", "nothing"):
            yield f"{name} = {value} ({_meaning(name)})"


@cache
def _meaning(field: str) -> str:
    return _cut(describe()[field][1], MAX_MEANING)


@cache
def _fields(rule_id: str) -> tuple[str, ...]:
    rule = next(r for r in RULES if r.id == rule_id)
    expression = rule.when.resolve(ibis.table(schema(), name="observations"))
    names = {field.name for field in expression.op().find(Field)}
    return tuple(name for name in describe() if name in names)


def _known_as(ids: Sequence[str]) -> Node:
    by_id = {f.id: f for f in known()}
    return Node(
        text="known as",
        below=tuple(
            Node(text=f"{id}: {by_id[id].meaning} [{by_id[id].source}]" if id in by_id else id)
            for id in ids
        ),
    )


def _seen(measurement: Measurement) -> Node:
    """The evidence by vantage point, ours first, each in order of time."""
    vantages: dict[str, list[AnyEvidence]] = {PROBE: []}
    for evidence in measurement.evidence:
        vantages.setdefault(evidence.vantage, []).append(evidence)
    nodes = []
    for vantage, evidences in vantages.items():
        who = "from here" if vantage == PROBE else f"from control {vantage}"
        nodes.append(Node(text=who, below=tuple(_steps(evidences, measurement.started_at))))
    return Node(
        text=f"what was seen, measurement {measurement.id} by {measurement.nettest}"
        f" {measurement.nettest_version}",
        below=tuple(nodes),
    )


def _steps(evidences: Iterable[AnyEvidence], started_at: float) -> Iterable[Node]:
    for evidence in sorted(evidences, key=lambda e: e.t0):
        step = f"{evidence.step}: " if evidence.step else ""
        ended = "ok" if evidence.failure is None else str(evidence.failure)
        detail = f" ({_cut(evidence.detail)})" if evidence.detail else ""
        at, took = f"{evidence.t0:+.3f} s", f"took {evidence.t - evidence.t0:.3f} s"
        text = f"{at} {step}{_said(evidence)}: {ended}{detail}, {took}"
        yield Node(text=text, below=tuple(_details(evidence)))


def _said(e: AnyEvidence) -> str:
    """What was done, in a line."""
    match e:
        case DNSExchange():
            asked = e.resolver or "the system's resolver"
            return f"DNS {e.engine} asks {asked} for {e.hostname} {e.rdtype}"
        case TCPConnect():
            return f"TCP connects to {_place(e.ip, e.port)}"
        case TLSHandshake():
            named = f"for {e.sni}" if e.sni else "without a name"
            hello = f", hello of {e.hello}" if e.hello else ""
            return f"TLS with {_place(e.ip, e.port)} {named}{hello}"
        case QUICHandshake():
            return f"QUIC with {_place(e.ip, e.port)} for {e.sni or 'no name'}"
        case CertificateCheck():
            return f"certificate of {_place(e.ip, e.port)} for {e.hostname}"
        case HTTPExchange():
            status = f" answers {e.status}" if e.status is not None else ""
            return f"HTTP {e.method} {_cut(e.url)} at {_place(e.ip, e.port)}{status}"
        case ControlQuery():
            return f"control {e.control} asked by way of {e.via}"
        case HopProbe():
            return f"hop: TTL {e.ttl} to {_place(e.ip, e.port)} with {e.trigger}: {e.answer}"
        case Transfer():
            return f"transfer of {e.what} from {_place(e.ip, e.port)}, {e.received} bytes"
        case PacketCapture():
            return f"packets of {_place(e.ip, e.port)}: {e.status}"
        case _:
            return type(e).__name__


def _details(e: AnyEvidence) -> Iterable[Node]:
    match e:
        case DNSExchange():
            for answer in e.answers:
                named = ", ".join((*answer.cnames, *answer.addresses)) or "nothing"
                yield Node(text=f"+{answer.t:.3f} s {answer.rcode}: {_cut(named)}")
        case TLSHandshake():
            if e.ja4 or e.alert is not None or e.segments > 1:
                alert = f", alert {e.alert}" if e.alert is not None else ""
                yield Node(text=f"JA4 {e.ja4 or 'unknown'}, {e.segments} segment(s){alert}")
        case CertificateCheck():
            problems = ", ".join(e.problems) or "no problem"
            yield Node(text=f"{problems}; subject {_cut(e.subject)}; issuer {_cut(e.issuer)}")
        case HTTPExchange():
            if e.location:
                yield Node(text=f"Location: {_cut(e.location)}")
            if e.title:
                yield Node(text=f"title: {_cut(e.title)}, {e.body_length} bytes")
        case HopProbe():
            if e.router:
                yield Node(text=f"answered by {e.router}")
        case PacketCapture():
            for packet in e.packets:
                yield Node(text=_packet(packet))
        case _:
            pass


def _packet(p: PacketFacts) -> str:
    way = "→" if p.way == "out" else "←"
    said = [f"+{p.t:.4f} s {way} {p.protocol}"]
    if p.flags:
        said.append(f"[{p.flags}]")
    said.append(f"TTL {p.ttl}")
    if p.ip_id is not None:
        said.append(f"IP ID {p.ip_id}")
    if p.protocol == "tcp":
        said.append(f"window {p.window}")
    if p.payload:
        said.append(f"{p.payload} bytes")
    if p.icmp_type is not None:
        said.append(f"ICMP {p.icmp_type}/{p.icmp_code}")
    return " ".join(said)


def _place(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def _cut(text: str, most: int = MAX_TEXT) -> str:
    """*text* in one bounded line, without what could move a terminal's cursor."""
    plain = "".join(c if c.isprintable() else "?" for c in text[: most + 1])
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def utc(at: float | None) -> str:
    """POSIX second *at* for people; ``?`` where it is None."""
    if at is None:
        return "?"
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
