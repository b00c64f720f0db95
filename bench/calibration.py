"""How probable is "probable"? The weights of the doubt, and what they are worth.

    python bench/calibration.py [--write] [--quick] [--refit] [--every N] [--at-once N]
                                [--keep DIR]

Makes cases in the lab, where the truth is known: kinds of world that are blocked, hindered,
throttled, innocent, unsteady, on lines that are calm, lossy, jittery or congested, with a
control that is down, half blind or on a bad line of its own. Fits the log likelihood
ratios of `analysis.probability` on some kinds and seeds, and scores them on other kinds and
other seeds: Brier score, logarithmic loss, and in each bin of probability how many were right.

--write puts the weights into analysis/data/likelihoods.json, every case into
bench/data/calibration.csv, and the report with its plot into docs/. --refit takes the
cases from that file and measures nothing. --quick is a smoke test of a few cases, and
writes nothing. --every N takes every N-th world. --keep leaves the databases in a folder, and
judges again what is there already instead of measuring it. Needs what the lab needs, and
the extra ``bench``.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import math
import random
import sys
import tempfile
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from scipy.optimize import minimize  # type: ignore[import-untyped]

from analysis.probability import (
    ACCUSED,
    CLAIMS,
    DIRECTION,
    Claim,
    Likelihoods,
    Record,
    claim_of,
    features,
    weighed,
)
from analysis.rules import RULES_VERSION
from analysis.verdict import judge, observations
from lab.censors import AddressDrop, a_censor
from lab.sites import Site
from lab.stage import DELAYS, Setting, Stage, ascii_url
from lab.trial import HURRY
from lab.wire import WireSettings
from lab.world import Truth, Way, Wire, World
from lab.worlds.plan import build, names
from probe.store import Store

HERE = Path(__file__).parent
CASES = HERE / "data" / "calibration.csv"
DOCS = HERE.parent / "docs"
LIKELIHOODS = HERE.parent / "analysis" / "data" / "likelihoods.json"

KINDS = ("blocked", "hindered", "throttled", "innocent", "unhurried", "unsteady", "overloaded")
MATRIX = 40  # cells of the matrix of blocks, drawn
UNSTEADY_SEEDS = 4  # in each lab: what makes verdicts wrong is to be well represented
FIT_SEEDS, SCORE_SEEDS = 300, 400  # where the seeds of each side begin
UNSEEN = 0.8
RIDGE = 1.0  # a Gaussian prior of one unit of log-odds on each weight; a wider one on the base
BINS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1.0)


@dataclass(frozen=True, kw_only=True)
class Noise:
    """What is bad today. *blind*: control 1 reaches half of the sites only."""

    name: str
    line: Mapping[str, Any] = field(default_factory=dict)
    away: Mapping[str, Any] = field(default_factory=dict)
    controls: tuple[bool, bool] = (True, True)
    blind: bool = False


NOISES = (
    Noise(name="calm"),
    Noise(name="loss 1 %", line={"loss": 0.01}),
    Noise(name="loss 3 %", line={"loss": 0.03}),
    Noise(name="loss 5 %", line={"loss": 0.05}),
    Noise(name="loss 10 %", line={"loss": 0.10}),
    Noise(name="jitter", line={"jitter": 0.4}),
    Noise(name="congested", line={"rate": {Way.OUT: 60e3, Way.BACK: 150e3}, "loss": 0.01}),
    Noise(name="control down", controls=(True, False), line={"loss": 0.01}),
    Noise(name="control blind", blind=True, line={"loss": 0.01}),
    Noise(name="control lossy", away={"loss": 0.25}, line={"loss": 0.03}),
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One verdict, whether it was right, and what was weighed for it."""

    split: str
    noise: str
    world: str
    seed: int
    claim: str
    outcome: str
    rules: tuple[str, ...]
    right: bool
    features: Mapping[str, float]


def held_out(world: str) -> bool:
    """Whether the kind *world* is one to score on: a third, by a hash of its name."""
    return zlib.crc32(world.encode()) % 3 == 0


def right(outcome: str, mechanisms: Sequence[str], truth: Truth) -> bool:
    """Whether a verdict's claim is true; beside ``ok``, mechanisms claim that they are at work."""
    if outcome == "ok" and mechanisms:
        return bool(truth.mechanisms)
    return outcome in truth.outcome


# Making cases.


@dataclass(frozen=True, kw_only=True)
class Lab:
    """One country and run: *worlds* are (kind, seed)."""

    split: str
    noise: Noise
    seed: int
    worlds: tuple[tuple[str, int], ...]
    keep: Path | None = None


def labs(every: int = 1, keep: Path | None = None) -> list[Lab]:
    """All runs, half of them to fit and half to score, the noises in turn."""
    chance = random.Random(1)
    cells = chance.sample(names("matrix"), MATRIX)
    kinds = [*names(*KINDS), *cells]
    sides = {
        "fit": (FIT_SEEDS, [k for k in kinds if not held_out(k)], 1),
        "score": (SCORE_SEEDS, [k for k in kinds if held_out(k)], 2),
    }
    unsteady = set(names("unsteady", "overloaded"))
    found = []
    for number, noise in enumerate(NOISES):
        for split, (first, wanted, each) in sides.items():
            worlds = []
            for kind in wanted:
                seeds = UNSTEADY_SEEDS if kind in unsteady else each
                base = first + number * UNSTEADY_SEEDS
                worlds += [(kind, base + n) for n in range(seeds)]
            chosen = tuple(worlds[number % every :: every])
            found.append(Lab(split=split, noise=noise, seed=number, worlds=chosen, keep=keep))
    return found


def setting(lab: Lab, worlds: Sequence[World]) -> Setting:
    noise = lab.noise
    wires = {
        Wire.LINE: WireSettings(**{"delay": DELAYS[Wire.LINE], **noise.line}),
        Wire.AWAY_1: WireSettings(**{"delay": DELAYS[Wire.AWAY_1], **noise.away}),
    }
    unseen = [
        address
        for world in worlds
        if zlib.crc32(world.url.encode()) % 2
        for site in world.sites
        if isinstance(site, Site)
        for address in site.addresses
    ]
    blind = {Wire.AWAY_1: (a_censor(AddressDrop(addresses=tuple(unseen))),)}
    return Setting(
        seed=lab.seed, config=HURRY, icmp_ratelimit=0, wires=wires, controls=noise.controls,
        censors=blind if noise.blind else None,
    )  # fmt: skip


def _run(worlds: Sequence[World], folder: Path, db: Path, lab: Lab) -> None:
    with Stage(worlds, folder, setting(lab, worlds)) as stage:
        done = stage.run(db, "--concurrency", "50", "--seed", str(lab.seed))
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)


def cases_of(lab: Lab) -> list[Case]:
    """Measure *lab* and judge it."""
    worlds = {(kind, seed): build(kind, seed) for kind, seed in lab.worlds}
    with ExitStack() as stack:
        kept = lab.keep and lab.keep / f"{lab.split} {lab.noise.name}"
        folder = kept or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        db = folder / "zond.db"
        if not db.exists():
            _run(list(worlds.values()), folder, db, lab)
        with Store(db) as store:
            rows = [row for run in store.runs() for row in observations(store, run)]
    pairs = zip(rows, judge(rows), strict=True)
    judged = {ascii_url(row.url): (row, verdict) for row, verdict in pairs}
    found = []
    for (kind, seed), world in worlds.items():
        pair = judged.get(ascii_url(world.url))
        if pair is None:
            continue
        row, verdict = pair
        claim = claim_of(verdict.outcome, verdict.mechanisms)
        seen = features(row, claim, verdict.mechanisms, verdict.rules) if claim else {}
        found.append(
            Case(
                split=lab.split, noise=lab.noise.name, world=kind, seed=seed, claim=claim or "",
                outcome=verdict.outcome, rules=verdict.rules, features=seen,
                right=right(verdict.outcome, verdict.mechanisms, world.truth),
            )
        )
    return found


def measure(planned: Sequence[Lab], at_once: int) -> Iterator[Case]:
    began = time.monotonic()
    with ProcessPoolExecutor(at_once) as pool:
        for lab, cases in zip(planned, pool.map(cases_of, planned), strict=True):
            wrong = [c for c in cases if c.claim and not c.right]
            print(
                f"{time.monotonic() - began:5.0f} s: {lab.split}, {lab.noise.name}:"
                f" {len(cases)} cases, {len(wrong)} wrong", file=sys.stderr,
            )  # fmt: skip
            for c in wrong:
                print(f"   {c.world} {c.seed}: {c.outcome} {' '.join(c.rules)}", file=sys.stderr)
            yield from cases


# Fitting and scoring.


def fit(cases: Iterable[Case]) -> Likelihoods:
    """Weights by regularised logistic regression, each held to the side where it points."""
    by_claim: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        if case.claim:
            by_claim[case.claim].append(case)
    return Likelihoods(
        rules_version=RULES_VERSION,
        unseen=UNSEEN,
        claims={claim: _fit_claim(by_claim[claim]) for claim in CLAIMS if by_claim[claim]},
    )


def _fit_claim(cases: Sequence[Case]) -> Claim:
    columns = sorted({name for case in cases for name, value in case.features.items() if value})
    x = np.array([[case.features.get(name, 0.0) for name in columns] for case in cases])
    y = np.array([case.right for case in cases], dtype=float)
    ridge = np.array([RIDGE / 10, *(RIDGE for _ in columns)])

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        z = w[0] + x @ w[1:]
        p = 1 / (1 + np.exp(-z))
        value = np.sum(np.logaddexp(0, z) - y * z) + np.sum(ridge * w**2) / 2
        slope = np.concatenate([[np.sum(p - y)], x.T @ (p - y)]) + ridge * w
        return float(value), slope

    sides = {1: (0.0, None), -1: (None, 0.0), 0: (None, None)}
    bounds = [(None, None), *(sides[DIRECTION.get(name, 0)] for name in columns)]
    w = minimize(loss, np.zeros(len(columns) + 1), jac=True, bounds=bounds).x
    fired: Counter[str] = Counter()
    hit: Counter[str] = Counter()
    for case in cases:
        for rule in case.rules if case.claim == ACCUSED else case.rules[:1]:
            fired[rule] += 1
            hit[rule] += case.right
    return Claim(
        base=round(float(w[0]), 3),
        weights={name: round(float(v), 3) for name, v in zip(columns, w[1:], strict=True)
                 if round(float(v), 3)},
        rules={rule: Record(cases=n, right=hit[rule]) for rule, n in sorted(fired.items())},
    )


def scored(cases: Iterable[Case], by: Likelihoods) -> list[tuple[float, bool]]:
    return [
        (weighed(case.features, case.claim, case.rules, by), case.right)
        for case in cases
        if case.claim
    ]


def brier(pairs: Sequence[tuple[float, bool]]) -> float:
    """Mean squared error of the probabilities (Brier, 1950); 0 is best."""
    return sum((p - y) ** 2 for p, y in pairs) / len(pairs)


def log_loss(pairs: Sequence[tuple[float, bool]]) -> float:
    """Mean of minus the logarithm of what was said of what is so; 0 is best."""
    return -sum(math.log(p if y else 1 - p) for p, y in pairs) / len(pairs)


def binned(pairs: Sequence[tuple[float, bool]]) -> list[tuple[float, float, int, int, float]]:
    """For each of `BINS`: from, to, cases, right ones, mean probability."""
    found = []
    for low, high in itertools.pairwise(BINS):
        inside = [(p, y) for p, y in pairs if low <= p < high]
        if inside:
            mean = sum(p for p, _ in inside) / len(inside)
            found.append((low, high, len(inside), sum(y for _, y in inside), mean))
    return found


def wilson(hits: int, of: int) -> tuple[float, float]:
    """A 95 % interval for a share (Wilson, 1927)."""
    z, share = 1.96, hits / of
    middle = share + z * z / (2 * of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)


# Writing and reading.

COLUMNS = ("split", "noise", "world", "seed", "claim", "outcome", "right", "probability",
           "rules", "features")  # fmt: skip


def write_cases(cases: Sequence[Case], by: Likelihoods, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(COLUMNS)
        for c in cases:
            sure = weighed(c.features, c.claim, c.rules, by) if c.claim else ""
            seen = " ".join(
                f"{name.replace(' ', ':')}={value:.3g}"
                for name, value in c.features.items() if value
            )  # fmt: skip
            table.writerow(
                (c.split, c.noise, c.world, c.seed, c.claim, c.outcome, int(c.right), sure,
                 " ".join(c.rules), seen)
            )  # fmt: skip


def read_cases(path: Path) -> list[Case]:
    with path.open(newline="") as lines:
        return [
            Case(
                split=row["split"], noise=row["noise"], world=row["world"], seed=int(row["seed"]),
                claim=row["claim"], outcome=row["outcome"], right=row["right"] == "1",
                rules=tuple(row["rules"].split()),
                features={
                    name.replace(":", " "): float(value)
                    for name, _, value in (pair.partition("=") for pair in row["features"].split())
                },
            )
            for row in csv.DictReader(lines)
        ]  # fmt: skip


def scores_table(cases: Sequence[Case], by: Likelihoods) -> str:
    lines = [
        "| verdicts | cases | right | Brier score | the same for everybody | logarithmic loss |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for claim in ("all", *CLAIMS):
        pairs = scored([c for c in cases if claim in ("all", c.claim)], by)
        if pairs:
            share = sum(y for _, y in pairs) / len(pairs)
            lines.append(
                f"| {TITLES.get(claim, claim)} | {len(pairs)} | {sum(y for _, y in pairs)} |"
                f" {brier(pairs):.4f} | {share * (1 - share):.4f} | {log_loss(pairs):.4f} |"
            )
    return "\n".join(lines)


def bins_table(pairs: Sequence[tuple[float, bool]]) -> str:
    lines = [
        "| probability said | cases | mean of it | right | share right | 95 % interval |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for low, high, count, hits, mean in binned(pairs):
        least, most = wilson(hits, count)
        lines.append(
            f"| {low:g} to {high:g} | {count} | {mean:.3f} | {hits} | {hits / count:.3f} |"
            f" {least:.3f} to {most:.3f} |"
        )
    return "\n".join(lines)


def noise_table(cases: Sequence[Case], by: Likelihoods) -> str:
    lines = [
        "| noise | verdicts | wrong | Brier score | innocent called blocked, with probability |",
        "|---|---:|---:|---:|---|",
    ]
    for noise in dict.fromkeys(c.noise for c in cases):
        here = [c for c in cases if c.noise == noise and c.claim]
        pairs = scored(here, by)
        alarms = [
            f"{c.world} {weighed(c.features, c.claim, c.rules, by):.2f}"
            for c in here if c.claim == ACCUSED and not c.right
        ]  # fmt: skip
        lines.append(
            f"| {noise} | {len(pairs)} | {sum(not y for _, y in pairs)} | {brier(pairs):.4f} |"
            f" {', '.join(alarms) or 'none'} |"
        )
    return "\n".join(lines)


def weights_table(by: Likelihoods) -> str:
    lines = ["| claim | feature | likelihood ratio per unit |", "|---|---|---:|"]
    for name, claim in by.claims.items():
        lines.append(f"| {TITLES.get(name, name)} | odds with nothing seen | {odds(claim.base)} |")
        lines += [
            f"| {TITLES.get(name, name)} | `{feature}` | {odds(weight)} |"
            for feature, weight in claim.weights.items()
        ]
    return "\n".join(lines)


def odds(log: float) -> str:
    return f"{math.exp(log):.3g}"


def plot(fitted: Sequence[tuple[float, bool]], held: Sequence[tuple[float, bool]]) -> None:
    """The reliability diagram: what was said against what was so, in log-odds where it matters."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "calibration"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.2, 4.2))
    line = np.linspace(-1.2, 3.2, 50)
    share = 1 - 10**-line / (1 + 10**-line)
    axes.plot(_axis(share), _axis(share), color="0.7", linewidth=1, label="as said")
    for pairs, colour, label in ((fitted, "0.55", "fitted on"), (held, "C0", "held out")):
        for n, (_, _, count, hits, mean) in enumerate(binned(pairs)):
            least, most = wilson(hits, count)
            at = float(_axis(np.array([mean]))[0]) + (0.02 if pairs is held else -0.02)
            low, mid, high = _axis(np.array([least, hits / count, most]))
            axes.plot([at, at], [low, high], color=colour, linewidth=1)
            axes.plot([at], [mid], "o", color=colour, markersize=4, label=label if not n else "")
            if pairs is held:
                axes.annotate(str(count), (at, low), textcoords="offset points", xytext=(3, -9),
                              fontsize=7, color=colour)  # fmt: skip
    ticks = np.array([0.1, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.998])
    axes.set_xticks(_axis(ticks), [f"{t:g}" for t in ticks], fontsize=8)
    axes.set_yticks(_axis(ticks), [f"{t:g}" for t in ticks], fontsize=8)
    axes.set_xlabel("probability said (mean of the bin)")
    axes.set_ylabel("share that was right, 95 % interval")
    axes.legend(fontsize=8, loc="upper left", frameon=False)
    figure.tight_layout()
    figure.savefig(DOCS / "calibration.svg", metadata={"Date": None})


def _axis(share: Any) -> Any:
    """Log-odds to the base 10, kept on the paper."""
    bounded = np.clip(share, 0.05, 0.9992)
    return np.log10(bounded / (1 - bounded))


def report(cases: Sequence[Case], by: Likelihoods) -> str:
    fitting = [c for c in cases if c.split == "fit"]
    held = [c for c in cases if c.split == "score"]
    open_ones = sum(not c.claim for c in cases)
    accused = scored([c for c in held if c.claim == ACCUSED], by)
    return TEXT.format(
        all=len(cases), fit=len(fitting), held=len(held), open=open_ones,
        kinds=len({c.world for c in fitting}), held_kinds=len({c.world for c in held}),
        noises=len({c.noise for c in cases}), unseen=by.unseen,
        scores=scores_table(held, by), fitted=scores_table(fitting, by),
        bins=bins_table(scored(held, by)), accused=bins_table(accused),
        noise=noise_table(held, by), weights=weights_table(by),
    )  # fmt: skip


TITLES = {ACCUSED: "`blocked`, and `ok` with mechanisms", "ok": "`ok`", "down": "`down`",
          "server_side": "`server_side`", "local_fault": "`local_fault`", "all": "**all**"}
TEXT = """# How sure is a verdict?

Written by `python bench/calibration.py --write`. `probability` in a verdict says how probable
it is that the verdict is right: for `blocked`, that somebody on the way keeps the page from us;
for `ok` with mechanisms, that somebody interferes; for `ok` without, that the page is to be had;
for `down`, `server_side` and `local_fault`, that it is so. It is null for `inconclusive` and
`not_measured`, which claim nothing.

The model is a sum of log likelihood ratios (`analysis/probability.py`, weights in
`analysis/data/likelihoods.json`), by regularised logistic regression, with each weight held to
the side where it points: a repetition that ends the same cannot make a block less probable,
a control fewer cannot make it more so. What no case of the fit had fired gets {unseen} at
most, and *n* cases allow (n + 1) / (n + 2) at most.

**What this is not.** The odds are those of the lab, where about half of the worlds are
interfered with and many of the others are made to look like it. In a list where one target in
a hundred is blocked, an accusation on weak evidence is less probable than what is said here.
What is said of much evidence hardly depends on that. And nobody has made the worlds that
nobody has thought of.

## Cases

{all} verdicts on worlds with known truth, under {noises} kinds of noise (lossy, jittery,
congested lines; a control that is down, blind for half of the sites, or on a bad line of its
own). {fit} of {kinds} kinds of world were fitted on, {held} of {held_kinds} other kinds, with
other seeds, are scored here. {open} of all were `inconclusive` or not measured. Every
case with its features is in `bench/data/calibration.csv`.

## Scores on what was held out

"The same for everybody" is the Brier score of saying the share of right ones each time.

{scores}

In bins of what was said:

{bins}

Accusations alone:

{accused}

![What was said against what was so](calibration.svg)

By noise:

{noise}

## Scores on what was fitted

{fitted}

## What counts for how much

{weights}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write weights, cases and report")
    parser.add_argument("--quick", action="store_true", help="a few cases; nothing is written")
    parser.add_argument("--refit", action="store_true", help="from the cases that are there")
    parser.add_argument("--at-once", type=int, default=2, help="labs at the same time")
    parser.add_argument("--every", type=int, default=1, help="every N-th world only")
    parser.add_argument("--keep", type=Path, help="where databases are left, and found")
    given = parser.parse_args()
    planned = labs(9)[6:8] if given.quick else labs(given.every, given.keep)
    cases = read_cases(CASES) if given.refit else list(measure(planned, given.at_once))
    by = fit(c for c in cases if c.split == "fit")
    held = [c for c in cases if c.split == "score"]
    print(scores_table(held, by))
    print(bins_table(scored(held, by)))
    print(weights_table(by))
    if given.write and not given.quick:
        LIKELIHOODS.write_bytes(msgspec.json.format(msgspec.json.encode(by), indent=1) + b"\n")
        write_cases(cases, by, CASES)
        (DOCS / "calibration.md").write_text(report(cases, by))
        plot(scored([c for c in cases if c.split == "fit"], by), scored(held, by))


if __name__ == "__main__":
    main()
