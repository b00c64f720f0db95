"""Months with known truth: ours beside the detector of another system, on the same rows.

    python -m bench.months [--seeds 1,3,5] [--settings usual,hard] [--tuning] [--no-latency]
                           [--keep DIR] [--write]

Simulates months (`lab.months`), finds events with our chain and with the peer's detector
(`bench.peer_detector`), and scores both. Seeds are odd: those are for scoring, and an even
one is refused unless --tuning says that this is no score; then nothing is written.
--settings: of `SETTINGS`, all unless told. --keep leaves each score in a folder (trusted: it is
unpickled), and takes what is there instead of scoring it again. --write puts the figures into
docs/months.md and each event into bench/data/months.csv. Needs the extra ``all``.
"""

from __future__ import annotations

import argparse
import pickle
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))  # as a script it stands beside what it is part of

from analysis.history.changes import parts  # noqa: E402
from analysis.history.event import Event, Interval, Part  # noqa: E402
from analysis.history.events import events  # noqa: E402
from analysis.regime.model import Networks  # noqa: E402
from bench.months_report import Run, report, write_csv  # noqa: E402
from bench.peer_detector import changepoints  # noqa: E402
from lab.months.hard import HARD  # noqa: E402
from lab.months.noise import BAD, FASTPATH, FIELD, PIPELINE  # noqa: E402
from lab.months.probes import Crowd  # noqa: E402
from lab.months.replay import Detector, with_latency  # noqa: E402
from lab.months.score import score  # noqa: E402
from lab.months.simulate import History, Setting, Use, simulate  # noqa: E402

DOCS = HERE.parent / "docs" / "months.md"
CSV = HERE / "data" / "months.csv"
SETTINGS = {
    "usual": Setting(),
    "hard": Setting(targets=48, stories=tuple(HARD), before=False),
    "field": Setting(days=60, targets=48, noise=FIELD),
    "pipeline": Setting(days=60, targets=48, noise=PIPELINE),
    "bad": Setting(days=60, targets=48, noise=BAD),
    "fastpath": Setting(days=60, targets=48, noise=FASTPATH),
    "sparse": Setting(
        days=60, targets=48,
        crowd=Crowd(hourly=((2, 1),), six_hourly=8, evenings=14, weekly=8),
    ),
    "quiet": Setting(days=60, targets=48, stories=(), before=False),
}  # fmt: skip
WITH_LATENCY = ("usual",)  # the others are asked what is found, not when


def ours(rows: Any, networks: Networks) -> Sequence[Event]:
    """Our chain."""
    return events(rows, parts(rows), networks)


def peer(rows: Any, networks: Networks) -> Sequence[Event]:
    """The peer's changepoints: each one to *blocked* is an alert, until the next one back."""
    found = [c for c in changepoints(rows) if c.probe_cc == "BY"]
    lifts: dict[tuple[str, int, str], Interval] = {}
    alerts = []
    for change in reversed(found):
        key = (change.host, change.probe_asn, change.signal)
        if change.state == "ok":
            lifts[key] = Interval(change.since, change.at)
            continue
        onset, lift = Interval(change.since, change.at), lifts.pop(key, None)
        layer = change.signal.partition("_")[0]
        part = Part(
            host=change.host, mechanism=layer, probe_asn=change.probe_asn, onset=onset, lift=lift
        )
        alerts.append(
            Event(
                id=f"{key}-{change.at}", kind="blocking", targets=(change.host,), scope="network",
                networks=(change.probe_asn,), mechanisms=(layer,), onset=onset, lift=lift,
                parts=(part,),
            )
        )  # fmt: skip
    return alerts


DETECTORS: dict[str, Detector] = {"ours": ours, "peer": peer}


@dataclass(frozen=True)
class Options:
    seeds: tuple[int, ...]
    settings: tuple[str, ...]
    use: Use
    latency: bool
    write: bool
    keep: Path | None


def options(arguments: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", default="1,3,5")
    parser.add_argument("--settings", default=",".join(SETTINGS))
    parser.add_argument("--tuning", action="store_true")
    parser.add_argument("--no-latency", action="store_true")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args(arguments)
    settings = tuple(given.settings.split(","))
    if unknown := set(settings) - set(SETTINGS):
        parser.error(f"no such setting: {', '.join(sorted(unknown))}")
    if given.tuning and given.write:
        parser.error("what is tuned on is no score, and is not written down")
    return Options(
        seeds=tuple(int(seed) for seed in given.seeds.split(",")),
        settings=settings,
        use="tuning" if given.tuning else "scoring",
        latency=not given.no_latency,
        write=given.write,
        keep=given.keep,
    )


def run(setting: str, history: History, name: str, latency: bool) -> Run:
    """One detector on one history."""
    detector, began = DETECTORS[name], time.perf_counter()
    found = detector(history.rows(), history.networks)
    seconds = time.perf_counter() - began
    scored = score(history, found, name)
    if latency:
        scored = with_latency(scored, history, detector)
    return Run(setting=setting, detector=name, score=scored, seconds=seconds,
               rows=history.table.num_rows, begin=history.begin)  # fmt: skip


def kept(options: Options, setting: str, seed: int) -> list[Run]:
    """What all detectors make of one history: scored, or scored before."""
    at = options.keep / f"{setting}-{options.use}-{seed}.pickle" if options.keep else None
    if at is not None and at.exists():
        before: list[Run] = pickle.loads(at.read_bytes())
        return before
    history = simulate(SETTINGS[setting], seed, use=options.use)
    timed = options.latency and setting in WITH_LATENCY
    runs = [run(setting, history, name, timed) for name in DETECTORS]
    if at is not None:
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(pickle.dumps(runs))
    return runs


def main(arguments: Sequence[str]) -> int:
    chosen = options(arguments)
    runs: list[Run] = []
    for setting in chosen.settings:
        for seed in chosen.seeds:
            for each in kept(chosen, setting, seed):
                runs.append(each)
                print(each.line(), flush=True)
    text = report(runs)
    print(text)
    if chosen.write:
        write_csv(CSV, runs)
        before, _, rest = DOCS.read_text("utf-8").partition("<!-- figures -->")
        after = rest.partition("<!-- end -->")[2]
        DOCS.write_text(f"{before}<!-- figures -->\n{text}<!-- end -->{after}", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
