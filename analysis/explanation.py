"""Which explanation belongs to a URL or an event: gathers what `analysis.explain` shows."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from analysis.explain import Node, explain, utc
from analysis.history.event import Event, Interval, Part
from analysis.history.story import story
from analysis.history.whole import History
from analysis.regime.findings import EventFindings
from analysis.regime.query import Result
from analysis.verdict import judge, observations
from probe.store import Store, StoreError

MAX_SHOWN = 3  # measurements shown whole for one URL or event
MAX_PARTS = 40


def of_target(what: str, store: Store) -> Node | None:
    """The latest verdicts on the URL, or host, *what*; None: it was not measured."""
    found: list[Node] = []
    for run in reversed(store.runs()):
        rows = [row for row in observations(store, run) if _is(row.url, what) and row.measured]
        for row, verdict in zip(rows, judge(rows), strict=True):
            if len(found) < MAX_SHOWN:
                measurement = store.measurement(row.measurement_id)
                found.append(
                    explain(row, verdict, measurement, store.follow_ups(row.measurement_id))
                )
        if found:
            break
    if len(found) == 1:
        return found[0]
    return Node(text=what, below=tuple(found)) if found else None


def of_event(id: str, history: History, store: Store | None) -> Node | None:
    """The event whose id begins with *id*, down to the evidence; None: there is none."""
    for event, finding in zip(history.events, history.findings, strict=True):
        if event.id.startswith(id):
            return _event(event, finding, store)
    return None


def finding_lines(finding: EventFindings) -> Iterator[str]:
    """What the documents say of an event, in lines."""
    for aspect in finding.findings:
        yield f"{aspect.aspect}: {aspect.state}: {aspect.says}"
    for instrument in finding.instruments:
        grounds = f"; grounds: {', '.join(instrument.grounds)}" if instrument.grounds else ""
        yield (
            f"could rest on {instrument.title} (in force {instrument.in_force}{grounds};"
            f" appeal: {instrument.appeal})"
        )
    if finding.may_decide:
        yield f"who may decide under these: {', '.join(finding.may_decide)}"
    yield f"recourse: {finding.recourse.says}"
    yield from (f"score: {score}" for score in finding.recourse.scores)
    yield f"information that may not be restricted: {finding.protection.says}"
    for missing in finding.missing:
        yield f"missing: {missing}"
    yield finding.caution


def law_lines(result: Result) -> Iterator[str]:
    """The legal side of a hypothesis, in lines."""
    yield f"rests on {result.legal_basis}"
    if result.law is None:
        return
    yield from (f"instrument: {instrument}" for instrument in result.law.instruments)
    if result.law.may_decide:
        yield f"who may decide: {', '.join(result.law.may_decide)}"
    yield f"recourse: {result.law.recourse.says}"
    yield from (f"score: {score}" for score in result.law.recourse.scores)
    yield f"information that may not be restricted: {result.law.protected}"


def _event(event: Event, finding: EventFindings, store: Store | None) -> Node:
    below = [
        Node(
            text=f"beside the documents of {finding.country}: {finding.state}: {finding.says}",
            below=tuple(Node(text=line) for line in finding_lines(finding)),
        ),
        Node(
            text=f"{len(event.parts)} parts: what each series shows",
            below=tuple(_part(part) for part in event.parts[:MAX_PARTS]),
        ),
    ]
    if store is not None:
        below.append(_measurements(event, store))
    return Node(text=story(event), below=tuple(below))


def _part(part: Part) -> Node:
    where = f"AS{part.probe_asn}"
    if part.resolver_asn:
        where += f", resolver in AS{part.resolver_asn}"
    lift = _interval(part.lift) if part.lift is not None else "goes on, as far as was looked"
    return Node(
        text=f"{part.host} {part.mechanism} on {where}: {part.blocked} of {part.measured}"
        f" measurements of {part.probes} probes",
        below=(
            Node(text=f"onset {_interval(part.onset)}"),
            Node(text=f"lift {lift}"),
            Node(text=f"measurements: {', '.join(part.evidence) or 'none named'}"),
        ),
    )


def _interval(interval: Interval) -> str:
    return (
        f"after {utc(interval.after)}, by {utc(interval.by)}"
        f" (probability {interval.probability:.2f})"
    )


def _measurements(event: Event, store: Store) -> Node:
    """Some of the measurements that the event rests on, whole."""
    shown = []
    for id in dict.fromkeys((*event.evidence, *(i for p in event.parts for i in p.evidence))):
        try:
            measurement = store.measurement(id)
        except StoreError:
            continue  # it is in the dataset, and was made by somebody else
        run = next((run for run in store.runs() if run.id == measurement.run_id), None)
        if run is None:
            continue
        rows = [row for row in observations(store, run) if row.measurement_id == id]
        for row, verdict in zip(rows, judge(rows), strict=True):
            shown.append(explain(row, verdict, measurement, store.follow_ups(id)))
        if len(shown) >= MAX_SHOWN:
            break
    return Node(text=f"{len(shown)} of its measurements, whole", below=tuple(shown))


def _is(url: str, what: str) -> bool:
    return url == what or urlsplit(url).hostname == what
