"""How probable is "probable"? The weights of the doubt, and what they are worth.

    python -m bench.calibration [--write] [--quick] [--refit] [--every N] [--at-once N]
                                [--keep DIR]

Makes cases in the lab, where the truth is known: kinds of world that are blocked, hindered,
throttled, innocent, unsteady, on lines that are calm, lossy, jittery or congested, with a
control that is down, half blind or on a bad line of its own. Fits the log likelihood
ratios of `analysis.probability` on some kinds and seeds, and scores them on other kinds and
other seeds: Brier score, logarithmic loss, and in each bin of probability how many were right.

--write puts the weights into analysis/data/likelihoods.json, every case into
bench/data/calibration.csv, and the report with its plot into docs/. --refit takes the
cases from that file and measures nothing. --every N takes every N-th world, the second
unless told; --quick is a smoke test of a few cases, and writes nothing. --keep leaves the
databases in a folder, and judges again what is there instead of measuring it. Needs what
the lab needs, and the extra ``bench``.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))  # as a script it stands beside what it is part of

from analysis.observations import Observation  # noqa: E402
from analysis.probability import claim_of, features  # noqa: E402
from analysis.verdict import judge, observations  # noqa: E402
from bench.fitting import Case, fit, read_cases, write_cases  # noqa: E402
from bench.reliability import bins_table, plot, report, scored, scores_table, weights_table  # noqa: E402
from lab.censors import AddressDrop, a_censor  # noqa: E402
from lab.sites import Site  # noqa: E402
from lab.stage import DELAYS, Setting, Stage, ascii_url  # noqa: E402
from lab.trial import HURRY  # noqa: E402
from lab.wire import WireSettings  # noqa: E402
from lab.world import Truth, Way, Wire, World  # noqa: E402
from lab.worlds.plan import build, names  # noqa: E402
from probe.evidence import Measurement  # noqa: E402
from probe.store import Store  # noqa: E402

CASES = HERE / "data" / "calibration.csv"
DOCS = HERE.parent / "docs"
LIKELIHOODS = HERE.parent / "analysis" / "data" / "likelihoods.json"

KINDS = ("blocked", "hindered", "throttled", "innocent", "unhurried", "unsteady", "overloaded")
MATRIX = 40  # cells of the matrix of blocks, drawn
RESIDUAL = ("residue", "residual")
PATIENCE = "target_seconds = 110.0"  # of a climb; the longest are those of throttling
UNSTEADY_SEEDS = 8  # in each lab: what makes verdicts wrong is to be well represented
FIT_SEEDS, SCORE_SEEDS = 300, 400  # where the seeds of each side begin


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


@cache
def held_out() -> frozenset[str]:
    """The kinds of world to score on: a third of those of each sort, by a hash of their names."""
    return frozenset(
        name
        for sort in (*KINDS, "matrix")
        for number, name in enumerate(sorted(names(sort), key=lambda n: zlib.crc32(n.encode())))
        if number % 3 == 1
    )


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
    # Residual blocking is waited for, minutes for each, and says nothing about doubt.
    kinds = [k for k in (*names(*KINDS), *cells) if not any(word in k for word in RESIDUAL)]
    sides = {
        "fit": (FIT_SEEDS, [k for k in kinds if k not in held_out()], 1),
        "score": (SCORE_SEEDS, [k for k in kinds if k in held_out()], 2),
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
    config = HURRY.replace("target_seconds = 300.0", PATIENCE)
    return Setting(
        seed=lab.seed, config=config, icmp_ratelimit=0, wires=wires, controls=noise.controls,
        censors=blind if noise.blind else None,
    )  # fmt: skip


class PlainStore(Store):
    """Knows of no follow-ups."""

    def follow_ups(self, about: str) -> list[Measurement]:
        return []


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
        found: list[Case] = []
        for evidence, kind in (("all", Store), ("plain", PlainStore)):
            with kind(db) as store:
                rows = [row for run in store.runs() for row in observations(store, run)]
            found += _judged(lab, worlds, rows, evidence)
    return found


def _judged(
    lab: Lab,
    worlds: Mapping[tuple[str, int], World],
    rows: Sequence[Observation],
    evidence: str,
) -> Iterator[Case]:
    pairs = zip(rows, judge(rows), strict=True)
    judged = {ascii_url(row.url): (row, verdict) for row, verdict in pairs}
    for (kind, seed), world in worlds.items():
        pair = judged.get(ascii_url(world.url))
        if pair is None:
            continue
        row, verdict = pair
        claim = claim_of(verdict.outcome, verdict.mechanisms)
        seen = features(row, claim, verdict.mechanisms, verdict.rules) if claim else {}
        yield Case(
            split=lab.split, noise=lab.noise.name, evidence=evidence, world=kind, seed=seed,
            claim=claim or "", outcome=verdict.outcome, rules=verdict.rules,
            right=right(verdict.outcome, verdict.mechanisms, world.truth),
            features={name: float(f"{value:.3g}") for name, value in seen.items() if value},
        )  # fmt: skip


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
                rules = " ".join(c.rules)
                print(f"   {c.evidence} {c.world} {c.seed}: {c.outcome} {rules}", file=sys.stderr)
            yield from cases


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write weights, cases and report")
    parser.add_argument("--quick", action="store_true", help="a few cases; nothing is written")
    parser.add_argument("--refit", action="store_true", help="from the cases that are there")
    parser.add_argument("--at-once", type=int, default=4, help="labs at the same time")
    parser.add_argument("--every", type=int, default=2, help="every N-th world only")
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
        plot(
            scored([c for c in cases if c.split == "fit"], by), scored(held, by),
            DOCS / "calibration.svg",
        )  # fmt: skip


if __name__ == "__main__":
    main()
