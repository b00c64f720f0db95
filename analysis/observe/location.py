"""Where it happens: probes with rising TTL, read as a hop number.

Pure. Hop *n* is the smallest TTL with which a packet meets the interference, so the
interferer is router *n*, or stands on the link before it. What cannot be said is not
said: a router that stays silent leaves a range, and a single connection is no location.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from probe.evidence import HopProbe, Measurement
from probe.failure import Failure

MAX_TTL = 30  # what lives longer looks for no hop
MIN_MET = 2  # connections that must meet it
OWN_NETWORK = "router's address withheld: of this machine's own network"
WITHHELD = "router's address withheld"  # how such a probe's detail begins
_SILENCE = (Failure.TIMEOUT, Failure.TIMED_OUT)
NOWHERE, READDRESSED = "where_dns_nowhere", "where_readdressed"  # rungs that tell more
_HANDSHAKE = b"\x16"  # a TLS record that a server's hello comes in (RFC 8446, 5.1)


@dataclass(frozen=True, kw_only=True)
class Location:
    """The interference is met after hop *low* and at hop *high* at the latest.

    *router* is who answers at *high*: empty if nobody does, and where it is *near*, in the
    household's own network, and its address was not told. *met* of *tries* connections say
    what is said here, those at the hop before counted with those at the hop.
    *path_length* is the TTL with which packets get there (0: not seen). *position* is
    ``"on-path"`` where the query that was answered was seen to go on, ``"in-path"`` where it
    was not although others do, else empty.
    """

    low: int
    high: int
    router: str = ""
    near: bool = False
    met: int = 0
    tries: int = 0
    path_length: int = 0
    position: Literal["", "in-path", "on-path"] = ""

    @property
    def hop(self) -> int | None:
        """The hop, where it is one."""
        return self.high if self.high - self.low == 1 else None


def columns(follow_up: Measurement) -> dict[str, str | int | float | bool]:
    """What *follow_up* says of the place, as columns of an `Observation`; none if nothing."""
    facts = follow_up.comparison
    probes = [e for e in follow_up.evidence if isinstance(e, HopProbe)]
    where = locate(probes, str(facts.get("accused", "")), str(facts.get("how", "")))
    if where is None:
        return {}
    info = follow_up.addresses.get(where.router)
    return {
        "hop_low": where.low + 1,
        "hop_high": where.high,
        "hop_ip": where.router,
        "hop_asn": info.asn if info is not None else 0,
        "hop_near": where.near,
        "hop_met": where.met,
        "hop_tries": where.tries,
        "hop_position": where.position,
        "path_length": where.path_length,
    }


def locate(probes: Sequence[HopProbe], layer: str, how: str) -> Location | None:
    """Where *layer* was interfered with, which ended as *how* (the accused's, see
    ``Measurement.comparison``); None where the probes do not tell."""
    found: dict[str, Location] = {}
    for step in dict.fromkeys(e.step for e in probes if not e.contrast):
        mine = [e for e in probes if e.step == step and 0 < e.ttl <= MAX_TTL]
        address = layer == "tcp" or step == READDRESSED
        where = _locate(mine, layer, step == READDRESSED or how in _SILENCE, address)
        if where is not None:
            found[step] = where
    # Where it ends with whoever answers last, that may be a resolver who believes somebody
    # that stands further on, or one to whom the packets were led: then the other search tells.
    other = found.pop(NOWHERE, None) or found.pop(READDRESSED, None)
    first = next(iter(found.values()), None)
    if first is None or (other is not None and first.high == first.path_length):
        return other
    return first


def _locate(
    probes: Sequence[HopProbe], layer: str, silent: bool, address: bool
) -> Location | None:
    """*silent*: silence is what is looked for; *address*: it is the SYN that meets it."""
    accused = [e for e in probes if not e.contrast and e.failure is None]
    accused = [e for e in accused if (e.trigger == "syn") == address]
    audible = {e.ttl for e in probes if e.contrast and e.answer != "nothing"}
    met: Counter[int] = Counter()
    not_met: Counter[int] = Counter()
    for e in accused:
        if _answers(e, layer, silent) or (silent and _is_missing(e, audible)):
            met[e.ttl] += 1
        elif e.answer != "nothing" or not (silent or layer == "certificate"):
            not_met[e.ttl] += 1
    high = next((t for t in sorted(met) if met[t] >= MIN_MET and met[t] > not_met[t]), None)
    if high is None:
        return None
    low = max((t for t in not_met if t < high), default=0)
    reached = [e.ttl for e in probes if e.answer == "accepted" and not e.contrast]
    if layer in ("dns", "quic"):
        reached = [e.ttl for e in probes if e.contrast and e.answer in ("answered", "closed")]
    at_high = [e for e in probes if e.ttl == high and _same_way(e, probes, low)]
    says = ("expired", "unreachable")
    routers = Counter(e.router for e in at_high if e.answer in says and e.router)
    length = min(reached, default=0)
    if routers:
        router = routers.most_common(1)[0][0]
    else:
        router = accused[0].ip if high == length else ""
    return Location(
        low=low,
        high=high,
        router=router,
        near=not router and any(e.detail == OWN_NETWORK for e in at_high),
        met=met[high] + not_met[low],
        tries=met[high] + not_met[high] + not_met[low] + met[low],
        path_length=length,
        position=_position([e for e in accused if e.ttl == high], at_high, silent),
    )


def _same_way(e: HopProbe, probes: Sequence[HopProbe], low: int) -> bool:
    """Whether the packet of *e* goes the accused's way: to its address, or to a neutral one
    by way of the same router at *low*."""
    if not (e.contrast and e.trigger == "syn") or low == 0:
        return True
    there = [p for p in probes if p.ttl == low and p.trigger == "syn" and p.router]
    accused = {p.router for p in there if not p.contrast}
    return bool(accused & {p.router for p in there if p.ip == e.ip})


def _answers(e: HopProbe, layer: str, silent: bool) -> bool:
    """Whether what came back is the interference."""
    if e.trigger == "syn":
        return e.answer in ("refused", "unreachable") and layer == "tcp"
    if e.answer in ("reset", "closed"):
        return True
    if e.trigger == "quic" and e.answer in ("refused", "unreachable"):
        return not silent
    if e.answer != "answered" or silent:
        return False
    if layer == "tls":
        return not e.received.startswith(_HANDSHAKE)
    return layer not in ("http", "quic")


def _is_missing(e: HopProbe, audible: set[int]) -> bool:
    return e.answer == "nothing" and e.ttl in audible


def _position(
    accused: Sequence[HopProbe], at_high: Sequence[HopProbe], silent: bool
) -> Literal["", "in-path", "on-path"]:
    dies_there = any(e.contrast and e.answer == "expired" for e in at_high)
    if silent:  # the same packet, but for the name, goes on and dies at the router
        return "in-path" if dies_there else ""
    # Over UDP both are heard of; a TCP connection is gone, or acknowledges the forgery.
    forged = [
        e for e in accused if e.trigger in ("dns", "quic") and e.answer in ("answered", "closed")
    ]
    if any(e.router or e.detail.startswith(WITHHELD) for e in forged):
        return "on-path"
    return "in-path" if len(forged) >= MIN_MET and dies_there else ""
