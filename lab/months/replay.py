"""When would it have been said? The chain, run on what had arrived by each of some hours.

The data of an event's targets and of some quiet ones, from three weeks before its onset, are
cut off ever later after it until the chain finds it. So the latency is that of the whole
chain, late uploads and sparse probes included, and no part of it has to say when it alerted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # no types
import pyarrow.compute as pc  # type: ignore[import-untyped]

from analysis.history.event import Event
from analysis.regime.model import Networks
from lab.months.match import match
from lab.months.score import Score
from lab.months.simulate import History
from lab.months.truth import TrueEvent

Detector = Callable[[Any, Networks], Sequence[Event]]

HOUR = 3600.0
STEPS = (1, 2, 3, 4, 6, 8, 10, 12, 18, 24, 48, 96, 240)
QUIET = 6  # targets that nothing happened to, beside those of the event
SOME = 16  # of all targets, where it is not about targets
BEFORE = 20 * 24 * HOUR  # seconds before the onset, of which the data are given


def with_latency(scored: Score, history: History, detector: Detector) -> Score:
    """*scored* with the hours until each found event was found."""
    lags = {}
    for result in scored.results:
        if result.found:
            lag = latency(history, result.event, detector)
            if lag is not None:
                lags[result.event.number] = lag
    return replace(scored, lags=lags)


def latency(history: History, event: TrueEvent, detector: Detector) -> float | None:
    """Hours after the onset at which *detector* first finds *event*; None: at no step."""
    some = beside(history, event)
    onset = min((p.onset for p in event.parts if p.shown), default=event.onset)
    for step in STEPS:
        t = onset + step * HOUR
        if t > history.end + 48 * HOUR:
            break
        found = detector(some.until(t), history.networks)
        if match(some.events, found, min(t, history.end)).found.get(event.number):
            return float(step)
    return None


def beside(history: History, event: TrueEvent) -> History:
    """*history* from some weeks before, of the event's targets and some that stay quiet."""
    hosts = [t.host for t in history.targets][:SOME]
    if event.kind not in ("outage", "shutdown"):
        busy = {host for e in history.events for host in e.targets if e.kind != "shutdown"}
        quiet = [t.host for t in history.targets if t.host not in busy][:QUIET]
        hosts = [*event.targets, *quiet]
    kept = pc.and_(
        pc.is_in(history.table["host"], pa.array(hosts)),
        pc.greater(history.table["measured_at"], event.onset - BEFORE),
    ).combine_chunks()
    return replace(
        history,
        table=history.table.filter(kept),
        arrived=history.arrived[kept.to_numpy(zero_copy_only=False)],
    )
