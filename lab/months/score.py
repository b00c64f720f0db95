"""How well were the months understood? Found events against true ones.

What each number means:

- *recall*: true events that were found, of those that the rows show at least three times;
- *precision*: found events that are of something that happened and, where they accuse,
  of interference. What is not counted in the truth (a volunteer's own line, what stood since
  before the data) is left out of both;
- *alerts*: found events for each true one that was found; one is right;
- *latency*: hours from the onset until the chain, run on what had arrived by then, says so
  (`lab.months.replay`);
- *onset* and *lift held*: parts (a target on a network) whose interval holds the moment at
  which it truly changed; *whole*: events, whose onset is that of the first network that
  anybody measured, and whose lift that of the last;
- *false*: found events that nothing stands behind, for 1,000 cells of a target, a network and a
  week in which something was measured and nothing happened.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis.history.event import Event, Interval, Part
from lab.months.match import ACCUSING, Matched, match, parts_of
from lab.months.simulate import History
from lab.months.truth import TrueEvent

WEEK = 7 * 86400.0
MEASURED = 7  # rows a week without which a cell is not one that was watched


@dataclass(frozen=True, kw_only=True)
class Result:
    """One true event as it was found. None: does not apply. *onsets*, *lifts*: parts whose
    interval holds the truth, of how many; *widths*: hours of the onset intervals that are
    closed. *mechanisms*: parts whose mechanism is one that truly was, of how many; *layers*:
    the same of its layer alone (dns, tcp, tls, http)."""

    event: TrueEvent
    found: tuple[Event, ...]
    misnamed: tuple[Event, ...] = ()
    kind: bool | None = None
    scope: bool | None = None
    scope_open: bool = False
    whole_onset: bool | None = None
    whole_lift: bool | None = None
    shift: bool | None = None
    onsets: tuple[int, int] = (0, 0)
    lifts: tuple[int, int] = (0, 0)
    lifts_unseen: int = 0
    mechanisms: tuple[int, int] = (0, 0)
    layers: tuple[int, int] = (0, 0)
    widths: tuple[float, ...] = ()
    latency: float | None = None


@dataclass(frozen=True, kw_only=True)
class Score:
    """The results of one history. *latency* of each is filled in by `lab.months.replay`."""

    results: tuple[Result, ...]
    matched: Matched
    counted: int
    uncounted: int
    clean_weeks: int
    seed: int
    name: str = ""
    lags: dict[int, float] = field(default_factory=dict)


def score(history: History, found: Sequence[Event], name: str = "") -> Score:
    """*found* against the truth of *history*."""
    matched = match(history.events, found, history.end)
    misnamed: dict[int, list[Event]] = {}
    for event, one in matched.misnamed:
        misnamed.setdefault(event.number, []).append(one)
    counted = [e for e in history.events if e.counted]
    results = tuple(
        _result(e, matched.found.get(e.number, []), misnamed.get(e.number, []), history.end)
        for e in counted
    )
    alerts = sum(len(r.found) for r in results)
    others = sum(map(len, matched.found.values())) - alerts
    return Score(
        results=results, matched=matched, counted=alerts, uncounted=others,
        clean_weeks=clean_weeks(history), seed=history.seed, name=name,
    )  # fmt: skip


def _result(
    event: TrueEvent, found: Sequence[Event], misnamed: Sequence[Event], end: float
) -> Result:
    if not found:
        return Result(event=event, found=(), misnamed=tuple(misnamed))
    best = found[0]
    accused = event.kind in ACCUSING
    of_parts = _parts(event, found, end)
    first = _first_shown(event)
    scope = _scopes(event)
    return Result(
        event=event,
        found=tuple(found),
        misnamed=tuple(misnamed),
        kind=best.kind == event.kind,
        scope=best.scope in scope if accused else None,
        scope_open=accused and best.scope == "unknown",
        whole_onset=_holds(best.onset, first),
        whole_lift=_holds(best.lift, event.lift) if event.lift < end and best.lift else None,
        shift=_shifted(event, best) if event.story == "mechanism shift" else None,
        **of_parts,
    )


def _first_shown(event: TrueEvent) -> float:
    """The onset as far as anybody measured: the earliest of the parts that rows show."""
    return min((p.onset for p in event.parts if p.shown), default=event.onset)


def _scopes(event: TrueEvent) -> set[str]:
    """What may be said of the scope: where one network alone was measured, that is it."""
    shown = {p.asn for p in event.parts if p.shown}
    return {event.scope, "network"} if len(shown) <= 1 else {event.scope}


def _shifted(event: TrueEvent, best: Event) -> bool:
    """Whether the first mechanism of all is named first, and a later one after it."""
    return len(best.mechanisms) > 1 and best.mechanisms[:1] == event.mechanisms[:1]


def _parts(event: TrueEvent, found: Sequence[Event], end: float) -> dict[str, Any]:
    """The fields of a `Result` that count parts."""
    theirs = parts_of(found)
    onsets = lifts = named = layers = seen = lifted = unseen = 0
    widths = []
    for part in event.parts:
        each = theirs.get((part.host, part.asn))
        if not each or not part.shown:
            continue
        seen += 1
        onsets += _holds(each[0].onset, part.onset)
        named += each[0].mechanism in part.mechanisms
        layers += _layer(each[0].mechanism) in {_layer(m) for m in part.mechanisms}
        if each[0].onset.after is not None and each[0].onset.by is not None:
            widths.append((each[0].onset.by - each[0].onset.after) / 3600)
        last = _last(each)
        if part.lift < end and last is not None:
            lifted += 1
            lifts += _holds(last, part.lift)
        elif part.lift < end:
            unseen += 1
    return {
        "onsets": (onsets, seen), "lifts": (lifts, lifted), "lifts_unseen": unseen,
        "mechanisms": (named, seen), "layers": (layers, seen), "widths": tuple(widths),
    }  # fmt: skip


def _layer(mechanism: str) -> str:
    return mechanism.partition(".")[0]


def _last(parts: Iterable[Part]) -> Interval | None:
    """The lift of what lifted last; None where something is said to go on."""
    lifts = [part.lift for part in parts]
    known = [lift for lift in lifts if lift is not None]
    if len(known) < len(lifts) or not known:
        return None
    return max(known, key=lambda lift: lift.by or lift.after or 0.0)


def _holds(interval: Interval | None, moment: float) -> bool:
    if interval is None:
        return False
    after = -float("inf") if interval.after is None else interval.after
    by = float("inf") if interval.by is None else interval.by
    return after <= moment <= by


def clean_weeks(history: History) -> int:
    """Cells of a target, a network and a week that were watched, and nothing happened in."""
    rows = history.rows()
    rows = rows.filter((rows.probe_cc == "BY") & (rows.measured_at >= history.begin))
    cells = (
        rows.group_by("host", "probe_asn", week=((rows.measured_at - history.begin) // WEEK))
        .agg(n=rows.count())
        .filter(lambda t: t.n >= MEASURED)
        .to_pyarrow()
        .to_pylist()
    )
    busy: dict[str, list[tuple[int, float, float]]] = {}
    for event in history.events:
        spans = [(p.host, p.asn, p.onset, p.lift) for p in event.parts]
        spans = spans or [(h, 0, event.onset, event.lift) for h in event.targets]
        for host, asn, onset, lift in spans:
            busy.setdefault(host, []).append((asn, onset, lift))

    def clean(cell: dict[str, Any]) -> bool:
        start = history.begin + cell["week"] * WEEK
        return not any(
            asn in (0, cell["probe_asn"]) and onset < start + WEEK and lift > start
            for asn, onset, lift in busy.get(cell["host"], ())
        )

    return sum(clean(cell) for cell in cells)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What several scores say together. Shares are (how many, of how many)."""

    name: str
    recall: tuple[int, int]
    recall_accused: tuple[int, int]
    hidden: int
    precision: tuple[int, int]
    accusations: tuple[int, int]
    alerts: float
    kind: tuple[int, int]
    scope: tuple[int, int]
    scope_open: int
    mechanism: tuple[int, int]
    layer: tuple[int, int]
    onset: tuple[int, int]
    lift: tuple[int, int]
    lifts_unseen: int
    whole_onset: tuple[int, int]
    whole_lift: tuple[int, int]
    shift: tuple[int, int]
    width: float
    latency: tuple[float, float]
    latency_hourly: tuple[float, float]
    late: tuple[int, int]
    false_rate: float


def figures(scores: Sequence[Score], name: str = "") -> Figures:
    """The figures of all *scores* together, each event counting the same."""
    results = [r for s in scores for r in s.results]
    evident = [r for r in results if r.event.evident]
    accused = [r for r in evident if r.event.kind in ACCUSING]
    found = [r for r in results if r.found]
    of_accusing = [r for r in found if r.event.kind in ACCUSING]
    false = [one for s in scores for one in s.matched.false]
    misnamed = [one for s in scores for _, one in s.matched.misnamed]
    right = sum(s.counted for s in scores)
    accusing_right = sum(len(r.found) for r in of_accusing)
    accusing_wrong = sum(one.kind in ACCUSING for one in [*false, *misnamed])
    lags = [(r, s.lags.get(r.event.number)) for s in scores for r in s.results if r.found]
    all_lags = [lag for _, lag in lags if lag is not None]
    hourly = [lag for r, lag in lags if lag is not None and r.event.hourly >= 0.9]
    weeks = sum(s.clean_weeks for s in scores)
    return Figures(
        name=name,
        recall=(sum(bool(r.found) for r in evident), len(evident)),
        recall_accused=(sum(bool(r.found) for r in accused), len(accused)),
        hidden=len(results) - len(evident),
        precision=(right, right + len(false) + len(misnamed)),
        accusations=(accusing_right, accusing_right + accusing_wrong),
        alerts=sum(len(r.found) for r in found) / len(found) if found else 0.0,
        kind=_share(r.kind for r in found),
        scope=_share(r.scope for r in of_accusing),
        scope_open=sum(r.scope_open for r in of_accusing),
        mechanism=_sum(r.mechanisms for r in of_accusing),
        layer=_sum(r.layers for r in of_accusing),
        onset=_sum(r.onsets for r in of_accusing),
        lift=_sum(r.lifts for r in of_accusing),
        lifts_unseen=sum(r.lifts_unseen for r in of_accusing),
        whole_onset=_share(r.whole_onset for r in found),
        whole_lift=_share(r.whole_lift for r in found),
        shift=_share(r.shift for r in found),
        width=_median([w for r in of_accusing for w in r.widths]),
        latency=(_median(all_lags), _percentile(all_lags, 90)),
        latency_hourly=(_median(hourly), _percentile(hourly, 90)),
        late=(sum(lag <= 6 for lag in hourly), len(hourly)),
        false_rate=1000 * len(false) / weeks if weeks else 0.0,
    )


def _share(said: Iterable[bool | None]) -> tuple[int, int]:
    known = [each for each in said if each is not None]
    return sum(known), len(known)


def _sum(pairs: Iterable[tuple[int, int]]) -> tuple[int, int]:
    kept = list(pairs)
    return sum(a for a, _ in kept), sum(b for _, b in kept)


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else float("nan")


def _percentile(values: Sequence[float], percent: int) -> float:
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, -(-percent * len(ordered) // 100) - 1)]
