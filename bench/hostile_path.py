"""The hostile path (`tests.collector.test_hostile_path`), larger and with other seeds.

Each round: some volunteers with some batches each, a proxy that cuts, delays, repeats, reorders,
corrupts and lies, uploads and collector killed again and again. Says what the path did, and
whether each measurement arrived once, as it was.

    python -m bench.hostile_path [--rounds 5] [--seed 1] [--volunteers 8] [--batches 100]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

import trio

from tests.collector.trials import Trial, decoded, zond_upload


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--volunteers", type=int, default=8)
    parser.add_argument("--batches", type=int, default=100, help="of each volunteer")
    parser.add_argument("--seconds", type=float, default=1800.0, help="of a round, at most")
    asked = parser.parse_args()
    right = True
    for seed in range(asked.seed, asked.seed + asked.rounds):
        with tempfile.TemporaryDirectory() as folder:
            trial = Trial(
                Path(folder), seed=seed, now=time.time(), volunteers=asked.volunteers,
                batches=asked.batches,
            )  # fmt: skip
            right &= trio.run(partial(one, trial, asked.seconds))
    sys.exit(0 if right else 1)


async def one(trial: Trial, seconds: float) -> bool:
    """Whether everything arrived once."""
    began = time.monotonic()
    done = await trial.run(zond_upload, seconds)
    held = trial.held()
    measurements, checks, _ = decoded([d for documents in held.values() for d in documents])
    arrived = Counter(m.id for m in measurements)
    wanted = Counter(trial.measured.keys())
    altered = sum(m.evidence != trial.measured[m.id].evidence for m in measurements)
    print(
        f"seed {trial.seed}: {len(held)} batches in {time.monotonic() - began:.0f} s, all"
        f" delivered: {done}; of {wanted.total()} measurements {(wanted - arrived).total()} lost,"
        f" {(arrived - wanted).total()} twice, {altered} altered;"
        f" canaries {len(checks)} of {trial.checks};"
        f" killed {dict(trial.killed)}; {trial.path.requests} requests: {dict(trial.path.counts)}",
        flush=True,
    )
    return done and arrived == wanted and not altered and len(checks) == trial.checks


if __name__ == "__main__":
    main()
