"""The detector of another system on our rows: what ours has to beat.

After OONI's pipeline, version 5 (ooni/data, oonipipeline/analysis/detector.py and rules.py, 2026),
written from its published facts: a series for each country, network, domain and signal (names
by the operator's own resolver, names by another, TCP, TLS); the median in each hour of the
score for `blocked` that its rules give; a two-sided CUSUM with means 0 and 0.7, so increments
of score - 0.35, and a threshold of 10 * 0.35; sums that halve every 48 hours once nothing
came for 24; a state that expires after 10 days of nothing. Each crossing is one changepoint,
and each changepoint one alert: there are no events. HTTP is no signal.

What is kind to it: verdicts of ours are turned into its scores, so that it profits from
rules, controls and canaries of ours; `local_fault` and `inconclusive`, which it cannot tell,
are left out.
"""

from __future__ import annotations

from typing import Literal

import ibis  # type: ignore[import-untyped]  # Ibis ships no types
import msgspec
from ibis.expr.types import Table, Value  # type: ignore[import-untyped]

MEAN_BLOCKED = 0.7
HOURS_OF_DELAY = 10
HALF = MEAN_BLOCKED / 2
THRESHOLD = HOURS_OF_DELAY * HALF
GAP = 24            # hours without data, after which the sums decay
HALF_LIFE = 48.0    # hours
EXPIRES = 240       # hours without data, after which nothing is known

Signal = Literal["dns_isp", "dns_other", "tcp", "tls"]
SIGNALS: tuple[Signal, ...] = ("dns_isp", "dns_other", "tcp", "tls")

# The score for `blocked` of the rule that our mechanism is nearest to.
SCORES = {
    "dns.bogon": 0.95, "dns.substituted": 0.9, "dns.injected": 0.9, "dns.nxdomain": 0.9,
    "dns.refused": 0.9, "dns.servfail": 0.9, "dns.empty": 0.9, "dns.silence": 0.9,
    "tcp.": 0.75, "tls.forged": 0.9, "tls.reset": 0.8, "tls.": 0.7,
}  # fmt: skip
DOWN = {"dns": 0.1, "tcp": 0.25, "tls": 0.2}


class Changepoint(msgspec.Struct, frozen=True, kw_only=True):
    """*at*: end of the hour with which the threshold was crossed, POSIX seconds, which is when
    it is told; *since*: the hour in which the sum last was zero."""

    host: str
    probe_cc: str
    probe_asn: int
    signal: Signal
    state: Literal["blocked", "ok"]
    at: float
    since: float


def changepoints(rows: Table) -> list[Changepoint]:
    """Every changepoint in the verdict table *rows*, by time."""
    found = [
        change
        for signal in SIGNALS
        for change in _of_signal(rows, signal)
    ]  # fmt: skip
    return sorted(found, key=lambda c: (c.at, c.host, c.probe_asn, c.signal))


def _of_signal(rows: Table, signal: Signal) -> list[Changepoint]:
    looks = rows.filter(
        rows.outcome.isin(["ok", "blocked", "down", "server_side"]) & (rows.measured_at > 0)
    )
    own = looks.resolver_asn == looks.probe_asn
    if signal == "dns_isp":
        looks = looks.filter(own)
    elif signal == "dns_other":
        looks = looks.filter(~own)
    layer = signal.partition("_")[0]
    key = ("host", "probe_cc", "probe_asn")
    hours = looks.group_by(*key, "hour").agg(score=_score(looks, layer).median())
    # A series that is never half way up never crosses.
    high = hours.filter(hours.score > HALF).select(*key).distinct()
    hours = hours.semi_join(high, list(key)).order_by(*key, "hour")
    found: list[Changepoint] = []
    series: tuple[str, str, int] | None = None
    walk = _Walk()
    for row in hours.to_pyarrow().to_pylist():
        this = (row["host"], row["probe_cc"], row["probe_asn"])
        if this != series:
            series, walk = this, _Walk()
        change = walk.step(row["hour"], row["score"])
        if change is not None:
            state, since = change
            found.append(
                Changepoint(
                    host=this[0], probe_cc=this[1], probe_asn=this[2], signal=signal, state=state,
                    at=(row["hour"] + 1) * 3600.0, since=since * 3600.0,
                )
            )  # fmt: skip
    return found


def _score(rows: Table, layer: str) -> Value:
    cases = [
        (rows.mechanisms.contains(name), score)
        for name, score in SCORES.items()
        if name.startswith(layer)
    ]
    cases.append((rows.outcome == "down", DOWN[layer]))
    return ibis.cases(*cases, else_=0.0)


class _Walk:
    """The two sums of one series, hour by hour."""

    def __init__(self) -> None:
        self.state: Literal["unknown", "blocked", "ok"] = "unknown"
        self.up = self.down = 0.0
        self.up_since = self.down_since = 0
        self.before: int | None = None

    def step(self, hour: int, score: float) -> tuple[Literal["blocked", "ok"], int] | None:
        """The new state and since when, where this hour changes it."""
        gap = hour - self.before if self.before is not None else 0
        self.before = hour
        if gap > EXPIRES:
            self.state, self.up, self.down = "unknown", 0.0, 0.0
        elif gap > GAP:
            decay = 0.5 ** (gap / HALF_LIFE)
            self.up, self.down = self.up * decay, self.down * decay
        if self.up == 0.0:
            self.up_since = hour
        if self.down == 0.0:
            self.down_since = hour
        self.up = max(0.0, self.up + score - HALF)
        self.down = max(0.0, self.down - score + HALF)
        if self.up >= THRESHOLD:
            since, changed = self.up_since, self.state != "blocked"
            self.state, self.up, self.down = "blocked", 0.0, 0.0
            return ("blocked", since) if changed else None
        if self.down >= THRESHOLD:
            since, changed = self.down_since, self.state == "blocked"
            self.state, self.up, self.down = "ok", 0.0, 0.0
            return ("ok", since) if changed else None
        return None
