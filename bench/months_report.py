"""The figures of simulated months, as tables for people and rows for machines."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.history.event import Event
from lab.months.score import Figures, Result, Score, figures


@dataclass(frozen=True, kw_only=True)
class Run:
    """One detector on one history; *seconds* it took, *begin* of the history."""

    setting: str
    detector: str
    score: Score
    seconds: float
    rows: int
    begin: float

    def line(self) -> str:
        f = figures([self.score])
        return (
            f"{self.setting} seed {self.score.seed} {self.detector}: recall {_of(f.recall)},"
            f" precision {_of(f.precision)}, alerts {f.alerts:.2f},"
            f" {self.seconds:.0f} s for {self.rows} rows"
        )


Column = Callable[[Figures], str]
COLUMNS: dict[str, Column] = {
    "found": lambda f: _of(f.recall),
    "of them blocks, throttles": lambda f: _of(f.recall_accused),
    "alerts right": lambda f: _of(f.precision),
    "accusations right": lambda f: _of(f.accusations),
    "alerts an event": lambda f: _number(f.alerts, 2),
    "false per 1,000 clean cell-weeks": lambda f: f"{f.false_rate:.2f}",
    "kind": lambda f: _of(f.kind),
    "scope": lambda f: _of(f.scope),
    "mechanism": lambda f: _of(f.mechanism) if f.mechanism[0] else "",
    "its layer": lambda f: _of(f.layer),
    "onset held": lambda f: _of(f.onset),
    "its width, h, median": lambda f: _number(f.width, 1),
    "lift held": lambda f: _of(f.lift),
    "lift not seen": lambda f: str(f.lifts_unseen),
    "whole onset held": lambda f: _of(f.whole_onset),
    "whole lift held": lambda f: _of(f.whole_lift),
    "too little shown": lambda f: str(f.hidden),
}
TIMES: dict[str, Column] = {
    "latency, h: median, p90": lambda f: _pair(f.latency),
    "where measured hourly": lambda f: _pair(f.latency_hourly),
    "within 6 h there": lambda f: _of(f.late),
}


def report(runs: Sequence[Run]) -> str:
    """The tables: settings, latencies, kinds of events, and all that was wrong."""
    named = list(dict.fromkeys((r.setting, r.detector) for r in runs))
    kept = {
        key: figures([r.score for r in runs if (r.setting, r.detector) == key]) for key in named
    }
    timed = {key: f for key, f in kept.items() if not math.isnan(f.latency[0])}
    usual = [r for r in runs if r.setting == "usual"]
    ours = kept.get(("usual", "ours"))
    blocks = [_sizes(runs), _table(COLUMNS, kept)]
    if timed:
        blocks.append(_table(TIMES, timed))
    if ours:
        blocks.append(_how_sure(ours))
    if usual:
        blocks += ["### By what happened, usual months", _stories(usual)]
    blocks += ["### What ours got wrong", *_wrong(r for r in runs if r.detector == "ours")]
    return "\n\n".join(blocks) + "\n"


def _sizes(runs: Sequence[Run]) -> str:
    seeds = sorted({r.score.seed for r in runs})
    rows = sum(r.rows for r in runs if r.detector == "ours")
    return (
        f"Seeds {', '.join(map(str, seeds))}; {rows:,} verdict rows;"
        f" {sum(r.seconds for r in runs if r.detector == 'ours') / max(rows, 1) * 1e6:.0f} s for a"
        " million rows by ours,"
        f" {sum(r.seconds for r in runs if r.detector == 'peer') / max(rows, 1) * 1e6:.0f} by the"
        " peer's."
    )


def _how_sure(f: Figures) -> str:
    """What so few events can tell: 95 % intervals after Wilson (JASA 1927)."""
    shares = {
        "found": f.recall, "alerts right": f.precision, "accusations right": f.accusations,
        "scope": f.scope, "onset held": f.onset, "lift held": f.lift,
    }  # fmt: skip
    said = [
        "{} {:.3f} to {:.3f}".format(name, *_wilson(*pair))
        for name, pair in shares.items() if pair[1]
    ]  # fmt: skip
    return f"With 95 % confidence, of ours in usual months: {'; '.join(said)}."


def _wilson(right: int, of: int) -> tuple[float, float]:
    z, p = 1.96, right / of
    middle, spread = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return (middle - spread) / (1 + z * z / of), (middle + spread) / (1 + z * z / of)


def _table(columns: dict[str, Column], kept: dict[tuple[str, str], Figures]) -> str:
    head = [f"{setting}, {who}" for setting, who in kept]
    lines = [f"| | {' | '.join(head)} |", f"|---|{'---:|' * len(head)}"]
    for name, column in columns.items():
        lines.append(f"| {name} | {' | '.join(column(f) for f in kept.values())} |")
    return "\n".join(lines)


def _stories(runs: Sequence[Run]) -> str:
    lines = [
        "| what happened | ours found | alerts | scope right | median latency, h | peer found |"
        " alerts | median latency, h |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    stories = sorted({r.event.story for run in runs for r in run.score.results})
    for story in stories:
        cells = []
        for who in ("ours", "peer"):
            scores = [run.score for run in runs if run.detector == who]
            each = [(s, r) for s in scores for r in s.results if r.event.story == story]
            seen = [(s, r) for s, r in each if r.event.evident]
            found = [(s, r) for s, r in seen if r.found]
            lags = sorted(s.lags[r.event.number] for s, r in found if r.event.number in s.lags)
            scopes = [r.scope for _, r in found if r.scope is not None]
            cells += [f"{len(found)} of {len(seen)}", str(sum(len(r.found) for _, r in found))]
            if who == "ours":
                cells.append(f"{sum(scopes)} of {len(scopes)}" if scopes else "")
            cells.append(f"{lags[len(lags) // 2]:.0f}" if lags else "")
        lines.append(f"| {story} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _wrong(runs: Iterable[Run]) -> list[str]:
    lines = []
    for run in runs:
        where = f"{run.setting}, seed {run.score.seed}"
        for result in run.score.results:
            lines += [f"- {where}: {text}" for text in _faults(result)]
        for event, one in run.score.matched.misnamed:
            lines.append(f"- {where}: *{event.story}* called {_said(one)}")
        lines += [f"- {where}: nothing, called {_said(one)}" for one in run.score.matched.false]
    return ["\n".join(lines) if lines else "Nothing."]


def _faults(result: Result) -> list[str]:
    event, found = result.event, []
    if not result.found:
        return [f"*{event.story}* not found, {event.shown} rows show it"] if event.evident else []
    best = result.found[0]
    if len(result.found) > 1:
        found.append(f"*{event.story}* found as {len(result.found)} events")
    if not result.kind:
        found.append(f"*{event.story}* called {best.kind}")
    if result.scope is False:
        found.append(f"*{event.story}* ({event.scope}) given scope {best.scope}")
    for what, (right, of) in (("onset", result.onsets), ("lift", result.lifts)):
        if right < of:
            found.append(f"*{event.story}*: {of - right} of {of} parts' {what} not held")
    if result.lifts_unseen:
        found.append(f"*{event.story}*: {result.lifts_unseen} lifts not seen")
    return found


def _said(one: Event) -> str:
    return (
        f"{one.kind} ({one.scope}) of {len(one.targets)} targets on {len(one.networks)} networks,"
        f" {', '.join(one.mechanisms) or 'no mechanism'}, probability {one.probability:.2f}"
    )


def write_csv(path: Path, runs: Sequence[Run]) -> None:
    """Every true event with what was found of it, and every alert of what was none."""
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(
            "setting seed detector story kind scope shown probes hourly onset_day found kind_said"
            " scope_said onsets_held onsets lifts_held lifts latency_h probability".split()
        )
        for run in runs:
            for result in run.score.results:
                out.writerow(_row(run, result))
            for story, one in [
                *((e.story, one) for e, one in run.score.matched.misnamed),
                *(("nothing", one) for one in run.score.matched.false),
            ]:
                out.writerow(
                    [run.setting, run.score.seed, run.detector, f"false alarm: {story}", "", "",
                     "", one.probes, "", "", 1, one.kind, one.scope, "", "", "", "", "",
                     f"{one.probability:.3f}"]
                )  # fmt: skip


def _row(run: Run, r: Result) -> list[object]:
    e, best = r.event, r.found[0] if r.found else None
    lag = run.score.lags.get(e.number)
    return [
        run.setting, run.score.seed, run.detector, e.story, e.kind, e.scope, e.shown, e.probes,
        f"{e.hourly:.2f}", f"{(e.onset - run.begin) / 86400:.2f}", len(r.found),
        best.kind if best else "", best.scope if best else "", *r.onsets, *r.lifts,
        "" if lag is None else f"{lag:.0f}", f"{best.probability:.3f}" if best else "",
    ]  # fmt: skip


def _of(pair: tuple[int, int]) -> str:
    return f"{pair[0]} of {pair[1]}" if pair[1] else "none"


def _number(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def _pair(pair: tuple[float, float]) -> str:
    return "" if math.isnan(pair[0]) else f"{pair[0]:.0f}, {pair[1]:.0f}"
