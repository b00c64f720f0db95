"""What probabilities are worth: scores, bins, the plot, and ``docs/calibration.md``."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.probability import ACCUSED, CLAIMS, Likelihoods, weighed
from bench.fitting import Case

BINS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1.0)
TITLES = {ACCUSED: "`blocked`, and `ok` with mechanisms", "ok": "`ok`", "down": "`down`",
          "server_side": "`server_side`", "local_fault": "`local_fault`", "all": "**all**"}
TEXT = """# How sure is a verdict?

Written by `python -m bench.calibration --write`. `probability` in a verdict says how probable
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
other seeds, are scored here. Each is judged twice: with all evidence, and without the
follow-ups, as after `--no-follow-up`; what repetition is worth shows in those. {open} of
all were `inconclusive` or not measured. Every case with its features is in
`bench/data/calibration.csv`.

## Scores on what was held out

"The same for everybody" is the Brier score of saying the share of right ones each time.

{scores}

{evidence}

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


def evidence_table(cases: Sequence[Case], by: Likelihoods) -> str:
    """Accusations, with the follow-ups and without."""
    lines = [
        "| accusations judged by | cases | right | mean probability | Brier score |",
        "|---|---:|---:|---:|---:|",
    ]
    for evidence, title in (("all", "all evidence"), ("plain", "the plain pass alone")):
        pairs = scored([c for c in cases if (c.evidence, c.claim) == (evidence, ACCUSED)], by)
        mean = sum(p for p, _ in pairs) / len(pairs)
        lines.append(
            f"| {title} | {len(pairs)} | {sum(y for _, y in pairs)} | {mean:.3f} |"
            f" {brier(pairs):.4f} |"
        )
    return "\n".join(lines)


def noise_table(cases: Sequence[Case], by: Likelihoods) -> str:
    lines = [
        "| noise | verdicts | wrong | Brier score | accused wrongly with all evidence |",
        "|---|---:|---:|---:|---|",
    ]
    for noise in dict.fromkeys(c.noise for c in cases):
        here = [c for c in cases if c.noise == noise and c.claim]
        pairs = scored(here, by)
        alarms = [
            f"{c.world} {weighed(c.features, c.claim, c.rules, by):.2f}"
            for c in here if c.claim == ACCUSED and not c.right and c.evidence == "all"
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


def plot(
    fitted: Sequence[tuple[float, bool]], held: Sequence[tuple[float, bool]], path: Path
) -> None:
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
    axes.legend(fontsize=8, loc="lower right", frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


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
        evidence=evidence_table(held, by),
        bins=bins_table(scored(held, by)), accused=bins_table(accused),
        noise=noise_table(held, by), weights=weights_table(by),
    )  # fmt: skip
