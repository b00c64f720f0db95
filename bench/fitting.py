"""Cases with known truth, the likelihoods fitted on them, and the file that keeps them.

The fit is a logistic regression, which is a set of log likelihood ratios: regularised, since
cases are few, and with each weight held to the side where it points (`DIRECTION`), since a
weight on the other side would say something about the lab and nothing about censors.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from analysis.probability import ACCUSED, CLAIMS, DIRECTION, Claim, Likelihoods, Record, weighed
from analysis.rules import RULES_VERSION

UNSEEN = 0.8
RIDGE = 1.0  # a Gaussian prior of one unit of log-odds on each weight; a wider one on the base
COLUMNS = ("split", "noise", "evidence", "world", "seed", "claim", "outcome", "right",
           "probability", "rules", "features")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Case:
    """One verdict, whether it was right, and what was weighed for it.

    *evidence* is ``all``, or ``plain``: judged once more without the follow-ups, as after
    ``--no-follow-up``. Few verdicts are wrong with all of it, and what repetition is worth
    shows in those that did without.
    """

    split: str
    noise: str
    evidence: str = "all"
    world: str
    seed: int
    claim: str
    outcome: str
    rules: tuple[str, ...]
    right: bool
    features: Mapping[str, float]


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
                (c.split, c.noise, c.evidence, c.world, c.seed, c.claim, c.outcome,
                 int(c.right), sure, " ".join(c.rules), seen)
            )  # fmt: skip


def read_cases(path: Path) -> list[Case]:
    with path.open(newline="") as lines:
        return [
            Case(
                split=row["split"], noise=row["noise"], evidence=row["evidence"],
                world=row["world"], seed=int(row["seed"]),
                claim=row["claim"], outcome=row["outcome"], right=row["right"] == "1",
                rules=tuple(row["rules"].split()),
                features={
                    name.replace(":", " "): float(value)
                    for name, _, value in (pair.partition("=") for pair in row["features"].split())
                },
            )
            for row in csv.DictReader(lines)
        ]  # fmt: skip
