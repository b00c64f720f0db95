"""What a run shows as a whole, beside its verdicts on targets: a shutdown above all.

A shutdown takes the foreign canaries away and leaves the domestic ones. Before it is
called one, everything else that was tried abroad meanwhile must speak for it: two sites
may be blocked, a route may flap, a resolver may be cut off from the world. A loss that is
short, or that something contradicts, is told as what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import msgspec

from analysis.observe.over_run import forger
from probe.evidence import CanaryCheck, ControlQuery, Measurement, Run, TCPConnect
from probe.failure import Failure

SHORTEST = 30.0  # seconds of a loss that is more than a route finding another way
FEWEST_LOOKS = 3
# Share of the foreign addresses tried meanwhile that may answer: content networks have
# servers within the country, under addresses that are registered elsewhere.
MAY_ANSWER = 0.2
CLOCK_OFF = 3600.0  # seconds; as the probe's own bound

What = Literal[
    "shutdown", "abroad_lost", "line_lost", "forger", "vpn", "captive_portal", "wrong_clock"
]

# These say what a connection met. Others (a name that did not resolve) say nothing of it.
_CONNECTING = frozenset(
    {
        Failure.TIMEOUT, Failure.TIMED_OUT, Failure.CONNECTION_REFUSED, Failure.CONNECTION_RESET,
        Failure.CONNECTION_ABORTED, Failure.HOST_UNREACHABLE, Failure.NETWORK_UNREACHABLE,
    }
)  # fmt: skip


class RunFinding(msgspec.Struct, frozen=True, kw_only=True, tag="run", tag_field="kind"):
    """A line of ``zond verdicts --format jsonl --findings``.

    *since* and *until* are UTC; null where it was so from the beginning, or to the end.
    *note* is a sentence for the reader.
    """

    finding: What
    note: str
    run_id: str
    probe_cc: str
    probe_asn: str
    since: str | None = None
    until: str | None = None


@dataclass
class Span:
    """From the first to the last *look* that found it so; POSIX seconds. *ended*: at the
    first look that did not."""

    since: float
    last: float
    looks: int = 1
    ended: float | None = None
    from_the_start: bool = False

    @property
    def long(self) -> bool:
        return (self.ended or self.last) - self.since >= SHORTEST and self.looks >= FEWEST_LOOKS


@dataclass
class _Abroad:
    """What was tried abroad during a span: addresses that answered and that did not."""

    answered: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    controls: int = 0
    controls_silent: int = 0

    @property
    def gone(self) -> bool:
        """Whether something was tried, no control answered, and next to no address did."""
        tried = self.answered | self.silent
        few = len(self.answered) <= MAY_ANSWER * len(tried)
        return bool(self.silent or self.controls_silent) and not self.controls and few


def run_findings(
    run: Run,
    canaries: Sequence[CanaryCheck],
    measurements: Callable[[], Iterable[Measurement]],
) -> list[RunFinding]:
    """The findings of *run*. *measurements* is called only where something abroad was lost."""
    found = [*_of_the_place(run, canaries)]
    looks = list(_looks(canaries))
    for span in _spans(looks, _line_lost):
        note = "the volunteer's own line was dead: nothing is said of anybody else"
        found.append(_finding(run, "line_lost", note, span))
    for span in _spans(looks, _abroad_lost):
        abroad = _tried_abroad(run, span, measurements())
        if span.long and abroad.gone:
            note = (
                "nothing abroad answered, while sites in the country did: neither canaries nor"
                f" controls, nor {len(abroad.silent)} addresses of targets"
            )
            found.append(_finding(run, "shutdown", note, span))
        else:
            why = "other things abroad answered" if span.long else "not for long enough to tell"
            note = f"no foreign canary answered, while domestic ones did; no shutdown: {why}"
            found.append(_finding(run, "abroad_lost", note, span))
    return found


def _of_the_place(run: Run, canaries: Sequence[CanaryCheck]) -> Iterator[RunFinding]:
    if run.captive_portal:
        yield _finding(run, "captive_portal", "a captive portal answered in place of the sites")
    if run.vpn:
        note = "a VPN carried the traffic: what was found is about the network at its other end"
        yield _finding(run, "vpn", note)
    if run.clock_offset is not None and abs(run.clock_offset) > CLOCK_OFF:
        note = f"the clock was off by {run.clock_offset:+.0f} s, which was allowed for"
        yield _finding(run, "wrong_clock", note)
    if issuer := forger(canaries):
        where = {"machine": ", on this machine", "hop": ", at the first router"}
        note = f"{issuer} signs for every site{where.get(run.forger_at, '')}"
        yield _finding(run, "forger", note)


def _looks(canaries: Iterable[CanaryCheck]) -> Iterator[list[CanaryCheck]]:
    """The checks of each look, in order: a canary comes once in a look."""
    look: list[CanaryCheck] = []
    seen: set[tuple[str, str, int]] = set()
    for check in canaries:
        key = check.ring, check.name, check.family
        if key in seen:
            yield look
            look, seen = [], set()
        look.append(check)
        seen.add(key)
    if look:
        yield look


def _spans(
    looks: Iterable[list[CanaryCheck]], is_so: Callable[[list[CanaryCheck]], bool | None]
) -> list[Span]:
    """Where *is_so* holds from look to look; None neither begins, nor goes on, nor ends one."""
    spans: list[Span] = []
    begun = True
    for look in looks:
        answer = is_so(look)
        if answer is None:
            continue
        at = min(check.at for check in look)
        current = spans[-1] if spans and spans[-1].ended is None else None
        if answer and current is None:
            spans.append(Span(at, at, from_the_start=begun))
        elif answer and current is not None:
            current.last, current.looks = at, current.looks + 1
        elif current is not None:
            current.ended = at
        begun = False
    return spans


def _alive(look: Iterable[CanaryCheck], ring: str) -> bool | None:
    """Whether *ring* answers; None where no connection was tried."""
    failures = [c.failure for c in look if c.ring == ring]
    if None in failures:
        return True
    return False if failures and set(failures) <= _CONNECTING else None


def _abroad_lost(look: list[CanaryCheck]) -> bool | None:
    foreign, domestic = _alive(look, "foreign"), _alive(look, "domestic")
    if foreign is None or (not foreign and not domestic):
        return None
    return not foreign


def _line_lost(look: list[CanaryCheck]) -> bool | None:
    rings = [_alive(look, ring) for ring in ("domestic", "foreign")]
    if True in rings:
        return False
    return True if False in rings else None


def _tried_abroad(run: Run, span: Span, measurements: Iterable[Measurement]) -> _Abroad:
    tried = _Abroad()
    until = span.ended if span.ended is not None else float("inf")
    for m in measurements:
        for e in m.evidence:
            began, ended = m.started_at + e.t0, m.started_at + e.t
            if began < span.since or ended > until:
                continue
            if isinstance(e, ControlQuery):
                if e.failure is None:
                    tried.controls += 1
                else:
                    tried.controls_silent += 1
            elif isinstance(e, TCPConnect) and e.vantage == "probe" and not e.held:
                info = m.addresses.get(e.ip)
                if info is not None and info.cc not in ("ZZ", run.probe_cc):
                    (tried.silent if e.failure else tried.answered).add(e.ip)
    return tried


def _finding(run: Run, what: What, note: str, span: Span | None = None) -> RunFinding:
    return RunFinding(
        finding=what,
        note=note,
        run_id=run.id,
        probe_cc=run.probe_cc,
        probe_asn=f"AS{run.probe_asn}",
        since=None if span is None or span.from_the_start else _utc(span.since),
        until=None if span is None or span.ended is None else _utc(span.ended),
    )


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
