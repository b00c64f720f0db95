"""What no network could have produced: marks on documents, from what they say alone.

Rule: a mark is for what cannot be, or what no honest probe of any version does; what is only
rare stays unmarked, because censors make rare things. Nothing is refused here: who poisons a
dataset learns from a refusal what to change, and an honest probe with a bug loses nothing.
The limits are physics or the software's own constants, and each says which.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address

from analysis.collector.documents import Documents
from analysis.collector.notes import Mark
from probe.evidence import (
    PROBE,
    AnyEvidence,
    ControlQuery,
    DNSExchange,
    HTTPExchange,
    Measurement,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure
from probe.formats.batch import Header

DAY = 86400.0
SOFTWARE_BEGAN = datetime(2026, 11, 1, tzinfo=UTC).timestamp()  # the first commit is of this month
CLOCK_DAYS = 2.0  # that an honest clock may be wrong and still have passed the run's own check

# Light in glass takes 5 microseconds for a kilometre: what answers in less than this is nearer
# than 4 km there and back, which is no site, though it may be a proxy on the user's machine.
LEAST_RTT = 40e-6
LEAST_OPERATIONS = 4  # successes that must all be so fast: one may be a lie of a nearby box
# No deadline of the software's is shorter; a censor cannot shorten it.
LEAST_WAIT = 0.2
LEAST_TARGETS = 8  # of a batch, before their all taking no time says something
LEAST_RUNTIME = 0.001


def marks(header: Header, documents: Documents, now: float) -> list[Mark]:
    """Of all of a batch, received at *now* (POSIX seconds)."""
    found = list(_of_runs(header, documents, now))
    runs = {run.id for run in documents.runs.values()}
    for line, m in documents.measurements.items():
        if m.run_id not in runs:
            found.append(Mark(mark="no_run", line=line))
        found += (Mark(mark=mark, line=line, detail=why) for mark, why in _times(header, m, now))
        found += (Mark(mark=mark, line=line, detail=why) for mark, why in _physics(m))
        found += (Mark(mark=mark, line=line, detail=why) for mark, why in _controls(m))
    own = [m for m in documents.measurements.values() if m.evidence]
    if len(own) >= LEAST_TARGETS and all(_instant(m) for m in own):
        found.append(Mark(mark="all_at_once", detail=f"{len(own)} measurements"))
    return found


def _of_runs(header: Header, documents: Documents, now: float) -> Iterator[Mark]:
    for line, run in documents.runs.items():
        if (run.probe_asn, run.probe_cc) != (header.probe_asn, header.probe_cc):
            there = f"AS{run.probe_asn} {run.probe_cc}"
            yield Mark(mark="other_network", line=line, detail=there)
        if run.started_at > now + CLOCK_DAYS * DAY:
            yield Mark(mark="future", line=line, detail=_day(run.started_at))


def _times(header: Header, m: Measurement, now: float) -> Iterator[tuple[str, str]]:
    if m.started_at > now + CLOCK_DAYS * DAY:
        yield "future", _day(m.started_at)
    if m.started_at < SOFTWARE_BEGAN and not m.document:
        yield "before_software", _day(m.started_at)
    # A run at the turn of a month is in the batch of either.
    near = {_day(m.started_at + shift * DAY)[:7] for shift in (-CLOCK_DAYS, 0, CLOCK_DAYS)}
    if header.month not in near:
        yield "other_month", _day(m.started_at)


def _physics(m: Measurement) -> Iterator[tuple[str, str]]:
    backwards = [e.kind for e in map(_Shown, m.evidence) if e.seconds < 0]
    if backwards:
        yield "backwards", backwards[0]
    afar = [e.t - e.t0 for e in m.evidence if _from_afar(e)]
    if len(afar) >= LEAST_OPERATIONS and max(afar) < LEAST_RTT:
        yield "faster_than_light", f"{len(afar)} answers within {max(afar) * 1e6:.0f} us"
    hasty = [
        e for e in m.evidence
        if e.vantage == PROBE and e.failure is Failure.TIMEOUT and e.t - e.t0 < LEAST_WAIT
        and isinstance(e, (TCPConnect, TLSHandshake, DNSExchange))
    ]  # fmt: skip
    if hasty and not m.document:
        yield "no_time_to_wait", f"{hasty[0].t - hasty[0].t0:.3f} s"


def _controls(m: Measurement) -> Iterator[tuple[str, str]]:
    asked = {e.control for e in m.evidence if isinstance(e, ControlQuery)}
    seen = {e.vantage for e in m.evidence} - {PROBE}
    if seen - asked and not m.document:
        yield "control_not_asked", sorted(seen - asked)[0][:60]
    for e in m.evidence:
        if e.vantage == PROBE or m.document:
            continue
        if isinstance(e, TLSHandshake) and e.chain:
            yield "not_a_control", "certificates, where a control sends their hashes"
            return
        if isinstance(e, DNSExchange) and (e.own or any(a.raw for a in e.answers)):
            yield "not_a_control", "a raw DNS message, which a control leaves out"
            return
        if isinstance(e, HTTPExchange) and e.body is not None:
            yield "not_a_control", "a body, which a control does not keep"
            return


class _Shown:
    """An operation's kind and duration, for a detail."""

    def __init__(self, e: AnyEvidence) -> None:
        self.kind = type(e).__name__
        self.seconds = e.t - e.t0


def _from_afar(e: AnyEvidence) -> bool:
    """Whether *e* is the probe's success with a public address."""
    if e.vantage != PROBE or e.failure is not None:
        return False
    if not isinstance(e, (TCPConnect, TLSHandshake)):
        return False
    try:
        return ip_address(e.ip.partition("%")[0]).is_global
    except ValueError:
        return False


def _instant(m: Measurement) -> bool:
    return m.runtime < LEAST_RUNTIME and all(e.t - e.t0 < LEAST_RUNTIME for e in m.evidence)


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
