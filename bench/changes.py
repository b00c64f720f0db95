"""How well are onset and lift of single series found?

    python -m bench.changes [--seeds 1,3] [--noise ours,bad] [--write]

Months are simulated (`lab.months`) and `analysis.history.changes.parts` is run on them; each
part is held against what truly happened to that host on that network. Events, made of parts,
are scored by bench/months.py. Odd seeds only: even ones were for tuning. --write puts the
table into docs/changes.md. One seed takes about half a minute of one core.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from analysis.history.changes import parts
from analysis.history.event import Interval, Part
from lab.months.noise import NOISES
from lab.months.probes import Crowd
from lab.months.simulate import History, Setting, simulate
from lab.months.truth import TrueEvent, TruePart

PAGE = Path(__file__).parent.parent / "docs" / "changes.md"
HOUR, WEEK = 3600.0, 7 * 86400.0
HOURLY = 0.9     # looks an hour, from which on the latency counts
EVIDENT = 3      # looks that show it, below which nobody could find it
SPARSE = "sparse"  # nobody measures hourly


@dataclass
class Score:
    """Counts over histories. *alone*: true parts that were found as one part of their class."""

    rows: int = 0
    seconds: float = 0.0
    true: int = 0
    found: int = 0
    alone: int = 0
    parts: int = 0
    false: int = 0
    clean_weeks: float = 0.0
    onsets: list[bool] = field(default_factory=list)
    lifts: list[bool] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)

    def add(self, history: History) -> None:
        """What is found in *history* against its truth."""
        begun = time.process_time()
        found = parts(history.rows())
        self.seconds += time.process_time() - begun
        self.rows += history.table.num_rows
        self.parts += len(found)
        mine: dict[int, list[Part]] = defaultdict(list)
        for part in found:
            owner = _owner(part, history)
            if owner is None:
                self.false += 1
            else:
                mine[id(owner)].append(part)
        for _, true in _true(history.events):
            if true.shown >= EVIDENT:
                self._one(true, mine[id(true)], history.end)
        self.clean_weeks += _clean_weeks(history)

    def _one(self, true: TruePart, found: Sequence[Part], end: float) -> None:
        self.true += 1
        if not found:
            return
        self.found += 1
        classes = [(_layer(p.mechanism), p.resolver_asn) for p in found]
        self.alone += len(set(classes)) == len(classes)
        first = min(found, key=lambda p: p.onset.by or 0)
        self.onsets.append(_holds(first.onset, true.onset))
        lifted = max((p.lift for p in found if p.lift), key=lambda i: i.by or 0, default=None)
        if true.lift < end and lifted is not None:
            self.lifts.append(_holds(lifted, true.lift))
        told = min(p.alerted_at for p in found if p.alerted_at is not None)
        if true.hourly >= HOURLY:
            self.latencies.append((told - true.onset) / HOUR)


def _true(events: Iterable[TrueEvent]) -> list[tuple[TrueEvent, TruePart]]:
    return [(event, part) for event in events for part in event.parts]


def _owner(part: Part, history: History) -> TruePart | TrueEvent | None:
    """What truly happened to the host on the network while *part* lasted."""
    begin = part.onset.after or part.onset.by or 0.0
    end = history.end if part.lift is None else part.lift.by or 0.0
    for event in history.events:
        if event.parts:
            for true in event.parts:
                layers = {_layer(m) for m in true.mechanisms}
                if (
                    (true.host, true.asn) == (part.host, part.probe_asn)
                    and true.onset <= end and begin <= true.lift
                    and _layer(part.mechanism) in layers
                ):  # fmt: skip
                    return true
        elif not event.counted and part.host in event.targets:
            return event
    return None


def _layer(mechanism: str) -> str:
    return mechanism.partition(".")[0]


def _holds(interval: Interval, truth: float) -> bool:
    after = -math.inf if interval.after is None else interval.after
    return interval.by is not None and after <= truth <= interval.by


def _clean_weeks(history: History) -> float:
    """Weeks of cells (a host on a network) in which nothing was blocked."""
    networks = {p.asn for p in history.probes}
    weeks = len(history.targets) * len(networks) * (history.end - history.begin) / WEEK
    touched = sum(
        (min(true.lift, history.end) - max(true.onset, history.begin)) / WEEK
        for _, true in _true(history.events)
    )
    return weeks - touched


def _share(hits: int, of: int) -> str:
    return f"{100 * hits / of:.1f} % of {of}" if of else "-"


def row(name: str, s: Score) -> str:
    """A line of the table."""
    late = sorted(s.latencies)
    at = f"{median(late):.1f} h, {late[int(0.9 * (len(late) - 1))]:.1f} h" if late else "-"
    cells = [
        name, _share(s.found, s.true), _share(s.parts - s.false, s.parts),
        _share(s.alone, s.found), _share(sum(s.onsets), len(s.onsets)),
        _share(sum(s.lifts), len(s.lifts)), at,
        f"{1000 * s.false / s.clean_weeks:.2f}", f"{s.seconds / (s.rows / 1e6):.1f} s",
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


COLUMNS = (
    "noise", "recall", "precision", "as one part", "onset in its interval", "lift in its interval",
    "latency, median and 90 %", "false parts in 1,000 clean cell-weeks", "a million rows",
)  # fmt: skip
HEAD = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--seeds", default="1,3,5")
    asked.add_argument("--noise", default=",".join([*NOISES, SPARSE]))
    asked.add_argument("--write", action="store_true")
    args = asked.parse_args()
    lines = [HEAD]
    for name in args.noise.split(","):
        score = Score()
        setting = (
            Setting(crowd=Crowd(hourly=(), six_hourly=8, evenings=16, weekly=8))
            if name == SPARSE else Setting(noise=NOISES[name])
        )  # fmt: skip
        for seed in args.seeds.split(","):
            score.add(simulate(setting, int(seed), use="scoring"))
        lines.append(row(name, score))
        print(lines[-1], file=sys.stderr, flush=True)
    table = "\n".join(lines)
    print(table)
    if args.write:
        text = PAGE.read_text()
        marked = f"<!-- bench/changes.py -->\n{table}\n<!-- end -->"
        PAGE.write_text(
            re.sub(r"<!-- bench/changes.py -->.*?<!-- end -->", lambda _: marked, text, flags=re.S)
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
