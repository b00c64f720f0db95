"""Small histories of one site made by hand: what each look saw, hour by hour."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from analysis.history.changes import parts
from analysis.history.event import Interval, Part
from analysis.history.rows import as_table
from analysis.history.table import VerdictRow

HOUR = 3600.0
T0 = 19_702 * 86400.0  # a Monday, midnight UTC
MTS = 25106

Seen = Callable[[float], str]  # hours since T0 -> mechanisms; "" is ok, "!down" an outcome


def look(
    hour: float, seen: str, *, probe: str = "a", host: str = "x.example", asn: int = MTS,
    url: str = "", ip: str = "", resolver: int = 0, probability: float = 0.98,
    source: str = "zond", kind: str = "", region: str = "", run: str = "", outcome: str = "",
) -> VerdictRow:  # fmt: skip
    """One row. *hour*: since T0."""
    at = T0 + hour * HOUR
    named = seen[1:] if seen.startswith("!") else "blocked" if seen else "ok"
    mechanisms = "" if seen.startswith("!") else seen
    return VerdictRow(
        measurement_id=f"{host} {asn} {probe} {hour} {url} {ip}", run_id=run or f"{probe} {hour}",
        source=source, url=url or f"https://{host}/", host=host, measured_at=at,
        day=int(at // 86400), hour=int(at // HOUR), probe_id=probe, probe_cc="BY",
        probe_asn=asn, resolver_asn=resolver, ip=ip, outcome=outcome or named,
        mechanism=mechanisms.partition(",")[0], mechanisms=mechanisms, probability=probability,
        network_type=kind, region=region,
    )  # fmt: skip


def hourly(seen: Seen, hours: Iterable[float], **fixed: Any) -> list[VerdictRow]:
    return [look(h, seen(h), **fixed) for h in hours]


def between(begin: float, end: float, mechanism: str = "tls.reset") -> Seen:
    """Blocked from *begin* until before *end*."""
    return lambda h: mechanism if begin <= h < end else ""


def found(rows: list[VerdictRow], until: float | None = None) -> tuple[Part, ...]:
    return parts(as_table(rows), until=None if until is None else T0 + until * HOUR)


def one(rows: list[VerdictRow]) -> Part:
    result = found(rows)
    assert len(result) == 1, result
    return result[0]


def holds(interval: Interval | None, hour: float) -> bool:
    """Whether *hour* lies in it."""
    assert interval is not None and interval.by is not None
    after = -math.inf if interval.after is None else interval.after
    return after <= T0 + hour * HOUR <= interval.by


def hours_of(interval: Interval | None) -> tuple[float | None, float | None]:
    """Its ends in hours since T0."""
    assert interval is not None
    return tuple(None if t is None else (t - T0) / HOUR for t in (interval.after, interval.by))  # type: ignore[return-value]
